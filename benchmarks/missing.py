"""Signals with half their samples missing, beside the same signals whole: time, bytes, errors in the holes.

    python benchmarks/missing.py [PICTURE] [--repeats 5] [--write]

Without a picture, scikit-image's astronaut. Seconds are the least of some repeats, of everything from the
array to the function and its quality, fits with and without holes in turn; those of cores are of all threads
together.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
from numpy import ndarray
from tables import machine, publish, table

from partinr import Compact, Goal, Steps, fit, psnr, read, render
from partinr.file.compact_inr import compact_size

GOALS: dict[str, Goal] = {"cosines, 42 dB": Compact(psnr=42), "SIRENs, 150 steps": Steps(150)}


def waves(rows: int, columns: int) -> ndarray:
    """A smooth function, 0 to 1."""
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    return 0.5 + 0.25 * np.sin(x / 20) * np.cos(y / 30) + 0.25 * np.sin((x + y) / 22)


def measured(name: str, values: ndarray, goal: Goal, repeats: int) -> list[list[object]]:
    """Rows of one signal, whole and with half of it missing."""
    mask = np.random.default_rng(0).random(values.shape[:2]) < 0.5
    best, busy, results = {}, {}, {}
    for _ in range(repeats):
        for share, given in (("0", None), ("1/2", mask)):
            began, cores = time.perf_counter(), time.process_time()
            results[share] = fit(values, goal=goal, mask=given)
            busy[share] = min(busy.get(share, math.inf), time.process_time() - cores)
            best[share] = min(best.get(share, math.inf), time.perf_counter() - began)
    rows: list[list[object]] = []
    for share, result in results.items():
        found, (low, high) = render(result.model), result.signal.spec.value_range
        hidden = psnr(values[~mask], found[~mask], high - low)
        size = f"{compact_size(result.model):,}" if result.model.spectra is not None else ""
        rows.append(
            [
                name,
                share,
                f"{best[share]:.2f}",
                f"{busy[share]:.2f}",
                f"{busy[share] / busy['0']:.2f}",
                size,
                f"{result.psnr:.2f}",
                "" if share == "0" else f"{hidden:.2f}",
            ]
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("picture", type=Path, nargs="?")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the table into docs/missing.md")
    options = parser.parse_args()
    import skimage.data

    picture = skimage.data.astronaut() if options.picture is None else read(options.picture).values
    rows: list[list[object]] = []
    for how, goal in GOALS.items():
        rows += measured(f"photograph, {how}", picture, goal, options.repeats)
        rows += measured(f"waves, {how}", waves(400, 600), goal, options.repeats)
    header = [
        "fit",
        "missing",
        "seconds",
        "of cores",
        "beside whole",
        "bytes",
        "PSNR of what is there",
        "in the holes",
    ]
    name = "astronaut" if options.picture is None else options.picture.name
    what = f"{name} and a smooth function of 400 x 600 samples"
    text = f"{table(header, rows)}\n\n{what}; {machine()}; `benchmarks/missing.py`."
    publish("missing.md", "missing", text, options.write)


if __name__ == "__main__":
    main()
