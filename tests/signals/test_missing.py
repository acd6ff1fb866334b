"""Missing samples and weights: where they come from, what stands there, and how quality is judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from helpers import noise, smooth
from partinr import InputError, from_array, psnr, ssim
from partinr.signals import as_signal
from partinr.signals.filling import filled
from partinr.signals.metrics import SSIM_WINDOW
from partinr.signals.reading import read_beside
from partinr.signals.weighting import masked, weighted


def holes(shape: tuple[int, ...], share: float = 0.5) -> ndarray:
    """A mask without this share of the samples."""
    return np.random.default_rng(1).random(shape) >= share


@pytest.mark.parametrize("channels", [1, 3])
def test_samples_with_nan_in_any_channel_are_missing(channels: int) -> None:
    values = noise((6, 8), channels).values.astype(np.float32)
    values[2, 3, -1] = values[5, 7, 0] = np.nan
    signal = from_array(values, channels_last=True)
    assert signal.missing == 2
    assert not signal.mask[2, 3]
    assert not signal.mask[5, 7]
    assert signal.spec.value_range == (float(np.nanmin(values[signal.mask])), np.nanmax(values[signal.mask]))
    np.testing.assert_array_equal(signal.values[signal.mask], values[signal.mask])
    assert np.isfinite(signal.values).all()


def test_masks_of_numpys_arrays_and_of_others_add_up() -> None:
    values = np.ma.masked_equal(np.arange(12).reshape(3, 4), 5)
    signal = from_array(values, mask=np.arange(12).reshape(3, 4) != 11)
    assert np.flatnonzero(~signal.mask).tolist() == [5, 11]
    # In the range of what is there, whatever stood there.
    assert signal.spec.value_range == (0, 10)
    assert from_array(np.ma.masked_equal(np.arange(4), 9)).mask is None


def test_what_stands_where_samples_are_missing_does_not_matter() -> None:
    values, mask = noise((9, 7), 3).values.astype(np.float64), holes((9, 7))
    other = np.where(mask[..., None], values, np.inf)
    one, two = from_array(values, mask=mask), from_array(other, mask=mask)
    assert one.spec == two.spec
    np.testing.assert_array_equal(one.values, two.values)


def test_a_mask_narrows_the_range_that_came_from_the_values() -> None:
    values = np.where(holes((8, 8)), 1.0 + np.arange(64).reshape(8, 8), -9999)
    signal = masked(from_array(values), values != -9999)
    assert signal.spec.value_range[0] >= 1
    given = from_array(values, value_range=(-1e4, 1e4))
    assert masked(given, values != -9999).spec.value_range == (-1e4, 1e4)
    eight = from_array(np.arange(64, dtype=np.uint8).reshape(8, 8))
    assert masked(eight, np.arange(64).reshape(8, 8) < 9).spec.value_range == (0, 255)


@pytest.mark.parametrize("shape", [(37,), (33, 21), (9, 13, 11)])
def test_the_filling_is_smooth_and_keeps_what_is_there(shape: tuple[int, ...]) -> None:
    values, mask = smooth(shape, 2).normalised(), holes(shape)
    found = filled(values, mask)
    np.testing.assert_array_equal(found[mask], values[mask])
    error = np.abs(found - values)[~mask]
    spread = values.std()
    assert np.sqrt(np.square(error).mean()) < 0.3 * spread
    assert found.min() >= values[mask].min() - 1e-6
    assert found.max() <= values[mask].max() + 1e-6


@pytest.mark.parametrize("axis", [0, 1])
def test_a_large_hole_in_a_ramp_is_bridged(axis: int) -> None:
    ramp = np.moveaxis(np.broadcast_to(np.linspace(0, 1, 64, dtype=np.float32)[:, None], (64, 48)), 0, axis)
    mask = np.ones(ramp.shape, bool)
    mask[12:36, 12:36] = False
    found = filled(ramp[..., None], mask)[..., 0]
    # Block means give it within half a block of the largest, 8 samples.
    assert np.abs(found - ramp)[~mask].max() < 8 / 64


def test_one_sample_fills_everything() -> None:
    mask = np.zeros((5, 3), bool)
    mask[4, 1] = True
    assert (filled(np.full((5, 3, 1), 0.25, np.float32), mask) == 0.25).all()


def test_quality_is_that_of_what_is_there() -> None:
    signal, mask = noise((30, 24), 3), holes((30, 24))
    near = np.clip(signal.values.astype(int) + 5, 0, 255).astype(np.uint8)
    wrong = np.where(mask[..., None], near, 255 - near)
    weights = mask.astype(np.float32)
    assert psnr(signal.values, wrong, 255, weights) == pytest.approx(
        psnr(signal.values[mask], near[mask], 255), abs=1e-9
    )
    assert psnr(signal.values, np.where(mask[..., None], signal.values, wrong), 255, weights) == np.inf
    found = ssim(signal.values, wrong, 255, weights)
    assert found == pytest.approx(ssim_by_loop(signal.values, near, weights), abs=1e-9)


def test_weighted_quality_is_a_weighted_mean() -> None:
    signal = noise((12, 11), 2)
    other = np.roll(signal.values, 1, axis=0)
    weights = np.random.default_rng(0).random((12, 11)).astype(np.float32)
    errors = np.square(signal.values.astype(float) - other).mean(axis=-1)
    expected = 10 * np.log10(255**2 / np.average(errors, weights=weights))
    assert psnr(signal.values, other, 255, weights) == pytest.approx(expected, abs=1e-5)
    assert psnr(signal.values, other, 255, 7 * weights) == pytest.approx(expected, abs=1e-5)
    same = ssim(signal.values, other, 255, np.full((12, 11), 3.0, np.float32))
    assert same == pytest.approx(ssim(signal.values, other, 255), abs=1e-12)


def test_similarity_of_large_values_is_weighted_as_exactly() -> None:
    """Values so large beside the peak that means and variances are computed another way."""
    signal, mask = noise((20, 20)), holes((20, 20))
    values = signal.values.astype(np.float64)
    other = values + 3 * np.random.default_rng(2).standard_normal(values.shape)
    mask[0, 0] = False
    usual = ssim(values, other, 255, mask.astype(np.float32))
    values[0, 0] = other[0, 0] = 255 * 1000
    assert ssim(values, other, 255, mask.astype(np.float32)) == pytest.approx(usual, abs=1e-9)


def ssim_by_loop(a: ndarray, b: ndarray, weights: ndarray) -> float:
    """The mean over windows whose middle is there, of what is there in them."""
    g = np.exp(-0.5 * (np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2) ** 2 / 1.5**2)
    window, half = np.outer(g, g), SSIM_WINDOW // 2
    found = []
    for i in range(half, a.shape[0] - half):
        for j in range(half, a.shape[1] - half):
            if not weights[i, j]:
                continue
            at = (slice(i - half, i + half + 1), slice(j - half, j + half + 1))
            share = window * weights[at]
            share = (share / share.sum())[..., None]
            x, y = a[at].astype(float), b[at].astype(float)
            mx, my = (share * x).sum((0, 1)), (share * y).sum((0, 1))
            vx, vy = (share * (x - mx) ** 2).sum((0, 1)), (share * (y - my) ** 2).sum((0, 1))
            cov = (share * (x - mx) * (y - my)).sum((0, 1))
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            found.append((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    return float(np.mean(found))


def test_weights_of_zero_are_missing_samples() -> None:
    signal = noise((6, 5))
    weights = np.ones((6, 5))
    weights[1, 2] = 0
    one, two = weighted(signal, weights), masked(signal, weights)
    np.testing.assert_array_equal(one.mask, two.mask)
    assert one.weights is None
    np.testing.assert_array_equal(one.importance(), two.importance())
    assert one.importance().mean() == pytest.approx(1, abs=1e-6)


def test_weights_are_beside_each_other() -> None:
    signal, weights = noise((6, 5)), np.arange(30).reshape(6, 5)
    found = as_signal(signal, weights=weights).importance()
    np.testing.assert_allclose(found, weights / weights.mean(), rtol=1e-6)
    np.testing.assert_array_equal(found, as_signal(signal, weights=weights * 1e300).importance())
    assert as_signal(signal, weights=np.full((6, 5), 7)).importance() is None
    again = weighted(weighted(signal, weights), weights).importance()
    np.testing.assert_allclose(again, weights**2 / np.mean(weights**2), rtol=1e-6)


@pytest.mark.parametrize(
    ("mask", "weights", "said"),
    [
        (np.ones((5, 6)), None, r"mask must have the signal's shape \(6, 5\), got \(5, 6\)"),
        (np.ones((6, 5, 1)), None, "mask must have the signal's shape"),
        (np.zeros((6, 5)), None, "all 30 samples are missing"),
        (np.full((6, 5), "a"), None, "booleans or numbers"),
        (None, np.ones(30), r"weights must have the signal's shape \(6, 5\), got \(30,\)"),
        (None, np.full((6, 5), -1.0), "not negative, got 30"),
        (None, np.where(np.arange(30).reshape(6, 5) == 3, np.nan, 1), "got 1 that are not"),
        (None, np.where(np.arange(30).reshape(6, 5) == 3, np.inf, 1), "got 1 that are not"),
        (None, np.zeros((6, 5)), "weights are 0 for all"),
        (None, np.full((6, 5), "a"), "weights must be numbers"),
        (np.arange(30).reshape(6, 5) == 3, np.arange(30).reshape(6, 5) != 3, "weights are 0 for all"),
    ],
)
def test_masks_and_weights_that_fit_nothing(mask: ndarray | None, weights: ndarray | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        as_signal(noise((6, 5)).values[..., 0], mask, weights)
    with pytest.raises(InputError, match=said):
        as_signal(noise((6, 5)), mask, weights)


def test_masks_in_files(tmp_path: Path) -> None:
    from PIL import Image

    mask = holes((6, 5))
    Image.fromarray(255 * mask.astype(np.uint8)).save(tmp_path / "grey.png")
    Image.fromarray(np.repeat(255 * mask[..., None].astype(np.uint8), 3, 2)).save(tmp_path / "colour.png")
    Image.fromarray(np.arange(90, dtype=np.uint8).reshape(6, 5, 3)).save(tmp_path / "photo.png")
    np.save(tmp_path / "array.npy", np.where(mask, 1, np.nan))
    np.save(tmp_path / "volume.npy", np.ones((6, 5, 2), bool))
    for name in ("grey.png", "colour.png", "array.npy"):
        found = masked(noise((6, 5)), read_beside(tmp_path / name, (6, 5), None))
        np.testing.assert_array_equal(found.mask, mask)
    assert read_beside(tmp_path / "volume.npy", (6, 5, 2), None).shape == (6, 5, 2)
    with pytest.raises(InputError, match="one number for each sample"):
        read_beside(tmp_path / "photo.png", (6, 5), None)
