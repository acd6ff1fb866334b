"""What every command of `hypothesis` trains and leaves in its folder: rows, numbers, figures, a page."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from partinr.engines.engine import Engine
from partinr.file.checkpoint import Settings
from partinr.files import write_together
from partinr.report import page
from partinr.report.figures import Plot as Plot
from partinr.report.figures import inline
from partinr.report.words import number
from partinr.studies.hypothesis.parts import Parts
from partinr.studies.hypothesis.photographs import Trials
from partinr.studies.hypothesis.study import Study
from partinr.studies.hypothesis.sweep import Ending, Sweep
from partinr.text import jsonable, utf8

RUNS, RESULTS, PAGE = "runs.csv", "results.json", "report.html"

Tell = Callable[[float], None]
"""Told the share of the analysis that is done, 0..1."""

Plan = TypeVar("Plan", Study, Parts, Trials)


@dataclass(frozen=True)
class Findings:
    """What came of an experiment.

    Attributes:
        title: of the page.
        introduction: what was done, in a sentence or two.
        plots: the figures.
        sections: tables and pictures below them.
        trained: what was run, as names and values, beside what every page says of it.
        results: the numbers in JSON's types: `totals`, and a verdict of a statement each.
    """

    title: str
    introduction: str
    plots: Sequence[Plot]
    sections: Sequence[page.Section]
    trained: Sequence[tuple[str, object]]
    results: dict[str, Any]


@dataclass(frozen=True)
class Experiment(ABC, Generic[Plan]):
    """Networks to train, and what to make of them.

    Attributes:
        plan: what is trained, and how long.
    """

    plan: Plan

    @abstractmethod
    def sweeps(self, engine: Engine, folder: Path) -> list[Sweep]:
        """All of them in their order, at their start or where the folder has them.

        Raises:
            InputError: the folder holds work with other settings, or damaged work.
        """

    @abstractmethod
    def table(self, sweeps: Sequence[Sweep]) -> str:
        """The runs as CSV, whether they have ended or not."""

    @abstractmethod
    def findings(self, sweeps: Sequence[Sweep], tell: Tell) -> Findings:
        """What sweeps say whose runs have all ended."""


def totals(settings: Settings, *sweeps: Sweep) -> dict[str, Any]:
    """What all results begin with: what was asked for, how many runs there were and how they ended."""
    runs = [run for sweep in sweeps for run in sweep.tally]
    ended = Counter(ending for _, ending, _ in runs)
    return {
        "settings": settings,
        "runs": len(runs),
        **{kind.name.lower(): ended[kind] for kind in (Ending.CONVERGED, Ending.CENSORED, Ending.DIVERGED)},
        "steps": sum(steps for steps, _, _ in runs),
        "engine": settings["engine"],
    }


def write_findings(folder: Path, findings: Findings, runs: str) -> tuple[dict[str, Any], list[Path]]:
    """Write rows, numbers, figures and the page; older ones are replaced once all are whole.

    Args:
        folder: must exist.
        findings: what to write.
        runs: a row for every run, as CSV.

    Returns:
        the results with the folder's name, and the files, the page first.
    """
    results = {"output": str(folder), **findings.results}
    texts = {
        PAGE: _page(findings),
        # A number that is none is an error here.
        RESULTS: json.dumps(jsonable(results), indent=2, allow_nan=False) + "\n",
        RUNS: runs,
    }
    files = {folder / name: utf8(text) for name, text in texts.items()}
    for plot in findings.plots:
        files |= plot.files(folder)
    write_together(files)
    return results, list(files)


def write_runs(folder: Path, runs: str) -> None:
    """Write the rows alone, of runs that have not all ended."""
    write_together({folder / RUNS: utf8(runs)})


def _page(findings: Findings) -> str:
    results = findings.results
    sections = [
        page.Section("What the runs say", [page.paragraph(text) for text in results["verdict"]]),
        page.Section("Figures", [inline(findings.plots)]),
        *findings.sections,
        page.Section("What was run", [page.facts([*findings.trained, *_facts(results)])]),
    ]
    return page.document(findings.title, findings.introduction, sections)


def _facts(results: dict[str, Any]) -> list[tuple[str, object]]:
    """How the runs ended and how they were trained."""
    settings = results["settings"]
    rules = settings["rules"]
    config = [
        f"{value}" if key == "name" else f"{key} {value:g}" for key, value in settings["network"].items()
    ]
    return [
        ("converged", f"{results['converged']:,}"),
        ("stopped at the limit", f"{results['censored']:,}"),
        ("diverged", f"{results['diverged']:,}"),
        ("network", ", ".join(config)),
        ("error to reach", number(rules["threshold"])),
        ("limit, steps", f"{rules['limit']:,}"),
        ("learning rate", number(rules["learning_rate"])),
        ("seed", settings["seed"]),
    ]
