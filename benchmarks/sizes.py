"""Cost against size: SIRENs in the default cells, of a photograph tiled to 1, 4 and 16 megapixels.

    python benchmarks/sizes.py [PICTURE] [--steps 30] [--write]

Without a picture, scikit-image's astronaut. Each size in a process of its own, so that the peak memory is its
own; memory is what a process has at its peak beyond what it had before it read the picture.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
from tables import machine, publish, table

from partinr import Steps

SIZES = {1: 1024, 4: 2048, 16: 4096}


def resident() -> int:
    """Bytes of memory in use."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def fitted(side: int, steps: int, picture: Path | None) -> dict[str, float]:
    import skimage.data
    import torch  # noqa: F401

    from partinr import fit, from_array, read

    small = skimage.data.astronaut() if picture is None else read(picture).values
    fit(small[:40, :40], goal=Steps(5))  # what is loaded once
    before = resident()
    tiles = [-(-side // n) for n in small.shape[:2]]
    values = np.tile(small, (*tiles, 1))[:side, :side]
    result = fit(from_array(values, kind="image"), goal=Steps(steps))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": result.seconds, "psnr": result.psnr, "bytes": peak - before - values.nbytes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("picture", type=Path, nargs="?")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--side", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    if options.side:
        print(json.dumps(fitted(options.side, options.steps, options.picture)))
        return
    rows: list[list[object]] = []
    first = 0.0
    for megapixels, side in SIZES.items():
        command = [sys.executable, __file__, "--side", str(side), "--steps", str(options.steps)]
        command += [] if options.picture is None else [str(options.picture)]
        done = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        each = done["seconds"] / side**2
        first = first or each
        figures = (f"{done['seconds']:.2f}", f"{1e9 * each:.0f}", f"{each / first:.2f}")
        rows.append(
            [f"{megapixels}", *figures, f"{done['bytes'] / 2**20:.0f}", f"{done['bytes'] / side**2:.0f}"]
        )
        print(*rows[-1], flush=True)
    header = ["megapixels", "seconds", "ns a pixel", "against the first", "memory, MiB", "bytes a pixel"]
    what = f"{options.steps} steps, about one parameter a pixel; memory beyond the picture itself"
    text = f"{table(header, rows)}\n\n{what}; {machine()}; `benchmarks/sizes.py`."
    publish("performance.md", "sizes", text, options.write)


if __name__ == "__main__":
    main()
