"""Renderings: smaller ones against a dense average, in error and time, and long axes in time and memory.

    python benchmarks/rendering.py PICTURE [PICTURE ...] [--steps 600]

For each picture, the default fit is rendered smaller at several ratios. The error is that of the values
before they are rounded, in grey levels of 8 bits, against means with nodes four times as dense; the time is
that of whole calls of `render`, the median of several that take turns with the native size. Then signals of a
million and more samples of several shapes, each in a process of its own: the time of a rendering, that of one
with a quarter of the samples along each axis, and the memory beyond what was there before.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from tables import machine, table

RATIOS = (1.5, 2, 4, 8, 16)
SHAPES = ((10_000, 100), (1_000_000,), (2_000_000,), (2, 250_000), (250_000, 2), (2, 2, 100_000))
TURNS = 9


def smaller(picture: Path, steps: int | None) -> list[list[object]]:
    import partinr
    from partinr.model import piecewise
    from partinr.signals.frames import pixels

    model = partinr.fit(picture, goal=partinr.Steps(steps)).model
    shape = model.signal.shape

    def means(size: tuple[int, ...]) -> np.ndarray:
        along = [pixels(n, m, 0.0, float(n)) for n, m in zip(shape, size, strict=True)]
        found = model.on_lattice(along)
        assert found is not None
        return 255 * found

    rows: list[list[object]] = []
    usual = piecewise.pitch
    for ratio in RATIOS:
        size = tuple(round(n / ratio) for n in shape)
        lattice_pitch = usual([pixels(n, m, 0.0, float(n)) for n, m in zip(shape, size, strict=True)])
        found = means(size)
        piecewise.pitch = lambda _, fine=lattice_pitch / 4: fine
        error = found - means(size)
        piecewise.pitch = usual
        taken: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(TURNS):
            for native in (False, True):
                start = time.perf_counter()
                partinr.render(model, size=None if native else size)
                taken[native].append(time.perf_counter() - start)
        least = statistics.median(taken[False]) / statistics.median(taken[True])
        rounded = np.clip(np.round(found), 0, 255) - np.clip(found - error, 0, 255)
        decibels = 20 * math.log10(255 / math.sqrt((rounded**2).mean()))
        figures = (math.sqrt((error**2).mean()), np.quantile(np.abs(error), 0.999), np.abs(error).max())
        rows.append([picture.stem, ratio, *(f"{x:.3f}" for x in figures), f"{decibels:.1f}", f"{least:.2f}"])
        print(*rows[-1], flush=True)
    return rows


def long(shape: tuple[int, ...]) -> dict[str, float]:
    from partinr import Grid, Piecewise, Siren, Structure, from_array, render

    def model(shape: tuple[int, ...]) -> Piecewise:
        signal = from_array(np.zeros(shape, np.float32), kind="array")
        cells = [max(1, n // (25 if n > 1000 else 10)) for n in shape]
        partition = Grid(*cells).partition(signal)
        structure = Structure(partition, (Siren(6, 1),), signal.spec, "local", overlap=1)
        return Piecewise(structure, tuple(structure.initialise(0)))

    render(model((50,) * len(shape)))
    whole = model(shape)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        render(whole)
        taken.append(time.perf_counter() - start)
    start = time.perf_counter()
    render(whole, size=[max(1, n // 4) for n in shape])
    quarter = time.perf_counter() - start
    return {
        "seconds": min(taken),
        "quarter": quarter,
        "gib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("picture", type=Path, nargs="*")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--shape", type=int, nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.shape:
        print(json.dumps(long(tuple(options.shape))))
        return
    rows = [row for picture in options.picture for row in smaller(picture, options.steps)]
    header = ["picture", "ratio", "error, RMS", "99.9 %", "largest", "PSNR, 8 bits", "time / native"]
    print(f"\n{table(header, rows)}\n")
    rows = []
    for shape in SHAPES:
        command = [sys.executable, __file__, "--shape", *map(str, shape)]
        done = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        figures = (f"{done[key]:.2f}" for key in ("seconds", "quarter", "gib"))
        rows.append([" x ".join(map(str, shape)), *figures])
        print(*rows[-1], flush=True)
    print(f"\n{table(['samples', 'seconds', 'quarter, seconds', 'GiB'], rows)}")
    print(f"\n{machine()}; `benchmarks/rendering.py`.")


if __name__ == "__main__":
    main()
