"""`partinr meta train`: a start learned from a collection of images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import partinr
from partinr.cli import words
from partinr.cli.console import Bar, complain, counted, decibels, duration, emit, say
from partinr.cli.exits import DONE, FAILED, INTERRUPTED
from partinr.cli.files import check_no_picture, check_outputs
from partinr.cli.inputs import MAX_PIXELS
from partinr.cli.interrupt import Stop, stopping
from partinr.cli.meta.options import (
    DATA,
    DEVICE,
    READING,
    RESIZE,
    SEED,
    WORKERS,
    collection,
    computing,
    size,
    skipped_rows,
)
from partinr.cli.options import AS_JSON, HOW, OUT, QUIET, THREADS
from partinr.cli.rows import network_row
from partinr.errors import InputError

if TYPE_CHECKING:
    from partinr.meta.collection import Collection

_WHAT, _INNER, _OUTER = "What to learn", "Inner loop", "Outer loop"
# The published network.
_WIDTH, _LAYERS, _OMEGA = 128, 3, 30.0


def train(
    data: DATA,
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="START.inr",
            show_default=False,
            help="The file to write.",
            rich_help_panel=OUT,
        ),
    ],
    partition: Annotated[
        str,
        typer.Option(
            metavar="RULE",
            help="How each image is partitioned while learning: none, grid:RxC, hfs:N, slic:N, ...",
            rich_help_panel=_WHAT,
        ),
    ] = "none",
    network: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=f"The network of each region: {', '.join(words.NETWORK_WORDS)}.",
            autocompletion=lambda: list(words.NETWORK_WORDS),
            rich_help_panel=_WHAT,
        ),
    ] = "siren",
    hidden: Annotated[
        int, typer.Option(metavar="N", help="Width of the hidden layers.", rich_help_panel=_WHAT)
    ] = _WIDTH,
    layers: Annotated[
        int, typer.Option(metavar="N", help="Hidden layers after the first one.", rich_help_panel=_WHAT)
    ] = _LAYERS,
    omega_0: Annotated[
        float | None,
        typer.Option(
            "--omega-0",
            metavar="X",
            help="Frequency factor of the first layer, for networks that have one. Default: 30 for siren.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    frame: Annotated[
        words.StartFrame,
        typer.Option(
            help="Coordinates: pixel / pixels - 1/2, -1 to 1 over the image, or -1 to 1 over each region.",
            rich_help_panel=_WHAT,
        ),
    ] = "centred",
    init: Annotated[
        Path | None,
        typer.Option(
            metavar="START.inr",
            help="Go on learning from this start, with its network, frame and rates.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    wanted_size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="WxH",
            help="The part of each image that is used. Default: 256x256.",
            rich_help_panel=READING,
        ),
    ] = None,
    random_crops: Annotated[
        bool,
        typer.Option(
            "--random-crops", help="Another part each time, not the centre.", rich_help_panel=READING
        ),
    ] = False,
    resize: RESIZE = False,
    colour: Annotated[
        words.Colour | None,
        typer.Option(
            help="What images and arrays of 1 or 3 channels become; alpha is dropped. Default: images become "
            "rgb, or like the first signal if that is an array.",
            rich_help_panel=READING,
        ),
    ] = None,
    held_out: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Images of DATA that are not learned on but looked at along the way, drawn by the seed.",
            rich_help_panel=READING,
        ),
    ] = 0,
    validation: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA", help="Look at these images instead along the way.", rich_help_panel=READING
        ),
    ] = None,
    max_pixels: MAX_PIXELS = None,
    inner_steps: Annotated[
        int,
        typer.Option(metavar="N", help="Gradient steps on each image.", rich_help_panel=_INNER),
    ] = 3,
    rates: Annotated[
        words.RateKind | None,
        typer.Option(
            help="Inner learning rates: one that stays, one learned, one learned for each step, for each "
            "parameter, or for both. Default: parameter-step; fixed with reptile.",
            rich_help_panel=_INNER,
        ),
    ] = None,
    inner_lr: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Initial inner learning rate. Default: 1e-5 with a rate for each parameter, otherwise 1e-2.",
            rich_help_panel=_INNER,
        ),
    ] = None,
    method: Annotated[
        words.Method,
        typer.Option(help="MAML with second derivatives, without them, or Reptile.", rich_help_panel=_OUTER),
    ] = "second-order",
    steps: Annotated[
        int | None,
        typer.Option(metavar="N", help="Outer steps. Default: one pass over DATA.", rich_help_panel=_OUTER),
    ] = None,
    batch: Annotated[
        int, typer.Option(metavar="N", help="Images in an outer step.", rich_help_panel=_OUTER)
    ] = 4,
    lr: Annotated[
        float, typer.Option(metavar="X", help="Learning rate of Adam.", rich_help_panel=_OUTER)
    ] = 1e-4,
    schedule: Annotated[
        words.Schedule, typer.Option(help="Course of that rate.", rich_help_panel=_OUTER)
    ] = "constant",
    clip: Annotated[
        float | None,
        typer.Option(metavar="X", help="Greatest norm of the gradient.", rich_help_panel=_OUTER),
    ] = None,
    validate_every: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Outer steps between two looks at images held out. Default: a tenth of all.",
            rich_help_panel=_OUTER,
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep the state of the unfinished learning in this folder, every few seconds.",
            rich_help_panel=_OUTER,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on from the state in the --checkpoint folder, if there is one.",
            rich_help_panel=_OUTER,
        ),
    ] = False,
    precision: Annotated[
        words.MetaPrecision,
        typer.Option(help="Precision of the products between hidden layers.", rich_help_panel=HOW),
    ] = "fp32",
    memory: Annotated[
        int | None,
        typer.Option(
            "--at-once",
            metavar="N",
            help="Values of the widest layer that are computed at once, which bounds the memory. Default: "
            "what suits the device.",
            min=1,
            rich_help_panel=HOW,
        ),
    ] = None,
    workers: WORKERS = 2,
    seed: SEED = 0,
    device: DEVICE = "cpu",
    threads: THREADS = None,
    store: Annotated[
        words.StartStore,
        typer.Option(help="Precision of the parameters in the file.", rich_help_panel=OUT),
    ] = "float32",
    quiet: QUIET = False,
    as_json: AS_JSON = False,
) -> None:
    """Learn a start from a collection of images, from which a new image is fitted in a few gradient steps.

    The defaults are the published setting: centre crops of 256x256, SIREN 128x3, three inner steps of second
    order, a learned rate for each parameter and step, four images in an outer step, one pass.

    With torchrun, several processes share every batch: torchrun --nproc-per-node 2 -m partinr meta train ...

    Ctrl-C once stops at the next step and writes what is there; twice stops at once and writes nothing.

    Example: partinr meta train photos -o start.inr --held-out 2
    """
    if resume and checkpoint is None:
        raise InputError("--resume needs --checkpoint DIR; name the folder of the unfinished learning")
    if held_out and validation is not None:
        raise InputError("give either --held-out or --validation, got both")
    rule = words.rule(partition)
    signals = collection(data, max_pixels)
    check_no_picture(output)
    check_outputs({"-o": output}, [init, data], {"--checkpoint": checkpoint})
    from partinr.meta.collection import split
    from partinr.meta.crops import colour_of
    from partinr.meta.loading import first_usable
    from partinr.meta.processes import joined_processes

    recipe = partinr.MetaRecipe(method, batch, steps, lr, schedule, clip, precision, seed)
    known = None if init is None else partinr.load_start(init)
    if known is not None and colour is None:
        colour = colour_of(known.channels)
    like = first_usable(signals, colour)
    looked_at: Collection | None = None
    if validation is not None:
        looked_at = collection(validation, max_pixels)
    elif held_out:
        signals, looked_at = split(signals, held_out, seed)
    crop = partinr.Crop(
        size(wanted_size, like.spec.dims),
        "random" if random_crops else "centre",
        resize,
        colour_of(like.channels),
    )
    if known is not None:
        start = known
        _check_like(start, like)
    else:
        if omega_0 is None and network == "siren":
            omega_0 = _OMEGA
        made = words.network(network, hidden, layers, omega_0)
        assert made is not None
        kind = rates or ("fixed" if method == "reptile" else "parameter-step")
        start = partinr.Start.fresh(
            made,
            like.spec.dims,
            like.channels,
            frame=frame,
            kind=kind,
            steps=inner_steps,
            rate=inner_lr or (1e-5 if kind.startswith("parameter") else 1e-2),
            seed=seed,
        )
    with computing(device, threads) as where, joined_processes(where) as (processes, own):
        quiet = quiet or not processes.first
        with stopping() as stop, Bar("learning", quiet=quiet) as bar:
            result = partinr.learn_start(
                signals,
                start,
                recipe,
                crop=crop,
                rule=rule,
                held_out=None if looked_at is None else partinr.HeldOut(looked_at, validate_every),
                compute=partinr.MetaCompute(own, memory, workers, processes),
                keep=None if checkpoint is None else partinr.Keep(checkpoint, resume),
                callback=lambda progress: _follow(bar, stop, progress),
            )
        if not processes.first:
            raise typer.Exit(_exit_code(result))
    written = partinr.save_start(result.start, output, store=store)
    if as_json:
        emit(_facts(result, output, written))
    elif not quiet:
        say(_rows(result, output, written))
    complaint = _complaint(result, output, checkpoint)
    if complaint is not None:
        complain(complaint)
    raise typer.Exit(_exit_code(result))


def _check_like(start: partinr.Start, like: partinr.Signal) -> None:
    if (start.dims, start.channels) != (like.spec.dims, like.channels):
        raise InputError(
            f"the start is for signals of {counted(start.dims, 'axis')[:-1]} and {start.channels} channels, "
            f"these have {like.spec.dims} and {like.channels}"
        )


def _follow(bar: Bar, stop: Stop, progress: partinr.MetaProgress) -> bool:
    """Show where the learning stands; whether to stop it."""
    if bar.due():
        fraction = progress.step / progress.steps
        quality = (
            "" if progress.after is None else f"{decibels(progress.before)} to {decibels(progress.after)}  "
        )
        look = progress.validation
        held = "" if look is None else f"held out {decibels(look.psnr)}  "
        left = progress.seconds * (1 / fraction - 1) if fraction else None
        bar.show(fraction, f"{quality}{held}{duration(left)} left", "stopping" if stop.asked else None)
    return stop.asked


def _exit_code(result: partinr.LearnResult) -> int:
    return {"steps": DONE, "callback": INTERRUPTED, "diverged": FAILED}[result.stopped]


def _facts(result: partinr.LearnResult, output: Path, written: int) -> dict[str, Any]:
    start = result.start
    return {
        "output": output,
        "bytes": written,
        "network": start.network.config(),
        "params": start.network.params(start.dims, start.channels),
        "frame": start.frame,
        "dims": start.dims,
        "channels": start.channels,
        "rates": start.rates.kind,
        "inner_steps": start.inner_steps,
        **start.summary,
        "validation": [look._asdict() for look in result.validation],
        "seconds": result.seconds,
        "stopped": {"callback": "interrupted"}.get(result.stopped, result.stopped),
        "skipped": result.skipped,
    }


def _rows(result: partinr.LearnResult, output: Path, written: int) -> list[tuple[str, object]]:
    start, summary = result.start, result.start.summary
    course = " to ".join(decibels(psnr) for psnr in summary["training_psnr"])
    rows: list[tuple[str, object]] = [
        ("output", f"{output}, {written:,} bytes"),
        ("inner steps", f"{course or 'unknown'}, mean of the last outer steps"),
    ]
    if result.validation:
        rows.append(("held out", f"{decibels(result.validation[-1].psnr)} after the inner steps"))
    return [
        *rows,
        ("network", network_row(start.network.config())),
        ("rates", f"{start.rates.kind}, {counted(start.inner_steps, 'step')}"),
        ("partition", f"{summary['partition']}, {start.frame} frame"),
        ("learned on", f"{counted(summary['signals'], 'image')}, {counted(summary['steps'], 'outer step')}"),
        ("time", f"{result.seconds:.1f} s"),
        *skipped_rows(result.skipped),
    ]


def _complaint(result: partinr.LearnResult, output: Path, checkpoint: Path | None) -> str | None:
    """What the user should know about an exit code that is not 0."""
    done = len(result.losses)
    if result.stopped == "diverged":
        kept = f"{output} has" if checkpoint is None else f"{output} and {checkpoint} have"
        return (
            f"the loss or its gradient is no longer finite in outer step {done}; {kept} the start before it; "
            "lower --lr or --inner-lr, or set --clip"
        )
    if result.stopped == "callback":
        onwards = "the same command with --resume" if checkpoint is not None else f"--init {output}"
        return (
            f"interrupted after {counted(done, 'outer step')}; {output} has what was there; {onwards} goes on"
        )
    return None
