import math
from fractions import Fraction

import numpy as np
import pytest
from numpy import ndarray
from skimage.metrics import structural_similarity

from partinr import InputError, from_array
from partinr.signals import metrics
from partinr.signals.metrics import psnr, similarity, ssim


@pytest.mark.parametrize("shape", [(11, 1), (300, 2), (11, 40, 3), (64, 30, 1), (12, 15, 13, 2)])
@pytest.mark.parametrize("strip", [1, 1 << 16])
def test_similarity_is_that_of_scikit_image(
    shape: tuple[int, ...], strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "_TILE", strip)
    monkeypatch.setattr(metrics, "_SIDE", 1)
    rng = np.random.default_rng(0)
    a = rng.integers(0, 200, shape).astype(np.uint8)
    b = np.clip(a.astype(int) + rng.integers(-30, 31, shape), 0, 255).astype(np.uint8)
    inner = (slice(5, -5),) * (len(shape) - 1)
    expected = []
    for channel in range(shape[-1]):
        _, similarity = structural_similarity(
            a[..., channel].astype(np.float64),
            b[..., channel].astype(np.float64),
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        expected.append(similarity[inner].mean())
    assert ssim(a, b, 255) == pytest.approx(np.mean(expected), abs=1e-12)


def test_similarity_needs_a_whole_window() -> None:
    assert ssim(np.zeros((10, 40, 1)), np.zeros((10, 40, 1)), 1.0) is None


def test_similarity_of_a_video_is_the_mean_of_its_frames() -> None:
    random = np.random.default_rng(0)
    a = random.integers(0, 256, (3, 20, 24, 3), dtype=np.uint8)
    b = np.clip(a + random.normal(0, 30, a.shape), 0, 255).astype(np.uint8)
    video = from_array(a, kind="video").spec
    expected = np.mean([ssim(x, y, 255) or 0.0 for x, y in zip(a, b, strict=True)])
    assert similarity(video, a, b) == pytest.approx(expected, abs=1e-12)
    # A volume has windows of three axes, for which this one is too short.
    assert similarity(from_array(a, kind="volume").spec, a, b) is None


def test_psnr_is_that_of_the_mean_squared_error() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random((30, 20, 2)), rng.random((30, 20, 2))
    assert psnr(a, b, 2.0) == pytest.approx(10 * math.log10(4 / np.mean((a - b) ** 2)))
    assert psnr(a, a, 1.0) == math.inf


def exact_similarity(a: ndarray, b: ndarray, peak: float) -> float:
    """The definition in rational numbers, window by window."""
    weights = [Fraction(float(w)) for w in metrics._GAUSSIAN]
    whole = sum(weights)
    x, y = (np.vectorize(Fraction, otypes=[object])(values.astype(object)) for values in (a, b))
    low, high = (Fraction(k * peak) ** 2 for k in (0.01, 0.03))
    similarities = []
    for start in np.ndindex(*(n - 10 for n in a.shape[:-1]), a.shape[-1]):
        window = (*(slice(i, i + 11) for i in start[:-1]), start[-1])

        def mean(values: ndarray) -> Fraction:
            for _ in range(values.ndim):
                values = np.tensordot(np.array(weights, object) / whole, values, 1)
            return values if isinstance(values, Fraction) else values[()]

        p, q = x[window], y[window]
        p_mean, q_mean = mean(p), mean(q)
        covariance = mean((p - p_mean) * (q - q_mean))
        variances = mean((p - p_mean) ** 2) + mean((q - q_mean) ** 2)
        luminance = (2 * p_mean * q_mean + low) / (p_mean**2 + q_mean**2 + low)
        similarities.append(luminance * (2 * covariance + high) / (variances + high))
    return float(sum(similarities) / len(similarities))


def exact_psnr(a: ndarray, b: ndarray, peak: float) -> float:
    errors = [Fraction(p) - Fraction(q) for p, q in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)]
    ratio = Fraction(peak) ** 2 * len(errors) / sum(e * e for e in errors)
    exponent = ratio.numerator.bit_length() - ratio.denominator.bit_length()
    return 10 * (math.log10(float(ratio / Fraction(2) ** exponent)) + exponent * math.log10(2))


SHAPES = [(30, 2), (12, 14, 3), (11, 12, 11, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("offset", "scale"),
    [
        *[(offset, 1.0) for offset in (0.0, 0.3, 1e5, 1e7, -1e7, 1e9, 1.7e9, 1e12)],
        *[(0.0, scale) for scale in (1e-308, 1e-170, 1e-20, 1e20, 1e200, 1.7e308)],
        *[(1e9 * scale, scale) for scale in (1e-170, 1e200)],
    ],
)
def test_metrics_are_exact_at_any_offset_and_scale(
    shape: tuple[int, ...], offset: float, scale: float
) -> None:
    rng = np.random.default_rng(2)
    a = offset + scale * rng.random(shape)
    b = offset + scale * np.clip((a - offset) / scale + rng.normal(0, 0.1, shape), 0, 1)
    assert ssim(a, b, scale) == pytest.approx(exact_similarity(a, b, scale), abs=1e-9)
    assert psnr(a, b, scale) == pytest.approx(exact_psnr(a, b, scale), abs=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "int32", "uint32", "int64", "uint64"])
def test_metrics_are_exact_far_from_zero_in_any_type(shape: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(3)
    kind = np.finfo(dtype) if dtype == "float32" else np.iinfo(dtype)
    first = 10_000_000 if dtype == "float32" else int(kind.max) - 255
    a = (first + rng.integers(0, 200, shape).astype(object)).astype(dtype)
    b = (a.astype(object) + rng.integers(-20, 21, shape).astype(object)).astype(dtype)
    assert ssim(a, b, 200.0) == pytest.approx(exact_similarity(a, b, 200.0), abs=1e-9)
    assert psnr(a, b, 200.0) == pytest.approx(exact_psnr(a, b, 200.0), abs=1e-9)


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_metrics_take_all_of_an_integer_type(dtype: str) -> None:
    rng = np.random.default_rng(4)
    least, most = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    a, b = (rng.integers(least, most, (12, 13, 1), dtype, endpoint=True) for _ in range(2))
    a[0, 0], b[0, 0], a[1, 1], b[1, 1] = least, most, most, least
    assert ssim(a, b, 2.0**64) == pytest.approx(exact_similarity(a, b, 2.0**64), abs=1e-9)
    assert psnr(a, b, 2.0**64) == pytest.approx(exact_psnr(a, b, 2.0**64), abs=1e-9)


@pytest.mark.parametrize("shape", [(40, 1), (30, 13, 2), (26, 12, 11, 1)])
@pytest.mark.parametrize("contrast", [1e2, 1e5, 1e9, 1e30, 1e100, 1e200, 1e250])
def test_small_structures_count_beside_values_of_many_peaks(shape: tuple[int, ...], contrast: float) -> None:
    rng = np.random.default_rng(5)
    a = rng.random(shape)
    a[: shape[0] // 2] *= contrast
    b = a * (1 + 0.1 * rng.normal(size=shape))
    assert ssim(a, b, 1.0) == pytest.approx(exact_similarity(a, b, 1.0), abs=1e-9)
    assert psnr(a, b, 1.0) == pytest.approx(exact_psnr(a, b, 1.0), abs=1e-9)


def test_tiny_errors_beside_large_equal_values_count() -> None:
    a = np.array([1e300, 0.0, 3e-200])
    b = np.array([1e300, 1e-200, 0.0])
    assert psnr(a, b, 1.0) == pytest.approx(exact_psnr(a, b, 1.0), abs=1e-9)
    assert psnr(a, a, 1.0) == math.inf


def test_equal_values_are_wholly_similar_whatever_they_are() -> None:
    for value in (0.0, 5e-324, 1e-170, 1e9, 1e200, 1.7e308):
        for peak in (5e-324, 1e-170, 1.0, 1e200, 1.7e308):
            constant = np.full((12, 11, 1), value)
            assert ssim(constant, constant, peak) == 1.0


def test_what_is_not_finite_has_no_quality() -> None:
    a, b = np.zeros((12, 11, 1)), np.zeros((12, 11, 1))
    b[3, 3] = math.nan
    assert math.isnan(psnr(a, b, 1.0))
    assert math.isnan(ssim(a, b, 1.0) or 0.0)


def test_metrics_name_what_does_not_fit() -> None:
    a = np.zeros((12, 11, 1))
    for metric in (psnr, ssim):
        with pytest.raises(InputError, match=r"\(11, 12, 1\) and \(12, 11, 1\)"):
            metric(a, a.reshape(11, 12, 1), 1.0)
        for peak in (0.0, -1.0, math.inf, math.nan):
            with pytest.raises(InputError, match="peak must be a positive number"):
                metric(a, a, peak)
