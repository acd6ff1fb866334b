"""A reader of .inr files written from docs/format.md alone: standard library and NumPy, nothing of partinr.

Slow and literal: one point after another, in double precision except where the format says single.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from functools import reduce
from itertools import product
from operator import xor
from typing import Any

import numpy as np
from numpy import ndarray

import compact_reader

fl = np.float32
TYPES = {"F32": "<f4", "F16": "<f2", "U32": "<u4", "U16": "<u2", "U8": "u1"}
INTEGERS = 2**64


def opened(data: bytes) -> tuple[dict[str, Any], dict[str, ndarray]]:
    """The header and the tensors of a file of version 1."""
    length = int.from_bytes(data[:8], "little")
    entries = json.loads(data[8 : 8 + length])
    header: dict[str, Any] = json.loads(entries.pop("__metadata__")["partinr"])
    if header["format"] != 1:
        raise ValueError("another version")
    digits = header["sha256"].encode()
    if len(digits) != 64 or data[8 : 8 + length].count(digits) != 1:
        raise ValueError("checksum not found")
    if hashlib.sha256(data.replace(digits, b"0" * 64, 1)).hexdigest().encode() != digits:
        raise ValueError("damaged")
    tensors: dict[str, ndarray] = {}
    for name, entry in entries.items():
        first, last = (8 + length + offset for offset in entry["data_offsets"])
        numbers = np.frombuffer(data[first:last], TYPES[entry["dtype"]])
        tensors[name] = numbers.reshape(entry["shape"])
    return header, tensors


class Reader:
    """An .inr file, evaluated point by point."""

    def __init__(self, data: bytes) -> None:
        self.header, self.tensors = compact_reader.opened(data) if data[0] == 0x89 else opened(data)
        signal = self.header["signal"]
        self.shape: tuple[int, ...] = tuple(signal["shape"])
        self.channels: int = signal["channels"]
        self.regions: int = self.header["partition"]["regions"]
        self.labels = self._labels()
        members: dict[int, list[int]] = {g: [] for g in range(len(self.header["networks"]))}
        for region in range(self.regions):
            members[int(self.tensors["group_of"][region]) if len(members) > 1 else 0].append(region)
        self.home = {region: (g, i) for g, own in members.items() for i, region in enumerate(own)}

    def _labels(self) -> ndarray:
        if "boxes" in self.tensors:
            labels = np.full(self.shape, -1)
            for region, (first, last) in enumerate(self.tensors["boxes"].astype(int)):
                for index in product(*(range(a, b) for a, b in zip(first, last, strict=True))):
                    labels[index] = region
            return labels
        return inflated(self.tensors["labels"].tobytes(), self.shape, self.regions)

    # Coordinates

    def place(self, axis: int, i: int) -> tuple[str, str, float]:
        """The name and unit of an axis, and where its sample i lies."""
        told = self.header["signal"]["axes"][axis]
        return told["name"], told.get("unit", ""), told.get("origin", 0) + i * told.get("spacing", 1)

    @property
    def number(self) -> Any:
        """What coordinates are rounded to."""
        cosines = all(config["name"] == "cosine" for config in self.header["networks"])
        return float if self.header["frame"] == "area" and cosines else fl

    def sample_coordinate(self, i: int, n: int) -> Any:
        if n == 1:
            return self.number(0)
        if self.number is float:
            return -1 + 2 * i / (n - 1)
        s = float(fl(fl(2) / fl(n - 1)))
        return fl(-1 + s * i) if i < n // 2 else fl(1 - s * (n - 1 - i))

    def resampled(self, k: int, m: int, n: int, start: float, stop: float) -> Any:
        if n == 1:
            return self.number(0)
        if (start, stop, m) == (0, n, n):
            return self.sample_coordinate(k, n)
        c = start + (k + 0.5) * ((stop - start) / m) - 0.5
        return self.number(c * (2 / (n - 1)) - 1)

    def positions(self, point: ndarray) -> list[Any]:
        fl = self.number
        return [
            min(max(fl(fl(x + fl(1)) * fl((n - 1) / 2)), fl(0)), fl(n - 1))
            for x, n in zip(point, self.shape, strict=True)
        ]

    def region(self, point: ndarray) -> int:
        return int(self.labels[tuple(round(float(t)) for t in self.positions(point))])

    def shares(self, point: ndarray) -> dict[int, float]:
        """Weight of each region at a point."""
        if not self.header["blend"]:
            return {self.region(point): 1.0}
        along = [self.window(t, n) for t, n in zip(self.positions(point), self.shape, strict=True)]
        weights: dict[int, float] = {}
        for samples in product(*along):
            region = int(self.labels[tuple(i for i, _ in samples)])
            weights[region] = weights.get(region, 0.0) + math.prod(share for _, share in samples)
        return weights

    def window(self, t: Any, n: int) -> list[tuple[int, float]]:
        """The samples in a point's window along an axis, with their shares of it."""
        fl = self.number
        overlap, near = self.header["overlap"], fl(0.001)
        width = 2 * overlap + 1
        before = [0.0]
        for i in range(1, n):
            d = fl(fl(i + overlap) - t)
            before.append(0.0 if d <= near else 1.0 if d >= fl(fl(width) - near) else float(d) / width)
        before.append(1.0)
        return [(i, before[i + 1] - before[i]) for i in range(n) if before[i + 1] > before[i]]

    def own(self, point: ndarray, region: int) -> ndarray:
        if self.header["frame"] == "global":
            return point
        u: list[Any] = []
        fl = self.number
        local = self.header["frame"] == "local"
        for axis, (x, n) in enumerate(zip(point, self.shape, strict=True)):
            used = np.nonzero(self.labels == region)[axis]
            a = max(int(used.min()) - self.header["overlap"], 0)
            z = min(int(used.max()) + self.header["overlap"], n - 1)
            scale = shift = fl(0)
            if a != z:
                first, last = a * (2 / (n - 1)) - 1, z * (2 / (n - 1)) - 1
                s = 2 / (last - first)
                side = z - a + 1
                scale, shift = fl(s), fl(-1 - first * s)
                if not local:
                    scale, shift = fl((n - 1) / side), fl((n - 2 * a - side) / side)
            u.append(fl(fl(x * scale) + shift))
        return np.array(u, fl)

    # Networks

    def normalised(self, point: ndarray) -> ndarray:
        """Normalised values (channels,) at a point (dims,) of single precision."""
        return sum(
            (weight * self.network(point, region) for region, weight in self.shares(point).items()),
            start=np.zeros(self.channels),
        )

    def network(self, point: ndarray, region: int) -> ndarray:
        """What one region's network gives at a point."""
        g, i = self.home[region]
        config = self.header["networks"][g]
        u = self.own(point, region)
        if config["name"] in ("fouriernet", "gabornet", "hashgrid"):
            weights, biases = (
                [self.tensors[f"groups.{g}.{what}.{layer}"][i].astype(float) for layer in range(last + 1)]
                for last in [layers_of(config) - 1]
                for what in ("weights", "biases")
            )
            other = hash_grid if config["name"] == "hashgrid" else multiplicative
            return other(config, u.astype(float), weights, biases)
        h = features(config, u)
        last = 0 if config["name"] == "cosine" else config["layers"] + 1
        for layer in range(last + 1):
            w = self.tensors[f"groups.{g}.weights.{layer}"][i].astype(float)
            b = self.tensors[f"groups.{g}.biases.{layer}"][i].astype(float)
            if config["name"] == "wire" and layer > 0:
                half = len(b) // 2
                w, b = w[:, :half] + 1j * w[:, half:], b[:half] + 1j * b[half:]
            z = h @ w + b
            h = z if layer == last else activation(config, z, layer)
        return h.real

    # Values

    def value(self, normalised: ndarray) -> ndarray:
        dtype = np.dtype(self.header["signal"]["dtype"])
        low, high = self.header["signal"]["value_range"]
        whole = dtype.kind in "biu"
        kind = np.float32 if whole and dtype.itemsize <= 2 else np.float64
        v = normalised.astype(np.float32).astype(kind) * kind(high - low) + kind(low)
        if whole:
            return np.clip(np.round(v), low, high).astype(dtype)
        limits = np.finfo(dtype)
        return np.clip(v, float(limits.min), float(limits.max)).astype(dtype)

    def render(self, size: tuple[int, ...] | None = None, crop: Any = None) -> ndarray:
        crop = crop or [(0, n) for n in self.shape]
        size = size or self.shape
        axes = [
            [self.resampled(k, m, n, *part) for k in range(m)]
            for m, n, part in zip(size, self.shape, crop, strict=True)
        ]
        values = [self.value(self.normalised(np.array(x, self.number))) for x in product(*axes)]
        array = np.array(values).reshape(*size, self.channels)
        return array if self.header["signal"]["channel_axis"] else array[..., 0]


def layers_of(config: dict[str, Any]) -> int:
    n = config["layers"]
    return n + 3 if config["name"] == "hashgrid" else (n + 1) * (3 if config["name"] == "gabornet" else 2)


def multiplicative(config: dict[str, Any], u: ndarray, W: list[ndarray], b: list[ndarray]) -> ndarray:
    n = config["layers"]
    z = np.zeros(0)
    for i in range(n + 1):
        if config["name"] == "fouriernet":
            g = np.sin(u @ W[i] + b[i])
        else:
            away = ((u[:, None] - W[2 * i + 1]) ** 2).sum(axis=0)
            g = np.sin(u @ W[2 * i] + b[2 * i]) * np.exp(-b[2 * i + 1] * away / 2)
        z = g if i == 0 else (z @ W[i - n - 2] + b[i - n - 2]) * g
    return z @ W[-1] + b[-1]


def hash_grid(config: dict[str, Any], u: ndarray, W: list[ndarray], b: list[ndarray]) -> ndarray:
    d, T, first, h = len(u), config["entries"], 0, []
    for n in compact_reader.intervals(config):
        t = (u + 1) * n / 2
        node = np.clip(np.floor(t), 0, n - 1).astype(int)
        own = (n + 1) ** d <= T
        level = b[0].copy()
        for corner in product((0, 1), repeat=d):
            near = zip(corner, t - node, strict=True)
            share = math.prod(x if far else 1 - x for far, x in near)
            at = [int(k) for k in node + corner]
            if own:
                row = sum(k * (n + 1) ** (d - 1 - a) for a, k in enumerate(at))
            else:
                row = reduce(xor, (k * (1, 2654435761, 805459861)[a] for a, k in enumerate(at))) % T
            level += share * W[0][first + row]
        h.append(level)
        first += (n + 1) ** d if own else T
    x = np.concatenate(h)
    for w, c in zip(W[1:-1], b[1:-1], strict=True):
        x = np.maximum(x @ w + c, 0)
    return x @ W[-1] + b[-1]


def inflated(packed: bytes, shape: tuple[int, ...], regions: int) -> ndarray:
    size = 1 if regions <= 2**8 else 2 if regions <= 2**16 else 4
    steps = np.frombuffer(zlib.decompress(packed), f"<u{size}").reshape(shape).astype(np.int64)
    return np.cumsum(steps, axis=0) % 2 ** (8 * size)


def features(config: dict[str, Any], u: ndarray) -> ndarray:
    if config["name"] == "relu":
        phases = [2.0 ** (k - 1) * float(x) for x in u for k in range(config["frequencies"])]
    elif config["name"] == "fourier":
        d = len(u)
        phases = []
        for f in range(config["features"]):
            m = [fl(math.pi * config["sigma"] * standard_normal(config["seed"], f * d + a)) for a in range(d)]
            phases.append(sum(float(x) * float(entry) for x, entry in zip(u, m, strict=True)))
    elif config["name"] == "cosine":
        m = range(config["frequencies"])
        along = [[math.cos(math.pi * k * (float(x) + 1) / 2) for k in m] for x in u]
        return np.array([math.prod(waves) for waves in product(*along)][1:])
    else:
        return u.astype(float)
    return np.array([math.sin(p) for p in phases] + [math.cos(p) for p in phases])


def standard_normal(seed: int, i: int) -> float:
    def q(n: int) -> int:
        m = (seed + (n + 1) * 0x9E3779B97F4A7C15) % INTEGERS
        m = (m ^ (m >> 30)) * 0xBF58476D1CE4E5B9 % INTEGERS
        m = (m ^ (m >> 27)) * 0x94D049BB133111EB % INTEGERS
        return (m ^ (m >> 31)) // 2**11

    return math.sqrt(-2 * math.log((q(2 * i) + 1) / 2**53)) * math.cos(2 * math.pi * q(2 * i + 1) / 2**53)


def activation(config: dict[str, Any], z: ndarray, layer: int) -> ndarray:
    name = config["name"]
    if name in ("relu", "fourier"):
        return np.maximum(z, 0)
    if name == "gauss":
        return np.exp(-(z**2) / (2 * config["sigma"] ** 2))
    omega = config["omega_0"] if layer == 0 else config["omega_hidden"]
    if name == "siren":
        return np.sin(omega * z)
    if name == "finer":
        return np.sin(omega * (np.abs(z) + 1) * z)
    assert name == "wire"
    return np.exp(1j * omega * z - config["scale"] ** 2 * np.abs(z) ** 2)
