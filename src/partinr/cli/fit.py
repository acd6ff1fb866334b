"""`partinr fit`: a signal becomes an .inr file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import partinr
from partinr.cli import words
from partinr.cli.console import Bar, complain, decibels, duration, emit, say
from partinr.cli.files import SUFFIX, check_no_picture, check_outputs, check_picture
from partinr.cli.inputs import CHANNELS_LAST, INPUT, MAX_PIXELS, VALUE_RANGE, pixel_limit, read_input
from partinr.cli.interrupt import Stop, stopping
from partinr.cli.options import AS_JSON, DEVICE, ENGINE, HOW, OUT, QUIET, THREADS
from partinr.cli.outcome import write_outcome
from partinr.cli.wishes import Wishes, goal_for
from partinr.errors import InputError

_WHAT, _LONG = "What to fit", "For how long"


def fit(
    source: INPUT,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="The file to write. Default: the input's name with .inr, beside the input.",
            rich_help_panel=OUT,
        ),
    ] = None,
    preset: Annotated[
        words.Preset,
        typer.Option(
            help="fast: small cells, local frame, minibatches. paper: the published recipe, full batch.",
            rich_help_panel=_WHAT,
        ),
    ] = "fast",
    partition: Annotated[
        str | None,
        typer.Option(
            metavar="RULE",
            help="none, grid:RxC (grid:N on one axis, grid:PxRxC on three), hfs:N, slic:N, felzenszwalb:N, "
            "labels:FILE, or auto: cells that suit the signal. Default: auto; grid:3x3 with --preset paper.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"The network of each region: {', '.join(words.NETWORK_WORDS)}. Default: siren.",
            autocompletion=lambda: list(words.NETWORK_WORDS),
            rich_help_panel=_WHAT,
        ),
    ] = None,
    hidden: Annotated[
        int | None, typer.Option(metavar="N", help="Width of the hidden layers.", rich_help_panel=_WHAT)
    ] = None,
    layers: Annotated[
        int | None,
        typer.Option(metavar="N", help="Hidden layers after the first one.", rich_help_panel=_WHAT),
    ] = None,
    omega_0: Annotated[
        float | None,
        typer.Option(
            "--omega-0",
            metavar="X",
            help="Frequency factor of the first layer, for networks that have one.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    params: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Budget of parameters over all regions: picks the greatest width within it.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    max_params: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Most parameters of a fit to a --psnr. Default: two for each value of the signal.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    frame: Annotated[
        words.Frame | None,
        typer.Option(
            help="Coordinates over the whole signal, or over each region. Default: the preset's.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    blend: Annotated[
        bool,
        typer.Option(
            "--blend/--no-blend",
            help="Continuous between regions, by interpolation from one to the other.",
            rich_help_panel=_WHAT,
        ),
    ] = True,
    overlap: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Train each region on a margin of N samples and blend across it, so that no seams show when "
            "enlarged; 0: blend between samples only. Default: the preset's; 0 with --psnr.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    init: Annotated[
        str,
        typer.Option(
            metavar="FILE|auto|none",
            help="Start from a learned start, with its network and frame, in any partition; or from another "
            "fit of the same shape, with its partition, network and frame. auto: the learned start that "
            "ships for the fit's network, if there is one; none: random numbers.",
            rich_help_panel=_WHAT,
        ),
    ] = "auto",
    channels_last: CHANNELS_LAST = None,
    value_range: VALUE_RANGE = None,
    max_pixels: MAX_PIXELS = None,
    steps: Annotated[
        int | None,
        typer.Option(
            metavar="N", max=2**31 - 1, help="Optimiser updates of each region.", rich_help_panel=_LONG
        ),
    ] = None,
    psnr: Annotated[
        float | None,
        typer.Option(
            metavar="DB",
            help="Reach this quality. Without --partition, --network, --params and --steps, regions and "
            "widths are chosen for it, with few parameters. Exit code 1 if it is not reached.",
            rich_help_panel=_LONG,
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option("--time", metavar="SECONDS", help="Stop after this time.", rich_help_panel=_LONG),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep the state of the unfinished fit in this folder, every few seconds.",
            rich_help_panel=_LONG,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on from the state in the --checkpoint folder, if there is one.",
            rich_help_panel=_LONG,
        ),
    ] = False,
    batch: Annotated[
        str | None,
        typer.Option(metavar="N|full", help="Samples of each region in a step.", rich_help_panel=HOW),
    ] = None,
    lr: Annotated[
        float | None, typer.Option(metavar="X", help="Peak learning rate.", rich_help_panel=HOW)
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            max=2**63 - 1,
            help="Same seed, engine and machine: same file.",
            rich_help_panel=HOW,
        ),
    ] = 0,
    engine: ENGINE = "auto",
    device: DEVICE = "cpu",
    threads: THREADS = None,
    precision: Annotated[
        words.Precision,
        typer.Option(
            help="bf16: engine cpu trains hidden layers in bfloat16, on processors that can. auto: where "
            "that reaches the same PSNR as fp32.",
            rich_help_panel=HOW,
        ),
    ] = "auto",
    store: Annotated[
        words.Store,
        typer.Option(
            help="Precision in the file. auto: float16 where that costs under 0.05 dB.", rich_help_panel=OUT
        ),
    ] = "auto",
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="Also write a page with pictures, curves and the partition.",
            rich_help_panel=OUT,
        ),
    ] = None,
    overlay: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="Also write a picture of the signal with the regions' borders, tinted by their parameters "
            "if they were chosen for a --psnr.",
            rich_help_panel=OUT,
        ),
    ] = None,
    quiet: QUIET = False,
    as_json: AS_JSON = False,
) -> None:
    """Fit a signal piece by piece and write it as an .inr file.

    Ctrl-C once stops at the next step and writes what is there; twice stops at once and writes nothing. An
    existing output is replaced, once the new file is whole.

    Example: partinr fit photo.png -o photo.inr
    """
    target = source.parent / f"{source.stem}{SUFFIX}" if output is None else output
    check_no_picture(target)
    wishes = Wishes(
        None if partition is None else words.rule(partition), network, hidden, layers, omega_0, params
    )
    size = words.batch(batch)
    if resume and checkpoint is None:
        raise InputError("--resume needs --checkpoint DIR; name the folder of the unfinished fit")
    start_file = None if init in ("auto", "none") else Path(init)
    if report is not None and report.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--report must end in .html, got {report}")
    signal = read_input(source, channels_last, value_range, max_pixels)
    check_outputs(
        {"-o": target, "--report": report, "--overlay": overlay},
        [source, words.labels_file(partition)],
        {"--checkpoint": checkpoint},
    )
    check_picture("--overlay", overlay)

    from partinr.fitting.fit import default_overlap
    from partinr.fitting.recipe import RECIPES

    start = None if start_file is None else _start(start_file, pixel_limit(max_pixels))
    recipe = RECIPES[preset].changed(
        **_given(learning_rate=lr, batch=size, overlap=overlap),
        blend=blend,
        frame=_frame(frame, start) or RECIPES[preset].frame,
    )
    goal = goal_for(
        recipe,
        psnr=psnr,
        steps=steps,
        seconds=seconds,
        max_params=max_params,
        chosen=wishes.structure or start is not None or bool(overlap),
    )
    margin = default_overlap(recipe, goal, start)
    with stopping() as stop, Bar("fitting", quiet=quiet) as bar:
        chosen, shape = wishes.choose(signal, recipe, start, margin)
        result = partinr.fit(
            signal,
            chosen,
            shape,
            goal=goal,
            recipe=recipe,
            start="auto" if init == "auto" else start,
            compute=partinr.Compute(engine, device, threads, None if precision == "auto" else precision),
            keep=None if checkpoint is None else partinr.Keep(checkpoint, resume),
            watch=partinr.Watch(lambda progress: _follow(bar, stop, progress)),
            seed=seed,
        )
        bar.show(1.0, what="writing")
        came_from = result.started_from if start_file is None else init
        outcome = write_outcome(result, target, store, report, overlay, came_from)
    if as_json:
        emit(outcome.facts())
    elif not quiet:
        say(outcome.rows(params))
    complaint = outcome.complaint(checkpoint)
    if complaint is not None:
        complain(complaint)
    raise typer.Exit(outcome.exit_code)


def _start(path: Path, limit: int | None) -> partinr.Piecewise | partinr.Start:
    """What to start from: a learned start or a fit."""
    from partinr.file.sealing import kind_of

    return partinr.load_start(path) if kind_of(path) == "start" else partinr.load(path, max_samples=limit)


def _frame(
    asked: partinr.Frame | None, start: partinr.Piecewise | partinr.Start | None
) -> partinr.Frame | None:
    """The frame that the fit must have; None where the preset decides. A start brings its own.

    Raises:
        InputError: another one was asked for than a learned start has.
    """
    if isinstance(start, partinr.Start):
        from partinr.fitting.starts.handover import fit_frame

        own = fit_frame(start)
        if asked not in (None, own):
            raise InputError(f"the start is for the {own} frame, got {asked}; leave it out")
        return own
    return start.frame if asked is None and start is not None else asked


def _given(**options: Any) -> dict[str, Any]:
    """Those options that were given, with "full" batches as recipes have them."""
    given = {name: value for name, value in options.items() if value is not None}
    return {name: None if value == "full" else value for name, value in given.items()}


def _follow(bar: Bar, stop: Stop, progress: partinr.Progress) -> bool:
    """Show where the fit stands; whether to stop it."""
    if bar.due():
        quality = "" if progress.psnr is None else f"{decibels(progress.psnr)}  "
        pace = progress.steps / max(progress.seconds, 1e-9)
        note = f"{quality}{pace:.{0 if pace >= 10 else 2}f} steps/s  {duration(progress.remaining)} left"
        bar.show(progress.fraction, note, "stopping" if stop.asked else None)
    return stop.asked
