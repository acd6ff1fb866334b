"""How long the sweeps of the hypothesis take.

    python benchmarks/hypothesis.py [steps] [quick] [--runs 30] [--steps 10] [--write]

`steps`: a step of the published sweeps, all runs side by side, against one network after another in PyTorch.
Both sides do what a step of the experiment is: new points, one update, the error on the grid. The loop is
what one writes first, a module and an optimiser for each run. `quick`: the four commands with --quick, from
the start of the process to its end. Both without a name. With --write, docs/hypothesis.md has the tables.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tables import machine, publish, table

from partinr.engines import select
from partinr.studies.hypothesis.study import Study
from partinr.studies.hypothesis.sweep import Rules

PUBLISHED = Path(__file__).parent.parent / "tests" / "data"


def by_sweep(study: Study, threads: int | None) -> float:
    sweep = study.prepare(select("auto", "cpu", threads, study.network))
    sweep._step()
    began = time.perf_counter()
    for _ in range(study.rules.limit - 2):
        sweep._step()
    return (time.perf_counter() - began) / (study.rules.limit - 2) / study.runs


def by_loop(study: Study) -> float:
    size, repeat, seed = list(study.members())[-1]
    random = np.random.Generator(np.random.Philox(seed))
    fresh = study.network.initialise(1, study.dims, 1, random)
    drawn = fresh.map(lambda array: torch.tensor(array, requires_grad=True))
    optimiser = torch.optim.Adam(drawn.arrays, lr=study.rules.learning_rate)
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


def steps(options: argparse.Namespace) -> str:
    """Milliseconds a step and run of both sides."""
    rows = []
    for dims in (1, 2):
        whole = Study.published(dims)
        few = replace(
            whole,
            sizes=whole.sizes[-max(1, options.runs // 5) :],
            rules=Rules(threshold=1e-9, limit=options.steps),
        )
        ours, loop = by_sweep(few, options.threads), by_loop(few)
        published = np.load(PUBLISHED / f"steps_{dims}d.npy").sum()
        times = [f"{loop * 1e3:.2f}", f"{ours * 1e3:.2f}", f"{loop / ours:.1f}"]
        minutes = [f"{seconds * published / 60:,.0f}" for seconds in (loop, ours)]
        rows.append([f"{dims}d", *times, f"{published:,}", *minutes])
    head = ["sweep", "loop, ms a step", "side by side, ms a step and run", "ratio"]
    head += ["published steps in all", "minutes for them, loop", "side by side"]
    return table(head, rows)


def quick() -> str:
    """Seconds of the four commands."""
    from skimage import data, io

    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = [folder / f"{photo}.png" for photo in ("astronaut", "camera", "chelsea", "coffee", "coins")]
        for photo in photos:
            io.imsave(photo, getattr(data, photo.stem)(), check_contrast=False)
        for words in (["1d"], ["2d"], ["partition"], ["image", *map(str, photos)]):
            out = folder / words[0]
            command = [sys.executable, "-m", "partinr", "hypothesis", *words, "--quick", "-q", "-o", str(out)]
            began = time.perf_counter()
            subprocess.run(command, check=True)
            seconds = time.perf_counter() - began
            count = len((out / "runs.csv").read_text().splitlines()) - 1
            what = f"`hypothesis {words[0]} --quick`"
            rows.append(
                [what + (f", {len(photos)} photographs" if len(words) > 1 else ""), count, f"{seconds:.0f}"]
            )
    return table(["command", "runs", "seconds"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="steps, quick")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--write", action="store_true", help="put the tables into the manual")
    options = parser.parse_args()
    torch.set_num_threads(options.threads or torch.get_num_threads())
    chosen = options.names or ["steps", "quick"]
    for name, measure in (("steps", lambda: steps(options)), ("quick", quick)):
        if name in chosen:
            note = f"{machine()}; `benchmarks/hypothesis.py`."
            publish("hypothesis.md", name, f"{measure()}\n\n{note}", options.write)


if __name__ == "__main__":
    main()
