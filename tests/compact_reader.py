"""A reader of compact files written from docs/format.md: standard library and NumPy alone.

It gives what a file of version 1 with the same function would hold: a header, and tensors.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from itertools import pairwise
from typing import Any

import numpy as np
from numpy import ndarray

import coded_reader
from spectra_reader import layer, number, spectra

BEFORE = (
    '"networks":[{"name":"siren","hidden":,"layers":1,"omega_0":,"omega_hidden":30.0}],"frame":"local",'
    '"overlap":1,"partition":{"rule":"grid:","regions":},"signal":{"kind":"array","shape":[,],"channels":1,'
    '"dtype":"float32","value_range":[0.0,1.0],"channel_axis":false},"blend":true,"summary":{"psnr":}'
    '"dtype":"uint16","value_range":[0,65535],"dtype":"uint8","value_range":[0,255],"channel_axis":true},'
    '"blend":true,"overlap":0,"coding":"parameters","summary":{"psnr":'
    '{"signal":{"kind":"image","shape":[512,768],"channels":3,"dtype":"uint8","value_range":[0.0,255.0],'
    '"channel_axis":true},"blend":true,"coding":"spectra","summary":{"psnr":'
)


def opened(data: bytes) -> tuple[dict[str, Any], dict[str, ndarray]]:
    """The header and the tensors."""
    if data[:5] != b"\x89INR\x02":
        raise ValueError("no compact file")
    if hashlib.sha256(data[13:]).digest()[:8] != data[5:13]:
        raise ValueError("damaged")
    length, at = number(data, 13)
    inflater = zlib.decompressobj(-15, BEFORE.encode())
    header = json.loads(inflater.decompress(data[at : at + length]))
    assert inflater.eof
    assert not inflater.unused_data
    count, at = number(data, at + length)
    lengths = []
    for _ in range(count - 1):
        one, at = number(data, at)
        lengths.append(one)
    sections = []
    for one in [*lengths, len(data)]:
        sections.append(data[at : at + one])
        at += one
    if header["coding"] == "spectra":
        (section,) = sections
        return of_spectra(header, section)
    assert header["coding"] == "parameters"
    regions, parameters = sections
    return of_parameters(header, regions, parameters)


def of_spectra(header: dict[str, Any], section: bytes) -> tuple[dict[str, Any], dict[str, ndarray]]:
    assert header["blend"] is True
    signal = header["signal"]
    found = spectra(section, tuple(signal["shape"]), signal["channels"])
    m = max(2, *(1 + max((max(k) for k in np.argwhere(q)[:, 1:].tolist()), default=0) for q in found.q), 2)
    layers = [layer(q, found.step, found.M, m) for q in found.q]
    header |= {
        "overlap": 0,
        "frame": "area",
        "networks": [{"name": "cosine", "frequencies": m}],
        "partition": {"regions": len(found.q)},
    }
    return header, {
        "boxes": np.array(found.boxes),
        "groups.0.weights.0": np.stack([weights for weights, _ in layers]),
        "groups.0.biases.0": np.stack([biases for _, biases in layers]),
    }


def of_parameters(
    header: dict[str, Any], regions: bytes, parameters: bytes
) -> tuple[dict[str, Any], dict[str, ndarray]]:
    signal, networks, R = header["signal"], header["networks"], header["partition"]["regions"]
    shape, d = tuple(signal["shape"]), len(signal["shape"])
    B, at = number(regions, 0)
    columns = (len(networks) > 1) + (0 if B else 2 * d)
    lines = np.zeros((R, columns), np.int64)
    if columns:
        bits = coded_reader.Bits(regions[at + B :])
        for r in range(R):
            for column in range(columns):
                high, low = bits.integer(2 * column), bits.integer(2 * column + 1)
                lines[r, column] = high * 2**16 + low + (lines[r - 1, column] if r else 0)
        if not bits.finished():
            raise ValueError("damaged")
    tensors: dict[str, ndarray] = {}
    group_of = np.zeros(R, int)
    if len(networks) > 1:
        group_of, lines = lines[:, 0], lines[:, 1:]
        tensors["group_of"] = group_of
    if B:
        tensors["labels"] = np.frombuffer(regions, np.uint8, B, at)
        size = 1 if R <= 2**8 else 2 if R <= 2**16 else 4
        steps = np.frombuffer(zlib.decompress(tensors["labels"].tobytes()), f"<u{size}").reshape(shape)
        samples = np.bincount((np.cumsum(steps.astype(int), axis=0) % 2 ** (8 * size)).ravel(), minlength=R)
    else:
        tensors["boxes"] = np.stack([lines[:, :d], lines[:, :d] + lines[:, d:]], axis=1)
        samples = lines[:, d:].prod(axis=1)
    groups = [
        (samples[group_of == g].tolist(), layers(network, d, signal["channels"]), feeds(network))
        for g, network in enumerate(networks)
    ]
    for g, (weights, biases) in enumerate(coded_reader.parameters(parameters, groups)):
        for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
            tensors[f"groups.{g}.weights.{i}"], tensors[f"groups.{g}.biases.{i}"] = w, b
    return header, tensors


def layers(network: dict[str, Any], d: int, c: int) -> list[tuple[int, int]]:
    """(fan_in, fan_out) of each stored layer."""
    name = network["name"]
    if name == "cosine":
        return [(network["frequencies"] ** d - 1, c)]
    if name == "hashgrid":
        first = sum(min(network["entries"], (n + 1) ** d) for n in intervals(network))
        widths = [network["levels"] * network["features"], *[network["hidden"]] * (network["layers"] + 1), c]
        return [(first, network["features"]), *pairwise(widths)]
    if name in ("fouriernet", "gabornet"):
        h, filters = network["hidden"], (network["layers"] + 1) * (2 if name == "gabornet" else 1)
        return [*[(d, h)] * filters, *[(h, h)] * network["layers"], (h, c)]
    features = {"relu": 2 * d * network.get("frequencies", 0), "fourier": 2 * network.get("features", 0)}
    first, hidden = features.get(name, d), network["hidden"]
    if name == "wire":
        w = max(1, math.isqrt(hidden**2 // 2))
        return [(first, w), *[(w, 2 * w)] * network["layers"], (w, 2 * c)]
    return [(first, hidden), *[(hidden, hidden)] * network["layers"], (hidden, c)]


def intervals(network: dict[str, Any]) -> list[int]:
    """Of each level of a hash grid."""
    least, levels = network["coarsest"], network["levels"]
    growth = max(1, network["finest"] / least)
    return [math.floor(least * growth ** (k / max(1, levels - 1)) + 1e-6) for k in range(levels)]


def feeds(network: dict[str, Any]) -> list[int | None]:
    """The layer that each layer feeds; None for the last one, and for tables."""
    name, n = network["name"], network.get("layers", -1)
    if name == "cosine":
        return [None]
    if name == "hashgrid":
        return [None, *range(2, n + 3), None]
    if name in ("fouriernet", "gabornet"):
        parts = 2 if name == "gabornet" else 1
        first = parts * (n + 1)
        return [
            *(first + i for i in range(n + 1) for _ in range(parts)),
            *range(first + 1, first + n + 1),
            None,
        ]
    return [*range(1, n + 2), None]
