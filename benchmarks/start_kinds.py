"""Whether a learned start pays for sounds and for volumes as it does for photographs.

    python benchmarks/start_kinds.py [SOUND.wav ...] [--volume SCAN.nii.gz ...] [--threads N] [--write]

Learned as the start that ships is (`experiments/learned_start.py`), over the networks that fits of one and
three axes use where nothing is asked for: the best of ten draws whose frequencies are spread evenly, then
Reptile over real fits of cells. What it is learned on is made here: melodies of notes that decay, voices of
pulses in formants, hisses and pauses; bodies of ellipsoids within each other, with textures and noise. The
files are fitted with the start and with random numbers, to a quality and for a number of steps, one after the
other. Seconds are those of the processor.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tables import machine, publish, table

from partinr import (
    FAST,
    Compute,
    FitResult,
    Goal,
    Grid,
    Quality,
    Signal,
    Siren,
    Start,
    Steps,
    fit,
    from_array,
    psnr_for_snr,
    read,
)
from partinr.model.networks import Parameters

sys.path.append(str(Path(__file__).parents[1] / "experiments"))
from learned_start import LAYERS, LENGTHS, PULL, draw_evenly_above, pulled

RATE = 44_100
DRAWS, JUDGED, OUTER = 10, 300, 150


class Kind(NamedTuple):
    """What a start is learned for: the network of so many axes, on so many cells of a side along each."""

    name: str
    dims: int
    hidden: int
    side: int
    across: int
    made: Callable[[np.random.Generator], np.ndarray]


def sound(draw: np.random.Generator) -> np.ndarray:
    """Two seconds, at the rate of CDs, of a melody or a voice, -1..1."""
    made = melody(draw) if draw.random() < 0.5 else voice(draw)
    return made / np.abs(made).max()


def melody(draw: np.random.Generator) -> np.ndarray:
    """Some voices of notes, each with its partials, an attack and a decay."""
    t = np.arange(2 * RATE) / RATE
    total = np.zeros_like(t)
    for _ in range(draw.integers(1, 5)):
        bright, decay = draw.uniform(0.8, 2.5), draw.uniform(0.5, 6)
        for begin in np.cumsum(draw.uniform(0.1, 0.6, 8)):
            base, own = 440 * 2 ** (draw.integers(-24, 18) / 12), t - begin
            lasts = np.where(own > 0, np.exp(-decay * own) * np.minimum(1, np.maximum(own, 0) * 100), 0)
            for partial in range(1, 1 + min(12, int(RATE / 2 / base))):
                phase = draw.uniform(0, 2 * math.pi)
                total += lasts * np.sin(2 * math.pi * base * partial * own + phase) / partial**bright
    return total + 1e-6


def voice(draw: np.random.Generator) -> np.ndarray:
    """Pulses of a moving pitch, or noise, through resonances, with pauses."""
    from scipy.signal import lfilter

    parts = []
    while sum(map(len, parts)) < 2 * RATE:
        n = int(RATE * draw.uniform(0.05, 0.3))
        kind = draw.choice(["vowel", "vowel", "hiss", "pause"])
        if kind == "pause":
            parts.append(1e-4 * draw.standard_normal(n))
            continue
        pitch = draw.uniform(80, 260) * np.exp(np.linspace(0, draw.uniform(-0.3, 0.3), n))
        pulses = (np.diff(np.floor(np.cumsum(pitch) / RATE), prepend=0) > 0).astype(float)
        excited = pulses + 0.01 * draw.standard_normal(n) if kind == "vowel" else draw.standard_normal(n)
        bands = ((250, 900), (800, 2400), (2200, 3400)) if kind == "vowel" else ((3000, 8000),)
        for low, high in bands:
            width, middle = draw.uniform(60, 200), draw.uniform(low, high)
            pole = np.exp((2j * middle - width) * math.pi / RATE)
            excited = lfilter([1], [1, -2 * pole.real, abs(pole) ** 2], excited)
        parts.append(excited / (np.abs(excited).max() + 1e-9) * np.hanning(n) * draw.uniform(0.2, 1))
    return np.concatenate(parts)[: 2 * RATE]


def volume(draw: np.random.Generator) -> np.ndarray:
    """A body of 64³ samples, 0..1."""
    from scipy.ndimage import gaussian_filter

    shape = (64, 64, 64)
    at = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    bent = at + 0.3 * np.stack([_field(draw, shape, 3.0) for _ in range(3)])
    body = np.zeros(shape)
    for _ in range(12):
        turned = np.einsum("ab,bxyz->axyz", np.linalg.qr(draw.standard_normal((3, 3)))[0], bent)
        centre, radii = draw.uniform(-0.5, 0.5, (3, 1, 1, 1)), draw.uniform(0.1, 0.9, (3, 1, 1, 1))
        inside = (((turned - centre) / radii) ** 2).sum(axis=0) < 1
        body = np.where(inside, draw.uniform(0.1, 1), body)
    body = gaussian_filter(body, draw.uniform(0.5, 1.2)) * (1 + 0.2 * _field(draw, shape, 1.5))
    body += 0.01 * draw.standard_normal(shape)
    return np.asarray((body - body.min()) / np.ptp(body))


def _field(draw: np.random.Generator, shape: tuple[int, ...], slope: float) -> np.ndarray:
    """A random field of a power spectrum that falls with the frequency, of deviation 1."""
    spectrum = np.fft.rfftn(draw.standard_normal(shape))
    axes = [np.fft.fftfreq(n) for n in shape[:-1]] + [np.fft.rfftfreq(shape[-1])]
    frequency = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")))
    frequency[(0,) * len(shape)] = np.inf
    field = np.fft.irfftn(spectrum / frequency**slope, shape, range(len(shape)))
    return np.asarray(field / field.std())


KINDS = (Kind("sound", 1, 8, 144, 400, sound), Kind("volume", 3, 16, 16, 4, volume))


def mosaic(kind: Kind, stock: list[np.ndarray], draw: np.random.Generator) -> Signal:
    """Cells from random places, mirrored at random, as one signal."""
    cells = []
    for i in range(kind.across**kind.dims):
        whole = stock[i % len(stock)]
        at = [int(draw.integers(n - kind.side + 1)) for n in whole.shape]
        cell = whole[tuple(slice(a, a + kind.side) for a in at)]
        cells.append(np.flip(cell, [axis for axis in range(kind.dims) if draw.random() < 0.5]))
    together = np.stack(cells).reshape(*[kind.across] * kind.dims, *[kind.side] * kind.dims)
    order = [axis for i in range(kind.dims) for axis in (i, i + kind.dims)]
    values = together.transpose(order).reshape([kind.across * kind.side] * kind.dims)
    low = -1.0 if kind.dims == 1 else 0.0
    return from_array(values.astype(np.float32), value_range=(low, 1.0))


def evenly_drawn(kind: Kind, network: Siren, random: np.random.Generator) -> Parameters:
    """Frequencies that fill a ball of the volume of the usual cube, phases even, layers orthogonal."""
    drawn = network.initialise(1, kind.dims, 1, random)
    unit = np.arange(network.hidden)
    ball = math.pi ** (kind.dims / 2) / math.gamma(kind.dims / 2 + 1)
    most = 2 / kind.dims / ball ** (1 / kind.dims)
    towards = random.standard_normal((kind.dims, network.hidden))
    radius = most * ((unit + 0.5) / network.hidden) ** (1 / kind.dims)
    drawn.weights[0][:] = towards / np.linalg.norm(towards, axis=0) * radius
    draw_evenly_above(drawn, network, random)
    return drawn


def learned(kind: Kind, threads: int | None) -> Start:
    """The start of a kind."""
    draw, random = (np.random.Generator(np.random.Philox(seed)) for seed in (0, 1))
    stock = [kind.made(draw) for _ in range(24 if kind.dims == 1 else 8)]
    network, grid = Siren(kind.hidden, LAYERS).suited_to(kind.side), Grid(*[kind.across] * kind.dims)

    def fitted(start: Start, signal: Signal, steps: int) -> FitResult:
        recipe, compute = FAST.changed(blend=False), Compute(threads=threads)
        return fit(signal, grid, goal=Steps(steps), recipe=recipe, start=start, compute=compute)

    judge, best, start = mosaic(kind, stock, draw), -math.inf, None
    for _ in range(DRAWS):
        drawn = Start.of_hidden_layers(network, kind.dims, evenly_drawn(kind, network, random), "local", {})
        if (psnr := fitted(drawn, judge, JUDGED).psnr) > best:
            best, start = psnr, drawn
    assert start is not None
    for step in range(OUTER):
        model = fitted(start, mosaic(kind, stock, draw), int(draw.choice(LENGTHS))).model
        start = pulled(start, model, PULL * (1 - step / OUTER))
    after = fitted(start, judge, JUDGED).psnr
    print(f"{kind.name}: {best:.2f} dB after {JUDGED} steps as drawn, {after:.2f} as learned", flush=True)
    return start


def goals(signal: Signal) -> dict[str, Goal]:
    """What is asked of a signal."""
    steps: dict[str, Goal] = {f"{n} steps": Steps(n) for n in (30, 100)}
    if signal.spec.dims == 1:
        return {**{f"SNR {n} dB": Quality(psnr_for_snr(signal, n)) for n in (20, 30, 40)}, **steps}
    return {**{f"PSNR {n} dB": Quality(n) for n in (30, 35, 40)}, **steps}


def pairs(path: Path, start: Start, threads: int | None) -> list[list[object]]:
    """Rows of a table: what random numbers and the start make of a file."""
    signal, compute, rows = read(path), Compute(threads=threads), []
    usual = fit(signal, goal=Steps(1), compute=compute, start=None).model.networks[0]
    for asked, goal in goals(signal).items():
        found = []
        for begun in (None, replace(start, network=usual)):
            began = time.process_time()
            result = fit(signal, goal=goal, start=begun, compute=compute)
            found.append((result.steps, time.process_time() - began, result.psnr))
        (steps, seconds, psnr), (fewer, less, reached) = found
        numbers = (f"{seconds:.2f}", f"{less:.2f}", f"{less / seconds:.2f}", f"{psnr:.2f}", f"{reached:.2f}")
        rows.append([path.name, asked, steps, fewer, *numbers])
        print(*rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sounds", type=Path, nargs="*")
    parser.add_argument("--volume", type=Path, nargs="*", default=[])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--write", action="store_true", help="put the table into docs/meta.md")
    options = parser.parse_args()
    rows: list[list[object]] = []
    for kind, paths in zip(KINDS, (options.sounds, options.volume), strict=True):
        if paths:
            start = learned(kind, options.threads)
            rows += [row for path in paths for row in pairs(path, start, options.threads)]
    both = ("steps", "with a start", "seconds", "with a start", "of the time", "dB", "with a start")
    text = f"Seconds of the processor; {machine()}; `benchmarks/start_kinds.py`."
    publish("meta.md", "kinds", f"{table(['file', 'asked for', *both], rows)}\n\n{text}", options.write)


if __name__ == "__main__":
    main()
