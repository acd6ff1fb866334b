import numpy as np
import pytest
import torch

from helpers import evaluate_by_loop, noise
from partinr import Grid, InputError, Partition, PiecewiseINR, ReluHarmonic, Siren, Whole
from partinr.model.networks import NETWORKS, network_from_word
from partinr.signals.frames import Frame, raster

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


def made(partition: Partition, frame: Frame = "local", channels: int = 2, width: int = 5) -> PiecewiseINR:
    spec = noise(partition.shape, channels).spec
    model = PiecewiseINR(partition, Siren(width, 1), spec, frame, blend=False)
    model.initialise(3)
    return model


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("gradients", [False, True])
def test_every_network_equals_a_loop_over_single_networks(name: str, gradients: bool) -> None:
    spec = noise((9, 14), 3).spec
    partition = Grid(2, 3).partition(noise((9, 14)))
    model = PiecewiseINR(partition, network_from_word(name, hidden=6, layers=2), spec, "local", blend=False)
    model.initialise(3)
    coords = raster((9, 14))
    expected = evaluate_by_loop(model, coords, partition.label_map.reshape(-1))
    with torch.set_grad_enabled(gradients):
        np.testing.assert_allclose(model(torch.as_tensor(coords)).detach(), expected, atol=2e-4)


@pytest.mark.parametrize(("shape", "rule"), CASES)
@pytest.mark.parametrize("frame", ["global", "local"])
def test_equals_a_loop_over_single_networks(shape: tuple[int, ...], rule: Grid, frame: Frame) -> None:
    model = made(rule.partition(noise(shape)), frame)
    coords = raster(shape)
    labels = model.partition.label_map.reshape(-1)
    np.testing.assert_allclose(
        model(torch.as_tensor(coords)).detach(), evaluate_by_loop(model, coords, labels), atol=1e-5
    )


def test_regions_of_any_size_and_shape() -> None:
    partition = ragged((12, 7), 6)
    model = made(partition)
    coords = raster((12, 7))
    np.testing.assert_allclose(
        model(torch.as_tensor(coords)).detach(),
        evaluate_by_loop(model, coords, partition.label_map.reshape(-1)),
        atol=1e-5,
    )


def test_between_samples_the_nearest_sample_decides() -> None:
    model = made(Grid(1, 2).partition(noise((3, 4))))
    index = np.array([-5.0, 0.0, 1.4, 1.6, 2.0, 9.0])
    coords = torch.tensor([[0.0, 2 * i / 3 - 1] for i in index], dtype=torch.float32)
    assert model.region_of(coords).tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("shape", [(7,), (7, 10), (3, 4, 5)])
def test_boxes_and_the_same_label_map_are_one_function(shape: tuple[int, ...]) -> None:
    boxes = Grid(*[min(3, n) for n in shape]).partition(noise(shape))
    labels = Partition.from_labels(boxes.label_map, "labels")
    coords = torch.rand(200, len(shape)) * 2.2 - 1.1
    assert torch.equal(made(boxes)(coords), made(labels)(coords))


def test_parameters_have_the_contracted_names_and_shapes() -> None:
    model = made(Grid(2, 2).partition(noise((8, 8))), channels=3, width=5)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert shapes == {
        "groups.0.weights.0": (4, 2, 5),
        "groups.0.weights.1": (4, 5, 5),
        "groups.0.weights.2": (4, 5, 3),
        "groups.0.biases.0": (4, 5),
        "groups.0.biases.1": (4, 5),
        "groups.0.biases.2": (4, 3),
    }
    assert model.params == sum(int(np.prod(s)) for s in shapes.values())


def test_several_groups_evaluate_each_region_with_its_own_network() -> None:
    partition = Grid(2, 3).partition(noise((8, 9)))
    group_of = np.array([0, 1, 0, 1, 1, 0])
    model = PiecewiseINR(
        partition, [Siren(4, 1), ReluHarmonic(6, 2, 5)], noise((8, 9)).spec, "local", group_of
    )
    model.initialise(0)
    coords = torch.as_tensor(raster((8, 9)))
    values = model(coords)
    for region in range(6):
        group = model.group_list[group_of[region]]
        slot = int(np.flatnonzero(group.regions.numpy() == region)[0])
        own = partition.label_map.reshape(-1) == region
        x = model.own_coords(coords[own], torch.full((int(own.sum()),), region))
        picked = [[t[slot : slot + 1] for t in ts] for ts in group.parameters_by_layer]
        expected = group.network.forward(x[None], type(group.parameters_by_layer)(*picked))[0]
        torch.testing.assert_close(values[own], expected)
    with torch.no_grad():  # by the native kernel, where there is one
        torch.testing.assert_close(model(coords), values, rtol=0, atol=1e-5)


def test_gradients_reach_coordinates_and_parameters() -> None:
    model = made(Grid(2, 2).partition(noise((6, 6)))).double()
    coords = (torch.rand(20, 2, dtype=torch.float64) * 1.8 - 0.9).requires_grad_()
    assert torch.autograd.gradcheck(model, (coords,))
    model(coords).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_state_dict_moves_a_function_to_another_module() -> None:
    partition = ragged((6, 6), 4)
    source, target = (
        made(partition),
        PiecewiseINR(partition, Siren(5, 1), noise((6, 6), 2).spec, "local", blend=False),
    )
    target.load_state_dict(source.state_dict())
    coords = torch.rand(30, 2) * 2 - 1
    assert torch.equal(source(coords), target(coords))


def test_no_points_give_no_values() -> None:
    assert made(Grid(2, 2).partition(noise((6, 6))))(torch.empty(0, 2)).shape == (0, 2)


def test_the_same_seed_gives_the_same_parameters() -> None:
    partition = Grid(2, 2).partition(noise((6, 6)))
    a, b = made(partition), made(partition)
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.parametrize("coords", [torch.zeros(3, 3), torch.zeros(2)])
def test_coordinates_of_another_signal_are_refused(coords: torch.Tensor) -> None:
    with pytest.raises(InputError, match="shape \\(points, 2\\)"):
        made(Grid(2, 2).partition(noise((6, 6))))(coords)


def test_partition_and_groups_must_match() -> None:
    partition = Grid(2, 2).partition(noise((6, 6)))
    with pytest.raises(InputError, match="signal's shape"):
        PiecewiseINR(partition, Siren(4, 1), noise((6, 7)).spec, "local")
    for wrong in (np.array([0, 0, 0, 2]), np.array([0, 1])):
        with pytest.raises(InputError, match="group_of"):
            PiecewiseINR(partition, [Siren(4, 1)] * 2, noise((6, 6)).spec, "local", wrong)
