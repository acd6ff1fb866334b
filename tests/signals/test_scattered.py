"""Scattered samples: the grid over them, what is kept back, and the files that they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy import ndarray

from partinr import InputError, Samples, Tree, from_array
from partinr.signals import as_signal
from partinr.signals.frames import raster
from partinr.signals.points import read_points
from partinr.signals.scattered import Scattered


def places(points: int, dims: int = 2) -> ndarray:
    """Coordinates anywhere, in a box that is no cube."""
    return np.random.default_rng(5).random((points, dims)) * [30.0, 20.0, 10.0][:dims] - 7


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_points_are_where_they_were(dims: int) -> None:
    coords = places(500, dims)
    signal = as_signal(Samples(coords, coords, held_out=0.2))
    assert isinstance(signal, Scattered)
    assert 300 < signal.spec.samples < 800
    for a, axis in enumerate(signal.spec.axes):
        assert axis.place(0) == pytest.approx(coords[:, a].min())
        assert axis.place(signal.shape[a] - 1) == pytest.approx(coords[:, a].max())
    both = np.concatenate([signal.points, signal.held_points])
    found = np.concatenate([signal.exact, signal.held_values])
    low, high = coords.min(axis=0), coords.max(axis=0)
    np.testing.assert_allclose(low + (both + 1) / 2 * (high - low), found, atol=1e-4)
    assert 60 < len(signal.held_points) < 140


def test_the_grid_has_the_means_of_the_points_around() -> None:
    coords = places(400)
    signal = as_signal(Samples(coords, coords[:, 0] ** 2, held_out=0))
    flat = np.ravel_multi_index(tuple(signal.places().T), signal.shape)
    assert set(flat.tolist()) == set(np.flatnonzero(signal.mask).tolist())
    one = flat[17]
    expected = (coords[flat == one, 0] ** 2).mean()
    assert signal.values.reshape(-1)[one] == pytest.approx(expected)
    sites = signal.sites()
    assert len(sites.coords) == signal.fitted == 400 + signal.missing
    np.testing.assert_array_equal(sites.coords[400:], raster(signal.shape)[~signal.mask.reshape(-1)])
    assert sites.importance.mean() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("shape", [(40,), (12, 17), (5, 6, 7)])
@pytest.mark.parametrize("share", [1.0, 0.6])
def test_points_of_a_grid_are_its_signal(shape: tuple[int, ...], share: float) -> None:
    random = np.random.default_rng(0)
    values = random.random(shape).astype(np.float32)
    there = random.random(shape) < share
    there[(0,) * len(shape)] = there[tuple(n - 1 for n in shape)] = True
    order = random.permutation(np.count_nonzero(there))
    coords = 0.1 * np.argwhere(there)[order] - 3
    signal = as_signal(Samples(coords, values[there][order]))
    expected = from_array(values, mask=there)
    assert not signal.scattered
    np.testing.assert_array_equal(signal.values, expected.values)
    assert (signal.mask is None) == (expected.mask is None)
    assert signal.spec.array_shape == shape
    assert [axis.spacing for axis in signal.spec.axes] == pytest.approx([0.1] * len(shape))


def test_points_that_are_on_no_grid() -> None:
    grid = np.argwhere(np.ones((10, 10))).astype(float)
    assert as_signal(Samples(np.vstack([grid, grid[:1]]), np.arange(101.0))).scattered  # a point twice
    grid[5] += 0.2
    assert as_signal(Samples(grid, np.arange(100.0))).scattered
    assert as_signal(Samples(places(50, 1), np.arange(50.0))).scattered


@pytest.mark.parametrize("along", [(0,), (0, 1)])
def test_all_on_a_line(along: tuple[int, ...]) -> None:
    coords = np.zeros((300, 2))
    coords[:, along] = np.sort(np.random.default_rng(1).random(300))[:, None]
    signal = as_signal(Samples(coords, coords[:, 0]))
    assert signal.shape[1] == (1 if along == (0,) else signal.shape[0])
    assert np.isfinite(signal.sites().coords).all()


def test_all_in_one_place() -> None:
    signal = as_signal(Samples(np.ones((4, 2)), np.arange(4.0)))
    assert signal.shape == (1, 1)
    assert signal.values.reshape(-1) == pytest.approx([1.5], abs=1.0)
    assert as_signal(Samples(np.ones((1, 3)), [2.0])).fitted == 1


def test_points_without_values_are_left_out() -> None:
    values = np.where(np.arange(200) % 4 == 0, np.nan, 1.0 + np.arange(200))
    found = Samples(places(200), values, weights=np.arange(200) != 1)
    assert len(found) == 149
    assert not np.isnan(found.values).any()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"coords": np.zeros((5, 4)), "values": np.zeros(5)}, "1 to 3 axes"),
        ({"coords": np.zeros((5, 2)), "values": np.zeros(4)}, r"shape \(5, channels\)"),
        ({"coords": np.full((5, 2), np.nan), "values": np.zeros(5)}, "coordinates must be finite, got 5"),
        ({"coords": np.zeros((5, 2)), "values": np.full(5, np.inf)}, "values must be finite, got 5"),
        ({"coords": np.zeros((5, 2)), "values": np.full(5, np.nan)}, "nothing to fit"),
        ({"coords": np.zeros((0, 2)), "values": np.zeros(0)}, "nothing to fit"),
        ({"coords": [["a", "b"]], "values": [1]}, "coordinates must be numbers"),
        ({"coords": np.zeros((5, 2)), "values": np.zeros(5), "weights": -np.ones(5)}, "not negative"),
        ({"coords": np.zeros((5, 2)), "values": np.zeros(5), "held_out": 0.7}, "share from 0 to 0.5"),
        ({"coords": np.zeros((5, 2)), "values": np.zeros(5), "names": ["x"]}, "a name for each"),
    ],
)
def test_what_are_no_samples(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Samples(**given)


def test_masks_are_of_grids() -> None:
    with pytest.raises(InputError, match="on a grid"):
        as_signal(Samples(places(50), np.arange(50.0)), mask=np.ones((7, 7)))


def test_a_tree_has_equal_counts() -> None:
    near = np.random.default_rng(0).normal(size=(4000, 2)) * [0.2, 1]
    signal = as_signal(Samples(np.vstack([near, places(1000) / 5]), np.arange(5000.0), held_out=0))
    partition = Tree(100).partition(signal)
    labels = partition.label_map[tuple(signal.places().T)]
    counts = np.bincount(labels, minlength=partition.regions)
    single = partition.counts == 1
    assert 40 < partition.regions < 60
    assert counts[~single].max() < 160
    assert counts.min() > 50
    assert Tree(50).partition(from_array(np.zeros((20, 30)))).counts.tolist() == [50] * 12
    masked = from_array(np.zeros((20, 30)), mask=np.arange(600).reshape(20, 30) % 30 < 10)
    assert Tree(50).partition(masked).regions == 4


def table(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


TABLES = [
    ("a.csv", "lon,lat,t\n1,2,3\n4,5,6.5\n"),
    ("a.csv", "\ufefflon,lat,t\r\n1,2,3\r\n4,5,6.5\r\n"),
    ("b.csv", 'lon;"lat";t\n1;2;3\n\n4;5;6.5\n'),
    ("c.tsv", "name\tlon\tlat\tt\nA b\t1\t2\t3\nB\t4\t5\t6.5\n"),
    ("d.txt", "lon lat t\n 1  2 3\n4 5 6.5\n"),
    ("e.csv", '"lon","lat","t"\n"1","2","3"\n4,5,6.5\n'),
]


@pytest.mark.parametrize(("name", "text"), TABLES)
def test_tables(tmp_path: Path, name: str, text: str) -> None:
    found = read_points(table(tmp_path, name, text), ["lon", "lat"], ["t"])
    assert found.coords.tolist() == [[1, 2], [4, 5]]
    assert found.values.tolist() == [3, 6.5]
    assert found.names == ("lon", "lat")


def test_columns_by_number_and_missing_fields(tmp_path: Path) -> None:
    path = table(tmp_path, "a.csv", "1,2,3,4\n4,,6,7\n7,8,9,NA\n1,1,1,1\n")
    found = read_points(path, ["1"], ["3", "4"])
    assert found.coords.tolist() == [[1], [4], [1]]
    assert found.values.tolist() == [[3, 4], [6, 7], [1, 1]]


@pytest.mark.parametrize(
    ("text", "coords", "said"),
    [
        ("lon,lat,t\n1,2,3\n", ["x"], "expected a column 'x', got lon, lat, t"),
        ("lon,lat,t\n1,2,x\n", ["lon"], "a number in line 2, column 't', got 'x'"),
        ("lon,lat,t\n", ["lon"], "a line for each point, got none"),
        ("\n", ["lon"], "empty line"),
        ("", ["lon"], "empty line"),
        ("lon,lat,t\n,2,3\n", ["lon"], "coordinates must be finite"),
        ("lon,lat,t\n1,2\n", ["lon"], "nothing to fit"),
        ("lon,lat,t\n1,2,3\n", ["lon"] * 4, "1 to 3 columns"),
    ],
)
def test_tables_that_hold_no_points(tmp_path: Path, text: str, coords: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_points(table(tmp_path, "a.csv", text), coords, ["t"])


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_points(tmp_path / "a.csv", ["x"], ["y"])
    with pytest.raises(InputError, match=r"\.csv, .*\.laz"):
        read_points(table(tmp_path, "a.png", "x"), ["x"], ["y"])
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\x01\x80")
    with pytest.raises(InputError, match="damaged"):
        read_points(tmp_path / "b.csv", ["x"], ["y"])


def test_parquet(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    made = arrow.table({"x": [1.0, 2.0, 3.0], "t": [5, None, 7], "name": ["a", "b", "c"]})
    parquet.write_table(made, tmp_path / "a.parquet")
    found = read_points(tmp_path / "a.parquet", ["x"], ["t"])
    assert (found.coords.tolist(), found.values.tolist()) == ([[1], [3]], [5, 7])
    with pytest.raises(InputError, match="must hold numbers"):
        read_points(tmp_path / "a.parquet", ["x"], ["name"])
    with pytest.raises(InputError, match="3"):
        read_points(tmp_path / "a.parquet", ["x"], ["t"], max_points=2)
    with pytest.raises(InputError, match="Parquet"):
        read_points(table(tmp_path, "b.parquet", "x"), ["x"], ["t"])


def test_laser_points(tmp_path: Path) -> None:
    laspy = pytest.importorskip("laspy")
    cloud = laspy.create(point_format=2, file_version="1.2")
    cloud.header.scales = [0.01] * 3
    cloud.x, cloud.y, cloud.z = [1.5, 2.5], [3, 4], [5.25, 6]
    cloud.red = [7, 65535]
    cloud.write(tmp_path / "a.las")
    found = read_points(tmp_path / "a.las", ["x", "y"], ["z", "red"])
    np.testing.assert_allclose(found.coords, [[1.5, 3], [2.5, 4]])
    np.testing.assert_allclose(found.values, [[5.25, 7], [6, 65535]])
    with pytest.raises(InputError, match="LAS"):
        read_points(table(tmp_path, "b.las", "x"), ["x"], ["z"])
