"""The page's decoder gives the bytes that partinr reads, for files of every kind."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy import ndarray

from helpers import patchy, smooth
from models import NATIVE as NETWORKS
from models import cells, made, scattered
from partinr import Compact, Piecewise, Signal, fit, from_array, load, render, save
from partinr.model import kernel
from partinr.report.view.page import DRAWN

NODE = shutil.which("node")
SCRIPT = Path(__file__).parent / "decode.mjs"

pytestmark = pytest.mark.skipif(NODE is None, reason="there is no node")


def decoded(*paths: Path) -> list[tuple[dict[str, Any], dict[str, bytes]]]:
    """What the page's decoder reads of each file: header, and arrays as bytes."""
    assert NODE is not None
    words = [str(word) for path in paths for word in (path, path.with_suffix(".out"))]
    subprocess.run([NODE, str(SCRIPT), *words], check=True, timeout=60)
    found = []
    for path in paths:
        header = json.loads(path.with_suffix(".out.json").read_text())
        arrays: dict[str, bytes] = {}
        if "damaged" not in header:
            whole, at = path.with_suffix(".out").read_bytes(), 0
            for name, length in header["arrays"]:
                arrays[name] = whole[at : at + length]
                at += length
            assert at == len(whole)
        found.append((header, arrays))
    return found


def check(model: Piecewise, header: dict[str, Any], arrays: dict[str, bytes]) -> None:
    """Everything is there, to the last bit."""
    spec = model.signal
    assert (tuple(header["signal"]["shape"]), header["signal"]["dtype"]) == (spec.shape, spec.dtype)
    assert (header["frame"], header["blend"], header["overlap"]) == (model.frame, model.blend, model.overlap)
    assert header["regions"] == model.regions
    np.testing.assert_array_equal(
        np.frombuffer(arrays["labels"], np.int32).reshape(spec.shape), model.partition.label_map
    )
    np.testing.assert_array_equal(
        np.frombuffer(arrays["boxes"], np.uint32).reshape(model.partition.bounding_boxes.shape),
        model.partition.bounding_boxes,
    )
    if model.spectra is not None:
        assert arrays["coefficients"] == coefficients(model).tobytes()
        return
    groups = np.zeros(model.regions) if model.structure.groups is None else model.structure.groups
    assert header["networks"] == [network.config() for network in model.networks]
    np.testing.assert_array_equal(np.frombuffer(arrays["group_of"], np.int32), groups)
    for name, array in model.named_parameters().items():
        assert arrays[name] == array.tobytes(), name


def like(model: Piecewise) -> Signal:
    """A signal that a function is nearly one of."""
    low, high = model.signal.value_range
    values = np.clip(render(model), low, high)
    return from_array(values, channels_last=model.signal.channel_axis, value_range=(low, high))


def coefficients(model: Piecewise) -> ndarray:
    """Those of each box where its samples are: (*shape, channels)."""
    found = np.zeros((*model.signal.shape, model.signal.channels), np.float32)
    for g, (network, parameters) in enumerate(zip(model.networks, model.parameters, strict=True)):
        m = network.config()["frequencies"]
        for i, region in enumerate(model.structure.members[g]):
            first, last = model.partition.bounding_boxes[region]
            whole = np.concatenate([parameters.biases[0][i][None], parameters.weights[0][i]])
            whole = whole.reshape(*[m] * len(first), -1)[tuple(slice(0, n) for n in last - first)]
            some = tuple(slice(a, a + n) for a, n in zip(first, whole.shape[:-1], strict=True))
            found[some] = whole
    return found


@pytest.mark.parametrize("store", ["float32", "float16"])
def test_files_of_every_network(tmp_path: Path, store: str) -> None:
    models = [
        made(kind(shape), network)
        for network in NETWORKS
        for shape in [(13,), (5, 4)]
        for kind in (cells, scattered)
    ]
    models += [
        made(scattered((6, 7), 14), list(NETWORKS), blend=True, overlap=2),
        made(scattered((4, 3, 5), 300 % 50), NETWORKS[0], dtype="uint16", span=(0.0, 65535.0)),
        made(scattered((30, 20), 300), NETWORKS[0]),
    ]
    assert {network.name for network in NETWORKS} == set(DRAWN)
    paths = [tmp_path / f"{i}.inr" for i in range(len(models))]
    for model, path in zip(models, paths, strict=True):
        save(model, path, store=store)
    for path, found in zip(paths, decoded(*paths), strict=True):
        check(load(path), *found)


@pytest.mark.skipif(kernel.why_missing() is not None, reason="the kernel writes them")
def test_compact_files(tmp_path: Path) -> None:
    models = []
    signals = [
        patchy((40, 52), 3),
        patchy((33, 20), 1),
        smooth((700,), 2),
        smooth((9, 17, 12), 1),
        patchy((70, 9), 4),
        patchy((1100,), 1),
    ]
    for signal in signals:
        for psnr in (25.0, 48.0):
            models.append((fit(signal, goal=Compact(psnr=psnr)).model, signal))
    for model in (
        made(cells((20, 24), 3, 2), NETWORKS[0], span=(-64.0, 64.0), blend=True, overlap=1),
        made(scattered((12, 11), 7), NETWORKS[:6], dtype="uint8", span=(0.0, 255.0)),
        made(cells((40,)), NETWORKS[4], span=(-64.0, 64.0)),
    ):
        models.append((model, like(model)))
    paths = [tmp_path / f"{i}.inr" for i in range(len(models))]
    for (model, signal), path in zip(models, paths, strict=True):
        assert save(model, path, store="compact", signal=signal).store == "compact"
    for path, found in zip(paths, decoded(*paths), strict=True):
        check(load(path), *found)


def test_damage_is_found(tmp_path: Path) -> None:
    path, other = tmp_path / "whole.inr", tmp_path / "other.inr"
    save(made(cells((5, 4)), NETWORKS[0]), path)
    whole = path.read_bytes()
    for at in (len(whole) - 1, len(whole) // 2, 30):
        other.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        ((header, _),) = decoded(other)
        assert "damaged" in header
    other.write_bytes(whole[:-1])
    ((header, _),) = decoded(other)
    assert "checksum" in header["damaged"]
