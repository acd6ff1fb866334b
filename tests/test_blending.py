"""Blending between regions: exact at samples, continuous between them, a partition of unity."""

import itertools

import numpy as np
import pytest
import torch

from helpers import noise
from partinr import Grid, Partition, PiecewiseINR, Siren
from partinr.coords import raster, to_index


def made(partition: Partition, blend: bool = True) -> PiecewiseINR:
    signal = noise(partition.shape, 2).spec
    model = PiecewiseINR(partition, Siren(5, 1, 5.0, 5.0), signal, "local", blend=blend)
    model.initialise(3)
    return model


def scattered(shape: tuple[int, ...], regions: int) -> Partition:
    labels = np.random.default_rng(0).integers(0, regions, shape)
    labels.reshape(-1)[:regions] = np.arange(regions)
    return Partition.from_labels(labels, "labels")


PARTITIONS = [
    Grid(4).partition(noise((17,))),
    Grid(2, 3).partition(noise((9, 14))),
    scattered((7, 8), 5),
    Grid(2, 1, 3).partition(noise((5, 4, 6))),
    scattered((4, 3, 5), 4),
]


@pytest.mark.parametrize("partition", PARTITIONS)
def test_at_the_samples_blending_changes_nothing(partition: Partition) -> None:
    coords = torch.as_tensor(raster(partition.shape))
    assert torch.equal(made(partition)(coords), made(partition, blend=False)(coords))


@pytest.mark.parametrize("partition", PARTITIONS)
def test_between_samples_every_surrounding_sample_counts_by_its_distance(partition: Partition) -> None:
    model = made(partition).double()
    points = np.random.default_rng(1).uniform(-1, 1, (40, len(partition.shape)))
    values = model(torch.as_tensor(points)).detach().numpy()
    for point, value in zip(points, values, strict=True):
        index = [to_index(c, n) for c, n in zip(point, partition.shape, strict=True)]
        expected = np.zeros(2)
        for corner in itertools.product((0, 1), repeat=len(index)):
            sample = tuple(
                min(int(i) + c, n - 1) for i, c, n in zip(index, corner, partition.shape, strict=True)
            )
            weight = np.prod([i % 1 if c else 1 - i % 1 for i, c in zip(index, corner, strict=True)])
            region = torch.tensor([int(partition.label_map[sample])])
            own = model.own_coords(torch.as_tensor(point)[None], region)
            group = model.group_list[0]
            parameters = type(group.parameters_by_layer)(
                *([t[region] for t in ts] for ts in group.parameters_by_layer)
            )
            expected += weight * group.network.forward(own[None], parameters)[0, 0].detach().numpy()
        np.testing.assert_allclose(value, expected, atol=1e-9)


@pytest.mark.parametrize("partition", PARTITIONS)
def test_weights_are_a_partition_of_unity(partition: Partition) -> None:
    model = made(partition)
    coords = torch.rand(500, len(partition.shape)) * 2.4 - 1.2
    assigned = model.assign(coords)
    total = torch.zeros(500).index_add(0, assigned.points, assigned.weights)
    torch.testing.assert_close(total, torch.ones(500), rtol=0, atol=1e-6)
    assert (assigned.weights > 0).all()
    pairs = set(zip(assigned.points.tolist(), assigned.regions.tolist(), strict=True))
    assert len(pairs) == len(assigned.points)


def test_the_jump_across_an_edge_is_gone() -> None:
    partition = Grid(1, 2).partition(noise((5, 10)))
    edge = 2 * 4.5 / 9 - 1
    sides = torch.tensor([[0.0, edge - 1e-6], [0.0, edge + 1e-6]])
    jump = (made(partition, blend=False)(sides).diff(dim=0)).abs().max()
    assert jump > 0.05
    assert (made(partition)(sides).diff(dim=0)).abs().max() < 1e-3


def test_blended_values_are_differentiable() -> None:
    model = made(scattered((6, 6), 4)).double()
    coords = (torch.rand(20, 2, dtype=torch.float64) * 1.8 - 0.9).requires_grad_()
    assert torch.autograd.gradcheck(model, (coords,))


def test_the_kernel_and_torch_evaluate_the_same_function() -> None:
    model = made(scattered((9, 8), 6))
    coords = torch.rand(300, 2) * 2 - 1
    with torch.no_grad():
        by_kernel = model(coords)
    torch.testing.assert_close(by_kernel, model(coords).detach(), rtol=1e-4, atol=1e-5)
