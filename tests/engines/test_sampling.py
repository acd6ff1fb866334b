import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import permute_one
from partinr.engines.sampling import batch_indices, region_keys
from partinr.hashing import permute, splitmix64


def test_splitmix64_gives_the_published_first_outputs() -> None:
    # First outputs of the reference generator started at 1234567.
    states = (1234567 + np.arange(3, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
    assert splitmix64(states).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_permute_is_a_permutation_and_equals_the_listing(size: int, key: int) -> None:
    index = np.arange(size, dtype=np.uint32)
    result = permute(index, np.full(size, size, np.uint32), np.full(size, key, np.uint32))
    assert sorted(result.tolist()) == list(range(size))
    assert result.tolist() == [permute_one(i, size, key) for i in range(size)]


@given(st.integers(2, 60), st.integers(1, 59), st.integers(0, 2**64 - 1))
def test_every_epoch_visits_every_sample_once(count: int, batch: int, seed: int) -> None:
    batch = min(batch, count - 1)
    steps = -(-3 * count // batch)
    stream = batch_indices(region_keys(seed, 1), np.array([count]), 0, steps, batch).ravel()
    for epoch in range(3):
        assert sorted(stream[epoch * count : (epoch + 1) * count]) == list(range(count))


@given(st.integers(0, 50), st.integers(1, 20))
def test_any_step_can_be_computed_alone(first: int, steps: int) -> None:
    keys, counts = region_keys(3, 4), np.array([10, 11, 200, 7])
    together = batch_indices(keys, counts, first, steps, 5)
    for s in range(steps):
        np.testing.assert_array_equal(together[:, s], batch_indices(keys, counts, first + s, 1, 5)[:, 0])


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_seeds_and_regions_have_their_own_orders(seed: int) -> None:
    keys = region_keys(seed, 50)
    assert len(set(keys.tolist())) == 50
    assert not set(keys.tolist()) & set(region_keys(seed + 1, 50).tolist())
    orders = batch_indices(keys, np.full(50, 64), 0, 1, 63)[:, 0]
    assert len({tuple(order) for order in orders}) == 50
