import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partinr.model.packing import IN_CACHE, batches, group_by_size, pack, values_at_once

labels = st.lists(st.integers(0, 9), min_size=1, max_size=300).map(np.array)


@given(labels)
def test_packing_is_sorted_by_region_and_stable(labels: np.ndarray) -> None:
    packing = pack(labels, 10)
    for region in range(10):
        own = packing.order[packing.offsets[region] : packing.offsets[region + 1]]
        np.testing.assert_array_equal(own, np.flatnonzero(labels == region))


@given(labels, st.integers(1, 200), st.sets(st.integers(0, 9), min_size=1))
def test_batches_hold_every_sample_once_within_the_limit(
    labels: np.ndarray, limit: int, chosen: set[int]
) -> None:
    packing = pack(labels, 10)
    regions = np.array(sorted(chosen))
    seen = []
    for batch in batches(packing.offsets, regions, limit):
        assert batch.width * len(batch.regions) <= limit
        index, mask = batch.index(), batch.mask()
        assert batch.padded == (not mask.all())
        for row, region in enumerate(batch.regions):
            own = packing.order[index[row]]
            assert (labels[own] == region).all()
            seen += own[mask[row]].tolist()
    assert sorted(seen) == np.flatnonzero(np.isin(labels, regions)).tolist()


def test_little_is_padded_where_regions_are_large() -> None:
    counts = np.random.default_rng(0).integers(40, 5000, 400)
    groups = group_by_size(counts, 100_000)
    padded = sum(len(g) * counts[g].max() for g in groups)
    assert padded < 1.25 * counts.sum()
    assert sorted(np.concatenate(groups)) == list(range(400))


@pytest.mark.parametrize("limit", [1, 10])
def test_a_region_larger_than_the_limit_is_cut(limit: int) -> None:
    packing = pack(np.zeros(25, int), 1)
    pieces = batches(packing.offsets, np.array([0]), limit)
    assert [int(p.lengths[0]) for p in pieces] == ([1] * 25 if limit == 1 else [10, 10, 5])


def test_regions_without_samples_appear_in_no_batch() -> None:
    packing = pack(np.array([2, 2, 2]), 4)
    assert [b.regions.tolist() for b in batches(packing.offsets, np.arange(4), 100)] == [[2]]


def test_more_regions_than_two_bytes_can_name_are_sorted_all_the_same() -> None:
    labels = np.random.default_rng(0).integers(0, 1 << 18, 5000)
    packing = pack(labels, 1 << 18)
    np.testing.assert_array_equal(packing.order, np.argsort(labels, kind="stable"))


def test_only_batches_on_a_cpu_have_the_size_of_its_cache() -> None:
    assert values_at_once("cpu", 1 << 24) == IN_CACHE
    assert [values_at_once(device, 1 << 24) for device in ("cuda", "mps")] == [1 << 24] * 2
