"""Lattices evaluated box by box, against the same points one by one."""

from dataclasses import replace

import numpy as np
import pytest

from helpers import noise
from partinr import Grid, Piecewise, ReluHarmonic, Rule, Siren, Structure, Whole, render
from partinr.model import kernel
from partinr.model.kernel import why_missing
from partinr.model.partition import Partition
from partinr.signals.frames import Pixels, lattice

pytestmark = pytest.mark.skipif(why_missing() is not None, reason=str(why_missing()))


def model_of(
    shape: tuple[int, ...],
    partition: Partition,
    blend: bool,
    groups: int = 1,
    channels: int = 2,
    overlap: int = 0,
) -> Piecewise:
    networks = (Siren(7, 1, 5.0), ReluHarmonic(6, 1, 3))[:groups]
    members = np.arange(partition.regions) % groups
    structure = Structure(partition, networks, noise(shape, channels).spec, "local", members, blend, overlap)
    return Piecewise(structure, tuple(structure.initialise(3)))


def boxes(shape: tuple[int, int]) -> Partition:
    """Boxes of unequal sizes that are no grid, in no order."""
    rows, columns = shape
    corners = [((4, 0), (rows, 6)), ((0, 0), (4, columns)), ((4, 6), (5, columns)), ((5, 6), (rows, columns))]
    return Partition.from_boxes(shape, np.array(corners), "boxes")


@pytest.mark.parametrize("overlap", [None, 0, 2])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(
    ("shape", "rule", "size"),
    [
        ((17,), Grid(4), (53,)),
        ((9, 14), Grid(3, 5), (9, 14)),
        ((9, 14), Grid(9, 14), (23, 31)),
        ((9, 14), None, (40, 5)),
        ((5, 4, 6), Grid(2, 1, 3), (7, 9, 11)),
        ((150, 90), Grid(2, 2), (200, 200)),
    ],
)
def test_a_lattice_is_its_points(
    monkeypatch: pytest.MonkeyPatch,
    shape: tuple[int, ...],
    rule: Rule | None,
    size: tuple[int, ...],
    groups: int,
    overlap: int | None,
) -> None:
    partition = boxes((9, 14)) if rule is None else rule.partition(noise(shape))
    model = model_of(shape, partition, overlap is not None, groups, overlap=overlap or 0)
    # Beyond the border too, in no regular steps.
    rng = np.random.default_rng(1)
    axes = [np.sort(rng.uniform(-1.1, 1.1, n)).astype(np.float32) for n in size]
    pixels = [Pixels(axis) for axis in axes]
    expected, found = model(lattice(axes)), model.on_lattice(pixels)
    assert found is not None
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)
    monkeypatch.setattr(kernel, "usable_cores", lambda: 3)
    np.testing.assert_array_equal(model.on_lattice(pixels), found)


def test_samples_are_those_of_one_region_to_the_bit() -> None:
    model = model_of((12, 10), Grid(3, 2).partition(noise((12, 10))), blend=True)
    bare = Piecewise(replace(model.structure, blend=False), model.parameters)
    np.testing.assert_array_equal(render(model), render(bare))


def test_label_maps_are_left_to_a_call() -> None:
    shape = (12, 10)
    pixels = [Pixels(np.linspace(-1, 1, n, dtype=np.float32)) for n in shape]
    scattered = Partition.from_labels(np.arange(120).reshape(shape) % 3, "labels")
    assert model_of(shape, scattered, True).on_lattice(pixels) is None
    assert model_of(shape, Whole().partition(noise(shape)), True).on_lattice(pixels) is not None
