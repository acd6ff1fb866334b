"""Every picture of a folder as `partinr fit` writes it without options: quality, time and size.

    python benchmarks/folder.py FOLDER [--pattern 'kodim*.png'] [--psnr 42] [--write]

Beside each: its size as a PNG, and as JPEG, WebP and AVIF at the same PSNR (`partinr.signals.codecs`). Made
for the Kodak photographs; any folder of pictures of 8 bits will do.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from tables import machine, publish, table

from partinr import fit, read, save, usual_goal
from partinr.signals import codecs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pattern", default="*.png")
    parser.add_argument("--psnr", type=float)
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    options = parser.parse_args()
    rows: list[list[str]] = []
    figures: list[list[float | None]] = []
    for path in sorted(options.folder.glob(options.pattern)):
        signal, goal = read(path), usual_goal(options.psnr)
        began = time.process_time()
        result = fit(signal, goal=goal)
        seconds = time.process_time() - began
        with tempfile.TemporaryDirectory() as folder:
            saved = save(result.model, Path(folder) / "a.inr", store="auto", signal=signal, target=goal.psnr)
        assert saved.psnr is not None
        assert saved.ssim is not None
        others = [coded.bytes for coded in codecs.beside(signal, saved.psnr)]
        sizes = [None if size is None else 8 * size / signal.spec.samples for size in (saved.bytes, *others)]
        figures.append([saved.psnr, saved.ssim, seconds, saved.bytes, *sizes])
        rows.append([path.stem, *_row(figures[-1])])
        print(*rows[-1], flush=True)
    rows.append(["median", *_row([_median(column) for column in zip(*figures, strict=True)])])
    names = [coded.name for coded in codecs.CODECS]
    header = ["picture", "PSNR, dB", "SSIM", "processor seconds", "bytes", "bits a pixel", "PNG", *names]
    note = (
        "The last columns are bits a pixel, too, at the same PSNR where the codec is lossy (-: not reached). "
        f"Seconds are what all cores together spend on a fit; {machine()}; `benchmarks/folder.py`."
    )
    publish("README.md", "folder", f"{table(header, rows)}\n\n{note}", options.write)


def _median(column: tuple[float | None, ...]) -> float | None:
    # A codec that does not reach the PSNR would need more than for any that it reaches.
    middle = statistics.median(float("inf") if figure is None else figure for figure in column)
    return None if middle == float("inf") else middle


def _row(figures: list[float | None]) -> list[str]:
    styles = (".2f", ".4f", ".2f", ",.0f", *[".2f"] * (len(figures) - 4))
    return [
        "-" if figure is None else format(figure, style)
        for figure, style in zip(figures, styles, strict=True)
    ]


if __name__ == "__main__":
    main()
