"""Plots in matplotlib's axes: of signals, partitions, functions, fits and comparisons.

Each function draws into the axes that it is given, as many as there are pictures, or makes a figure by
pyplot, and returns the axes: one, or an array of several. `signal.plot()`, `result.plot()` and the like are
the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from partinr.errors import InputError
from partinr.fitting.fit import FitResult
from partinr.model.partition.partition import Partition
from partinr.model.piecewise import Piecewise
from partinr.report.figures import Plot
from partinr.report.overlay import overlay
from partinr.report.pictures import Picture
from partinr.report.plots import Curve, Draw, curves, draw_borders, draw_picture, dressed
from partinr.report.shown import Part, parts_of
from partinr.report.words import counted
from partinr.signals.signal import Signal as SignalOf
from partinr.studies.comparison.plots import AXES, comparison_plots
from partinr.studies.comparison.running import Comparison
from partinr.studies.comparison.summary import families

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["comparison", "fit", "function", "history", "partition", "signal"]

# Inches of a picture's side, and pictures beside each other: of many, as many as slices of a volume.
_SIDE, _BESIDE, _OF_MANY = 2.7, 4, 3
# Plots that are wider than this have a row of their own.
_ALONE = 6.0


def signal(signal: SignalOf, axes: Any = None) -> Any:
    """A signal: a curve, a picture, frames of a film, or a slice across each axis of a volume.

    Args:
        signal: of any kind; points of no grid are dots.
        axes: to draw into; None: those of a new figure.

    Example:
        >>> import numpy as np, partinr
        >>> partinr.plot.signal(partinr.from_array(np.eye(8))).get_title(loc="left")
        'Signal'
    """
    return drawn(signal, axes)


def partition(partition: Partition, signal: SignalOf | None = None, axes: Any = None) -> Any:
    """Regions, in colours of their own, or as borders over a signal.

    Args:
        partition: into any regions.
        signal: of the partition's shape; None: regions alone.
        axes: to draw into; None: those of a new figure.

    Raises:
        InputError: the partition has another shape than the signal.

    Example:
        >>> import numpy as np, partinr
        >>> photo = partinr.from_array(np.eye(32))
        >>> partinr.plot.partition(partinr.Grid(2, 2).partition(photo), photo).get_title(loc="left")
        'grid:2x2, 4 regions'
    """
    label = f"{partition.rule}, {counted(partition.regions, 'region')}"
    if signal is None:
        parts = [Picture(label, part.rgb) for part in parts_of(partition) if isinstance(part, Picture)]
        return _drawn(parts, axes)
    over = signal
    if partition.shape != over.shape or over.spec.dims > 1:
        return _drawn([Picture(label, overlay(over, partition))], axes)
    return _drawn([Plot("regions", lambda a: draw_borders(a, over, partition), label, 2.4, 8.0)], axes)


def function(model: Piecewise, axes: Any = None) -> Any:
    """What a function is at its samples, and its regions.

    Args:
        model: a fitted function.
        axes: to draw into; None: those of a new figure.

    Example:
        >>> import numpy as np, partinr
        >>> axes = partinr.plot.function(partinr.fit(np.eye(8), goal=partinr.Steps(5)).model)
        >>> [one.get_title(loc="left") for one in axes]
        ['Function', 'Regions']
    """
    return drawn(model, axes)


def fit(result: FitResult, axes: Any = None) -> Any:
    """Original, fit, error and regions.

    Args:
        result: of a fit.
        axes: to draw into; None: those of a new figure.

    Example:
        >>> import numpy as np, partinr
        >>> axes = partinr.plot.fit(partinr.fit(np.eye(8), goal=partinr.Steps(5)))
        >>> [one.get_title(loc="left") for one in axes]
        ['Original', 'Fit', 'Error', 'Regions']
    """
    return drawn(result, axes)


def history(
    results: FitResult | Sequence[FitResult],
    labels: Sequence[str] | None = None,
    against: Literal["steps", "seconds"] = "steps",
    axes: Any = None,
) -> Any:
    """PSNR of the training samples while fits went on.

    Args:
        results: fits that were trained.
        labels: a name for each; None: its partition's rule.
        against: what is counted.
        axes: to draw into; None: those of a new figure.

    Raises:
        InputError: a fit was not trained, or labels are not as many as fits.

    Example:
        >>> import numpy as np, partinr
        >>> partinr.plot.history(partinr.fit(np.eye(8), goal=partinr.Steps(5))).get_xlabel()
        'steps'
    """
    fits = [results] if isinstance(results, FitResult) else list(results)
    names = [one.model.partition.rule for one in fits] if labels is None else list(labels)
    if len(names) != len(fits):
        raise InputError(f"history needs a label for each of {len(fits)} fits, got {len(names)}")
    if not all(len(one.history) for one in fits):
        raise InputError("a fit without steps has no history; train one, as with goal=partinr.Steps()")
    lines = [
        Curve(name, one.history.step if against == "steps" else one.history.seconds, one.history.psnr, i)
        for i, (name, one) in enumerate(zip(names, fits, strict=True))
    ]
    draw = curves(lines, against, "PSNR of the training samples (dB)")
    return _drawn([Plot("history", draw, "Learning", 3.0, 5.0)], axes)


def comparison(comparison: Comparison, axes: Any = None) -> Any:
    """PSNR against steps, seconds and arithmetic, for each network and recipe.

    Args:
        comparison: at least one run.
        axes: to draw into, three for each network and recipe; None: those of a new figure.

    Example:
        >>> import numpy as np, partinr, tempfile
        >>> photo, recipe = partinr.from_array(np.eye(20)), partinr.PAPER.changed(steps=5)
        >>> variant = partinr.Variant.of(photo, partinr.Grid(2, 2), "siren", recipe)
        >>> axes = partinr.plot.comparison(partinr.compare(photo, [variant], tempfile.mkdtemp()))
        >>> [one.get_xlabel() for one in axes]
        ['steps', 'seconds', 'arithmetic (TFLOP)']
    """
    return drawn(comparison, axes)


@parts_of.register
def _(comparison: Comparison) -> list[Part]:
    return [plot for group in families(comparison) for plot in comparison_plots(group)[: len(AXES)]]


def drawn(shown: Any, axes: Any = None) -> Any:
    """Draw whatever partinr shows; see `signal`."""
    return _drawn(parts_of(shown.displayed()), axes)


def figure_with(parts: Sequence[Part]) -> Figure:
    """A figure of its own, which pyplot does not know."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_size(parts), layout="constrained", facecolor="white")
    _fill(_axes_in(figure, parts), parts)
    return figure


def _drawn(parts: Sequence[Part], axes: Any) -> Any:
    if not parts:
        raise InputError("there is nothing to plot; a comparison needs a run that is done")
    if axes is None:
        from matplotlib import pyplot

        axes = _axes_in(pyplot.figure(figsize=_size(parts), layout="constrained"), parts)
    given = np.asarray(axes, object).reshape(-1)
    if len(given) != len(parts):
        names = ", ".join(_label(part) for part in parts)
        raise InputError(f"axes must be {len(parts)} of them, for {names}; got {len(given)}")
    _fill(given, parts)
    return given[0] if len(given) == 1 else given


def _fill(axes: Any, parts: Sequence[Part]) -> None:
    for one, part in zip(axes, parts, strict=True):
        dressed(one, _draw(part))
        one.set_title(_label(part), loc="left", fontsize=10)


def _draw(part: Part) -> Draw:
    if isinstance(part, Plot):
        return part.draw
    picture = part.rgb
    return lambda axes: draw_picture(axes, picture)


def _label(part: Part) -> str:
    return part.caption if isinstance(part, Plot) else part.label


def _columns(parts: Sequence[Part]) -> int:
    if any(isinstance(part, Plot) and part.width > _ALONE and len(parts) < _OF_MANY for part in parts):
        return 1
    return len(parts) if len(parts) <= _BESIDE else _OF_MANY


def _size(parts: Sequence[Part]) -> tuple[float, float]:
    """Inches, of a figure whose rows are as high as the highest of what is in them."""
    columns = _columns(parts)
    sizes = [
        (part.width, part.height)
        if isinstance(part, Plot)
        else (_SIDE, 0.3 + _SIDE * min(1.6, part.rgb.shape[0] / part.rgb.shape[1]))
        for part in parts
    ]
    rows = math.ceil(len(parts) / columns)
    shrunk = 1.0 if columns == 1 else min(1.0, 12 / (columns * max(width for width, _ in sizes)))
    return (
        columns * max(width for width, _ in sizes) * shrunk,
        rows * max(height for _, height in sizes) * shrunk,
    )


def _axes_in(figure: Figure, parts: Sequence[Part]) -> Any:
    columns = _columns(parts)
    axes: Any = figure.subplots(math.ceil(len(parts) / columns), columns, squeeze=False).reshape(-1)
    for spare in axes[len(parts) :]:
        spare.remove()
    return axes[: len(parts)]
