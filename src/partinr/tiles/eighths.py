"""A signal at an eighth of its size, as another one that is read in parts: what overviews are fitted to."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.shapes import Bool, Shaped
from partinr.signals.signal import SignalSpec
from partinr.tiles.mosaic import EIGHTH, Mosaic
from partinr.tiles.mosaic import open as open_mosaic
from partinr.tiles.place import opened_place
from partinr.tiles.source import Source, Window
from partinr.tiles.store import MANIFEST, digest, is_store

# Samples that are read at once.
_SLAB = 1 << 24


class StoreSource(Source[Mosaic]):
    """The function of a store or of a file, as a signal.

    Args:
        path: where it is.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        super().__init__(self._path, open_mosaic(path).signal, ranged=True)

    def _open(self) -> Mosaic:
        return open_mosaic(self._path)

    def _values(self, window: Window) -> Shaped[ndarray, "*shape channels"]:
        return self.handle[window]

    def identity(self) -> dict[str, Any]:
        """See `Source.identity`."""
        manifest = opened_place(self._path).read(MANIFEST) if is_store(self._path) else None
        return {} if manifest is None else {"store": digest(manifest)}


class Eighths(Source[Source[Any]]):
    """Means over 8 samples along each axis of a signal, of those that are there.

    The last one along an axis is over those that are left.

    Args:
        whole: the signal.
        spec: what the signal represents, as it is known by now.
    """

    def __init__(self, whole: Source[Any], spec: SignalSpec) -> None:
        self.whole = whole
        shape = tuple(-(-n // EIGHTH) for n in spec.shape)
        spec = spec.resampled(shape, [(0.0, float(EIGHTH * n)) for n in shape])
        super().__init__(f"the overview of {whole.name}", spec, ranged=True)
        self.shared = whole.shared

    def _open(self) -> Source[Any]:
        return self.whole

    def close(self) -> None:
        """See `Source.close`."""
        self.whole.close()
        super().close()

    def identity(self) -> dict[str, Any]:
        """See `Source.identity`."""
        return {"eighths": self.whole.identity()}

    def _values(self, window: Window) -> Shaped[ndarray, "*shape channels"]:
        return self._means(window)[0]

    def parcel(self, window: Window) -> Any:
        """See `Source.parcel`: means, and which are there."""
        return None if self.shared else self._means(window)

    def known(
        self, window: Window, parcel: Any = None
    ) -> tuple[Shaped[ndarray, "*shape channels"], Bool[ndarray, "*shape"] | None]:
        """See `Source.known`."""
        found: tuple[Any, Any] = parcel or self._means(window)
        return found

    def _means(
        self, window: Window
    ) -> tuple[Shaped[ndarray, "*shape channels"], Bool[ndarray, "*shape"] | None]:
        shape, dtype = [part.stop - part.start for part in window], np.dtype(self.spec.dtype)
        means = np.zeros((*shape, self.spec.channels), dtype)
        there = np.zeros(shape, bool)
        row = self.spec.channels * EIGHTH ** len(shape) * int(np.prod(shape[1:]))
        rows = max(1, _SLAB // row)
        for first in range(0, shape[0], rows):
            last = min(first + rows, shape[0])
            parts = [slice(window[0].start + first, window[0].start + last), *window[1:]]
            box = tuple(
                slice(EIGHTH * part.start, min(EIGHTH * part.stop, n))
                for part, n in zip(parts, self.whole.spec.shape, strict=True)
            )
            found = self.whole.signal(box, self.spec.value_range)
            if found is None:
                continue
            known = np.ones(found.shape, np.uint8) if found.mask is None else found.mask.astype(np.uint8)
            values = found.values if found.mask is None else found.values * known[..., None]
            counts = _added(known, len(shape))
            there[first:last] = counts > 0
            sums = _added(values, len(shape)) / np.maximum(counts, 1)[..., None]
            means[first:last] = sums if dtype.kind == "f" else np.rint(sums)
        return means, None if there.all() else there


def _added(values: Shaped[ndarray, "..."], axes: int) -> Shaped[ndarray, "..."]:
    """Sums of each 8 along the first axes: whole numbers of bytes, in double precision of others."""
    dtype = np.dtype(np.uint32 if values.dtype in (np.uint8, np.bool_) else np.float64)
    found = values
    for axis in range(axes):
        lines = np.moveaxis(found, axis, 0)
        sums = lines[::EIGHTH].astype(dtype)
        for k in range(1, EIGHTH):
            more = lines[k::EIGHTH]
            sums[: len(more)] += more
        found = np.moveaxis(sums, 0, axis)
    return found
