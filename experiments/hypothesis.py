"""The paper's evidence for its hypothesis, measured again: sweeps, the corollary, and photographs.

    python experiments/hypothesis.py [1d] [2d] [resolution] [partition] [image] [--steps-2d 4000]
                                     [--threads N]

All of them without a name. Runs are kept in experiments/runs, so that a second call only draws again. Writes
tables and figures into docs/hypothesis.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from manual import DOCS, machine, publish, table

from partinr.studies.hypothesis.evidence import weigh
from partinr.studies.hypothesis.observations import Observations
from partinr.studies.hypothesis.signals import PUBLISHED_1D, PUBLISHED_2D
from partinr.studies.hypothesis.verdict import sentences

HERE = Path(__file__).parent
PAGE = "hypothesis.md"
PUBLISHED_LIMIT = 4000
PHOTOS = (
    *("astronaut", "brick", "camera", "chelsea", "coffee", "coins"),
    *("grass", "gravel", "moon", "page", "retina", "rocket"),
)


def measured(name: str, *words: str) -> dict[str, Any]:
    """What a command prints; its folder is kept."""
    folder = HERE / "runs" / f"hypothesis-{name}"
    command = [sys.executable, "-m", "partinr", "hypothesis", *words, "-o", str(folder), "--json"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def keep(name: str, *figures: str) -> None:
    """Copy figures of a command into the manual."""
    (DOCS / "figures").mkdir(exist_ok=True)
    for figure in figures:
        source = HERE / "runs" / f"hypothesis-{name}" / f"{figure}.svg"
        shutil.copyfile(source, DOCS / "figures" / f"hypothesis-{name}-{figure}.svg")


def published(dims: int, limit: int) -> dict[str, Any]:
    """The same two analyses of the published step counts, of what a limit leaves of them."""
    steps = np.load(HERE.parent / "tests" / "data" / f"steps_{dims}d.npy").astype(np.float64)
    sizes = np.array([float(size.boundaries) for size in (PUBLISHED_1D, PUBLISHED_2D)[dims - 1]])
    counts = np.minimum(steps.ravel(), limit)
    runs = Observations(np.tile(sizes, len(steps)), counts, counts >= limit)
    evidence = weigh(runs)
    facts = evidence.facts()
    likelihood = facts["likelihood"]
    return {
        **facts,
        "p": likelihood["p"],
        "p_interval": likelihood["p_interval"],
        "verdict": sentences(evidence),
    }


def sweep(dims: int, *words: str) -> None:
    """A sweep of ours beside the published one."""
    name = f"{dims}d"
    ours, theirs = measured(name, name, *words), published(dims, PUBLISHED_LIMIT)
    limit = ours["settings"]["rules"]["limit"]

    lines = [row("published", theirs)]
    if limit < PUBLISHED_LIMIT:
        lines.append(row(f"published, cut at {limit:,} steps", published(dims, limit)))
    lines.append(row("measured here", ours))
    command = f"{name} --steps-2d {limit}" if limit < PUBLISHED_LIMIT else name
    found = analyses("step counts", ours, lines)
    text = (
        f"{found}\n\n95 % intervals by bootstrap; AIC above the best curve's. Limit of the runs "
        f"here: {limit:,} steps; {ours['steps']:,} steps of single runs in all. "
        f"`python experiments/hypothesis.py {command}`\n\nOf the published step counts:\n\n"
        f"{listed(theirs['verdict'])}\n\nOf those measured here:\n\n{listed(ours['verdict'])}"
    )
    publish(PAGE, name, text)
    keep(name, "growth", "residuals", "signal")


def row(title: str, found: dict[str, Any]) -> list[str]:
    """What both analyses make of step counts."""

    def factor(value: float | None, interval: list[float] | None) -> str:
        if value is None:
            return "unknown"
        between = "" if interval is None else f" ({interval[0]:.5f} to {interval[1]:.5f})"
        return f"{value:.5f}{between}"

    above = [found["models"][model]["aic_above_best"] for model in found["models"]]
    return [
        title,
        f"{found['runs']}, {found['censored']}",
        factor(found["published"]["p"], found["published"]["p_interval"]),
        factor(found["p"], found["p_interval"]),
        *("–" if value is None else f"{value:.1f}" for value in above),
    ]


def analyses(what: str, found: dict[str, Any], lines: list[list[str]], *others: str) -> str:
    """A table of such rows with the title of the first column, and those of others at the end."""
    models = [f"AIC, {model}" for model in found["models"]]
    return table([what, "runs, censored", "p as published", "p by likelihood", *models, *others], lines)


def resolution(*more: str) -> None:
    """The sweep in a plane on coarser samples."""
    lines = []
    for points in (64, 128, 256):
        name = "2d" if points == 256 else f"2d-{points}"
        found = measured(name, "2d", "--points", str(points), *more)
        lines.append([*row(f"{points} x {points}", found), longest(name)])
    text = (
        f"{analyses('samples', found, lines, 'median steps, largest size')}\n\n"
        "`python experiments/hypothesis.py resolution`."
    )
    publish(PAGE, "resolution", text)


def longest(name: str) -> str:
    """Median steps of the signals with the most boundaries."""
    with (HERE / "runs" / f"hypothesis-{name}" / "runs.csv").open() as file:
        runs = list(csv.DictReader(file))
    most = max(int(run["boundaries"]) for run in runs)
    largest = [run for run in runs if int(run["boundaries"]) == most]
    middle = np.median([float(run["steps"]) if run["ending"] == "converged" else np.inf for run in largest])
    limit = max(int(run["steps"]) for run in largest)
    return f"{middle:,.0f}" if np.isfinite(middle) else f"more than {limit:,}"


def listed(said: list[str]) -> str:
    """Sentences as a list."""
    return "\n".join(f"- {sentence}" for sentence in said)


def partition(*more: str) -> None:
    """The corollary at equal parameters and at equal width, in both frames."""
    lines = []
    for name, words in (
        ("partition", ()),
        ("partition-width", ("--equal-width",)),
        ("partition-local", ("--frame", "local")),
        ("partition-width-local", ("--equal-width", "--frame", "local")),
    ):
        found = measured(name, "partition", *words, *more)
        settings = found["settings"]
        equal = "parameters" if settings["equal_params"] else "width"
        for one in found["parts"]:
            foretold = [of["steps"] for of in one["predicted"].values()]
            known = "unknown" if one["steps"] is None else f"{one['steps']:,.0f}"
            cost = "unknown" if one["cost"] is None else f"{one['cost']:,.0f}"
            lines.append(
                [
                    f"{one['parts']}, equal {equal}, {settings['frame']}",
                    f"{one['hidden']}",
                    f"{one['params']:,}",
                    *(known, cost, one["censored"]),
                    " / ".join(f"{steps:,.0f}" for steps in foretold),
                ]
            )
        keep(name, "steps", "cost")
        curves = " / ".join(found["parts"][0]["predicted"])
    head = ["parts", "width", "parameters", "steps", "cost", "censored signals", f"steps predicted: {curves}"]
    text = (
        f"{table(head, lines)}\n\nMedians over {settings['repeats']} signals of "
        f"{settings['boundaries']} boundaries, predictions by the curves of a sweep over undivided signals; "
        "`python experiments/hypothesis.py partition`."
    )
    publish(PAGE, "partition", text)


def image(*more: str) -> None:
    """Photographs that scikit-image ships."""
    from skimage import data, io

    folder = HERE / "runs" / "photographs"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.png" for name in PHOTOS]
    for path in paths:
        io.imsave(path, getattr(data, path.stem)(), check_contrast=False)
    found = measured("image", "image", *map(str, paths), *more)
    lines = []
    for group, title in (
        ("all", f"all {found['pictures']}"),
        ("originals", f"the {found['photos']} originals"),
    ):
        for name in ("edges", "variation"):
            one = found["correlations"][group][name]
            low, high = one["interval"] or (float("nan"), float("nan"))
            lines.append([f"{title}, {name}", f"{one['rank_correlation']:.2f}", f"{low:.2f} to {high:.2f}"])
    text = (
        f"{table(['pictures, measure', 'rank correlation with the steps', '95 % interval'], lines)}\n\n"
        f"{found['runs']} runs, {found['censored']} censored; `python experiments/hypothesis.py image`."
    )
    publish(PAGE, "image", text)
    keep("image", "edges", "variation")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="1d, 2d, resolution, partition, image")
    parser.add_argument("--steps-2d", type=int, default=PUBLISHED_LIMIT, help="limit of the sweep in a plane")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    chosen = options.names or ["1d", "2d", "resolution", "partition", "image"]
    threads = [] if options.threads is None else ["--threads", str(options.threads)]
    if "1d" in chosen:
        sweep(1, *threads)
    if "2d" in chosen:
        sweep(2, "--steps", str(options.steps_2d), *threads)
    if "resolution" in chosen:
        resolution(*threads)
    if "partition" in chosen:
        partition(*threads)
    if "image" in chosen:
        image(*threads)
    print(machine())


if __name__ == "__main__":
    main()
