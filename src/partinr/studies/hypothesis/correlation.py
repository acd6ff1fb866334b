"""Does the number of boundaries tell which pictures take long? Rank correlations, and what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.shapes import Float64
from partinr.studies.hypothesis.evidence import Interval, pair, percentiles
from partinr.studies.hypothesis.photographs import Picture
from partinr.studies.hypothesis.sweep import Run

MEASURES = ("edges", "variation")
"""Of the boundaries of a picture: its attributes of these names."""

_LEAST_PICTURES = 5


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation with the steps, over pictures; None where it cannot be computed.

    Attributes:
        value: -1..1.
        interval: by bootstrap over photographs, each with all its pictures; over pictures where there are
            fewer than five photographs.
        pictures: number of pictures.
    """

    value: float | None
    interval: Interval | None
    pictures: int


@dataclass(frozen=True, eq=False)
class Ranking:
    """Steps of pictures, and how they go with each measure of boundaries.

    Attributes:
        pictures: what was learned.
        steps: of each picture, pooled over its networks.
        correlations: over "all" pictures and over the "originals", by measure.
    """

    pictures: Sequence[Picture]
    steps: Sequence[float]
    correlations: Mapping[str, Mapping[str, Correlation]]

    @classmethod
    def of(
        cls, pictures: Sequence[Picture], trials: Sequence[Run[Picture]], resamples: int = 1000, seed: int = 0
    ) -> Ranking:
        """From networks that have all ended.

        Args:
            pictures: what was learned.
            trials: the networks of all pictures.
            resamples: bootstrap samples for the intervals.
            seed: of the resampling.
        """
        steps = pooled_steps(trials, pictures)
        originals = [i for i, picture in enumerate(pictures) if picture.kind == "original"]

        def correlated(members: Sequence[int], measure: str) -> Correlation:
            return correlate(
                [float(getattr(pictures[i], measure)) for i in members],
                [steps[i] for i in members],
                [pictures[i].photo for i in members],
                resamples,
                seed,
            )

        groups: dict[str, Sequence[int]] = {"all": range(len(pictures)), "originals": originals}
        found = {
            group: {measure: correlated(members, measure) for measure in MEASURES}
            for group, members in groups.items()
        }
        return cls(pictures, steps, found)

    def facts(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The correlations in JSON's types."""
        return {
            group: {
                measure: {"rank_correlation": one.value, "interval": pair(one.interval)}
                for measure, one in measures.items()
            }
            for group, measures in self.correlations.items()
        }

    def sentences(self) -> list[str]:
        """What the correlations say, and each of them."""
        said = []
        for group, found in self.correlations.items():
            count = found[MEASURES[0]].pictures
            unchanged = "one unchanged photograph" if count == 1 else f"{count} unchanged photographs"
            which = f"all {count} pictures" if group == "all" else unchanged
            said += [f"Among {which}{_conclusion(list(found.values()))}."]
            said += [f"{measure.capitalize()}, {which}: {_told(one)}." for measure, one in found.items()]
        return said


def correlate(
    measure: Sequence[float],
    steps: Sequence[float],
    photos: Sequence[str],
    resamples: int = 1000,
    seed: int = 0,
) -> Correlation:
    """Rank correlation of a measure with the steps of each picture.

    Args:
        measure: of each picture.
        steps: of each picture; those of pictures that hit the limit tie with one another at the top.
        photos: the photograph that each picture comes from.
        resamples: bootstrap samples.
        seed: of the resampling.
    """
    x, y = np.asarray(measure, np.float64), np.asarray(steps, np.float64)
    value = _spearman(x, y)
    if value is None:
        return Correlation(None, None, len(x))
    generator = np.random.default_rng(seed)
    # Pictures of one photograph resemble one another, so photographs are what is independent.
    members = [np.flatnonzero(np.array(photos) == photo) for photo in dict.fromkeys(photos)]
    if len(members) < _LEAST_PICTURES:
        members = [np.array([i]) for i in range(len(x))]
    drawn = (
        np.concatenate([members[i] for i in generator.integers(0, len(members), len(members))])
        for _ in range(resamples)
    )
    found = [one for one in (_spearman(x[pick], y[pick]) for pick in drawn) if one is not None]
    return Correlation(value, percentiles(found, resamples), len(x))


def pooled_steps(trials: Sequence[Run[Picture]], pictures: Sequence[Picture]) -> list[float]:
    """Geometric mean of the steps of each picture's networks; those at the limit count with it."""
    return [
        float(np.exp(np.mean([np.log(trial.steps) for trial in trials if trial.subject is picture])))
        for picture in pictures
    ]


def _conclusion(found: Sequence[Correlation]) -> str:
    """The end of a sentence: what all measures agree on."""
    intervals = [one.interval for one in found if one.interval is not None]
    if len(intervals) < len(found):
        return ": no verdict"
    if all(interval.low > 0 for interval in intervals):
        return ", more boundaries go with more steps"
    if all(interval.high < 0 for interval in intervals):
        return ", more boundaries go with fewer steps"
    if all(0 in interval for interval in intervals):
        return ", boundaries and steps are not shown to go together"
    return ", whether boundaries and steps go together depends on the measure"


def _told(one: Correlation) -> str:
    if one.value is None:
        return "rank correlation unknown, as it takes five pictures whose boundaries and steps differ"
    if one.interval is None:
        return f"rank correlation with the steps {one.value:.2f}, interval unknown"
    low, high = one.interval.low, one.interval.high
    return f"rank correlation with the steps {one.value:.2f}, 95 % interval {low:.2f} to {high:.2f}"


def _spearman(x: Float64[ndarray, "n"], y: Float64[ndarray, "n"]) -> float | None:
    from scipy.stats import rankdata

    if len(x) < _LEAST_PICTURES or len(np.unique(x)) < 2 or len(np.unique(y)) < 2:
        return None
    a, b = (ranks - ranks.mean() for ranks in (rankdata(x), rankdata(y)))
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))
