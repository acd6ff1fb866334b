"""SIRENs that grow to a named quality: seconds, parameters, size, and how far beyond it they end.

    python benchmarks/quality.py FOLDER [--pattern 'kodim*.png'] [--psnr 35] [--write]

Each is compared with the fit of a uniform grid that has as many parameters, for the recipe's steps.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tables import machine, publish, table

from partinr import Budget, fit, read


def command(path: Path, psnr: float) -> tuple[dict[str, float], float]:
    """What the command line makes of a picture, and how long that takes with its start and all writing."""
    with tempfile.TemporaryDirectory() as folder:
        wish = ["--network", "siren", "--psnr", str(psnr), "--store", "float16"]
        words = ["fit", str(path), "-o", f"{folder}/a.inr", *wish, "--json"]
        began = time.perf_counter()
        ran = subprocess.run([sys.executable, "-m", "partinr", *words], capture_output=True, check=False)
        took = time.perf_counter() - began
    return json.loads(ran.stdout), took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pattern", default="*.png")
    parser.add_argument("--psnr", type=float, default=35.0)
    parser.add_argument("--write", action="store_true", help="put the table into docs/quality.md")
    options = parser.parse_args()
    rows, figures = [], []
    for path in sorted(options.folder.glob(options.pattern)):
        facts, whole = command(path, options.psnr)
        uniform = fit(read(path), network=Budget(int(facts["params"])))
        figure = [facts["psnr"], facts["seconds"], whole, facts["params"], facts["bits_per_sample"]]
        figures.append([*figure, uniform.psnr, uniform.seconds])
        rows.append([path.stem, *_row(figures[-1]), f"{facts['regions']:,}"])
        print(*rows[-1], flush=True)
    rows.append(["median", *_row([statistics.median(column) for column in zip(*figures, strict=True)]), ""])
    header = [
        *("picture", "PSNR, dB", "seconds", "whole command", "parameters", "bits a pixel"),
        *("uniform, dB", "uniform, seconds", "regions"),
    ]
    note = (
        f"Asked for: {options.psnr:g} dB; stored in float16. Uniform: the default grid with as many "
        f"parameters. {machine()}; `benchmarks/quality.py`."
    )
    publish("quality.md", "quality", f"{table(header, rows)}\n\n{note}", options.write)


def _row(figures: list[float]) -> list[str]:
    styles = (".2f", ".1f", ".1f", ",.0f", ".2f", ".2f", ".1f")
    return [format(figure, style) for figure, style in zip(figures, styles, strict=True)]


if __name__ == "__main__":
    main()
