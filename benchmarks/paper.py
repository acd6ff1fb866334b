"""The published recipe on one picture: one SIREN against partitions at equal parameters and equal steps.

    python benchmarks/paper.py [PICTURE] [--width 256 --height 256 --steps 1500] [--params N] [--write]

Full batch, Adam at 1e-4, global frame, as published. The picture is resized first; without one,
scikit-image's astronaut is used. The published experiment has 1.13 parameters a pixel (791,043 for 700 x 1000
pixels); that density is kept for the resized picture unless --params says otherwise.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from tables import machine, markdown, publish

from partinr import HFS, PAPER, FitResult, Grid, Rule, Siren, Whole, fit, from_array
from partinr.networks import fit_width

_DENSITY = 791_043 / (700 * 1000)


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
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--params", type=int)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    options = parser.parse_args()
    signal = from_array(picture(options.picture, options.width, options.height), kind="image")
    rules: list[tuple[str, Rule]] = [
        ("one network", Whole()),
        ("PoG 3x3", Grid(3, 3)),
        ("PoS 9 (HFS)", HFS(9)),
    ]
    budget = options.params or round(signal.spec.samples * _DENSITY)
    recipe = replace(PAPER, learning_rate=options.rate)
    results = {}
    for name, rule in rules:
        began = time.perf_counter()
        made = rule.partition(signal)
        network = fit_width(Siren(512, 3), budget, made.regions, 2, 3)
        results[name] = fit(signal, made, network, recipe=recipe, steps=options.steps, engine=options.engine)
        print(f"{name}: {time.perf_counter() - began:.0f} s, {results[name].psnr:.2f} dB", flush=True)
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
        f"{markdown(header, rows)}\n\n{what} at {options.width} x {options.height}; paper recipe at a "
        f"learning rate of {options.rate:g}; {machine()}; `benchmarks/paper.py`."
    )
    publish("paper", text, options.write)


if __name__ == "__main__":
    main()
