"""Where the fast recipe's constants come from: each varied alone at several budgets, all else as it is.

    python benchmarks/recipe.py PICTURE [PICTURE ...] [--budgets .25 .5 1 2] [--size 160 160]
        [--only cell rate] [--out FILE.md]

Fits the middle of every picture with every variant at every budget (parameters a pixel) and prints the mean
PSNR and the processor seconds of all fits together; the recipe itself comes first. A variant of another width
takes the cells that give the budget at that width. A picture holds a whole number of cells, so budgets are
not met exactly; PSNRs are moved to them along the recipe's own curve. "enlarged", at one parameter a pixel,
is the PSNR of a fit of the half-size picture at twice its size against the picture: what the function does
between samples.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from recipe_ideas import best_of_draws, error_weighted, spread_frequencies
from tables import machine, table

from partinr import (
    FAST,
    Adam,
    Auto,
    Network,
    Piecewise,
    Recipe,
    Signal,
    Siren,
    fit,
    from_array,
    psnr,
    read,
    render,
)

Fit = Callable[[Signal, Auto, Network, Recipe], Piecewise]
WIDTH, LAYERS = 12, 2
# What overlap does is measured by `seams.py`.
SEARCHED = replace(FAST, overlap=0, steps=FAST.steps_for(2))


def plain(signal: Signal, rule: Auto, network: Network, recipe: Recipe) -> Piecewise:
    """An ordinary fit from random numbers."""
    return fit(signal, rule, network, recipe=recipe, start=None).model


@dataclass(frozen=True)
class Variant:
    """One line of the table; None where the network is as the library would choose it."""

    what: str
    name: str
    width: int = WIDTH
    layers: int = LAYERS
    omega_0: float = 1.0
    omega_hidden: float | None = None
    recipe: Recipe = SEARCHED
    fit: Fit = plain

    def network(self, cell: float) -> Siren:
        """The network for cells of this side; omega_0 is a factor of the library's choice."""
        made = Siren(self.width, self.layers).suited_to(cell)
        hidden = made.omega_hidden if self.omega_hidden is None else self.omega_hidden
        return replace(made, omega_0=made.omega_0 * self.omega_0, omega_hidden=hidden)

    def cell(self, budget: float) -> float:
        """Side of cells in which the network has `budget` parameters a pixel."""
        return math.sqrt(Siren(self.width, self.layers).params(2, 3) / budget)


def variants() -> Iterator[Variant]:
    yield Variant("recipe", "as it is")
    for width in (6, 8, 10, 16, 24):
        yield Variant("width and cell", f"width {width}", width)
    for layers, width in ((1, 17), (3, 10)):
        yield Variant("depth", f"{layers} hidden layers, width {width}", width, layers)
    for factor in (0.6, 0.8, 1.25, 1.6):
        yield Variant("omega_0", f"{factor:g} of the rule's", omega_0=factor)
    for omega in (10.0, 15.0, 25.0, 30.0):
        yield Variant("omega_hidden", f"{omega:g}", omega_hidden=omega)
    for factor in (0.25, 0.5, 0.75, 1.35):
        rate = SEARCHED.learning_rate * factor
        yield Variant("rate", f"{rate:.2g}", recipe=replace(SEARCHED, learning_rate=rate))
    for batch in (64, 96, 192):
        changed = replace(SEARCHED, batch=batch, steps=FAST.steps_for(2) * 128 // batch)
        yield Variant("batch", f"{batch}, {changed.steps} steps", recipe=changed)
    for beta1, beta2 in ((0.8, 0.9), (0.95, 0.9), (0.9, 0.8), (0.9, 0.95), (0.9, 0.999)):
        yield Variant("Adam", f"{beta1:g}, {beta2:g}", recipe=replace(SEARCHED, adam=Adam(beta1, beta2)))
    yield Variant("schedule", "cosine", recipe=replace(SEARCHED, schedule="cosine"))
    yield Variant("schedule", "constant", recipe=replace(SEARCHED, schedule="constant"))
    yield Variant("start", "readout as drawn", recipe=replace(SEARCHED, solve_readout=False))
    yield Variant("start", "best of 4 draws in each region", fit=best_of_draws)
    yield Variant("start", "frequencies spread evenly", fit=spread_frequencies)
    yield Variant("sampling", "second half by error", fit=error_weighted)


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


@dataclass(frozen=True)
class Row:
    """What a variant reached: mean PSNR (dB) and mean parameters a pixel for each budget."""

    variant: Variant
    quality: list[float]
    density: list[float]
    enlarged: float
    seconds: float

    def cells(self, budgets: list[float], reference: Row) -> list[str]:
        """The row as text, each PSNR moved to its budget along the reference's PSNR over log(parameters)."""
        slope = np.gradient(reference.quality, np.log(reference.density)) if len(budgets) > 1 else [0.0]
        moved = np.array(self.quality) + slope * np.log(np.array(budgets) / self.density)
        enlarged = "" if math.isnan(self.enlarged) else f"{self.enlarged:.2f}"
        return [
            self.variant.what,
            self.variant.name,
            *(f"{q:.2f}" for q in moved),
            enlarged,
            f"{self.seconds:.1f}",
        ]


def measure(variant: Variant, pictures: list[np.ndarray], budgets: list[float]) -> Row:
    """All fits of a variant."""
    began = time.process_time()
    quality, density = [], []
    for budget in budgets:
        cell = variant.cell(budget)
        reached, used = [], []
        for picture in pictures:
            model = variant.fit(as_image(picture), Auto(cell**2), variant.network(cell), variant.recipe)
            reached.append(psnr(picture, render(model), 255))
            used.append(model.params / model.signal.samples)
        quality.append(statistics.mean(reached))
        density.append(statistics.mean(used))
    seconds = time.process_time() - began
    between = [math.nan]
    if variant.fit is plain:
        cell = variant.cell(1.0)
        rule, network = Auto(cell**2), variant.network(cell)
        halves = [plain(as_image(halved(p)), rule, network, variant.recipe) for p in pictures]
        between = [
            psnr(p, render(half, scale=2, between="none"), 255)
            for p, half in zip(pictures, halves, strict=True)
        ]
    return Row(variant, quality, density, statistics.mean(between), seconds)


def as_image(values: np.ndarray) -> Signal:
    return from_array(values, kind="image")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--budgets", type=float, nargs="+", default=[0.25, 0.5, 1.0, 2.0])
    parser.add_argument("--size", type=int, nargs=2, default=(160, 160), metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--only", nargs="+", help="names of the constants to vary")
    parser.add_argument("--out", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    pictures = [middle(read(path), tuple(options.size)) for path in options.pictures]
    rows: list[Row] = []
    for variant in variants():
        if options.only and variant.what not in ("recipe", *options.only):
            continue
        rows.append(measure(variant, pictures, options.budgets))
        print(*rows[-1].cells(options.budgets, rows[0]), sep=" | ", flush=True)
    columns = [f"{budget:g} a pixel" for budget in options.budgets]
    header = ["constant", "value", *columns, "enlarged", "processor seconds"]
    lines = [row.cells(options.budgets, rows[0]) for row in rows]
    names = ", ".join(path.stem for path in options.pictures)
    what = f"Mean PSNR, dB, over the middle {options.size[0]} x {options.size[1]} pixels of {names}"
    text = f"{table(header, lines)}\n\n{what}; {machine()}; `benchmarks/recipe.py`.\n"
    print(text)
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
