"""A partition: which region each sample of a signal belongs to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy import ndarray

from partinr.display import Displayed
from partinr.errors import InputError
from partinr.shapes import Int, Int32, Int64

# Boxes need a table with a cell of four bytes for every combination of edges. The signal's size is no bound:
# a file may claim any.
_LARGEST_TABLE = 1 << 26


@dataclass(frozen=True, eq=False, repr=False)
class Partition(Displayed):
    """Regions 0..R-1 that together hold every sample of a signal exactly once.

    Given either by a label map or by boxes (a grid is boxes); use `from_labels` or `from_boxes`, which check.

    Attributes:
        shape: samples along each axis of the signal, without channels.
        rule: the rule that made it, as the command line writes it ("grid:3x3").
        labels: region of each sample, or None for a partition into boxes.
        boxes: first sample and one past the last sample of each region, or None for a label map.

    Example:
        >>> partition = Partition.from_labels(np.array([[0, 0, 1], [0, 1, 1]]), rule="mine")
        >>> partition.regions, partition.counts.tolist()
        (2, [3, 3])
    """

    shape: tuple[int, ...]
    rule: str
    labels: Int32[ndarray, "*shape"] | None
    boxes: Int64[ndarray, "regions 2 dims"] | None

    @classmethod
    def from_labels(cls, labels: Int[ndarray, "*shape"], rule: str) -> Partition:
        """Partition from a label map whose labels are 0..R-1, each used at least once.

        Raises:
            InputError: a label is missing or negative, or the map is empty.
        """
        if labels.size == 0:
            raise InputError(f"labels must have at least one sample, got shape {labels.shape}")
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= labels.size or np.any(np.bincount(labels.ravel()) == 0):
            raise InputError(
                f"labels must be 0..R-1 with none missing, got {low}..{high}; renumber them first"
            )
        frozen = np.array(labels, dtype=np.int32, order="C")
        frozen.flags.writeable = False
        return cls(labels.shape, rule, frozen, None)

    @classmethod
    def from_boxes(
        cls, shape: tuple[int, ...], boxes: Int[ndarray, "regions 2 dims"], rule: str
    ) -> Partition:
        """Partition from boxes that tile `shape` without gap or overlap.

        Raises:
            InputError: a box is empty or outside the signal, or the boxes leave a gap or overlap.
        """
        if boxes.ndim != 3 or boxes.shape[1:] != (2, len(shape)) or len(boxes) == 0:
            raise InputError(f"boxes must have shape (regions, 2, {len(shape)}), got {boxes.shape}")
        frozen = np.array(boxes, dtype=np.int64, order="C")
        lengths = frozen[:, 1] - frozen[:, 0]
        if (lengths < 1).any() or (frozen[:, 0] < 0).any() or (frozen[:, 1] > np.asarray(shape)).any():
            raise InputError(f"boxes must be non-empty and inside the signal's shape {shape}")
        frozen.flags.writeable = False
        partition = cls(shape, rule, None, frozen)
        # Counting cells before they are filled bounds the work, whatever boxes a damaged file holds.
        first, last = partition._cells
        covered = int((last - first).prod(axis=1).sum())
        if covered != math.prod(len(e) - 1 for e in partition.edges or []) or (partition.table < 0).any():
            raise InputError(f"boxes must tile the shape {shape} without gap or overlap")
        return partition

    @property
    def regions(self) -> int:
        """Number of regions."""
        if self.boxes is not None:
            return len(self.boxes)
        return int(self.label_map.max()) + 1

    @cached_property
    def edges(self) -> list[Int64[ndarray, "_"]] | None:
        """Along each axis, the samples at which some box starts or stops, 0 and the end included, ascending;
        None for a label map."""
        if self.boxes is None:
            return None
        edges = [np.unique(np.append(self.boxes[:, :, a], (0, n))) for a, n in enumerate(self.shape)]
        if math.prod(len(e) - 1 for e in edges) > _LARGEST_TABLE:
            raise InputError("boxes have too many different edges; use a label map for such a partition")
        return edges

    @cached_property
    def spans(self) -> tuple[list[Int64[ndarray, "_ 2"]], Int64[ndarray, "regions dims"]] | None:
        """Along each axis, the different extents of boxes (first sample, one past the last); and which of
        them each region has. None for a label map."""
        if self.boxes is None:
            return None
        spans, which = [], []
        for a, n in enumerate(self.shape):
            keys, place = np.unique(self.boxes[:, 0, a] * (n + 1) + self.boxes[:, 1, a], return_inverse=True)
            spans.append(np.stack(np.divmod(keys, n + 1), axis=1))
            which.append(place)
        return spans, np.stack(which, axis=1)

    @cached_property
    def table(self) -> Int32[ndarray, "..."]:
        """Region of each cell between consecutive `edges`; of each sample for a label map.

        Small for boxes, whatever the size of the signal.
        """
        if self.labels is not None:
            return self.labels
        assert self.boxes is not None
        assert self.edges is not None
        first, last = self._cells
        table = np.full([len(e) - 1 for e in self.edges], -1, np.int32)
        if table.size == len(self.boxes):
            table[tuple(first.T)] = np.arange(table.size)
        else:
            # All cells of all boxes, one box after another: counted within the box, axis by axis.
            counts = (last - first).prod(axis=1)
            region = np.repeat(np.arange(len(first)), counts)
            inside = np.arange(len(region)) - np.repeat(counts.cumsum() - counts, counts)
            cells = []
            for a in reversed(range(len(self.edges))):
                inside, place = np.divmod(inside, (last - first)[region, a])
                cells.append(first[region, a] + place)
            table[tuple(reversed(cells))] = region
        table.flags.writeable = False
        return table

    @cached_property
    def _cells(self) -> tuple[Int64[ndarray, "regions dims"], Int64[ndarray, "regions dims"]]:
        """First cell of each box, and one past the last, in `table`."""
        assert self.boxes is not None
        edges = list(enumerate(self.edges or []))
        first = [np.searchsorted(e, self.boxes[:, 0, a]) for a, e in edges]
        last = [np.searchsorted(e, self.boxes[:, 1, a]) for a, e in edges]
        return np.stack(first, axis=1), np.stack(last, axis=1)

    @cached_property
    def label_map(self) -> Int32[ndarray, "*shape"]:
        """Region of each sample."""
        if self.edges is None:
            return self.table
        labels = self.table
        for a, edges in enumerate(self.edges):
            labels = np.repeat(labels, np.diff(edges), axis=a)
        labels.flags.writeable = False
        return labels

    @cached_property
    def counts(self) -> Int64[ndarray, "regions"]:
        """Number of samples in each region."""
        if self.boxes is not None:
            volumes: Int64[ndarray, "regions"] = (self.boxes[:, 1] - self.boxes[:, 0]).prod(axis=1)
            return volumes
        return np.bincount(self.label_map.ravel(), minlength=self.regions).astype(np.int64)

    @cached_property
    def bounding_boxes(self) -> Int64[ndarray, "regions 2 dims"]:
        """First sample and one past the last sample of each region along each axis."""
        if self.boxes is not None:
            return self.boxes
        from scipy.ndimage import find_objects

        found = find_objects(self.label_map + 1)
        return np.array([[[s.start for s in f], [s.stop for s in f]] for f in found], dtype=np.int64)
