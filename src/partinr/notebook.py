"""Notebooks: what a cell shows of signals, partitions, functions, fits and comparisons; their progress."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from functools import singledispatch
from html import escape
from typing import Any

from partinr.fitting.fit import FitResult
from partinr.fitting.loop import Progress, Watch
from partinr.model.partition.partition import Partition
from partinr.model.piecewise import Piecewise
from partinr.plot import figure_with
from partinr.report import page, words
from partinr.report.figures import Plot, inline
from partinr.report.pictures import Picture
from partinr.report.shown import faces, parts_of, rendered_rgb
from partinr.report.sound import player
from partinr.signals.signal import Signal, SignalSpec
from partinr.studies.comparison.page import findings, line_table
from partinr.studies.comparison.running import Comparison
from partinr.studies.comparison.summary import families

__all__ = ["bar", "progress"]

# Pictures are WebP of this quality; those of no HTML are PNG, of so many pixels an inch.
_QUALITY, _DOTS = 88, 72
# Of the notebook's letters, for an inch of a plot.
_REM = 6
# Bytes of a sound that can be played.
_MOST_PLAYED = 500_000
# Pixels of the picture beside a bar, seconds between two looks, and the share of the time that pictures take.
_SIDE, _APART, _SHARE = 224, 0.1, 0.2

# Colours are the notebook's own; nested rules touch nothing else in it.
_STYLE = (
    "<style>.partinr{--text:inherit;--soft:color-mix(in srgb,currentColor 70%,transparent);"
    "--line:color-mix(in srgb,currentColor 22%,transparent);--tint:transparent;"
    + page.PARTS.replace("\n", "")
    + ".gallery{display:flex;flex-wrap:wrap;gap:.8rem}.gallery figure{max-width:15rem}"
    ".gallery img{width:auto;max-width:100%}progress{width:14rem}}</style>"
)


def html(shown: Any) -> str:
    """What a notebook shows of an object; where that fails, the reason: showing a value must not raise."""
    try:
        return _html(shown.displayed())
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return f"<p>{escape(type(shown).__name__)} cannot be shown ({escape(reason[:500])})</p>"


def line(shown: Any) -> str:
    """The same in a line of text."""
    title, told, _ = _told(shown.displayed())
    return " · ".join([title, *told])


def png(shown: Any) -> bytes | None:
    """The same as a picture, for places without HTML; None where that fails, of which `html` says why."""
    try:
        parts = parts_of(shown.displayed())
        if not parts:
            return None
        file = io.BytesIO()
        figure_with(parts).savefig(file, format="png", dpi=_DOTS)
    except Exception:
        return None
    return file.getvalue()


def bar() -> Callable[[Any], None]:
    """A callback that shows how far something is, in a notebook; elsewhere it shows nothing.

    What it is called with has a `fraction`, a `psnr` and `remaining` seconds, as what the callbacks of
    `partinr.fit` and `partinr.compare` are given.

    Example:
        >>> import numpy as np, partinr
        >>> partinr.fit(np.eye(16), goal=partinr.Steps(5), watch=partinr.Watch(bar())).steps
        5
    """
    return _Bar(pictures=False)


def progress() -> Watch:
    """Watch a fit in a notebook: a bar, and a picture that sharpens; elsewhere it shows nothing.

    Pictures take at most a fifth of the time. A fit that is solved, without steps, has a picture at its end.

    Example:
        >>> import numpy as np, partinr
        >>> partinr.fit(np.eye(16), goal=partinr.Steps(5), watch=progress()).steps
        5
    """
    return Watch(_Bar(pictures=True))


class _Bar:
    """Updates one output of a cell."""

    def __init__(self, *, pictures: bool) -> None:
        self.pictures, self.picture = pictures, ""
        self.output: Any = None
        self.last = self.spent = 0.0
        self.began = time.perf_counter()

    def __call__(self, told: Any) -> None:
        now, done = time.perf_counter(), told.fraction >= 1
        if not done and now - self.last < _APART:
            return
        model = told.model if self.pictures and isinstance(told, Progress) else None
        if model is not None and (done or self.spent <= _SHARE * (now - self.began)):
            self.picture = _still(model)
            self.spent += time.perf_counter() - now
        self.last = time.perf_counter()
        self._show(f"{_STYLE}<div class='partinr'>{self.picture}{_standing(told)}</div>")

    def _show(self, text: str) -> None:
        if not _in_notebook():
            return
        from IPython.display import HTML, display

        if self.output is None:
            self.output = display(HTML(text), display_id=True)
        else:
            self.output.update(HTML(text))


def _in_notebook() -> bool:
    """Whether there is a cell whose output can be shown again."""
    import sys

    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def _standing(told: Any) -> str:
    """A bar, and what stands beside it."""
    parts = [f"{told.fraction:.0%}"]
    for attribute in ("name", "steps"):
        if value := getattr(told, attribute, None):
            parts.append(escape(value) if isinstance(value, str) else words.counted(round(value), "step"))
    if told.psnr is not None:
        parts.append(words.decibels(told.psnr))
    if told.fraction < 1 and told.remaining is not None:
        parts.append(f"{words.seconds(told.remaining)} left")
    elif hasattr(told, "seconds"):
        parts.append(words.seconds(told.seconds))
    return f"<progress max='1' value='{told.fraction:.3f}'></progress> {' · '.join(parts)}"


def _still(model: Piecewise) -> str:
    """A small picture of the function as it is now; of one axis a curve."""
    if model.signal.dims == 1:
        return inline([part for part in parts_of(model) if isinstance(part, Plot)])
    face, *_ = faces(model.signal)
    rgb = rendered_rgb(model, face, side=_SIDE)
    height, width = rgb.shape[:2]
    address = page.data_uri(rgb, _QUALITY)
    return f"<img src='{address}' width='{width}' height='{height}' style='width:auto' alt='The fit'>"


def _html(shown: Any) -> str:
    title, told, blocks = _told(shown)
    parts = parts_of(shown)
    plots = [part for part in parts if isinstance(part, Plot)]
    pictures = [part for part in parts if isinstance(part, Picture)]
    body = [
        f"<div><strong>{escape(title)}</strong> {escape(' · '.join(told))}</div>",
        *blocks,
        *(_of_width(plot) for plot in plots),
        *([page.gallery(pictures, quality=_QUALITY)] if pictures else []),
    ]
    return f"{_STYLE}<div class='partinr'>{''.join(body)}</div>"


def _of_width(plot: Plot) -> str:
    """A plot no wider than its inches."""
    return f"<div style='max-width:{_REM * plot.width}rem'>{inline([plot], plot.width)}</div>"


@singledispatch
def _told(shown: object) -> tuple[str, list[str], list[page.Html]]:
    """A name, what is said beside it, and what else is shown above the pictures."""
    raise TypeError(f"no such thing is shown: {type(shown).__name__}")


@_told.register
def _(signal: Signal) -> tuple[str, list[str], list[page.Html]]:
    told = _of_spec(signal.spec)
    if signal.scattered:
        told[0] = f"{signal.fitted - signal.missing:,} points, on a grid of {words.extent(signal.shape)}"
    elif signal.missing:
        told.append(f"{signal.missing:,} samples missing")
    if signal.weights is not None:
        told.append("weighted")
    return "Signal", told, player(signal.values, signal.spec, _MOST_PLAYED)


@_told.register
def _(partition: Partition) -> tuple[str, list[str], list[page.Html]]:
    least, most = int(partition.counts.min()), int(partition.counts.max())
    sizes = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    told = [
        partition.rule,
        words.counted(partition.regions, "region"),
        f"{sizes} samples each, of {words.extent(partition.shape)}",
    ]
    return "Partition", told, []


@_told.register
def _(model: Piecewise) -> tuple[str, list[str], list[page.Html]]:
    sizes = sorted(network.width for network in model.networks)
    width = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    network = model.networks[0]
    told = [
        *_of_spec(model.signal),
        f"{words.counted(model.regions, 'region')} ({model.partition.rule})",
        f"{network.name}, {width} {network.size if network.solved else 'wide'}",
        f"{model.params:,} parameters",
    ]
    return "Function", told, []


@_told.register
def _(result: FitResult) -> tuple[str, list[str], list[page.Html]]:
    model = result.model
    told = [
        words.decibels(result.psnr, infinite="exact,") + " PSNR",
        *([] if result.ssim is None else [f"{result.ssim:.4f} SSIM"]),
        *([] if result.reached else ["less than was asked for"]),
        *([] if result.held_out is None else [f"{words.decibels(result.held_out.psnr)} at points held out"]),
        f"{words.counted(result.regions, 'region')} ({model.partition.rule})",
        f"{model.networks[0].name}, {result.params:,} parameters",
        *([words.counted(result.steps, "step")] if result.steps else []),
        words.seconds(result.seconds),
    ]
    heard: list[page.Html] = []
    if result.signal.spec.kind == "sound":
        from partinr.model.rendering import render

        values = render(model).reshape(result.signal.values.shape)
        heard = player(values, result.signal.spec, _MOST_PLAYED)
    return "Fit", told, heard


@_told.register
def _(comparison: Comparison) -> tuple[str, list[str], list[page.Html]]:
    told = [words.counted(len(comparison.runs), "run")]
    if comparison.missing:
        told.append(f"{words.counted(comparison.missing, 'run')} not done")
    blocks = []
    for group in families(comparison):
        blocks += [page.paragraph(text) for text in findings(group)]
        blocks.append(line_table(group))
    return "Comparison", told, blocks


def _of_spec(spec: SignalSpec) -> list[str]:
    low, high = spec.value_range
    return [
        f"{spec.kind} of {words.extent(spec.shape)} samples",
        words.counted(spec.channels, "channel"),
        f"{spec.dtype}, {low:g} to {high:g}",
    ]
