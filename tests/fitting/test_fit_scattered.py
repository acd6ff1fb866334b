"""Fits of points on no grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

import partinr
from helpers import bytes_of
from partinr import (
    Compact,
    Cosine,
    Grid,
    Growing,
    InputError,
    Keep,
    Quality,
    Samples,
    Siren,
    Steps,
    Whole,
    fit,
    psnr,
    render,
)
from partinr.engines.packing import pack_groups
from partinr.fitting.defaults import Budget
from partinr.model.structure import Structure
from partinr.signals import as_signal


def waves(coords: ndarray) -> ndarray:
    """A smooth function of places in the unit cube."""
    return np.stack([np.sin(9 * coords).sum(axis=1), np.cos(7 * coords[:, 0])], axis=1)


def samples(points: int, dims: int = 2) -> Samples:
    """Points anywhere in the unit cube, more of them near the origin."""
    coords = np.random.default_rng(2).random((points, dims)) ** 1.5
    return Samples(coords, waves(coords))


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_what_lies_between_points_is_found(dims: int) -> None:
    result = fit(samples(3000, dims))
    assert result.signal.scattered
    assert result.model.signal.between == "none"
    assert result.held_out.points == pytest.approx(150, abs=50)
    assert result.held_out.psnr > 30
    assert result.psnr > 30
    model = result.model
    inside = np.random.default_rng(3).random((500, dims)) * 0.9 + 0.05
    low = [axis.origin for axis in model.signal.axes]
    high = [axis.place(n - 1) for axis, n in zip(model.signal.axes, model.signal.shape, strict=True)]
    values = model.signal.quantise(model(2 * (inside - low) / np.subtract(high, low) - 1))
    assert psnr(waves(inside), values, 4.0) > 28


def test_held_out_is_the_error_at_points_that_are_not_fitted() -> None:
    given = samples(2000)
    result = fit(given, goal=Steps(60))
    signal = result.signal
    found = signal.spec.quantise(result.model(signal.held_points))
    span = np.ptp(given.values)
    assert result.held_out.rms == pytest.approx(np.sqrt(np.square(found - signal.held_values).mean()))
    assert result.held_out.psnr == pytest.approx(20 * np.log10(span / result.held_out.rms), abs=1e-6)
    fitted = signal.spec.quantise(result.model(signal.points))
    assert result.psnr == pytest.approx(
        20 * np.log10(span) - 10 * np.log10(np.square(fitted - signal.exact).mean())
    )
    assert result.ssim is None
    # What is kept back does not matter to the fit.
    wrong = given.values.copy()
    kept = np.isin(given.values[:, 0], signal.held_values[:, 0])
    wrong[kept] = wrong[kept][::-1]
    assert bytes_of(fit(Samples(given.coords, wrong), goal=Steps(60)).model) == bytes_of(result.model)


@pytest.mark.parametrize("goal", [None, Steps(30)])
def test_points_of_a_grid_are_fitted_as_the_grid(goal: Steps | None) -> None:
    image = waves(np.argwhere(np.ones((24, 30))) / 30)[:, 0].reshape(24, 30).astype(np.float32)
    order = np.random.default_rng(0).permutation(720)
    points = Samples(0.5 * np.argwhere(np.ones((24, 30)))[order], image.reshape(-1)[order])
    one, two = fit(points, goal=goal), fit(image, goal=goal)
    assert (one.psnr, one.held_out) == (two.psnr, None)
    for a, b in zip(one.model.parameters, two.model.parameters, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a.arrays, b.arrays, strict=True))
    assert one.model.signal.axes[0].spacing == 0.5


@pytest.mark.parametrize("overlap", [0, 1, 2])
def test_points_are_packed_with_each_region_that_they_blend(overlap: int) -> None:
    signal = as_signal(samples(800))
    structure = Structure(Grid(3, 2).partition(signal), (Siren(8, 1),), signal.spec, "local", overlap=overlap)
    (packed,) = pack_groups(structure, signal, 0)
    # Every point counts as much as every other, and so do the fillings.
    counting = np.zeros(signal.fitted)
    np.add.at(counting, packed.points, packed.weights)
    real, filling = counting[: len(signal.points)], counting[len(signal.points) :]
    assert np.ptp(real) < 1e-5
    assert filling == pytest.approx(real[0] / 2, rel=1e-5)
    assert packed.weights.sum() == pytest.approx(signal.fitted, rel=1e-5)


def test_of_two_points_in_one_place_the_mean_is_fitted() -> None:
    coords = np.repeat(np.random.default_rng(0).random((300, 2)), 2, axis=0)
    values = waves(coords)[:, 0] + np.tile([0.5, -0.5], 300)
    result = fit(Samples(coords, values, held_out=0), goal=Steps(150))
    assert result.held_out is None
    found = result.signal.spec.quantise(result.model(result.signal.points))[:, 0]
    assert np.sqrt(np.square(found - waves(coords)[:, 0]).mean()) < 0.2


def test_weights_of_points() -> None:
    coords = np.repeat(np.random.default_rng(0).random((300, 2)), 2, axis=0)
    values = np.tile([0.0, 1.0], 300)
    result = fit(Samples(coords, values, np.tile([3.0, 1.0], 300)), goal=Steps(100))
    assert np.median(render(result.model)) == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize("shape", [(1, 1), (40, 1), (1, 30)])
def test_points_without_extent(shape: tuple[int, int]) -> None:
    coords = np.random.default_rng(0).random((100, 2)) * [shape[0] > 1, shape[1] > 1]
    result = fit(Samples(coords, coords.sum(axis=1)), goal=Steps(60))
    assert result.psnr > 25 or shape == (1, 1)
    assert np.isfinite(render(result.model)).all()


@pytest.mark.parametrize("how", [{"partition": Whole()}, {"network": Budget(3000)}, {"goal": Quality(30)},
                                 {"partition": Grid(2, 2), "network": Cosine(6)}])  # fmt: skip
def test_other_fits_of_points(how: dict) -> None:
    result = fit(samples(1500), **({"goal": Steps(60)} | how))
    assert result.psnr > 20
    assert result.reached


@pytest.mark.parametrize("goal", [Compact(psnr=40), Growing(40)])
def test_goals_of_grids_alone(goal: object) -> None:
    with pytest.raises(InputError, match="is for signals on grids"):
        fit(samples(100), goal=goal)


def test_files_and_checkpoints(tmp_path: Path) -> None:
    given, keep = samples(900), Keep(tmp_path / "state", resume=True)
    result = fit(given, goal=Steps(40), keep=keep)
    assert bytes_of(fit(given, goal=Steps(40), keep=keep).model) == bytes_of(result.model)
    saved = partinr.save(result.model, tmp_path / "points.inr", signal=result.signal)
    model = partinr.load(tmp_path / "points.inr")
    assert [axis.name for axis in model.signal.axes] == ["x", "y"]
    found = model.signal.quantise(model(result.signal.points))
    assert saved.psnr == pytest.approx(psnr(result.signal.exact, found, np.ptp(given.values)), abs=1e-3)
    other = Samples(given.coords, given.values[::-1])
    with pytest.raises(InputError, match=r"sites|signal"):
        fit(other, goal=Steps(40), keep=keep)
