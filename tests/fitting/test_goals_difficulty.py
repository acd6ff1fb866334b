import itertools

import numpy as np
import pytest
from scipy.fft import dctn

from helpers import noise, smooth
from partinr import Signal, from_array
from partinr.fitting.goals.difficulty import Level, cosines, levels

SHAPES = [(1000,), (70, 45), (9, 20, 33), (1, 1), (3, 400)]


def textured(shape: tuple[int, ...], channels: int) -> Signal:
    """Smooth on one side, noisy on the other."""
    values = smooth(shape, channels).values.astype(float)
    noisy = noise(shape, channels).values / 255
    values[..., shape[-1] // 2 :, :] += noisy[..., shape[-1] // 2 :, :]
    return from_array(values.astype(np.float32), channels_last=True)


def cells(level: Level) -> list[tuple[slice, ...]]:
    """Every cell, in raster order."""
    return [
        tuple(slice(a, b) for a, b in zip(starts, stops, strict=True))
        for starts, stops in level.boxes.tolist()
    ]


def left(level: Level, kept: float) -> np.ndarray:
    """What is left if every cell keeps as many coefficients."""
    return level.left(np.full((len(level.counts), 1), float(kept)))[:, 0]


@pytest.mark.parametrize("shape", SHAPES)
def test_levels_tile_the_signal_and_nest(shape: tuple[int, ...]) -> None:
    found = list(levels(textured(shape, 2)))
    for level in found:
        covered = np.zeros(shape, int)
        for cell in cells(level):
            covered[cell] += 1
        assert (covered == 1).all()
    for fine, coarse in itertools.pairwise(found):
        for finer, coarser in zip(fine.edges, coarse.edges, strict=True):
            assert set(coarser) <= set(finer)
    assert found[-1].divisions == (1,) * len(shape)


def test_cosines_are_orthonormal() -> None:
    for n in (1, 2, 17):
        np.testing.assert_allclose(cosines(n) @ cosines(n).T, np.eye(n), atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_left_is_what_the_sorted_coefficients_leave(shape: tuple[int, ...], channels: int) -> None:
    signal = textured(shape, channels)
    values = signal.normalised().astype(float)
    flat = values.reshape(-1, channels)
    axes = np.linalg.eigh(np.cov(flat.T).reshape(channels, channels) if len(flat) > 1 else np.eye(channels))[
        1
    ]
    turned = (flat @ axes).reshape(values.shape)
    for level in levels(signal):
        for i, cell in enumerate(cells(level)[:9]):
            coefficients = dctn(turned[cell], axes=range(len(shape)), norm="ortho")
            energies = np.sort(coefficients.ravel() ** 2)[::-1]
            for kept in (0, 1, 7, 100, 10**6):
                expected = energies[kept:].sum()
                # Within a bin, energies differ by at most a factor of the square root of two.
                slack = 0.2 * expected + energies[max(0, kept - 1) : kept + 1].sum() + 1e-6
                assert left(level, kept)[i] == pytest.approx(expected, abs=slack)
            assert left(level, 0)[i] == pytest.approx((values[cell] ** 2).sum(), rel=1e-4, abs=1e-9)
