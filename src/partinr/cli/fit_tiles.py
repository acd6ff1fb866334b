"""`partinr fit` of signals that go into a store of tiles."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

import partinr
from partinr.cli import words
from partinr.cli.console import Bar, complain, decibels, duration, emit, say
from partinr.cli.exits import DONE, FAILED, INTERRUPTED
from partinr.cli.files import inr_beside
from partinr.cli.interrupt import Stop, stopping
from partinr.cli.rows import bits_per_sample, signal_row
from partinr.cli.wishes import Aims
from partinr.errors import InputError

# Options of `fit` that mean something in tiles.
_KNOWN = {
    *("source", "output", "psnr", "size", "bpp", "between", "channels_last", "value_range", "volume"),
    *("max_pixels", "resume", "quiet", "as_json", "tile", "memory", "workers", "cluster"),
    *("no_overview", "mask"),
}
# Files of fewer bytes are read without asking how large what they hold is.
_SMALL = 1 << 20


@dataclass(frozen=True)
class TileWishes:
    """What --tile, --memory, --workers and --cluster name; None: nothing."""

    tile: int | None
    memory: str | None
    workers: int | None
    cluster: str | None

    @property
    def bytes(self) -> int | None:
        """The budget of memory."""
        return None if self.memory is None else words.file_size(self.memory, "--memory")

    @property
    def asked(self) -> bool:
        """Whether tiles were asked for, whatever the signal."""
        return any(wish is not None for wish in (self.tile, self.workers, self.cluster))


def store_for(
    source: Path, output: Path | None, wishes: TileWishes, aims: Aims, given: Mapping[str, Any]
) -> Path | None:
    """The store that a fit is to write; None where it is one file.

    It is a store if the output's name or an option says so, if the input is an address, or if the input does
    not fit into memory and no name was given.

    Args:
        source: the input.
        output: the name that was given.
        wishes, aims: what else was.
        given: every argument of the command that is not as it is by default.

    Raises:
        InputError: the input does not fit into memory and a file was named, or there are options that
            tiles do not know.
    """
    from partinr.tiles.addresses import is_address
    from partinr.tiles.store import SUFFIX, is_store

    others = [f"--{name.replace('_', '-')}" for name in given if name not in _KNOWN]
    named = output is not None and is_store(output)
    if not (named or wishes.asked or is_address(source)):
        if others or aims.trains or aims.snr is not None:
            return None
        need = _need(source, given)
        if need is None or need <= (wishes.bytes or _memory()):
            return None
        if output is not None:
            raise InputError(
                f"{source} needs about {need / 1e9:,.1f} GB of memory as a whole, of "
                f"{(wishes.bytes or _memory()) / 1e9:,.1f} GB; name a store of tiles, as with "
                f"-o {output.with_suffix(SUFFIX)}, or allow more with --memory"
            )
    if others:
        raise InputError(
            f"{others[0]} is for fits of the whole, and {SUFFIX} stores are fitted in tiles by cosines; "
            "leave it out, or fit into an .inr file"
        )
    if aims.snr is not None or aims.trains:
        raise InputError("fits in tiles have a --psnr, a --size or --bpp; leave other goals out")
    if output is None:
        if is_address(source):
            raise InputError(f"-o must name the store for {source}, as with -o NAME{SUFFIX}")
        return inr_beside(source).with_suffix(SUFFIX)
    if not named:
        raise InputError(f"-o must end in {SUFFIX} for a fit in tiles, got {output}")
    return output


def _memory() -> int:
    from partinr.model.memory import free_memory

    return free_memory()


def _need(source: Path, given: Mapping[str, Any]) -> int | None:
    """Bytes that the fit of a whole would take, of files that are read in parts; None of others.

    What is more than pictures may have counts as more than there is.
    """
    from partinr.tiles.run import BYTES_A_VALUE

    spec = _spec(source, given)
    if spec is None:
        return None
    if spec.samples > partinr.signals.MAX_PIXELS and given.get("max_pixels") is None:
        return max(_memory() + 1, BYTES_A_VALUE * spec.samples * spec.channels)
    return BYTES_A_VALUE * spec.samples * spec.channels


def _spec(source: Path, given: Mapping[str, Any]) -> partinr.SignalSpec | None:
    """What a file holds that is read in parts."""
    from contextlib import closing

    from partinr.tiles.opening import File, read_in_parts

    try:
        file = File.local(source)
        if file.place.file.is_file() and file.place.file.stat().st_size < _SMALL:
            return None
        found = read_in_parts(
            source,
            channels_last=given.get("channels_last"),
            volume=given.get("volume"),
        )
        if found is None:
            return None
        with closing(found):
            return found.spec
    except (InputError, OSError):
        # Reading the whole says what is wrong.
        return None


def fit_in_tiles(
    source: Path,
    store: Path,
    wishes: TileWishes,
    aims: Aims,
    *,
    between: words.Between | None,
    mask: Path | None,
    channels_last: bool | None,
    value_range: str | None,
    volume: int | None,
    resume: bool,
    overview: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Fit into a store, and say what came of it."""
    goal = None
    if aims.size is not None or aims.bpp is not None:
        goal = partinr.Compact(size=aims.size, bpp=aims.bpp)
    elif aims.psnr is not None:
        goal = partinr.Compact(psnr=aims.psnr)
    if wishes.cluster is not None:
        # What Dask tells of connections that are lost is said in one line of ours.
        logging.disable(logging.CRITICAL)
    with stopping() as asked, Bar("fitting", quiet=quiet) as bar:
        result = partinr.fit_tiles(
            source,
            store,
            goal=goal,
            between=between,
            tile=wishes.tile,
            memory=wishes.bytes,
            workers=wishes.workers,
            cluster=wishes.cluster,
            resume=resume,
            overview=overview,
            watch=partinr.Watch(lambda progress: _follow(bar, asked, progress)),
            mask=mask,
            channels_last=channels_last,
            value_range=words.interval(value_range),
            volume=volume,
        )
    if as_json:
        emit(_facts(result))
    elif not quiet:
        say(_rows(result))
    complaint = _complaint(result)
    if complaint is not None:
        complain(complaint)
    interrupted = result.stopped == "callback"
    raise typer.Exit(INTERRUPTED if interrupted else DONE if result.reached else FAILED)


def _follow(bar: Bar, stop: Stop, progress: partinr.Progress) -> bool:
    if bar.due():
        quality = "" if progress.psnr is None else f"{decibels(progress.psnr)}  "
        tiles = f"{progress.steps:,.0f} of {progress.total_steps:,} tiles"
        note = f"{quality}{tiles}  {duration(progress.remaining)} left"
        bar.show(progress.fraction, note, "stopping" if stop.asked else None)
    return stop.asked


def _facts(result: partinr.TilesResult) -> dict[str, Any]:
    spec = result.spec
    return {
        "output": result.path,
        "bytes": result.size,
        "psnr": result.psnr,
        "seconds": result.seconds,
        "bits_per_sample": bits_per_sample(result.size, spec.samples),
        "tiles": result.layout.count,
        "done": result.done,
        "again": result.again,
        "tile": result.layout.side,
        "failed": [{"tile": list(index), "why": why} for index, why in result.failed.items()],
        "workers": result.workers,
        "target": result.goal.psnr,
        "reached": result.reached,
        "stopped": "interrupted" if result.stopped == "callback" else result.stopped,
        "shape": spec.shape,
        "channels": spec.channels,
        "dtype": spec.dtype,
    }


def _rows(result: partinr.TilesResult) -> list[tuple[str, object]]:
    spec, layout = result.spec, result.layout
    count = f"{layout.count:,}" if result.finished else f"{result.done:,} of {layout.count:,}"
    again = f", {result.again:,} fitted again" if result.again else ""
    size = f"{result.size:,} bytes, {bits_per_sample(result.size, spec.samples):.2f} bits a sample"
    by = "" if result.workers is None else f", {result.workers} at once"
    return [
        ("output", result.path),
        ("signal", signal_row(words.spelled(spec.shape), spec.channels, spec.dtype)),
        ("quality", f"{decibels(result.psnr)} PSNR"),
        ("size", size if result.finished else f"{result.size:,} bytes"),
        ("tiles", f"{count} of {words.spelled(layout.side)}{again}{by}"),
        ("time", f"{result.seconds:.1f} s"),
    ]


def _complaint(result: partinr.TilesResult) -> str | None:
    """What is wrong, if anything is."""
    go_on = f"{result.done:,} of {result.layout.count:,} tiles are done; go on with --resume"
    if result.stopped == "callback":
        return f"interrupted: {go_on}"
    if result.failed:
        index, why = next(iter(result.failed.items()))
        more = f" and {len(result.failed) - 1} others" if len(result.failed) > 1 else ""
        return f"tile {'/'.join(map(str, index))}{more} failed: {why}; {go_on}"
    if not result.reached:
        wanted = "the size" if result.goal.psnr is None else f"{decibels(result.goal.psnr)}"
        return f"fell short of {wanted}: {decibels(result.psnr)} PSNR in {result.size:,} bytes"
    return None
