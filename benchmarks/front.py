"""What a photograph costs, as the manual's front page has it: seconds, bytes and decibels.

    python benchmarks/front.py [--seconds 120] [--write]

The picture is scikit-image's astronaut. Beside fits are a JPEG, of the same PSNR or a little more, and the
one network of SIREN's publication (256 wide, three hidden layers after the first, full batch, Adam at 1e-4;
Sitzmann et al., NeurIPS 2020), stopped after some seconds.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image
from tables import machine, publish, table

import partinr

SIGNAL = partinr.from_array(skimage.data.astronaut(), kind="image")


def fitted(name: str, *structure: partinr.Siren | partinr.Rule | None, **options: object) -> list[str]:
    """A fit, as it is written."""
    began = time.process_time()
    result = partinr.fit(SIGNAL, *structure, **options)  # type: ignore[arg-type]
    spent = time.process_time() - began
    with tempfile.TemporaryDirectory() as folder:
        saved = partinr.save(result.model, Path(folder) / "a.inr", store="auto", signal=SIGNAL)
    assert saved.psnr is not None
    return row(name.format(result.steps), spent, saved.bytes, saved.psnr)


def jpeg(least: float) -> list[str]:
    """The smallest JPEG that has this PSNR."""
    image = Image.fromarray(np.asarray(SIGNAL.values))
    found = []
    for quality in range(50, 101):
        for halved in (0, 2):
            file, began = io.BytesIO(), time.process_time()
            image.save(file, "JPEG", quality=quality, subsampling=halved, optimize=True)
            spent = time.process_time() - began
            psnr = partinr.psnr(SIGNAL.values, np.asarray(Image.open(file)), peak=255)
            if psnr >= least:
                found.append((file.tell(), psnr, spent))
    size, psnr, spent = min(found)
    return row("JPEG, by Pillow", spent, size, psnr)


def row(name: str, seconds: float, size: int, psnr: float) -> list[str]:
    """A line of the table."""
    spent = f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}"
    return [name, spent, f"{size:,}", f"{psnr:.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120, help="that one SIREN is given")
    parser.add_argument("--write", action="store_true", help="put the table into the manual")
    options = parser.parse_args()
    partinr.fit(SIGNAL)  # what is loaded once is nobody's cost
    rows = [
        fitted("`partinr fit photo.png`"),
        jpeg(42),
        fitted("`partinr fit photo.png --psnr 35`", goal=partinr.Compact(psnr=35)),
        jpeg(35),
        fitted("`partinr fit photo.png --network siren`, 756 SIRENs", goal=partinr.Steps()),
        fitted(
            "one SIREN, as published, after {} steps",
            partinr.Whole(),
            partinr.Siren(256, 3),
            recipe=partinr.PAPER,
            goal=partinr.Steps(within=partinr.Seconds(options.seconds)),
            start=None,
        ),
    ]
    note = (
        "scikit-image's astronaut, 512 x 512; seconds are what all cores together spend; "
        f"{machine()}; `benchmarks/front.py`."
    )
    head = ["", "processor seconds", "bytes", "PSNR, dB"]
    publish("index.md", "cost", f"{table(head, rows)}\n\n{note}", options.write)


if __name__ == "__main__":
    main()
