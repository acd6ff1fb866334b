"""One outer step of the published setting of learning to learn: 256x256, SIREN 128x3, three inner steps.

    python benchmarks/meta.py [--images 4] [--size 256] [--grid 2] [--steps 2] [--write]

Second order, a learned rate for each parameter and step, PoG 2x2. Against it stands what one writes first and
what the published code does: a loop over images and regions in which every region's network is evaluated on
every pixel, all but its own masked, and the inner loop unrolled by autograd. The loop is timed on one image,
whose gradient is compared, and counted as often as there are images; it takes back its memory after every
region. Each side runs in a process of its own, so that the peak memory is its own.
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

from partinr import Crop, Grid, Signal, Siren, Start, from_array
from partinr.fitting.starts.inner import meta_gradient, on_device
from partinr.fitting.starts.tasks import pack_tasks
from partinr.signals.frames import axis

START = on_device(Start.fresh(Siren(128, 3, 30.0, 30.0), 2, 3, rate=1e-3), "cpu")


def signals(count: int, size: int) -> list[Signal]:
    from skimage.data import astronaut, cat, chelsea, coffee, rocket

    photos = [from_array(photo(), kind="image") for photo in (astronaut, coffee, chelsea, rocket, cat)]
    crop = Crop((size, size), resize=True)
    return [crop.of(photos[i % len(photos)]) for i in range(count)]


def batched(options: argparse.Namespace) -> dict[str, object]:
    pictures = signals(options.images, options.size)
    rule = Grid(options.grid, options.grid)
    seconds = []
    for _ in range(options.steps):
        began = time.perf_counter()
        tasks = pack_tasks(
            [picture.normalised().reshape(-1, 3) for picture in pictures],
            [rule.partition(picture) for picture in pictures],
            START.network,
            START.frame,
        )
        meta_gradient(START, tasks)
        seconds.append(time.perf_counter() - began)
    first = pictures[0].normalised().reshape(-1, 3)
    one = pack_tasks([first], [rule.partition(pictures[0])], START.network, START.frame)
    found = meta_gradient(START, one)
    return {"seconds": min(seconds), "norm": norm([*found.parameters, *found.rates])}


def looped(options: argparse.Namespace) -> dict[str, object]:
    (picture,) = signals(1, options.size)
    partition = Grid(options.grid, options.grid).partition(picture)
    n = options.size
    index = (torch.as_tensor(axis(n)).double() + 1) * (n - 1) / 2
    own = (index / n - 0.5).float()
    coords = torch.stack(torch.meshgrid(own, own, indexing="ij"), dim=-1).reshape(-1, 2)
    target = torch.as_tensor(picture.normalised().reshape(-1, 3))
    labels = torch.as_tensor(partition.label_map.reshape(-1))
    theta = [tensor[0].clone().requires_grad_() for tensor in START.parameters.arrays]
    rates = [value.clone().requires_grad_() for value in START.rates.values]

    def error(parameters: list[torch.Tensor], mask: torch.Tensor) -> torch.Tensor:
        h = coords
        for layer in range(4):
            h = torch.sin(30.0 * (h @ parameters[layer] + parameters[5 + layer]))
        values = h @ parameters[4] + parameters[9]
        return ((values - target).square() * mask).sum() / (3 * mask.sum())

    began = time.perf_counter()
    for region in range(partition.regions):
        mask = (labels == region).float()[:, None]
        parameters = list(theta)
        for step in range(START.inner_steps):
            slopes = torch.autograd.grad(error(parameters, mask), parameters, create_graph=True)
            parameters = [p - rate[step] * s for p, rate, s in zip(parameters, rates, slopes, strict=True)]
        (error(parameters, mask) * mask.mean()).backward()
    seconds = time.perf_counter() - began
    return {"seconds": seconds * options.images, "norm": norm([t.grad for t in (*theta, *rates)])}


def norm(tensors: list[torch.Tensor | None]) -> float:
    return float(np.sqrt(sum(float(t.double().square().sum()) for t in tensors if t is not None)))


def measured(side: str, options: argparse.Namespace) -> dict[str, float]:
    words = [f"--{name}={getattr(options, name)}" for name in ("images", "size", "grid", "steps")]
    done = subprocess.run(
        [sys.executable, __file__, "--side", side, *words], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--grid", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--side", choices=["batched", "loop"], help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="put the table into docs/meta.md")
    options = parser.parse_args()
    if options.side:
        found = (batched if options.side == "batched" else looped)(options)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps({**found, "peak": peak}))
        return
    ours, loop = measured("batched", options), measured("loop", options)
    rows = [
        [name, f"{side['seconds']:.1f}", f"{side['peak']:.2f}"]
        for name, side in (("loop over regions, every network on every pixel", loop), ("partinr", ours))
    ]
    rows.append(["ratio", *(f"{loop[key] / ours[key]:.1f}" for key in ("seconds", "peak"))])
    text = (
        f"{table(['', 'seconds an outer step', 'peak memory, GiB'], rows)}\n\n"
        f"{options.images} images of {options.size} x {options.size}, SIREN 128x3, three inner steps of "
        "second order, a rate for each parameter and step, "
        f"PoG {options.grid}x{options.grid}; norms of the gradient of one image agree to "
        f"{abs(ours['norm'] / loop['norm'] - 1):.0e} relative ({machine()}; `benchmarks/meta.py`)."
    )
    publish("meta.md", "meta", text, options.write)


if __name__ == "__main__":
    main()
