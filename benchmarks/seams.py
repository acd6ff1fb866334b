"""What shows where regions meet, and what it costs that nothing does: blending, and overlap.

    python benchmarks/seams.py [PICTURE ...] [--overlaps 1 2] [--crop ROW COLUMN SIDE] [--write]

Default fits at equal parameters and steps; without pictures, scikit-image's astronaut, chelsea and coffee.
With --write, the table and an enlarged part of the astronaut go into the manual.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import numpy as np
from tables import DOCS, machine, publish, table

from partinr import FAST, FitResult, Piecewise, Signal, fit, from_array, psnr, read, render, seam
from partinr.model.seams import unblended

PLAIN = ("astronaut", "chelsea", "coffee")
SCALE = 4


def variants(signal: Signal, overlaps: list[int]) -> dict[str, tuple[Piecewise, FitResult]]:
    """Models of a picture by what they do where regions meet, each with the fit that it is from."""
    plain = fit(signal, recipe=FAST.changed(overlap=0), between="none")
    models = {"no blending": (unblended(plain.model), plain), "blending": (plain.model, plain)}
    for overlap in overlaps:
        result = fit(signal, recipe=FAST.changed(overlap=overlap), between="none")
        models[f"overlap {overlap}"] = (result.model, result)
    return models


def sample(name: str) -> Signal:
    """One of scikit-image's pictures."""
    import skimage.data

    return from_array(getattr(skimage.data, name)(), kind="image")


def draw(window: tuple[int, int, int]) -> None:
    """An enlarged part of the astronaut in every way, beside each other."""
    from PIL import Image

    from partinr.report.enlarging import side_by_side
    from partinr.report.pictures import Picture

    row, column, side = window
    crop = ((row, row + side), (column, column + side))
    models = variants(sample("astronaut"), [1])
    pictures = [Picture(name, render(model, scale=SCALE, crop=crop)) for name, (model, _) in models.items()]
    image = Image.fromarray(side_by_side(pictures))
    image.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(DOCS / "seams.png", optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="*")
    parser.add_argument("--overlaps", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--crop", type=int, nargs=3, default=(90, 170, 64), metavar=("ROW", "COLUMN", "SIDE"))
    parser.add_argument("--write", action="store_true", help="put table and picture into the manual")
    options = parser.parse_args()
    signals = {path.stem: read(path) for path in options.pictures} or {n: sample(n) for n in PLAIN}
    figures: dict[str, list[tuple[float, float, float, float]]] = {}
    for name, signal in signals.items():
        low, high = signal.spec.value_range
        for kind, (model, result) in variants(signal, options.overlaps).items():
            quality = psnr(signal.values, render(model).reshape(signal.values.shape), high - low)
            shows = seam(model)
            assert shows is not None
            figures.setdefault(kind, []).append(
                (quality, shows, result.params / signal.spec.samples, result.seconds)
            )
            print(name, kind, *(f"{x:.2f}" for x in figures[kind][-1]), flush=True)
    fastest = np.array(figures["blending"])[:, 3]
    rows = []
    for kind, found in figures.items():
        quality, shows, density, seconds = np.array(found).T
        ratio = statistics.median(seconds / fastest)
        rows.append(
            [
                kind,
                f"{quality.mean():.2f}",
                f"{shows.mean():.2f}",
                f"{shows.max():.2f}",
                f"{density.mean():.2f}",
                f"{ratio:.1f}",
            ]
        )
    header = ["", "PSNR, dB", "seam figure", "the worst", "parameters a pixel", "time of the fit"]
    text = f"Means over {', '.join(signals)}; {machine()}; `benchmarks/seams.py`."
    publish("seams.md", "seams", f"{table(header, rows)}\n\n{text}", options.write)
    if options.write:
        draw(options.crop)


if __name__ == "__main__":
    main()
