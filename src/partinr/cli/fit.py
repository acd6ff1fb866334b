"""`partinr fit`: a signal becomes an .inr file."""

from __future__ import annotations

from functools import partial
from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import typer

import partinr
from partinr.cli import words
from partinr.cli.console import Bar, complain, decibels, duration, emit, say
from partinr.cli.files import check_no_picture, check_outputs, check_picture, inr_beside
from partinr.cli.fit_tiles import TileWishes, fit_in_tiles, store_for
from partinr.cli.inputs import (
    CHANNELS_LAST,
    COORDS,
    EVERY,
    FPS,
    INPUT,
    MASK,
    MAX_PIXELS,
    PICTURE,
    START,
    STOP,
    VALUE_RANGE,
    VALUES,
    VOLUME,
    WEIGHTS,
    pixel_limit,
    read_input,
    read_scattered,
    with_mask,
)
from partinr.cli.interrupt import Stop, stopping
from partinr.cli.options import AS_JSON, DEVICE, ENGINE, QUIET, THREADS, how, option, out
from partinr.cli.outcome import write_outcome
from partinr.cli.wishes import Aims, Wishes
from partinr.errors import InputError

what, long, tiles = (partial(option, panel=name) for name in ("What to fit", "For how long", "In tiles"))


def fit(
    source: INPUT,
    output: Annotated[
        Path | None,
        out(
            "The file to write, or the folder of a store of tiles, which ends in .inrs. Default: the input's "
            "name with .inr, beside the input; with .inrs if it does not fit into memory.",
            None,
            "-o",
            "--output",
        ),
    ] = None,
    preset: Annotated[
        words.Preset,
        what("fast: small cells, local frame, minibatches. paper: the published recipe, full batch."),
    ] = "fast",
    partition: Annotated[
        str | None,
        what(
            "none, grid:RxC (grid:N on one axis, grid:PxRxC on three), hfs:N, slic:N, felzenszwalb:N, "
            "labels:FILE, tree:N (boxes of N samples that are there), or auto: cells of a fixed number of "
            "samples. Default: boxes that suit the signal; "
            "where networks are trained auto, and grid:3x3 with --preset paper.",
            "RULE",
        ),
    ] = None,
    network: Annotated[
        str | None,
        what(
            f"The network of each region: {', '.join(words.NETWORK_WORDS)}. Default: cosine, which is not "
            "trained; siren if anything is asked for that only training knows.",
            "NAME",
            autocompletion=lambda: list(words.NETWORK_WORDS),
        ),
    ] = None,
    hidden: Annotated[int | None, what("Width of the hidden layers.", "N")] = None,
    layers: Annotated[int | None, what("Hidden layers after the first one.", "N")] = None,
    omega_0: Annotated[
        float | None,
        what("Frequency factor of the first layer, for networks that have one.", "X", "--omega-0"),
    ] = None,
    frequencies: Annotated[
        int | None,
        what("Frequencies along each axis, for networks that have them: relu, cosine.", "N"),
    ] = None,
    params: Annotated[
        int | None, what("Budget of parameters over all regions: picks the greatest width within it.", "N")
    ] = None,
    max_params: Annotated[
        int | None,
        what("Most parameters of a fit to a --psnr. Default: two for each value of the signal.", "N"),
    ] = None,
    frame: Annotated[
        words.Frame | None,
        what(
            "Coordinates over the whole signal, or over each region: to its outer samples' centres, or over "
            "its area. Default: the preset's, or what the network needs."
        ),
    ] = None,
    blend: Annotated[
        bool,
        what(
            "Continuous between regions, by interpolation from one to the other.", None, "--blend/--no-blend"
        ),
    ] = True,
    overlap: Annotated[
        int | None,
        what(
            "Train each region on a margin of N samples and blend across it, so that no seams show when "
            "enlarged; 0: blend between samples only. Default: the preset's; 0 with --psnr.",
            "N",
        ),
    ] = None,
    between: Annotated[
        words.Between | None,
        what(
            "What the function is between the samples, which stay the same. learned: it has the details that "
            "photographs have; smooth: a spline whose mean over each sample's area is the sample; none: what "
            "the networks happen to say. Default: learned for pictures, smooth for all else, none with "
            "--preset paper."
        ),
    ] = None,
    init: Annotated[
        str,
        what(
            "Start from a learned start, with its network and frame, in any partition; or from another "
            "fit of the same shape, with its partition, network and frame. auto: the learned start that "
            "ships for the fit's network, if there is one; none: random numbers.",
            "FILE|auto|none",
        ),
    ] = "auto",
    channels_last: CHANNELS_LAST = None,
    value_range: VALUE_RANGE = None,
    volume: VOLUME = None,
    max_pixels: MAX_PIXELS = None,
    mask: MASK = None,
    weights: WEIGHTS = None,
    coords: COORDS = None,
    values: VALUES = None,
    start: START = None,
    stop: STOP = None,
    every: EVERY = None,
    fps: FPS = None,
    picture: PICTURE = None,
    steps: Annotated[int | None, long("Optimiser updates of each region.", "N", max=2**31 - 1)] = None,
    psnr: Annotated[
        float | None,
        long(
            "Reach this quality, by the fewest bytes: with cosines over boxes that suit the signal, or with "
            "--network siren by regions and widths that do. With other options of the structure: by as many "
            "steps as it takes. Exit code 1 if it is not reached.",
            "DB",
        ),
    ] = None,
    snr: Annotated[
        float | None,
        long(
            "The same, as the ratio of the signal's power to that of the error. Default for sounds: 40.", "DB"
        ),
    ] = None,
    size: Annotated[
        str | None,
        long("The best quality in a file of at most so many bytes: 50kB, 1.5MB, 20000.", "BYTES"),
    ] = None,
    bpp: Annotated[float | None, long("The same, in bits a sample.", "BITS")] = None,
    seconds: Annotated[float | None, long("Stop after this time.", "SECONDS", "--time")] = None,
    checkpoint: Annotated[
        Path | None, long("Keep the state of the unfinished fit in this folder, every few seconds.", "DIR")
    ] = None,
    resume: Annotated[
        bool,
        long(
            "Go on from the state in the --checkpoint folder, or with the store's tiles, if there is one.",
            None,
            "--resume",
        ),
    ] = False,
    tile: Annotated[
        int | None,
        tiles("Fit in tiles with sides of N samples, a multiple of 64 for pictures. Default: 1024.", "N"),
    ] = None,
    memory: Annotated[
        str | None,
        tiles(
            "Bytes that all processes together may take: 2GB. A signal that would need more as a whole is "
            "fitted in tiles. Default: what is free.",
            "BYTES",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        tiles(
            "Processes that fit tiles, a core each. Default: one for each core for which there is memory.",
            "N",
            min=1,
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        tiles("Fit tiles on a Dask cluster, by the address of its scheduler: tcp://host:8786.", "ADDRESS"),
    ] = None,
    no_overview: Annotated[
        bool,
        tiles(
            "No overview. Without it the store of a large picture has another one in it, of the same at an "
            "eighth of the size, for those who look at all of it: a few per cent of the bytes.",
            None,
            "--no-overview",
        ),
    ] = False,
    batch: Annotated[str | None, how("Samples of each region in a step.", "N|full")] = None,
    lr: Annotated[float | None, how("Peak learning rate.", "X")] = None,
    seed: Annotated[int, how("Same seed, engine and machine: same file.", "N", min=0, max=2**63 - 1)] = 0,
    engine: ENGINE = "auto",
    device: DEVICE = "cpu",
    threads: THREADS = None,
    precision: Annotated[
        words.Precision,
        how(
            "bf16: engine cpu trains hidden layers in bfloat16, on processors that can. auto: where "
            "that reaches the same PSNR as fp32."
        ),
    ] = "auto",
    store: Annotated[
        words.Store,
        out(
            "Precision in the file. compact: coded in few bits. auto: compact where that is exact, elsewhere "
            "float16 where that costs under 0.05 dB."
        ),
    ] = "auto",
    report: Annotated[
        Path | None, out("Also write a page with pictures, curves and the partition.", "FILE.html")
    ] = None,
    overlay: Annotated[
        Path | None,
        out(
            "Also write a picture of the signal with the regions' borders, tinted by their parameters "
            "if they were chosen for a --psnr.",
            "FILE.png",
        ),
    ] = None,
    quiet: QUIET = False,
    as_json: AS_JSON = False,
) -> None:
    """Fit a signal piece by piece and write it as an .inr file.

    Without options: by cosines over boxes that suit the signal, at 42 dB, in few bytes. Options that only
    training knows, such as --network siren or --steps, train networks instead.

    Ctrl-C once stops at the next step and writes what is there; twice stops at once and writes nothing. An
    existing output is replaced, once the new file is whole.

    Signals that do not fit into memory, and outputs that end in .inrs, are fitted in tiles.

    Example: partinr fit photo.png -o photo.inr
    """
    given = {
        name: value for name, value in locals().items() if value != signature(fit).parameters[name].default
    }
    parts = TileWishes(tile, memory, workers, cluster)
    aims = Aims(psnr, snr, None if size is None else words.file_size(size), bpp, steps, seconds, max_params)
    store_path = store_for(source, output, parts, aims, given)
    if store_path is not None:
        fit_in_tiles(
            source,
            store_path,
            parts,
            aims,
            between=between,
            mask=mask,
            channels_last=channels_last,
            value_range=value_range,
            volume=volume,
            resume=resume,
            overview=not no_overview,
            quiet=quiet,
            as_json=as_json,
        )
    if no_overview:
        raise InputError(
            "--no-overview is for fits in tiles; leave it out, or name a store, as with -o x.inrs"
        )
    target = inr_beside(source) if output is None else output
    check_no_picture(target)
    wishes = Wishes(
        None if partition is None else words.rule(partition),
        network,
        hidden,
        layers,
        omega_0,
        frequencies,
        params,
    )
    wishes.check_frame(frame)
    samples = words.batch(batch)
    if resume and checkpoint is None:
        raise InputError("--resume needs --checkpoint DIR; name the folder of the unfinished fit")
    start_file = None if init in ("auto", "none") else Path(init)
    if report is not None and report.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--report must end in .html, got {report}")
    if (coords, values) != (None, None):
        signal = read_scattered(source, coords, values, max_pixels)
    else:
        signal = read_input(
            source, channels_last, value_range, max_pixels, volume, start, stop, every, picture, fps
        )
    signal = with_mask(signal, mask, weights, max_pixels)
    aims = aims.of(signal)
    check_outputs(
        {"-o": target, "--report": report, "--overlay": overlay},
        [source, words.labels_file(partition), mask, weights],
        {"--checkpoint": checkpoint},
    )
    check_picture("--overlay", overlay)

    from partinr.file.inr import ROUNDING_COST
    from partinr.fitting.fit import default_overlap
    from partinr.fitting.recipe import RECIPES

    begun = None if start_file is None else _start(start_file, pixel_limit(max_pixels))
    recipe = RECIPES[preset].changed(
        **_given(learning_rate=lr, batch=samples, overlap=overlap),
        blend=blend,
        frame=_frame(frame, begun) or RECIPES[preset].frame,
    )
    chosen_start = begun is not None or bool(overlap)
    tuned = recipe != RECIPES["fast"] or init != "auto" or checkpoint is not None
    elsewhere = engine == "torch" or device != "cpu" or precision != "auto"
    goal = aims.goal(
        signal,
        recipe,
        trained=tuned or elsewhere or wishes.family == "siren" or signal.scattered,
        chosen=(wishes.structure and wishes.family not in ("siren", "cosine")) or chosen_start,
        spare=ROUNDING_COST if store == "compact" else 0.0,
    )
    if store not in ("auto", "compact") and (size, bpp) != (None, None):
        raise InputError(f"--size and --bpp are of compact files; leave out --store {store}")
    margin = default_overlap(recipe, goal, begun, signal)
    with stopping() as asked, Bar("fitting", quiet=quiet) as bar:
        chosen, shape = wishes.choose(signal, recipe, begun, margin, goal)
        result = partinr.fit(
            signal,
            chosen,
            shape,
            goal=goal,
            recipe=recipe,
            start="auto" if init == "auto" else begun,
            between=between,
            compute=partinr.Compute(engine, device, threads, None if precision == "auto" else precision),
            keep=None if checkpoint is None else partinr.Keep(checkpoint, resume),
            watch=partinr.Watch(lambda progress: _follow(bar, asked, progress)),
            seed=seed,
        )
        bar.show(1.0, what="writing")
        came_from = result.started_from if start_file is None else init
        outcome = write_outcome(result, target, store, report, overlay, came_from, aims.psnr or goal.psnr)
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
