"""Where samples lie and what their file said is kept in every .inr file, and nothing where nothing was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from cli_helpers import run
from inr_reader import Reader
from models import NETWORKS, cells, made
from partinr import Axis, Compact, InputError, Piecewise, Signal, SignalSpec, fit, from_array, load, save
from partinr.file.header import describe_signal
from partinr.signals.signal import Kind

AXES = (Axis("y", "mm", -0.5, 12.25), Axis("x", "µm", 1 / 3))
SOURCE = {"depth": 24, "affine": [[1.0, 0.5], [0, -2]], "name": "Ünï", "odd": None, "inner": {"a": True}}


def described(model: Piecewise, **fields: Any) -> Piecewise:
    spec = replace(model.signal, **fields)
    return Piecewise(replace(model.structure, signal=spec), model.parameters)


def solved(**fields: Any) -> Piecewise:
    values = np.random.default_rng(0).integers(0, 255, (24, 31), np.uint8)
    signal = from_array(values)
    signal = Signal(signal.values, replace(signal.spec, **fields))
    return fit(signal, goal=Compact(psnr=30)).model


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("store", ["float32", "compact"])
def test_they_come_back(tmp_path: Path, store: Any, kind: Kind) -> None:
    fields: dict[str, Any] = {"kind": kind, "axes": AXES, "source": SOURCE}
    model = solved(**fields) if store == "compact" else described(made(cells((5, 4)), NETWORKS[0]), **fields)
    path = tmp_path / "model.inr"
    assert save(model, path, store=store).store == store
    again = load(path).signal
    assert again == model.signal
    assert (again.kind, again.axes, again.source) == (kind, AXES, SOURCE)
    reader = Reader(path.read_bytes())
    assert reader.header["signal"]["source"] == SOURCE
    for axis, place in enumerate(AXES):
        assert reader.place(axis, 3) == (place.name, place.unit, place.place(3))


@pytest.mark.parametrize("store", ["float32", "compact"])
def test_a_file_says_nothing_where_nothing_is_known(tmp_path: Path, store: Any) -> None:
    model = (solved() if store == "compact" else made(cells((5, 4)), NETWORKS[0])).with_between("none")
    save(model, tmp_path / "model.inr", store=store)
    signal = Reader((tmp_path / "model.inr").read_bytes()).header["signal"]
    assert sorted(signal) == ["channel_axis", "channels", "dtype", "kind", "shape", "value_range"]
    assert (load(tmp_path / "model.inr").signal.axes, load(tmp_path / "model.inr").signal.source) == (
        None,
        {},
    )


def test_what_an_axis_has_by_default_is_not_said() -> None:
    spec = SignalSpec("array", (3,), 1, "uint8", (0.0, 255.0), False, (Axis("t"),))
    assert describe_signal(spec)["axes"] == [{"name": "t"}]


def test_info_shows_them(tmp_path: Path) -> None:
    path = tmp_path / "model.inr"
    save(described(made(cells((5, 4)), NETWORKS[0]), axes=AXES, source={"text": "x" * 500, "n": 2}), path)
    told = run("info", path).out
    assert "y, 12.25 to 10.25 mm, -0.5 mm a sample" in told
    assert "x, 0 to 1 µm, 0.333333 µm a sample" in told
    assert "n 2" in told
    assert "x" * 100 not in told.replace("\n", "").replace(" ", "")
    facts = json.loads(run("info", path, "--json").out)
    assert facts["axes"][1] == {"name": "x", "unit": "µm", "spacing": 1 / 3, "origin": 0.0}
    assert facts["source"] == {"text": "x" * 500, "n": 2}


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "a\nb"},
        {"name": "x" * 65},
        {"unit": "\0"},
        {"spacing": 0},
        {"spacing": float("nan")},
        {"spacing": True},
        {"origin": float("inf")},
        {"origin": 10**400},
    ],
    ids=str,
)
def test_axes_that_are_none(fields: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="of an axis must be"):
        Axis(**{"name": "x"} | fields)


def test_as_many_as_the_shape_has() -> None:
    with pytest.raises(InputError, match="needs 2 axes or None, got 1"):
        SignalSpec("array", (3, 4), 1, "uint8", (0.0, 255.0), False, AXES[:1])


@pytest.mark.parametrize(
    "source",
    [{"a": float("nan")}, {"a": (1, 2)}, {"a": {1: 2}}, {"a": b"x"}, {"a": "\udcff"}, {"a": "x" * 65_530}],
)
def test_sources_that_are_none(source: Any) -> None:
    with pytest.raises(InputError, match="the source of a signal must be"):
        SignalSpec("array", (3,), 1, "uint8", (0.0, 255.0), False, None, source)


def test_the_source_is_a_copy() -> None:
    given = {"a": [1]}
    spec = SignalSpec("array", (3,), 1, "uint8", (0.0, 255.0), False, None, given)
    given["a"].append(2)
    assert spec.source == {"a": [1]}
    assert hash(spec) == hash(replace(spec, source={}))


def test_renderings_of_other_sizes_and_parts_lie_elsewhere() -> None:
    spec = SignalSpec("array", (5, 4), 1, "uint8", (0.0, 255.0), False, AXES)
    assert spec.resampled((5, 4)).axes == AXES
    # Twice as many: the middles of halves of samples.
    finer = spec.resampled((10, 8)).axes
    assert finer is not None
    assert finer[0] == Axis("y", "mm", -0.25, 12.375)
    part = spec.resampled((2, 2), ((1, 3), (0.5, 2.5)))
    assert part.shape == (2, 2)
    assert part.axes == (Axis("y", "mm", -0.5, 11.75), Axis("x", "µm", 1 / 3, 1 / 6))
    assert spec.resampled((1, 1)).axes == (Axis("y", "mm", -2.5, 11.25), Axis("x", "µm", 4 / 3, 0.5))
    assert replace(spec, axes=None).resampled((10, 8)).axes is None
