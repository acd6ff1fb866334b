"""`partinr demo`: the whole of it on one photograph, in under a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import partinr
from partinr.cli.console import Bar, counted, decibels, duration, say
from partinr.cli.options import option


def demo(
    output: Annotated[
        Path, option("The folder to write to; made if missing.", "DIR", "-o", "--output")
    ] = Path("partinr-demo"),
    seed: Annotated[int, option("Seed of all fits.", "N", min=0, max=2**63 - 1)] = 0,
    quiet: Annotated[bool, option("No progress bar and no summary.", None, "--quiet", "-q")] = False,
) -> None:
    """Fit a photograph that comes with scikit-image, and compare a grid (PoG), a segmentation (PoS) and one
    network at equal parameters.

    Leaves the .inr file, the picture rendered from it, an enlarged part beside bicubic, and a page with
    curves, partitions and pictures.
    """
    from partinr.studies.demo import run

    with Bar("starting", quiet=quiet) as bar:

        def follow(message: str, fraction: float) -> None:
            if bar.due():
                left = bar.elapsed * (1 / fraction - 1) if fraction else None
                bar.show(fraction, f"{duration(left)} left", message)

        done = run(output, follow, seed=seed)
    if quiet:
        return

    def quality(run: partinr.Run) -> str:
        regions = counted(run.record.regions, "region")
        return f"{decibels(run.record.psnr)}, {run.record.params:,} parameters in {regions}"

    say(
        [
            *((run.variant.name, quality(run)) for run in done.comparison.runs),
            ("fit", f"{decibels(done.saved.psnr)}, {done.saved.bytes:,} bytes in {done.fit.seconds:.1f} s"),
            ("file", done.inr),
            ("picture", done.picture),
            ("enlarged", done.enlarged),
            ("page", done.report),
            ("time", f"{done.seconds:.0f} s in all"),
        ]
    )
