"""What a sweep shows: its curves, what is left of them, and a signal with its fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy import ndarray

from partinr.engines.engine import Engine
from partinr.report import page
from partinr.report.plots import Draw
from partinr.shapes import Float32
from partinr.studies.hypothesis.evidence import Contender, Evidence, weigh
from partinr.studies.hypothesis.findings import Experiment, Findings, Plot, Tell, totals
from partinr.studies.hypothesis.plots import growth, line_and_fit, plane_and_fit, residuals
from partinr.studies.hypothesis.signals import Size
from partinr.studies.hypothesis.study import Study, observations, table
from partinr.studies.hypothesis.sweep import Ending, Run, Sweep
from partinr.studies.hypothesis.verdict import exponential_support, faster_than_linear, sentences


@dataclass(frozen=True)
class StepSignals(Experiment[Study]):
    """The published experiment: steps against boundaries.

    Attributes:
        resamples: bootstrap samples for the intervals.
    """

    resamples: int

    def sweeps(self, engine: Engine, folder: Path) -> list[Sweep]:
        """The one over all sizes."""
        return [self.plan.prepare(engine, folder)]

    def table(self, sweeps: Sequence[Sweep]) -> str:
        """A row each."""
        return table(self.plan.outcome(sweeps[0]))

    def findings(self, sweeps: Sequence[Sweep], tell: Tell) -> Findings:
        """Both analyses of the runs."""
        study, (sweep,) = self.plan, sweeps
        runs = study.outcome(sweep)
        evidence = weigh(observations(runs), self.resamples, study.seed, tell)
        facts = evidence.facts()
        results = {
            **totals(study.settings(sweep.engine), sweep),
            "seconds": sweep.tally.seconds,
            **facts["likelihood"],
            **{key: facts[key] for key in ("published", "models", "best", "resamples")},
            "faster_than_linear": faster_than_linear(evidence),
            "exponential": exponential_support(evidence),
            "verdict": sentences(evidence),
        }
        return Findings(
            f"Exponential-increase hypothesis, {study.dims}D",
            "Networks of one shape, each trained on a step signal of its own until its error is small: the "
            "steps that this takes against the signal's number of boundaries.",
            [
                Plot("growth", growth(evidence), "Steps against boundaries: runs and fitted curves."),
                Plot(
                    "residuals",
                    residuals(evidence),
                    "Steps of each run over the exponential's median. A curve that fits leaves no bend.",
                ),
                *_example(study, sweep, runs),
            ],
            [page.Section("Curves compared", [_comparison(evidence)])],
            [("runs", f"{len(runs)}: {len(study.sizes)} sizes, {study.repeats} repeats")],
            results,
        )


def _example(study: Study, sweep: Sweep, runs: Sequence[Run[Size]]) -> list[Plot]:
    """A run of the middle of the sizes that converged, if any did."""
    converged = [i for i, run in enumerate(runs) if run.ending is Ending.CONVERGED]
    if not converged:
        return []
    place = converged[len(converged) // 2]
    run = runs[place]
    caption = f"A signal of {run.subject.boundaries} boundaries and its fit after {run.steps} steps."
    height = 4.2 if study.dims == 1 else 3.4
    return [Plot("signal", _signal(study, run, fitted_values(study, sweep, place)), caption, height)]


def fitted_values(study: Study, sweep: Sweep, place: int) -> Float32[ndarray, "samples channels"]:
    """Values of a run's network on the grid that the error is measured on."""
    own = sweep.state.parameters.map(lambda array: array[place : place + 1])
    values: Float32[ndarray, "samples channels"] = study.network.forward(study.grid()[None], own)[0]
    return values


def _signal(study: Study, run: Run[Size], fit: Float32[ndarray, "samples channels"]) -> Draw:
    grid = study.grid()
    signal = study.signal(run.subject, run.repeat)(grid)
    if study.dims == 1:
        return line_and_fit(grid[:, 0], signal[:, 0], fit[:, 0])
    square = (study.points, study.points)
    return plane_and_fit(signal.reshape(square), fit.reshape(square).astype(np.float64))


def _comparison(evidence: Evidence) -> page.Html:
    """Every family of curves with its likelihood, AIC and predictions."""
    head = ["curve", "formula", "log likelihood", "AIC above best", "left out: behind", "largest: behind"]
    rows = [[name, *_row(evidence.contenders[name])] for name in evidence.ranked]
    return page.table(
        head, rows, "Log likelihood of held-out runs behind the best curve's, ± its standard error."
    )


def _row(contender: Contender) -> list[str]:
    fit, delta = contender.fit, contender.delta
    assert fit is not None  # as of all that are ranked
    behind = ["–" if held is None else str(held) for held in (contender.crossed, contender.extrapolated)]
    return [fit.model.formula, f"{fit.log_likelihood:.1f}", f"{delta:.1f}", *behind]
