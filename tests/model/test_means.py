"""Renderings below the native size, against dense averages of the function."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from jaxtyping import Float64
from numpy import ndarray

from helpers import noise
from partinr import (
    Finer,
    Fourier,
    Gauss,
    Grid,
    Piecewise,
    ReluHarmonic,
    Siren,
    Structure,
    Wire,
    render,
)
from partinr.model import kernel, rendering
from partinr.model.averaging import averaged
from partinr.model.extents import Crop, whole
from partinr.model.lattice import Blend
from partinr.model.networks import Network
from partinr.model.partition import Partition
from partinr.signals import frames
from partinr.signals.frames import lattice

# A twentieth of a grey level of 8 bits.
CLOSE = 0.05 / 255
SMOOTH = Siren(6, 1, 2.0)


def dense(
    model: Piecewise, size: tuple[int, ...], crop: Crop | None = None, between: int = 6
) -> Float64[ndarray, "*shape channels"]:
    """The mean over each pixel from many points; each axis is cut where weights bend."""
    coords, sums = [], []
    for n, pixels, (start, stop) in zip(model.signal.shape, size, crop or whole(model.signal), strict=True):
        edges = start - 0.5 + np.arange(pixels + 1) * ((stop - start) / pixels)
        if stop - start <= pixels:
            at, matrix = (edges[1:] + edges[:-1]) / 2, np.eye(pixels)
        else:
            bends = np.arange(-1, 2 * n + 1) / 2
            inside = bends[(bends > edges[0]) & (bends < edges[-1])]
            x, w = np.polynomial.legendre.leggauss(between)
            cuts = np.unique(np.concatenate([edges, inside]))
            length = np.diff(cuts)[:, None]
            at = (cuts[:-1, None] + length * (x + 1) / 2).ravel()
            matrix = np.zeros((pixels, len(at)))
            pixel = np.minimum(np.searchsorted(edges, at) - 1, pixels - 1)
            matrix[pixel, np.arange(len(at))] = (length * w / 2).ravel() / (edges[1] - edges[0])
        coords.append((at * (2 / (n - 1)) - 1 if n > 1 else at).astype(np.float32))
        sums.append(matrix)
    values = model(lattice(coords)).astype(np.float64)
    values = values.reshape(*(len(c) for c in coords), -1)
    for a, matrix in enumerate(sums):
        values = np.moveaxis(np.tensordot(matrix, values, (1, a)), 0, a)
    return values


def model_of(
    shape: tuple[int, ...],
    partition: Partition,
    overlap: int | None = 0,
    network: Network = SMOOTH,
    groups: int = 1,
) -> Piecewise:
    spec = replace(noise(shape, 2).spec, dtype="float32", value_range=(0.0, 1.0))
    members = np.arange(partition.regions) % groups
    networks = tuple(replace(network, hidden=6 + g) for g in range(groups))
    structure = Structure(partition, networks, spec, "local", members, overlap is not None, overlap or 0)
    return Piecewise(structure, tuple(structure.initialise(4)))


def scattered(shape: tuple[int, ...]) -> Partition:
    """A label map with straight, bent and lonely borders."""
    index = np.indices(shape)
    labels = (index.sum(axis=0) // 7 + index[-1] // 11) % 3
    labels.flat[len(labels.flat) // 2] = 3
    return Partition.from_labels(labels, "labels")


def boxes(shape: tuple[int, ...]) -> Partition:
    rows, columns = shape
    corners = [((4, 0), (rows, 6)), ((0, 0), (4, columns)), ((4, 6), (5, columns)), ((5, 6), (rows, columns))]
    return Partition.from_boxes(shape, np.array(corners), "boxes")


CASES = [
    ((97,), lambda s: Grid(5).partition(noise(s)), (24,)),
    ((97,), lambda s: Grid(97).partition(noise(s)), (13,)),
    ((60,), scattered, (17,)),
    ((40, 31), lambda s: Grid(3, 2).partition(noise(s)), (10, 8)),
    ((40, 31), lambda s: Grid(1, 1).partition(noise(s)), (7, 30)),
    ((21, 30), boxes, (9, 45)),
    ((21, 30), boxes, (1, 1)),
    ((18, 20), scattered, (5, 4)),
    ((18, 15), scattered, (21, 4)),
    ((9, 8, 11), lambda s: Grid(2, 1, 2).partition(noise(s)), (3, 8, 4)),
]


@pytest.mark.parametrize("overlap", [None, 0, 1, 3])
@pytest.mark.parametrize(("shape", "rule", "size"), CASES)
def test_smaller_renderings_are_means(
    shape: tuple[int, ...],
    rule: Callable[[tuple[int, ...]], Partition],
    size: tuple[int, ...],
    overlap: int | None,
) -> None:
    model = model_of(shape, rule(shape), overlap)
    np.testing.assert_allclose(render(model, size=size), dense(model, size), rtol=0, atol=CLOSE)


@pytest.mark.parametrize("overlap", [None, 0])
def test_label_maps_of_three_axes(overlap: int | None) -> None:
    shape, size = (6, 5, 7), (3, 2, 8)
    model = model_of(shape, scattered(shape), overlap)
    np.testing.assert_allclose(render(model, size=size), dense(model, size, between=3), rtol=0, atol=CLOSE)


@pytest.mark.parametrize(
    "network",
    [ReluHarmonic(6, 1, 2), Fourier(6, 1, sigma=2.0), Finer(6, 1, 2.0), Wire(6, 1), Gauss(6, 1)],
    ids=str,
)
def test_means_of_every_network(network: Network) -> None:
    shape, size, crop = (130, 190), (5, 6), ((50.0, 71.0), (52.0, 75.5))
    model = model_of(shape, Grid(2, 3).partition(noise(shape)), 1, network, groups=2)
    close = 10 * CLOSE if isinstance(network, (ReluHarmonic, Fourier)) else CLOSE  # relus bend anywhere
    found = render(model, size=size, crop=crop)
    np.testing.assert_allclose(found, dense(model, size, crop), rtol=0, atol=close)


@pytest.mark.parametrize(("hidden", "channels"), [(1, 1), (20, 3), (150, 5)])
def test_means_of_any_width(monkeypatch: pytest.MonkeyPatch, hidden: int, channels: int) -> None:
    """Whole rows and parts of them, several vectors and panels of units, and groups of channels."""
    shape, size = (34, 61), (11, 17)
    spec = replace(noise(shape, channels).spec, dtype="float32", value_range=(0.0, 1.0))
    partition = Grid(2, 1).partition(noise(shape))
    structure = Structure(partition, (Siren(hidden, 1, 2.0, 2.0),), spec, "local", overlap=1)
    model = Piecewise(structure, tuple(structure.initialise(4)))
    found = render(model, size=size)
    np.testing.assert_allclose(found.reshape(*size, -1), dense(model, size), rtol=0, atol=CLOSE)
    monkeypatch.setattr(kernel, "usable_cores", lambda: 3)
    np.testing.assert_array_equal(render(model, size=size), found)


@pytest.mark.parametrize("rule", [boxes, scattered])
def test_crops_are_means(rule: Callable[[tuple[int, ...]], Partition]) -> None:
    shape, size, crop = (21, 30), (5, 6), ((2.0, 17.5), (4.25, 30.0))
    model = model_of(shape, rule(shape), 1)
    found = render(model, size=size, crop=crop)
    np.testing.assert_allclose(found, dense(model, size, crop), rtol=0, atol=CLOSE)


@pytest.mark.parametrize("rule", [boxes, scattered])
def test_slabs_do_not_matter(
    rule: Callable[[tuple[int, ...]], Partition], monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = (21, 30)
    model = model_of(shape, rule(shape), 1)
    sizes = [(5, 6), (1, 1), (1, 3)]
    expected = [render(model, size=size) for size in sizes]
    monkeypatch.setattr(rendering, "_SLAB", 64)
    monkeypatch.setattr(rendering, "_BLOCK", 100)
    for size, whole_at_once in zip(sizes, expected, strict=True):
        np.testing.assert_allclose(render(model, size=size), whole_at_once, rtol=0, atol=CLOSE)


@pytest.mark.parametrize("rule", [boxes, scattered])
def test_a_constant_stays_constant(rule: Callable[[tuple[int, ...]], Partition]) -> None:
    shape = (21, 30)
    model = model_of(shape, rule(shape), 1)
    for parameters in model.parameters:
        for array in parameters.arrays:
            array[:] = 0
        parameters.biases[-1][:] = 0.7
    np.testing.assert_allclose(render(model, size=(8, 11)), 0.7, rtol=0, atol=1e-6)


def test_points_where_they_are_asked_for() -> None:
    shape = (21, 30)
    model = model_of(shape, boxes(shape), 1)
    middles = [(np.arange(m) + 0.5) * (n / m) - 0.5 for n, m in zip(shape, (7, 10), strict=True)]
    points = lattice(
        [(x * (2 / (n - 1)) - 1).astype(np.float32) for x, n in zip(middles, shape, strict=True)]
    )
    expected = model(points).reshape(7, 10, -1)
    np.testing.assert_allclose(render(model, size=(7, 10), point=True), expected, rtol=0, atol=2e-6)
    assert np.abs(render(model, size=(7, 10)) - expected).max() > 10 * CLOSE
    np.testing.assert_array_equal(render(model, point=True), render(model))


def test_both_ways_agree() -> None:
    shape, size = (33, 47), (9, 50)
    model = model_of(shape, Grid(2, 3).partition(noise(shape)), 2)
    pixels = [frames.pixels(n, m, 0.0, float(n)) for n, m in zip(shape, size, strict=True)]
    by_points = averaged(model, pixels, 1 << 12).reshape(*size, 2)
    np.testing.assert_allclose(render(model, size=size), by_points, rtol=0, atol=CLOSE)


@pytest.mark.parametrize(("shape", "rule", "size"), CASES)
def test_means_without_the_kernel(
    monkeypatch: pytest.MonkeyPatch,
    shape: tuple[int, ...],
    rule: Callable[[tuple[int, ...]], Partition],
    size: tuple[int, ...],
) -> None:
    monkeypatch.setattr(kernel, "why_missing", lambda: "the test says so")
    model = model_of(shape, rule(shape), 1)
    np.testing.assert_allclose(render(model, size=size), dense(model, size), rtol=0, atol=CLOSE)


@pytest.mark.skipif(kernel.why_missing() is not None, reason=str(kernel.why_missing()))
def test_nodes_follow_the_samples() -> None:
    """On a long axis of many cells, no table of cells and positions."""
    for n, cells, size in ((100_000, 4000, 100_000), (100_000, 4000, 25_000), (4000, 4000, 10)):
        spans = np.array([[c * n // cells, (c + 1) * n // cells] for c in range(cells)])
        nodes = Blend(n, 1, spans).nodes(frames.pixels(n, size, 0.0, float(n)), 0.4)
        assert sum(array.nbytes for array in nodes[:5]) < 400 * n


@pytest.mark.skipif(kernel.why_missing() is not None, reason=str(kernel.why_missing()))
@pytest.mark.parametrize(
    ("spans", "pitches", "edges", "match"),
    [
        ([[0, 8]], [0.5], [3.0, 2.0], "edges must be two or more and ascend"),
        ([[0, 8]], [0.5], [3.0], "edges must be two or more and ascend"),
        ([[0, 9]], [0.5], [0.0, 2.0], "spans must have a first sample and a later end within the axis"),
        ([[0, 8]], [0.0], [0.0, 2.0], "pitches must be positive"),
        ([[0, 8]], [0.5, 0.5], [0.0, 2.0], r"pitches must have shape \(1,\)"),
    ],
)
def test_nodes_that_cannot_be_laid(
    spans: list[list[int]], pitches: list[float], edges: list[float], match: str
) -> None:
    from partinr import _native

    with pytest.raises(ValueError, match=match):
        _native.mean_nodes(8, 3, np.array(spans), np.array(pitches), np.array(edges))


def test_a_long_axis_takes_little_memory() -> None:
    script = """
import resource, numpy as np, partinr
from partinr import Grid, Piecewise, Siren, Structure, from_array, render
def model(n):
    signal = from_array(np.linspace(0, 1, n, dtype=np.float32))
    partition = Grid(n // 25).partition(signal)
    structure = Structure(partition, (Siren(4, 0, 5.0),), signal.spec, "local", overlap=1)
    return Piecewise(structure, tuple(structure.initialise(0)))
render(model(1000))
long = model(200_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
render(long)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100 << 10  # KiB; dense weights are 6 GiB
