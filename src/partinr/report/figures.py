"""Plots as files of their own: PNG for pages and slides, SVG for print."""

from __future__ import annotations

import io
from pathlib import Path

from partinr.report.plots import Draw, figure_of


def figure_files(stem: Path, draw: Draw, *, width: float = 6.4, height: float = 4.2) -> dict[Path, bytes]:
    """A plot as `stem`.png and `stem`.svg, black on white; the same plot is the same bytes.

    Args:
        stem: the files' path without suffix.
        draw: what to draw.
        width: in inches of 150 pixels.
        height: likewise.

    Returns:
        what goes into each file.
    """
    from matplotlib import rc_context

    figure = figure_of(draw, width, height)
    files = {}
    for suffix, metadata in ((".png", None), (".svg", {"Date": None})):
        file = io.BytesIO()
        # Names inside an SVG are random without a salt.
        with rc_context({"svg.hashsalt": stem.name}):
            figure.savefig(file, format=suffix[1:], metadata=metadata)
        files[stem.with_name(stem.name + suffix)] = file.getvalue()
    return files
