"""Parameters rounded and coded: bits a sample, and PSNR before and after.

    python benchmarks/compact.py FOLDER [--pattern 'kodim*.png'] [--psnr 35] [--others 2] [--write]

Fits to a PSNR, stored for a loss of 0.05 dB without and with retraining, and fits to one dB more, stored for
what they have too much; then fits of all networks, narrow ones, of a few pictures. Bits are of
the parameters alone, not of the regions and the rest of a file. Seconds are those of rounding.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from tables import machine, publish, table

from partinr import (
    Finer,
    FitResult,
    Fourier,
    Gauss,
    Growing,
    Network,
    ReluHarmonic,
    Signal,
    Siren,
    Steps,
    Wire,
    fit,
    read,
)
from partinr.engines import Engine, select
from partinr.file.rounding import rounded
from partinr.model.rendering import rendered_psnr

LOSS, STEPS = 0.05, 200
NETWORKS: list[Network] = [
    Siren(hidden=12),
    ReluHarmonic(hidden=12, frequencies=8),
    Fourier(hidden=12, features=12),
    Finer(hidden=12),
    Wire(hidden=12),
    Gauss(hidden=12),
]


def measured(result: FitResult, signal: Signal, loss: float, engine: Engine | None) -> list[float]:
    """PSNR before and after, bits a sample, bits a parameter, seconds."""
    began = time.perf_counter()
    found = rounded(result.model, signal, loss, engine=engine)
    seconds = time.perf_counter() - began
    bits = 8 * len(found.payload)
    return [
        result.psnr,
        rendered_psnr(found.model, signal),
        bits / signal.spec.samples,
        bits / result.params,
        seconds,
    ]


def to_psnr(path: Path, psnr: float, engine: Engine) -> dict[str, list[float]]:
    """One picture, fitted to a PSNR and stored in several ways."""
    signal = read(path)
    at, above = fit(signal, goal=Growing(psnr)), fit(signal, goal=Growing(psnr + 1))
    float16 = 16 * at.params / signal.spec.samples
    return {
        "float16": [at.psnr, at.psnr, float16, 16.0, 0.0],
        f"rounded for {LOSS} dB": measured(at, signal, LOSS, None),
        f"and retrained for {LOSS} dB": measured(at, signal, LOSS, engine),
        f"fitted to {psnr + 1:g} dB, retrained": measured(above, signal, above.psnr - psnr, engine),
    }


def others(path: Path, engine: Engine) -> dict[str, list[float]]:
    """One picture fitted by every network."""
    signal = read(path)
    fits = {network.name: fit(signal, network=network, goal=Steps(STEPS)) for network in NETWORKS}
    return {f"{path.stem}, {name}": measured(result, signal, LOSS, engine) for name, result in fits.items()}


def rows(found: dict[str, list[float]]) -> list[list[object]]:
    return [
        [name, f"{before:.2f}", f"{after:.2f}", f"{bits:.2f}", f"{each:.2f}", f"{seconds:.1f}"]
        for name, (before, after, bits, each, seconds) in found.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pattern", default="*.png")
    parser.add_argument("--psnr", type=float, default=35)
    parser.add_argument("--others", type=int, default=2, help="pictures that all networks fit")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/quality.md")
    options = parser.parse_args()
    engine = select("auto", "cpu", None)
    paths = sorted(options.folder.glob(options.pattern))
    each = []
    for path in paths:
        each.append(to_psnr(path, options.psnr, engine))
        print(path.stem, {name: [round(x, 3) for x in facts] for name, facts in each[-1].items()}, flush=True)
    medians = {name: np.median([one[name] for one in each], axis=0).tolist() for name in each[0]}
    default: dict[str, list[float]] = {}
    for path in paths[: options.others]:
        default |= others(path, engine)
    columns = ["PSNR of the fit", "as stored", "bits a sample", "bits a parameter", "s"]
    parts = [
        f"Fits to {options.psnr:g} dB, medians of {len(paths)} photographs:",
        table(["stored as", *columns], rows(medians)),
    ]
    if default:
        parts += [
            f"Narrow networks in the default cells, {STEPS} steps, retrained for {LOSS} dB:",
            table(["fit", *columns], rows(default)),
        ]
    text = "\n\n".join([*parts, f"Measured by `benchmarks/compact.py` on {machine()}."])
    publish("quality.md", "compact", text, options.write)


if __name__ == "__main__":
    main()
