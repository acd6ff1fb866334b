"""Fitting in tiles: from a source to a store, by whatever workers there are."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

import partinr
from partinr.cores import on_cores, usable_cores
from partinr.errors import InputError
from partinr.files import folder_above
from partinr.fitting.defaults import between_for
from partinr.fitting.goals.compact import Compact, usual_goal
from partinr.fitting.goals.goal import Goal
from partinr.fitting.loop import Progress, Watch
from partinr.model import kernel
from partinr.model.memory import free_memory
from partinr.processes import refuse_import_again
from partinr.signals.signal import Between
from partinr.tiles.addresses import address, is_address
from partinr.tiles.eighths import Eighths, StoreSource
from partinr.tiles.fit import Fit, TilesResult, spelled
from partinr.tiles.layout import Layout, layout_of
from partinr.tiles.masked import Masked
from partinr.tiles.mosaic import OVERVIEW
from partinr.tiles.opening import opened_source
from partinr.tiles.place import made_place
from partinr.tiles.source import SignalSource, Span
from partinr.tiles.store import JOURNAL, MANIFEST, manifest_at
from partinr.tiles.tasks import Plan
from partinr.tiles.workers import Alone, Processes, Workers
from partinr.tiles.writing import Writing

# Bytes that a fit takes for each value of a tile, and a process without one (`benchmarks/tiles.py`).
BYTES_A_VALUE, BYTES_A_PROCESS = 45, 150 << 20
# Share of the free memory that is taken where no budget is named.
_SHARE = 0.75
FEW = 1 << 22
"""Samples that are looked at as a whole without an overview."""

# PSNR in dB that is enough for an overview; share of a fit that is done before there is one.
_ENOUGH, _TILES_SHARE = 45.0, 0.95


def fit_tiles(
    signal: Any,
    path: str | os.PathLike[str],
    *,
    goal: Goal | None = None,
    between: Between | None = None,
    tile: int | None = None,
    memory: int | None = None,
    workers: int | None = None,
    cluster: Any = None,
    resume: bool = False,
    overview: bool = True,
    watch: Watch | None = None,
    mask: Any = None,
    channels_last: bool | None = None,
    value_range: Span | None = None,
    volume: int | None = None,
) -> TilesResult:
    """Fit a signal that need not fit into memory, tile by tile, into a store.

    The store is the same, byte for byte, for any number of workers, and after any of them, or this process,
    was killed and the fit went on with `resume`.

    Args:
        signal: path or address of a file, an array, ...: see `partinr.tiles.opening.opened_source`.
        path: the store, a folder or an address; ends in .inrs by convention.
        goal: `Compact`, for the whole; None for `usual_goal()`.
        between: what lies between the samples; None: as `fit` has it.
        tile: side of the tiles in samples; None for about 3 million values a tile, 1024 x 1024 for pictures.
        memory: bytes that all processes together may take; None for three quarters of what is free.
        workers: processes on this machine, each on one core; 1 for this one alone; None for as many as cores
            and memory allow, which share all cores.
        cluster: address of a Dask scheduler, or a `distributed.Client`, whose workers do it instead.
        resume: go on with a store that is not finished; begin if there is none.
        overview: whether the store of a large picture or volume gets another one in it, of the same at an
            eighth of the size, for which the source is read again; not where the goal is a size.
        watch: who looks at it; its `callback` is told of every tile, and may stop the fit, which can go on.
        mask: which samples are there, another file, array, ... of the signal's shape without channels, true
            or not 0 where one is.
        channels_last: see `read`.
        value_range: see `read`.
        volume: see `read`.

    Raises:
        InputError: something asked for cannot be done; another run writes into the store; the source changes
            while it is read; a script without `if __name__ == "__main__":` asks for several processes.
        WorkersLost: nobody is left to do it; what is done is kept.
        OSError: the disk is full; what is done is kept.

    Example:
        >>> import tempfile, numpy as np, partinr
        >>> path = tempfile.mkdtemp() + "/ramp.inrs"
        >>> ramp = np.linspace(0, 1, 128 * 200, dtype=np.float32).reshape(128, 200)
        >>> goal = partinr.Compact(psnr=50)
        >>> result = partinr.fit_tiles(ramp, path, goal=goal, tile=128, workers=1)
        >>> result.layout.grid, result.psnr >= 50
        ((1, 2), True)
    """
    began = time.perf_counter()
    refuse_import_again()
    _require_kernel()
    if not isinstance(goal, Compact | None):
        raise InputError(f"fits in tiles have the goal Compact, got {type(goal).__name__}")
    with ExitStack() as stack:
        source = opened_source(
            signal,
            channels_last=channels_last,
            value_range=value_range,
            volume=volume,
            scratch=None if is_address(path) else folder_above(path),
        )
        stack.enter_context(closing(source))
        if mask is not None:
            flat = opened_source(mask, channels_last=False if source.spec.dims == 3 else None)
            source = Masked(source, stack.enter_context(closing(flat)))
        aim = goal or usual_goal(signal=source.whole if isinstance(source, SignalSource) else None)
        layout = layout_of(source.spec.shape, source.spec.channels, tile)
        lies = between_for(source.spec, between or "auto")
        version, target = partinr.__version__, address(path) if is_address(path) else None
        count = None if cluster is not None else _workers(layout, source.spec.channels, memory, workers)
        each = 1 if count is None else max(1, usable_cores() // count)
        if workers is not None:  # who names them means as many cores
            stack.enter_context(on_cores(workers))
            each = 1
        plan = Plan(source, layout, None, None, lies, source.identity(), version, target, each)
        writing = stack.enter_context(closing(Writing(path, resume=resume)))
        small = source.spec.dims == 1 or source.spec.samples <= FEW
        overview = overview and not small and aim.psnr is not None
        fit = Fit(writing, plan, aim, _from_on(watch, 0, _TILES_SHARE if overview else 1), began)
        fit.check_same()
        stopped = "solved"
        if writing.manifest is None or writing.manifest.tiles is None:
            with closing(_hired(count, cluster)) as hired:
                stopped = fit.run(hired)
        found = fit.result(str(path), count, stopped)
        if overview and found.finished:
            done = fit_overviews(
                Eighths(source, found.spec),
                path,
                found.psnr,
                memory=memory,
                workers=workers,
                cluster=cluster,
                watch=_from_on(watch, _TILES_SHARE, 1, found),
            )
            found = replace(found, seconds=time.perf_counter() - began, stopped=done)
        return found


def fit_overviews(
    eighths: Eighths,
    path: str | os.PathLike[str],
    psnr: float | None,
    *,
    memory: int | None = None,
    workers: int | None = None,
    cluster: Any = None,
    watch: Watch | None = None,
) -> str:
    """Give a store the overview that it lacks, and that one its own, until all of it is few samples.

    Args:
        eighths: of what the store is of, or of the store.
        path: the store, or a folder for the overview of something else.
        psnr: of what it is of in dB, if it is known: an overview is as good, as far as that can be seen.
        memory, workers, cluster, watch: as for `fit_tiles`.

    Returns:
        why it ended, as a `TilesResult` says it.

    Raises:
        InputError: an overview cannot be fitted; what the store has is kept.
    """
    target, goal = os.fspath(path), Compact(psnr=min(_ENOUGH, psnr or _ENOUGH))
    while eighths.whole.spec.samples > FEW:
        target = f"{target.rstrip('/')}/{OVERVIEW}"
        if not _is_there(target, eighths):
            count = layout_of(eighths.spec.shape, eighths.spec.channels).count
            found = fit_tiles(
                eighths,
                target,
                goal=goal,
                between=eighths.spec.between,
                memory=memory,
                workers=workers and min(workers, count),
                cluster=cluster,
                resume=True,
                overview=False,
                watch=watch,
            )
            if found.failed:
                raise InputError(
                    f"{target}: the overview cannot be fitted: {next(iter(found.failed.values()))}"
                )
            if not found.finished:
                return found.stopped
        with closing(StoreSource(target)) as store:
            eighths = Eighths(store, store.spec)
    return "solved"


def _is_there(overview: str, eighths: Eighths) -> bool:
    """Whether an overview is finished; one of something else that is not is forgotten."""
    place = made_place(overview)
    if place.read(MANIFEST) is None:
        return False
    manifest = manifest_at(place)
    if manifest.tiles is None and dict(manifest.source) != eighths.identity():
        place.remove(MANIFEST)
        place.remove(JOURNAL)
    return manifest.tiles is not None


def _from_on(watch: Watch | None, begin: float, end: float, found: TilesResult | None = None) -> Watch:
    """Who looks at a fit is told of a part of it, from one share of the whole to another; once the tiles are
    `found`, that they are done."""
    tell = None if watch is None else watch.callback
    if tell is None:
        return Watch()

    def told(progress: Progress) -> bool | None:
        part = replace(progress, fraction=begin + (end - begin) * progress.fraction)
        if found is not None:
            count, seconds = found.layout.count, found.seconds + progress.seconds
            part = Progress(count, count, seconds, part.fraction, found.psnr)
        return tell(part)

    return Watch(told)


def values_of_tile(layout: Layout, channels: int) -> int:
    """Values of the largest tile."""
    values = channels
    for side, n in zip(layout.side, layout.shape, strict=True):
        values *= min(side, n)
    return values


def _workers(layout: Layout, channels: int, memory: int | None, asked: int | None) -> int:
    """How many processes there are to be."""
    if asked is not None and asked < 1:
        raise InputError(f"workers must be at least 1, got {asked}")
    each = BYTES_A_PROCESS + BYTES_A_VALUE * values_of_tile(layout, channels)
    budget = _SHARE * free_memory() if memory is None else memory
    room = int((budget - BYTES_A_PROCESS) // each)
    if memory is not None and (room < 1 or (asked or 1) > max(room, 1)):
        wanted = asked or 1
        raise InputError(
            f"{wanted} workers with tiles of {spelled(layout.side)} need about "
            f"{(each * wanted + BYTES_A_PROCESS) / 1e6:,.0f} MB, got {memory / 1e6:,.0f} MB; allow "
            "more, or take smaller tiles"
        )
    return asked or max(1, min(usable_cores(), layout.count, room))


def _hired(count: int | None, cluster: Any) -> Workers:
    if count is None:
        from partinr.tiles.cluster import Cluster

        return Cluster(cluster)
    return Alone() if count == 1 else Processes(count)


def _require_kernel() -> None:
    lacking = kernel.why_missing()
    if lacking is not None:
        raise InputError(f"fits in tiles need the native kernel: {lacking}")
