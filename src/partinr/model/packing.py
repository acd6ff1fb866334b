"""Samples sorted by region, and batches of regions with near-equal numbers of samples.

Regions have unequal sizes. Batched matrix products want equal ones. So regions are sorted by size and cut
into batches in which little is padded; a region too large for one batch is cut into several.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from partinr.shapes import Bool, Int, Int64

# A region joins a batch if it fills at least this share of the batch's rows; tiny regions always may.
_LEAST_FILL = 0.8
_TINY = 32

IN_CACHE = 1 << 19
"""Values of the widest layer in one batch, so that what is computed of it stays in a processor's cache."""


def values_at_once(device: str, elsewhere: int) -> int:
    """Values of the widest layer that one batch should hold.

    Args:
        device: type of the device, such as cuda. On a CPU, as many as stay in its cache.
        elsewhere: on any other, which wants work for all its cores: as many as its memory bears.
    """
    return IN_CACHE if device == "cpu" else elsewhere


@dataclass(frozen=True, eq=False)
class Packing:
    """Samples sorted by region.

    Attributes:
        order: raster index of each packed sample.
        offsets: packed samples offsets[r] .. offsets[r + 1] - 1 belong to region r.
    """

    order: Int64[ndarray, "samples"]
    offsets: Int64[ndarray, "_"]

    @property
    def counts(self) -> Int64[ndarray, "regions"]:
        """Number of samples of each region."""
        return np.diff(self.offsets)


def pack(labels: Int[ndarray, "samples"], regions: int) -> Packing:
    """Sort samples by region, keeping the given order within a region."""
    # Numbers of two bytes are sorted digit by digit, several times as fast as any others.
    order = np.argsort((labels & 0xFFFF).astype(np.uint16), kind="stable")
    if regions > 1 << 16:
        order = order[np.argsort((labels >> 16)[order].astype(np.uint16), kind="stable")]
    counts = np.bincount(labels, minlength=regions)
    return Packing(order, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))


@dataclass(frozen=True, eq=False)
class Batch:
    """Some regions, and a run of consecutive packed samples of each.

    Attributes:
        regions: indices of the regions.
        starts: first packed sample of each run.
        lengths: number of samples of each run.
    """

    regions: Int64[ndarray, "regions"]
    starts: Int64[ndarray, "regions"]
    lengths: Int64[ndarray, "regions"]

    @property
    def width(self) -> int:
        """Length of the longest run: what the others are padded to."""
        return int(self.lengths.max())

    @property
    def padded(self) -> bool:
        """Whether any run is shorter than the longest."""
        return int(self.lengths.min()) < self.width

    def index(self) -> Int64[ndarray, "regions width"]:
        """Packed samples of each run; padding repeats the run's last sample."""
        within = np.minimum(np.arange(self.width), self.lengths[:, None] - 1)
        index: Int64[ndarray, "regions width"] = self.starts[:, None] + within
        return index

    def mask(self) -> Bool[ndarray, "regions width"]:
        """False where `index` is padding."""
        return np.arange(self.width) < self.lengths[:, None]


def batches(offsets: Int64[ndarray, "_"], regions: Int64[ndarray, "k"], limit: int) -> list[Batch]:
    """Cut the samples of some regions into batches of at most `limit` samples, padding included.

    Regions without samples appear in none. Every sample of the others appears exactly once.
    """
    starts, counts = offsets[regions], offsets[regions + 1] - offsets[regions]
    made = []
    for r, start, count in zip(
        regions[counts > limit], starts[counts > limit], counts[counts > limit], strict=True
    ):
        first = np.arange(0, count, limit)
        made += [
            Batch(np.array([r]), np.array([start + f]), np.array([min(limit, count - f)])) for f in first
        ]
    for group in group_by_size(np.where(counts <= limit, counts, 0), limit):
        made.append(Batch(regions[group], starts[group], counts[group]))
    return made


def group_by_size(counts: Int64[ndarray, "k"], limit: int) -> list[Int64[ndarray, "_"]]:
    """Positions of non-zero counts in groups of similar size whose padded total is at most `limit`.

    A group holds at least one member, however large. Largest first; equal counts keep their order.
    """
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    groups = []
    first = 0
    while first < len(order):
        width = int(counts[order[first]])
        last = min(len(order), first + max(1, limit // width))
        if width > _TINY:
            fits = np.searchsorted(-counts[order[first:last]], -_LEAST_FILL * width, side="right")
            last = first + max(1, int(fits))
        groups.append(order[first:last])
        first = last
    return groups
