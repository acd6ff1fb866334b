"""What partition adds to a learned start: the paper's modes, on a small collection.

    python experiments/meta_modes.py DATA [--size 32] [--steps 150]

Two starts (SIREN 128x3, three inner steps of second order, a rate for each parameter and step) are learned on
random crops of photographs that scikit-image ships, one without partition and one with PoG 2x2, with the same
steps and seed. Both are adapted to the centre crops of the images in DATA, which they have not seen. Prints
the table and writes it into docs/meta.md.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from manual import machine, publish, table
from PIL import Image

from partinr import (
    HFS,
    Crop,
    Evaluation,
    Grid,
    Interval,
    MetaRecipe,
    Rule,
    Siren,
    Start,
    Whole,
    evaluate_start,
    learn_start,
    open_collection,
)

PHOTOS = ("astronaut", "coffee", "chelsea", "rocket", "hubble_deep_field", "immunohistochemistry", "retina")
GRID = Grid(2, 2)


def learned(folder: Path, rule: Rule, options: argparse.Namespace) -> Start:
    start = Start.fresh(Siren(128, 3, 30.0, 30.0), 2, 3, rate=1e-3)
    recipe = MetaRecipe(steps=options.steps, learning_rate=3e-4)
    crop = Crop((options.size, options.size), where="random")
    return learn_start(open_collection(folder), start, recipe, crop=crop, rule=rule).start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=150)
    options = parser.parse_args()
    import skimage.data

    with tempfile.TemporaryDirectory() as name:
        for photo in PHOTOS:
            Image.fromarray(getattr(skimage.data, photo)()[..., :3]).save(Path(name) / f"{photo}.png")
        plain, partitioned = (learned(Path(name), rule, options) for rule in (Whole(), GRID))

    def judged(start: Start, rule: Rule) -> Evaluation:
        crop = Crop((options.size, options.size))
        return evaluate_start(start, open_collection(options.data), crop=crop, rule=rule)

    modes = [
        ("no partition", judged(plain, Whole())),
        ("PoG 2x2 in testing only", judged(plain, GRID)),
        ("PoS (HFS, up to 4 regions) in testing only", judged(plain, HFS(4))),
        ("PoG 2x2 in learning and testing", judged(partitioned, GRID)),
    ]
    base = {
        score.signal: score.psnr
        for score in modes[0][1].scores
        if (score.origin, score.step) == ("learned", 3)
    }
    rows = []
    for mode, found in modes:
        last = {s.signal: s.psnr for s in found.scores if (s.origin, s.step) == ("learned", 3)}
        gain = Interval.of([last[name] - base[name] for name in base])
        cells = [f"{found.psnr('learned', 0).mean:.2f}"]
        three = found.psnr("learned", 3)
        cells += [f"{three.mean:.2f} ({three.low:.2f} to {three.high:.2f})", f"{three.deviation:.2f}"]
        cells += ["" if mode == "no partition" else f"{gain.mean:+.2f} ({gain.low:+.2f} to {gain.high:+.2f})"]
        cells += [f"{found.psnr('random', steps).mean:.2f}" for steps in (3, 30)]
        rows.append([mode, *cells])
    header = [
        "",
        "step 0, dB",
        "after 3 steps, dB",
        "sd",
        "gain of each image",
        "random, 3 steps",
        "random, 30 steps",
    ]
    text = (
        f"{table(header, rows)}\n\nMeans over {len(base)} images ({options.data.name}), centre crops of "
        f"{options.size} x {options.size}, with 95 per cent intervals; starts of {options.steps} outer steps "
        f"on random crops of {len(PHOTOS)} photographs of scikit-image ({machine()}; "
        "`experiments/meta_modes.py`)."
    )
    publish("meta.md", "meta_modes", text)


if __name__ == "__main__":
    main()
