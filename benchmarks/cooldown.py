"""How much the fall of the learning rate gains: what a fit to a named quality expects (`goals/quality.py`).

    python benchmarks/cooldown.py [--write]

Fits of 3t steps hold the peak rate for t steps. The gain is the PSNR at the end above that of the last losses
before the fall. Pictures, budgets, networks and partitions of all kinds, from random numbers and without
overlap, which fits to a quality do not have.
"""

from __future__ import annotations

import argparse

import numpy as np
import skimage.data
from tables import machine, publish, table

import partinr
from partinr.fitting.goals.quality import held_psnr

STEPS = (8, 16, 32, 64, 128, 256)


def cases() -> dict[str, dict[str, object]]:
    """What to fit, and how."""
    astronaut, camera, coffee = (
        getattr(skimage.data, name)()[:256, :256] for name in ("astronaut", "camera", "coffee")
    )
    sound = np.sin(np.cumsum(np.random.default_rng(0).uniform(0, 0.5, 40_000)))
    return {
        "astronaut": {"signal": astronaut},
        "astronaut, 1/4 parameter a pixel": {"signal": astronaut, "network": partinr.Budget(256 * 64)},
        "astronaut, 2 parameters a pixel": {"signal": astronaut, "network": partinr.Budget(256 * 512)},
        "astronaut, one region": {
            "signal": astronaut,
            "partition": partinr.Whole(),
            "network": partinr.Budget(20_000),
        },
        "astronaut, HFS 9": {
            "signal": astronaut,
            "partition": partinr.HFS(9),
            "network": partinr.Budget(40_000),
        },
        "camera": {"signal": camera},
        "coffee": {"signal": coffee},
        "a sweeping tone": {"signal": sound},
        "gauss": {"signal": astronaut, "network": partinr.Gauss(12, 2)},
        "finer": {"signal": astronaut, "network": partinr.Finer(12, 2)},
        "wire": {"signal": astronaut, "network": partinr.Wire(12, 2)},
        "relu": {"signal": astronaut, "network": partinr.ReluHarmonic(12, 2)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into docs/method.md")
    options = parser.parse_args()
    rows: list[list[object]] = []
    for name, words in cases().items():
        gains = []
        for steps in STEPS:
            goal, recipe = partinr.Steps(3 * steps), partinr.FAST.changed(overlap=0)
            result = partinr.fit(**words, goal=goal, recipe=recipe, start=None)  # type: ignore[arg-type]
            gains.append(result.psnr - held_psnr(result.history.loss[:steps]))
        rows.append([name, *(f"{gain:.1f}" for gain in gains)])
        print(*rows[-1], flush=True)
    header = ["steps at the peak rate", *map(str, STEPS)]
    text = f"{table(header, rows)}\n\n{machine()}; `benchmarks/cooldown.py`."
    publish("method.md", "cooldown", text, options.write)


if __name__ == "__main__":
    main()
