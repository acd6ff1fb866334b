"""An overview of a store: the function of the same picture at an eighth of the size, in a store of its own.

Whoever looks at all of a picture of many tiles would have all of them evaluated. So a store may have another
one in it, of means over 8 x 8 samples, which is fitted like any other; that one may have an overview, too,
until everything fits into a few tiles. Renderings whose pixels are 8 samples or more are made of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from partinr.fitting.loop import Progress, Watch
from partinr.model import kernel
from partinr.tiles.eighths import Eighths, StoreSource
from partinr.tiles.mosaic import OVERVIEW, Mosaic
from partinr.tiles.mosaic import open as open_mosaic
from partinr.tiles.run import FEW, fit_overviews
from partinr.tiles.store import is_store


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
    if whole.signal.samples <= FEW:
        return None
    target = Path(into if into is not None else path)

    def told(progress: Progress) -> bool:
        if callback is not None:
            callback(progress.fraction)
        return False

    with closing(StoreSource(path)) as source:
        eighths = Eighths(source, source.spec)
        fit_overviews(eighths, target, whole.psnr, workers=workers, watch=Watch(told))
    return target / OVERVIEW


def seen_from_afar(
    path: str | os.PathLike[str], memory: int, folder: Path, callback: Callable[[float], None]
) -> Mosaic:
    """A function with an overview, if it is large: the store's own, or one that is made.

    It is kept in the store, where that is a folder that can be written to.

    Args:
        path: of the store or the file.
        memory: bytes of decoded tiles that are kept, and as many of the overview's.
        folder: for the overview of others.
        callback: is told the share that is done, 0..1.

    Raises:
        InputError: it cannot be read.
    """
    found = open_mosaic(path, memory)
    if found.overview is not None or found.signal.samples <= FEW or kernel.why_missing() is not None:
        return found
    if is_store(path) and Path(path).is_dir() and os.access(path, os.W_OK):
        write_overview(path, callback=callback)
        return open_mosaic(path, memory)
    folder.mkdir()
    target = write_overview(path, into=folder, callback=callback)
    assert target is not None
    return found.with_overview(open_mosaic(target, memory))
