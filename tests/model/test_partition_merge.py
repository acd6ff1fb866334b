"""Components and merging, against oracles that work on the samples themselves."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import binary_dilation

from partinr.errors import InputError
from partinr.model.partition import connected_components, merge_small
from partinr.model.partition.merge import neighbour_pairs


def components_oracle(labels: np.ndarray) -> np.ndarray:
    """Flood fill from each sample in raster order."""
    found = np.full(labels.shape, -1)
    for start in np.ndindex(labels.shape):
        number, todo = found.max() + 1, [start] if found[start] < 0 else []
        while todo:
            here = todo.pop()
            found[here] = number
            for there in itertools.product(
                *[range(max(0, i - 1), min(n, i + 2)) for i, n in zip(here, labels.shape, strict=True)]
            ):
                if found[there] < 0 and labels[there] == labels[here]:
                    todo.append(there)
    return found


def merge_oracle(labels: np.ndarray, regions: int) -> np.ndarray:
    """One dilation a merge, on the samples."""
    labels = labels.copy()
    while True:
        names, sizes = np.unique(labels, return_counts=True)
        if len(names) <= regions:
            return np.searchsorted(names, labels)
        size = dict(zip(names.tolist(), sizes.tolist(), strict=True))
        small = min(size, key=lambda name: (size[name], name))
        grown = binary_dilation(labels == small, np.ones((3,) * labels.ndim))
        around = set(labels[grown].tolist()) - {small}
        labels[labels == small] = min(around, key=lambda name: (size[name], name))


@st.composite
def label_maps(draw: st.DrawFn) -> np.ndarray:
    """Small maps with many ties; of few labels (scattered regions) or of many (regions of one sample)."""
    shape = draw(array_shapes(min_dims=1, max_dims=3, max_side=7))
    most = draw(st.sampled_from([0, 1, 2, 5, 40]))
    return draw(arrays(np.int32, shape, elements=st.integers(0, min(most, int(np.prod(shape)) - 1))))


@given(label_maps())
@settings(max_examples=80)
def test_components_against_flood_fill(labels: np.ndarray) -> None:
    found = connected_components(labels)
    assert found.dtype == np.int32
    assert np.array_equal(found, components_oracle(labels))


def test_components_of_every_integer_type_and_of_views() -> None:
    labels = np.random.default_rng(0).integers(0, 3, (9, 14))
    expected = components_oracle(labels[::2, ::-1])
    for dtype in (np.uint8, np.uint16, np.int32, np.int64):
        assert np.array_equal(connected_components(labels.astype(dtype)[::2, ::-1]), expected)


def test_diagonal_contact_connects_in_every_dimension() -> None:
    for dims in (1, 2, 3):
        labels = np.zeros((4,) * dims, int)
        for i in range(4):
            labels[(i,) * dims] = 1
        if dims > 1:
            # Against the direction of the raster as well.
            labels = labels[::-1]
        assert len(np.unique(connected_components(labels)[labels == 1])) == 1


@given(label_maps(), st.integers(1, 12))
@settings(max_examples=150)
def test_merging_against_dilation(labels: np.ndarray, regions: int) -> None:
    merged = merge_small(labels, regions)
    assert merged.dtype == np.int32
    assert np.array_equal(merged, merge_oracle(labels, regions))


@given(label_maps(), st.integers(1, 12))
@settings(max_examples=80)
def test_merging_components_against_dilation(labels: np.ndarray, regions: int) -> None:
    components = connected_components(labels)
    merged = merge_small(components, regions)
    assert np.array_equal(merged, merge_oracle(components, regions))
    assert merged.max() + 1 == min(regions, components.max() + 1)
    # Nothing is split, and nothing but neighbours is joined.
    assert all(len(np.unique(merged[components == c])) == 1 for c in range(components.max() + 1))
    assert connected_components(merged).max() == merged.max()


def test_merging_takes_the_lowest_label_of_ties() -> None:
    # All of one size: 0 goes into 1 (its only neighbour), then 2 is the smallest, and 3 smaller than 1.
    assert merge_small(np.array([0, 1, 2, 3]), 2).tolist() == [0, 0, 1, 1]
    # 1 lies between 0 and 2 of equal size, and goes into 0.
    assert merge_small(np.array([0, 0, 1, 2, 2]), 2).tolist() == [0, 0, 0, 1, 1]
    # The merged region keeps the label of the neighbour, here the last one.
    assert merge_small(np.array([0, 1, 1, 1, 2, 3, 3]), 2).tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_merging_a_large_map_of_noise_against_dilation() -> None:
    labels = connected_components(np.random.default_rng(1).integers(0, 4, (40, 60)))
    assert labels.max() > 100
    assert np.array_equal(merge_small(labels, 5), merge_oracle(labels, 5))


@given(label_maps())
@settings(max_examples=80)
def test_neighbour_pairs_against_dilation(labels: np.ndarray) -> None:
    expected = set()
    for name in np.unique(labels):
        grown = binary_dilation(labels == name, np.ones((3,) * labels.ndim))
        expected |= {(int(name), int(other)) for other in np.unique(labels[grown]) if other > name}
    assert neighbour_pairs(labels).tolist() == sorted(map(list, expected))


@pytest.mark.parametrize("labels", [[-1, 0], [0, 2], []])
def test_merging_refuses_labels_out_of_range(labels: list[int]) -> None:
    with pytest.raises(InputError, match="below the number of samples"):
        merge_small(np.array(labels, int), 1)


def test_merging_to_no_region_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1 region"):
        merge_small(np.array([0, 1]), 0)
