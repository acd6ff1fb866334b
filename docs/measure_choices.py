"""Runs the fits of `docs/choosing.md` and writes its tables. Takes a few minutes."""

from __future__ import annotations

import os
import platform
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import skimage.data

import partinr
from partinr.fitting.defaults import choose, network_for
from partinr.model.networks import NETWORKS
from partinr.model.rendering import quality

PAGE = Path(__file__).parent / "choosing.md"
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
        f"{result.model.group_list[0].network.hidden} x {result.model.group_list[0].network.layers}",
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
        made = choose(SIGNAL, rule, None, partinr.FAST, BUDGET, None)[0]
        suited = network_for("siren", partinr.FAST, SIGNAL.spec, made)
        yield fitted(f"`{rule.word}`", made, suited, params=BUDGET)


def networks() -> Iterable[Row]:
    made = partinr.Auto().partition(SIGNAL)
    for name in NETWORKS:
        yield fitted(f"`{name}`", made, network_for(name, partinr.FAST, SIGNAL.spec, made))


def budgets() -> Iterable[Row]:
    for params in (50_000, 100_000, 200_000, 400_000, 800_000):
        yield fitted(f"`--params {params}`", params=params)


def steps() -> Iterable[Row]:
    for count in (50, 150, 600, 2400):
        yield fitted(f"`--steps {count}`", steps=count)


def table(first: str, rows: Iterable[Row]) -> str:
    """Rows as Markdown."""
    head = [first, "regions", "width x layers", "parameters", "PSNR, dB", "SSIM", "bits a sample", "seconds"]
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    """What the seconds belong to."""
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    cores = len(os.sched_getaffinity(0))
    engine = partinr.fit(SIGNAL, steps=1).engine
    return (
        f"Machine: {found[1] if found else platform.machine()}, {cores} cores, "
        f"engine `{engine}`, partinr {partinr.__version__}."
    )


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, text in (
        ("machine", machine()),
        ("partitions", table("partition", partitions())),
        ("networks", table("network", networks())),
        ("budgets", table("budget", budgets())),
        ("steps", table("steps", steps())),
    ):
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        page = place.sub(lambda m, text=text: f"{m[1]}\n{text}\n\n{m[2]}", page)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
