"""What `hypothesis image` leaves in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from partinr.hypothesis.photographs import Picture, Trial, trials_table
from partinr.report.figures import write_figure
from partinr.report.growth import logarithmic
from partinr.report.hypothesis import RESULTS, RUNS, write_json, write_text
from partinr.report.plots import COLOURS, INK, Draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_KINDS = {"original": "o", "blur": "v", "posterise": "s", "crop": "x"}


def write_trials(
    folder: Path,
    pictures: Sequence[Picture],
    trials: Sequence[Trial],
    steps: Sequence[float],
    limit: int,
    results: dict[str, Any],
) -> list[Path]:
    """Write the rows, the numbers and the figures; returns the files."""
    write_text(folder / RUNS, trials_table(trials))
    write_json(folder / RESULTS, results)
    written = [folder / RUNS, folder / RESULTS]
    for name, label in (("edges", "boundaries: edges"), ("variation", "boundaries: total variation / 2")):
        measure = [float(getattr(picture, name)) for picture in pictures]
        written += write_figure(folder / name, _scatter(pictures, measure, steps, limit, label))
    return written + write_figure(folder / "pictures", _contact(pictures), width=8.0, height=_rows(pictures))


def _scatter(
    pictures: Sequence[Picture], measure: Sequence[float], steps: Sequence[float], limit: int, label: str
) -> Draw:
    def draw(axes: Axes) -> None:
        for i, (kind, marker) in enumerate(_KINDS.items()):
            chosen = [j for j, picture in enumerate(pictures) if picture.kind == kind]
            if chosen:
                x, y = ([values[j] for j in chosen] for values in (measure, steps))
                axes.plot(x, y, marker, color=COLOURS[i], markersize=5, alpha=0.85, label=kind)
        if max(steps) >= limit:
            axes.axhline(limit, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), label="limit")
        axes.set_xscale("symlog", linthresh=10)
        logarithmic(axes)
        axes.set_xlabel(label)
        axes.set_ylabel("steps")
        axes.legend(loc="best", frameon=False, labelcolor=INK, fontsize=8)

    return draw


def _photos(pictures: Sequence[Picture]) -> list[list[Picture]]:
    names = dict.fromkeys(picture.photo for picture in pictures)
    return [[picture for picture in pictures if picture.photo == name] for name in names]


def _rows(pictures: Sequence[Picture]) -> float:
    grouped = _photos(pictures)
    return 0.4 + 8.0 * len(grouped) / max(len(group) for group in grouped)


def _contact(pictures: Sequence[Picture]) -> Draw:
    """Every picture, a photograph a row."""

    def draw(axes: Axes) -> None:
        grouped = _photos(pictures)
        size, across = len(pictures[0].values), max(len(group) for group in grouped)
        gap = max(1, size // 16)
        sheet = np.full((len(grouped) * (size + gap), across * (size + gap)), np.nan)
        for i, group in enumerate(grouped):
            for j, picture in enumerate(group):
                top, left = i * (size + gap), j * (size + gap)
                sheet[top : top + size, left : left + size] = picture.values
        axes.imshow(sheet, cmap="gray", vmin=-2.5, vmax=2.5, interpolation="nearest")
        axes.set_axis_off()

    return draw
