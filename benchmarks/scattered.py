"""Scattered points: time against their number, and the error at those that are kept back.

    python benchmarks/scattered.py [PICTURE] [--most 1000000] [--write]

Points are drawn anywhere in a picture (scikit-image's astronaut without one), with the values that bilinear
interpolation gives there; and of a smooth function. Seconds are of everything from the arrays to the function
and both errors; seconds of cores are those of all threads together.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy import ndarray
from tables import machine, publish, table

from partinr import Samples, Steps, fit, read

COUNTS, STEPS = (10_000, 100_000, 1_000_000), (50, 150, 600)


def smooth(places: ndarray) -> ndarray:
    """Waves over a map of 360 x 180 degrees."""
    x, y = places[:, 0] * 360, places[:, 1] * 180
    return np.sin(x / 7) * np.cos(y / 5) + 0.3 * np.sin((x + y) / 3)


def of_picture(picture: ndarray, places: ndarray) -> ndarray:
    """A picture between its pixels."""
    from scipy.ndimage import map_coordinates

    at = (places * (np.array(picture.shape[:2]) - 1)).T
    channels = np.moveaxis(picture.astype(np.float32), -1, 0)
    return np.stack([map_coordinates(channel, at, order=1) for channel in channels], axis=-1)


def measured(name: str, places: ndarray, values: ndarray, steps: int | None) -> list[object]:
    began, cores = time.perf_counter(), time.process_time()
    result = fit(Samples(places, values), goal=Steps(steps))
    seconds, busy = time.perf_counter() - began, time.process_time() - cores
    assert result.held_out is not None
    figures = (f"{seconds:.2f}", f"{busy:.2f}", f"{1e6 * busy / len(places):.1f}")
    row = [
        name,
        f"{len(places):,}",
        result.steps,
        *figures,
        f"{result.psnr:.2f}",
        f"{result.held_out.psnr:.2f}",
    ]
    print(*row, flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("picture", type=Path, nargs="?")
    parser.add_argument("--most", type=int, default=COUNTS[-1])
    parser.add_argument("--write", action="store_true", help="put the table into docs/missing.md")
    options = parser.parse_args()
    import skimage.data

    picture = skimage.data.astronaut() if options.picture is None else read(options.picture).values
    random = np.random.default_rng(0)
    fit(Samples(random.random((500, 2)), random.random(500)), goal=Steps(5))  # what is loaded once
    rows = []
    for count in (count for count in COUNTS if count <= options.most):
        places = random.random((count, 2))
        rows.append(measured("waves", places, smooth(places), None))
    places = random.random((200_000, 2))
    for steps in STEPS:
        rows.append(measured("photograph", places, of_picture(picture, places), steps))
    header = ["points of", "number", "steps", "seconds", "of cores", "µs a point", "PSNR fitted", "held out"]
    text = f"{table(header, rows)}\n\n{machine()}; `benchmarks/scattered.py`."
    publish("missing.md", "scattered", text, options.write)


if __name__ == "__main__":
    main()
