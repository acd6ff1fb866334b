"""Plots as files of their own, PNG for pages and slides, SVG for print, and as parts of a page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from partinr.report import page
from partinr.report.plots import Draw, figure_of, to_svg


@dataclass(frozen=True)
class Plot:
    """A figure of its own, which a page may show too.

    Attributes:
        name: of its files, without suffix.
        draw: draws it.
        caption: what is to be seen.
        height: in inches of 150 pixels.
        width: likewise.
        on_page: whether the page shows it.
    """

    name: str
    draw: Draw
    caption: str
    height: float = 4.2
    width: float = 6.4
    on_page: bool = True

    def files(self, folder: Path) -> dict[Path, bytes]:
        """What goes into `name`.png and `name`.svg, black on white; the same plot is the same bytes."""
        from matplotlib import rc_context

        figure = figure_of(self.draw, self.width, self.height)
        files = {}
        for suffix, metadata in ((".png", None), (".svg", {"Date": None})):
            file = io.BytesIO()
            # Names inside an SVG are random without a salt.
            with rc_context({"svg.hashsalt": self.name}):
                figure.savefig(file, format=suffix[1:], metadata=metadata)
            files[folder / f"{self.name}{suffix}"] = file.getvalue()
        return files


def inline(plots: Sequence[Plot], across: float = 5.2) -> page.Html:
    """The plots that a page shows, `across` inches wide, which it scales to the room there is."""

    def svg(plot: Plot) -> str:
        return to_svg(plot.draw, plot.caption, width=across, height=across / plot.width * plot.height)

    return page.plots([(svg(plot), plot.caption) for plot in plots if plot.on_page])
