"""Derivatives of fits against those of the functions that the signals were sampled from, and their time.

    python benchmarks/derivatives.py [--psnr 50 100] [--times] [--write]

Signals of one to three axes are made of formulas whose derivatives are known, and sampled as the mean over
each sample's area, as cameras do. Each is fitted by cosines (`Compact`) and by SIRENs (`Quality`). Gradient
and Laplacian are rendered at the samples' centres and half-way between them, along all axes at once, and
compared with the formulas', beside central differences of the samples, whose values between are means of
those around. Errors are root mean squares in per cent of the formula's own, all axes together, without 8
samples at each border. Then the time of renderings of a picture of 768 x 512 pixels, against that of its
values.

`FUNCTIONS` says what is rendered: another way to make a function of a model is another line there.
"""

from __future__ import annotations

import argparse
import itertools
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray
from tables import machine, publish, table

from partinr import Compact, Goal, Quality, Signal, fit, from_array, render

WORDS = ("x", "gradient", "laplacian")
BORDER = 8
TURNS = 9

FUNCTIONS: Mapping[str, Mapping[str, Any]] = {
    "networks": {"between": "none"},
    "smooth": {"between": "smooth"},
}
"""What is done with a model: the options of `render` beside the derivative."""

FITS: Mapping[str, Callable[[float], Goal]] = {"cosine": lambda psnr: Compact(psnr=psnr), "siren": Quality}


class Formula(NamedTuple):
    """A function of places in samples, (*shape, dims), and its first and second derivatives along each axis,
    (*shape, dims)."""

    shape: tuple[int, ...]
    value: Callable[[ndarray], ndarray]
    first: Callable[[ndarray], ndarray]
    second: Callable[[ndarray], ndarray]


def waves(shape: tuple[int, ...], periods: tuple[float, ...]) -> Formula:
    """Plane waves in several directions, a pair for each period in samples."""
    random = np.random.default_rng(0)
    directions = random.normal(size=(2 * len(periods), len(shape)))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    k = directions * (2 * np.pi / np.repeat(periods, 2))[:, None]
    phase = random.uniform(0, 2 * np.pi, len(k))

    return Formula(
        shape,
        lambda x: np.sin(x @ k.T + phase).sum(axis=-1),
        lambda x: np.cos(x @ k.T + phase) @ k,
        lambda x: -np.sin(x @ k.T + phase) @ k**2,
    )


def zone_plate(shape: tuple[int, ...], shortest: float) -> Formula:
    """cos(c r²), whose period falls to `shortest` samples in the middles of the longest sides."""
    middle = np.array(shape) / 2
    c = np.pi / shortest / middle.max()

    def phase(x: ndarray) -> tuple[ndarray, ndarray]:
        return c * ((x - middle) ** 2).sum(axis=-1, keepdims=True), 2 * c * (x - middle)

    return Formula(
        shape,
        lambda x: np.cos(phase(x)[0])[..., 0],
        lambda x: -np.sin(phase(x)[0]) * phase(x)[1],
        lambda x: -np.cos(phase(x)[0]) * phase(x)[1] ** 2 - np.sin(phase(x)[0]) * 2 * c,
    )


def blobs(shape: tuple[int, ...], width: float) -> Formula:
    """Gaussians of several widths from `width` samples, anywhere."""
    random = np.random.default_rng(1)
    count = 40
    places = random.uniform(0, 1, (count, len(shape))) * shape
    widths = width * random.uniform(1, 3, count)
    sizes = random.uniform(-1, 1, count)

    def each(of: Callable[[ndarray, ndarray, float], ndarray]) -> Callable[[ndarray], ndarray]:
        def total(x: ndarray) -> ndarray:
            parts = []
            for place, w, size in zip(places, widths, sizes, strict=True):
                d = (x - place) / w
                parts.append(of(d, size * np.exp(-0.5 * (d**2).sum(axis=-1, keepdims=True)), w))
            return np.sum(parts, axis=0)

        return total

    value = each(lambda _, bell, w: bell)  # noqa: ARG005
    return Formula(
        shape,
        lambda x: value(x)[..., 0],
        each(lambda d, bell, w: -d / w * bell),
        each(lambda d, bell, w: (d**2 - 1) / w**2 * bell),
    )


FORMULAS: Mapping[str, Formula] = {
    "waves, 1-D": waves((4096,), (14.0, 40.0, 200.0)),
    "waves, 2-D": waves((192, 256), (14.0, 40.0, 90.0)),
    "zone plate": zone_plate((192, 256), 10.0),
    "blobs, 2-D": blobs((192, 256), 6.0),
    "blobs, 3-D": blobs((40, 48, 44), 5.0),
}


def places(shape: tuple[int, ...], shift: float) -> ndarray:
    """Middles of the samples' areas, moved along all axes; one less along each where they are moved."""
    along = [np.arange(n - (shift > 0)) + 0.5 + shift for n in shape]
    return np.stack(np.meshgrid(*along, indexing="ij"), axis=-1)


def sampled(formula: Formula) -> Signal:
    """Means over the samples' areas, by Gauss's rule."""
    x, weights = np.polynomial.legendre.leggauss(4)
    middles, total = places(formula.shape, 0.0), np.zeros(formula.shape)
    for chosen in itertools.product(range(4), repeat=len(formula.shape)):
        index = list(chosen)
        total += formula.value(middles + x[index] / 2) * np.prod(weights[index] / 2)
    low, high = float(total.min()), float(total.max())
    return from_array(total.astype(np.float32), value_range=(low, high))


def differences(samples: ndarray, shift: float) -> tuple[ndarray, ndarray]:
    """First and second central differences along each axis, at the samples or between them."""
    first, second = (np.zeros((*samples.shape, samples.ndim)) for _ in range(2))
    for a in range(samples.ndim):
        inner = (slice(None),) * a + (slice(1, -1),)
        before, here, after = (np.take(samples, np.arange(samples.shape[a] - 2) + k, a) for k in range(3))
        first[inner][..., a], second[inner][..., a] = (after - before) / 2, after - 2 * here + before
    if shift:
        for a in range(samples.ndim):
            first, second = ((np.delete(d, 0, a) + np.delete(d, -1, a)) / 2 for d in (first, second))
    return first, second.sum(axis=-1)


def errors(formula: Formula, shift: float, gradient: ndarray, laplacian: ndarray) -> list[float]:
    """Those of both in per cent."""
    inner = (slice(BORDER, -BORDER),) * len(formula.shape)
    x = places(formula.shape, shift)[inner]
    truths = formula.first(x), formula.second(x).sum(axis=-1)
    found = gradient[inner], laplacian[inner]
    return [100 * rms(f - t) / rms(t) for f, t in zip(found, truths, strict=True)]


def rms(values: ndarray) -> float:
    return math.sqrt(float((values**2).mean()))


def rendered(model: Any, shift: float, options: Mapping[str, Any]) -> tuple[ndarray, ndarray]:
    """Gradient and Laplacian at the samples or between them."""
    shape = model.signal.shape
    if shift:
        options = {**options, "crop": [(shift, n - shift) for n in shape], "size": [n - 1 for n in shape]}
    return tuple(render(model, point=True, derivative=word, **options) for word in ("gradient", "laplacian"))  # type: ignore[return-value]


def against_formulas(psnrs: Sequence[float]) -> list[list[object]]:
    """A row for each signal and function of it; SIRENs are trained to the first PSNR alone."""
    rows: list[list[object]] = []
    for name, formula in FORMULAS.items():
        signal = sampled(formula)
        found = {"differences": ("", lambda shift, s=signal.values[..., 0]: differences(s, shift))}
        for kind, psnr in [("cosine", psnr) for psnr in psnrs] + [("siren", psnrs[0])]:
            result = fit(signal, goal=FITS[kind](psnr))
            reached = f"{result.psnr:.1f}"
            for function, how in FUNCTIONS.items():
                made = lambda shift, m=result.model, h=how: rendered(m, shift, h)  # noqa: E731
                found[f"{kind}, {function}, {psnr:g} dB"] = (reached, made)
            own = render(result.model).astype(np.float64)
            found[f"{kind}, differences, {psnr:g} dB"] = (reached, lambda shift, s=own: differences(s, shift))
        for what, (reached, derived) in found.items():
            what = what.rsplit(", ", 1)[0] if reached else what
            at, between = (errors(formula, shift, *derived(shift)) for shift in (0.0, 0.5))
            figures = [f"{e:.2f}" for e in (at[0], between[0], at[1], between[1])]
            rows.append([name, what, reached, *figures])
            print(*rows[-1], sep="\t", flush=True)
    return rows


def times(goal: Goal) -> list[object]:
    """Seconds of a rendering of values, and how many times as long derivatives take; turns alternate."""
    formula = blobs((512, 768), 20.0)
    picture = sampled(formula).values
    signal = from_array(np.concatenate([picture, picture[::-1], picture[:, ::-1]], axis=-1))
    model = fit(signal, goal=goal).model
    words = (None, *WORDS)
    taken: dict[str | None, list[float]] = {word: [] for word in words}
    for _ in range(TURNS):
        for word in words:
            start = time.perf_counter()
            render(model, derivative=word, between="none")
            taken[word].append(time.perf_counter() - start)
    median = {word: statistics.median(seconds) for word, seconds in taken.items()}
    ratios = [f"{median[word] / median[None]:.1f}" for word in words[1:]]
    (kind,) = {network.name for network in model.networks}
    return [kind, model.regions, f"{1000 * median[None]:.0f}", *ratios]


def main() -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--psnr", type=float, nargs="+", default=[50.0, 100.0], help="of the fits, in dB")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/derivatives.md")
    parser.add_argument("--times", action="store_true", help="no errors, the times alone")
    options = parser.parse_args()
    if not options.times:
        formulas(options.psnr, options.write)
    rows = [times(goal(40.0)) for goal in FITS.values()]
    note = f"\n\n768 x 512 pixels of three channels, times as long as their values; {machine()}; "
    text = table(["", "regions", "values, ms", *WORDS], rows) + note + "`benchmarks/derivatives.py`."
    publish("derivatives.md", "times", text, options.write)


def formulas(psnrs: Sequence[float], write: bool) -> None:
    """The table of errors."""
    head = ["", "function", "PSNR, dB", "gradient at", "between", "Laplacian at", "between"]
    note = f"\n\nRMS errors in per cent; {machine()}; `benchmarks/derivatives.py`."
    publish("derivatives.md", "formulas", table(head, against_formulas(psnrs)) + note, write)


if __name__ == "__main__":
    main()
