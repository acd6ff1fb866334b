"""docs/format.md is enough to write a reader: `inr_reader` knows nothing else and gets partinr's values."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from numpy import ndarray

from inr_reader import Reader, inflated
from models import NETWORKS, cells, made, scattered
from partinr import Network, Partition, Piecewise, load, render, save
from partinr.file.labelmap import compress
from partinr.model.networks import NETWORKS as PUBLIC
from partinr.signals.frames import Frame, raster

DOCUMENT = Path(__file__).parents[2] / "docs" / "format.md"
Kind = Callable[..., Partition]
SHAPES = [(13,), (5, 4), (3, 1, 4)]


def both(model: Piecewise, folder: Path, store: str = "float32") -> tuple[Piecewise, Reader]:
    """The model as partinr and as the other reader read it."""
    path = folder / "model.inr"
    save(model, path, store=store)
    return load(path), Reader(path.read_bytes())


def scale(values: ndarray) -> float:
    return float(np.abs(values).max())


READERS = ("inr_reader", "compact_reader", "spectra_reader", "coded_reader")


def test_the_reader_is_independent() -> None:
    imported = set()
    for reader in READERS:
        tree = ast.parse((Path(__file__).parents[1] / f"{reader}.py").read_text())
        for node in ast.walk(tree):
            imported |= {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            imported |= {str(node.module)} if isinstance(node, ast.ImportFrom) else set()
    assert {name.split(".")[0] for name in imported} <= {"numpy", *READERS, *sys.stdlib_module_names}
    assert [network.name for network in NETWORKS] == list(PUBLIC)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.name)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("store", ["float32", "float16"])
@pytest.mark.parametrize("kind", [cells, scattered])
def test_every_network_at_every_sample(
    tmp_path: Path, network: Network, shape: tuple[int, ...], store: str, kind: Kind
) -> None:
    for frame in get_args(Frame):
        model, reader = both(made(kind(shape), network, frame), tmp_path, store)
        expected = render(model)
        np.testing.assert_allclose(reader.render(), expected, rtol=0, atol=2e-5 * scale(expected))


@pytest.mark.parametrize("kind", [cells, scattered])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("frame", get_args(Frame))
@pytest.mark.parametrize("overlap", [None, 0, 1, 2])
def test_between_and_beyond_samples(
    tmp_path: Path, kind: Kind, shape: tuple[int, ...], frame: Frame, overlap: int | None
) -> None:
    blended = {"blend": overlap is not None, "overlap": overlap or 0}
    model, reader = both(made(kind(shape), NETWORKS[0], frame, **blended), tmp_path)
    points = np.random.default_rng(1).uniform(-1.5, 1.5, (30, len(shape))).astype(np.float32)
    expected = model(points)
    got = np.array([reader.normalised(point) for point in points])
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("kind", [cells, scattered])
def test_half_way_between_samples_the_even_one_wins(tmp_path: Path, kind: Kind) -> None:
    shape = (9, 5)  # steps of 1/4 and 1/2: half-way points are exact
    model, reader = both(made(kind(shape), NETWORKS[0]), tmp_path)
    axes = [np.arange(2 * n + 1, dtype=np.float32) / (n - 1) - 1 - 1 / (n - 1) for n in shape]
    points = np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")], axis=1)
    got = [reader.region(point) for point in points]
    assert got == model.structure.region_of(points).tolist()


@pytest.mark.parametrize("distance", [0.0, 0.0009, 0.0011, -0.0009, -0.0011])
def test_blending_next_to_a_sample(tmp_path: Path, distance: float) -> None:
    shape = (9, 5)
    model, reader = both(made(scattered(shape, 30), NETWORKS[0], blend=True), tmp_path)
    points = raster(shape) + np.float32(distance) * np.array([2 / 8, 2 / 4], np.float32)
    expected = model(points)
    got = np.array([reader.normalised(point) for point in points])
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)
    alone = all(len(reader.shares(point)) == 1 for point in points)
    assert alone == (abs(distance) < 0.001)


def test_several_groups(tmp_path: Path) -> None:
    model, reader = both(made(scattered((6, 7), 14), NETWORKS), tmp_path)
    expected = render(model)
    np.testing.assert_allclose(reader.render(), expected, rtol=0, atol=2e-5 * scale(expected))


@pytest.mark.parametrize("regions", [256, 257, 65536, 65537])
def test_labels_of_one_two_and_four_bytes(regions: int) -> None:
    labels = scattered((regions // 250 + 1, 251), regions).label_map
    np.testing.assert_array_equal(
        inflated(compress(labels, regions).tobytes(), labels.shape, regions), labels
    )


@pytest.mark.parametrize(
    ("size", "crop"),
    [((8, 9), None), ((2, 1), None), (None, ((0.0, 2.5), (1.0, 4.0))), ((5, 4), ((1.0, 5.0), (0.0, 4.0)))],
)
def test_other_sizes(
    tmp_path: Path, size: tuple[int, ...] | None, crop: tuple[tuple[float, float], ...] | None
) -> None:
    model, reader = both(made(cells((5, 4)), NETWORKS[3]), tmp_path)
    expected = render(model, size=size, crop=crop, point=True)
    np.testing.assert_allclose(reader.render(expected.shape[:-1], crop), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("dtype", "span"),
    [
        ("bool", (0.0, 1.0)),
        ("uint8", (0.0, 255.0)),
        ("int16", (-32768.0, 32767.0)),
        ("uint16", (10.0, 900.0)),
        ("int32", (-1e6, 2e6)),
        ("uint64", (0.0, 2.0**40)),
        ("float16", (-1e6, 1e6)),
        ("float64", (-3.0, 1e5)),
    ],
)
def test_every_kind_of_value(tmp_path: Path, dtype: str, span: tuple[float, float]) -> None:
    model, reader = both(made(scattered((5, 4)), NETWORKS[0], "local", dtype, span, channels=1), tmp_path)
    expected, got = render(model), reader.render()
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape == (5, 4)
    step = 1.0 if got.dtype.kind in "biu" else 0.0
    rounding = 2.0**-10 * (span[1] - span[0]) if dtype == "float16" else 0.0
    assert np.abs(got.astype(float) - expected).max() <= step + rounding + 2e-6 * (span[1] - span[0])
    # From the same normalised values, both get the same: 0 and 1, the ties between integers, and beyond.
    ties = (np.arange(-3, 40, dtype=np.float32) / 2) / np.float32(span[1] - span[0])
    values = np.concatenate([ties, np.linspace(-0.1, 1.1, 99, dtype=np.float32)])[:, None]
    np.testing.assert_array_equal(reader.value(values), model.signal.quantise(values))


def test_long_axes_have_the_stated_coordinates(tmp_path: Path) -> None:
    _, reader = both(made(cells((4,)), NETWORKS[0]), tmp_path)
    for n in (1, 2, 3, 1000, 4097):
        got = [reader.sample_coordinate(i, n) for i in range(n)]
        np.testing.assert_array_equal(np.array(got)[:, None], raster((n,)))


# The example


def example() -> bytes:
    """The file of the document's last section, from its hexadecimal listing."""
    lines = re.findall(r"^([0-9a-f]{8}): ((?:[0-9a-f]{2} )+)", DOCUMENT.read_text(), re.MULTILINE)
    assert all(int(b[0], 16) - int(a[0], 16) == 16 for a, b in pairwise(lines))
    return bytes.fromhex("".join(digits for _, digits in lines))


def test_the_example_is_a_file_that_partinr_writes(tmp_path: Path) -> None:
    path = tmp_path / "example.inr"
    path.write_bytes(example())
    model = load(path)
    save(model, tmp_path / "again.inr", store="float16", summary={"psnr": float("inf")})
    assert (tmp_path / "again.inr").read_bytes() == example()


def test_the_example_has_the_values_that_the_document_says(tmp_path: Path) -> None:
    path = tmp_path / "example.inr"
    path.write_bytes(example())
    model, reader = load(path), Reader(example())
    text = DOCUMENT.read_text().replace("−", "-")
    assert f"The file has {len(example())} bytes" in text
    number = r"(-?[\d.]+)"
    rows = re.findall(rf"^\| (\d), (\d) \| {number}, {number} \| {number} \| (\d+) \|$", text, re.MULTILINE)
    assert len(rows) == 6
    points = raster((2, 3))
    own = model.structure.own_coords(points, model.structure.region_of(points))
    for k, (row, column, u, v, value, pixel) in enumerate(rows):
        assert (int(row), int(column)) == divmod(k, 3)
        theirs = reader.own(points[k], reader.region(points[k]))
        assert own[k].tolist() == [float(u), float(v)] == theirs.tolist()
        assert abs(reader.normalised(points[k])[0] - float(value)) < 1e-6
        assert reader.render()[int(row), int(column)] == int(pixel) == render(model)[int(row), int(column)]
    stored = re.search(r"`groups.0.biases.1` \| (.*?) \|", text)
    assert stored is not None
    assert [float(x) for x in stored[1].split(";")] == reader.tensors["groups.0.biases.1"].ravel().tolist()
