"""Quality of a reconstruction."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64, Shaped
from numpy import ndarray

SSIM_WINDOW = 11
# Samples of a strip, so that its maps stay in cache.
_STRIP = 1 << 16
_GAUSSIAN = np.exp(-0.5 * (np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2) ** 2 / 1.5**2)
_GAUSSIAN /= _GAUSSIAN.sum()


def psnr_from_mse(mse: float, peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio in dB of a mean squared error: 10 log10(peak² / mse); infinite at 0."""
    return math.inf if mse == 0 else 10 * math.log10(peak * peak / mse)


def psnr(reference: Shaped[ndarray, "*shape"], test: Shaped[ndarray, "*shape"], peak: float) -> float:
    """Peak signal-to-noise ratio in dB over all samples and channels; infinite where both are equal.

    Args:
        reference: the true values, any shape.
        test: the values to judge, same shape.
        peak: the range of the signal (255 for 8-bit images, 65535 for 16-bit, high - low otherwise).

    Example:
        >>> round(psnr(np.array([0, 255]), np.array([0, 254]), peak=255), 2)
        51.14
    """
    total = 0.0
    for a, b in zip(_strips(reference), _strips(test), strict=True):
        error = a.astype(np.float64) - b.astype(np.float64)
        total += float(np.vdot(error, error))
    return psnr_from_mse(total / reference.size, peak)


def ssim(
    reference: Shaped[ndarray, "*shape channels"], test: Shaped[ndarray, "*shape channels"], peak: float
) -> float | None:
    """Structural similarity with an 11-sample Gaussian window of sigma 1.5, mean over channels.

    None where an axis is shorter than the window. Computed in strips along the first axis, so that memory
    does not grow with the picture; the result is that of the whole.

    Args:
        reference: the true values, 1 to 3 axes and channels.
        test: the values to judge, same shape.
        peak: the range of the signal, as for `psnr`.

    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", IEEE Transactions on Image Processing 13(4), 2004, equation 13.

    Example:
        >>> picture = np.random.default_rng(0).integers(0, 256, (20, 30, 1), dtype=np.uint8)
        >>> round(ssim(picture, picture, peak=255), 6), ssim(picture[:10], picture[:10], peak=255)
        (1.0, None)
    """
    if min(reference.shape[:-1]) < SSIM_WINDOW:
        return None
    margin = SSIM_WINDOW - 1
    low, high = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    rows = max(8, _STRIP // math.prod(reference.shape[1:]))
    total, count = 0.0, 0
    for first in range(0, reference.shape[0] - margin, rows):
        strip = slice(first, first + rows + margin)
        x, y = reference[strip].astype(np.float64), test[strip].astype(np.float64)
        # Variances come as a sum, so the squares are smoothed as one.
        maps = [x, y, x * x + y * y, x * y]
        for axis in range(reference.ndim - 1):
            maps = [_smoothed(each, axis) for each in maps]
        mean_x, mean_y, squares, product = maps
        both, means = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
        similarity = (2 * both + low) / (means + low)
        similarity *= (2 * (product - both) + high) / (squares - means + high)
        total += float(similarity.sum())
        count += similarity.size
    return total / count


def _smoothed(values: Float64[ndarray, "*shape"], axis: int) -> Float64[ndarray, "*inner"]:
    """Weighted means over the Gaussian window along an axis, where the window is inside."""
    length = values.shape[axis] - SSIM_WINDOW + 1
    before: tuple[slice, ...] = (slice(None),) * axis

    def shifted(by: int) -> Float64[ndarray, "*inner"]:
        return values[(*before, slice(by, by + length))]

    middle = SSIM_WINDOW // 2
    smoothed: Float64[ndarray, "*inner"] = _GAUSSIAN[middle] * shifted(middle)
    pair = np.empty_like(smoothed)
    for k in range(middle):
        np.add(shifted(k), shifted(SSIM_WINDOW - 1 - k), out=pair)
        pair *= _GAUSSIAN[k]
        smoothed += pair
    return smoothed


def _strips(values: Shaped[ndarray, "*shape"]) -> list[Shaped[ndarray, "..."]]:
    flat = values.reshape(-1)
    return [flat[i : i + (1 << 22)] for i in range(0, flat.size, 1 << 22)]
