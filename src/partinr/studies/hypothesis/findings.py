"""What every command of `hypothesis` leaves in its folder: rows, numbers, figures and one page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from partinr.files import write_together
from partinr.model.networks import Network
from partinr.report import page
from partinr.report.figures import Plot as Plot
from partinr.report.figures import inline
from partinr.report.words import number
from partinr.studies.hypothesis.sweep import Rules
from partinr.text import jsonable, utf8

RUNS, RESULTS, PAGE = "runs.csv", "results.json", "report.html"


@dataclass(frozen=True)
class Findings:
    """What a page says.

    Attributes:
        title: of the page.
        introduction: what was done, in a sentence or two.
        verdict: what the measurements say, a statement each.
        plots: the figures.
        sections: tables and pictures below them.
        settings: what was run, as names and values.
    """

    title: str
    introduction: str
    verdict: Sequence[str]
    plots: Sequence[Plot]
    sections: Sequence[page.Section]
    settings: Sequence[tuple[str, object]]


def write_findings(folder: Path, findings: Findings, runs: str, results: dict[str, Any]) -> list[Path]:
    """Write rows, numbers, figures and the page; older ones are replaced once all are whole.

    Args:
        folder: must exist.
        findings: what the page says.
        runs: a row for every run, as CSV.
        results: what goes into the JSON file.

    Returns:
        the files, the page first.
    """
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
    return list(files)


def write_runs(folder: Path, runs: str) -> None:
    """Write the rows alone, of runs that have not all ended."""
    write_together({folder / RUNS: utf8(runs)})


def settings_facts(
    network: Network, rules: Rules, seed: int, ended: Mapping[str, int]
) -> list[tuple[str, object]]:
    """How the runs ended and how they were trained, which every page has.

    Args:
        network: of the runs, or that of undivided signals.
        rules: how runs are trained and when they end.
        seed: of everything.
        ended: numbers of runs, as `endings` has them.
    """
    config = [f"{value}" if key == "name" else f"{key} {value:g}" for key, value in network.config().items()]
    return [
        ("converged", f"{ended['converged']:,}"),
        ("stopped at the limit", f"{ended['censored']:,}"),
        ("diverged", f"{ended['diverged']:,}"),
        ("network", ", ".join(config)),
        ("error to reach", number(rules.threshold)),
        ("limit, steps", f"{rules.limit:,}"),
        ("learning rate", number(rules.learning_rate)),
        ("seed", seed),
    ]


def _page(findings: Findings) -> str:
    sections = [
        page.Section("What the runs say", [page.paragraph(text) for text in findings.verdict]),
        page.Section("Figures", [inline(findings.plots)]),
        *findings.sections,
        page.Section("What was run", [page.facts(findings.settings)]),
    ]
    return page.document(findings.title, findings.introduction, sections)
