"""What the start that ships is worth to the commands that people type: with it, and with `--init none`.

    python benchmarks/start.py FOLDER [--pattern 'kodim*.png'] [--found FILE.json] [--write]

Fits to a PSNR, in the default cells and with cells and widths of their own, and fits of a number of steps.
Each is `partinr fit` in a process of its own; the two that are compared run one after the other. Seconds are
those that the fit took, as the command reports them. `--found` keeps what has been measured, picture by
picture: what is missing there is measured, so an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from tables import machine, publish, table

TO_PSNR = (
    "--partition auto --psnr 30",
    "--partition auto --psnr 33",
    "--partition auto --psnr 35",
    "--network siren --psnr 33",
    "--network siren --psnr 35",
)
OF_STEPS = ("--steps 30", "--steps 60", "--steps 150", "--steps 300", "--network siren")
FACTS = ("psnr", "steps", "params", "seconds")


def command(path: Path, words: str) -> list[float]:
    """What `partinr fit` makes of a picture: the facts named above."""
    with tempfile.TemporaryDirectory() as folder:
        call = ["fit", str(path), "-o", f"{folder}/a.inr", *words.split(), "--json"]
        done = subprocess.run([sys.executable, "-m", "partinr", *call], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"partinr {' '.join(call)} failed: {done.stderr.strip()}")
    facts = json.loads(done.stdout)
    return [float(facts[name]) for name in FACTS]


def pairs(path: Path) -> dict[str, list[list[float]]]:
    """For every command, what it makes of a picture from random numbers, and from the start."""
    return {
        words: [command(path, f"{words} --init none"), command(path, words)] for words in TO_PSNR + OF_STEPS
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pattern", default="*.png")
    parser.add_argument("--found", type=Path)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/meta.md")
    options = parser.parse_args()
    found = json.loads(options.found.read_text()) if options.found and options.found.exists() else {}
    paths = sorted(options.folder.glob(options.pattern))
    for path in paths:
        if path.stem not in found:
            found[path.stem] = pairs(path)
            if options.found:
                options.found.write_text(json.dumps(found))
        print(
            path.stem,
            {words: [both[1] for both in pair] for words, pair in found[path.stem].items()},
            flush=True,
        )
    measured = [found[path.stem] for path in paths]
    by_command = {words: np.array([m[words] for m in measured]) for words in measured[0]}
    publish("meta.md", "start", report(by_command), options.write)


def report(found: dict[str, np.ndarray]) -> str:
    """The tables and what they say; of each command an array by picture, random or learned, and fact."""
    psnr, steps, params, seconds = range(len(FACTS))
    goals: list[list[object]] = []
    for words in TO_PSNR:
        pair = found[words]
        row: list[object] = [f"`{words}`", *(f"{n:.0f}" for n in np.median(pair[:, :, steps], axis=0))]
        row += [_spread(pair[:, 0, fact] / pair[:, 1, fact], ".2f") for fact in (steps, seconds)]
        goals.append([*row, f"{100 * np.median(pair[:, 1, params] / pair[:, 0, params] - 1):+.1f}%"])
    ends: list[list[object]] = []
    for words in OF_STEPS:
        pair = found[words][:, :, psnr]
        random, learned = np.median(pair, axis=0)
        gain = _spread(pair[:, 1] - pair[:, 0], "+.2f")
        ends.append([f"`{words}`", f"{random:.2f}", f"{learned:.2f}", gain])
    spread = "median (least to greatest)"
    return "\n\n".join(
        [
            table(
                [
                    *("`partinr fit`", "steps with `--init none`", "steps", f"times fewer steps: {spread}"),
                    *(f"times less time: {spread}", "parameters"),
                ],
                goals,
            ),
            table(["`partinr fit`", "`--init none`, dB", "with the start, dB", f"gain, dB: {spread}"], ends),
            f"Medians over {len(found[OF_STEPS[0]])} pictures; {machine()}; `benchmarks/start.py`.",
        ]
    )


def _spread(values: np.ndarray, style: str) -> str:
    return f"{np.median(values):{style}} ({values.min():{style}} to {values.max():{style}})"


if __name__ == "__main__":
    main()
