"""Partitions beside hash grids and multiplicative filter networks: equal parameters, equal steps, equal time.

    python experiments/rivals.py [--size 128] [--steps 300] [--threads 1]

scikit-image's astronaut and camera, reduced. Everything is trained by torch, minibatches and schedule are
those of `partinr fit`, so that seconds are of the methods and not of how far each was tuned here. Writes the
tables into docs/comparison.md. Runs are kept in experiments/runs.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from manual import machine, publish, table

from partinr import (
    FAST,
    Auto,
    Comparison,
    Compute,
    Finer,
    Grid,
    Rule,
    Signal,
    Siren,
    Steps,
    Variant,
    Whole,
    compare,
    fit,
    from_array,
    write_comparison,
)
from partinr.model.arrays import Array, namespace

VARIANTS: list[tuple[str, str, Rule, int | Literal["auto"] | None]] = [
    ("SIREN, one network", "siren", Whole(), "auto"),
    ("SIREN, 3 x 3 cells", "siren", Grid(3, 3), "auto"),
    ("SIREN, cells of `auto`", "siren", Auto(), "auto"),
    ("hash grid", "hashgrid", Whole(), "auto"),
    ("hash grid, all samples a step", "hashgrid", Whole(), None),
    ("FourierNet", "fouriernet", Whole(), "auto"),
    ("GaborNet", "gabornet", Whole(), "auto"),
]
"""Name, network, partition, and samples of each region in a step."""


@dataclass(frozen=True)
class GaussFiner(Finer):
    """Gaussians of FINER's sines, exp(-(3 sin(omega (|z| + 1) z))²): FINER++ (Zhu et al., 2024).

    Constants and initialisation are those of its code (models.py, run.sh).
    """

    omega_0: float = 10.0
    omega_hidden: float = 10.0
    bias_range: float = 1.0

    name: ClassVar[str] = "finer++ gauss"

    def activate(self, z: Array, layer: int) -> Array:
        """See the class."""
        wave = 3.0 * super().activate(z, layer)
        return namespace(z).exp(-(wave * wave))


def picture(name: str, size: int) -> Signal:
    """One of scikit-image's, reduced to a square."""
    import skimage.data
    from PIL import Image

    image = Image.fromarray(getattr(skimage.data, name)())
    return from_array(np.asarray(image.resize((size, size), Image.Resampling.LANCZOS)), kind="image")


def beside(name: str, comparison: Comparison) -> str:
    """Of one picture: after all steps, and at the moment at which the quickest variant is done."""
    records = [(run.variant.name, run.record) for run in comparison.runs]
    at = min(record.seconds for _, record in records)
    rows = [
        [
            called,
            f"{record.params:,}",
            f"{record.psnr:.2f}",
            f"{record.ssim:.4f}",
            f"{record.seconds:.1f}",
            f"{record.history.psnr_after(at):.2f}",
        ]
        for called, record in records
    ]
    steps = records[0][1].steps
    head = [name, "parameters", f"PSNR after {steps} steps, dB", "SSIM", "seconds"]
    return table([*head, f"PSNR after {at:.1f} s, dB"], rows)


def candidates(signal: Signal, steps: int, compute: Compute) -> str:
    """FINER++ beside the networks that it is made of, as one network and in cells."""
    found = []
    for network in ("gauss", "finer", GaussFiner()):
        row = [network if isinstance(network, str) else network.name]
        for rule in (Whole(), Auto()):
            variant = Variant.of(signal, rule, network, FAST.changed(steps=steps))
            recipe, partition = variant.recipe, variant.partition
            fitted = fit(
                signal, partition, variant.network, goal=Steps(steps), recipe=recipe, compute=compute
            )
            row.append(f"{fitted.psnr:.2f}")
        found.append(row)
    return table(["", "one network, dB", "cells of `auto`, dB"], found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    compute = Compute("torch", threads=options.threads)
    # What torch does once is nobody's time.
    fit(picture("camera", 32), Whole(), Siren(16, 1), goal=Steps(5), compute=compute)
    parts = []
    for name in ("astronaut", "camera"):
        signal = picture(name, options.size)
        variants = []
        for called, network, rule, batch in VARIANTS:
            recipe = FAST.changed(steps=options.steps, batch=batch)
            variants.append(Variant.of(signal, rule, network, recipe, name=called))
        folder = Path(__file__).parent / "runs" / f"rivals-{name}-{options.size}-{options.steps}"
        comparison = compare(signal, variants, folder, compute=compute)
        write_comparison(folder, comparison, title=name)
        parts.append(beside(name, comparison))
    note = (
        f"{options.size} x {options.size} pixels, {options.steps} steps, one seed, engine torch with "
        f"{options.threads} thread(s); {machine()}; "
        "`experiments/rivals.py`."
    )
    publish("comparison.md", "rivals", "\n\n".join([*parts, note]))
    tried = candidates(picture("astronaut", options.size), options.steps, compute)
    publish("comparison.md", "candidates", f"{tried}\n\nPSNR of astronaut; otherwise as above.")


if __name__ == "__main__":
    main()
