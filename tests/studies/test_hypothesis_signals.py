"""Step signals: the published sizes, values by an obvious oracle, and dependence on the seed alone."""

from __future__ import annotations

import numpy as np
import pytest

from partinr import InputError
from partinr.studies.hypothesis.signals import (
    PUBLISHED_1D,
    PUBLISHED_2D,
    Size,
    StepSignal,
    check_resolution,
    derived,
    most_square,
    uniform,
)


def test_published_sizes() -> None:
    assert [size.boundaries for size in PUBLISHED_1D] == list(range(1, 60, 2))
    boundaries = [size.boundaries for size in PUBLISHED_2D]
    assert len(set(boundaries)) == 25
    assert (boundaries[0], boundaries[-1]) == (27, 535)
    assert most_square(30).thresholds == (6, 5)
    assert most_square(7).thresholds == (1, 7)


@pytest.mark.parametrize("size", [Size((1,)), Size((2,)), Size((9,)), Size((3, 2)), Size((1, 1))])
def test_boundaries_are_where_the_value_changes(size: Size) -> None:
    """Counted on a fine grid: changes along lines, or connected pieces of border between crossings."""
    signal = StepSignal.drawn(size, 7)
    places = [np.concatenate([[-1.0], one, [1.0]]) for one in signal.thresholds]
    middles = [(one[1:] + one[:-1]) / 2 for one in places]
    coords = np.stack([m.ravel() for m in np.meshgrid(*middles, indexing="ij")], axis=1)
    cells = signal(coords).reshape([len(one) for one in middles])
    changes = sum(int((np.diff(cells, axis=axis) != 0).sum()) for axis in range(cells.ndim))
    assert changes == size.boundaries


def test_values_by_counting_thresholds() -> None:
    signal = StepSignal.drawn(Size((4, 3)), 1)
    for point in np.random.default_rng(0).uniform(-1, 1, (50, 2)):
        crossed = sum(
            place <= x for places, x in zip(signal.thresholds, point, strict=True) for place in places
        )
        assert signal(point[None])[0, 0] == (-1) ** crossed


def test_numbers_follow_from_the_seed_alone() -> None:
    assert derived(3, 1, 2) == derived(3, 1, 2)
    assert len({derived(a, b, c) for a in range(4) for b in range(4) for c in range(4)}) == 64
    drawn = uniform(derived(5), 20_000)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    # A Kolmogorov-Smirnov distance that uniform numbers exceed once in a million.
    distance = np.abs(np.sort(drawn) - (np.arange(20_000) + 0.5) / 20_000).max()
    assert distance < 2.7 / np.sqrt(20_000)


def test_too_few_samples_for_the_boundaries() -> None:
    check_resolution((Size((5, 19)),), 20, "points")
    with pytest.raises(
        InputError, match="points must be at least 20 for 19 boundaries along an axis, got 19"
    ):
        check_resolution((Size((5, 19)),), 19, "points")
