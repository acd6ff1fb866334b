"""Fits of signals whose samples are missing in part, or count for more or less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy import ndarray
from scipy.ndimage import gaussian_filter

import partinr
from helpers import bytes_of
from partinr import (
    SLIC,
    Compact,
    Cosine,
    Grid,
    Growing,
    Keep,
    Partition,
    Quality,
    Signal,
    Siren,
    Steps,
    fit,
    from_array,
    psnr,
    render,
)
from partinr.engines.packing import pack_groups
from partinr.model.structure import Structure
from partinr.signals.weighting import masked


def waves(shape: tuple[int, ...]) -> ndarray:
    """A smooth function of some axes, 0 to 1."""
    places = np.meshgrid(*(np.arange(n) / (25 if len(shape) == 1 else 9) for n in shape), indexing="ij")
    return sum((0.5 + 0.5 * np.sin(x + 1.3 * i) for i, x in enumerate(places)), np.zeros(shape)) / len(shape)


def half(shape: tuple[int, ...]) -> ndarray:
    """A mask of half the samples."""
    return np.random.default_rng(3).random(shape) < 0.5


FITS = [
    ((48, 64), None, {"goal": Compact(psnr=42)}),
    ((700,), None, {"goal": Compact(psnr=42)}),
    ((20, 24, 16), None, {"goal": Compact(psnr=42)}),
    ((48, 64), Grid(3, 4), {"goal": Steps(60)}),
    ((48, 64), SLIC(12), {"goal": Steps(60)}),
    ((48, 64), Grid(4, 4), {"network": Cosine(8)}),
    ((48, 64), Grid(3, 3), {"goal": Quality(36)}),
    ((48, 64), None, {"goal": Growing(36)}),
    ((700,), Grid(6), {"goal": Steps(60)}),
]


@pytest.mark.parametrize(("shape", "partition", "how"), FITS, ids=[str(one) for one in FITS])
def test_holes_are_filled_as_well_as_the_rest(shape: tuple[int, ...], partition: Any, how: dict) -> None:
    truth, mask = waves(shape), half(shape)
    result = fit(np.where(mask, truth, np.nan), partition, **how)
    errors = np.square(render(result.model) - truth)
    assert result.psnr == pytest.approx(
        -10 * np.log10(errors[mask].mean() / _span(truth[mask]) ** 2), abs=1e-3
    )
    # Of errors that are smaller than 46 dB, it is no matter which are smaller.
    assert np.sqrt(errors[~mask].mean()) < 2 * max(np.sqrt(errors[mask].mean()), 5e-3)
    assert result.reached


def _span(values: ndarray) -> float:
    return float(values.max() - values.min())


WHOLE = [
    (Grid(4, 4), {}),
    (SLIC(16), {}),
    (Grid(4, 4), {"network": Cosine(6)}),
    (None, {"goal": Growing(36)}),
]


@pytest.mark.parametrize(("partition", "how"), WHOLE, ids=[str(one) for one in WHOLE])
def test_whole_cells_that_are_missing_continue_their_neighbours(partition: Any, how: dict) -> None:
    truth, mask = waves((48, 48)), np.ones((48, 48), bool)
    mask[10:38, 12:36] = False
    result = fit(np.where(mask, truth, np.nan), partition, **(how or {"goal": Steps(80)}))
    found = render(result.model)
    # No value that is not between those around it, but for what waves overshoot.
    assert truth[mask].min() - 0.1 < found.min()
    assert found.max() < truth[mask].max() + 0.1
    steps = np.abs(np.diff(found, axis=0)).max(), np.abs(np.diff(found, axis=1)).max()
    assert max(steps) < 3 * np.abs(np.diff(truth, axis=0)).max()


@pytest.mark.parametrize("goal", [Compact(psnr=40), Steps(40)])
def test_values_that_are_missing_do_not_matter(goal: Any) -> None:
    truth, mask = waves((40, 30)), half((40, 30))
    one = fit(np.where(mask, truth, 0.5), goal=goal, mask=mask)
    two = fit(np.where(mask, truth, np.nan), goal=goal)
    three = fit(np.ma.masked_array(truth, ~mask), goal=goal)
    assert bytes_of(one.model) == bytes_of(two.model) == bytes_of(three.model)
    assert one.psnr == two.psnr


@pytest.mark.parametrize("goal", [Compact(psnr=40), Steps(20)])
def test_a_mask_of_everything_changes_nothing(goal: Any) -> None:
    truth = waves((40, 30))
    plain = fit(truth, goal=goal)
    assert bytes_of(fit(truth, goal=goal, mask=np.ones((40, 30))).model) == bytes_of(plain.model)
    assert bytes_of(fit(truth, goal=goal, weights=np.full((40, 30), 3)).model) == bytes_of(plain.model)


def _structure(signal: Signal, partition: Partition, overlap: int = 0) -> Structure:
    return Structure(partition, (Siren(8, 1),), signal.spec, "local", overlap=overlap)


@pytest.mark.parametrize("overlap", [0, 1])
def test_missing_samples_count_little(overlap: int) -> None:
    signal = masked(from_array(waves((12, 12))), half((12, 12)))
    structure = _structure(signal, Grid(2, 2).partition(signal), overlap)
    (packed,) = pack_groups(structure, signal, 0)
    weights = packed.weights if packed.shares is None else packed.weights / packed.shares
    assert packed.weights.sum() == pytest.approx(144, rel=1e-5)
    assert len(set(weights.round(5).tolist())) == 2
    assert weights.max() == pytest.approx(2 * weights.min(), rel=1e-5)
    if overlap == 0:
        assert np.count_nonzero(weights > 1) == signal.mask.sum()


def test_weights_are_of_the_squared_error() -> None:
    """Two halves that are fitted by a constant and one wave: its weighted least squares."""
    values = np.where(np.arange(64) % 4 < 2, 0.0, 1.0)
    weights = np.where(values == 0, 1.0, 3.0)
    result = fit(values, network=Cosine(2), partition=Grid(1), weights=weights)
    design = np.stack([np.ones(64), np.cos(np.pi * (np.arange(64) + 0.5) / 64)], axis=1)
    root = np.sqrt(weights)[:, None]
    expected = design @ np.linalg.lstsq(root * design, root[:, 0] * values, rcond=None)[0]
    np.testing.assert_allclose(render(result.model), expected, atol=1e-3)
    errors = np.average(np.square(expected - values), weights=weights)
    assert result.psnr == pytest.approx(-10 * np.log10(errors), abs=0.01)


@pytest.mark.parametrize(
    ("smoothness", "partition", "how"),
    [
        (1, None, {"goal": Compact(bpp=1.0)}),
        (8, Grid(1, 1), {"goal": Steps(150), "network": Siren(8, 1)}),
        (8, Grid(1, 1), {"network": Cosine(6)}),
    ],
)
def test_what_weighs_more_is_fitted_better(smoothness: float, partition: Any, how: dict) -> None:
    values = gaussian_filter(np.random.default_rng(0).random((96, 96)), smoothness)
    weights = np.ones((96, 96))
    weights[:, 56:] = 20
    plain, result = fit(values, partition, **how), fit(values, partition, weights=weights, **how)
    heavy = weights > 1
    gain = psnr(values[heavy], render(result.model)[heavy], 1) - psnr(
        values[heavy], render(plain.model)[heavy], 1
    )
    assert gain > 0.5
    errors = np.square(render(result.model) - values)
    expected = -10 * np.log10(np.average(errors, weights=weights) / _span(values) ** 2)
    assert result.psnr == pytest.approx(expected, abs=1e-3)


def test_checkpoints_know_masks_and_weights(tmp_path: Path) -> None:
    truth, keep = waves((20, 20)), Keep(tmp_path / "state", resume=True)
    fit(truth, goal=Steps(5), keep=keep)
    with pytest.raises(partinr.InputError, match="importance"):
        fit(truth, goal=Steps(5), keep=keep, mask=half((20, 20)))


def test_files_round_by_what_is_there(tmp_path: Path) -> None:
    truth, mask = waves((40, 40)), half((40, 40))
    result = fit(truth, Grid(3, 3), Siren(12, 2), goal=Steps(80), mask=mask)
    saved = partinr.save(result.model, tmp_path / "out.inr", store="compact", signal=result.signal)
    found = psnr(
        truth[..., None], render(partinr.load(tmp_path / "out.inr"))[..., None], 1, mask.astype(float)
    )
    assert saved.psnr == pytest.approx(found + 20 * np.log10(_span(truth[mask])), abs=0.01)
    assert saved.psnr > result.psnr - 0.3
