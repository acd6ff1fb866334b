"""How steps go with boundaries on real pictures: scatter plots, and the pictures themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from partinr.report import page, pictures
from partinr.report.pictures import RGB
from partinr.report.plots import COLOURS, INK, Draw
from partinr.studies.hypothesis.correlation import Ranking
from partinr.studies.hypothesis.findings import Findings, Plot, settings_facts, write_findings
from partinr.studies.hypothesis.photographs import Picture, Trial, Trials, trials_table
from partinr.studies.hypothesis.plots import logarithmic
from partinr.studies.hypothesis.sweep import endings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_KINDS = {"original": "o", "blur": "v", "posterise": "s", "crop": "x"}
_LABELS = {
    "edges": "edges: neighbours more than one deviation apart",
    "variation": "total variation / 2",
}
# Standard deviations from the mean that are black and white.
_SHOWN = 2.5
# Photographs with pictures on the page; all are in the table of runs.
_MOST_PHOTOS = 24


def write_trials(
    folder: Path, trials: Trials, found: Sequence[Trial], ranking: Ranking, results: dict[str, Any]
) -> list[Path]:
    """Write the rows, the numbers, the figures and the page; returns the files, the page first.

    Args:
        folder: must exist.
        trials: what was asked for.
        found: the networks.
        ranking: what came of them.
        results: what goes into the JSON file.
    """
    photos = _photos(ranking.pictures)
    size = len(ranking.pictures[0].values)
    plots = [
        Plot(measure, _scatter(ranking, measure, label, trials.rules.limit), f"Steps against {label}.")
        for measure, label in _LABELS.items()
    ]
    # The page has a gallery instead, where every picture has its numbers.
    height = 0.6 + 8.0 * len(photos) / max(len(group) for group in photos.values())
    sheet = Plot("pictures", _contact(photos, size), "", height, width=8.0, on_page=False)
    settings = [
        ("pictures", f"{len(ranking.pictures)} from {len(photos)} photographs"),
        ("size", f"{size} × {size} samples, grey"),
        ("networks for each picture", trials.repeats),
        *settings_facts(trials.network, trials.rules, trials.seed, endings(one.ending for one in found)),
    ]
    findings = Findings(
        "Exponential-increase hypothesis, photographs",
        "The central square of each photograph in grey, and what blur, fewer levels and crops make of it, "
        "each scaled to variance 1 and learned until the error is a small share of that: the steps that this "
        "takes against the picture's boundaries.",
        ranking.sentences(),
        [*plots, sheet],
        [page.Section("Pictures, with edges, variation and steps", _galleries(ranking))],
        settings,
    )
    return write_findings(folder, findings, trials_table(found), results)


def _scatter(ranking: Ranking, measure: str, label: str, limit: int) -> Draw:
    def draw(axes: Axes) -> None:
        from matplotlib.ticker import FuncFormatter, SymmetricalLogLocator

        for i, (kind, marker) in enumerate(_KINDS.items()):
            chosen = [
                (getattr(picture, measure), steps)
                for picture, steps in zip(ranking.pictures, ranking.steps, strict=True)
                if picture.kind == kind
            ]
            if chosen:
                x, y = np.array(chosen, np.float64).T
                axes.plot(x, y, marker, color=COLOURS[i], markersize=5, alpha=0.85, label=kind)
        if max(ranking.steps) >= limit:
            axes.axhline(limit, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), label="limit")
        # Logarithmic from 10 on, as blurred pictures may have no edges.
        axes.set_xscale("symlog", linthresh=10)
        axes.xaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=10, subs=[1, 2, 5]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        logarithmic(axes)
        axes.set_xlabel(label)
        axes.set_ylabel("steps")
        axes.legend(loc="best", frameon=False, labelcolor=INK, fontsize=8)

    return draw


def _photos(made: Sequence[Picture]) -> dict[str, list[Picture]]:
    """Pictures of each photograph, by its name."""
    photos: dict[str, list[Picture]] = {}
    for picture in made:
        photos.setdefault(picture.photo, []).append(picture)
    return photos


def _contact(photos: dict[str, list[Picture]], size: int) -> Draw:
    """Every picture, a photograph a row."""

    def draw(axes: Axes) -> None:
        across = max(len(group) for group in photos.values())
        pitch = size + max(1, size // 16)
        sheet = np.full((len(photos) * pitch, across * pitch), np.nan)
        for i, group in enumerate(photos.values()):
            for j, picture in enumerate(group):
                sheet[i * pitch : i * pitch + size, j * pitch : j * pitch + size] = picture.values
        axes.imshow(sheet, cmap="gray", vmin=-_SHOWN, vmax=_SHOWN, interpolation="nearest")
        axes.set_yticks(np.arange(len(photos)) * pitch + size / 2, list(photos))
        columns = max(photos.values(), key=len)
        # Photographs whose variants differ share no names for the columns.
        if all([p.name for p in group] == [p.name for p in columns] for group in photos.values()):
            places = np.arange(across) * pitch + size / 2
            axes.set_xticks(places, [picture.name.replace(" ", "\n") for picture in columns])
            axes.xaxis.tick_top()
        else:
            axes.set_xticks([])

    return draw


def _galleries(ranking: Ranking) -> list[page.Html]:
    """Pictures with their numbers, a gallery for each photograph."""
    steps = {id(picture): steps for picture, steps in zip(ranking.pictures, ranking.steps, strict=True)}
    photos = _photos(ranking.pictures)
    blocks = []
    for photo, group in list(photos.items())[:_MOST_PHOTOS]:
        shown = [
            pictures.Picture(
                picture.name,
                _grey(picture.values),
                f"{picture.edges:,} edges, variation {picture.variation:,.0f}, "
                f"{steps[id(picture)]:,.0f} steps",
            )
            for picture in group
        ]
        blocks += [page.paragraph(photo), page.gallery(shown)]
    if len(photos) > _MOST_PHOTOS:
        rest = len(photos) - _MOST_PHOTOS
        blocks.append(page.paragraph(f"And {rest} more photographs, which runs.csv has the numbers of."))
    return blocks


def _grey(values: Float64[ndarray, "rows columns"]) -> RGB:
    scaled = np.clip((values + _SHOWN) / (2 * _SHOWN), 0, 1) * 255
    return np.repeat(scaled.round().astype(np.uint8)[..., None], 3, axis=2)
