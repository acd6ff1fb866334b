"""Plots: curves of fits and signals of one axis, as inline SVG for pages or as pictures."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy import ndarray

from partinr.model.partition.partition import Partition
from partinr.report.pictures import RGB
from partinr.shapes import Float, Shaped, UInt8
from partinr.signals.scattered import Scattered
from partinr.signals.signal import Signal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Draw = Callable[["Axes"], None]
"""Draws into the axes that it is given."""

# The palette of Okabe and Ito, which colour-blind people can tell apart; its blue a little lighter, so
# that all are legible on white and on black.
COLOURS = ("#1f83c4", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#7f8790")
SHOWN_CHANNELS = 4
"""Channels of a signal that are drawn."""

STYLES: tuple[Literal["-", "--", ":", "-."], ...] = ("-", "--", "-.", ":")
INK = "#010203"
"""Stands for the page's text colour in an SVG until it is replaced by `currentColor`."""

_DOTS_PER_INCH = 150
# More points than a plot has pixels across only make files large.
_POINTS = 1500
# Pictures with fewer pixels along the longer side have hard edges.
_HARD = 128


@dataclass(frozen=True, eq=False)
class Curve:
    """A line in a plot.

    Attributes:
        label: its entry in the legend.
        x, y: its points.
        colour: which of the palette's colours, counted from 0.
        spread: half the height of a band around the line, such as a standard deviation.
    """

    label: str
    x: Shaped[ndarray, "points"]
    y: Float[ndarray, "points"]
    colour: int = 0
    spread: Float[ndarray, "points"] | None = None


def curves(
    lines: Sequence[Curve],
    x_label: str,
    y_label: str,
    *,
    level: tuple[float, str] | None = None,
) -> Draw:
    """Lines with a legend, their last points marked; `level` is a horizontal line and what it says."""

    from matplotlib.ticker import MaxNLocator

    def draw(axes: Axes) -> None:
        for line in lines:
            line = thinned(line)
            colour, style = COLOURS[line.colour % len(COLOURS)], STYLES[line.colour % len(STYLES)]
            axes.plot(line.x, line.y, style, color=colour, linewidth=1.6, label=line.label)
            axes.plot(line.x[-1:], line.y[-1:], "o", color=colour, markersize=5)
            if line.spread is not None:
                low, high = line.y - line.spread, line.y + line.spread
                axes.fill_between(line.x, low, high, color=colour, alpha=0.2, linewidth=0)
        if level is not None:
            axes.axhline(level[0], color=INK, linewidth=0.8, linestyle=(0, (4, 3)), label=level[1])
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.set_xlim(left=0)
        if all(line.x.dtype.kind == "i" for line in lines):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(lines) > 1 or level is not None:
            axes.legend(loc="best", frameon=False, labelcolor=INK, fontsize=9)

    return draw


def draw_signals(
    axes: Axes, signals: Sequence[Shaped[ndarray, "samples channels"]], y_label: str = "value"
) -> None:
    """Signals of one axis, in one colour a channel and one style a signal; at most four channels of each."""
    for values, style in zip(signals, STYLES, strict=False):
        for channel in range(min(values.shape[1], SHOWN_CHANNELS)):
            x, y = envelope(values[:, channel])
            axes.plot(x, y, style, color=COLOURS[channel], linewidth=1.2)
            # A line has nothing to show of a sample between two that are missing.
            around = np.isnan(np.pad(y, 1, constant_values=np.nan))
            alone = around[:-2] & around[2:] & ~np.isnan(y)
            axes.plot(x[alone], y[alone], ".", color=COLOURS[channel], markersize=2)
    axes.set_xlabel("sample")
    axes.set_ylabel(y_label)


def with_gaps(signal: Signal) -> Shaped[ndarray, "samples channels"]:
    """Values of one axis, NaN where samples are missing."""
    if signal.mask is None:
        return signal.values
    gaps: Shaped[ndarray, "samples channels"] = np.where(
        signal.mask[:, None], signal.values.astype(np.float64), np.nan
    )
    return gaps


def draw_samples(
    axes: Axes,
    values: Float[ndarray, "samples channels"],
    first: int,
    places: Float[ndarray, "points"],
    between: Shaped[ndarray, "points channels"],
) -> None:
    """Samples as dots, counted from `first`, and lines with values between them."""
    for channel in range(min(values.shape[1], SHOWN_CHANNELS)):
        colour = COLOURS[channel]
        axes.plot(np.arange(first, first + len(values)), values[:, channel], "o", color=colour, markersize=3)
        axes.plot(places, between[:, channel], "-", color=colour, linewidth=1)
    axes.set_xlabel("sample")
    axes.set_ylabel("value")


def draw_borders(axes: Axes, signal: Signal, partition: Partition) -> None:
    """A signal of one axis, with a vertical line between samples of different regions."""
    changes = np.flatnonzero(np.diff(partition.label_map)) + 0.5
    # Thinner where there are many, so that they don't hide the signal.
    strength = max(0.08, min(0.8, 60 / max(1, len(changes))))
    # More lines than pixels would be an even grey, and so are fewer of them.
    drawn = changes[:: max(1, len(changes) // _POINTS)]
    whole = axes.get_xaxis_transform()
    axes.vlines(drawn, 0, 1, transform=whole, color=INK, linewidth=0.9, alpha=strength, zorder=0)
    draw_signals(axes, [with_gaps(signal)])


def draw_points(axes: Axes, signal: Scattered) -> None:
    """Points and, as heights or colours, their first channel; of three axes the last two, of many some."""
    chosen = np.unique(np.linspace(0, len(signal.points) - 1, _POINTS).round().astype(int))
    known = signal.spec.axes or ()
    places = [
        axis.origin + (along + 1) / 2 * axis.spacing * (n - 1)
        for axis, along, n in zip(known, signal.points[chosen].T, signal.shape, strict=True)
    ]
    values = signal.exact[chosen, 0]
    axes.set_xlabel(known[-1].name)
    if signal.spec.dims == 1:
        axes.plot(places[0], values, "o", color=COLOURS[0], markersize=2)
        axes.set_ylabel("value")
        return
    drawn = axes.scatter(places[-1], places[-2], 6, values, cmap="viridis", rasterized=True)
    axes.invert_yaxis()  # rows of pictures go down
    axes.set_ylabel(known[-2].name)
    figure = axes.get_figure()
    assert figure is not None
    figure.colorbar(drawn, ax=axes)


def draw_picture(axes: Axes, picture: RGB) -> None:
    """A picture, with hard edges where it has few pixels."""
    few = max(picture.shape[:2]) < _HARD
    axes.imshow(picture, interpolation="nearest" if few else "antialiased")
    axes.set_xticks([])
    axes.set_yticks([])


def envelope(
    values: Shaped[ndarray, "samples"],
) -> tuple[Float[ndarray, "points"], Float[ndarray, "points"]]:
    """Points of a line that looks like the samples: all, or the least and greatest of each short stretch.

    Where a stretch is NaN throughout, so is the line.
    """
    exact = values.astype(np.float64)
    if len(exact) <= 2 * _POINTS:
        return np.arange(len(exact), dtype=np.float64), exact
    starts = np.linspace(0, len(exact), _POINTS, endpoint=False).astype(int)
    pairs = np.stack([np.fmin.reduceat(exact, starts), np.fmax.reduceat(exact, starts)], axis=1)
    return np.repeat(starts.astype(np.float64), 2), pairs.ravel()


def thinned(curve: Curve) -> Curve:
    """The curve with at most as many points as a plot can show; the last one is kept."""
    if len(curve.x) <= _POINTS:
        return curve
    chosen = np.unique(np.linspace(0, len(curve.x) - 1, _POINTS).round().astype(int))
    spread = None if curve.spread is None else curve.spread[chosen]
    return Curve(curve.label, curve.x[chosen], curve.y[chosen], curve.colour, spread)


def to_svg(draw: Draw, description: str, *, width: float = 5.2, height: float = 3.4) -> str:
    """A plot as an SVG element for a page, in the page's text colour and on its background.

    Args:
        draw: what to draw.
        description: what those who cannot see it are told.
        width: in inches; pages scale it to the space there is.
        height: in inches.
    """
    figure = figure_of(draw, width, height)
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return _inline(file.getvalue(), description)


def to_picture(draw: Draw, *, width: float, height: float) -> UInt8[ndarray, "rows columns 3"]:
    """A plot as a picture on white; width and height in inches of 150 pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure_of(draw, width, height))
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return pixels[..., :3].copy()


def figure_of(draw: Draw, width: float, height: float) -> Figure:
    """A plot as matplotlib has it, on white; width and height in inches of 150 pixels."""
    # Not pyplot, which keeps figures and a current one for the whole process.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout="constrained", facecolor="white")
    dressed(figure.subplots(), draw)
    return figure


def dressed(axes: Axes, draw: Draw) -> None:
    """Draw into axes, in the style of all plots."""
    axes.set_facecolor("none")
    axes.margins(x=0.02)
    draw(axes)
    axes.tick_params(colors=INK, labelsize=9, width=0.8)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    if axes.images:  # a picture needs no lines over or around it
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        return
    axes.grid(color=INK, alpha=0.15, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(INK)


def _inline(svg: str, description: str) -> str:
    """A stand-alone SVG file as an element of a page: no prologue, no links, no names in use elsewhere."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"\s+xmlns(:\w+)?=\"[^\"]*\"", "", body).replace("xlink:href", "href")
    opening, rest = body.split(">", 1)
    opening = re.sub(r"\s+(width|height)=\"[^\"]*\"", "", opening)
    opening = opening.replace("<svg", f'<svg role="img" aria-label="{escape(description)}"', 1)
    body = _renamed(f"{opening}>{rest}")
    return body.replace(INK, "currentColor").strip()


def _renamed(svg: str) -> str:
    """The SVG with identifiers that depend on nothing but its content, as two plots may share a page."""
    numbers = {name: str(i) for i, name in enumerate(dict.fromkeys(re.findall(r"\sid=\"([^\"]+)\"", svg)))}

    def with_prefix(prefix: str) -> str:
        named = re.sub(r"(\sid=\")([^\"]+)\"", lambda m: f'{m[1]}{prefix}{numbers[m[2]]}"', svg)
        named = re.sub(r"href=\"#([^\"]+)\"", lambda m: f'href="#{prefix}{numbers[m[1]]}"', named)
        return re.sub(r"url\(#([^)]+)\)", lambda m: f"url(#{prefix}{numbers[m[1]]})", named)

    digest = hashlib.sha256(with_prefix("").encode()).hexdigest()
    return with_prefix(f"p{digest[:8]}-")
