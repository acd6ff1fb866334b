"""Partitions beside hash grids and multiplicative filter networks: equal parameters, equal steps, equal time.

    python experiments/rivals.py [--size 128] [--steps 300] [--threads 1]

scikit-image's astronaut and camera, reduced. Everything is trained by torch, minibatches and schedule are
those of `partinr fit`, so that seconds are of the methods and not of how far each was tuned here. Writes the
tables into docs/comparison.md. Runs are kept in experiments/runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from manual import machine, publish, table

from partinr import FAST, Auto, Compute, Grid, Rule, Signal, Variant, Whole, compare, from_array, write_comparison

# Rates that were best of 1e-3, 3e-3, 1e-2 and 3e-2 for one network on the astronaut; hash grids have their own.
VARIANTS: list[tuple[str, str, Rule, float | None]] = [
    ("SIREN, one network", "siren", Whole(), None),
    ("SIREN, 3 x 3 cells", "siren", Grid(3, 3), None),
    ("SIREN, cells of `auto`", "siren", Auto(), None),
    ("hash grid", "hashgrid", Whole(), None),
    ("FourierNet", "fouriernet", Whole(), 3e-3),
    ("GaborNet", "gabornet", Whole(), 3e-3),
]
"""Name, network, partition, and learning rate where it is not the recipe's."""


def picture(name: str, size: int) -> Signal:
    """One of scikit-image's, reduced to a square."""
    import skimage.data
    from PIL import Image

    image = Image.fromarray(getattr(skimage.data, name)())
    return from_array(np.asarray(image.resize((size, size), Image.Resampling.LANCZOS)), kind="image")


def rows(facts: dict[str, Any]) -> list[list[str]]:
    """Of one picture."""
    return [
        [
            v["name"],
            f"{v['params']:,}",
            f"{v['psnr']['mean']:.2f}",
            f"{v['ssim']['mean']:.4f}",
            f"{v['seconds']['mean']:.1f}",
            f"{v['equal_seconds']['psnr']['mean']:.2f}",
        ]
        for v in facts["variants"]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    parts = []
    for name in ("astronaut", "camera"):
        signal = picture(name, options.size)
        variants = []
        for called, network, rule, rate in VARIANTS:
            recipe = FAST.changed(steps=options.steps, **({} if rate is None else {"learning_rate": rate}))
            variants.append(Variant.of(signal, rule, network, recipe, name=called))
        folder = Path(__file__).parent / "runs" / f"rivals-{name}-{options.size}-{options.steps}"
        comparison = compare(signal, variants, folder, compute=Compute("torch", threads=options.threads))
        facts = write_comparison(folder, comparison, title=name)
        at = facts["variants"][0]["equal_seconds"]["at"]
        head = [name, "parameters", f"PSNR after {options.steps} steps, dB", "SSIM", "seconds"]
        parts.append(table([*head, f"PSNR after {at:.1f} s, dB"], rows(facts)))
    note = (
        f"{options.size} x {options.size} pixels, {options.steps} steps, one seed, engine torch with "
        f"{options.threads} thread(s) while the machine did other work too; {machine()}; "
        "`experiments/rivals.py`."
    )
    publish("comparison.md", "rivals", "\n\n".join([*parts, note]))


if __name__ == "__main__":
    main()
