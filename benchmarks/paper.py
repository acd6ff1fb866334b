"""The published recipe on one picture: one SIREN against partitions at equal parameters and equal steps.

    python benchmarks/paper.py [PICTURE] [--width 175 --height 250 --steps 300] [--write]

Full batch, Adam at 1e-4, global frame, as published; about 791,000 parameters each. The picture is resized
first. Without one, scikit-image's astronaut is used.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from tables import machine, markdown, publish

from partinr import HFS, PAPER, FitResult, Grid, Rule, Whole, fit, from_array


def picture(path: Path | None, width: int, height: int) -> np.ndarray:
    from PIL import Image
    from skimage.data import astronaut

    image = Image.open(path).convert("RGB") if path else Image.fromarray(astronaut())
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))


def psnr_at(result: FitResult, seconds: float) -> float:
    """PSNR of the loss of the last step that ended by then."""
    done = np.flatnonzero(result.history.seconds <= seconds)
    return float(result.history.psnr[done[-1]]) if len(done) else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("picture", type=Path, nargs="?")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    options = parser.parse_args()
    signal = from_array(picture(options.picture, options.width, options.height), kind="image")
    rules: list[tuple[str, Rule]] = [
        ("one network", Whole()),
        ("PoG 3x3", Grid(3, 3)),
        ("PoS 9 (HFS)", HFS(9)),
    ]
    results = {}
    for name, rule in rules:
        began = time.perf_counter()
        results[name] = fit(signal, rule, recipe=PAPER, steps=options.steps, engine="torch")
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    shortest = min(r.history.seconds[-1] for r in results.values())
    single = results["one network"]
    rows = [
        [
            name,
            f"{r.params:,}",
            f"{r.history.psnr[-1]:.2f}",
            f"{r.history.psnr[-1] - single.history.psnr[-1]:+.2f}",
            f"{r.history.seconds[-1]:.0f}",
            f"{psnr_at(r, shortest):.2f}",
            f"{psnr_at(r, shortest) - psnr_at(single, shortest):+.2f}",
        ]
        for name, r in results.items()
    ]
    header = [
        "",
        "parameters",
        f"PSNR after {options.steps} steps, dB",
        "gain",
        "seconds",
        f"PSNR after {shortest:.0f} s, dB",
        "gain",
    ]
    what = options.picture.stem if options.picture else "astronaut"
    text = (
        f"{markdown(header, rows)}\n\n{what} at {options.width} x {options.height}; paper recipe, "
        f"torch engine; {machine()}; `benchmarks/paper.py`."
    )
    publish("paper", text, options.write)


if __name__ == "__main__":
    main()
