"""How fast fits learn: PSNR against steps and against seconds, for one fit or for several to compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from partinr.fitting.fit import FitResult
from partinr.fitting.history import History
from partinr.report import page
from partinr.report.plots import Curve, curves, thinned, to_svg

_PSNR = "PSNR of the training samples (dB)"


@dataclass(frozen=True, eq=False)
class Run:
    """A fit with the name that it has in a comparison."""

    name: str
    result: FitResult

    @property
    def architecture(self) -> str:
        """Networks, their width and hidden layers, as the paper writes them: 9 × 170x3."""
        network = self.result.model.networks[0]
        return f"{self.result.regions:,} × {network.hidden}x{network.layers}"


def psnr_after(history: History, seconds: float) -> float:
    """PSNR in dB of the last training loss that was known after so many seconds; before any, of the first."""
    known = int(np.searchsorted(history.seconds, seconds, side="right"))
    return float(history.psnr[max(known - 1, 0)])


def seconds_to(history: History, psnr: float) -> float | None:
    """Seconds after which the training loss first had this PSNR (dB); None if it never had."""
    there = np.flatnonzero(history.psnr >= psnr)
    return float(history.seconds[there[0]]) if len(there) else None


def psnr_plots(runs: Sequence[Run], target: float | None = None) -> page.Html:
    """Two plots: PSNR against steps and against seconds, one line for each run.

    Args:
        runs: at least one, each of at least one step.
        target: PSNR (dB) that was asked for, drawn as a horizontal line.
    """
    level = None if target is None else (target, f"target, {target:g} dB")
    names = ", ".join(run.name for run in runs)
    drawn = []
    for axis in ("steps", "seconds"):
        lines = [
            thinned(
                Curve(
                    run.name,
                    run.result.history.step if axis == "steps" else run.result.history.seconds,
                    run.result.history.psnr,
                    colour,
                )
            )
            for colour, run in enumerate(runs)
        ]
        svg = to_svg(curves(lines, axis, _PSNR, level=level), f"PSNR against {axis}: {names}")
        drawn.append((svg, f"PSNR against {axis}. The dot marks the last step."))
    return page.plots(drawn)
