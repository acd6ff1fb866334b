"""The published comparison on one picture: one network, grids and segmentations at equal parameters.

    python experiments/comparison.py [PICTURE] [--size 256 256] [--steps 500] [--seeds 1] [--networks siren]
                                     [--rate 1e-4]

The published recipe (full batch, Adam at 1e-4) at the published density of parameters, or another rate. Runs
are kept in experiments/runs, so that a second call only draws again. Prints the table and writes it into
docs/published.md where that has a place for it; for the default picture, with a figure.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from manual import figure, machine, photograph, publish, table

from partinr import PAPER, Comparison, Variant, compare, write_comparison
from partinr.comparison import published_rules

COLOURS = ("#1f83c4", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#7f8790")


def rows(facts: dict[str, Any]) -> list[list[str]]:
    """One line for each variant: at the end, at equal seconds and at equal arithmetic."""

    def cell(psnr: dict[str, Any], gain: float) -> list[str]:
        spread = "" if psnr["deviation"] is None else f" ± {psnr['deviation']:.2f}"
        return [f"{psnr['mean']:.2f}{spread}", f"{gain:+.2f}" if gain else "–"]

    return [
        [
            f"{v['network']}, {v['name']}",
            f"{v['params']:,}",
            *cell(v["psnr"], v["gain"]),
            f"{v['ssim']['mean']:.4f}",
            f"{v['seconds']['mean']:.0f}",
            *cell(v["equal_seconds"]["psnr"], v["equal_seconds"]["gain"]),
            *cell(v["equal_flops"]["psnr"], v["equal_flops"]["gain"]),
        ]
        for v in facts["variants"]
    ]


def draw(comparison: Comparison) -> Any:
    """PSNR against steps, seconds and arithmetic, a row of three plots for each network."""
    networks = list(dict.fromkeys(run.variant.network.name for run in comparison.runs))

    def curves(drawn: Any) -> None:
        plots = drawn.subplots(len(networks), 3, squeeze=False, sharey="row")
        for network, line in zip(networks, plots, strict=True):
            of_network = [runs for runs in comparison.by_variant if runs[0].variant.network.name == network]
            for colour, runs in zip(COLOURS, of_network, strict=True):
                history = runs[0].record.history
                shown = np.unique(np.linspace(0, len(history) - 1, 300).round().astype(int))
                psnr = np.mean([run.record.history.psnr for run in runs], axis=0)[shown]
                seconds = np.mean([run.record.history.seconds for run in runs], axis=0)[shown]
                for axes, x in zip(line, (shown, seconds, shown * runs[0].record.flops / 1e12), strict=True):
                    axes.plot(x, psnr, color=colour, label=runs[0].variant.name)
                    axes.plot(x[-1:], psnr[-1:], "o", color=colour, markersize=4)
            for axes, what in zip(line, ("steps", "seconds", "TFLOP"), strict=True):
                axes.set_xlabel(what)
                axes.grid(alpha=0.2)
            line[0].set_ylabel(f"PSNR (dB), {network}")
            line[0].legend(fontsize=8, frameon=False)

    return curves


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("picture", type=Path, nargs="?")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 256), metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--networks", nargs="+", default=["siren"])
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    signal = photograph(options.picture, *options.size)
    recipe = replace(PAPER, steps=options.steps, learning_rate=options.rate)
    variants = [
        Variant.of(signal, rule, network, recipe)
        for network in options.networks
        for rule in published_rules(signal.spec)
    ]
    name = options.picture.stem if options.picture else "astronaut"
    folder = Path(__file__).parent / "runs" / f"{name}-{options.size[0]}x{options.size[1]}"
    comparison = compare(
        signal,
        variants,
        folder,
        seeds=range(options.seeds),
        threads=options.threads,
        callback=lambda standing: print(f"\r{standing.name}: {standing.fraction:.1%} ", end="", flush=True),
    )
    facts = write_comparison(folder, comparison, title=name)
    first = facts["variants"][0]
    head = [
        *("", "parameters", f"PSNR after {options.steps:,} steps", "gain", "SSIM", "seconds"),
        *(f"PSNR after {first['equal_seconds']['at']:.1f} s", "gain"),
        *(f"PSNR after {first['equal_flops']['at'] / 1e12:.2f} TFLOP", "gain"),
    ]
    text = table(head, rows(facts))
    size = f"{options.size[0]} x {options.size[1]}"
    seeds = "one seed" if options.seeds == 1 else f"{options.seeds} seeds"
    note = (
        f"PSNR in dB; {name} at {size} pixels, learning rate {options.rate:g}, {seeds}; {machine()}; "
        "`experiments/comparison.py`."
    )
    mark = f"comparison {name} {options.rate:g}"
    if options.picture is None:
        path = figure(mark.replace(" ", "_"), draw(comparison), (10, 3.2 * len(options.networks)))
        text = f"![PSNR against steps, seconds and arithmetic]({path})\n\n{text}"
    publish("published.md", mark, f"{text}\n\n{note}")


if __name__ == "__main__":
    main()
