"""One photograph to named qualities: against the published training loop, and against the torch engine.

    python benchmarks/photograph.py PHOTO [--params 800000] [--write]

The published loop trains nine SIRENs 170 x 3 on all samples, and would do so for 1500 steps: two are timed
(`step.py`), at 1000 x 700 samples, the size of the paper's demonstration photograph. The fits have the
recipe's own cells and as many parameters.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from step import by_loop
from tables import machine, publish, table

import partinr

STEPS = 1500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--params", type=int, default=800_000)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    photo = partinr.read(options.photo)

    def fitted(psnr: float, params: int = options.params, engine: str = "cpu") -> tuple[float, str]:
        began = time.perf_counter()
        result = partinr.fit(
            photo,
            network=partinr.Budget(params),
            goal=partinr.Quality(psnr),
            compute=partinr.Compute(engine=engine),
        )
        seconds = time.perf_counter() - began
        text = (
            f"{result.psnr:.2f} dB after {seconds:.2f} s, {result.steps} steps, {result.params:,} parameters"
        )
        print(text, flush=True)
        return seconds, text

    fitted(20)  # what is imported and compiled once is not measured
    rows: list[list[str]] = []
    seconds, text = fitted(26.5)
    published = STEPS * min(by_loop(700, 1000, 2)[0])
    rows.append(
        ["26.5 dB, as published", text, f"{published / seconds:,.0f}x sooner than 1500 steps", "20,000x"]
    )
    seconds, text = fitted(30)
    other, _ = fitted(30, engine="torch")
    rows.append(["30 dB", text, f"{other / seconds:.1f}x sooner than the torch engine", "10x"])
    rows.append(["35 dB", fitted(35)[1], "", "4 s"])
    rows.append(["40 dB, twice the parameters", fitted(40, 2 * options.params)[1], "", "8 s"])
    loop = f"The loop: {published / STEPS:.1f} s a step"
    picture = f"{options.photo.name}, {' x '.join(map(str, photo.shape))} samples"
    text = table(["quality", "fit", "against", "goal"], rows)
    text = f"{text}\n\n{loop}. {picture}; {machine()}; `benchmarks/photograph.py`."
    publish("performance.md", "photograph", text, options.write)


if __name__ == "__main__":
    main()
