"""What `hypothesis partition` leaves in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from partinr.hypothesis.evidence import Evidence
from partinr.hypothesis.models import EXPONENTIAL
from partinr.hypothesis.parts import Outcome, Part, Parts, parts_table
from partinr.report.figures import write_figure
from partinr.report.growth import logarithmic
from partinr.report.hypothesis import RESULTS, RUNS, write_json, write_text
from partinr.report.plots import COLOURS, INK, Draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_QUANTITIES = (("steps", "steps until all parts are below the error"), ("cost", "cost, undivided steps"))


def summary(
    plan: Parts, parts: Mapping[int, list[Part]], evidence: Evidence
) -> tuple[dict[int, Outcome], dict[str, dict[int, Outcome]]]:
    """What was measured for each number of parts, and what each curve that could be fitted predicts."""
    measured = {count: plan.outcome(count, parts[count]) for count in plan.counts}
    predicted: dict[str, dict[int, Outcome]] = {}
    for name in dict.fromkeys([EXPONENTIAL.name, *evidence.ranked[:1]]):
        fit = evidence.contenders[name].fit
        if fit is not None:
            predicted[name] = {count: plan.predicted(count, fit) for count in plan.counts}
    return measured, predicted


def facts(
    plan: Parts, measured: Mapping[int, Outcome], predicted: Mapping[str, Mapping[int, Outcome]]
) -> list[dict[str, Any]]:
    """A row for each number of parts: medians over signals, None where a signal in the middle is censored."""
    return [
        {
            "parts": count,
            "hidden": plan.narrowed(count).hidden,
            "params": count * plan.narrowed(count).params(1, 1),
            "steps": _median(measured[count].steps, measured[count].censored),
            "cost": _median(measured[count].cost, measured[count].censored),
            "censored": int(measured[count].censored.sum()),
            "predicted": {
                name: {"steps": float(np.median(of[count].steps)), "cost": float(np.median(of[count].cost))}
                for name, of in predicted.items()
            },
        }
        for count in plan.counts
    ]


def write_parts(
    folder: Path,
    parts: Mapping[int, list[Part]],
    measured: Mapping[int, Outcome],
    predicted: Mapping[str, Mapping[int, Outcome]],
    results: dict[str, Any],
) -> list[Path]:
    """Write the rows, the numbers and the figures; returns the files."""
    write_text(folder / RUNS, parts_table(parts))
    write_json(folder / RESULTS, results)
    written = [folder / RUNS, folder / RESULTS]
    for quantity, label in _QUANTITIES:
        written += write_figure(folder / quantity, _against_parts(quantity, label, measured, predicted))
    return written


def _against_parts(
    quantity: str,
    label: str,
    measured: Mapping[int, Outcome],
    predicted: Mapping[str, Mapping[int, Outcome]],
) -> Draw:
    counts: Sequence[int] = list(measured)

    def draw(axes: Axes) -> None:
        for which, marker, name in ((False, ".", "signals"), (True, "^", "a part stopped at the limit")):
            points = [
                (count, value)
                for count, outcome in measured.items()
                for value, censored in zip(getattr(outcome, quantity), outcome.censored, strict=True)
                if bool(censored) is which
            ]
            if points:
                x, y = np.array(points).T
                axes.plot(x, y, marker, color=INK, alpha=0.5, label=name)
        middle = [float(np.median(getattr(outcome, quantity))) for outcome in measured.values()]
        axes.plot(counts, middle, "o-", color=COLOURS[0], linewidth=1.6, label="median")
        for i, (name, of) in enumerate(predicted.items()):
            line = [float(np.median(getattr(of[count], quantity))) for count in counts]
            axes.plot(counts, line, "--", color=COLOURS[1 + i], label=f"predicted by the {name}")
        axes.set_xscale("log", base=2)
        axes.set_xticks(counts, [str(count) for count in counts])
        logarithmic(axes)
        axes.set_xlabel("parts K")
        axes.set_ylabel(label)
        axes.legend(loc="best", frameon=False, labelcolor=INK, fontsize=8)

    return draw


def _median(values: Float64[ndarray, "signals"], censored: ndarray) -> float | None:
    """The median; None where it depends on how much more the censored ones need."""
    middle = float(np.median(np.where(censored, np.inf, values)))
    return middle if np.isfinite(middle) else None
