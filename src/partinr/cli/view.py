"""`partinr view`: an .inr file becomes a page in which the browser evaluates its function."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from partinr.cli.console import complain, say
from partinr.cli.files import SUFFIX, check_outputs
from partinr.cli.inputs import MAX_PIXELS, pixel_limit
from partinr.cli.options import option
from partinr.errors import InputError

PAGE = ".html"


def view(
    source: Annotated[
        Path,
        typer.Argument(metavar="FILE.inr", show_default=False, help="A file that fit wrote, or its address."),
    ],
    output: Annotated[
        Path | None,
        option(
            "The page to write. Default: beside FILE.inr, with its name.",
            "PAGE.html",
            "-o",
            "--output",
            show_default=False,
        ),
    ] = None,
    original: Annotated[
        Path | None,
        option(
            "What was fitted: the page then holds its values too, which makes it larger, and compares the "
            "function with them.",
            "IMAGE",
        ),
    ] = None,
    open_it: Annotated[bool, option("Open the page in the browser.", None, "--open")] = False,
    max_pixels: MAX_PIXELS = None,
    quiet: Annotated[bool, option("No summary.", None, "--quiet", "-q")] = False,
) -> None:
    """Write a page that is the function: one file in which the browser itself decodes FILE.inr and computes
    every pixel on the screen, at any zoom.

    It needs no server and no other file. Beside the function it shows pixels, interpolations, the partition,
    derivatives, slices of volumes, and sounds as curves that can be heard.

    Example: partinr view photo.inr
    """
    from partinr.tiles.addresses import is_address, on_this_machine

    beside = Path(source.name) if is_address(source) else source
    page = beside.with_suffix(PAGE) if output is None else output
    if page.suffix.lower() == SUFFIX:
        raise InputError(f"-o must be a page such as {page.with_suffix(PAGE).name}, got {page}")
    check_outputs({"-o": page}, [source, original])

    from partinr.file.inr import load
    from partinr.report.view.page import write_view
    from partinr.signals import read

    limit = pixel_limit(max_pixels)
    signal = None
    with on_this_machine(source, SUFFIX) as here:
        if original is not None:
            spec = load(here, max_samples=limit).signal
            signal = read(original, channels_last=spec.channel_axis, max_pixels=limit)
        written = write_view(page, here, signal)
    if not quiet:
        say(
            [
                ("page", page),
                ("size", f"{written.bytes:,} bytes, of a file of {written.file:,}"),
            ]
        )
    if open_it:
        import webbrowser

        if not webbrowser.open(page.resolve().as_uri()):
            complain(f"there is no browser that can be opened here; open {page} yourself")
