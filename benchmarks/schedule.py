"""Schedules of the learning rate at several numbers of steps.

    python benchmarks/schedule.py PICTURE [PICTURE ...] [--size 144 144] [--write]

Mean PSNR of fits of the middle of every picture by the default recipe, without overlap, from random numbers.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import replace
from pathlib import Path

from recipe import as_image, middle
from tables import machine, publish, table

from partinr import FAST, Steps, fit, read

STEPS = (30, 75, 150, 300, 600)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--size", type=int, nargs=2, default=(144, 144), metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--write", action="store_true", help="put the table into docs/recipe.md")
    options = parser.parse_args()
    pictures = [as_image(middle(read(path), tuple(options.size))) for path in options.pictures]
    rows: list[list[str]] = []
    for schedule in ("cooldown", "cosine", "constant"):
        recipe = replace(FAST, schedule=schedule, overlap=0)
        found = [
            statistics.mean(
                fit(picture, goal=Steps(steps), recipe=recipe, start=None).psnr for picture in pictures
            )
            for steps in STEPS
        ]
        rows.append([schedule, *(f"{psnr:.2f}" for psnr in found)])
        print(*rows[-1], flush=True)
    header = ["schedule", *(f"{steps} steps" for steps in STEPS)]
    names = ", ".join(path.stem for path in options.pictures)
    what = f"Mean PSNR, dB, over the middle {options.size[0]} x {options.size[1]} pixels of {names}"
    text = f"{table(header, rows)}\n\n{what}; {machine()}; `benchmarks/schedule.py`."
    publish("recipe.md", "schedule", text, options.write)


if __name__ == "__main__":
    main()
