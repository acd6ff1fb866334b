"""Learned starts and their files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from safetensors.numpy import load_file

from forging import Forgery, bits, taken_apart
from models import TRAINED, cells, made
from partinr import InputError, Network, Siren, Start, load, load_start, save, save_start
from partinr.file.sealing import kind_of
from partinr.fitting.starts.rates import RateKind


def equal(a: Start, b: Start) -> bool:
    return (
        (a.network, a.dims, a.channels, a.frame) == (b.network, b.dims, b.channels, b.frame)
        and (a.rates.kind, a.rates.steps, a.summary) == (b.rates.kind, b.rates.steps, b.summary)
        and [bits(t) for t in a.parameters.arrays] == [bits(t) for t in b.parameters.arrays]
        and [bits(t) for t in a.rates.values] == [bits(t) for t in b.rates.values]
    )


@pytest.mark.parametrize("kind", get_args(RateKind))
@pytest.mark.parametrize("network", TRAINED, ids=lambda network: network.name)
def test_what_is_loaded_is_what_was_saved(tmp_path: Path, network: Network, kind: RateKind) -> None:
    start = Start.fresh(network, 1, 2, frame="local", kind=kind, steps=2, seed=4)
    path = tmp_path / "start.inr"
    assert save_start(start, path) == path.stat().st_size
    assert equal(load_start(path), start)
    assert kind_of(path) == "start"


def test_half_precision_rounds_the_parameters_only(tmp_path: Path) -> None:
    start = Start.fresh(Siren(6, 1), 2, 3)
    small = save_start(start, tmp_path / "half.inr", store="float16")
    assert small < save_start(start, tmp_path / "full.inr")
    loaded = load_start(tmp_path / "half.inr")
    for a, b in zip(loaded.parameters.arrays, start.parameters.arrays, strict=True):
        np.testing.assert_array_equal(a, b.astype(np.float16).astype(np.float32))
    for a, b in zip(loaded.rates.values, start.rates.values, strict=True):
        np.testing.assert_array_equal(a, b)


def test_any_safetensors_library_reads_it(tmp_path: Path) -> None:
    start = Start.fresh(Siren(4, 0), 2, 3)
    save_start(start, tmp_path / "start.inr")
    tensors = load_file(tmp_path / "start.inr")
    assert sorted(tensors) == sorted(
        f"{rates}{what}.{layer}"
        for rates in ("", "rates.")
        for what in ("weights", "biases")
        for layer in (0, 1)
    )
    assert tensors["weights.0"].shape == (2, 4)
    assert tensors["rates.weights.0"].shape == (3, 2, 4)
    assert np.array_equal(tensors["biases.1"], start.parameters.biases[1][0])


def test_fits_and_starts_are_told_apart(tmp_path: Path) -> None:
    save_start(Start.fresh(Siren(4, 0), 2, 3), tmp_path / "start.inr")
    save(made(cells((6, 5)), Siren(4, 0)), tmp_path / "fit.inr")
    assert kind_of(tmp_path / "fit.inr") == "fit"
    with pytest.raises(InputError, match="a learned start, not a fit"):
        load(tmp_path / "start.inr")
    with pytest.raises(InputError, match="it is a fit; expected a learned start"):
        load_start(tmp_path / "fit.inr")
    with pytest.raises(InputError, match="no such file"):
        kind_of(tmp_path / "none.inr")


def forged(folder: Path) -> Forgery:
    save_start(Start.fresh(Siren(2, 0), 2, 1, steps=2), folder / "start.inr")
    return taken_apart((folder / "start.inr").read_bytes())


def refused(path: Path, data: bytes, match: str | None = None) -> None:
    path.write_bytes(data)
    with pytest.raises(InputError, match=match) as caught:
        load_start(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


FIELDS: dict[str, list[Any]] = {
    "format": [0, 2, 99, None, "1"],
    "kind": ["fit", "model", None, 1, ["start"]],
    "network": [None, [], {}, {"name": "siren"}, {"name": "none", "hidden": 2, "layers": 0}],
    "dims": [0, 4, None, True, 2.0, 1],
    "channels": [0, 2, None, "1", 2**40],
    "frame": ["world", None, 1, ["global"]],
    "rates": [None, [], {}, {"kind": "step"}, {"kind": "own", "steps": 2}, {"kind": "step", "steps": 0}],
    "summary": [None, 1, []],
}


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, values in FIELDS.items() for v in values])
def test_forged_headers(tmp_path: Path, field: str, value: Any) -> None:
    forgery = forged(tmp_path)
    forgery.fields[field] = value
    refused(tmp_path / "x.inr", forgery.bytes())


@pytest.mark.parametrize("field", ["network", "dims", "channels", "frame", "rates", "summary", "sha256"])
def test_missing_fields(tmp_path: Path, field: str) -> None:
    forgery = forged(tmp_path)
    del forgery.fields[field]
    refused(tmp_path / "x.inr", forgery.bytes())


def test_more_layers_than_the_file_holds(tmp_path: Path) -> None:
    forgery = forged(tmp_path)
    forgery.fields["network"]["layers"] = 256
    refused(tmp_path / "x.inr", forgery.bytes(), "must have 1032 tensors")


def changed(name: str, value: Callable[[Any], Any]) -> Callable[[Forgery], None]:
    def change(forgery: Forgery) -> None:
        forgery.tensors[name] = np.asarray(value(forgery.tensors[name]))

    return change


TENSORS: dict[str, Callable[[Forgery], None]] = {
    "nothing": lambda forgery: forgery.tensors.clear(),
    "one less": lambda forgery: forgery.tensors.pop("biases.0"),
    "another name": lambda forgery: forgery.tensors.update(odd=forgery.tensors.pop("biases.0")),
    "transposed": changed("weights.0", lambda w: w.T.reshape(1, 4)),
    "not a number": changed("weights.1", lambda w: w * np.float32(np.nan)),
    "infinite rates": changed("rates.weights.1", lambda w: w * np.float32(np.inf)),
    "rates of another step": changed("rates.weights.1", lambda w: w[:1]),
    "rates in half precision": changed("rates.weights.1", lambda w: w.astype(np.float16)),
    "integers": changed("weights.0", lambda w: w.astype(np.uint32)),
}


@pytest.mark.parametrize("change", TENSORS.values(), ids=TENSORS)
def test_forged_tensors(tmp_path: Path, change: Callable[[Forgery], None]) -> None:
    forgery = forged(tmp_path)
    change(forgery)
    refused(tmp_path / "x.inr", forgery.bytes())


def test_damaged_files(tmp_path: Path) -> None:
    forged(tmp_path)
    whole = (tmp_path / "start.inr").read_bytes()
    for cut in (0, 7, 100, len(whole) - 1):
        refused(tmp_path / "x.inr", whole[:cut])
    for at in (len(whole) - 1, len(whole) // 2):
        refused(tmp_path / "x.inr", whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])


def test_starts_of_a_newer_version_say_so(tmp_path: Path) -> None:
    forgery = forged(tmp_path)
    forgery.text = json.dumps(forgery.fields | {"format": 7, "sha256": "0" * 64})
    refused(tmp_path / "x.inr", forgery.bytes(), "format version 7 is newer")


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    start = Start.fresh(Siren(4, 0), 2, 3)
    bad = start.moved([array * np.float32(np.nan) for array in start.parameters.arrays], start.rates.values)
    with pytest.raises(InputError, match="not finite"):
        save_start(bad, tmp_path / "x.inr")
    big = start.moved([array + np.float32(1e6) for array in start.parameters.arrays], start.rates.values)
    with pytest.raises(InputError, match="float16"):
        save_start(big, tmp_path / "x.inr", store="float16")
    assert not (tmp_path / "x.inr").exists()


@pytest.mark.parametrize(("steps", "rate"), [(0, 0.1), (-1, 0.1), (1 << 17, 0.1), (3, 0.0), (3, -1.0)])
def test_steps_and_rates_out_of_range(steps: int, rate: float) -> None:
    with pytest.raises(InputError, match="inner"):
        Start.fresh(Siren(4, 0), 2, 3, steps=steps, rate=rate)
