"""`partinr hypothesis image`: boundaries of real pictures, and the steps that these take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from partinr.cli.console import Bar, complain, counted, emit, say
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
    SEED,
    STEPS,
)
from partinr.cli.inputs import MAX_PIXELS, read_input
from partinr.cli.interrupt import stopping
from partinr.cli.options import AS_JSON, DEVICE, ENGINE, QUIET, THREADS

if TYPE_CHECKING:
    from partinr.studies.hypothesis.photographs import Picture, Trials


def image(
    photos: Annotated[
        list[Path],
        typer.Argument(metavar="PHOTO...", show_default=False, help="One photograph or several."),
    ],
    output: OUTPUT,
    quick: QUICK = False,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=8,
            max=4096,
            help="Samples along each side of what is learned. Default: 64, and 48 with --quick.",
            rich_help_panel="What to run",
        ),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Networks for each picture. Default: 2.", rich_help_panel="What to run"
        ),
    ] = None,
    network: NETWORK = None,
    hidden: HIDDEN = None,
    layers: LAYERS = None,
    omega_0: OMEGA_0 = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Error to reach, as a share of a picture's variance. Default: 0.05.",
            rich_help_panel="What to run",
        ),
    ] = None,
    steps: STEPS = None,
    lr: LR = None,
    max_pixels: MAX_PIXELS = None,
    seed: SEED = 0,
    engine: ENGINE = "auto",
    device: DEVICE = "cpu",
    threads: THREADS = None,
    bootstrap: BOOTSTRAP = None,
    quiet: QUIET = False,
    as_json: AS_JSON = False,
) -> None:
    """Real pictures: does the number of boundaries tell which photographs are slow to learn?

    The central square of each photograph, in grey, is blurred, posterised and cropped; every picture is
    scaled to variance 1 and learned to the same error. Boundaries are counted as edges (pairs of neighbouring
    samples that differ by more than one standard deviation) and as total variation.

    Example: partinr hypothesis image photo.png -o boundaries --quick
    """
    from partinr.studies.hypothesis.photographs import Trials, variants

    trials = Trials()
    trials = replace(
        trials,
        network=options.network(trials.network, network, hidden, layers, omega_0),
        repeats=(1 if quick else trials.repeats) if repeats is None else repeats,
        rules=options.rules(
            replace(trials.rules, limit=1000) if quick else trials.rules, threshold, steps, lr
        ),
        seed=seed,
    )
    side = (48 if quick else 64) if size is None else size
    pictures = [
        picture
        for path in photos
        for picture in variants(path.name, read_input(path, None, None, max_pixels), side)
    ]
    resamples = (200 if quick else 1000) if bootstrap is None else bootstrap
    machine = (engine, device, threads)
    raise typer.Exit(_run(trials, pictures, output, machine, resamples, quiet, as_json))


def _run(
    trials: Trials,
    pictures: Sequence[Picture],
    output: Path,
    machine: tuple[str, str, int | None],
    resamples: int,
    quiet: bool,
    as_json: bool,
) -> int:
    from partinr.engines import select
    from partinr.studies.hypothesis.correlation import Ranking
    from partinr.studies.hypothesis.findings import write_runs
    from partinr.studies.hypothesis.photographs import trials_table
    from partinr.studies.hypothesis.photographs_page import write_trials
    from partinr.studies.hypothesis.sweep import endings

    engine = select(*machine, trials.network)
    sweep = trials.prepare(pictures, engine, options.folder(output, "image"))
    with stopping() as stop, Bar("training", quiet=quiet) as bar:
        finished = sweep.run(lambda progress: options.follow(bar, stop, progress))
        found = trials.outcome(pictures, sweep)
        if not finished:
            write_runs(output, trials_table(found))
            complain(f"interrupted; the same command goes on from {output}")
            return INTERRUPTED
        ranking = Ranking.of(pictures, found, resamples, trials.seed)
        results: dict[str, Any] = {
            "output": str(output),
            "settings": trials.settings(pictures, engine),
            "photos": sum(picture.kind == "original" for picture in pictures),
            "pictures": len(pictures),
            "runs": len(found),
            **endings(trial.ending for trial in found),
            "correlations": ranking.facts(),
            "steps": int(sweep.tally.steps.sum()),
            "seconds": sweep.tally.seconds,
            "engine": engine.name,
            "verdict": ranking.sentences(),
        }
        files = write_trials(output, trials, found, ranking, results)
    if as_json:
        emit(results)
    elif not quiet:
        say(_rows(results, files))
    if not results["converged"]:
        complain(
            f"no picture reached the error {trials.rules.threshold:g} within {trials.rules.limit:,} steps; "
            "raise --steps or --threshold"
        )
        return FAILED
    return DONE


def _rows(results: dict[str, Any], files: Sequence[Path]) -> list[tuple[str, object]]:
    return [
        ("pictures", f"{results['pictures']} from {counted(results['photos'], 'photograph')}"),
        ("runs", options.ended(results)),
        ("steps", f"{results['steps']:,} in {results['seconds']:.1f} s, engine {results['engine']}"),
        *options.verdict(results),
        *options.written(results, files),
    ]
