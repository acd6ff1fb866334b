"""Blending between regions: exact at samples, continuous between them, a partition of unity."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import noise, one_network
from partinr import Grid, InputError, Partition, Piecewise, Siren, Structure
from partinr.model.blending import Windows, assign, assign_lattice
from partinr.signals.frames import raster, to_index


def made(partition: Partition, blend: bool = True, overlap: int = 0) -> Piecewise:
    signal = noise(partition.shape, 2).spec
    network = Siren(5, 1, 5.0, 5.0)
    structure = Structure(partition, (network,), signal, "local", blend=blend, overlap=overlap)
    return Piecewise(structure, tuple(structure.initialise(3)))


def scattered(shape: tuple[int, ...], regions: int) -> Partition:
    labels = np.random.default_rng(0).integers(0, regions, shape)
    labels.reshape(-1)[:regions] = np.arange(regions)
    return Partition.from_labels(labels, "labels")


def boxes(shape: tuple[int, ...], seed: int) -> Partition:
    """Boxes of any size down to one sample, cut at random: no grid, sides that meet anywhere."""
    random = np.random.default_rng(seed)
    todo, done = [np.array([[0] * len(shape), shape])], []
    while todo:
        box = todo.pop()
        axis = int(random.integers(len(shape)))
        if np.prod(box[1] - box[0]) <= random.integers(1, 30) or box[1, axis] - box[0, axis] == 1:
            done.append(box)
            continue
        cut = random.integers(box[0, axis] + 1, box[1, axis])
        first, second = box.copy(), box.copy()
        first[1, axis] = second[0, axis] = cut
        todo += [first, second]
    return Partition.from_boxes(shape, np.stack(done), "boxes")


PARTITIONS = [
    boxes((11, 13), 1),
    boxes((5, 4, 6), 2),
    Grid(4).partition(noise((17,))),
    Grid(2, 3).partition(noise((9, 14))),
    scattered((7, 8), 5),
    Grid(2, 1, 3).partition(noise((5, 4, 6))),
    scattered((4, 3, 5), 4),
]


@pytest.mark.parametrize("partition", PARTITIONS)
def test_at_the_samples_blending_changes_nothing(partition: Partition) -> None:
    coords = raster(partition.shape)
    model, bare = made(partition), made(partition, blend=False)
    np.testing.assert_array_equal(model(coords), bare(coords))
    assert torch.equal(model.torch()(torch.as_tensor(coords)), bare.torch()(torch.as_tensor(coords)))


@pytest.mark.parametrize("partition", PARTITIONS)
def test_between_samples_every_surrounding_sample_counts_by_its_distance(partition: Partition) -> None:
    model = made(partition)
    points = np.random.default_rng(1).uniform(-1, 1, (40, len(partition.shape)))
    values = model.torch().double()(torch.as_tensor(points)).detach().numpy()
    (network,), (parameters,) = model.networks, model.parameters
    for point, value in zip(points, values, strict=True):
        index = [to_index(c, n) for c, n in zip(point, partition.shape, strict=True)]
        expected = np.zeros(2)
        for corner in itertools.product((0, 1), repeat=len(index)):
            sample = tuple(
                min(int(i) + c, n - 1) for i, c, n in zip(index, corner, partition.shape, strict=True)
            )
            weight = np.prod([i % 1 if c else 1 - i % 1 for i, c in zip(index, corner, strict=True)])
            region = int(partition.label_map[sample])
            own = model.structure.own_coords(point[None], np.array([region]))
            one = one_network(parameters, region).map(lambda array: array.astype(np.float64))
            expected += weight * network.forward(own[None], one)[0, 0]
        # The module's own coordinates are of the scale and shift in single precision.
        np.testing.assert_allclose(value, expected, atol=1e-7)
    by_numpy = model(points)  # in single precision, which moves points by 1e-7 of the signal
    np.testing.assert_allclose(by_numpy, values, atol=2e-5)


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("overlap", [0, 1, 2])
def test_weights_are_a_partition_of_unity(partition: Partition, overlap: int) -> None:
    coords = np.random.default_rng(0).uniform(-1.2, 1.2, (500, len(partition.shape))).astype(np.float32)
    assigned = made(partition, overlap=overlap).structure.assign(coords)
    assert assigned.weights.dtype == np.float32
    total = np.bincount(assigned.points, assigned.weights, 500)
    np.testing.assert_allclose(total, 1, rtol=0, atol=1e-6)
    assert (assigned.weights > 0).all()
    pairs = set(zip(assigned.points.tolist(), assigned.regions.tolist(), strict=True))
    assert len(pairs) == len(assigned.points)


def shares(partition: Partition, position: np.ndarray, overlap: int) -> dict[int, float]:
    """Weight of each region at a position in samples: lengths of its samples in the window, multiplied."""
    half = overlap + 0.5
    along = []
    for t, n in zip(position, partition.shape, strict=True):
        ends = [-math.inf, *(i + 0.5 for i in range(n - 1)), math.inf]
        inside = [min(b, t + half) - max(a, t - half) for a, b in itertools.pairwise(ends)]
        along.append([(i, length) for i, length in enumerate(inside) if length > 1e-9])
    found: dict[int, float] = {}
    for samples in itertools.product(*along):
        region = int(partition.label_map[tuple(i for i, _ in samples)])
        weight = math.prod(length for _, length in samples) / (2 * half) ** len(along)
        found[region] = found.get(region, 0.0) + weight
    return found


@given(
    shape=st.lists(st.integers(1, 12), min_size=1, max_size=3).map(tuple),
    overlap=st.integers(0, 4),
    kind=st.sampled_from(["boxes", "labels"]),
    seed=st.integers(0, 99),
)
@settings(max_examples=60)
def test_weights_are_shares_of_a_window(shape: tuple[int, ...], overlap: int, kind: str, seed: int) -> None:
    partition = boxes(shape, seed)
    if kind == "labels":
        partition = Partition.from_labels(partition.label_map, "labels")
    model = made(partition, overlap=overlap)
    # Positions at samples, half-way between them, anywhere, and beyond the border.
    random = np.random.default_rng(seed)
    places = random.uniform(-2, np.array(shape) + 1, (12, len(shape)))
    places = np.where(random.random(places.shape) < 0.3, np.round(places * 2) / 2, places)
    coords = np.where(np.array(shape) > 1, 2 * places / np.maximum(np.array(shape) - 1, 1) - 1, 0.0)
    assigned = model.structure.assign(coords)
    found: list[dict[int, float]] = [{} for _ in places]
    for point, region, weight in zip(*(t.tolist() for t in assigned[:3]), strict=True):
        assert region not in found[point]
        found[point][region] = weight
    for place, mine in zip(places, found, strict=True):
        clipped = np.clip(place, 0, np.array(shape) - 1)
        expected = shares(partition, clipped, overlap)
        assert math.fsum(mine.values()) == pytest.approx(1, abs=1e-12)
        for region in {*mine, *expected}:
            assert mine.get(region, 0) == pytest.approx(expected.get(region, 0), abs=1.1e-3)


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("overlap", [0, 1, 3])
def test_samples_are_shared_within_the_margin(partition: Partition, overlap: int) -> None:
    model = made(partition, overlap=overlap)
    assigned = model.structure.assign_samples()
    weights = np.zeros((math.prod(partition.shape), partition.regions), np.float32)
    weights[assigned.points, assigned.regions] = assigned.weights
    assert np.count_nonzero(weights) == len(assigned.points)
    for index in range(0, math.prod(partition.shape), 5):
        place = np.array(np.unravel_index(index, partition.shape), float)
        expected = shares(partition, place, overlap)
        got = {r: float(w) for r, w in enumerate(weights[index]) if w}
        assert got == pytest.approx(expected, abs=1e-6)
        # Those with a sample of their own in the window, which has `overlap` samples on each side.
        window = tuple(slice(max(0, int(i) - overlap), int(i) + overlap + 1) for i in place)
        assert set(got) == set(np.unique(partition.label_map[window]).tolist())
    at_samples = model.structure.assign(raster(partition.shape))
    same = np.zeros_like(weights)
    same[at_samples.points, at_samples.regions] = at_samples.weights
    np.testing.assert_allclose(same, weights, rtol=0, atol=1e-4)


def test_local_frames_span_the_margins() -> None:
    structure = made(Grid(3).partition(noise((30,))), overlap=2).structure
    own = structure.own_coords(np.array([[-1.0], [2 * 11 / 29 - 1]]), np.array([0, 0]))
    np.testing.assert_allclose(own, [[-1.0], [1.0]], rtol=0, atol=1e-6)
    own = structure.own_coords(np.array([[2 * 8 / 29 - 1], [2 * 21 / 29 - 1]]), np.array([1, 1]))
    np.testing.assert_allclose(own, [[-1.0], [1.0]], rtol=0, atol=1e-6)


@pytest.mark.parametrize("overlap", [-1, 17])
def test_an_overlap_that_cannot_be_is_refused(overlap: int) -> None:
    with pytest.raises(InputError, match=f"overlap must be 0 to 16 samples.* got {overlap}"):
        made(Grid(2).partition(noise((9,))), overlap=overlap)
    with pytest.raises(InputError, match="0 without blending, got 1"):
        made(Grid(2).partition(noise((9,))), blend=False, overlap=1)


def test_the_jump_across_an_edge_is_gone() -> None:
    partition = Grid(1, 2).partition(noise((5, 10)))
    edge = 2 * 4.5 / 9 - 1
    sides = np.array([[0.0, edge - 1e-6], [0.0, edge + 1e-6]])
    jump = np.abs(np.diff(made(partition, blend=False)(sides), axis=0)).max()
    assert jump > 0.05
    for overlap in (0, 1, 2):
        assert np.abs(np.diff(made(partition, overlap=overlap)(sides), axis=0)).max() < 1e-3


@pytest.mark.parametrize("overlap", [0, 1, 2])
def test_blended_values_are_differentiable(overlap: int) -> None:
    model = made(scattered((6, 6), 4), overlap=overlap).torch().double()
    coords = (torch.rand(6, 2, dtype=torch.float64) * 1.8 - 0.9).requires_grad_()
    assert torch.autograd.gradcheck(model, (coords,))


@pytest.mark.parametrize("overlap", [0, 2])
def test_the_kernel_and_torch_evaluate_the_same_function(overlap: int) -> None:
    model = made(scattered((9, 8), 6), overlap=overlap)
    coords = np.random.default_rng(0).uniform(-1, 1, (300, 2)).astype(np.float32)
    by_torch = model.torch()(torch.as_tensor(coords)).detach()
    np.testing.assert_allclose(model(coords), by_torch, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("partition", [p for p in PARTITIONS if p.edges is not None])
@pytest.mark.parametrize("overlap", [1, 2])
def test_pairs_of_a_lattice_are_those_of_its_points(partition: Partition, overlap: int) -> None:
    structure = made(partition, overlap=overlap).structure
    shape, table, lengths = partition.shape, structure.table, partition.table.shape
    distinct = len(table) == structure.regions
    along = [
        Windows.along(np.arange(n, dtype=np.float64), edges, overlap, most)
        for n, edges, most in zip(shape, structure.edges, structure.most_cells, strict=True)
    ]
    # The same windows, told to be of points anywhere.
    mesh = [
        Windows(w.first.reshape(to), [share.reshape(to) for share in w.shares])
        for w, to in ((w, [-1 if a == b else 1 for b in range(len(shape))]) for a, w in enumerate(along))
    ]
    lattice = assign_lattice(along, table, lengths, distinct)
    points = assign(mesh, table, lengths, distinct)
    for one, other in zip(lattice, points, strict=True):
        np.testing.assert_array_equal(one, other)
