"""`partinr compare`: partitions against one network, at equal parameters."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

import partinr
from partinr.cli import words
from partinr.cli.console import Bar, complain, counted, decibels, duration, emit, say
from partinr.cli.exits import DONE, INTERRUPTED
from partinr.cli.inputs import (
    CHANNELS_LAST,
    INPUT,
    MASK,
    MAX_PIXELS,
    PICTURE,
    VALUE_RANGE,
    VOLUME,
    WEIGHTS,
    pixel_limit,
    read_input,
    with_mask,
)
from partinr.cli.interrupt import Stop, stopping
from partinr.cli.options import AS_JSON, DEVICE, ENGINE, QUIET, THREADS, how, option
from partinr.files import check_folder

what = partial(option, panel="What to compare")


def compare(
    source: INPUT,
    output: Annotated[
        Path,
        option(
            "The folder to write to; made if missing. Runs that it has already are not done again.",
            "DIR",
            "-o",
            "--output",
            show_default=False,
        ),
    ],
    run: Annotated[
        list[str] | None,
        what(
            "A variant, such as siren:grid:3x3, fast/finer:auto or relu:hfs:9@50000 (a budget of its "
            "own). Repeatable; replaces --network and --partition.",
            "[PRESET/]NETWORK:PARTITION[@N]",
        ),
    ] = None,
    network: Annotated[
        list[str] | None,
        what(
            f"A network, each with every partition: {', '.join(words.NETWORK_WORDS)}. Repeatable. "
            "Default: siren and relu.",
            "NAME",
        ),
    ] = None,
    partition: Annotated[
        list[str] | None,
        what(
            "A partition, each with every network, as for fit. Repeatable. Default: none, grids of 2, 3 "
            "and 4 cells along each axis and, for images, hfs:4 and hfs:9.",
            "RULE",
        ),
    ] = None,
    params: Annotated[
        int | None,
        what(
            "Budget of parameters over all regions, exceeded by at most 1 %. Default: 1.13 a sample, as "
            "published.",
            "N",
            min=1,
        ),
    ] = None,
    layers: Annotated[
        int | None, what("Hidden layers after the first one. Default: the preset's.", "N")
    ] = None,
    reference: Annotated[
        list[Path] | None,
        what(
            "A reconstruction from elsewhere, a picture or an .inr file, to show beside. Repeatable.", "FILE"
        ),
    ] = None,
    preset: Annotated[
        words.Preset, how("paper: the published recipe, full batch. fast: local frame, minibatches.")
    ] = "paper",
    steps: Annotated[int | None, how("Steps of every run.", "N", min=1, max=2**31 - 1)] = None,
    lr: Annotated[float | None, how("Peak learning rate of every run.", "X")] = None,
    seeds: Annotated[int, how("Runs of each variant.", "N", min=1, max=10_000)] = 1,
    seed: Annotated[int, how("The first seed.", "N", min=0, max=2**62)] = 0,
    engine: ENGINE = "auto",
    device: DEVICE = "cpu",
    threads: THREADS = None,
    channels_last: CHANNELS_LAST = None,
    value_range: VALUE_RANGE = None,
    volume: VOLUME = None,
    picture: PICTURE = None,
    max_pixels: MAX_PIXELS = None,
    mask: MASK = None,
    weights: WEIGHTS = None,
    quiet: QUIET = False,
    as_json: AS_JSON = False,
) -> None:
    """Fit a signal as one network and piece by piece, all with equally many parameters, and show which learns
    faster: at equal steps, in equal time, with equal arithmetic.

    Leaves a page with curves, tables, reconstructions, error maps of one scale and partitions (index.html);
    the numbers (results.json, runs.csv, curves.csv); and every fit as an .inr file. Ctrl-C once stops at the
    next step; the same command goes on from there.

    Example: partinr compare photo.png -o comparison --network siren --steps 500 --seeds 3
    """
    asked = words.runs(run, network, partition, preset)
    signal = read_input(source, channels_last, value_range, max_pixels, volume, picture=picture)
    signal = with_mask(signal, mask, weights, max_pixels)
    from partinr.studies.comparison.results import CURVES, PAGE, RESULTS, RUNS

    check_folder(output, CURVES, PAGE, RESULTS, RUNS)
    rivals = _rivals(reference, signal, pixel_limit(max_pixels))

    variants = _variants(asked, signal, params, layers, steps, lr)
    with stopping() as stop, Bar("comparing", quiet=quiet) as bar:
        comparison = partinr.compare(
            signal,
            variants,
            output,
            seeds=range(seed, seed + seeds),
            compute=partinr.Compute(engine, device, threads),
            callback=lambda standing: _follow(bar, stop, standing),
        )
        bar.show(1.0, what="writing the page")
        facts: dict[str, Any] = {"runs": 0, "missing": comparison.missing}
        if comparison.runs:
            facts = partinr.write_comparison(output, comparison, rivals, title=source.name)
    facts = {"page": output / PAGE if comparison.runs else None, **facts}
    if as_json:
        emit(facts)
    elif not quiet and comparison.runs:
        say(_rows(facts))
    if comparison.missing:
        complain(
            f"interrupted with {counted(comparison.missing, 'run')} of {len(variants) * seeds} to do; "
            "the same command goes on"
        )
    raise typer.Exit(INTERRUPTED if comparison.missing else DONE)


def _rivals(files: list[Path] | None, signal: partinr.Signal, max_pixels: int | None) -> list[partinr.Rival]:
    return [partinr.Rival.read(file, signal, max_pixels=max_pixels) for file in files or []]


def _variants(
    asked: list[words.RunWord],
    signal: partinr.Signal,
    params: int | None,
    layers: int | None,
    steps: int | None,
    lr: float | None,
) -> list[partinr.Variant]:
    """The variants that were asked for, or the published ones."""
    from partinr.fitting.recipe import RECIPES
    from partinr.studies.comparison import published_rules

    made = []
    for one in asked:
        recipe = RECIPES[one.preset]
        if steps is not None:
            recipe = recipe.changed(steps=steps)
        if lr is not None:
            recipe = recipe.changed(learning_rate=lr)
        for rule in published_rules(signal.spec) if one.rule is None else [one.rule]:
            variant = partinr.Variant.of(
                signal, rule, one.network, recipe, params=one.params or params, layers=layers
            )
            if one.params is not None:
                variant = replace(variant, name=f"{variant.name}, {one.params:,} parameters")
            made.append(variant)
    return made


def _follow(bar: Bar, stop: Stop, standing: partinr.Standing) -> bool:
    """Show where the comparison stands; whether to stop it."""
    if bar.due():
        quality = "" if standing.psnr is None else f"{decibels(standing.psnr)}  "
        note = f"{quality}{duration(standing.remaining)} left"
        what = f"{standing.number} of {standing.runs}: {standing.name}"
        bar.show(standing.fraction, note, "stopping" if stop.asked else what)
    return stop.asked


def _rows(facts: dict[str, Any]) -> list[tuple[str, object]]:
    """The summary for people."""
    rows: list[tuple[str, object]] = []
    for variant in facts["variants"]:
        psnr, spread = variant["psnr"]["mean"], variant["psnr"]["deviation"]
        quality = decibels(float(psnr)) + ("" if spread is None else f" ± {spread:.2f}")
        gains = [
            f"{gain:+.2f} {where}"
            for where, gain in (
                ("after equal steps", variant["gain"]),
                ("seconds", variant["equal_seconds"]["gain"]),
                ("arithmetic", variant["equal_flops"]["gain"]),
            )
            if isinstance(gain, float) and variant["partition"] != "none"
        ]
        size = f"{variant['params']:,} parameters in {counted(variant['regions'], 'region')}"
        size += f", {variant['bits_per_sample']['mean']:.2f} bits a sample"
        took = f"{variant['seconds']['mean']:.1f} s"
        name = f"{variant['network']} {variant['name']}"
        rows.append((name, "; ".join([quality, size, took, *([", ".join(gains)] if gains else [])])))
    for rival in facts["references"]:
        bits = f"{rival['bits_per_sample']:.2f} bits a sample"
        rows.append((rival["name"], f"{decibels(float(rival['psnr']))}; {bits}"))
    reused = f", {facts['reused']} of them done before" if facts["reused"] else ""
    return [*rows, ("runs", f"{facts['runs']}{reused}"), ("page", facts["page"])]
