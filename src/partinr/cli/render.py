"""`partinr render`: an .inr file becomes a picture, a sound, a video or an array of any size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

import partinr
from partinr.cli import words
from partinr.cli.console import Bar, duration, say
from partinr.cli.files import check_outputs
from partinr.cli.inputs import MAX_PIXELS, pixel_limit
from partinr.cli.options import option
from partinr.cli.rows import signal_row
from partinr.errors import InputError

# Of scales, far more than any memory has room for.
_LARGEST = 1e9


def render(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.inr|STORE.inrs",
            show_default=False,
            help="A file or a store of tiles that fit wrote; stores may be at an address.",
        ),
    ],
    output: Annotated[
        Path,
        option(
            "The file to write; its suffix says which format: .png, .tif, .npy, .jpg, .webp, .wav, .flac, "
            ".mp4, .webm, .gif, .nii.gz, .zarr, ... frames/%04d.png writes each frame as a picture.",
            "FILE",
            "-o",
            "--output",
            show_default=False,
        ),
    ],
    size: Annotated[
        str | None,
        option(
            "Width and height of the output. N for a signal of one axis; WxHxP, the number of planes or "
            "frames last, for one of three, which are left as they are without it. Default: the size of the "
            "crop.",
            "WxH",
        ),
    ] = None,
    scale: Annotated[
        float | None, option("Factor for every axis but a video's time, instead of --size.", "S")
    ] = None,
    rate: Annotated[float | None, option("Of sounds: samples a second, instead of --size.", "HZ")] = None,
    fps: Annotated[float | None, option("Of videos: frames a second, at any size.", "RATE")] = None,
    picture: Annotated[
        float | None,
        option(
            "Of videos and volumes: one frame or plane, from 0, as a picture. Fractions are between them.",
            "N",
        ),
    ] = None,
    crop: Annotated[
        str | None,
        option(
            "The part to render, in samples of the signal: from the first column and row to one past "
            "the last; fractions are allowed. X0,X1 on one axis, X0,Y0,P0,X1,Y1,P1 with planes or frames, "
            "all of them without. Default: everything.",
            "X0,Y0,X1,Y1",
        ),
    ] = None,
    point: Annotated[
        bool,
        option(
            "Values at the middles of pixels also where pixels are larger than samples of the signal. "
            "Without it, each such pixel is the mean of the function over its area.",
            None,
            "--point",
        ),
    ] = False,
    between: Annotated[
        words.Between | None,
        option("What the function is between the samples. Default: as the file says."),
    ] = None,
    derivative: Annotated[
        str | None,
        option(
            "A derivative of the function instead of its values: x, y or z, or what the signal's axes are "
            "called, along one axis; gradient for all of them, one after the other; laplacian. In units of "
            "the values per unit of the axes, per sample of the signal if they have none. .npy, .tif and "
            ".pfm hold the numbers; others get a picture: zero is grey, or black for a gradient's length.",
            "WORD",
        ),
    ] = None,
    max_pixels: MAX_PIXELS = None,
    quiet: Annotated[bool, option("No progress bar and no summary.", None, "--quiet", "-q")] = False,
) -> None:
    """Render an .inr file or a store of tiles at its own size, at any other, or a part of it.

    Of a store, the tiles are read that the part touches, and however large the output, memory is bounded if
    the format is written row by row: PNG, TIFF, .npy.

    Data of 16 bits or floating point comes back as such; a format that cannot hold it is refused. An existing
    output is replaced, once the new file is whole.

    Example: partinr render photo.inr -o large.png --scale 4

    Example: partinr render photo.inr -o edges.png --derivative gradient

    Example: partinr render film.inr -o slow.mp4 --fps 100
    """
    check_outputs({"-o": output}, [source])

    import shutil
    from dataclasses import replace
    from functools import partial

    import numpy as np

    from partinr.file.inr import load
    from partinr.files import folder_above
    from partinr.model.derivatives import Rendered
    from partinr.model.extents import check_room, output_shape
    from partinr.model.memory import free_memory
    from partinr.model.rendering import render_blocks, rendered_spec
    from partinr.report.slopes import picture_of, picture_spec
    from partinr.signals.writing import (
        holds_fractions,
        still_of,
        writable_format,
        write_slabs,
        written_size,
    )
    from partinr.tiles.addresses import on_this_machine
    from partinr.tiles.mosaic import open as open_mosaic
    from partinr.tiles.store import is_store

    blocks: Any
    if is_store(source):
        mosaic = open_mosaic(source)
        signal = mosaic.signal if between is None else replace(mosaic.signal, between=between)
        blocks = partial(mosaic.blocks, between=between)
    else:
        with on_this_machine(source, ".inr") as here:
            model = load(here, max_samples=pixel_limit(max_pixels))
        model = model if between is None else model.with_between(between)
        signal, blocks = model.signal, partial(render_blocks, model)
    wanted, factor, part = _grid(signal, size, scale, rate, fps, picture, crop)
    shape = output_shape(signal, wanted, factor, part)
    spec = rendered_spec(signal, derivative).resampled(shape, part)
    check_room(shape, spec, shutil.disk_usage(folder_above(output)).free, f"on the disk of {output}")
    rows = []
    with Bar("rendering", quiet=quiet) as bar:
        found = blocks(wanted, factor, part, point=point, derivative=derivative)
        slabs = _watched(found, shape[0], bar)
        if derivative is not None:
            asked = Rendered(derivative, signal)
            rows = [("derivative", f"{derivative} {asked.unit}")]
            if not holds_fractions(output):
                # The largest number decides what the others look like, so all are there at once.
                check_room(shape, spec, free_memory(), "of memory")
                spec = picture_spec(asked).resampled(shape, part)
                if picture is None:
                    writable_format(output, shape, spec)
                values, scale_row = picture_of(np.concatenate(list(slabs)), asked)
                slabs, rows = iter([values]), [*rows, ("scale", scale_row)]
        if picture is not None:
            slabs, spec, shape = (slab[0] for slab in slabs), still_of(shape, spec), shape[1:]
        write_slabs(output, slabs, shape, spec)
    if not quiet:
        row = signal_row(words.spelled(shape), spec.channels, spec.dtype)
        say([("output", output), ("values", row), *rows, ("size", f"{written_size(output):,} bytes")])


class _Grid(NamedTuple):
    """What is rendered: a size or a scale, and a part, as `render_blocks` takes them."""

    size: tuple[int, ...] | None
    scale: float | None
    crop: tuple[tuple[float, float], ...] | None


def _grid(
    spec: partinr.SignalSpec,
    size: str | None,
    scale: float | None,
    rate: float | None,
    fps: float | None,
    picture: float | None,
    crop: str | None,
) -> _Grid:
    """What the options ask for together.

    Raises:
        InputError: they do not go together, or not with the signal.
    """
    from partinr.signals.sound import at_rate

    given = [
        name for name, one in (("--size", size), ("--scale", scale), ("--rate", rate)) if one is not None
    ]
    if len(given) > 1:
        raise InputError(f"give one of --size, --scale and --rate, got {' and '.join(given)}")
    if rate is not None:
        length, within = at_rate(spec, rate, words.crop(crop, spec.dims))
        return _Grid((length,), None, within)
    if spec.dims == 3:
        return _planes(spec, size, scale, fps, picture, crop)
    if (fps, picture) != (None, None):
        raise InputError(
            f"--fps and --picture are for videos and volumes, got a signal of the kind {spec.kind}"
        )
    return _Grid(words.size(size, spec.dims), scale, words.crop(crop, spec.dims))


def _planes(
    spec: partinr.SignalSpec,
    size: str | None,
    scale: float | None,
    fps: float | None,
    picture: float | None,
    crop: str | None,
) -> _Grid:
    """The same of a signal of three axes. How many frames a video has is a matter of its rate alone."""
    from partinr.signals.videos.timing import at_fps

    planes = spec.shape[0]
    part = words.crop(crop, 3, (0.0, float(planes))) or tuple((0.0, float(n)) for n in spec.shape)
    if picture is not None:
        if fps is not None or not 0 <= picture <= planes - 1:
            raise InputError(f"--picture must be 0 to {planes - 1}, without --fps, got {picture:g}")
        part = ((picture, picture + 1), *part[1:])
    frames = max(1, round(part[0][1] - part[0][0]))
    if fps is not None:
        frames, part = at_fps(spec, fps, part)
    wanted = words.size(size, 3, frames)
    alone = (fps, picture) != (None, None)
    if wanted is not None and wanted[0] != frames and alone:
        raise InputError("--fps and --picture say how many frames there are; give --size WxH")
    if wanted is None and (spec.kind == "video" or alone):
        factor = 1.0 if scale is None else scale
        if not 0 < factor < _LARGEST:
            raise InputError(f"the scale must be a positive number, got {scale}")
        wanted = (frames, *(max(1, round((stop - start) * factor)) for start, stop in part[1:]))
    return _Grid(wanted, None if wanted is not None else scale, part)


def _watched(blocks: Iterable[Any], length: int, bar: Bar) -> Iterator[Any]:
    """The blocks, with the bar moving as they pass."""
    done = 0
    for block in blocks:
        yield block
        done += len(block)
        if bar.due():
            bar.show(done / length, f"{duration(bar.elapsed * (length / done - 1))} left")
