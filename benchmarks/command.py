"""The whole command `partinr fit --partition auto --psnr DB` for each picture of a folder, and the fit alone.

    python benchmarks/command.py FOLDER [--psnr 35] [--pattern 'kodim*.png'] [--write]

Each picture in a process of its own, start-up and writing included. The cells are those that `auto`
picks; `benchmarks/quality.py` has fits that choose cells for the quality: fewer parameters, more time.
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pattern", default="*.png")
    parser.add_argument("--psnr", type=float, default=35.0)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    rows: list[list[object]] = []
    fits, wholes = [], []
    for path in sorted(options.folder.glob(options.pattern)):
        with tempfile.TemporaryDirectory() as folder:
            output = str(Path(folder) / "a.inr")
            wish = ["--partition", "auto", "--psnr", str(options.psnr)]
            words = ["fit", str(path), "-o", output, *wish, "--json"]
            began = time.perf_counter()
            done = subprocess.run([sys.executable, "-m", "partinr", *words], capture_output=True, text=True)
            wholes.append(time.perf_counter() - began)
        facts = json.loads(done.stdout)
        fits.append(facts["seconds"])
        figures = (f"{facts['psnr']:.2f}", facts["steps"], f"{facts['params']:,}")
        rows.append([path.stem, *figures, f"{fits[-1]:.2f}", f"{wholes[-1]:.2f}"])
        print(*rows[-1], flush=True)
    rows.append(["median", "", "", "", f"{statistics.median(fits):.2f}", f"{statistics.median(wholes):.2f}"])
    header = ["picture", "PSNR, dB", "steps", "parameters", "fit, s", "whole command, s"]
    text = f"{table(header, rows)}\n\n{machine()}; `benchmarks/command.py --psnr {options.psnr:g}`."
    publish("performance.md", "command", text, options.write)


if __name__ == "__main__":
    main()
