"""Files with a right checksum and a wrong content are refused in one line, soon, and without much memory."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy import ndarray

from forging import Forgery, refused, same, taken_apart, tiny_file
from models import TINY, cells, made
from partinr import InputError, Piecewise, load, render, save


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, Piecewise]:
    folder = tmp_path_factory.mktemp("whole")
    data = tiny_file(folder)
    return folder / "changed.inr", data, load(folder / "tiny.inr")


def test_forging_without_a_change_is_accepted(tmp_path: Path) -> None:
    data = tiny_file(tmp_path)
    (tmp_path / "forged.inr").write_bytes(taken_apart(data).bytes())
    assert same(load(tmp_path / "forged.inr"), load(tmp_path / "tiny.inr"))


MISSING = object()
HEADERS: list[tuple[str, list[Any]]] = [
    ("format", [MISSING, "1", 0, -1, True, None, 1.0, [1]]),
    ("sha256", [MISSING, 5, None, "abc", "é" * 64, "f" * 64, [], "0"]),
    ("frame", [MISSING, "polar", None, [], 1]),
    ("blend", [MISSING, 0, 1, "false", None]),
    ("overlap", [MISSING, -1, 1, 17, 0.0, False, "0", None]),
    ("networks", [MISSING, [], {}, "siren", None, [{}], [7], [{"name": "siren"}], [{"name": ["siren"]}] * 2]),
    ("networks.0.name", ["unknown", 3, None]),
    ("networks.0.hidden", [MISSING, 0, -1, 2, 10**9, 10**400, "1", 1.0, True, None]),
    ("networks.0.layers", [MISSING, -1, 1, 256, 257, 10**9]),
    ("networks.0.omega_0", [MISSING, 0, -1, 1e400, "30", None]),
    ("networks.0.more", [1]),
    ("partition", [MISSING, [], None, {}]),
    ("partition.rule", [MISSING, 5, None]),
    ("partition.regions", [MISSING, 0, -1, 2, 4, 10**12, 2**64, "3", 3.0, True]),
    ("summary", [MISSING, [], None]),
    ("signal", [MISSING, [], None, {}]),
    ("signal.kind", [MISSING, "hologram", None]),
    ("signal.axes", [None, {}, "xy", [], [{"name": "x"}], [{"name": "x"}] * 3, ["y", "x"], [{}, {}]]),
    (
        "signal.axes",
        [
            [{"name": "y"}, axis]
            for axis in (
                *({"name": name} for name in ("", "x" * 65, "a\nb", 1, None)),
                *({"name": "x", "unit": unit} for unit in ("m" * 65, "\0", 1, None)),
                *({"name": "x", "spacing": step} for step in (0, 10**400, 1e400, "1", True, None, [1])),
                *({"name": "x", "origin": place} for place in (10**400, 1e400, "0", False, None)),
            )
        ],
    ),
    ("signal.source", [None, [], "PCM_16", 1, {"text": "x" * 65_536}, {"a": [0] * 40_000}]),
    (
        "signal.shape",
        [MISSING, [], 12, "34", [12], [4, 3, 1, 1], [0, 4], [-3, 4], [3.0, 4], ["3", 4], [[3], 4]],
    ),
    ("signal.shape", [[True, 4], [3, 2**32], [2**32 - 1] * 3, [3, 5], [4, 3, 1], [10**400, 1], {"3": 4}]),
    ("signal.channels", [MISSING, 0, -1, 2, 2**32, "1", 1.0, True, None]),
    ("signal.dtype", [MISSING, "object", "O", "float128", "complex64", "f4,f4", "", ["f4"], {}, None, "U8"]),
    (
        "signal.value_range",
        [MISSING, [], [0], [1, 0], [0, 0], [0, 1, 2], ["0", "1"], [False, True], [None, 1]],
    ),
    (
        "signal.value_range",
        [[0, 1e400], [-1e308, 1e308], [0, 10**400], [0.5, 10**400], [2**60, 2**60 + 1], 5],
    ),
    ("signal.channel_axis", [MISSING, 0, 1, None]),
]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        pytest.param(place, value, id=f"{place}={value!s:.20}")
        for place, values in HEADERS
        for value in values
    ],
)
def test_forged_headers(tmp_path: Path, place: str, value: Any) -> None:
    forged = taken_apart(tiny_file(tmp_path))
    *outer, last = place.split(".")
    inner: Any = forged.fields
    for key in outer:
        inner = inner[int(key) if isinstance(inner, list) else key]
    if value is MISSING:
        del inner[last]
    else:
        inner[last] = value
    refused(tmp_path / "x.inr", forged.bytes())


def test_values_that_the_type_cannot_hold(tmp_path: Path) -> None:
    for dtype, span in (("uint8", [0, 256]), ("int8", [-129, 0]), ("bool", [0, 2]), ("uint64", [0, 2**64])):
        forged = taken_apart(tiny_file(tmp_path))
        forged.fields["signal"] |= {"dtype": dtype, "value_range": span}
        refused(tmp_path / "x.inr", forged.bytes(), "value_range")


def test_channels_need_an_axis(tmp_path: Path) -> None:
    save(made(cells((5, 4)), TINY), tmp_path / "two.inr")
    forged = taken_apart((tmp_path / "two.inr").read_bytes())
    forged.fields["signal"]["channel_axis"] = False
    refused(tmp_path / "x.inr", forged.bytes(), "channel_axis")


def test_a_second_checksum(tmp_path: Path) -> None:
    forged = taken_apart(tiny_file(tmp_path))
    forged.fields["sha256"] = "a" * 64
    forged.fields["summary"] = {"again": "a" * 64}
    refused(tmp_path / "x.inr", forged.bytes(), "checksum")


def test_a_checksum_of_another_file(tmp_path: Path) -> None:
    a, b = tiny_file(tmp_path), tiny_file(tmp_path, store="float16")
    digest = json.loads(json.loads(b[8 : 8 + int.from_bytes(b[:8], "little")])["__metadata__"]["partinr"])[
        "sha256"
    ]
    forged = taken_apart(a)
    forged.fields["sha256"] = digest
    refused(tmp_path / "x.inr", forged.bytes(), "checksum does not match")


@pytest.mark.parametrize(
    "text", ["[" * 10**6, '{"a":' * 10**5, '{"format": 1, "format": 1}', '{"format": NaN}', ""]
)
def test_json_that_is_odd(tmp_path: Path, text: str) -> None:
    inner = Forgery({}, {}, {}, text)
    refused(tmp_path / "x.inr", inner.bytes(), "no partinr header")
    outer = text.encode()
    refused(tmp_path / "x.inr", len(outer).to_bytes(8, "little") + outer, "no partinr header")


def test_deep_json_beside_a_good_header(tmp_path: Path) -> None:
    data = tiny_file(tmp_path)
    good = taken_apart(data)
    nested = "[" * 10**5 + "]" * 10**5
    good.fields["sha256"] = "0" * 64
    good.text = json.dumps(good.fields).replace('{"steps": 3}', f'{{"steps": {nested}}}')
    refused(tmp_path / "x.inr", good.bytes(), "no partinr header")


def test_a_header_as_long_as_it_says_but_too_long(tmp_path: Path) -> None:
    for length in (2**63, 2**64 - 1, (1 << 22) + 1):
        refused(tmp_path / "x.inr", length.to_bytes(8, "little") + b" " * ((1 << 22) + 1), "not an .inr file")


def test_a_crowd_of_networks(tmp_path: Path) -> None:
    forged = taken_apart(tiny_file(tmp_path))
    forged.fields["networks"] = [{"name": "gauss", "hidden": 1, "layers": 256, "sigma": 1}] * 20_000
    refused(tmp_path / "x.inr", forged.bytes(), "two or more tensors", seconds=10, megabytes=150)


def changed(name: str, value: Callable[[ndarray], ndarray]) -> Callable[[Forgery], None]:
    def change(forged: Forgery) -> None:
        forged.tensors[name] = np.asarray(value(forged.tensors[name]))

    return change


def claimed(name: str, **entry: Any) -> Callable[[Forgery], None]:
    def change(forged: Forgery) -> None:
        forged.entries[name] = entry

    return change


def removed(name: str) -> Callable[[Forgery], None]:
    def change(forged: Forgery) -> None:
        del forged.tensors[name]

    return change


def added(name: str, value: ndarray) -> Callable[[Forgery], None]:
    def change(forged: Forgery) -> None:
        forged.tensors[name] = value

    return change


def packed(labels: list[int], level: int = 9) -> ndarray:
    """A label map of shape (3, 4), compressed."""
    steps = np.array(labels, np.uint8).reshape(-1, 4)
    return np.frombuffer(
        zlib.compress(np.diff(steps, axis=0, prepend=np.uint8(0)).tobytes(), level), np.uint8
    )


W = "groups.0.weights.0"
GOOD = [0, 1, 2] * 4
TENSORS: dict[str, Callable[[Forgery], None]] = {
    "nothing": lambda forged: forged.tensors.clear(),
    "no weights": removed(W),
    "no output biases": removed("groups.1.biases.2"),
    "no labels": removed("labels"),
    "no groups": removed("group_of"),
    "another tensor": added("more", np.zeros(3, np.float32)),
    "another layer": added("groups.0.weights.2", np.zeros((2, 1, 1), np.float32)),
    "boxes and labels": added("boxes", np.array([[[0, 0], [3, 4]]], np.uint32)),
    "another name": lambda forged: forged.tensors.update(odd=forged.tensors.pop(W)),
    "transposed": changed(W, lambda w: w.transpose(0, 2, 1)),
    "flat": changed(W, np.ravel),
    "one region more": changed(W, lambda w: np.concatenate([w, w[:1]])),
    "one region less": changed(W, lambda w: w[:1]),
    "double precision": changed(W, lambda w: w.astype("f8")),
    "integers": changed(W, lambda w: w.astype("u4")),
    "not a number": changed(W, lambda w: w * np.float32(np.nan)),
    "infinite": changed("groups.1.biases.1", lambda b: np.full_like(b, np.inf)),
    "infinite half": changed(W, lambda w: np.full(w.shape, np.inf, np.float16)),
    "no rows but many": changed(W, lambda _: np.zeros((0, 2**20, 2**20), np.float32)),
    "type of another size": claimed(W, dtype="F16"),
    "unknown type": claimed(W, dtype="BF16"),
    "no type": claimed(W, dtype=7),
    "negative shape": claimed(W, shape=[-2, 2, 1]),
    "huge shape": claimed(W, shape=[2**40, 2, 1]),
    "overflowing shape": claimed(W, shape=[2**32, 2**32, 2]),
    "fractional shape": claimed(W, shape=[2.0, 2, 1]),
    "shape of text": claimed(W, shape="221"),
    "no shape": claimed(W, shape=[]),
    "empty data": claimed(W, data_offsets=[0, 0]),
    "data beyond the end": claimed(W, data_offsets=[10**9, 10**9 + 16]),
    "data backwards": claimed(W, data_offsets=[16, 0]),
    "negative data": claimed(W, data_offsets=[-16, 0]),
    "data of others": claimed("groups.1.biases.1", data_offsets=[0, 4]),
    "groups out of range": changed("group_of", lambda g: g + np.uint16(1)),
    "all in one group": changed("group_of", np.zeros_like),
    "groups of other sizes": changed("group_of", lambda g: np.uint16(1) - g),
    "groups of another type": changed("group_of", lambda g: g.astype(np.uint32)),
    "groups of too few": changed("group_of", lambda g: g[:-1]),
    "labels of another type": changed("labels", lambda x: x.astype(np.uint16)),
    "labels of two axes": changed("labels", lambda x: x[None]),
    "labels uncompressed": added("labels", np.array(GOOD, np.uint8)),
    "labels empty": added("labels", np.zeros(0, np.uint8)),
    "labels cut": changed("labels", lambda x: x[:-1]),
    "labels cut in the checksum": changed("labels", lambda x: x[:-4]),
    "labels with a wrong checksum": changed("labels", lambda x: np.append(x[:-1], x[-1] ^ 1)),
    "labels and more": changed("labels", lambda x: np.append(x, np.uint8(0))),
    "labels too few": added("labels", packed(GOOD[:8])),
    "labels too many": added("labels", packed([*GOOD, 0, 0, 0, 0])),
    "labels that inflate": changed("labels", lambda _: np.frombuffer(zlib.compress(bytes(10**8)), np.uint8)),
    "a label too large": added("labels", packed([3, *GOOD[1:]])),
    "a label missing": added("labels", packed([0, 1] * 6)),
}


@pytest.mark.parametrize("change", TENSORS.values(), ids=TENSORS)
def test_forged_tensors(tmp_path: Path, change: Callable[[Forgery], None]) -> None:
    forged = taken_apart(tiny_file(tmp_path))
    change(forged)
    refused(tmp_path / "x.inr", forged.bytes())


BOXES: dict[str, list[list[list[int]]]] = {
    "gap": [[[0, 0], [1, 4]], [[1, 0], [2, 4]], [[2, 0], [3, 3]]],
    "overlap": [[[0, 0], [2, 4]], [[1, 0], [2, 4]], [[2, 0], [3, 4]]],
    "overlap and gap of the same size": [[[0, 0], [1, 4]], [[0, 0], [1, 4]], [[2, 0], [3, 4]]],
    "twice the same": [[[0, 0], [3, 4]], [[0, 0], [3, 4]], [[0, 0], [3, 4]]],
    "outside": [[[0, 0], [1, 4]], [[1, 0], [2, 4]], [[2, 0], [4, 4]]],
    "far outside": [[[0, 0], [1, 4]], [[1, 0], [2, 4]], [[2, 0], [2**32 - 1, 4]]],
    "empty": [[[0, 0], [1, 4]], [[1, 0], [3, 4]], [[3, 0], [3, 4]]],
    "backwards": [[[0, 0], [1, 4]], [[2, 4], [1, 0]], [[2, 0], [3, 4]]],
    "too few": [[[0, 0], [1, 4]], [[1, 0], [3, 4]]],
}


@pytest.mark.parametrize("boxes", BOXES.values(), ids=BOXES)
def test_forged_boxes(tmp_path: Path, boxes: list[list[list[int]]]) -> None:
    forged = taken_apart(tiny_file(tmp_path, cells((3, 4), 3, 1)))
    forged.tensors["boxes"] = np.array(boxes, np.uint32)
    refused(tmp_path / "x.inr", forged.bytes())


def test_boxes_of_another_type(tmp_path: Path) -> None:
    forged = taken_apart(tiny_file(tmp_path, cells((3, 4), 3, 1)))
    forged.tensors["boxes"] = forged.tensors["boxes"].astype(np.float32)
    refused(tmp_path / "x.inr", forged.bytes(), "U32")


def many_boxes(boxes: ndarray, shape: tuple[int, ...]) -> bytes:
    """A file with the least that so many regions need."""
    count = len(boxes)
    fields = {
        "format": 1,
        "sha256": "",
        "signal": {
            **{"kind": "array", "shape": list(shape), "channels": 1, "dtype": "uint8"},
            **{"value_range": [0, 255], "channel_axis": False},
        },
        "frame": "local",
        "blend": False,
        "overlap": 0,
        "networks": [TINY.config()],
        "partition": {"rule": "forged", "regions": count},
        "summary": {},
    }
    shapes = TINY.layer_shapes(len(shape), 1)
    tensors = {f"groups.0.weights.{i}": np.zeros((count, *s), np.float16) for i, s in enumerate(shapes)}
    tensors |= {
        f"groups.0.biases.{i}": np.zeros((count, s.fan_out), np.float16) for i, s in enumerate(shapes)
    }
    return Forgery(fields, {**tensors, "boxes": boxes.astype(np.uint32)}, {}).bytes()


def test_a_valid_tiling_whose_table_would_not_fit_in_memory(tmp_path: Path) -> None:
    count, side = 20_000, 2**26
    strips = np.arange(count + 1, dtype=np.int64) * (side // count)
    strips[-1] = side
    half = side // 2
    rows = np.stack(
        [np.stack([strips[:-1], 0 * strips[1:]], 1), np.stack([strips[1:], half + 0 * strips[1:]], 1)], 1
    )
    columns = strips // 2 + half
    columns[-1] = side
    right = np.stack(
        [np.stack([0 * strips[:-1], columns[:-1]], 1), np.stack([side + 0 * columns[1:], columns[1:]], 1)], 1
    )
    refused(
        tmp_path / "x.inr",
        many_boxes(np.concatenate([rows, right]), (side, side)),
        "too many different edges",
    )


def test_boxes_that_would_be_drawn_over_each_other_for_hours(tmp_path: Path) -> None:
    fine, count = 2_000, 20_000
    corner = np.arange(fine)
    small = np.stack([np.stack([corner, corner], 1), np.stack([corner + 1, corner + 1], 1)], 1)
    large = np.tile(np.array([[[0, 0], [fine, fine]]]), (count, 1, 1))
    refused(
        tmp_path / "x.inr",
        many_boxes(np.concatenate([small, large]), (2**32 - 1, 2**20)),
        "tile",
        megabytes=64,
    )


def test_networks_for_more_or_fewer_regions_than_there_are(tmp_path: Path) -> None:
    halves = np.array([[[0], [5]], [[5], [9]]])
    for count in (1, 3):
        forged = taken_apart(many_boxes(halves, (9,)))
        for name in forged.tensors:
            if name != "boxes":
                forged.tensors[name] = forged.tensors[name][:1].repeat(count, axis=0)
        refused(tmp_path / "x.inr", forged.bytes(), "parameters of 2 regions")


def test_a_signal_of_too_many_samples(tmp_path: Path) -> None:
    side = 2**32 - 1
    refused(
        tmp_path / "x.inr", many_boxes(np.array([[[0, 0], [side, side]]]), (side, side)), "2\\^53 samples"
    )


def test_a_signal_of_any_size_in_boxes_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.inr"
    shape = (2**20, 2**20)
    path.write_bytes(many_boxes(np.array([[[0, 0], [2**20, 5]], [[0, 5], [2**20, 2**20]]]), shape))
    assert load(path).signal.shape == shape


def test_label_maps_larger_than_they_can_be(tmp_path: Path) -> None:
    path = tmp_path / "x.inr"
    forged = taken_apart(tiny_file(tmp_path))
    forged.fields["signal"]["shape"] = [2**20, 2**20]
    refused(path, forged.bytes(), "at most 100,000,000 samples")
    with pytest.raises(InputError, match="cannot hold"):
        load(path, max_samples=None)
    forged.fields["signal"]["shape"] = [3, 5]
    refused(path, forged.bytes(), "label map")


def test_the_limit_of_label_maps_can_be_set(tmp_path: Path) -> None:
    tiny_file(tmp_path)
    path = tmp_path / "tiny.inr"
    assert load(path, max_samples=12).regions == load(path, max_samples=None).regions == 3
    with pytest.raises(InputError, match="max_samples=12"):
        load(path, max_samples=11)
    tiny_file(tmp_path, cells((3, 4), 3, 1))
    assert load(path, max_samples=11).regions == 3


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_forged_at_random(whole: tuple[Path, bytes, Piecewise], data: st.DataObject) -> None:
    """Any JSON anywhere in the header: an InputError, or a model that can be rendered."""
    path, file, _ = whole
    forged = taken_apart(file)
    places: list[tuple[Any, Any]] = []

    def collect(node: Any) -> None:
        for key in (
            list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        ):
            places.append((node, key))
            collect(node[key])

    collect(forged.fields)
    node, key = data.draw(st.sampled_from(places))
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    node[key] = data.draw(
        st.recursive(leaves, lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=5)
    )
    path.write_bytes(forged.bytes())
    try:
        loaded = load(path)
    except InputError:
        return
    assert render(loaded).shape == loaded.signal.array_shape
