"""Options that the sweeps of `partinr hypothesis` share, and the objects that they stand for."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

import partinr
from partinr.cli import words
from partinr.cli.console import Bar, duration
from partinr.cli.interrupt import Stop
from partinr.cli.options import HOW, OUT
from partinr.errors import InputError
from partinr.files import check_folder, make_folder

if TYPE_CHECKING:
    from partinr.studies.hypothesis.signals import Size
    from partinr.studies.hypothesis.sweep import Progress, Rules

_WHAT = "What to run"

OUTPUT = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        metavar="DIR",
        show_default=False,
        help="The folder for results and unfinished work, where the same command goes on; made if missing.",
        rich_help_panel=OUT,
    ),
]
QUICK = Annotated[
    bool,
    typer.Option("--quick", help="Fewer and smaller signals: under two minutes.", rich_help_panel=_WHAT),
]
NETWORK = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help=f"The network: {', '.join(words.NETWORK_WORDS)}. Default: siren.",
        autocompletion=lambda: list(words.NETWORK_WORDS),
        rich_help_panel=_WHAT,
    ),
]
HIDDEN = Annotated[
    int | None,
    typer.Option(metavar="N", help="Width of the hidden layers. Default: 32.", rich_help_panel=_WHAT),
]
LAYERS = Annotated[
    int | None,
    typer.Option(metavar="N", help="Hidden layers after the first one. Default: 3.", rich_help_panel=_WHAT),
]
OMEGA_0 = Annotated[
    float | None,
    typer.Option(
        "--omega-0",
        metavar="X",
        help="Frequency factor of the first layer. Default: the published one for siren, the network's own "
        "for others.",
        rich_help_panel=_WHAT,
    ),
]
REPEATS = Annotated[
    int | None, typer.Option(metavar="N", help="Signals of each size.", rich_help_panel=_WHAT)
]
THRESHOLD = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="Mean squared error to reach, on values of -1 and 1. Default: 0.05.",
        rich_help_panel=_WHAT,
    ),
]
STEPS = Annotated[
    int | None,
    typer.Option(
        metavar="N", max=2**31 - 1, help="Steps after which a run is given up.", rich_help_panel=_WHAT
    ),
]
LR = Annotated[
    float | None,
    typer.Option(metavar="X", help="Learning rate. Default: 0.001.", rich_help_panel=_WHAT),
]
SEED = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        max=2**63 - 1,
        help="Same seed, engine and machine: same numbers.",
        rich_help_panel=HOW,
    ),
]
BOOTSTRAP = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=20,
        max=1_000_000,
        help="Bootstrap samples for the intervals. Default: 1000, and 200 with --quick.",
        rich_help_panel=HOW,
    ),
]


def folder(path: Path, sweep: str) -> Path:
    """The folder of an output, made if missing.

    Args:
        path: the folder.
        sweep: what its results are of, as settings name it.

    Raises:
        InputError: there is something else of this name, or it has results of something else.
    """
    from partinr.studies.hypothesis.findings import PAGE, RESULTS, RUNS

    check_folder(path, PAGE, RESULTS, RUNS)
    results = path / RESULTS
    if results.exists():
        try:
            theirs = json.loads(results.read_bytes())["settings"]["sweep"]
        except (ValueError, LookupError, TypeError):
            theirs = "something else"
        if theirs != sweep:
            raise InputError(
                f"{path} holds results of other settings: sweep was {theirs}, now {sweep}; use another folder"
            )
    make_folder(path)
    return path


def network(
    published: partinr.Network,
    name: str | None,
    hidden: int | None,
    layers: int | None,
    omega_0: float | None,
) -> partinr.Network:
    """The published network, or another of its width and depth, with what was asked for changed.

    Raises:
        InputError: no such network, it has no omega_0, or a number is out of its bounds.
    """
    from partinr.model.networks import NETWORKS, network_from_word

    asked = {"hidden": hidden, "layers": layers, "omega_0": omega_0}
    changes = {key: value for key, value in asked.items() if value is not None}
    if name is None or name == published.name:
        return network_from_word(published.name, **{**_constants(published), **changes})
    if name in NETWORKS:
        changes = {"hidden": published.hidden, "layers": published.layers, **changes}
    return network_from_word(name, **changes)


def rules(usual: Rules, threshold: float | None, steps: int | None, lr: float | None) -> Rules:
    """The usual rules with what was asked for changed.

    Raises:
        InputError: a number is out of its range.
    """
    asked = {"threshold": threshold, "limit": steps, "learning_rate": lr}
    changes = {key: value for key, value in asked.items() if value is not None}
    return replace(usual, **cast(Any, changes))


def sizes(word: str, dims: int) -> tuple[Size, ...]:
    """Sizes of step signals: 1,3,5 or 1:59:2 (from, to and step); on two axes products or 5x2.

    Raises:
        InputError: not of this form, or not ascending.
    """
    from partinr.studies.hypothesis.signals import Size, most_square

    if re.fullmatch(r"[0-9]{1,6}:[0-9]{1,6}:[0-9]{1,6}", word):
        first, last, step = (int(n) for n in word.split(":"))
        parts = [str(n) for n in range(first, last + 1, step)] if step else []
    else:
        parts = word.split(",")
    pattern = r"[1-9][0-9]{0,5}" if dims == 1 else r"[1-9][0-9]{0,5}(x[1-9][0-9]{0,5})?"
    if not parts or not all(re.fullmatch(pattern, part) for part in parts):
        form = "1,3,5 or 1:59:2" if dims == 1 else "10,20,30 or 10:250:10 or 5x2,5x4"
        raise InputError(f"--sizes must be numbers of boundaries such as {form}, got {word!r:.100}")
    found = [
        Size(tuple(int(n) for n in part.split("x"))) if dims == 1 or "x" in part else most_square(int(part))
        for part in parts
    ]
    if len({size.thresholds for size in found}) < len(found):
        raise InputError(f"--sizes must differ, got {word!r:.100}")
    return tuple(found)


def follow(bar: Bar, stop: Stop, progress: Progress) -> bool:
    """Show where a sweep stands; whether to stop it."""
    if bar.due():
        note = (
            f"{progress.ended}/{progress.runs} runs  step {progress.step:,} of at most {progress.limit:,}  "
            f"{duration(progress.remaining)} left"
        )
        bar.show(progress.fraction, note, "stopping" if stop.asked else None)
    return stop.asked


def ended(results: dict[str, Any]) -> str:
    """How many runs there were, and how they ended."""
    how = [f"{results[key]} {key}" for key in ("converged", "censored", "diverged") if results[key]]
    return f"{results['runs']}: {', '.join(how)}"


def verdict(results: dict[str, Any]) -> list[tuple[str, object]]:
    """What the runs say, a line for each statement."""
    return [("" if i else "verdict", sentence) for i, sentence in enumerate(results["verdict"])]


def written(results: dict[str, Any], files: Sequence[Path]) -> list[tuple[str, object]]:
    """The folder and the names of the files in it."""
    return [("folder", results["output"]), ("files", ", ".join(path.name for path in files))]


def _constants(network: partinr.Network) -> dict[str, Any]:
    return {one.name: getattr(network, one.name) for one in fields(network)}
