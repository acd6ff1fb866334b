"""What a sweep shows: its curves, what is left of them, and a signal with its fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from partinr.report import page
from partinr.report.plots import Draw
from partinr.studies.hypothesis.evidence import Contender, Evidence, HeldOut
from partinr.studies.hypothesis.findings import Findings, Plot, settings_facts, write_findings
from partinr.studies.hypothesis.plots import growth, line_and_fit, plane_and_fit, residuals
from partinr.studies.hypothesis.study import Run, Study, table
from partinr.studies.hypothesis.sweep import Ending, Sweep, endings
from partinr.studies.hypothesis.verdict import sentences


def write_study(
    folder: Path, study: Study, sweep: Sweep, runs: Sequence[Run], evidence: Evidence, results: dict[str, Any]
) -> list[Path]:
    """Write the rows, the numbers, the figures and the page of a sweep whose runs have all ended.

    Args:
        folder: must exist.
        study: what was asked for.
        sweep: the trained networks.
        runs: what came of them.
        evidence: what they say.
        results: what goes into the JSON file.

    Returns:
        the files, the page first.
    """
    plots = [
        Plot("growth", growth(evidence), "Steps against boundaries: runs and fitted curves."),
        Plot(
            "residuals",
            residuals(evidence),
            "Steps of each run over the exponential's median. A curve that fits leaves no bend.",
        ),
    ]
    shown = example(runs)
    if shown is not None:
        run = runs[shown]
        caption = f"A signal of {run.size.boundaries} boundaries and its fit after {run.steps} steps."
        plots.append(
            Plot("signal", _signal(study, sweep, run, shown), caption, 4.2 if study.dims == 1 else 3.4)
        )
    sizes = f"{len(runs)}: {len(study.sizes)} sizes, {study.repeats} repeats"
    ended = endings(run.ending for run in runs)
    findings = Findings(
        f"Exponential-increase hypothesis, {study.dims}D",
        "Networks of one shape, each trained on a step signal of its own until its error is small: the steps "
        "that this takes against the signal's number of boundaries.",
        sentences(evidence),
        plots,
        [page.Section("Curves compared", [comparison_table(evidence)])],
        [("runs", sizes), *settings_facts(study.network, study.rules, study.seed, ended)],
    )
    return write_findings(folder, findings, table(list(runs)), results)


def example(runs: Sequence[Run]) -> int | None:
    """Which run to show: a converged one of the middle of the sizes that converged."""
    converged = [i for i, run in enumerate(runs) if run.ending is Ending.CONVERGED]
    return converged[len(converged) // 2] if converged else None


def fitted_values(study: Study, sweep: Sweep, place: int) -> Float32[ndarray, "samples channels"]:
    """Values of a run's network on the grid that the error is measured on."""
    own = sweep.state.parameters.map(lambda array: array[place : place + 1])
    values: Float32[ndarray, "samples channels"] = study.network.forward(study.grid()[None], own)[0]
    return values


def _signal(study: Study, sweep: Sweep, run: Run, place: int) -> Draw:
    grid, fit = study.grid(), fitted_values(study, sweep, place)
    signal = study.signal(run.size, run.repeat)(grid)
    if study.dims == 1:
        return line_and_fit(grid[:, 0], signal[:, 0], fit[:, 0])
    square = (study.points, study.points)
    return plane_and_fit(signal.reshape(square), fit.reshape(square).astype(np.float64))


def comparison_table(evidence: Evidence) -> page.Html:
    """Every family of curves with its likelihood, AIC and predictions."""
    head = ["curve", "formula", "log likelihood", "AIC above best", "left out: behind", "largest: behind"]
    rows = [[name, *_row(evidence.contenders[name])] for name in evidence.ranked]
    return page.table(
        head, rows, "Log likelihood of held-out runs behind the best curve's, ± its standard error."
    )


def _row(contender: Contender) -> list[str]:
    fit, delta = contender.fit, contender.delta
    if fit is None or delta is None:
        return ["–"] * 5
    return [
        fit.model.formula,
        f"{fit.log_likelihood:.1f}",
        f"{delta:.1f}",
        _behind(contender.crossed),
        _behind(contender.extrapolated),
    ]


def _behind(held: HeldOut | None) -> str:
    return "–" if held is None else str(held)
