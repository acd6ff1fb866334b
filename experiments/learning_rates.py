"""One network against partitions when each has the learning rate that suits it.

    python experiments/learning_rates.py [PICTURE] [--size 96 96] [--steps 500] [--densities 0.3 1.13]

Everything but the rate is the published recipe. With equal total parameters, K networks are about sqrt(K)
times narrower than one; the published comparison trains all of them at one rate. Prints the table and writes
it into docs/published.md where that has a place for it; for the default picture, with a figure.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from manual import figure, photograph, publish, table

from partinr import HFS, PAPER, Compute, DivergedError, Grid, Signal, Variant, Whole, fit

RATES = (1e-4, 3e-4, 1e-3, 3e-3)
RULES = (Whole(), Grid(2, 2), Grid(3, 3), HFS(9))

Found = dict[str, list[float]]


def measure(signal: Signal, density: float, steps: int, threads: int | None) -> Found:
    """PSNR of every variant at every rate; NaN where it diverged."""
    found: Found = {}
    for rule in RULES:
        for rate in RATES:
            recipe = replace(PAPER, steps=steps, learning_rate=rate)
            made = Variant.of(signal, rule, "siren", recipe, params=round(density * signal.spec.samples))
            try:
                psnr = fit(
                    signal, made.partition, made.network, recipe=recipe, compute=Compute(threads=threads)
                ).psnr
            except DivergedError:
                psnr = float("nan")
            found.setdefault(made.name, []).append(psnr)
            print(f"{density:g} a pixel, {made.name}, {rate:g}: {psnr:.2f} dB", flush=True)
    return found


def draw(results: dict[float, Found]) -> Any:
    """PSNR against the rate, a plot for each density."""

    def panels(drawn: Any) -> None:
        for axes, (density, found) in zip(
            drawn.subplots(1, len(results), sharey=True), results.items(), strict=True
        ):
            for name, psnrs in found.items():
                axes.semilogx(RATES, psnrs, "o-", label=name, markersize=4)
            axes.set_title(f"{density:g} parameters a pixel", fontsize=9)
            axes.set_xlabel("learning rate")
            axes.grid(alpha=0.2)
        drawn.axes[0].set_ylabel("PSNR (dB)")
        drawn.axes[0].legend(fontsize=8, frameon=False)

    return panels


def rows(results: dict[float, Found]) -> Sequence[Sequence[str]]:
    """A line for each density and variant; the best rate in bold."""
    lines = []
    for density, found in results.items():
        for name, psnrs in found.items():
            best = max(psnr for psnr in psnrs if psnr == psnr)
            cells = ["diverged" if p != p else f"**{p:.2f}**" if p == best else f"{p:.2f}" for p in psnrs]
            lines.append([f"{density:g} a pixel, {name}", *cells])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("picture", type=Path, nargs="?")
    parser.add_argument("--size", type=int, nargs=2, default=(96, 96), metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--densities", type=float, nargs="+", default=[0.3, 1.13])
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    signal = photograph(options.picture, *options.size)
    results = {d: measure(signal, d, options.steps, options.threads) for d in options.densities}
    name = options.picture.stem if options.picture else "astronaut"
    note = (
        f"PSNR in dB after {options.steps:,} steps, best rate in bold; {name} at {options.size[0]} x "
        f"{options.size[1]} pixels; `experiments/learning_rates.py`."
    )
    text = f"{table(['parameters, variant', *(f'{rate:g}' for rate in RATES)], rows(results))}\n\n{note}"
    if options.picture is None:
        path = figure("learning_rates", draw(results), (8, 3.2))
        text = f"![PSNR against the learning rate]({path})\n\n{text}"
    publish("published.md", f"rates {name}", text)


if __name__ == "__main__":
    main()
