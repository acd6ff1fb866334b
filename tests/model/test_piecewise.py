"""The function on arrays: against single networks, evaluated one coordinate at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers import evaluate_by_loop, noise, one_network
from models import NETWORKS as SMALL
from models import cells, scattered
from models import made as small
from partinr import Grid, InputError, Network, Partition, Piecewise, ReluHarmonic, Siren, Structure, Whole
from partinr.model import kernel
from partinr.model.networks import NETWORKS, Parameters, network_from_word
from partinr.signals.frames import Frame, Pixels, raster

CASES = [
    ((17,), Grid(4)),
    ((9, 14), Grid(2, 3)),
    ((9, 14), Whole()),
    ((5, 4, 6), Grid(2, 1, 3)),
]


def ragged(shape: tuple[int, ...], regions: int, seed: int = 0) -> Partition:
    """Scattered labels, one region with a single sample."""
    labels = np.random.default_rng(seed).integers(1, regions, shape)
    labels.reshape(-1)[:regions] = np.arange(regions)
    return Partition.from_labels(labels, "labels")


def made(partition: Partition, frame: Frame = "local", channels: int = 2, width: int = 5) -> Piecewise:
    spec = noise(partition.shape, channels).spec
    structure = Structure(partition, (Siren(width, 1),), spec, frame, blend=False)
    return Piecewise(structure, tuple(structure.initialise(3)))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.usefixtures("way")
def test_every_network_equals_a_loop_over_single_networks(name: str) -> None:
    spec = noise((9, 14), 3).spec
    partition = Grid(2, 3).partition(noise((9, 14)))
    structure = Structure(partition, (NETWORKS[name].shaped(6, 2),), spec, "local", blend=False)
    model = Piecewise(structure, tuple(structure.initialise(3)))
    coords = raster((9, 14))
    expected = evaluate_by_loop(model, coords, partition.label_map.reshape(-1))
    np.testing.assert_allclose(model(coords), expected, atol=2e-4)


@pytest.mark.skipif(kernel.why_missing() is not None, reason=str(kernel.why_missing()))
@pytest.mark.parametrize("network", SMALL, ids=lambda n: n.name)
@pytest.mark.parametrize("overlap", [None, 0, 1])
@pytest.mark.parametrize("partition", [cells((9, 8), 2, 3), scattered((9, 8), 5)], ids=lambda p: p.rule)
def test_numpy_and_the_kernel_give_the_same_values(
    monkeypatch: pytest.MonkeyPatch, partition: Partition, overlap: int | None, network: Network
) -> None:
    model = small(partition, network, blend=overlap is not None, overlap=overlap or 0)
    coords = np.concatenate([raster((9, 8)), np.random.default_rng(0).uniform(-1.1, 1.1, (300, 2))])
    by_kernel = model(coords)
    monkeypatch.setattr(kernel, "why_missing", lambda: "the test says so")
    assert model.on_lattice([Pixels(np.zeros(3, np.float32))] * 2) is None
    np.testing.assert_allclose(model(coords), by_kernel, rtol=0, atol=8e-6)


@pytest.mark.parametrize(("shape", "rule"), CASES)
@pytest.mark.parametrize("frame", ["global", "local"])
@pytest.mark.usefixtures("way")
def test_equals_a_loop_over_single_networks(shape: tuple[int, ...], rule: Grid, frame: Frame) -> None:
    model = made(rule.partition(noise(shape)), frame)
    coords = raster(shape)
    labels = model.partition.label_map.reshape(-1)
    np.testing.assert_allclose(model(coords), evaluate_by_loop(model, coords, labels), atol=1e-5)


@pytest.mark.usefixtures("way")
def test_regions_of_any_size_and_shape() -> None:
    partition = ragged((12, 7), 6)
    model = made(partition)
    coords = raster((12, 7))
    expected = evaluate_by_loop(model, coords, partition.label_map.reshape(-1))
    np.testing.assert_allclose(model(coords), expected, atol=1e-5)


def test_between_samples_the_nearest_sample_decides() -> None:
    model = made(Grid(1, 2).partition(noise((3, 4))))
    index = np.array([-5.0, 0.0, 1.4, 1.6, 2.0, 9.0])
    coords = np.array([[0.0, 2 * i / 3 - 1] for i in index], np.float32)
    assert model.structure.region_of(coords).tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("shape", [(7,), (7, 10), (3, 4, 5)])
@pytest.mark.usefixtures("way")
def test_boxes_and_the_same_label_map_are_one_function(shape: tuple[int, ...]) -> None:
    boxes = Grid(*[min(3, n) for n in shape]).partition(noise(shape))
    labels = Partition.from_labels(boxes.label_map, "labels")
    coords = np.random.default_rng(0).uniform(-1.1, 1.1, (200, len(shape))).astype(np.float32)
    np.testing.assert_array_equal(made(boxes)(coords), made(labels)(coords))


def test_parameters_have_the_contracted_names_and_shapes() -> None:
    model = made(Grid(2, 2).partition(noise((8, 8))), channels=3, width=5)
    shapes = {name: tuple(value.shape) for name, value in model.named_parameters().items()}
    assert shapes == {
        "groups.0.weights.0": (4, 2, 5),
        "groups.0.weights.1": (4, 5, 5),
        "groups.0.weights.2": (4, 5, 3),
        "groups.0.biases.0": (4, 5),
        "groups.0.biases.1": (4, 5),
        "groups.0.biases.2": (4, 3),
    }
    assert model.params == sum(int(np.prod(s)) for s in shapes.values())


@pytest.mark.usefixtures("way")
def test_several_groups_evaluate_each_region_with_its_own_network() -> None:
    partition = Grid(2, 3).partition(noise((8, 9)))
    group_of = np.array([0, 1, 0, 1, 1, 0])
    networks = (Siren(4, 1), ReluHarmonic(6, 2, 5))
    structure = Structure(partition, networks, noise((8, 9)).spec, "local", group_of)
    model = Piecewise(structure, tuple(structure.initialise(0)))
    coords = raster((8, 9))
    values = model(coords)
    for region in range(6):
        group = group_of[region]
        slot = int(np.flatnonzero(np.flatnonzero(group_of == group) == region)[0])
        own = partition.label_map.reshape(-1) == region
        x = structure.own_coords(coords[own], np.full(own.sum(), region))
        one = one_network(model.parameters[group], slot)
        np.testing.assert_allclose(values[own], networks[group].forward(x[None], one)[0], atol=1e-5)


def test_no_points_give_no_values() -> None:
    assert made(Grid(2, 2).partition(noise((6, 6))))(np.empty((0, 2))).shape == (0, 2)


@pytest.mark.usefixtures("way")
def test_coordinates_have_any_leading_shape_and_any_real_type() -> None:
    model = made(Grid(2, 2).partition(noise((6, 6))))
    coords = np.random.default_rng(0).integers(-1, 2, (3, 1, 5, 2)).astype(np.int8)
    flat = model(coords.reshape(-1, 2).astype(np.float32))
    for given in (coords, coords.astype(np.float16), coords.astype(np.float64), coords.tolist()):
        values = model(given)
        assert (values.dtype, values.shape) == (np.float32, (3, 1, 5, 2))
        np.testing.assert_array_equal(values.reshape(-1, 2), flat)
    np.testing.assert_array_equal(model(coords[0, 0, 0]), flat[0])
    assert model(np.zeros((0, 4, 2))).shape == (0, 4, 2)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_no_coordinate_has_no_value(name: str) -> None:
    spec, partition = noise((9, 14)).spec, Grid(2, 3).partition(noise((9, 14)))
    for overlap in (0, 1):
        structure = Structure(partition, (network_from_word(name),), spec, "local", overlap=overlap)
        model = Piecewise(structure, tuple(structure.initialise(3)))
        coords = np.array([[0.1, np.nan], [0.3, -0.2], [np.inf, 0], [0.4, 0.4], [-1, -np.inf]])
        values = model(coords)
        np.testing.assert_array_equal(values[[1, 3]], model(coords[[1, 3]]))
        assert np.isnan(values[[0, 2, 4]]).all()


@pytest.mark.usefixtures("way")
def test_parameters_of_any_memory_order_and_precision_are_taken() -> None:
    model = made(Grid(2, 3).partition(noise((9, 14))))
    coords = raster((9, 14))
    for change in (
        np.asfortranarray,
        lambda array: array.astype(np.float64),
        lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
    ):
        (parameters,) = model.parameters
        same = Piecewise(model.structure, (parameters.map(change),))
        np.testing.assert_array_equal(same(coords), model(coords))
        np.testing.assert_array_equal(same.torch().numpy()(coords), model(coords))
    assert Piecewise(model.structure, model.parameters).parameters[0].weights[0] is parameters.weights[0]


def test_parameters_of_other_shapes_are_refused() -> None:
    model = made(Grid(2, 3).partition(noise((9, 14))))
    (parameters,) = model.parameters
    for change in (
        lambda array: array[:-1],
        lambda array: array[..., :1],
        lambda array: array[0],
        lambda array: array[None],
    ):
        with pytest.raises(InputError, match=r"weights of group 0 must have the shapes \[\(6, 2, 5\)"):
            Piecewise(model.structure, (parameters.map(change),))
    short = Parameters(parameters.weights, parameters.biases[:-1])
    with pytest.raises(InputError, match="biases of group 0"):
        Piecewise(model.structure, (short,))
    with pytest.raises(InputError, match="parameters of 1 groups, got 2"):
        Piecewise(model.structure, (parameters, parameters))


@pytest.mark.parametrize("coords", [[[0, 1], [0]], torch.zeros(3, 2, requires_grad=True)])
def test_what_numpy_cannot_read_is_refused(coords: object) -> None:
    with pytest.raises(InputError, match=r"an array that NumPy reads.*take `torch\(\)`"):
        made(Grid(2, 2).partition(noise((6, 6))))(coords)


def test_the_same_seed_gives_the_same_parameters() -> None:
    structure = made(Grid(2, 2).partition(noise((6, 6)))).structure
    first, again, other = (structure.initialise(seed)[0].arrays for seed in (3, 3, 4))
    assert all(np.array_equal(x, y) for x, y in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize(
    "coords", [np.zeros((3, 3)), np.zeros(3), np.float32(0), np.zeros((4, 2), complex), [["a", "b"]]]
)
def test_coordinates_of_another_signal_are_refused(coords: object) -> None:
    with pytest.raises(InputError, match=r"real numbers of shape \(..., 2\), got .* of \("):
        made(Grid(2, 2).partition(noise((6, 6))))(coords)


def test_partition_and_groups_must_match() -> None:
    partition = Grid(2, 2).partition(noise((6, 6)))
    with pytest.raises(InputError, match="signal's shape"):
        Structure(partition, (Siren(4, 1),), noise((6, 7)).spec, "local")
    for wrong in (np.array([0, 0, 0, 2]), np.array([0, 1])):
        with pytest.raises(InputError, match="each of the 2 groups for the 4 regions"):
            Structure(partition, (Siren(4, 1),) * 2, noise((6, 6)).spec, "local", wrong)
