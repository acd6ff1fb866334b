"""`partinr hypothesis partition`: what cutting a signal into parts saves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from partinr.cli import words
from partinr.cli.console import Bar, complain, emit, say
from partinr.cli.exits import DONE, FAILED, INTERRUPTED
from partinr.cli.hypothesis import options
from partinr.cli.hypothesis.options import (
    HIDDEN,
    LAYERS,
    LR,
    NETWORK,
    OMEGA_0,
    OUTPUT,
    QUICK,
    REPEATS,
    SEED,
    STEPS,
    THRESHOLD,
)
from partinr.cli.interrupt import stopping
from partinr.cli.options import AS_JSON, DEVICE, ENGINE, QUIET, THREADS
from partinr.errors import InputError

if TYPE_CHECKING:
    from partinr.studies.hypothesis.parts import Parts


def partition(
    output: OUTPUT,
    quick: QUICK = False,
    counts: Annotated[
        str,
        typer.Option(
            "--parts", metavar="LIST", help="Numbers of equal parts.", rich_help_panel="What to run"
        ),
    ] = "1,2,4,8",
    boundaries: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=3,
            max=100_000,
            help="Boundaries of every signal. Default: 48, and 32 with --quick.",
            rich_help_panel="What to run",
        ),
    ] = None,
    repeats: REPEATS = None,
    network: NETWORK = None,
    hidden: HIDDEN = None,
    layers: LAYERS = None,
    omega_0: OMEGA_0 = None,
    equal_params: Annotated[
        bool,
        typer.Option(
            "--equal-params/--equal-width",
            help="Narrower networks for parts, or as wide as the undivided signal's.",
            rich_help_panel="What to run",
        ),
    ] = True,
    frame: Annotated[
        words.Frame,
        typer.Option(
            help="Coordinates that a part's network sees: the whole signal's, as published, or its own.",
            rich_help_panel="What to run",
        ),
    ] = "global",
    points: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=2,
            max=10_000_000,
            help="Fresh points of every step, of all parts together. Default: 5000.",
            rich_help_panel="What to run",
        ),
    ] = None,
    threshold: THRESHOLD = None,
    steps: STEPS = None,
    lr: LR = None,
    seed: SEED = 0,
    engine: ENGINE = "auto",
    device: DEVICE = "cpu",
    threads: THREADS = None,
    quiet: QUIET = False,
    as_json: AS_JSON = False,
) -> None:
    """The corollary: the same step signals cut into equal parts, each with a network of its own, at equal
    total parameters or equal width; beside what a sweep over undivided signals predicts.

    Every part is trained until its own error is small. The steps of a signal are those of its slowest part;
    its cost is the arithmetic of all parts, counted in steps of the undivided network.

    Example: partinr hypothesis partition -o parts --quick
    """
    from partinr.studies.hypothesis.parts import Parts
    from partinr.studies.hypothesis.parts import quick as smaller

    usual = smaller() if quick else Parts()
    plan = replace(
        usual,
        boundaries=usual.boundaries if boundaries is None else boundaries,
        repeats=usual.repeats if repeats is None else repeats,
        counts=_counts(counts),
        network=options.network(usual.network, network, hidden, layers, omega_0),
        equal_params=equal_params,
        frame=frame,
        points=usual.points if points is None else points,
        rules=options.rules(usual.rules, threshold, steps, lr),
        seed=seed,
    )
    raise typer.Exit(_run(plan, output, (engine, device, threads), quiet, as_json))


def _counts(word: str) -> tuple[int, ...]:
    parts = word.split(",")
    if not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        raise InputError(f"--parts must be numbers such as 1,2,4,8, got {word!r:.100}")
    return tuple(int(part) for part in parts)


def _run(plan: Parts, output: Path, machine: tuple[str, str, int | None], quiet: bool, as_json: bool) -> int:
    from partinr.engines import select
    from partinr.studies.hypothesis.corollary import Corollary
    from partinr.studies.hypothesis.evidence import weigh
    from partinr.studies.hypothesis.parts import Part
    from partinr.studies.hypothesis.parts_page import write_parts
    from partinr.studies.hypothesis.study import observations
    from partinr.studies.hypothesis.sweep import endings

    engine = select(*machine, plan.network)
    sweep = plan.sweep.prepare(engine, options.folder(output, "parts") / "sweep")
    parts: dict[int, list[Part]] = {}
    with stopping() as stop, Bar("training", quiet=quiet) as bar:
        finished = sweep.run(lambda progress: options.follow(bar, stop, progress))
        for count in plan.counts if finished else ():
            found = plan.run(
                count,
                engine,
                output / f"parts-{count}",
                lambda progress: options.follow(bar, stop, progress),
            )
            if found is None:
                finished = False
                break
            parts[count] = found
        if not finished:
            complain(f"interrupted; the same command goes on from {output}")
            return INTERRUPTED
        evidence = weigh(observations(plan.sweep.outcome(sweep)), resamples=0)
        corollary = Corollary.of(plan, parts, evidence)
        exponential = evidence.exponential
        trained = [part for group in parts.values() for part in group]
        results: dict[str, Any] = {
            "output": str(output),
            "settings": plan.settings(engine),
            "runs": len(trained),
            **endings(part.ending for part in trained),
            "steps": sum(part.steps for part in trained),
            "engine": engine.name,
            "p": None if exponential is None else exponential.p,
            "best": evidence.ranked[0] if evidence.ranked else None,
            "parts": corollary.facts(),
            "verdict": corollary.sentences(),
        }
        files = write_parts(output, parts, corollary, results)
    if as_json:
        emit(results)
    elif not quiet:
        say(_rows(results, files))
    if all(row["steps"] is None for row in results["parts"]):
        complain(
            f"no signal reached the error {plan.rules.threshold:g} within {plan.rules.limit:,} steps; "
            "raise --steps or --threshold"
        )
        return FAILED
    return DONE


def _rows(results: dict[str, Any], files: Sequence[Path]) -> list[tuple[str, object]]:
    return [
        ("networks", options.ended(results)),
        *options.verdict(results),
        *options.written(results, files),
    ]
