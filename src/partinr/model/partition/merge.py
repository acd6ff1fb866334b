"""From a map of many segments to few regions: connected components, and the merging of the smallest."""

from __future__ import annotations

import heapq
import itertools

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Bool, Int32, Int64, Integer


def connected_components(labels: Integer[ndarray, "*shape"]) -> Int32[ndarray, "*shape"]:
    """Number the connected areas of equal labels; samples that touch diagonally are connected.

    Args:
        labels: integers of at least 0 on 1 to 3 axes.

    Returns:
        components 0..K-1, numbered in raster order of each component's first sample.

    Example:
        >>> import numpy as np
        >>> connected_components(np.array([4, 4, 0, 4]))
        array([0, 0, 1, 2], dtype=int32)
    """
    from skimage.measure import label

    # Components of the background would be left out; no label is -1, so there is none.
    found = label(labels, background=-1, connectivity=labels.ndim).astype(np.int32) - 1
    # Its numbers are not in raster order on three axes. Of repeated indices, the last assignment stays.
    flat = found.ravel()
    first = np.empty(flat.max() + 1, np.int64)
    first[flat[::-1]] = np.arange(flat.size)[::-1]
    number = np.empty(first.size, np.int32)
    number[np.argsort(first)] = np.arange(first.size)
    return np.asarray(number[found])


def merge_small(labels: Integer[ndarray, "*shape"], regions: int) -> Int32[ndarray, "*shape"]:
    """Merge the smallest region into its smallest neighbour until `regions` are left.

    Regions that touch diagonally are neighbours. Of equally small ones the lowest label is taken; the merged
    region keeps the neighbour's label. Takes a few passes over the samples; a merge itself takes a time that
    grows with the number of neighbours, not of samples.

    Args:
        labels: label of each sample, integers of at least 0 and below the number of samples.
        regions: number of regions wanted, at least 1.

    Returns:
        labels 0..R-1 in the order of the labels that are left. R is `regions`, or less if there were fewer.

    Raises:
        InputError: no region is wanted, or a label is out of range.

    Source: the merging of PoS in Liu et al., ICCV 2023, section 4.2.

    Example:
        >>> import numpy as np
        >>> merge_small(np.array([0, 0, 0, 1, 2, 2]), 2)
        array([0, 0, 0, 1, 1, 1], dtype=int32)
    """
    if regions < 1:
        raise InputError(f"at least 1 region must be left, got {regions}")
    if labels.size == 0 or labels.min() < 0 or labels.max() >= labels.size:
        raise InputError(
            "labels to merge must be at least 0 and below the number of samples; renumber them first"
        )
    sizes = np.bincount(labels.ravel())
    target, left = _merged(sizes, neighbour_pairs(labels), regions)
    renumbered = (np.cumsum(left) - 1).astype(np.int32)
    return np.asarray(renumbered[target][labels])


def neighbour_pairs(labels: Integer[ndarray, "*shape"]) -> Int64[ndarray, "pairs 2"]:
    """Pairs (lower label, higher label) of regions that touch, diagonally too; each pair once, sorted.

    Args:
        labels: label of each sample, integers of at least 0.
    """
    count = int(labels.max()) + 1
    found = [np.empty(0, np.int64)]
    for offset in itertools.product((-1, 0, 1), repeat=labels.ndim):
        if offset <= (0,) * labels.ndim:
            continue  # the opposite offset finds the same pairs
        here = labels[
            tuple(slice(max(0, -o), min(n, n - o)) for o, n in zip(offset, labels.shape, strict=True))
        ]
        there = labels[
            tuple(slice(max(0, o), min(n, n + o)) for o, n in zip(offset, labels.shape, strict=True))
        ]
        differ = here != there
        a, b = here[differ].astype(np.int64), there[differ].astype(np.int64)
        found.append(np.unique(np.minimum(a, b) * count + np.maximum(a, b)))
    keys = np.unique(np.concatenate(found))
    return np.stack([keys // count, keys % count], axis=1)


def _merged(
    sizes: Int64[ndarray, "labels"], pairs: Int64[ndarray, "pairs 2"], regions: int
) -> tuple[Int64[ndarray, "labels"], Bool[ndarray, "labels"]]:
    """Which label each label ends in, and whether it is left; the merging on the graph of regions alone."""
    size: list[int] = sizes.tolist()
    neighbours: list[set[int]] = [set() for _ in size]
    for a, b in pairs.tolist():
        neighbours[a].add(b)
        neighbours[b].add(a)
    heap = [(samples, label) for label, samples in enumerate(size) if samples]
    heapq.heapify(heap)
    merges: list[tuple[int, int]] = []
    for _ in range(len(heap) - regions):
        # An entry whose size is no longer the label's belongs to a region that has grown or gone since.
        samples, small = heapq.heappop(heap)
        while samples != size[small]:
            samples, small = heapq.heappop(heap)
        into = min(neighbours[small], key=lambda label: (size[label], label))
        for label in neighbours[small]:
            neighbours[label].remove(small)
            if label != into:
                neighbours[label].add(into)
                neighbours[into].add(label)
        neighbours[small].clear()
        size[into] += samples
        size[small] = 0
        heapq.heappush(heap, (size[into], into))
        merges.append((small, into))
    target = np.arange(len(size))
    for small, into in reversed(merges):
        target[small] = target[into]
    return target, np.array(size) > 0
