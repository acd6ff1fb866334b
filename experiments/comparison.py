"""The published comparison on one picture: one network, grids and segmentations at equal parameters.

    python experiments/comparison.py [PICTURE] [--size 256 256] [--steps 500] [--seeds 1] [--networks siren]
                                     [--rate 1e-4]

The published recipe (full batch, Adam at 1e-4) at the published density of parameters, or another rate. Runs
are kept in experiments/runs, so that a second call only draws again. Prints the table and writes it into
docs/published.md where that has a place for it; for the default picture, with a figure. With several seeds
the table has means and standard deviations, and no seconds: these depend on what else the machine does, and
many fits take long.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from manual import figure, machine, photograph, publish, table

from partinr import PAPER, Comparison, Compute, Standing, Variant, compare, write_comparison
from partinr.studies.comparison import published_rules

COLOURS = ("#1f83c4", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#7f8790")


def timed_table(facts: dict[str, Any]) -> str:
    """At the end, at equal seconds and at equal arithmetic."""
    first = facts["variants"][0]
    head = ["", "parameters", f"PSNR after {first['steps']:,} steps", "gain", "SSIM", "seconds"]
    head += [f"PSNR after {first['equal_seconds']['at']:.1f} s", "gain", _after_flops(first), "gain"]
    rows = [
        [
            *_name(v),
            *_psnr(v),
            f"{v['ssim']['mean']:.4f}",
            f"{v['seconds']['mean']:.0f}",
            *_psnr(v["equal_seconds"]),
            *_psnr(v["equal_flops"]),
        ]
        for v in facts["variants"]
    ]
    return table(head, rows)


def seeds_table(facts: dict[str, Any]) -> str:
    """Means and standard deviations over seeds, at the end and at equal arithmetic."""
    first = facts["variants"][0]
    head = ["", "width", "parameters", f"PSNR after {first['steps']:,} steps", "gain", "SSIM"]
    head += ["PSNR after equal arithmetic", "gain"]
    rows = []
    for v in facts["variants"]:
        name, params = _name(v)
        ssim = f"{v['ssim']['mean']:.4f} ± {v['ssim']['deviation']:.4f}"
        rows.append([name, f"{v['width']}", params, *_psnr(v), ssim, *_psnr(v["equal_flops"])])
    return table(head, rows)


def _name(v: dict[str, Any]) -> list[str]:
    return [f"{v['network']}, {v['name']}", f"{v['params']:,}"]


def _psnr(v: dict[str, Any]) -> list[str]:
    """A mean, with its deviation where there are several seeds, and the gain over one network."""
    psnr, gain = v["psnr"], v["gain"]
    spread = "" if psnr["deviation"] is None else f" ± {psnr['deviation']:.2f}"
    return [f"{psnr['mean']:.2f}{spread}", f"{gain:+.2f}" if gain else "–"]


def _after_flops(v: dict[str, Any]) -> str:
    return f"PSNR after {v['equal_flops']['at'] / 1e12:.2f} TFLOP"


def draw(comparison: Comparison, timed: bool) -> Any:
    """PSNR against steps, seconds where they count, and arithmetic; a row of plots for each network, with a
    band of one standard deviation over seeds."""
    networks = list(dict.fromkeys(run.variant.network.name for run in comparison.runs))
    quantities = ("steps", "seconds", "TFLOP") if timed else ("steps", "TFLOP")

    def curves(drawn: Any) -> None:
        plots = drawn.subplots(len(networks), len(quantities), squeeze=False, sharey="row")
        for network, line in zip(networks, plots, strict=True):
            of_network = [runs for runs in comparison.by_variant if runs[0].variant.network.name == network]
            for colour, runs in zip(COLOURS, of_network, strict=True):
                steps = np.unique(np.linspace(0, len(runs[0].record.history) - 1, 300).round().astype(int))
                psnr = np.array([run.record.history.psnr for run in runs])[:, steps]
                seconds = np.mean([run.record.history.seconds for run in runs], axis=0)[steps]
                places = {"steps": steps, "seconds": seconds, "TFLOP": steps * runs[0].record.flops / 1e12}
                mean, spread = psnr.mean(axis=0), psnr.std(axis=0, ddof=1) if len(runs) > 1 else None
                for axes, what in zip(line, quantities, strict=True):
                    axes.plot(places[what], mean, color=colour, label=runs[0].variant.name)
                    axes.plot(places[what][-1:], mean[-1:], "o", color=colour, markersize=4)
                    if spread is not None:
                        band = (mean - spread, mean + spread)
                        axes.fill_between(places[what], *band, color=colour, alpha=0.2, linewidth=0)
            for axes, what in zip(line, quantities, strict=True):
                axes.set_xlabel(what)
                axes.grid(alpha=0.2)
            line[0].set_ylabel(f"PSNR (dB), {network}")
            line[0].legend(fontsize=8, frameon=False)

    return curves


def progress(standing: Standing) -> None:
    """Where the comparison stands, for those who watch."""
    if sys.stdout.isatty():
        print(f"\r{standing.name}: {standing.fraction:.1%} ", end="", flush=True)


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
        compute=Compute(threads=options.threads),
        callback=progress,
    )
    facts = write_comparison(folder, comparison, title=name)
    one_seed = options.seeds == 1
    text = timed_table(facts) if one_seed else seeds_table(facts)
    size = f"{options.size[0]} x {options.size[1]}"
    if one_seed:
        ran = f"one seed; {machine()}"
    else:
        same = {
            v["network"]: f"{v['equal_flops']['at'] / 1e12:.3f} TFLOP for {v['network']}"
            for v in facts["variants"]
        }
        ran = f"means and standard deviations over {options.seeds} seeds; "
        ran += f"equal arithmetic is {', '.join(same.values())}"
    note = (
        f"PSNR in dB; {name} at {size} pixels, learning rate {options.rate:g}, {ran}; "
        "`experiments/comparison.py`."
    )
    mark = f"comparison {name} {options.rate:g}"
    if not one_seed:
        mark += f" {options.seeds} seeds {'-'.join(options.networks)}"
    if options.picture is None:
        width = 10 if one_seed else 8
        path = figure(
            mark.replace(" ", "_"), draw(comparison, one_seed), (width, 3.2 * len(options.networks))
        )
        against = "steps, seconds and arithmetic" if one_seed else "steps and arithmetic"
        text = f"![PSNR against {against}]({path})\n\n{text}"
    publish("published.md", mark, f"{text}\n\n{note}")


if __name__ == "__main__":
    main()
