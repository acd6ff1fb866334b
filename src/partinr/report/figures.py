"""Plots as files of their own: PNG for pages and slides, SVG for print."""

from __future__ import annotations

from pathlib import Path

from partinr.files import atomic_write
from partinr.report.plots import Draw, figure_of


def write_figure(stem: Path, draw: Draw, *, width: float = 6.4, height: float = 4.2) -> list[Path]:
    """Write a plot as `stem`.png and `stem`.svg, black on white.

    Args:
        stem: the files' path without suffix.
        draw: what to draw.
        width: in inches of 150 pixels.
        height: likewise.

    Returns:
        the files.
    """
    from matplotlib import rc_context

    figure = figure_of(draw, width, height)
    written = []
    for suffix, metadata in ((".png", None), (".svg", {"Date": None})):
        path = stem.with_name(stem.name + suffix)
        # Names inside the SVG are random without a salt; with one, the same plot is the same file.
        with atomic_write(path) as file, rc_context({"svg.hashsalt": stem.name}):
            figure.savefig(file, format=suffix[1:], metadata=metadata)
        written.append(path)
    return written
