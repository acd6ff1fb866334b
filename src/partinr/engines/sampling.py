"""Which samples of a region a training step uses: a stateless function of seed, region and step.

Every region walks through its own samples in a fresh random order each epoch. The order is a hash, not the
state of a generator, so any step can be computed alone: a resumed fit, another engine and another number of
threads all see the same samples.
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from partinr.hashing import permute, splitmix64
from partinr.shapes import Int64, UInt64


def region_keys(seed: int, regions: int) -> UInt64[ndarray, "regions"]:
    """A sampling key for each region."""
    base = splitmix64(np.array([seed % (1 << 64)], np.uint64))
    return splitmix64(base + np.arange(regions, dtype=np.uint64))


def batch_indices(
    keys: UInt64[ndarray, "regions"],
    counts: Int64[ndarray, "regions"],
    first_step: int,
    steps: int,
    batch: int,
) -> Int64[ndarray, "regions steps batch"]:
    """Samples (counted within the region) that some steps use, for regions of more than `batch` samples.

    Step s takes the positions s * batch ... s * batch + batch - 1 of an endless stream in which every run of
    `count` positions (an epoch) is a permutation of the region's samples.
    """
    position = first_step * batch + np.arange(steps * batch, dtype=np.int64)
    epoch, within = np.divmod(position[None, :], counts[:, None])
    key = splitmix64(keys[:, None] + epoch.astype(np.uint64)).astype(np.uint32)
    size = np.broadcast_to(counts[:, None], within.shape).astype(np.uint32)
    picked = permute(within.astype(np.uint32), size, key).astype(np.int64)
    return picked.reshape(len(counts), steps, batch)
