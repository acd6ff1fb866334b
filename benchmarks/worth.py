"""What a parameter is worth: cosine coefficients that leave as much error as networks do after a first cycle.

    python benchmarks/worth.py FOLDER [--pattern 'kodim*.png'] [--steps 270] [--cells 48] [--write]

Cells of each size that a fit to a quality chooses from are drawn from every picture and trained at several
widths. Those whose error should be that of 30 to 40 dB count: of all of them together, the number of
coefficients that leaves the error found, divided by the number of parameters; in brackets what
`partinr.fitting.goals.allocation` assumes.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from itertools import islice
from pathlib import Path

import numpy as np
from numpy import ndarray
from tables import machine, publish, table

from partinr import FAST, Partition, Signal, Siren, Structure, read
from partinr.engines import CpuEngine, Plan, TrainingState
from partinr.engines.packing import pack_groups
from partinr.engines.readout import RIDGE
from partinr.fitting.goals.allocation import worth
from partinr.fitting.goals.difficulty import Level, levels

WIDTHS = (4, 8, 12, 16, 24, 32, 40)
LEVELS = 4
MSE = (1e-4, 1e-3)


def errors(signal: Signal, level: Level, cells: ndarray, hidden: int, steps: int) -> ndarray:
    """Squared error of some cells after a cycle of so many steps."""
    network = Siren(hidden=hidden, layers=2).suited_to(float(np.diff(level.edges[0]).max()))
    partition = Partition.from_boxes(signal.shape, level.boxes, "cells")
    structure = Structure(partition, (network,), signal.spec, "local")
    (samples,) = pack_groups(structure, signal, 0)
    engine = CpuEngine()
    state = TrainingState.fresh(structure.initialise(0)[0])
    state.parameters = engine.solve_readout(network, state.parameters, samples, RIDGE)
    step = np.arange(steps, dtype=np.float64)
    rates = FAST.rate_for(hidden) * FAST.schedule_at((step + 1) / steps, step)
    batch = FAST.batch_for(float(samples.counts.mean()))
    plan = Plan(cells, rates, 0, batch, False, signal.spec.samples, FAST.adam)
    engine.advance(network, state, samples, plan, lambda _: False)
    return engine.squared_error(network, state.parameters, samples)[cells]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pattern", default="*.png")
    parser.add_argument("--steps", type=int, default=270)
    parser.add_argument("--cells", type=int, default=48, help="of each size and picture")
    parser.add_argument("--write", action="store_true", help="put the table into docs/quality.md")
    options = parser.parse_args()
    # For each size and width: levels, their cells, and the errors found.
    found: dict[tuple[int, int], list[tuple[Level, ndarray, ndarray]]] = defaultdict(list)
    pictures = sorted(options.folder.glob(options.pattern))
    for path in pictures:
        signal = read(path)
        for size, level in enumerate(islice(levels(signal), LEVELS)):
            boxes = level.boxes
            samples = (boxes[:, 1] - boxes[:, 0]).prod(axis=1)
            drawn = np.random.default_rng(size).permutation(len(boxes))[: options.cells]
            for hidden in WIDTHS:
                params = np.array([Siren(hidden, 2).params(signal.spec.dims, signal.channels)])
                mse = level.left(worth(params, samples[:, None]))[:, 0] / samples / signal.channels
                cells = np.sort(drawn[(mse[drawn] > MSE[0]) & (mse[drawn] < MSE[1])])
                if len(cells):
                    squared = errors(signal, level, cells, hidden, options.steps)
                    found[size, hidden].append((level, cells, squared))
        print(path.stem, flush=True)
    rows = []
    for size in range(LEVELS):
        row = [f"{16 * 2**size} x {16 * 2**size}"]
        for hidden in WIDTHS:
            params = Siren(hidden, 2).params(2, 3)
            assumed = float(worth(np.array(params), np.array((16 * 2**size) ** 2))) / params
            several = sum(len(cells) for _, cells, _ in found[size, hidden]) >= options.cells / 2
            row.append(f"{_worth(found[size, hidden]) / params:.2f} ({assumed:.2f})" if several else "")
        rows.append(row)
    header = ["cell", *(f"width {hidden}" for hidden in WIDTHS)]
    note = f"{len(pictures)} pictures, {options.steps} steps. {machine()}; `benchmarks/worth.py`."
    publish("quality.md", "worth", f"{table(header, rows)}\n\n{note}", options.write)


def _worth(found: list[tuple[Level, ndarray, ndarray]]) -> float:
    """Coefficients of each cell that together leave the error found."""
    total = sum(float(squared.sum()) for _, _, squared in found)
    low, high = 1e-2, 1e5
    for _ in range(50):
        middle = float(np.sqrt(low * high))
        left = sum(
            level.left(np.full((len(level.counts), 1), middle))[cells, 0].sum() for level, cells, _ in found
        )
        low, high = (middle, high) if left > total else (low, middle)
    return low


if __name__ == "__main__":
    main()
