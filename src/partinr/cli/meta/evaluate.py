"""`partinr meta eval`: how good a learned start is on images that it has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import partinr
from partinr.cli import words
from partinr.cli.console import Bar, counted, decibels, duration, emit, say
from partinr.cli.exits import DONE, INTERRUPTED
from partinr.cli.files import check_outputs
from partinr.cli.inputs import MAX_PIXELS
from partinr.cli.interrupt import stopping
from partinr.cli.meta.options import (
    DATA,
    DEVICE,
    RESIZE,
    SEED,
    SIZE,
    WORKERS,
    collection,
    computing,
    size,
    skipped_rows,
)
from partinr.cli.options import AS_JSON, QUIET, THREADS, how, out, reading
from partinr.errors import InputError
from partinr.files import make_folder


def evaluate(
    source: Annotated[
        Path,
        typer.Argument(metavar="START.inr", show_default=False, help="A file that meta train wrote."),
    ],
    data: DATA,
    partition: Annotated[
        str | None,
        how(
            "How each image is partitioned; need not be what the start was learned with. Default: that.",
            "RULE",
        ),
    ] = None,
    steps: Annotated[
        int | None, how("Gradient steps on each image. Default: those that the start was learned for.", "N")
    ] = None,
    random_lr: Annotated[float, how("Learning rate of Adam from the random start.", "X")] = 1e-3,
    wanted_size: SIZE = None,
    resize: RESIZE = False,
    max_pixels: MAX_PIXELS = None,
    limit: Annotated[int | None, reading("Look at the first N images only.", "N", min=1)] = None,
    workers: WORKERS = 2,
    seed: SEED = 0,
    device: DEVICE = "cpu",
    threads: THREADS = None,
    table: Annotated[Path | None, out("Also write every image's quality.", "FILE.csv", "--csv")] = None,
    pictures: Annotated[
        Path | None, out("Also write a picture for each image: what it looks like after each step.", "DIR")
    ] = None,
    quiet: QUIET = False,
    as_json: AS_JSON = False,
) -> None:
    """Adapt a start to every image of a collection and measure the quality after each gradient step.

    Beside it stand networks that begin at random and are trained by Adam, with as many steps and with ten
    times as many. Intervals hold the mean over images with 95 per cent.

    Example: partinr meta eval start.inr photos --partition grid:2x2
    """
    start = partinr.load_start(source)
    told = start.summary.get("partition")
    rule = words.rule(partition or (told if isinstance(told, str) else "none"))
    signals = collection(data, max_pixels)
    check_outputs({"--csv": table}, [source, data], {"--pictures": pictures})
    from partinr.meta.collection import Part
    from partinr.meta.crops import colour_of

    if pictures is not None and start.dims == 1:
        raise InputError("--pictures needs signals of two or three axes; this start is for one")
    if limit is not None:
        signals = Part(signals, tuple(range(min(limit, len(signals)))))
    crop = partinr.Crop(
        size(wanted_size, start.dims, _told_size(start)),
        resize=resize,
        colour=colour_of(start.channels),
    )
    if pictures is not None:
        make_folder(pictures)
    with computing(device, threads) as where, stopping() as stop, Bar("evaluating", quiet=quiet) as bar:

        def follow(done: int, count: int) -> bool:
            if bar.due():
                left = bar.elapsed * (count / done - 1) if done else None
                bar.show(done / count, f"{done:,} of {count:,}  {duration(left)} left")
            return stop.asked

        def watch(frames: Any) -> None:
            from partinr.report.meta_pictures import write_frames

            if pictures is not None:
                write_frames(pictures, frames)

        found = partinr.evaluate_start(
            start,
            signals,
            crop=crop,
            rule=rule,
            steps=steps,
            random_rate=random_lr,
            seed=seed,
            compute=partinr.MetaCompute(where, workers=workers),
            callback=follow,
            watch=watch,
        )
    if not found.scores:
        raise typer.Exit(INTERRUPTED)
    if table is not None:
        from partinr.report.meta_pictures import write_scores

        write_scores(table, found)
    if as_json:
        emit(_facts(found, source, rule.word))
    elif not quiet:
        say(_rows(found, rule.word))
    raise typer.Exit(INTERRUPTED if stop.asked else DONE)


def _told_size(start: partinr.Start) -> tuple[int, ...] | None:
    """The crop that the start was learned on, if its file says so."""
    told = start.summary.get("crop")
    whole = isinstance(told, list) and all(isinstance(n, int) and 0 < n < 1 << 31 for n in told)
    return tuple(told) if whole and isinstance(told, list) and len(told) == start.dims else None


def _facts(found: partinr.Evaluation, source: Path, rule: str) -> dict[str, Any]:
    rows = []
    for origin, step in found.moments():
        similarity = found.ssim(origin, step)
        rows.append(
            {
                "start": origin,
                "step": step,
                "psnr": found.psnr(origin, step)._asdict(),
                "ssim": None if similarity is None else similarity._asdict(),
            }
        )
    images = len({score.signal for score in found.scores})
    return {"start": source, "partition": rule, "images": images, "moments": rows, "skipped": found.skipped}


def _rows(found: partinr.Evaluation, rule: str) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = [
        ("images", f"{len({score.signal for score in found.scores}):,}, partition {rule}")
    ]
    for origin, step in found.moments():
        psnr, similarity = found.psnr(origin, step), found.ssim(origin, step)
        alike = "" if similarity is None else f", SSIM {similarity.mean:.4f}"
        rows.append(
            (
                f"{origin}, {counted(step, 'step')}",
                f"{decibels(psnr.mean)} ({psnr.low:.2f} to {psnr.high:.2f}), sd {psnr.deviation:.2f}{alike}",
            )
        )
    return [*rows, *skipped_rows(found.skipped)]
