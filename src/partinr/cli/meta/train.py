"""`partinr meta train`: a start learned from a collection of images."""

from __future__ import annotations

from functools import partial
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
    RESIZE,
    SEED,
    WORKERS,
    collection,
    computing,
    size,
    skipped_rows,
)
from partinr.cli.options import AS_JSON, QUIET, THREADS, how, option, out, reading
from partinr.cli.rows import network_row
from partinr.errors import InputError

if TYPE_CHECKING:
    from partinr.meta.collection import Collection

what, inner, outer = (partial(option, panel=name) for name in ("What to learn", "Inner loop", "Outer loop"))
# The published network.
_WIDTH, _LAYERS, _OMEGA = 128, 3, 30.0


def train(
    data: DATA,
    output: Annotated[Path, out("The file to write.", "START.inr", "-o", "--output", show_default=False)],
    partition: Annotated[
        str, what("How each image is partitioned while learning: none, grid:RxC, hfs:N, slic:N, ...", "RULE")
    ] = "none",
    network: Annotated[
        str,
        what(
            f"The network of each region: {', '.join(words.NETWORK_WORDS)}.",
            "NAME",
            autocompletion=lambda: list(words.NETWORK_WORDS),
        ),
    ] = "siren",
    hidden: Annotated[int, what("Width of the hidden layers.", "N")] = _WIDTH,
    layers: Annotated[int, what("Hidden layers after the first one.", "N")] = _LAYERS,
    omega_0: Annotated[
        float | None,
        what(
            "Frequency factor of the first layer, for networks that have one. Default: 30 for siren.",
            "X",
            "--omega-0",
        ),
    ] = None,
    frame: Annotated[
        words.StartFrame,
        what("Coordinates: pixel / pixels - 1/2, -1 to 1 over the image, or -1 to 1 over each region."),
    ] = "centred",
    init: Annotated[
        Path | None, what("Go on learning from this start, with its network, frame and rates.", "START.inr")
    ] = None,
    wanted_size: Annotated[
        str | None, reading("The part of each image that is used. Default: 256x256.", "WxH", "--size")
    ] = None,
    random_crops: Annotated[
        bool, reading("Another part each time, not the centre.", None, "--random-crops")
    ] = False,
    resize: RESIZE = False,
    colour: Annotated[
        words.Colour | None,
        reading(
            "What images and arrays of 1 or 3 channels become; alpha is dropped. Default: images become "
            "rgb, or like the first signal if that is an array."
        ),
    ] = None,
    held_out: Annotated[
        int,
        reading(
            "Images of DATA that are not learned on but looked at along the way, drawn by the seed.",
            "N",
            min=0,
        ),
    ] = 0,
    validation: Annotated[Path | None, reading("Look at these images instead along the way.", "DATA")] = None,
    max_pixels: MAX_PIXELS = None,
    inner_steps: Annotated[int, inner("Gradient steps on each image.", "N")] = 3,
    rates: Annotated[
        words.RateKind | None,
        inner(
            "Inner learning rates: one that stays, one learned, one learned for each step, for each "
            "parameter, or for both. Default: parameter-step; fixed with reptile."
        ),
    ] = None,
    inner_lr: Annotated[
        float | None,
        inner(
            "Initial inner learning rate. Default: 1e-5 with a rate for each parameter, otherwise 1e-2.", "X"
        ),
    ] = None,
    method: Annotated[
        words.Method, outer("MAML with second derivatives, without them, or Reptile.")
    ] = "second-order",
    steps: Annotated[int | None, outer("Outer steps. Default: one pass over DATA.", "N")] = None,
    batch: Annotated[int, outer("Images in an outer step.", "N")] = 4,
    lr: Annotated[float, outer("Learning rate of Adam.", "X")] = 1e-4,
    schedule: Annotated[words.Schedule, outer("Course of that rate.")] = "constant",
    clip: Annotated[float | None, outer("Greatest norm of the gradient.", "X")] = None,
    validate_every: Annotated[
        int | None, outer("Outer steps between two looks at images held out. Default: a tenth of all.", "N")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        outer("Keep the state of the unfinished learning in this folder, every few seconds.", "DIR"),
    ] = None,
    resume: Annotated[
        bool, outer("Go on from the state in the --checkpoint folder, if there is one.", None, "--resume")
    ] = False,
    precision: Annotated[
        words.MetaPrecision, how("Precision of the products between hidden layers.")
    ] = "fp32",
    memory: Annotated[
        int | None,
        how(
            "Values of the widest layer that are computed at once, which bounds the memory. Default: "
            "what suits the device.",
            "N",
            "--at-once",
            min=1,
        ),
    ] = None,
    workers: WORKERS = 2,
    seed: SEED = 0,
    device: DEVICE = "cpu",
    threads: THREADS = None,
    store: Annotated[words.StartStore, out("Precision of the parameters in the file.")] = "float32",
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
    from partinr.model.networks import check_trained, network_from_word

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
        check_trained(network_from_word(network), "starts are learned")
        made = words.network(network, hidden=hidden, layers=layers, omega_0=omega_0)
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
