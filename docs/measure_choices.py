"""Runs the fits of `docs/choosing.md` and writes its tables. Takes some minutes.

    python docs/measure_choices.py [NAME ...] [--pictures FILE ...]

The table of networks is means over the pictures; without any, and in all other tables, the picture is
scikit-image's astronaut. The start that ships has learned from that one, so other pictures are fairer to the
other networks.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from PIL import Image

import partinr
from partinr.fitting.defaults import choose, network_for
from partinr.model.networks import NETWORKS
from partinr.model.rendering import quality

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
from tables import machine, publish, table

PAGE = "choosing.md"
HEAD = ("regions", "width x layers", "parameters", "PSNR, dB", "SSIM", "bits a sample", "processor seconds")
SIGNAL = partinr.from_array(skimage.data.astronaut(), kind="image")
BUDGET = 300_000
BORDER = 8

Row = list[str]


def timed(signal: partinr.Signal, *structure: Any, **options: Any) -> tuple[partinr.FitResult, float]:
    """A fit, and the seconds that all cores together spent on it: those of other programs do not count."""
    began = time.process_time()
    result = partinr.fit(signal, *structure, **options)
    return result, time.process_time() - began


def stored(result: partinr.FitResult) -> tuple[float, float, float]:
    """PSNR, SSIM and bits a sample of a fit, written as the command line writes it."""
    signal = result.signal
    with tempfile.TemporaryDirectory() as folder:
        saved = partinr.save(
            result.model, Path(folder) / "a.inr", store="auto", signal=signal, target=result.goal.psnr
        )
        measured = quality(partinr.load(saved.path), signal)
    assert measured.ssim is not None
    return measured.psnr, measured.ssim, 8 * saved.bytes / signal.spec.samples


def fitted(name: str, partition: Any = None, network: Any = None, **options: Any) -> Row:
    """One fit of one picture as a row of a table."""
    result, seconds = timed(SIGNAL, partition, network, **options)
    psnr, ssim, bits = stored(result)
    return [
        name,
        f"{result.regions:,}",
        f"{result.model.networks[0].width} x {result.model.networks[0].hidden_layers - 1}",
        f"{result.params:,}",
        f"{psnr:.2f}",
        f"{ssim:.4f}",
        f"{bits:.2f}",
        f"{seconds:.1f}",
    ]


def partitions() -> Iterable[Row]:
    rules: list[partinr.Rule] = [
        *(partinr.Auto(), partinr.SLIC(500), partinr.Felzenszwalb(300)),
        *(partinr.HFS(50), partinr.Grid(7, 7), partinr.HFS(9), partinr.Grid(3, 3), partinr.Whole()),
    ]
    for rule in rules:
        # What comes first is the partition; the width then follows from the number of regions it has.
        made = choose(SIGNAL, rule, partinr.Budget(BUDGET), partinr.FAST, 0)[0]
        suited = network_for("siren", partinr.FAST, SIGNAL.spec, made)
        yield fitted(f"`{rule.word}`", made, partinr.Budget(BUDGET, suited))


def budgets() -> Iterable[Row]:
    for params in (50_000, 100_000, 200_000, 400_000, 800_000):
        yield fitted(f"`--params {params}`", network=partinr.Budget(params))


def steps() -> Iterable[Row]:
    for count in (50, 150, 600, 2400):
        yield fitted(f"`--steps {count}`", goal=partinr.Steps(count))


Fitting = Callable[[partinr.Signal], tuple[partinr.FitResult, float]]


def fittings() -> dict[str, Fitting]:
    """What the table of networks compares, by the options of `partinr fit` that ask for it."""

    def goal(one: partinr.Goal) -> Fitting:
        return lambda signal: timed(signal, goal=one)

    def cells(name: str) -> Fitting:
        def fit(signal: partinr.Signal) -> tuple[partinr.FitResult, float]:
            made = partinr.Auto().partition(signal)
            return timed(signal, made, network_for(name, partinr.FAST, signal.spec, made))

        return fit

    return {
        "none": goal(partinr.usual_goal()),
        "`--psnr 35`": goal(partinr.Compact(psnr=35)),
        "`--psnr 48`": goal(partinr.Compact(psnr=48)),
        "`--network siren --psnr 35`": goal(partinr.Growing(35)),
        **{f"`--network {name} --partition auto`": cells(name) for name in NETWORKS},
    }


def halved(signal: partinr.Signal) -> partinr.Signal:
    """A picture of half the size: means over 2 x 2 pixels."""
    rows, columns = (n // 2 for n in signal.shape)
    values = np.asarray(signal.values)[: 2 * rows, : 2 * columns].astype(np.float64)
    means = values.reshape(rows, 2, columns, 2, -1).mean(axis=(1, 3))
    return partinr.from_array(np.rint(means).astype(np.uint8), kind="image")


def between(enlarged: np.ndarray, signal: partinr.Signal) -> float:
    """PSNR of a picture that was halved and enlarged again; what lies outside of it is nobody's to know."""
    rows, columns, _ = enlarged.shape
    inner = np.s_[BORDER : rows - BORDER, BORDER : columns - BORDER]
    return partinr.psnr(np.asarray(signal.values)[inner], enlarged[inner], peak=255)


def networks(pictures: list[partinr.Signal]) -> Iterable[Row]:
    halves = [halved(picture) for picture in pictures]
    for name, fit in fittings().items():
        figures = []
        for picture, half in zip(pictures, halves, strict=True):
            result, seconds = fit(picture)
            enlarged = partinr.render(fit(half)[0].model, scale=2, between="none")
            figures.append([*stored(result), seconds, between(enlarged, picture)])
        psnr, ssim, bits, spent, enlarging = np.mean(figures, axis=0)
        yield [name, f"{psnr:.2f}", f"{ssim:.4f}", f"{bits:.2f}", f"{spent:.1f}", f"{enlarging:.2f}"]
    for word, method in (("bicubic", Image.Resampling.BICUBIC), ("Lanczos", Image.Resampling.LANCZOS)):
        found = []
        for picture, half in zip(pictures, halves, strict=True):
            image = Image.fromarray(np.asarray(half.values))
            enlarged = np.asarray(image.resize((2 * image.width, 2 * image.height), method))
            found.append(between(enlarged, picture))
        yield [f"{word} filter", "", "", "", "", f"{np.mean(found):.2f}"]


TABLES = {
    "partitions": ("partition", partitions),
    "budgets": ("budget", budgets),
    "steps": ("steps", steps),
}
NETWORK_TABLE = "networks"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*TABLES, NETWORK_TABLE]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(names)}; all without one")
    parser.add_argument("--pictures", nargs="+", type=Path, metavar="FILE", default=[])
    options = parser.parse_args()
    chosen = options.names or names
    engine = partinr.fit(SIGNAL, goal=partinr.Steps(1)).engine
    made_by = f"{machine()}, engine `{engine}`, partinr {partinr.__version__}."
    for name in chosen:
        if name == NETWORK_TABLE:
            pictures = [partinr.read(path) for path in options.pictures] or [SIGNAL]
            head = (
                "PSNR, dB",
                "SSIM",
                "bits a pixel",
                "processor seconds",
                "networks between the samples, dB",
            )
            of = ", ".join(path.stem for path in options.pictures) or "astronaut"
            text = table(["options of `partinr fit`", *head], list(networks(pictures)))
            publish(PAGE, name, f"{text}\n\nMeans over {of}; {made_by}")
        else:
            first, rows = TABLES[name]
            publish(PAGE, name, table([first, *HEAD], list(rows())))
            publish(PAGE, "machine", f"Machine: {made_by}")


if __name__ == "__main__":
    main()
