"""What cutting signals into parts gained: steps and cost against the number of parts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from partinr.report import page
from partinr.report.plots import COLOURS, INK, STYLES, Draw
from partinr.studies.hypothesis.corollary import Corollary, in_steps, median
from partinr.studies.hypothesis.findings import Findings, Plot, settings_facts, write_findings
from partinr.studies.hypothesis.parts import Part, parts_table
from partinr.studies.hypothesis.plots import logarithmic
from partinr.studies.hypothesis.sweep import endings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PLOTS = (
    (
        *("steps", "steps until all parts are below the error"),
        "Steps of the slowest part against the number of parts: signals, their median, and predictions.",
    ),
    (
        *("cost", "cost in undivided steps"),
        "Arithmetic of all parts together against their number, in steps of the undivided network.",
    ),
)


def write_parts(
    folder: Path, parts: Mapping[int, list[Part]], corollary: Corollary, results: dict[str, Any]
) -> list[Path]:
    """Write the rows, the numbers, the figures and the page; returns the files, the page first.

    Args:
        folder: must exist.
        parts: what was trained, by number of parts.
        corollary: what came of it.
        results: what goes into the JSON file.
    """
    plan = corollary.plan
    frame = "of the whole signal" if plan.frame == "global" else "of its own, from one end to the other"
    size = "with together as many parameters" if plan.equal_params else "as wide each"
    ended = endings(part.ending for group in parts.values() for part in group)
    trained = [
        ("signals", f"{plan.repeats} of {plan.boundaries} boundaries"),
        ("networks of parts", "as many parameters together" if plan.equal_params else "as wide each"),
        ("coordinates of parts", "the whole signal's" if plan.frame == "global" else "their own"),
        *settings_facts(plan.network, plan.rules, plan.seed, ended),
    ]
    findings = Findings(
        "Exponential-increase hypothesis, the corollary",
        f"Step signals cut into equal parts, each with a network of its own, {size} as the one of the whole, "
        f"in coordinates {frame}. Every part is trained until its own error is small. Steps are those of the "
        "slowest part; cost is the arithmetic of all parts, in steps of the undivided network.",
        corollary.sentences(),
        [Plot(what, _against_parts(what, label, corollary), caption) for what, label, caption in _PLOTS],
        [page.Section("Medians over signals", [parts_rows(corollary)])],
        trained,
    )
    return write_findings(folder, findings, parts_table(parts), results)


def parts_rows(corollary: Corollary) -> page.Html:
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


def _against_parts(quantity: str, label: str, corollary: Corollary) -> Draw:
    measured, predicted = corollary.measured, corollary.predicted
    counts = list(measured)

    def draw(axes: Axes) -> None:
        for which, marker, name in ((False, ".", "signals"), (True, "^", "at least: a part hit the limit")):
            points = [
                (count, value)
                for count, outcome in measured.items()
                for value, censored in zip(getattr(outcome, quantity), outcome.censored, strict=True)
                if bool(censored) is which
            ]
            if points:
                x, y = np.array(points).T
                axes.plot(x, y, marker, color=INK, alpha=0.5, label=name)
        # No median where it depends on how much more the censored ones need: the line has a gap there.
        middle = [median(getattr(of, quantity), of.censored) for of in measured.values()]
        drawn = np.array([np.nan if value is None else value for value in middle])
        axes.plot(counts, drawn, "o-", color=COLOURS[0], linewidth=1.6, label="median")
        for i, (name, of) in enumerate(predicted.items()):
            line = [float(np.median(getattr(of[count], quantity))) for count in counts]
            axes.plot(counts, line, STYLES[1 + i], color=COLOURS[1 + i], label=f"predicted by the {name}")
        axes.set_xscale("log", base=2)
        axes.set_xticks(counts, [str(count) for count in counts])
        logarithmic(axes)
        axes.set_xlabel("parts K")
        axes.set_ylabel(label)
        axes.legend(loc="best", frameon=False, labelcolor=INK, fontsize=8)

    return draw


def _known(value: float | None) -> str:
    return "–" if value is None else in_steps(value)
