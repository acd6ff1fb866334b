"""Curves of a comparison: quality against steps, seconds and arithmetic, a line for each variant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from partinr.report import page
from partinr.report.plots import Curve, Draw, curves, thinned, to_svg
from partinr.studies.comparison.summary import Family, Line

AXES = ("steps", "seconds", "arithmetic (TFLOP)")

_TERA = 1e12


@dataclass(frozen=True)
class Plot:
    """One quality against one axis.

    Attributes:
        draw: draws it.
        quality: PSNR or SSIM.
        axis: one of `AXES`.
        network: of all its curves.
        recipe: likewise.
    """

    draw: Draw
    quality: str
    axis: str
    network: str
    recipe: str

    @property
    def caption(self) -> str:
        """What is to be seen."""
        return f"{self.quality} against {self.axis}, {self.network}."

    @property
    def name(self) -> str:
        """Of a file, without suffix."""
        words = (self.network, self.recipe, self.quality, self.axis.split(" ")[0])
        # A recipe may have any name.
        return "-".join(re.sub(r"\W+", "_", word.lower()) for word in words)


def comparison_plots(family: Family) -> list[Plot]:
    """Six plots: PSNR and SSIM against steps, seconds and arithmetic; SSIM only if the signal has one.

    Lines are means over seeds; bands are a standard deviation to either side.
    """
    drawn = []
    for quality, label, of in (
        ("PSNR", "PSNR of the training loss (dB)", psnr_curve),
        ("SSIM", "SSIM", ssim_curve),
    ):
        for axis in AXES:
            found = [of(line, axis, colour) for colour, line in enumerate(family.lines)]
            lines = [thinned(curve) for curve in found if curve is not None]
            if lines:
                draw = curves(lines, axis, label)
                drawn.append(Plot(draw, quality, axis, family.network, family.recipe))
    return drawn


def inline(plots: Sequence[Plot]) -> page.Html:
    """The plots on a page."""
    return page.plots([(to_svg(plot.draw, plot.caption), plot.caption) for plot in plots])


def psnr_curve(line: Line, axis: str, colour: int = 0) -> Curve:
    """PSNR of the training loss at every step."""
    histories = [run.record.history for run in line.runs]
    seconds = np.mean([history.seconds for history in histories], axis=0)
    psnr = [history.psnr for history in histories]
    return _curve(line, axis, histories[0].step, seconds, psnr, colour)


def ssim_curve(line: Line, axis: str, colour: int = 0) -> Curve | None:
    """Structural similarity of the renderings along the way; None where signals are too small for it."""
    measured = [run.record.history.measured for run in line.runs]
    ssim = [[m.ssim for m in seed if m.ssim is not None] for seed in measured]
    if not ssim[0]:
        return None
    seconds = np.mean([[m.seconds for m in seed] for seed in measured], axis=0)
    steps = np.array([m.steps for m in measured[0]])
    return _curve(line, axis, steps, seconds, [np.array(seed) for seed in ssim], colour)


def _curve(
    line: Line,
    axis: str,
    steps: np.ndarray,
    seconds: Float[ndarray, "points"],
    quality: Sequence[Float[ndarray, "points"]],
    colour: int,
) -> Curve:
    x = {AXES[0]: steps, AXES[1]: seconds, AXES[2]: steps * (line.flops / _TERA)}[axis]
    values = np.stack(quality)
    spread = values.std(axis=0, ddof=1) if len(values) > 1 else None
    return Curve(line.name, x, values.mean(axis=0), colour, spread)
