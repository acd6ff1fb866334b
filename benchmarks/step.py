"""One training step of PoG#9 (nine SIRENs 170x3, full batch): the torch engine against a loop over networks.

    python benchmarks/step.py [--rows 700 --columns 1000 --steps 2] [--write]

The loop is what one writes first: nine modules, each evaluated on its own pixels, one loss, one backward, one
optimiser. Each side runs in a process of its own, so that the peak memory is its own. The result of both is
compared after the steps.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
import torch
from tables import machine, publish, table

from partinr import PAPER, Grid, Signal, Siren, Structure, from_array
from partinr.engines import Plan, TrainingState
from partinr.engines.packing import pack_groups
from partinr.engines.torch_engine import TorchEngine
from partinr.signals.frames import raster

NETWORK = Siren(170, 3, 60.0, 30.0)


def problem(rows: int, columns: int) -> tuple[Structure, Signal]:
    from skimage.data import astronaut
    from skimage.transform import resize

    picture = (resize(astronaut(), (rows, columns), anti_aliasing=True) * 255).astype(np.uint8)
    signal = from_array(picture, kind="image")
    return Structure(Grid(3, 3).partition(signal), (NETWORK,), signal.spec, "global"), signal


def by_loop(rows: int, columns: int, steps: int) -> tuple[list[float], list[float]]:
    structure, signal = problem(rows, columns)
    (fresh,) = structure.initialise(0)
    labels = torch.tensor(structure.partition.label_map.reshape(-1)).long()
    x, y = torch.as_tensor(raster(signal.shape)), torch.as_tensor(signal.normalised().reshape(-1, 3))
    own = [labels == r for r in range(9)]
    coords, values = [x[m] for m in own], [y[m] for m in own]
    weights = [[torch.tensor(w[r], requires_grad=True) for w in fresh.weights] for r in range(9)]
    biases = [[torch.tensor(b[r], requires_grad=True) for b in fresh.biases] for r in range(9)]
    optimiser = torch.optim.Adam([t for ts in (*weights, *biases) for t in ts], lr=1e-4)
    seconds, losses = [], []
    for _ in range(steps):
        began = time.perf_counter()
        total = torch.zeros(())
        for r in range(9):
            h = coords[r]
            for layer in range(4):
                omega = 60.0 if layer == 0 else 30.0
                h = torch.sin(omega * (h @ weights[r][layer] + biases[r][layer]))
            prediction = h @ weights[r][4] + biases[r][4]
            total = total + (prediction - values[r]).square().sum()
        loss = total / y.numel()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - began)
    return seconds, losses


def by_engine(rows: int, columns: int, steps: int) -> tuple[list[float], list[float]]:
    structure, signal = problem(rows, columns)
    (samples,) = pack_groups(structure, signal, 0)
    state = TrainingState.fresh(structure.initialise(0)[0])
    seconds, losses = [], []
    for step in range(steps):
        began = time.perf_counter()
        plan = Plan(np.arange(9), np.full(1, 1e-4), step, None, True, rows * columns, PAPER.adam)
        found = TorchEngine().advance(NETWORK, state, samples, plan, lambda _: False)
        losses.append(float((found[:, 0] * samples.counts).sum() / (rows * columns)))
        seconds.append(time.perf_counter() - began)
    return seconds, losses


def measured(side: str, options: argparse.Namespace) -> dict[str, object]:
    size = ["--rows", str(options.rows), "--columns", str(options.columns), "--steps", str(options.steps)]
    done = subprocess.run(
        [sys.executable, __file__, "--side", side, *size], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=700)
    parser.add_argument("--columns", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--side", choices=["loop", "engine"], help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    options = parser.parse_args()
    if options.side:
        run = by_loop if options.side == "loop" else by_engine
        seconds, losses = run(options.rows, options.columns, options.steps)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps({"seconds": min(seconds), "losses": losses, "peak": peak}))
        return
    loop, engine = measured("loop", options), measured("engine", options)
    difference = max(abs(a / b - 1) for a, b in zip(engine["losses"], loop["losses"], strict=True))
    rows = [
        [name, f"{r['seconds']:.2f}", f"{r['peak']:.2f}"]
        for name, r in (("loop over nine networks", loop), ("torch engine", engine))
    ]
    ratios = [f"{loop[key] / engine[key]:.1f}" for key in ("seconds", "peak")]
    rows.append(["ratio", *ratios])
    head = ["", "seconds a step", "peak memory, GiB"]
    text = (
        f"{table(head, rows)}\n\nPoG#9, nine SIRENs 170x3, {options.columns} x {options.rows} pixels, "
        f"full batch, best of {options.steps} steps; losses agree to {difference:.0e} relative "
        f"({machine()}; `benchmarks/step.py`)."
    )
    publish("README.md", "step", text, options.write)


if __name__ == "__main__":
    main()
