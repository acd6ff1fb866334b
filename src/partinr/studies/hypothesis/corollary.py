"""What cutting signals into parts gained, beside what curves of undivided signals predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.report.words import counted, listed
from partinr.shapes import Bool, Float64
from partinr.studies.hypothesis.evidence import Evidence
from partinr.studies.hypothesis.models import EXPONENTIAL
from partinr.studies.hypothesis.parts import Outcome, Part, Parts


@dataclass(frozen=True, eq=False)
class Corollary:
    """Steps and cost of signals against the number of their parts.

    Attributes:
        plan: what was trained.
        measured: for each number of parts.
        predicted: the same from each curve that could be fitted to undivided signals, by its name.
    """

    plan: Parts
    measured: Mapping[int, Outcome]
    predicted: Mapping[str, Mapping[int, Outcome]]

    @classmethod
    def of(cls, plan: Parts, parts: Mapping[int, list[Part]], evidence: Evidence) -> Corollary:
        """From the parts that were trained, and a sweep over undivided signals."""
        predicted: dict[str, dict[int, Outcome]] = {}
        for name in dict.fromkeys([EXPONENTIAL.name, *evidence.ranked[:1]]):
            fit = evidence.contenders[name].fit
            if fit is not None:
                predicted[name] = {count: plan.predicted(count, fit) for count in plan.counts}
        return cls(plan, {count: plan.outcome(count, parts[count]) for count in plan.counts}, predicted)

    def facts(self) -> list[dict[str, Any]]:
        """A row for each number of parts, in JSON's types: medians over signals, None where not known."""
        return [
            {
                "parts": count,
                "hidden": self.plan.narrowed(count).width,
                "params": count * self.plan.narrowed(count).params(1, 1),
                "steps": median(outcome.steps, outcome.censored),
                "cost": median(outcome.cost, outcome.censored),
                "censored": int(outcome.censored.sum()),
                "predicted": {
                    name: {
                        "steps": float(np.median(of[count].steps)),
                        "cost": float(np.median(of[count].cost)),
                    }
                    for name, of in self.predicted.items()
                },
            }
            for count, outcome in self.measured.items()
        ]

    def sentences(self) -> list[str]:
        """Whether parts need fewer steps, and a statement for each number of parts."""
        rows = self.facts()
        return [_conclusion(rows), *(_told(row) for row in rows)]


def median(values: Float64[ndarray, "signals"], censored: Bool[ndarray, "signals"]) -> float | None:
    """The median; None where it depends on how much more the censored ones need."""
    middle = float(np.median(np.where(censored, np.inf, values)))
    return middle if np.isfinite(middle) else None


def _conclusion(rows: Sequence[dict[str, Any]]) -> str:
    whole = next((row["steps"] for row in rows if row["parts"] == 1), None)
    cut = {row["parts"]: row["steps"] for row in rows if row["parts"] > 1}
    known = {count: steps for count, steps in cut.items() if steps is not None}
    if whole is None or not known:
        return "No verdict: steps of undivided signals or of their parts are not known."
    fewer = [count for count, steps in known.items() if steps < whole]
    if len(fewer) == len(cut):
        return "Parts need fewer steps than whole signals."
    if not fewer:
        return "Parts do not need fewer steps than whole signals."
    which = listed(fewer, "or")
    return f"Parts need fewer steps than whole signals if there are {which} of them, otherwise not."


def _told(row: dict[str, Any]) -> str:
    count = row["parts"]
    parts = "undivided" if count == 1 else f"in {count} parts"
    foretold = [
        f"{in_steps(of['steps'])} steps and cost {in_steps(of['cost'])} by the {name}"
        for name, of in row["predicted"].items()
    ]
    if row["steps"] is None:
        measured = f"steps unknown, {counted(row['censored'], 'signal')} stopped at the limit"
    else:
        measured = f"{in_steps(row['steps'])} steps, cost {in_steps(row['cost'])}"
    predicted = f"; predicted {', '.join(foretold)}" if foretold else ""
    networks = f"{row['hidden']} wide, {row['params']:,} parameters"
    return f"{parts[0].upper()}{parts[1:]} ({networks}): {measured}{predicted}."


def in_steps(value: float) -> str:
    """Steps, or a cost in steps, with the digits that matter."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
