"""How steps go with boundaries on real pictures: scatter plots, and the pictures themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

from partinr.engines.engine import Engine
from partinr.report import page
from partinr.report import pictures as shown
from partinr.report.plots import COLOURS, INK, Draw
from partinr.shapes import Float64
from partinr.studies.hypothesis.correlation import Ranking
from partinr.studies.hypothesis.findings import Experiment, Findings, Plot, Tell, totals
from partinr.studies.hypothesis.photographs import Picture, Trials, trials_table
from partinr.studies.hypothesis.plots import titled
from partinr.studies.hypothesis.sweep import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_KINDS = {"original": "o", "blur": "v", "posterise": "s", "crop": "x"}
_TITLES = {
    "edges": "edges: neighbours more than one deviation apart",
    "variation": "total variation / 2",
}
# Standard deviations from the mean that are black and white.
_SHOWN = 2.5
# Photographs with pictures on the page; all are in the table of runs.
_MOST_PHOTOS = 24


@dataclass(frozen=True)
class Photographs(Experiment[Trials]):
    """Real pictures: does the number of boundaries tell which are slow to learn?

    Attributes:
        pictures: the photographs and their variants.
        resamples: bootstrap samples for the intervals.
    """

    pictures: Sequence[Picture]
    resamples: int

    def sweeps(self, engine: Engine, folder: Path) -> list[Sweep]:
        """The one over all pictures."""
        return [self.plan.prepare(self.pictures, engine, folder)]

    def table(self, sweeps: Sequence[Sweep]) -> str:
        """A row for each network."""
        return trials_table(self.plan.outcome(self.pictures, sweeps[0]))

    def findings(self, sweeps: Sequence[Sweep], tell: Tell) -> Findings:  # noqa: ARG002
        """How steps go with boundaries."""
        trials, pictures, (sweep,) = self.plan, self.pictures, sweeps
        ranking = Ranking.of(pictures, trials.outcome(pictures, sweep), self.resamples, trials.seed)
        photos = _photos(pictures)
        size = len(pictures[0].values)
        # The page has a gallery instead, where every picture has its numbers.
        height = 0.6 + 8.0 * len(photos) / max(len(group) for group in photos.values())
        sheet = Plot("pictures", _contact(photos, size), "", height, width=8.0, on_page=False)
        results = {
            **totals(trials.settings(pictures, sweep.engine), sweep),
            "seconds": sweep.tally.seconds,
            "photos": sum(picture.kind == "original" for picture in pictures),
            "pictures": len(pictures),
            "correlations": ranking.facts(),
            "verdict": ranking.sentences(),
        }
        return Findings(
            "Exponential-increase hypothesis, photographs",
            "The central square of each photograph in grey, and what blur, fewer levels and crops make of "
            "it, each scaled to variance 1 and learned until the error is a small share of that: the steps "
            "that this takes against the picture's boundaries.",
            [
                *(
                    Plot(
                        measure,
                        _scatter(ranking, measure, title, trials.rules.limit),
                        f"Steps against {title}.",
                    )
                    for measure, title in _TITLES.items()
                ),
                sheet,
            ],
            [page.Section("Pictures, with edges, variation and steps", _galleries(ranking))],
            [
                ("pictures", f"{len(pictures)} from {len(photos)} photographs"),
                ("size", f"{size} × {size} samples, grey"),
                ("networks for each picture", trials.repeats),
            ],
            results,
        )


def _scatter(ranking: Ranking, measure: str, title: str, limit: int) -> Draw:
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
        titled(axes, title, "steps")

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
        captioned = [
            shown.Picture(
                picture.name,
                _grey(picture.values),
                f"{picture.edges:,} edges, variation {picture.variation:,.0f}, "
                f"{steps[id(picture)]:,.0f} steps",
            )
            for picture in group
        ]
        blocks += [page.paragraph(photo), page.gallery(captioned)]
    if len(photos) > _MOST_PHOTOS:
        rest = len(photos) - _MOST_PHOTOS
        blocks.append(page.paragraph(f"And {rest} more photographs, which runs.csv has the numbers of."))
    return blocks


def _grey(values: Float64[ndarray, "rows columns"]) -> shown.RGB:
    scaled = np.clip((values + _SHOWN) / (2 * _SHOWN), 0, 1) * 255
    return np.repeat(scaled.round().astype(np.uint8)[..., None], 3, axis=2)
