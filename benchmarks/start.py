"""What the start that ships gains: default fits from it and from random numbers, by steps and by seconds.

    python benchmarks/start.py FOLDER [--pattern 'kodim*.png'] [--curves FILE.json] [--threads N] [--write]

Every picture is fitted twice and rendered after the same numbers of steps; a PSNR counts as reached, linear
in between, when the rendered picture has it. Seconds are those that the same two fits take undisturbed, their
preparation included. Short fits, whose learning rate has fallen to its end after so many steps, are compared
at their ends. `--curves` keeps what does not depend on the clock, so that seconds can be measured again.
"""

from __future__ import annotations

import argparse
import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from tables import machine, publish, table

from partinr import Compute, Signal, Steps, Watch, fit, read

LOOKS = (0, 2, 5, 10, 15, 20, 30, 40, 60, 80, 110, 150, 200, 250, 300, 400, 500, 600)
SHOWN = (0, 5, 10, 20, 40, 80, 150, 250, 300, 400, 500, 600)
GOALS = (30.0, 35.0)
SHORT = (30, 60, 150)
STARTS: tuple[Literal["auto"] | None, ...] = (None, "auto")


def curves(picture: Signal, threads: int | None) -> dict[str, list[list[float]]]:
    """PSNR (dB) on the way, and at the end of short fits; from random numbers, and from the start."""
    along, ends, by = [], [], Compute("cpu", threads=threads)
    for start in STARTS:
        found = fit(picture, start=start, compute=by, watch=Watch(measure_at=LOOKS))
        along.append([look.psnr for look in found.history.measured])
        ends.append([fit(picture, goal=Steps(n), start=start, compute=by).psnr for n in SHORT])
    return {"along": along, "ends": ends}


def reached(psnrs: list[float], goal: float) -> float:
    """The step at which a picture had a PSNR; infinite if it never had."""
    looks = list(zip(LOOKS, psnrs, strict=True))
    if psnrs[0] >= goal:
        return 0.0
    for (before, low), (after, high) in pairwise(looks):
        if high >= goal:
            return before + (after - before) * (goal - low) / (high - low)
    return math.inf


def clocked(
    picture: Signal, start: Literal["auto"] | None, threads: int | None, steps: list[float]
) -> list[float]:
    """Seconds from the beginning of a default fit to these steps."""
    result = fit(picture, start=start, compute=Compute("cpu", threads=threads), watch=Watch(measure_at=(0,)))
    clock = [result.history.measured[0].seconds, *result.history.seconds]
    return [
        float(np.interp(step, range(len(clock)), clock)) if math.isfinite(step) else step for step in steps
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pattern", default="*.png")
    parser.add_argument("--curves", type=Path)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/meta.md")
    options = parser.parse_args()
    known = json.loads(options.curves.read_text()) if options.curves and options.curves.exists() else {}
    along, ends, seconds = [], [], []
    for path in sorted(options.folder.glob(options.pattern)):
        picture = read(path)
        if path.stem not in known:
            known[path.stem] = curves(picture, options.threads)
            if options.curves:
                options.curves.write_text(json.dumps(known))
        found = known[path.stem]
        steps = [[reached(psnrs, goal) for goal in GOALS] for psnrs in found["along"]]
        seconds.append(
            [clocked(picture, start, options.threads, s) for start, s in zip(STARTS, steps, strict=True)]
        )
        along.append(found["along"])
        ends.append(found["ends"])
        print(path.stem, np.round(seconds[-1], 2).tolist(), np.round(steps), flush=True)
    text = report(np.array(along), np.array(ends), np.array(seconds))
    publish("meta.md", "start", text, options.write)


def report(along: np.ndarray, ends: np.ndarray, seconds: np.ndarray) -> str:
    """The tables and what they say; arrays by picture, then random or learned."""
    gains = along[:, 1] - along[:, 0]
    least = np.unravel_index(gains.argmin(), gains.shape)
    spread = "gain: median (least to greatest)"
    rows = [_row(steps, along[:, :, LOOKS.index(steps)]) for steps in SHOWN]
    short = [_row(steps, ends[:, :, i]) for i, steps in enumerate(SHORT)]
    times: list[list[object]] = []
    for i, goal in enumerate(GOALS):
        known = np.isfinite(seconds[:, 0, i])
        random, learned = seconds[known, 0, i], seconds[known, 1, i]
        ratio = random / learned
        told = f"{np.median(ratio):.2f} ({ratio.min():.2f} to {ratio.max():.2f})"
        times.append(
            [f"{goal:g} dB", f"{np.median(random):.2f}", f"{np.median(learned):.2f}", told, known.sum()]
        )
    return "\n\n".join(
        [
            table(["steps of 600", "random, dB", "learned, dB", spread], rows),
            table(["steps in all", "random, dB", "learned, dB", spread], short),
            table(["PSNR", "random, s", "learned, s", "times sooner", "pictures that reach it"], times),
            f"Medians over {len(along)} pictures, native engine. Least gain after any of {len(LOOKS)} "
            f"numbers of steps of 600: {gains.min():+.2f} dB, after {LOOKS[least[1]]} ({machine()}; "
            "`benchmarks/start.py`).",
        ]
    )


def _row(steps: int, psnrs: np.ndarray) -> list[object]:
    random, learned = np.median(psnrs, axis=0)
    gains = psnrs[:, 1] - psnrs[:, 0]
    spread = f"{np.median(gains):+.2f} ({gains.min():+.2f} to {gains.max():+.2f})"
    return [steps, f"{random:.2f}", f"{learned:.2f}", spread]


if __name__ == "__main__":
    main()
