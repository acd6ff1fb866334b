"""An overview of a store: the function of the same picture at an eighth of the size, in a store of its own.

Whoever looks at all of a picture of many tiles would have all of them evaluated. So a store may have another
one in it, of means over 8 x 8 samples, which is fitted like any other; that one may have an overview, too,
until everything fits into a few tiles. Renderings whose pixels are 8 samples or more are made of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.fitting.goals.compact import Compact
from partinr.fitting.loop import Progress, Watch
from partinr.model import kernel
from partinr.model.extents import Crop
from partinr.shapes import Shaped
from partinr.tiles.mosaic import EIGHTH, OVERVIEW, Mosaic
from partinr.tiles.mosaic import open as open_mosaic
from partinr.tiles.run import fit_tiles
from partinr.tiles.source import Source, Window
from partinr.tiles.store import is_store

# Samples that are looked at as a whole without an overview; PSNR in dB that is enough for one.
_FEW, _ENOUGH = 1 << 22, 45.0


class Eighths(Source[Mosaic]):
    """Means over 8 samples along each axis of a function in tiles; the last one over those that are left.

    Args:
        path: of the store or the file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path, whole = path, open_mosaic(path)
        shape = eighth(whole.signal.shape)
        spec = whole.signal.resampled(shape, [(0.0, float(EIGHTH * n)) for n in shape])
        super().__init__(f"the overview of {os.fspath(path)}", spec, ranged=True)

    def _open(self) -> Mosaic:
        return open_mosaic(self._path)

    def _values(self, window: Window) -> Shaped[ndarray, "*shape channels"]:
        whole = self.handle
        crop: Crop = tuple(
            (float(EIGHTH * part.start), float(min(EIGHTH * part.stop, n)))
            for part, n in zip(window, whole.signal.shape, strict=True)
        )
        sums = np.zeros((*(part.stop - part.start for part in window), whole.signal.channels))
        first = 0
        for slab in whole.blocks(crop=crop):
            rows = (first + np.arange(len(slab))) // EIGHTH
            starts = np.flatnonzero(np.diff(rows, prepend=-1))
            values = np.add.reduceat(slab, starts, 0, np.float64)
            for axis in range(1, len(crop)):
                values = np.add.reduceat(values, range(0, values.shape[axis], EIGHTH), axis)
            sums[rows[starts]] += values
            first += len(slab)
        for axis, (start, stop) in enumerate(crop):
            n = round(stop - start)
            counts = np.minimum(EIGHTH, n - np.arange(0, n, EIGHTH))
            sums /= counts.reshape([-1 if a == axis else 1 for a in range(sums.ndim)])
        dtype = np.dtype(self.spec.dtype)
        means: Shaped[ndarray, "*shape channels"] = sums if dtype.kind == "f" else np.rint(sums)
        return means.astype(dtype)


def eighth(shape: Sequence[int]) -> tuple[int, ...]:
    """Of a picture's shape, rounded up."""
    return tuple(-(-n // EIGHTH) for n in shape)


def write_overview(
    path: str | os.PathLike[str],
    *,
    into: str | os.PathLike[str] | None = None,
    workers: int | None = 1,
    callback: Callable[[float], None] | None = None,
) -> Path | None:
    """Give a store its overview, and that one its own, unless they are there.

    Args:
        path: of the store or the file.
        into: folder in which it is to be; None for the store itself, if that can be written.
        workers: processes that fit it; see `fit_tiles`.
        callback: is told the share that is done, 0..1.

    Returns:
        where the overview is; None if the picture is so small that it needs none.

    Raises:
        InputError: the store cannot be read or written.
        OSError: the disk is full.

    Example:
        >>> import tempfile, numpy as np, partinr
        >>> path = tempfile.mkdtemp() + "/ramp.inrs"
        >>> _ = partinr.fit_tiles(np.eye(128), path, tile=64, workers=1)
        >>> write_overview(path) is None
        True
    """
    whole = open_mosaic(path)
    if whole.signal.samples <= _FEW:
        return None
    target = Path(into if into is not None else path) / OVERVIEW
    if whole.overview is None or into is not None:

        def told(progress: Progress) -> bool:
            if callback is not None:
                callback(progress.fraction)
            return False

        # An overview is as good as what it is of, as far as that can be seen.
        goal = Compact(psnr=_ENOUGH if whole.psnr is None else min(_ENOUGH, whole.psnr))
        lies = whole.signal.between
        watch = Watch(told)
        found = fit_tiles(
            Eighths(path), target, goal=goal, between=lies, workers=workers, resume=True, watch=watch
        )
        if not found.finished:
            raise InputError(f"{target}: the overview cannot be fitted: {next(iter(found.failed.values()))}")
    write_overview(target, workers=workers)
    return target


def seen_from_afar(
    path: str | os.PathLike[str], memory: int, folder: Path, callback: Callable[[float], None]
) -> Mosaic:
    """A function with an overview, if it is large: the store's own, or one that is made.

    It is kept in the store, where that is a folder that can be written to.

    Args:
        path: of the store or the file.
        memory: bytes of decoded tiles that are kept.
        folder: for the overview of others.
        callback: is told the share that is done, 0..1.

    Raises:
        InputError: it cannot be read.
    """
    found = open_mosaic(path, memory)
    if found.overview is not None or found.signal.samples <= _FEW or kernel.why_missing() is not None:
        return found
    if is_store(path) and Path(path).is_dir() and os.access(path, os.W_OK):
        write_overview(path, callback=callback)
        return open_mosaic(path, memory)
    folder.mkdir()
    target = write_overview(path, into=folder, callback=callback)
    assert target is not None
    return found.with_overview(open_mosaic(target, memory // EIGHTH))
