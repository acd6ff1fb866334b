"""What cutting signals into parts gained: steps and cost against the number of parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from partinr.engines.engine import Engine
from partinr.report import page
from partinr.report.plots import COLOURS, STYLES, Draw
from partinr.studies.hypothesis.corollary import Corollary, in_steps, median
from partinr.studies.hypothesis.evidence import weigh
from partinr.studies.hypothesis.findings import Experiment, Findings, Plot, Tell, totals
from partinr.studies.hypothesis.parts import Part, Parts, parts_table
from partinr.studies.hypothesis.plots import dots, titled
from partinr.studies.hypothesis.study import observations
from partinr.studies.hypothesis.sweep import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class SignalsInParts(Experiment[Parts]):
    """The corollary: a sweep over undivided signals, then one for each number of parts."""

    def sweeps(self, engine: Engine, folder: Path) -> list[Sweep]:
        """Each in a folder of its own."""
        plan = self.plan
        parts = [plan.prepare(count, engine, folder / f"parts-{count}") for count in plan.counts]
        return [plan.sweep.prepare(engine, folder / "sweep"), *parts]

    def table(self, sweeps: Sequence[Sweep]) -> str:
        """A row for each part."""
        return parts_table(self._parts(sweeps))

    def findings(self, sweeps: Sequence[Sweep], tell: Tell) -> Findings:  # noqa: ARG002
        """Steps and cost of the parts, beside what the sweep predicts."""
        plan, (whole, *cut) = self.plan, sweeps
        evidence = weigh(observations(plan.sweep.outcome(whole)), resamples=0)
        corollary = Corollary.of(plan, self._parts(sweeps), evidence)
        exponential = evidence.exponential
        results = {
            **totals(plan.settings(whole.engine), *cut),
            "p": None if exponential is None else exponential.p,
            "best": evidence.ranked[0] if evidence.ranked else None,
            "parts": corollary.facts(),
            "verdict": corollary.sentences(),
        }
        size = "as many parameters together" if plan.equal_params else "as wide each"
        frame = "the whole signal's" if plan.frame == "global" else "their own"
        return Findings(
            "Exponential-increase hypothesis, the corollary",
            f"Step signals cut into equal parts, each with a network of its own, {_SIZE[plan.equal_params]} "
            f"as the one of the whole, in coordinates {_FRAME[plan.frame]}. Every part is trained until its "
            "own error is small. Steps are those of the slowest part; cost is the arithmetic of all parts, "
            "in steps of the undivided network.",
            [
                Plot(
                    "steps",
                    _against_parts("steps", "steps until all parts are below the error", corollary),
                    "Steps of the slowest part against the number of parts: signals, their median, and "
                    "predictions.",
                ),
                Plot(
                    "cost",
                    _against_parts("cost", "cost in undivided steps", corollary),
                    "Arithmetic of all parts together against their number, in steps of the undivided "
                    "network.",
                ),
            ],
            [page.Section("Medians over signals", [_medians(corollary)])],
            [
                ("signals", f"{plan.repeats} of {plan.boundaries} boundaries"),
                ("networks of parts", size),
                ("coordinates of parts", frame),
            ],
            results,
        )

    def _parts(self, sweeps: Sequence[Sweep]) -> dict[int, list[Part]]:
        cut = zip(self.plan.counts, sweeps[1:], strict=True)
        return {count: self.plan.parts(count, sweep) for count, sweep in cut}


_SIZE = {True: "with together as many parameters", False: "as wide each"}
_FRAME = {"global": "of the whole signal", "local": "of its own, from one end to the other"}


def _medians(corollary: Corollary) -> page.Html:
    """Steps and cost for each number of parts, and what was predicted."""
    names = list(corollary.predicted)
    head = ["parts", "width", "parameters", "steps", "cost", "signals with a part at the limit"]
    head += [f"predicted {what}, {name}" for name in names for what in ("steps", "cost")]
    rows = [
        [
            *(row["parts"], row["hidden"], f"{row['params']:,}", _known(row["steps"]), _known(row["cost"])),
            f"{row['censored']} of {corollary.plan.repeats}",
            *(_known(row["predicted"][name][what]) for name in names for what in ("steps", "cost")),
        ]
        for row in corollary.facts()
    ]
    return page.table(head, rows, "Predictions are by curves of a sweep over whole signals.")


def _against_parts(quantity: str, title: str, corollary: Corollary) -> Draw:
    measured, predicted = corollary.measured, corollary.predicted
    counts = list(measured)

    def draw(axes: Axes) -> None:
        values = np.array([getattr(outcome, quantity) for outcome in measured.values()])
        censored = np.array([outcome.censored for outcome in measured.values()])
        places = np.repeat(counts, values.shape[1])
        dots(axes, places, values.ravel(), censored.ravel(), "signals", "at least: a part hit the limit")
        # No median where it depends on how much more the censored ones need: the line has a gap there.
        middle = [median(getattr(of, quantity), of.censored) for of in measured.values()]
        drawn = np.array([np.nan if value is None else value for value in middle])
        axes.plot(counts, drawn, "o-", color=COLOURS[0], linewidth=1.6, label="median")
        for i, (name, of) in enumerate(predicted.items()):
            line = [float(np.median(getattr(of[count], quantity))) for count in counts]
            axes.plot(counts, line, STYLES[1 + i], color=COLOURS[1 + i], label=f"predicted by the {name}")
        axes.set_xscale("log", base=2)
        axes.set_xticks(counts, [str(count) for count in counts])
        titled(axes, "parts K", title)

    return draw


def _known(value: float | None) -> str:
    return "–" if value is None else in_steps(value)
