"""What a sweep leaves in its folder: the runs, the numbers, figures and a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from numpy import ndarray

from partinr.files import atomic_write
from partinr.hypothesis.evidence import Contender, Evidence, HeldOut
from partinr.hypothesis.study import Run, Study
from partinr.hypothesis.sweep import Ending, Sweep
from partinr.hypothesis.verdict import sentences
from partinr.networks import Parameters
from partinr.report import page
from partinr.report.figures import write_figure
from partinr.report.growth import growth, line_and_fit, plane_and_fit, residuals
from partinr.report.plots import Draw, to_svg
from partinr.report.words import number

RUNS, RESULTS, PAGE = "runs.csv", "results.json", "report.html"


def write_text(path: Path, text: str) -> None:
    """Write a text file that is whole or not there."""
    with atomic_write(path) as file:
        file.write(text.encode("utf-8"))


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write an object as JSON; a number that is none is an error here."""
    write_text(path, json.dumps(values, indent=2, allow_nan=False) + "\n")


def write_study(
    folder: Path, study: Study, sweep: Sweep, runs: Sequence[Run], evidence: Evidence, results: dict[str, Any]
) -> list[Path]:
    """Write the numbers, the figures and the page of a sweep whose runs have all ended.

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
    write_json(folder / RESULTS, results)
    figures: list[tuple[str, Draw, str]] = [
        ("growth", growth(evidence), "Steps against boundaries: runs and fitted curves."),
        (
            "residuals",
            residuals(evidence),
            "Steps of each run over the exponential's median. A curve that fits leaves no bend.",
        ),
    ]
    shown = example(runs)
    if shown is not None:
        run = runs[shown]
        caption = f"A signal of {run.size.boundaries} boundaries and its fit after {run.steps} steps."
        figures.append(("signal", _signal(study, sweep, run, shown), caption))
    written = [folder / PAGE]
    for name, draw, _ in figures:
        written += write_figure(folder / name, draw)
    svgs = [(to_svg(draw, caption), caption) for _, draw, caption in figures]
    write_text(folder / PAGE, _page(study, runs, evidence, svgs))
    return written


def example(runs: Sequence[Run]) -> int | None:
    """Which run to show: a converged one of the middle of the sizes that converged."""
    converged = [i for i, run in enumerate(runs) if run.ending is Ending.CONVERGED]
    return converged[len(converged) // 2] if converged else None


def fitted_values(study: Study, sweep: Sweep, place: int) -> Float32[ndarray, "samples channels"]:
    """Values of a run's network on the grid that the error is measured on."""
    state = sweep.state.parameters
    pick = slice(place, place + 1)
    own = Parameters([w[pick] for w in state.weights], [b[pick] for b in state.biases])
    coords = torch.from_numpy(study.grid()).to(own.biases[0].device)
    with torch.no_grad():
        return study.network.forward(coords[None], own)[0].cpu().numpy()


def _signal(study: Study, sweep: Sweep, run: Run, place: int) -> Draw:
    grid, fit = study.grid(), fitted_values(study, sweep, place)
    signal = study.signal(run.size, run.repeat)(grid)
    if study.dims == 1:
        return line_and_fit(grid[:, 0], signal[:, 0], fit[:, 0])
    square = (study.points, study.points)
    return plane_and_fit(signal.reshape(square), fit.reshape(square).astype(np.float64))


def _page(study: Study, runs: Sequence[Run], evidence: Evidence, svgs: Sequence[tuple[str, str]]) -> str:
    count = {ending: sum(run.ending is ending for run in runs) for ending in Ending}
    config = study.network.config()
    facts = [
        ("runs", f"{len(runs)}: {len(study.sizes)} sizes, {study.repeats} repeats"),
        ("converged", count[Ending.CONVERGED]),
        ("stopped at the limit", count[Ending.CENSORED]),
        ("diverged", count[Ending.DIVERGED]),
        (
            "network",
            ", ".join(f"{value}" if k == "name" else f"{k} {value:g}" for k, value in config.items()),
        ),
        ("error to reach", number(study.rules.threshold)),
        ("limit, steps", f"{study.rules.limit:,}"),
        ("learning rate", number(study.rules.learning_rate)),
        ("seed", study.seed),
    ]
    sections = [
        page.Section("What the runs say", [page.paragraph(text) for text in sentences(evidence)]),
        page.Section("Figures", [page.plots(svgs)]),
        page.Section("Curves compared", [comparison_table(evidence)]),
        page.Section("What was run", [page.facts(facts)]),
    ]
    introduction = (
        "Networks of one shape, each trained on a step signal of its own until its error is small: "
        "the steps that this takes against the signal's number of boundaries."
    )
    return page.document(f"Exponential-increase hypothesis, {study.dims}D", introduction, sections)


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
