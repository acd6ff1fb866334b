"""What training in bfloat16 costs and gains against single precision: PSNR after equal steps, and time.

    python benchmarks/precision.py PICTURE [PICTURE ...] [--write]

Fits the middle 512 x 512 pixels of every picture with the fast recipe, in cells for which each width has
about one parameter a pixel, and prints means over the pictures.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from tables import machine, publish, table

from partinr import Auto, Compute, Precision, Signal, Siren, Steps, fit, from_array, read

# Sides of cells in which a SIREN of this width and two hidden layers has about a parameter a pixel.
CASES = {13: 20, 32: 46, 64: 91, 128: 181}


def middle(path: Path) -> Signal:
    values = read(path).values
    top, left = ((n - 512) // 2 for n in values.shape[:2])
    return from_array(values[max(top, 0) :, max(left, 0) :][:512, :512].copy(), kind="image")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, nargs="+", default=[150, 600])
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    pictures = [middle(path) for path in options.pictures]
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    rows = []
    for width, side in CASES.items():
        for steps in options.steps:
            psnr: dict[str, list[float]] = {p: [] for p in precisions}
            seconds: dict[str, float] = dict.fromkeys(precisions, 0.0)
            for picture in pictures:
                for precision in precisions:
                    network = Siren(width, 2).suited_to(side)
                    result = fit(
                        picture,
                        Auto(side**2),
                        network,
                        goal=Steps(steps),
                        compute=Compute(precision=precision),
                    )
                    psnr[precision].append(result.psnr)
                    seconds[precision] += float(result.history.seconds[-1])
            lost = [a - b for a, b in zip(psnr["fp32"], psnr["bf16"], strict=True)]
            rows.append(
                [
                    f"{width} x 2",
                    steps,
                    *(f"{statistics.mean(psnr[p]):.2f}" for p in precisions),
                    f"{statistics.mean(lost):.2f}",
                    f"{max(lost):.2f}",
                    f"{seconds['fp32'] / seconds['bf16']:.2f}",
                ]
            )
            print(*rows[-1], flush=True)
    header = ["network", "steps", "fp32, dB", "bf16, dB", "lost, dB", "at most, dB", "times as fast"]
    names = ", ".join(path.stem for path in options.pictures)
    text = (
        f"{table(header, rows)}\n\nMeans over the middle 512 x 512 pixels of {names}; {machine()}; "
        "`benchmarks/precision.py`."
    )
    publish("performance.md", "precision", text, options.write)


if __name__ == "__main__":
    main()
