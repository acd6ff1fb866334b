"""What training on one or three axes may spend by default: cells, widths, parameters a sample, steps.

    python benchmarks/budgets.py [SIGNAL ...] [--axes 3] [--size 80] [--write]
    python benchmarks/budgets.py SIGNAL --axes 3 --whole [--write]

Signals are .npy arrays and .wav sounds, of which the middle is taken. The rest are made here: blobs with
texture and a photograph that moves for three axes; waves, heartbeats, a random walk and steps for one.
All but what the tables vary is as `FAST` has it. With --whole, one signal is fitted whole, for the
recipe's steps.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray
from tables import machine, publish, table

from partinr import FAST, Auto, FitResult, Signal, Siren, Steps, fit, from_array, psnr, render

PAGE = "choosing.md"
# Samples of margin, as training for which nothing is asked has them.
OVERLAP = 1

Array = Shaped[ndarray, "..."]


class Search(NamedTuple):
    """What is tried for a number of axes."""

    size: int
    sides: tuple[int, ...]
    widths: tuple[int, ...]
    steps: int
    course: tuple[int, ...]
    around: tuple[tuple[int, int], ...]
    made: dict[str, Callable[[int], Array]]


def as_bytes(values: Array) -> Array:
    """Values as whole numbers from 0 to 255."""
    return np.round(255 * (values - values.min()) / np.ptp(values)).astype(np.uint8)


def blobs(size: int) -> Array:
    """Smooth bodies with soft borders, uneven inside and with a fine texture."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    coarse, uneven, fine = (gaussian_filter(rng.normal(size=(size,) * 3), s) for s in (8, 3, 1))
    inside = 1 / (1 + np.exp(-8 * coarse / coarse.std()))
    return as_bytes(inside * (2 + 0.5 * uneven / uneven.std() + 0.12 * fine / fine.std()))


def moving(size: int) -> Array:
    """A photograph that moves by a sample and half a sample from plane to plane, rounded down."""
    import skimage.data

    photo = skimage.data.astronaut().mean(2)
    return as_bytes(np.stack([photo[60 + k // 2 :, 150 + k :][:size, :size] for k in range(size)]))


def waves(size: int) -> Array:
    """Five waves with periods of 12 to 3,000 samples."""
    t = np.arange(size)
    periods = (3000, 700, 97.3, 31.1, 11.7)
    return np.asarray(sum(np.sin(2 * np.pi * t / p + k) / (k + 1) for k, p in enumerate(periods)), np.float32)


def heartbeats(size: int) -> Array:
    """Like an electrocardiogram: five bumps a beat, a baseline that wanders, noise of 0.7 % of the range."""
    bumps = ((0.12, 100, 12), (-0.1, 140, 4), (1, 150, 4), (-0.25, 160, 4), (0.3, 240, 20))
    t = np.arange(size)
    beats = sum(high * np.exp(-0.5 * ((t % 360 - at) / wide) ** 2) for high, at, wide in bumps)
    noise = 0.01 * np.random.default_rng(0).normal(size=size)
    return np.asarray(beats + 0.1 * np.sin(t / 2000) + noise, np.float32)


def walk(size: int) -> Array:
    """A random walk."""
    return np.cumsum(np.random.default_rng(0).normal(size=size)).astype(np.float32)


def steps(size: int) -> Array:
    """Constant runs of 80 samples."""
    return np.repeat(np.random.default_rng(0).normal(size=size // 80 + 1), 80)[:size].astype(np.float32)


SEARCHES = {
    1: Search(
        size=40_000,
        sides=(64, 128, 144, 256, 352, 512, 1024),
        widths=(8, 12, 16),
        steps=600,
        course=(100, 200, 300, 600, 1200),
        around=((144, 8),),
        made={"waves": waves, "heartbeats": heartbeats, "walk": walk, "steps": steps},
    ),
    3: Search(
        size=80,
        sides=(6, 8, 10, 12, 14, 16, 20, 24),
        widths=(8, 12, 16, 24),
        steps=300,
        course=(100, 200, 300, 400, 600),
        around=((12, 16), (16, 16), (20, 16)),
        made={"blobs": blobs, "moving photograph": moving},
    ),
}
LEAST, MOST = 1 / 40, 1.4
"""Parameters a sample between which cells and widths are tried."""


def load(path: Path, size: int | None = None) -> Signal:
    """A signal, or its middle."""
    if path.suffix == ".wav":
        from scipy.io import wavfile

        values = wavfile.read(path)[1]
    else:
        values = np.load(path)
    whole = from_array(values)
    if size is None:
        return whole
    part = tuple(slice(max(0, n - size) // 2, (n + min(n, size)) // 2) for n in whole.shape)
    return from_array(whole.values[part], channels_last=True)


def halved(signal: Signal) -> Signal:
    """Means over two samples along every axis."""
    values = signal.values.astype(np.float64)
    for axis, samples in enumerate(signal.shape):
        values = np.take(values, range(samples - samples % 2), axis)
        values = (
            np.take(values, range(0, samples - 1, 2), axis) + np.take(values, range(1, samples, 2), axis)
        ) / 2
    return from_array(values.astype(np.float32), channels_last=True, value_range=signal.spec.value_range)


class Found(NamedTuple):
    """One fit: parameters a sample, PSNR, processor seconds over two."""

    density: float
    psnr: float
    seconds: float


def measure(signal: Signal, side: int, width: int, count: int) -> Found:
    """A fit in cells of `side` samples along each axis by networks of this width."""
    before = os.times()
    result = fitted(signal, side, width, count)
    after = os.times()
    spent = after.user - before.user + after.system - before.system
    return Found(result.params / signal.spec.samples, result.psnr, spent / 2)


def fitted(signal: Signal, side: int, width: int, count: int) -> FitResult:
    """A fit from random numbers in cells of this side, by networks with the constants that suit them."""
    cells, network = Auto(side**signal.spec.dims), Siren(hidden=width, layers=2).suited_to(side + 2 * OVERLAP)
    return fit(signal, cells, network, goal=Steps(count), recipe=FAST.changed(overlap=OVERLAP), start=None)


def enlarged(signal: Signal, side: int, width: int, count: int) -> float:
    """PSNR of a fit of the signal at half its size, rendered at its size."""
    small = halved(signal)
    result = fitted(small, side, width, count)
    size = tuple(2 * n for n in small.shape)
    found = render(result.model, size=size).reshape(*size, -1)
    low, high = signal.spec.value_range
    return psnr(signal.values[tuple(slice(n) for n in size)], found, high - low)


def grid(search: Search, signals: dict[str, Signal]) -> Iterator[list[str]]:
    """Rows of every cell and width within the bounds, fewest parameters first."""
    dims = next(iter(signals.values())).spec.dims
    pairs = [
        (Siren(width, 2).params(dims, 1) / side**dims, side, width)
        for side in search.sides
        for width in search.widths
    ]
    for _, side, width in sorted(pair for pair in pairs if LEAST <= pair[0] <= MOST):
        found = [measure(signal, side, width, search.steps) for signal in signals.values()]
        between = statistics.mean(enlarged(signal, side, width, search.steps) for signal in signals.values())
        yield [str(side), str(width), *columns(found), f"{between:.1f}"]


def course(search: Search, signals: dict[str, Signal]) -> Iterator[list[str]]:
    """Rows of numbers of steps, for the cells and widths around the choice."""
    for side, width in search.around:
        for count in search.course:
            found = [measure(signal, side, width, count) for signal in signals.values()]
            yield [str(side), str(width), str(count), *columns(found)]


def by_recipe(path: Path) -> tuple[list[str], list[str]]:
    """Names and figures of a fit for the recipe's steps, in a process that has fitted nothing else."""
    import resource

    signal = load(path)
    before = os.times()
    result = fit(signal, goal=Steps())
    after = os.times()
    spent = after.user - before.user + after.system - before.system
    assert result.ssim is not None
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    figures = {
        "signal": path.stem,
        "shape": " x ".join(map(str, signal.shape)),
        "regions": f"{result.regions:,}",
        "width": str(result.model.networks[0].hidden),
        "parameters a sample": f"{result.params / signal.spec.samples:.3f}",
        "steps": str(result.steps),
        "PSNR, dB": f"{result.psnr:.2f}",
        "SSIM": f"{result.ssim:.4f}",
        "seconds": f"{result.seconds:.1f}",
        "processor seconds": f"{spent:.1f}",
        "peak memory, GiB": f"{memory:.2f}",
    }
    return list(figures), list(figures.values())


def columns(found: list[Found]) -> list[str]:
    """Parameters a sample of the first signal, PSNR of every signal, seconds for a million samples."""
    return [
        f"{found[0].density:.3f}",
        *(f"{one.psnr:.1f}" for one in found),
        f"{sum(one.seconds for one in found):.1f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("signals", type=Path, nargs="*")
    parser.add_argument("--axes", type=int, nargs="+", choices=tuple(SEARCHES), default=tuple(SEARCHES))
    parser.add_argument("--size", type=int, help="samples along each axis")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/choosing.md")
    parser.add_argument("--whole", action="store_true", help="fit the one signal whole, by `Steps()`")
    options = parser.parse_args()
    if options.whole:
        names, figures = by_recipe(*options.signals)
        busy = f"{os.getloadavg()[0]:.0f} processes at work"
        note = f"A fit by `Steps()`; {machine()}, {busy}; `benchmarks/budgets.py`."
        text = f"{table(names, [figures])}\n\n{note}"
        publish(PAGE, f"whole {options.axes[0]}", text, options.write)
        return
    for axes in options.axes:
        search = SEARCHES[axes]
        size = options.size or search.size
        named: dict[str, Any] = {path.stem: load(path, size) for path in options.signals}
        signals = {name: signal for name, signal in named.items() if signal.spec.dims == axes}
        signals |= {name: from_array(make(size)) for name, make in search.made.items()}
        head = ["parameters a sample", *signals, "seconds"]
        about = (
            f"PSNR, dB, of the middle {size:,} samples along each axis; seconds are the processor's for all "
            "signals, over two"
        )
        for name, first, rows in (
            ("cells", ["side", "width"], grid(search, signals)),
            ("steps", ["side", "width", "steps"], course(search, signals)),
        ):
            lines = []
            for row in rows:
                lines.append(row)
                print(*row, flush=True)
            last = ["enlarged"] if name == "cells" else []
            taken = f"{search.steps} steps; " if last else ""
            note = f"{about}; {taken}{machine()}; `benchmarks/budgets.py`."
            text = f"{table([*first, *head, *last], lines)}\n\n{note}"
            publish(PAGE, f"{name} {axes}", text, options.write)


if __name__ == "__main__":
    main()
