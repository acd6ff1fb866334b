"""`partinr demo`: the whole of it on one signal, in under a minute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import partinr
from partinr.cli import words
from partinr.cli.console import Bar, counted, decibels, duration, say
from partinr.cli.options import option
from partinr.cli.rows import and_snr


def demo(
    output: Annotated[
        Path, option("The folder to write to; made if missing.", "DIR", "-o", "--output")
    ] = Path("partinr-demo"),
    kind: Annotated[
        words.DemoKind,
        option(
            "image: a photograph, and partitions compared. sound: a melody, at two rates. video: things "
            "that move, at two rates and sizes. volume: a scan, and slices between its own."
        ),
    ] = "image",
    seed: Annotated[int, option("Seed of all fits and noise.", "N", min=0, max=2**63 - 1)] = 0,
    quiet: Annotated[bool, option("No progress bar and no summary.", None, "--quiet", "-q")] = False,
) -> None:
    """Fit a photograph that comes with scikit-image, and compare a grid (PoG), a segmentation (PoS) and one
    network at equal parameters; or fit a melody, a video or a scan that is made here, and look between its
    samples.

    Leaves the .inr file, what is rendered from it, and a page with curves, partitions and pictures, which
    plays sounds.
    """
    with Bar("starting", quiet=quiet) as bar:

        def follow(message: str, fraction: float) -> None:
            if bar.due():
                left = bar.elapsed * (1 / fraction - 1) if fraction else None
                bar.show(fraction, f"{duration(left)} left", message)

        rows = {"image": _image, "sound": _sound, "video": _video, "volume": _volume}[kind](
            output, follow, seed
        )
    if not quiet:
        say(rows)


def _volume(output: Path, follow: Callable[[str, float], None], seed: int) -> list[tuple[str, object]]:
    """Run the demonstration of a volume; what there is to say of it."""
    from partinr.studies.demo_volume import run

    done = run(output, follow, seed=seed)
    ours, linear = (decibels(psnr) for psnr in done.between)
    return [
        ("fit", f"{decibels(done.saved.psnr)}, {done.saved.bytes:,} bytes in {done.fit.seconds:.1f} s"),
        ("between slices", f"{ours}; interpolation of the scan has {linear}"),
        ("file", done.inr),
        ("scan", done.scan),
        ("thin slices", done.thin),
        ("page", done.report),
        ("time", f"{done.seconds:.0f} s in all"),
    ]


def _video(output: Path, follow: Callable[[str, float], None], seed: int) -> list[tuple[str, object]]:  # noqa: ARG001
    """Run the demonstration of a video, whose fit draws nothing; what there is to say of it."""
    from partinr.studies.demo_video import run_video

    done = run_video(output, follow)
    frames = done.fit.signal.shape[0]
    return [
        ("video", done.made),
        ("fit", f"{decibels(done.saved.psnr)}, {done.saved.bytes:,} bytes in {done.fit.seconds:.1f} s"),
        (
            "one frame",
            f"{done.still:,} bytes; {frames} frames take {done.saved.bytes / done.still:.1f} times as many",
        ),
        ("between frames", f"{decibels(done.between)}, against what is there"),
        ("file", done.inr),
        ("twice the rate", done.faster),
        ("half the size", done.small),
        ("page", done.report),
    ]


def _image(output: Path, follow: Callable[[str, float], None], seed: int) -> list[tuple[str, object]]:
    """Run the demonstration of a photograph; what there is to say of it."""
    from partinr.studies.demo import run

    done = run(output, follow, seed=seed)

    def quality(run: partinr.Run) -> str:
        regions = counted(run.record.regions, "region")
        return f"{decibels(run.record.psnr)}, {run.record.params:,} parameters in {regions}"

    return [
        *((run.variant.name, quality(run)) for run in done.comparison.runs),
        ("fit", f"{decibels(done.saved.psnr)}, {done.saved.bytes:,} bytes in {done.fit.seconds:.1f} s"),
        ("file", done.inr),
        ("picture", done.picture),
        ("enlarged", done.enlarged),
        ("page", done.report),
        ("time", f"{done.seconds:.0f} s in all"),
    ]


def _sound(output: Path, follow: Callable[[str, float], None], seed: int) -> list[tuple[str, object]]:  # noqa: ARG001
    """Run the demonstration of a sound, whose fit draws nothing; what there is to say of it."""
    from partinr.studies.demo_sound import run_sound

    done = run_sound(output, follow)
    quality = f"{decibels(done.saved.psnr)} PSNR{and_snr(done.saved.snr)}"
    return [
        ("melody", done.made),
        ("fit", f"{quality}, {done.saved.bytes:,} bytes in {done.fit.seconds:.1f} s"),
        ("file", done.inr),
        ("rendered", done.rendered),
        ("half rate", done.lower),
        ("page", done.report),
    ]
