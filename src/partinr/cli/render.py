"""`partinr render`: an .inr file becomes a picture or an array of any size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from partinr.cli import words
from partinr.cli.console import Bar, duration, say
from partinr.cli.files import check_outputs
from partinr.cli.inputs import MAX_PIXELS, pixel_limit
from partinr.cli.options import option
from partinr.cli.rows import signal_row


def render(
    source: Annotated[
        Path, typer.Argument(metavar="FILE.inr", show_default=False, help="A file that fit wrote.")
    ],
    output: Annotated[
        Path,
        option(
            "The file to write; its suffix says which format: .png, .tif, .npy, .jpg, .webp, .bmp, ...",
            "IMAGE",
            "-o",
            "--output",
            show_default=False,
        ),
    ],
    size: Annotated[
        str | None,
        option(
            "Width and height of the output. N for a signal of one axis; WxHxP, the number of planes "
            "last, for one of three. Default: the size of the crop.",
            "WxH",
        ),
    ] = None,
    scale: Annotated[float | None, option("Factor for every axis, instead of --size.", "S")] = None,
    crop: Annotated[
        str | None,
        option(
            "The part to render, in samples of the signal: from the first column and row to one past "
            "the last; fractions are allowed. X0,X1 on one axis, X0,Y0,P0,X1,Y1,P1 with planes. "
            "Default: everything.",
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
    max_pixels: MAX_PIXELS = None,
    quiet: Annotated[bool, option("No progress bar and no summary.", None, "--quiet", "-q")] = False,
) -> None:
    """Render an .inr file at its own size, at any other, or a part of it.

    Data of 16 bits or floating point comes back as such; a format that cannot hold it is refused. An existing
    output is replaced, once the new file is whole.

    Example: partinr render photo.inr -o large.png --scale 4
    """
    check_outputs({"-o": output}, [source])

    import shutil

    from partinr.file.inr import load
    from partinr.model.rendering import check_room, output_shape, render_blocks
    from partinr.signals import write_slabs

    model = load(source, max_samples=pixel_limit(max_pixels))
    if between is not None:
        model = model.with_between(between)
    dims = model.signal.dims
    wanted, part = words.size(size, dims), words.crop(crop, dims)
    shape = output_shape(model, wanted, scale, part)
    check_room(
        shape, model.signal, shutil.disk_usage(output.resolve().parent).free, f"on the disk of {output}"
    )
    with Bar("rendering", quiet=quiet) as bar:
        blocks = render_blocks(model, wanted, scale, part, point=point)
        write_slabs(output, _watched(blocks, shape[0], bar), shape, model.signal.resampled(shape, part))
    if not quiet:
        values = signal_row(words.spelled(shape), model.signal.channels, model.signal.dtype)
        say([("output", output), ("values", values), ("size", f"{output.stat().st_size:,} bytes")])


def _watched(blocks: Iterable[Any], length: int, bar: Bar) -> Iterator[Any]:
    """The blocks, with the bar moving as they pass."""
    done = 0
    for block in blocks:
        yield block
        done += len(block)
        if bar.due():
            bar.show(done / length, f"{duration(bar.elapsed * (length / done - 1))} left")
