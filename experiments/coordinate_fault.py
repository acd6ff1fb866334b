"""What the coordinate fault of the reference does to its comparison.

    python experiments/coordinate_fault.py [PICTURE] [--size 105 150] [--steps 1500] [--crop]

The reference builds coordinates in the order (width, height) and flattens pixels in the order (height,
width). Sample i of a picture of H x W pixels so gets the coordinates of sample i of a picture of W x H: the
network is asked for a picture whose rows are broken at the wrong length. Here that picture is made before the
fit, by reshaping the samples, and so is the label map, which belongs to the samples in the reference too; the
library stays as it is.

Prints the table and writes it into docs/published.md where that has a place for it; for the default picture,
the middle of scikit-image's astronaut, with a figure. --crop takes the middle of a picture at its own
resolution.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from manual import figure, photograph, publish, table

from partinr import HFS, PAPER, Compute, FitResult, Grid, Partition, Signal, Variant, Whole, fit, from_array

RULES = {"one network": Whole(), "PoG 3x3": Grid(3, 3), "PoS 9 (HFS)": HFS(9)}
# Published after 1500 steps, with the fault, at 700 x 1000 pixels.
PUBLISHED = {"one network": 23.3, "PoG 3x3": 26.0, "PoS 9 (HFS)": 26.5}


def with_fault(signal: Signal) -> Signal:
    """The picture that the reference trains on: the same samples in the same order, as W rows of H."""
    rows, columns = signal.shape
    return from_array(signal.values.reshape(columns, rows, signal.channels), kind="image")


def run(signal: Signal, faulty: bool, steps: int, threads: int | None) -> dict[str, FitResult]:
    """The three published variants."""
    seen = with_fault(signal) if faulty else signal
    results = {}
    for name, rule in RULES.items():
        made = Variant.of(signal, rule, "siren", replace(PAPER, steps=steps))
        labels = made.partition.label_map.reshape(seen.shape)
        partition = Partition.from_labels(labels, rule.word)
        results[name] = fit(
            seen, partition, made.network, recipe=made.recipe, compute=Compute(threads=threads)
        )
        print(
            name,
            "with the fault" if faulty else "as it should be",
            f"{results[name].psnr:.2f} dB",
            flush=True,
        )
    return results


def draw(signal: Signal, right: dict[str, FitResult], wrong: dict[str, FitResult]) -> Any:
    """The picture as the network sees it, and the curves without and with the fault."""

    def panels(drawn: Any) -> None:
        as_it_is, as_seen, plain, faulty = drawn.subplots(1, 4, width_ratios=(1, 0.55, 1.3, 1.3))
        for axes, picture, title in (
            (as_it_is, signal, "the picture"),
            (as_seen, with_fault(signal), "as the reference\nsees it"),
        ):
            axes.imshow(picture.values)
            axes.set_title(title, fontsize=9)
            axes.axis("off")
        for axes, results, title in ((plain, right, "as it should be"), (faulty, wrong, "with the fault")):
            for name, result in results.items():
                axes.plot(result.history.step[::5], result.history.psnr[::5], label=name)
            axes.set_title(title, fontsize=9)
            axes.set_xlabel("steps")
            axes.grid(alpha=0.2)
        plain.set_ylabel("PSNR (dB)")
        faulty.set_ylim(plain.get_ylim())
        plain.legend(fontsize=8, frameon=False)

    return panels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("picture", type=Path, nargs="?")
    parser.add_argument("--size", type=int, nargs=2, default=(105, 150), metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--crop", action="store_true")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    signal = photograph(options.picture, *options.size, crop=options.crop)
    right, wrong = (run(signal, faulty, options.steps, options.threads) for faulty in (False, True))
    head = ["", "as it should be", "against one", "with the fault", "against one", "published", "against one"]
    one = next(iter(RULES))
    rows = [
        [
            name,
            f"{right[name].psnr:.2f}",
            f"{right[name].psnr - right[one].psnr:+.2f}",
            f"{wrong[name].psnr:.2f}",
            f"{wrong[name].psnr - wrong[one].psnr:+.2f}",
            f"{PUBLISHED[name]:.1f}",
            f"{PUBLISHED[name] - PUBLISHED[one]:+.1f}",
        ]
        for name in RULES
    ]
    name = options.picture.stem if options.picture else "astronaut"
    how = "the middle at its own resolution" if options.crop else "the middle, reduced"
    note = (
        f"PSNR in dB after {options.steps:,} steps; {name}, {how}, {options.size[0]} x {options.size[1]} "
        "pixels; `experiments/coordinate_fault.py`."
    )
    text = f"{table(head, rows)}\n\n{note}"
    if options.picture is None:
        path = figure("coordinate_fault", draw(signal, right, wrong), (11, 2.8))
        text = f"![The coordinate fault]({path})\n\n{text}"
    publish("published.md", f"fault {name}{' crop' * options.crop}", text)


if __name__ == "__main__":
    main()
