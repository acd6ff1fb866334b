"""The start that ships: hidden layers from which the fast recipe's networks learn a photograph sooner.

    python experiments/learned_start.py -o START.inr [--hidden 12] [--draws 10] [--steps 150]
        [--seed 0] [--threads N]

Learned on astronaut (NASA, public domain), chelsea (Stefan van der Walt, CC0), coffee (Rachel Michetti, CC0),
immunohistochemistry (Center for Microscopy and Molecular Imaging, no known copyright restrictions) and rocket
(SpaceX, public domain), all of which scikit-image ships. The files in `src/partinr/fitting/starts/data/` were
learned like this, for widths of 11, 12 and 13, with random numbers of another generator.

Cells are cut from the photographs at random, at full and half size, turned and mirrored, and put together to
one picture of many cells, which is fitted as any other. First, some networks are drawn, frequencies and
phases spread evenly and hidden layers orthogonal, and the one is taken from which all cells together are
fitted best. Then Reptile: all cells start from the same hidden layers and are fitted for few steps, and the
start moves towards the mean of where they ended. Learned over the optimiser, the schedule and the solved
output layers of real fits, it keeps what helps all of them.

Source: Nichol, Achiam, Schulman, "On First-Order Meta-Learning Algorithms", arXiv 1803.02999, algorithm 2.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np

from partinr import (
    FAST,
    Compute,
    Grid,
    Piecewise,
    Signal,
    Siren,
    Start,
    Steps,
    fit,
    from_array,
    save_start,
)
from partinr.model.networks import Parameters

PHOTOS = ("astronaut", "chelsea", "coffee", "immunohistochemistry", "rocket")
LAYERS, SIDE, ACROSS = 2, 19, 10
# Fits of the outer loop are this long, drawn at random; longer ones teach nothing more.
LENGTHS = (10, 20, 40)
# A fit that tells draws apart is as long as a real one.
JUDGED = 600
# First-layer weights fill a disc of this radius, nearly of the area of the square that others are drawn from.
RADIUS = 0.575
# Peak learning rate of all fits, whatever their length, at a width of 12; for others in inverse proportion.
RATE, WIDTH = 7.5e-3, 12
# How far the start moves to where fits ended, at first.
PULL = 0.5


def photographs() -> list[np.ndarray]:
    """All photographs, and all at half their size by means of 2 x 2 pixels."""
    import skimage.data

    whole = [getattr(skimage.data, name)()[..., :3] for name in PHOTOS]
    halves = []
    for photo in whole:
        rows, columns = (n // 2 for n in photo.shape[:2])
        blocks = photo[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, 3)
        halves.append(np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8))
    return [*whole, *halves]


def mosaic(photos: list[np.ndarray], draw: np.random.Generator) -> Signal:
    """ACROSS x ACROSS cells, as many from each photograph, turned and mirrored at random."""
    cells = []
    for i in range(ACROSS**2):
        photo = photos[i % len(photos)]
        top, left = (int(draw.integers(n - SIDE + 1)) for n in photo.shape[:2])
        cell = np.rot90(photo[top : top + SIDE, left : left + SIDE], draw.integers(4))
        cells.append(cell[:, ::-1] if draw.random() < 0.5 else cell)
    rows = [np.concatenate(cells[i : i + ACROSS], axis=1) for i in range(0, len(cells), ACROSS)]
    return from_array(np.concatenate(rows), kind="image")


def evenly_drawn(network: Siren, random: np.random.Generator) -> Parameters:
    """Frequencies on a golden-angle spiral, phases spread evenly, orthogonal layers of the usual variance."""
    drawn = network.initialise(1, 2, 1, random)
    unit = np.arange(network.hidden)
    angle = 2 * math.pi * (unit * (math.sqrt(5) - 1) / 4 + random.random())
    radius = RADIUS * np.sqrt((unit + 0.5) / network.hidden)
    drawn.weights[0][:] = np.stack([radius * np.cos(angle), radius * np.sin(angle)])
    draw_evenly_above(drawn, network, random)
    return drawn


def draw_evenly_above(drawn: Parameters, network: Siren, random: np.random.Generator) -> None:
    """Draw what is above the first weights: orthogonal layers, and phases spread evenly."""
    for weight in drawn.weights[1:-1]:
        orthogonal, _ = np.linalg.qr(random.standard_normal(weight.shape))
        weight[:] = orthogonal * math.sqrt(2) / network.omega_hidden
    for layer, bias in enumerate(drawn.biases[:-1]):
        order = random.permutation(network.hidden)
        phases = 2 * math.pi * (order / network.hidden - 0.5)
        bias[:] = phases / (network.omega_hidden if layer else network.omega_0)


def fitted(start: Start, picture: Signal, steps: int, threads: int | None) -> tuple[Piecewise, float]:
    """A picture's cells after so many steps from a start, and their PSNR (dB)."""
    result = fit(
        picture,
        Grid(ACROSS, ACROSS),
        goal=Steps(steps),
        recipe=FAST.changed(blend=False, learning_rate=RATE * WIDTH / start.network.hidden),
        start=start,
        compute=Compute(threads=threads),
    )
    return result.model, result.psnr


def reptile(
    start: Start, photos: list[np.ndarray], steps: int, draw: np.random.Generator, threads: int | None
) -> Start:
    """The start moved towards the mean of where fits from it end, step after step."""
    for step in range(steps):
        model, _ = fitted(start, mosaic(photos, draw), int(draw.choice(LENGTHS)), threads)
        start = pulled(start, model, PULL * (1 - step / steps))
        if (step + 1) % 25 == 0:
            print(f"step {step + 1} of {steps}", flush=True)
    return start


def pulled(start: Start, model: Piecewise, pull: float) -> Start:
    """The start, its hidden layers moved by a share of the way to the mean of where a fit's cells ended."""
    moved = [
        array + np.float32(pull) * (end.mean(axis=0, keepdims=True) - array) if hidden else array
        for array, end, hidden in zip(
            start.parameters.arrays,
            model.parameters[0].arrays,
            [layer <= LAYERS for layer in range(LAYERS + 2)] * 2,
            strict=True,
        )
    ]
    return start.moved(moved, start.rates.values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--hidden", type=int, default=12)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--steps", type=int, default=150, help="of the outer loop")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="of the fits; changes nothing but the time")
    options = parser.parse_args()
    draw, random = (np.random.Generator(np.random.Philox(seed)) for seed in (options.seed, options.seed + 1))
    photos, network = photographs(), Siren(options.hidden, LAYERS).suited_to(SIDE)
    summary = {
        "name": options.output.stem,
        "method": "reptile",
        "steps": options.steps,
        "signals": ", ".join(PHOTOS),
        "partition": f"cells of {SIDE}x{SIDE}",
        "seed": options.seed,
    }
    judge, best, found = mosaic(photos, draw), -math.inf, None
    for i in range(options.draws):
        drawn = evenly_drawn(network, random)
        candidate = Start.of_hidden_layers(network, 2, drawn, "local", summary)
        _, psnr = fitted(candidate, judge, JUDGED, options.threads)
        print(f"draw {i + 1}: {psnr:.2f} dB after {JUDGED} steps", flush=True)
        if psnr > best:
            best, found = psnr, candidate
    assert found is not None
    start = reptile(found, photos, options.steps, draw, options.threads)
    _, psnr = fitted(start, judge, JUDGED, options.threads)
    print(f"{psnr:.2f} dB after {JUDGED} steps from what was learned")
    print(f"{save_start(start, options.output, store='float16')} bytes")


if __name__ == "__main__":
    main()
