"""Curves of a comparison: quality against steps, seconds and arithmetic, a line for each variant, and against
bits, a dot for each."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from partinr.report.figures import Plot
from partinr.report.plots import Curve, curves
from partinr.studies.comparison.rival import Rival
from partinr.studies.comparison.summary import Family, Line

AXES = ("steps", "seconds", "arithmetic (TFLOP)")

_TERA = 1e12


def comparison_plots(family: Family, rivals: Sequence[Rival] = ()) -> list[Plot]:
    """Seven plots: PSNR and SSIM against steps, seconds and arithmetic; SSIM only if the signal has one; and
    PSNR of files against their bits, the rivals' too.

    Lines are means over seeds; bands are a standard deviation to either side.
    """
    drawn = []
    for quality, label in (("PSNR", "PSNR of the training loss (dB)"), ("SSIM", "SSIM")):
        for axis in AXES:
            found = [_curve(line, quality, axis, colour) for colour, line in enumerate(family.lines)]
            lines = [curve for curve in found if curve is not None]
            if lines:
                name = _file_name(family, quality, axis.split(" ")[0])
                caption = f"{quality} against {axis}, {family.network}."
                drawn.append(Plot(name, curves(lines, axis, label), caption))
    return [*drawn, _bits_plot(family, rivals)]


def _bits_plot(family: Family, rivals: Sequence[Rival]) -> Plot:
    """PSNR of files against their bits: means over seeds, as dots."""
    of_lines = [(line.name, line.bits.mean, line.stored_psnr.mean) for line in family.lines]
    # What loses nothing has no place on such an axis.
    of_rivals = [(rival.name, rival.bits, rival.psnr) for rival in rivals]
    dots = [
        Curve(name, np.array([bits]), np.array([psnr]), colour)
        for colour, (name, bits, psnr) in enumerate([*of_lines, *of_rivals])
        if np.isfinite(psnr)
    ]
    return Plot(
        _file_name(family, "PSNR", "bits"),
        curves(dots, "bits a sample", "PSNR of the file (dB)"),
        f"PSNR against bits a sample of whole files, {family.network}.",
    )


def _file_name(family: Family, quality: str, axis: str) -> str:
    # A recipe may have any name.
    return "-".join(
        re.sub(r"\W+", "_", word.lower()) for word in (family.network, family.recipe, quality, axis)
    )


def _curve(line: Line, quality: str, axis: str, colour: int) -> Curve | None:
    """PSNR of the loss at every step, or SSIM of the renderings along the way; None where there are none."""
    histories = [run.record.history for run in line.runs]
    if quality == "PSNR":
        steps, seconds = histories[0].step, [history.seconds for history in histories]
        values = np.array([history.psnr for history in histories])
    else:
        looks = [[look for look in history.measured if look.ssim is not None] for history in histories]
        if not looks[0]:
            return None
        steps = np.array([look.steps for look in looks[0]])
        seconds = [np.array([look.seconds for look in seed]) for seed in looks]
        values = np.array([[look.ssim for look in seed] for seed in looks], np.float64)
    x = {AXES[0]: steps, AXES[1]: np.mean(seconds, axis=0), AXES[2]: steps * (line.flops / _TERA)}[axis]
    spread = values.std(axis=0, ddof=1) if len(values) > 1 else None
    return Curve(line.name, x, values.mean(axis=0), colour, spread)
