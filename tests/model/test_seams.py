"""The figure for seams: raised by what shows at borders, about 1 without."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy import ndarray

import partinr
from helpers import noise, smooth
from models import TINY, cells, made, scattered
from partinr import FAST, Grid, Partition, Piecewise, Siren, Steps, Structure, fit, seam
from partinr.model.seams import unblended
from partinr.signals.frames import raster


@dataclass(frozen=True, eq=False)
class Drawn(Piecewise):
    """A function of global coordinates and regions that is given, instead of networks."""

    jump: float = 0.0
    ridge: float = 0.0

    def __call__(self, coords: ndarray) -> ndarray:
        x = coords.astype(np.float64)
        value = sum(np.sin(2 * x[:, a] + a) for a in range(x.shape[1]))
        region = self.structure.region_of(coords) % 2
        position = (x[:, -1] + 1) / 2 * (self.signal.shape[-1] - 1)
        between = position - np.floor(position)
        left = self.structure.region_of(self._at(coords, np.floor(position)))
        right = self.structure.region_of(self._at(coords, np.floor(position) + 1))
        ridge = np.where(left != right, 1 - np.abs(2 * between - 1), 0)
        return (value + self.jump * region + self.ridge * ridge)[:, None]

    def _at(self, coords: ndarray, index: ndarray) -> ndarray:
        last = self.signal.shape[-1] - 1
        moved = coords.copy()
        moved[:, -1] = 2 * index.clip(0, last) / last - 1
        return moved


def drawn(partition: Partition) -> Drawn:
    structure = Structure(partition, (TINY,), noise(partition.shape, 1).spec, "global")
    return Drawn(structure, tuple(structure.initialise(0)))


PARTITIONS = [cells((60,), 6), cells((24, 30), 3, 5), scattered((20, 24), 4), cells((6, 20, 20), 1, 3, 4)]


@pytest.mark.parametrize("partition", PARTITIONS, ids=lambda p: f"{p.rule}-{len(p.shape)}D")
def test_a_smooth_function_has_no_seams(partition: Partition) -> None:
    assert seam(drawn(partition)) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("partition", PARTITIONS, ids=lambda p: f"{p.rule}-{len(p.shape)}D")
@pytest.mark.parametrize("kind", ["jump", "ridge"])
def test_seams_raise_the_figure(partition: Partition, kind: str) -> None:
    heights = (0.0, 0.003, 0.01, 0.03)
    figures = [seam(replace(drawn(partition), **{kind: height})) for height in heights]
    assert figures == sorted(figures)
    assert figures[-1] > 1.3


def test_edges_of_the_picture_along_borders_are_no_seams() -> None:
    # Halves of different brightness, and borders exactly between them: rendered from one function.
    values = np.zeros((40, 40, 1))
    values[:, 20:] = 0.8
    values += smooth((40, 40)).normalised() * 0.1
    partition = Grid(1, 2).partition(noise((40, 40)))

    class Cubic(Drawn):
        def __call__(self, coords: ndarray) -> ndarray:
            from scipy.ndimage import map_coordinates

            places = (coords.astype(float) + 1) / 2 * 39
            return map_coordinates(values[..., 0], places.T, order=3, mode="nearest")[:, None]

    figure = seam(Cubic(*vars(drawn(partition)).values()))
    assert figure is not None
    assert 0.4 < figure < 1.4


def oracle(model: Piecewise) -> float:
    """The figure of a 1-D model, gap after gap."""
    n = model.signal.shape[0]
    labels = model.partition.label_map

    def at(position: float) -> float:
        return float(model(np.array([[position * 2 / (n - 1) - 1]]))[0, 0])

    rough: dict[bool, list[float]] = {True: [], False: []}
    cubic: dict[bool, list[float]] = {True: [], False: []}
    for i in range(1, n - 2):
        border = bool(labels[i] != labels[i + 1])
        places = [i + k / 4 for k in range(5)]
        second = [abs(at(p - 0.25) - 2 * at(p) + at(p + 0.25)) * 16 for p in places]
        rough[border].append(float(np.mean(second)) + 1e-3)
        before, first, last, after = (at(i + k) for k in (-1, 0, 1, 2))
        ends = 2 * before - 5 * first + 4 * last - after, -before + 4 * first - 5 * last + 2 * after
        cubic[border].append(float(np.mean(np.abs(np.linspace(*ends, 5)))) + 1e-3)
    ratios = {border: sum(rough[border]) / sum(cubic[border]) for border in (True, False)}
    return ratios[True] / ratios[False]


@pytest.mark.parametrize("overlap", [0, 2])
def test_is_what_its_definition_says(overlap: int) -> None:
    model = made(cells((40,), 5), Siren(5, 1, 5.0, 5.0), channels=1, blend=True, overlap=overlap)
    assert seam(model) == pytest.approx(oracle(model), rel=1e-2)


@pytest.mark.parametrize("partition", [cells((8, 8), 1, 1), cells((5,), 5), cells((3, 3), 1, 3)])
def test_without_borders_or_without_insides_there_is_none(partition: Partition) -> None:
    assert seam(drawn(partition)) is None


@pytest.mark.parametrize("between", ["none", "smooth"])
def test_borders_of_other_regions_can_be_looked_at(between: str) -> None:
    result = fit(noise((24, 20)), Grid(3, 2), Siren(6, 1), goal=Steps(30))
    model = result.model.with_between(between)
    assert seam(model, model.partition.label_map) == seam(model)
    assert seam(model, np.zeros((24, 20), int)) is None
    with pytest.raises(partinr.InputError, match=r"shape of the signal \(24, 20\), got \(20, 24\)"):
        seam(model, np.zeros((20, 24), int))


def test_jumps_count_at_the_borders_that_are_looked_at() -> None:
    partition = Grid(1, 2).partition(noise((40, 40)))
    model = replace(drawn(partition), jump=0.03)
    elsewhere = np.repeat([[0] * 10 + [1] * 30], 40, axis=0)
    figure = seam(model, elsewhere)
    assert seam(model) > 1.3
    assert figure is not None
    assert figure < 1.05


def test_flat_pictures_have_no_seams() -> None:
    result = fit(np.full((24, 24), 0.5), Grid(3, 3), Siren(6, 1), goal=Steps(100))
    assert seam(result.model) == pytest.approx(1, abs=0.2)


def test_overlap_takes_seams_away() -> None:
    values: ndarray = np.random.default_rng(0).normal(size=(40, 40))
    signal = partinr.from_array(np.cumsum(np.cumsum(values, 0), 1) / 100)
    network = Siren(16, 1).suited_to(10)
    figures = [
        seam(fit(signal, Grid(4, 4), network, goal=Steps(200), recipe=FAST.changed(**options)).model)
        for options in ({"overlap": 1}, {"overlap": 0}, {"blend": False})
    ]
    assert figures == sorted(figures)
    assert figures[0] < 1.2


@pytest.mark.parametrize("overlap", [0, 2])
def test_regions_alone_keep_their_functions(overlap: int) -> None:
    """Where a blended function has one region, it is that region's own, in the frame that it learned in."""
    shape = (30, 33)
    structure = Structure(
        Grid(3, 3).partition(noise(shape)), (Siren(6, 1),), noise(shape).spec, "local", overlap=overlap
    )
    model = Piecewise(structure, tuple(structure.initialise(1)))
    inside = raster(shape).reshape(*shape, 2)[4:7, 4:8].reshape(-1, 2)
    np.testing.assert_array_equal(unblended(model)(inside), model(inside))
    across = raster(shape).reshape(*shape, 2)[8:12].reshape(-1, 2) + np.float32(0.02)
    assert np.abs(unblended(model)(across) - model(across)).max() > 1e-3
