"""Where the fast recipe's constants come from: each varied alone, everything else as it is.

    python benchmarks/recipe.py PICTURE [PICTURE ...] [--size 250 350] [--only cell rate] [--out FILE.md]

Fits the middle of every picture and prints the mean PSNR, the parameters a pixel and the processor seconds of
each variant, the recipe itself first. "enlarged" is the PSNR of a fit of the half-size picture rendered at
twice its size against the picture: what the function does between samples.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tables import machine, markdown

from partinr import FAST, Adam, Auto, Network, Recipe, Signal, Siren, fit, from_array, psnr, read, render

BASE = Siren(13, 2).suited_to(20)


@dataclass(frozen=True)
class Variant:
    """One line of the table."""

    what: str
    name: str
    cell: int = 20
    network: Network = BASE
    recipe: Recipe = FAST


def variants() -> Iterator[Variant]:
    yield Variant("recipe", "as it is")
    for cell, width in ((12, 7), (16, 10), (25, 16), (32, 21)):
        yield Variant("cell", f"{cell} x {cell}, width {width}", cell, Siren(width, 2).suited_to(cell))
    for layers, width in ((1, 17), (3, 11)):
        yield Variant("depth", f"{layers} hidden layers", network=replace(BASE, layers=layers, hidden=width))
    for omega in (6.0, 8.0, 15.0, 20.0):
        yield Variant("omega_0", f"{omega:g}", network=replace(BASE, omega_0=omega))
    for omega in (10.0, 15.0, 30.0):
        yield Variant("omega_hidden", f"{omega:g}", network=replace(BASE, omega_hidden=omega))
    for rate in (2e-3, 4e-3, 1.2e-2, 1.6e-2):
        yield Variant("rate", f"{rate:g}", recipe=replace(FAST, learning_rate=rate))
    for batch in (64, 96, 192, 400):
        yield Variant("batch", f"{batch}", recipe=replace(FAST, batch=batch))
    for beta2 in (0.9, 0.98, 0.999):
        yield Variant("beta2", f"{beta2:g}", recipe=replace(FAST, adam=Adam(0.9, beta2)))
    yield Variant("start", "published, readout not solved", recipe=replace(FAST, solve_readout=False))
    yield Variant("schedule", "constant", recipe=replace(FAST, schedule="constant"))
    for steps in (150, 300, 1200, 2400):
        yield Variant("steps", f"{steps}", recipe=replace(FAST, steps=steps))


def middle(signal: Signal, size: tuple[int, int]) -> np.ndarray:
    """The middle of a picture, at most this many rows and columns, even numbers of both."""
    rows, columns = (min(n, m) // 2 * 2 for n, m in zip(signal.shape, size, strict=True))
    top, left = (signal.shape[0] - rows) // 2, (signal.shape[1] - columns) // 2
    return signal.values[top : top + rows, left : left + columns].copy()


def halved(values: np.ndarray) -> np.ndarray:
    """The picture at half its size: means of 2 x 2 pixels."""
    rows, columns, channels = values.shape
    means = values.reshape(rows // 2, 2, columns // 2, 2, channels).mean(axis=(1, 3))
    return np.rint(means).astype(values.dtype)


def measure(variant: Variant, pictures: list[np.ndarray]) -> list[str]:
    """A row of the table."""
    native, enlarged, density, seconds = [], [], [], []
    for picture in pictures:
        rule = Auto(variant.cell**2)
        began = time.process_time()
        result = fit(from_array(picture, kind="image"), rule, variant.network, recipe=variant.recipe)
        seconds.append(time.process_time() - began)
        native.append(result.psnr)
        density.append(result.params / result.signal.spec.samples)
        small = fit(from_array(halved(picture), kind="image"), rule, variant.network, recipe=variant.recipe)
        enlarged.append(psnr(picture, render(small.model, scale=2), 255))
    figures = [(native, ".2f"), (enlarged, ".2f"), (density, ".2f"), (seconds, ".2f")]
    return [variant.what, variant.name, *(format(statistics.mean(f), style) for f, style in figures)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--size", type=int, nargs=2, default=(250, 350), metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--only", nargs="+", help="names of the constants to vary")
    parser.add_argument("--out", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    pictures = [middle(read(path), tuple(options.size)) for path in options.pictures]
    rows = []
    for variant in variants():
        if options.only and variant.what not in ("recipe", *options.only):
            continue
        rows.append(measure(variant, pictures))
        print(*rows[-1], flush=True)
    header = ["constant", "value", "PSNR, dB", "enlarged, dB", "parameters a pixel", "processor seconds"]
    names = ", ".join(path.stem for path in options.pictures)
    what = f"Means over the middle {options.size[0]} x {options.size[1]} pixels of {names}"
    text = f"{markdown(header, rows)}\n\n{what}; {machine()}; `benchmarks/recipe.py`.\n"
    print(text)
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
