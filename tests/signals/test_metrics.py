import math

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from partinr.signals import metrics
from partinr.signals.metrics import psnr, ssim


@pytest.mark.parametrize("shape", [(11, 1), (300, 2), (11, 40, 3), (64, 30, 1), (12, 15, 13, 2)])
@pytest.mark.parametrize("strip", [1, 1 << 16])
def test_similarity_is_that_of_scikit_image(
    shape: tuple[int, ...], strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "_STRIP", strip)
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


def test_psnr_is_that_of_the_mean_squared_error() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random((30, 20, 2)), rng.random((30, 20, 2))
    assert psnr(a, b, 2.0) == pytest.approx(10 * math.log10(4 / np.mean((a - b) ** 2)))
    assert psnr(a, a, 1.0) == math.inf
