"""Quality of a reconstruction, right for finite values of any offset and scale."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product, repeat

import numpy as np
from numpy import ndarray

from partinr.cores import usable_cores
from partinr.errors import InputError
from partinr.shapes import Float, Float64, Shaped
from partinr.signals.signal import SignalSpec

SSIM_WINDOW = 11
# Values of a tile, so that its maps stay in cache, and the least samples along each of its axes.
_TILE, _SIDE = 1 << 15, 32
# Values whose squared errors are summed at once.
_PIECE = 1 << 16
_GAUSSIAN = np.exp(-0.5 * (np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2) ** 2 / 1.5**2)
_GAUSSIAN /= _GAUSSIAN.sum()

# Squares of errors whose exponents lie in 2^±512 are neither infinite nor lost in a sum. Beyond, errors are
# scaled by one of these powers of two, before or after the subtraction: large values, whose difference may
# overflow, before; small ones, which may lie beside large ones that are equal, after.
_SCALES = ((0, 0), (-600, 0), (0, 900))
_SUM_OF_SQUARES = (2.0**-900, math.inf)

# Up to so many peaks between extreme values of a strip, the mean of squares minus the square of the mean is a
# variance whose error is 1e-11 of SSIM's constant beside it, or less.
_FEW_PEAKS = 8


def psnr_from_mse(mse: float, peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio in dB of a mean squared error: 10 log10(peak² / mse); infinite at 0."""
    return math.inf if mse == 0 else 20 * math.log10(peak) - 10 * math.log10(mse)


def psnr(
    reference: Shaped[ndarray, "..."],
    test: Shaped[ndarray, "..."],
    peak: float,
    weights: Float[ndarray, "..."] | None = None,
) -> float:
    """Peak signal-to-noise ratio in dB over all samples and channels; infinite where both are equal.

    Args:
        reference: the true values, any shape.
        test: the values to judge, same shape.
        peak: the range of the signal (255 for 8-bit images, 65535 for 16-bit, high - low otherwise).
        weights: of the squared errors of samples, not all 0; the shape without channels. None: all the same.

    Raises:
        InputError: the shapes differ, there are no values, or the peak is not a positive number.

    Example:
        >>> round(psnr(np.array([0, 255]), np.array([0, 254]), peak=255), 2)
        51.14
    """
    _check(reference, test, peak)
    factors = None
    if weights is not None:
        mean = weights.mean(dtype=np.float64)
        factors = np.broadcast_to(
            (weights.astype(np.float64) / mean).reshape(-1, 1), (weights.size, reference.size // weights.size)
        )
    total, before, after = 0.0, 0, 0
    for before, after in _SCALES:
        total = sum(_squares(reference, test, before, after, factors))
        if _SUM_OF_SQUARES[0] < total < _SUM_OF_SQUARES[1]:
            break
    decibels = psnr_from_mse(total / reference.size, peak)
    return decibels + 20 * (before + after) * math.log10(2)


def ssim(
    reference: Shaped[ndarray, "*shape channels"],
    test: Shaped[ndarray, "..."],
    peak: float,
    weights: Float[ndarray, "*shape"] | None = None,
) -> float | None:
    """Structural similarity with an 11-sample Gaussian window of sigma 1.5, mean over channels.

    None where an axis is shorter than the window, or nothing weighs anything. Computed in tiles, so that
    memory does not grow with the picture; the result is that of the whole.

    Args:
        reference: the true values, 1 to 3 axes and channels.
        test: the values to judge, same shape.
        peak: the range of the signal, as for `psnr`.
        weights: of samples, within windows and of the windows in whose middle they are; None: all the same.

    Raises:
        InputError: as for `psnr`.

    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", IEEE Transactions on Image Processing 13(4), 2004, equation 13. With the sum u and the
    difference v of both signals it reads

        (1 - 2 mean(v)² / (mean(u)² + mean(v)² + 2 c1)) (1 - 2 var(v) / (var(u) + var(v) + 2 c2)),

    whose terms do not cancel, and in which a common offset of both signals is in the mean of u alone.

    Example:
        >>> picture = np.random.default_rng(0).integers(0, 256, (20, 30, 1), dtype=np.uint8)
        >>> round(ssim(picture, picture, peak=255), 6), ssim(picture[:10], picture[:10], peak=255)
        (1.0, None)
    """
    _check(reference, test, peak)
    if min(reference.shape[:-1]) < SSIM_WINDOW:
        return None
    margin, (*shape, channels) = SSIM_WINDOW - 1, reference.shape
    side = max(_SIDE, int((_TILE / channels) ** (1 / len(shape))))

    def judged(first: tuple[int, ...]) -> tuple[float, float]:
        tile = tuple(slice(start, start + side + margin) for start in first)
        if weights is None:
            similarity = _similarity(reference[tile], test[tile], peak, None)
            return float(similarity.sum()), similarity.size
        factors = weights[tile].astype(np.float64)[..., None]
        similarity = _similarity(reference[tile], test[tile], peak, factors)
        for axis in range(factors.ndim - 1):
            factors = _shifted(factors, axis, SSIM_WINDOW // 2)
        return float((similarity * factors).sum()), float(factors.sum()) * channels

    # NumPy lets other threads go on while it computes; sums are added in order.
    with ThreadPoolExecutor(usable_cores()) as pool:
        sums = list(pool.map(judged, product(*(range(0, n - margin, side) for n in shape))))
    count = sum(count for _, count in sums)
    return sum(total for total, _ in sums) / count if count else None


def ssim_of_frames(
    reference: Shaped[ndarray, "frames *shape channels"],
    test: Shaped[ndarray, "..."],
    peak: float,
    weights: Float[ndarray, "frames *shape"] | None = None,
) -> float | None:
    """Mean over the frames of a video of their structural similarities, as is usual; arguments as for `ssim`.

    Frames in which nothing weighs anything are left out.
    """
    _check(reference, test, peak)
    every = repeat(None) if weights is None else iter(weights)
    found = [ssim(a, b, peak, w) for a, b, w in zip(reference, test, every, strict=False)]
    known = [one for one in found if one is not None]
    return sum(known) / len(known) if known else None


def similarity(
    spec: SignalSpec,
    reference: Shaped[ndarray, "*shape channels"],
    test: Shaped[ndarray, "..."],
    weights: Float[ndarray, "*shape"] | None = None,
) -> float | None:
    """What is called the structural similarity of signals of a kind: of videos the mean over their frames."""
    low, high = spec.value_range
    judge = ssim_of_frames if spec.kind == "video" and spec.dims == 3 else ssim
    return judge(reference, test, high - low, weights)


def _check(reference: Shaped[ndarray, "..."], test: Shaped[ndarray, "..."], peak: float) -> None:
    if reference.shape != test.shape or reference.size == 0:
        raise InputError(
            f"the values to judge must have the shape of the true ones and not be empty, got {test.shape} "
            f"and {reference.shape}"
        )
    if not 0 < peak < math.inf:
        raise InputError(f"the peak must be a positive number, the range of the signal, got {peak}")


def _squares(
    reference: Shaped[ndarray, "*shape"],
    test: Shaped[ndarray, "*shape"],
    before: int,
    after: int,
    factors: Float[ndarray, "..."] | None,
) -> Iterator[float]:
    """Sums of squared errors, strip by strip, scaled by powers of two before and after the subtraction."""
    weighing = repeat(None) if factors is None else _strips(factors)
    for a, b, weights in zip(_strips(reference), _strips(test), weighing, strict=factors is not None):
        with np.errstate(over="ignore", invalid="ignore"):
            error = _difference(a, b, before)
            if weights is not None:
                error = np.where(weights > 0, error, 0.0)
            if after:
                error *= 2.0**after
            error *= error
            if weights is not None:
                error *= weights
            yield float(error.sum())


def _difference(
    a: Shaped[ndarray, "*shape"], b: Shaped[ndarray, "*shape"], exponent: int
) -> Float64[ndarray, "*shape"]:
    """(a - b) 2^exponent; of 64-bit integers, which a double may not hold, the difference is exact."""
    scale = 2.0**exponent
    if a.dtype == b.dtype and _is_wide(a):
        # Modulo 2^64, so that no difference is too large.
        distance = np.maximum(a, b).astype(np.uint64) - np.minimum(a, b).astype(np.uint64)
        signed: Float64[ndarray, "*shape"] = np.where(a < b, -scale, scale) * distance
        return signed
    x, y = a.astype(np.float64), b.astype(np.float64)
    if exponent:
        x *= scale
        y *= scale
    x -= y
    return x


def _similarity(
    reference: Shaped[ndarray, "*shape channels"],
    test: Shaped[ndarray, "*shape channels"],
    peak: float,
    weights: Float64[ndarray, "*shape 1"] | None,
) -> Float64[ndarray, "*inner channels"]:
    """SSIM in every window of a strip; NaN where values are not finite."""
    low = min(reference.min().item(), test.min().item())
    high = max(reference.max().item(), test.max().item())
    # In units of the peak, a power of two, squares neither overflow nor vanish beside the constants; where
    # the values are so much larger that they might, in a unit between both.
    unit = max(_exponent(peak), _exponent(max(-low, high)) - 400)
    unit = min(max(unit, -1000), 1000)
    few = math.ldexp(high, -unit) - math.ldexp(low, -unit) <= math.ldexp(peak, -unit) * _FEW_PEAKS
    # From the middle, values are as exact as they are given, unless small ones lie beside large ones.
    wide = _is_wide(reference) and _is_wide(test)
    middle = (low + high + 1) // 2 if wide else low / 2 + high / 2 if few else 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        u = _centred(reference, middle, unit) + _centred(test, middle, unit)
        v = _difference(reference, test, -unit)
        moments = _moments if few else _moments_of_any
        (mean_u, var_u), (mean_v, var_v) = moments(u, weights), moments(v, weights)
        mean_u += 2 * math.ldexp(middle, -unit)
        luminance = _dissimilarity(mean_v * mean_v, mean_u * mean_u, math.ldexp(0.01 * peak, -unit))
        contrast = _dissimilarity(var_v, var_u, math.ldexp(0.03 * peak, -unit))
        similarity: Float64[ndarray, "*inner channels"] = (1 - luminance) * (1 - contrast)
        return similarity


def _dissimilarity(
    difference: Float64[ndarray, "*shape"], total: Float64[ndarray, "*shape"], constant: float
) -> Float64[ndarray, "*shape"]:
    """2 difference / (total + difference + 2 constant²)."""
    total += difference
    # Not zero, for windows without any difference whose constant vanishes beside other values.
    total += max(2 * constant * constant, np.finfo(np.float64).tiny)
    ratio: Float64[ndarray, "*shape"] = 2 * difference / total
    return ratio


def _centred(values: Shaped[ndarray, "*shape"], middle: float, exponent: int) -> Float64[ndarray, "*shape"]:
    """(values - middle) 2^-exponent; for 64-bit integers `middle` is one, and the difference exact."""
    if isinstance(middle, int):
        distance = (values.astype(np.uint64) - np.uint64(middle % 2**64)).view(np.int64)
        exact: Float64[ndarray, "*shape"] = distance * 2.0**-exponent
        return exact
    centred = values.astype(np.float64)
    centred *= 2.0**-exponent
    centred -= math.ldexp(middle, -exponent)
    return centred


def _moments(
    values: Float64[ndarray, "*shape channels"], weights: Float64[ndarray, "*shape 1"] | None
) -> tuple[Float64[ndarray, "*inner channels"], Float64[ndarray, "*inner channels"]]:
    """Mean and variance in every window; 0 where nothing weighs anything."""
    mean, square = values, values * values
    if weights is not None:
        mean, square = mean * weights, square * weights
    for axis in range(values.ndim - 1):
        mean, square = _smoothed(mean, axis), _smoothed(square, axis)
        weights = None if weights is None else _smoothed(weights, axis)
    if weights is not None:
        share = _inverse(weights)
        mean, square = mean * share, square * share
    square -= mean * mean
    return mean, square


def _moments_of_any(
    values: Float64[ndarray, "*shape channels"], weights: Float64[ndarray, "*shape 1"] | None
) -> tuple[Float64[ndarray, "*inner channels"], Float64[ndarray, "*inner channels"]]:
    """Mean and variance in every window, to the last digits even where small values lie beside large ones.

    The variance in a window is the mean of the variances in its rows and the variance of their means. The
    variance in a row is computed from differences to its middle, whose weight is 0.27: the squared mean of
    the differences is then at most 0.73 of the mean of their squares, and little cancels. Means are kept as
    differences to the middle, too.
    """
    near, beyond, variance = values, np.zeros_like(values), np.zeros_like(values)
    for axis in range(values.ndim - 1):
        middle, mean = _shifted(near, axis, SSIM_WINDOW // 2), _shifted(beyond, axis, SSIM_WINDOW // 2)
        first, second, inner = np.zeros_like(middle), np.zeros_like(middle), np.zeros_like(middle)
        for k, weight in enumerate(_GAUSSIAN):
            difference = (_shifted(near, axis, k) - middle) + (_shifted(beyond, axis, k) - mean)
            share = weight if weights is None else weight * _shifted(weights, axis, k)
            first += share * difference
            second += share * difference * difference
            inner += share * _shifted(variance, axis, k)
        if weights is not None:
            weights = _smoothed(weights, axis)
            share = _inverse(weights)
            first, second, inner = first * share, second * share, inner * share
        near, beyond, variance = middle, mean + first, inner + second - first * first
    return near + beyond, variance


def _inverse(weights: Float64[ndarray, "*shape 1"]) -> Float64[ndarray, "*shape 1"]:
    """1 / weights, 0 where they are."""
    inverse: Float64[ndarray, "*shape 1"] = np.divide(
        1.0, weights, out=np.zeros_like(weights), where=weights > 0
    )
    return inverse


def _smoothed(values: Float64[ndarray, "*shape"], axis: int) -> Float64[ndarray, "*inner"]:
    """Weighted means over the Gaussian window along an axis, where the window is inside."""
    middle = SSIM_WINDOW // 2
    smoothed: Float64[ndarray, "*inner"] = _GAUSSIAN[middle] * _shifted(values, axis, middle)
    pair = np.empty_like(smoothed)
    for k in range(middle):
        np.add(_shifted(values, axis, k), _shifted(values, axis, SSIM_WINDOW - 1 - k), out=pair)
        pair *= _GAUSSIAN[k]
        smoothed += pair
    return smoothed


def _shifted(values: Float64[ndarray, "*shape"], axis: int, by: int) -> Float64[ndarray, "*inner"]:
    """Along an axis, the values that have place `by` in the windows inside."""
    before: tuple[slice, ...] = (slice(None),) * axis
    return values[(*before, slice(by, by + values.shape[axis] - SSIM_WINDOW + 1))]


def _exponent(value: float) -> int:
    """The power of two above a number."""
    return math.frexp(value)[1]


def _is_wide(values: Shaped[ndarray, "..."]) -> bool:
    """Whether values are integers that a double may not hold."""
    return values.dtype.kind in "ui" and values.dtype.itemsize == 8


def _strips(values: Shaped[ndarray, "*shape"]) -> list[Shaped[ndarray, "..."]]:
    flat = values.reshape(-1)
    return [flat[i : i + _PIECE] for i in range(0, flat.size, _PIECE)]
