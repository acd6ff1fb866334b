"""Plots of a sweep: steps against boundaries, what is left of them, and a signal with its fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy import ndarray

from partinr.report.plots import COLOURS, INK, Draw
from partinr.shapes import Bool, Float, Float64, Shaped
from partinr.studies.hypothesis.evidence import Evidence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CURVE_POINTS = 300
_STYLES = ("-", "--", "-.", ":")
# The one left out is that of the published curve.
_COLOURS = (0, 1, 2, 4)


def growth(evidence: Evidence) -> Draw:
    """Every run, censored ones as arrows, with the published curve and those of maximum likelihood."""
    runs = evidence.runs

    def draw(axes: Axes) -> None:
        dots(axes, runs.boundaries, runs.steps, runs.censored)
        x = np.linspace(runs.sizes[0], runs.sizes[-1], _CURVE_POINTS)
        if evidence.published is not None:
            published = evidence.published
            axes.plot(published.boundaries, published.mean, "o", color=COLOURS[3], markersize=4, label="mean")
            curve = published.curve(x)
            positive = curve > 0
            label = f"as published, p = {published.p:.4f}"
            axes.plot(x[positive], curve[positive], "-", color=COLOURS[3], linewidth=1.6, label=label)
        for i, name in enumerate(evidence.ranked):
            fit = evidence.contenders[name].fit
            if fit is not None:
                above = f"AIC +{evidence.contenders[name].delta:.1f}" if i else "least AIC"
                colour = COLOURS[_COLOURS[i]]
                axes.plot(x, fit.median(x), _STYLES[i], color=colour, linewidth=1.4, label=f"{name}, {above}")
        titled(axes, "boundaries n", "steps")

    return draw


def residuals(evidence: Evidence) -> Draw:
    """Factor between each run's steps and the exponential's median, and where the best curve lies."""
    runs = evidence.runs
    fit = evidence.exponential

    def draw(axes: Axes) -> None:
        axes.axhline(1, color=INK, linewidth=0.8)
        if fit is not None:
            dots(axes, runs.boundaries, runs.steps / fit.median(runs.boundaries), runs.censored, zorder=3)
            x = np.linspace(runs.sizes[0], runs.sizes[-1], _CURVE_POINTS)
            spread = np.exp(1.96 * fit.deviation(x))
            axes.fill_between(
                x, 1 / spread, spread, color=COLOURS[0], alpha=0.12, linewidth=0, label="95 % of runs"
            )
            best = evidence.contenders[evidence.ranked[0]].fit
            if best is not None and best is not fit:
                label = f"{best.model.name} (least AIC)"
                axes.plot(x, best.median(x) / fit.median(x), "--", color=COLOURS[1], label=label)
        axes.margins(y=0.15)
        titled(axes, "boundaries n", "steps / exponential's median", loc="upper left", ncols=4)

    return draw


def dots(
    axes: Axes,
    x: Shaped[ndarray, "runs"],
    steps: Float64[ndarray, "runs"],
    censored: Bool[ndarray, "runs"],
    name: str = "runs",
    at_limit: str = "stopped at the limit",
    zorder: int = 2,
) -> None:
    """What was measured, and as arrows what is only known to be more."""
    for which, marker, label in ((~censored, ".", name), (censored, "^", at_limit)):
        if which.any():
            axes.plot(x[which], steps[which], marker, color=INK, alpha=0.5, label=label, zorder=zorder)


def titled(axes: Axes, x: str, y: str, loc: Literal["best", "upper left"] = "best", ncols: int = 1) -> None:
    """Titles, a legend, and a logarithmic vertical axis with plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter("")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc=loc, ncols=ncols, frameon=False, labelcolor=INK, fontsize=8)


def line_and_fit(
    places: Float[ndarray, "points"],
    signal: Float[ndarray, "points"],
    fit: Float[ndarray, "points"],
) -> Draw:
    """A step signal of one axis and the network that was fitted to it."""

    def draw(axes: Axes) -> None:
        axes.plot(places, signal, "-", color=COLOURS[0], linewidth=1.4, label="signal")
        axes.plot(places, fit, "-", color=COLOURS[1], linewidth=1.0, label="fit")
        axes.set_xlabel("coordinate")
        axes.set_ylabel("value")
        # Above the plot: there is no room that no signal crosses.
        legend = axes.legend(loc="lower right", ncols=2, frameon=False, labelcolor=INK, fontsize=8)
        legend.set_bbox_to_anchor((1, 1))

    return draw


def plane_and_fit(signal: Shaped[ndarray, "rows columns"], fit: Float64[ndarray, "rows columns"]) -> Draw:
    """A step signal of two axes and the network that was fitted to it, beside each other."""

    def draw(axes: Axes) -> None:
        gap = np.full((len(signal), max(1, signal.shape[1] // 24)), np.nan)
        both = np.concatenate([signal, gap, fit], axis=1)
        axes.imshow(both, cmap="gray", vmin=-1.2, vmax=1.2, interpolation="nearest")
        middle = signal.shape[1] / 2
        axes.set_xticks([middle, middle + signal.shape[1] + gap.shape[1]], ["signal", "fit"])
        axes.set_yticks([])

    return draw
