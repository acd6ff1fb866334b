"""A step of the published sweeps: all runs side by side, against one network after another in PyTorch.

    python benchmarks/hypothesis.py [--runs 30] [--steps 10]

Both sides do what a step of the experiment is: new points, one update, the error on the grid. The loop is
what one writes first, a module and an optimiser for each run. Prints milliseconds a step and run.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
import torch
from tables import machine, markdown

from partinr.engines import select
from partinr.hypothesis.study import Study
from partinr.hypothesis.sweep import Rules


def by_sweep(study: Study, threads: int | None) -> float:
    sweep = study.prepare(select("auto", "cpu", threads, study.network))
    sweep._step()
    began = time.perf_counter()
    for _ in range(study.rules.limit - 2):
        sweep._step()
    return (time.perf_counter() - began) / (study.rules.limit - 2) / study.runs


def by_loop(study: Study) -> float:
    size, repeat, seed = list(study.members())[-1]
    drawn = study.network.initialise(1, study.dims, 1, torch.Generator().manual_seed(seed))
    leaves = [t.requires_grad_() for t in (*drawn.weights, *drawn.biases)]
    optimiser = torch.optim.Adam(leaves, lr=study.rules.learning_rate)
    signal, net = study.signal(size, repeat), study.network
    grid = torch.from_numpy(study.grid())
    target = torch.from_numpy(signal(study.grid()))
    seconds = []
    for _ in range(study.rules.limit):
        began = time.perf_counter()
        coords, values = grid, target
        if study.dims == 1:
            points = np.random.default_rng().uniform(-1, 1, (study.points, 1)).astype(np.float32)
            coords, values = torch.from_numpy(points), torch.from_numpy(signal(points))
        optimiser.zero_grad()
        (net.forward(coords[None], drawn)[0] - values).square().mean().backward()
        optimiser.step()
        if study.dims == 1:
            with torch.no_grad():
                (net.forward(grid[None], drawn)[0] - target).square().mean().item()
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    torch.set_num_threads(options.threads or torch.get_num_threads())
    rows = []
    for dims in (1, 2):
        whole = Study.published(dims)
        few = replace(
            whole,
            sizes=whole.sizes[-max(1, options.runs // 5) :],
            rules=Rules(threshold=1e-9, limit=options.steps),
        )
        ours, loop = by_sweep(few, options.threads), by_loop(few)
        rows.append([f"{dims}d", f"{loop * 1e3:.2f}", f"{ours * 1e3:.2f}", f"{loop / ours:.1f}"])
    print(markdown(["sweep", "loop, ms a step", "side by side, ms a step and run", "ratio"], rows))
    print(machine())


if __name__ == "__main__":
    main()
