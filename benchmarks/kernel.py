"""How near the native kernel comes to what the processor can do; everything as ratios within one run.

    python benchmarks/kernel.py [--write]

Takes about a minute on two cores. `peak` is a loop that does nothing but fused multiply-adds, on one
thread; the share of it counts six operations for each parameter and sample of a training step, padding and
activations not counted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from tables import machine, publish, table

from partinr import (
    Adam,
    Auto,
    Grid,
    Piecewise,
    Precision,
    Rule,
    Siren,
    Structure,
    Whole,
    _native,
    from_array,
    render,
)
from partinr.engines import CpuEngine, Plan, TrainingState
from partinr.engines.packing import pack_groups
from partinr.engines.torch_engine import TorchEngine

ROUNDS = 5
# That torch evaluates at once.
POINTS = 1 << 18


def best(*works: Callable[[], object]) -> list[float]:
    """Shortest time of each, measured in turn so that a change of the machine's speed hits all alike."""
    seconds = [[] for _ in works]
    for work in works:
        work()
    for _ in range(ROUNDS):
        for work, times in zip(works, seconds, strict=True):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
    return [min(times) for times in seconds]


class Problem:
    """A network for every region of a noisy picture."""

    def __init__(self, side: int, rule: Rule, network: Siren) -> None:
        values = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
        signal = from_array(values, kind="image")
        self.network, self.samples = network, side**2
        structure = Structure(rule.partition(signal), (network,), signal.spec, "local")
        self.model = Piecewise(structure, tuple(structure.initialise(0)))
        (self.packed,) = pack_groups(structure, signal, 0)

    def step(
        self, steps: int, batch: int | None, threads: int, precision: Precision = "fp32", torch_: bool = False
    ) -> Callable[[], object]:
        """Some training steps from the start, ready to be called again and again."""
        engine = TorchEngine("cpu", threads) if torch_ else CpuEngine(threads, precision)
        state = TrainingState.fresh(self.model.parameters[0])
        regions = np.arange(self.model.regions)
        plan = Plan(regions, np.full(steps, 1e-5), 0, batch, False, self.samples, Adam())
        return lambda: engine.advance(self.network, state, self.packed, plan, lambda _: False)


def share_of_peak() -> list[list[str]]:
    rows = []
    for hidden, goal in ((16, 55), (32, 65), (64, 70)):
        problem = Problem(64, Whole(), Siren(hidden, 2))
        steps = max(2, 400_000 // problem.model.params)
        exact, halved = best(problem.step(steps, None, 1), problem.step(steps, None, 1, "bf16"))
        rate = 6 * problem.model.params * problem.samples * steps / exact / _native.peak(0.2)
        rows.append(
            [f"training step, width {hidden}: share of FMA peak, one thread", f"{rate:.0%}", f"{goal}%"]
        )
        if hidden > 16:
            rows.append(
                [f"bfloat16 against single precision, width {hidden}", f"{exact / halved:.2f}x", "1.4x"]
            )
    return rows


def threads() -> list[list[str]]:
    many, one = Problem(600, Auto(), Siren(13, 2)), Problem(160, Whole(), Siren(256, 3))
    nine = Problem(192, Grid(3, 3), Siren(64, 2))
    rows = []
    for name, problem, steps, batch in (
        ("900 cells of 20 x 20, width 13, batches of 133", many, 20, 133),
        ("nine cells of 64 x 64, width 64, all samples", nine, 2, None),
        ("one network 256 x 3, all samples", one, 1, None),
    ):
        alone, together = best(problem.step(steps, batch, 1), problem.step(steps, batch, 2))
        rows.append([f"two threads against one: {name}", f"{alone / together:.2f}x", "1.9x"])
    return rows


def against_torch() -> list[list[str]]:
    cores = CpuEngine().threads
    rows = []
    for name, problem, batch in (
        ("900 cells of 20 x 20, width 13, batches of 133", Problem(600, Auto(), Siren(13, 2)), 133),
        ("one network 128 x 3", Problem(128, Whole(), Siren(128, 3)), None),
        ("one network 256 x 3", Problem(128, Whole(), Siren(256, 3)), None),
        ("one network 512 x 3", Problem(96, Whole(), Siren(512, 3)), None),
    ):
        ours, theirs = best(problem.step(1, batch, cores), problem.step(1, batch, cores, torch_=True))
        rows.append([f"training step against the torch engine: {name}", f"{theirs / ours:.1f}x", ""])
    return rows


def rendering() -> list[list[str]]:
    model = Problem(600, Auto(), Siren(13, 2)).model
    rows = []

    module = model.torch()

    def by_torch(scale: float) -> None:
        along = torch.linspace(-1, 1, round(600 * scale))
        with torch.no_grad():
            for rows in along.split(max(1, POINTS // len(along))):
                module(torch.cartesian_prod(rows, along))

    for scale in (1.0, 4.0):
        ours, theirs = best(
            lambda scale=scale: render(model, scale=scale), lambda scale=scale: by_torch(scale)
        )
        rate = (600 * scale) ** 2 / ours / 1e6
        name = f"rendering at {scale:g} times the size against torch ({rate:.0f} million samples a second)"
        rows.append([name, f"{theirs / ours:.1f}x", "5x"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    torch.set_num_threads(CpuEngine().threads)
    rows = []
    for part in (share_of_peak, threads, against_torch, rendering):
        rows += part()
        print(*rows, sep="\n", flush=True)
    peak = f"{_native.isa()}, peak {_native.peak(0.2) / 1e9:.0f} GFLOP/s a core"
    text = f"{table(['what', 'measured', 'goal'], rows)}\n\n{peak}; {machine()}; `benchmarks/kernel.py`."
    publish("performance.md", "kernel", text, options.write)


if __name__ == "__main__":
    main()
