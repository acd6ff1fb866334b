"""`partinr hypothesis`: the paper's claim about boundaries, measured again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from partinr.cli.console import Bar, complain, emit, say
from partinr.cli.exits import DONE, FAILED, INTERRUPTED
from partinr.cli.hypothesis import options
from partinr.cli.hypothesis.options import (
    BOOTSTRAP,
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

if TYPE_CHECKING:
    from partinr.studies.hypothesis.evidence import Evidence
    from partinr.studies.hypothesis.study import Run, Study
    from partinr.studies.hypothesis.sweep import Sweep

_SIZES_HELP = "Numbers of boundaries: 1,3,5 or 1:59:2 (first, last, step). Default: 1:59:2."
_PRODUCTS_HELP = (
    "Products of the thresholds along rows and columns: 10,20,30 or 10:250:10 (first, last, step), or the "
    "thresholds themselves: 5x2,5x4. Default: 10:250:10."
)


def one_d(
    output: OUTPUT,
    quick: QUICK = False,
    sizes: Annotated[
        str | None, typer.Option(metavar="LIST", help=_SIZES_HELP, rich_help_panel="What to run")
    ] = None,
    repeats: REPEATS = None,
    network: NETWORK = None,
    hidden: HIDDEN = None,
    layers: LAYERS = None,
    omega_0: OMEGA_0 = None,
    points: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=2,
            max=10_000_000,
            help="Fresh points of every step, and points of the grid that the error is measured on. "
            "Default: 5000.",
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
    bootstrap: BOOTSTRAP = None,
    quiet: QUIET = False,
    as_json: AS_JSON = False,
) -> None:
    """Step signals on a line: how many steps a network needs against the signal's number of boundaries.

    As published unless told otherwise: 30 sizes, 5 signals each, SIREN 32x3, an error of 0.05 or 4000 steps.

    Example: partinr hypothesis 1d -o sweep-1d --quick
    """
    study = _study(1, quick, sizes, repeats, (network, hidden, layers, omega_0), points, seed)
    study = replace(study, rules=options.rules(study.rules, threshold, steps, lr))
    raise typer.Exit(_run(study, output, quick, (engine, device, threads), bootstrap, quiet, as_json))


def two_d(
    output: OUTPUT,
    quick: QUICK = False,
    sizes: Annotated[
        str | None, typer.Option(metavar="LIST", help=_PRODUCTS_HELP, rich_help_panel="What to run")
    ] = None,
    repeats: REPEATS = None,
    network: NETWORK = None,
    hidden: HIDDEN = None,
    layers: LAYERS = None,
    omega_0: OMEGA_0 = None,
    points: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=2,
            max=10_000,
            help="Samples along each axis, all of which are used in every step. Default: 256.",
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
    bootstrap: BOOTSTRAP = None,
    quiet: QUIET = False,
    as_json: AS_JSON = False,
) -> None:
    """Step signals in a plane: the same for products of a signal along rows and one along columns.

    As published unless told otherwise: 25 sizes, 5 signals each, SIREN 32x3, an error of 0.05 or 4000 steps.

    Example: partinr hypothesis 2d -o sweep-2d --quick
    """
    study = _study(2, quick, sizes, repeats, (network, hidden, layers, omega_0), points, seed)
    study = replace(study, rules=options.rules(study.rules, threshold, steps, lr))
    raise typer.Exit(_run(study, output, quick, (engine, device, threads), bootstrap, quiet, as_json))


def _study(
    dims: int,
    quick: bool,
    sizes: str | None,
    repeats: int | None,
    network: tuple[str | None, int | None, int | None, float | None],
    points: int | None,
    seed: int,
) -> Study:
    from partinr.studies.hypothesis.study import Study

    usual = Study.quick(dims) if quick else Study.published(dims)
    return replace(
        usual,
        sizes=usual.sizes if sizes is None else options.sizes(sizes, dims),
        repeats=usual.repeats if repeats is None else repeats,
        network=options.network(usual.network, *network),
        points=usual.points if points is None else points,
        seed=seed,
    )


def _run(
    study: Study,
    output: Path,
    quick: bool,
    machine: tuple[str, str, int | None],
    bootstrap: int | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Train, analyse, write and report a sweep; the exit code."""
    from partinr.engines import select
    from partinr.studies.hypothesis.evidence import weigh
    from partinr.studies.hypothesis.findings import write_runs
    from partinr.studies.hypothesis.study import observations, table
    from partinr.studies.hypothesis.sweep_page import write_study

    engine = select(*machine, study.network)
    sweep = study.prepare(engine, options.folder(output, f"{study.dims}d"))
    with stopping() as stop, Bar("training", quiet=quiet) as bar:
        finished = sweep.run(lambda progress: options.follow(bar, stop, progress))
        runs = study.outcome(sweep)
        if not finished:
            write_runs(output, table(runs))
            complain(f"interrupted; the same command goes on from {output}")
            return INTERRUPTED
        resamples = (200 if quick else 1000) if bootstrap is None else bootstrap
        evidence = weigh(
            observations(runs), resamples, study.seed, lambda share: bar.show(share, what="resampling")
        )
        results = _results(study, sweep, runs, evidence, output)
        files = write_study(output, study, sweep, runs, evidence, results)
    if as_json:
        emit(results)
    elif not quiet:
        say(_rows(results, files))
    if not results["converged"]:
        complain(
            f"no run reached the error {study.rules.threshold:g} within {study.rules.limit:,} steps; "
            "raise --steps or --threshold"
        )
        return FAILED
    return DONE


def _results(
    study: Study, sweep: Sweep, runs: Sequence[Run], evidence: Evidence, output: Path
) -> dict[str, Any]:
    """What --json prints, and the folder keeps."""
    from partinr.studies.hypothesis.sweep import endings
    from partinr.studies.hypothesis.verdict import exponential_support, faster_than_linear, sentences

    facts = evidence.facts()
    return {
        "output": str(output),
        "settings": study.settings(sweep.engine),
        "runs": len(runs),
        **endings(run.ending for run in runs),
        "steps": int(sweep.tally.steps.sum()),
        "seconds": sweep.tally.seconds,
        "engine": sweep.engine.name,
        "p": facts["likelihood"]["p"],
        "p_interval": facts["likelihood"]["p_interval"],
        "published": facts["published"],
        "models": facts["models"],
        "best": facts["best"],
        "resamples": facts["resamples"],
        "faster_than_linear": faster_than_linear(evidence),
        "exponential": exponential_support(evidence),
        "verdict": sentences(evidence),
    }


def _rows(results: dict[str, Any], files: Sequence[Path]) -> list[tuple[str, object]]:
    return [
        ("runs", options.ended(results)),
        ("steps", f"{results['steps']:,} in {results['seconds']:.1f} s, engine {results['engine']}"),
        *options.verdict(results),
        *options.written(results, files),
    ]
