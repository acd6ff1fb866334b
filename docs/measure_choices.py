"""Runs the fits of `docs/choosing.md` and writes its tables. Takes a few minutes."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import skimage.data

import partinr
from partinr.fitting.defaults import choose, network_for
from partinr.model.networks import NETWORKS
from partinr.model.rendering import quality

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
from tables import machine, publish, table

PAGE = "choosing.md"
HEAD = ("regions", "width x layers", "parameters", "PSNR, dB", "SSIM", "bits a sample", "seconds")
SIGNAL = partinr.from_array(skimage.data.astronaut(), kind="image")
BUDGET = 300_000

Row = list[str]


def fitted(name: str, partition: Any = None, network: Any = None, **options: Any) -> Row:
    """One fit, saved as the command line saves it, as a row of a table."""
    result = partinr.fit(SIGNAL, partition, network, **options)
    with tempfile.TemporaryDirectory() as folder:
        saved = partinr.save(result.model, Path(folder) / "a.inr", store="auto", signal=SIGNAL)
        measured = quality(partinr.load(saved.path), SIGNAL)
    return [
        name,
        f"{result.regions:,}",
        f"{result.model.networks[0].width} x {result.model.networks[0].hidden_layers - 1}",
        f"{result.params:,}",
        f"{measured.psnr:.2f}",
        f"{measured.ssim:.4f}",
        f"{8 * saved.bytes / SIGNAL.spec.samples:.2f}",
        f"{result.seconds:.1f}",
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


def networks() -> Iterable[Row]:
    made = partinr.Auto().partition(SIGNAL)
    for name in NETWORKS:
        yield fitted(f"`{name}`", made, network_for(name, partinr.FAST, SIGNAL.spec, made))


def budgets() -> Iterable[Row]:
    for params in (50_000, 100_000, 200_000, 400_000, 800_000):
        yield fitted(f"`--params {params}`", network=partinr.Budget(params))


def steps() -> Iterable[Row]:
    for count in (50, 150, 600, 2400):
        yield fitted(f"`--steps {count}`", goal=partinr.Steps(count))


TABLES = {
    "partitions": ("partition", partitions),
    "networks": ("network", networks),
    "budgets": ("budget", budgets),
    "steps": ("steps", steps),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(TABLES)}; all without one")
    chosen = parser.parse_args().names or TABLES
    engine = partinr.fit(SIGNAL, goal=partinr.Steps(1)).engine
    made_by = f"Machine: {machine()}, engine `{engine}`, partinr {partinr.__version__}."
    publish(PAGE, "machine", made_by)
    for name in chosen:
        first, rows = TABLES[name]
        publish(PAGE, name, table([first, *HEAD], list(rows())))


if __name__ == "__main__":
    main()
