"""The default fit of every picture in a folder: quality, time and size.

    python benchmarks/folder.py FOLDER [--pattern 'kodim*.png'] [--write]

Made for the Kodak photographs; any folder of pictures will do. Extra options are those of `fit`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from tables import machine, publish, table

from partinr import Compute, Steps, fit, read, save


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pattern", default="*.png")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    options = parser.parse_args()
    rows, psnrs, seconds = [], [], []
    engine = ""
    for path in sorted(options.folder.glob(options.pattern)):
        signal = read(path)
        result = fit(signal, goal=Steps(options.steps), compute=Compute(engine=options.engine))
        engine = result.engine
        with tempfile.TemporaryDirectory() as folder:
            saved = save(result.model, Path(folder) / "a.inr", store="auto", signal=signal)
        assert saved.psnr is not None
        bits = 8 * saved.bytes / signal.spec.samples
        png = 8 * path.stat().st_size / signal.spec.samples
        rows.append(
            [
                path.stem,
                f"{saved.psnr:.2f}",
                "" if result.ssim is None else f"{result.ssim:.4f}",
                f"{result.seconds:.1f}",
                f"{result.params:,}",
                f"{bits:.2f}",
                f"{png:.2f}",
            ]
        )
        print(*rows[-1], flush=True)
        psnrs.append(saved.psnr)
        seconds.append(result.seconds)
    middle = [f"{statistics.median(psnrs):.2f}", "", f"{statistics.median(seconds):.1f}"]
    rows.append(["median", *middle, "", "", ""])
    header = ["picture", "PSNR, dB", "SSIM", "seconds", "parameters", "bits a pixel", "PNG, bits a pixel"]
    text = f"{table(header, rows)}\n\n{engine} engine; {machine()}; `benchmarks/folder.py`."
    publish("README.md", "folder", text, options.write)


if __name__ == "__main__":
    main()
