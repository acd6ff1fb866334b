"""A volume to 40 dB: seconds from file to file, and bytes beside zfp and SZ3 at the same PSNR.

    python benchmarks/volume.py SCAN [--psnr DB] [--scan SLICE.dcm ...] [--write]

Seconds are those of reading, fitting and writing, the best of three; codecs are asked as in
`benchmarks/compact_signals.py`. `--scan` adds a table of what a PSNR means for scans whose integers fill a
part of their type: errors with the peak that partinr takes, lowest to highest value, and with the type's.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from compact_signals import at_psnr, bits, sz3, zfp
from tables import machine, publish, table

from partinr import Compact, Signal, fit, load, read, render, save

GOAL_SECONDS, RUNS = 10, 3


def from_file_to_file(path: Path, psnr: float) -> tuple[Signal, list[float], float, int, float]:
    """The signal; seconds of reading, fitting, writing; those of processors; bytes; the file's PSNR."""
    best: list[float] = []
    busy = 0.0
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            marks, before = [time.perf_counter()], time.process_time()
            signal = read(path)
            marks.append(time.perf_counter())
            result = fit(signal, goal=Compact(psnr=psnr))
            marks.append(time.perf_counter())
            saved = save(result.model, Path(folder) / "a.inr", store="auto", signal=signal)
            marks.append(time.perf_counter())
            spent = time.process_time() - before
            load(saved.path)
        seconds = np.diff(marks).tolist()
        if not best or sum(seconds) < sum(best):
            best, busy = seconds, spent
    assert saved.psnr is not None
    return signal, best, busy, saved.bytes, saved.psnr


def goal(path: Path, psnr: float) -> str:
    signal, seconds, busy, size, reached = from_file_to_file(path, psnr)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    own = bits(size, signal)
    read_in, fitted, written = seconds
    rows = [
        [
            f"seconds, at most {GOAL_SECONDS}",
            f"{sum(seconds):.1f}: {read_in:.1f} to read, {fitted:.1f} to fit, {written:.1f} to write",
        ],
        ["seconds of processors", f"{busy:.1f}"],
        ["memory, GiB", f"{memory:.1f}"],
        ["bytes", f"{size:,}, {own:.3f} bits a voxel at {reached:.2f} dB"],
    ]
    values = np.ascontiguousarray(signal.values[..., 0], np.float32)
    for name, codec in (("zfp", zfp), ("SZ3", sz3)):
        theirs, at = at_psnr(codec, signal, values, psnr)
        count = round(theirs * signal.spec.samples / 8)
        rows.append([f"bytes of {name}", f"{count:,}, {theirs:.3f} bits at {at:.2f} dB"])
    extent = " x ".join(map(str, signal.shape[::-1]))
    note = f"{path.name}, {extent} voxels, to {psnr:g} dB. Measured by `benchmarks/volume.py` on {machine()}."
    return f"{table(['', ''], rows)}\n\n{note}"


def peaks(paths: list[Path], psnr: float) -> str:
    """Errors and bytes of fits to one PSNR, with either peak."""
    rows = []
    for path in paths:
        own = read(path)
        held = np.iinfo(own.spec.dtype)
        for name, span in (("its own", own.spec.value_range), (own.spec.dtype, (held.min, held.max))):
            signal = read(path, value_range=span)
            model = fit(signal, goal=Compact(psnr=psnr)).model
            values = render(model).reshape(signal.values.shape)
            error = np.sqrt(np.square(values.astype(np.float64) - signal.values).mean())
            rows.append([path.name, f"{name}, {span[0]:g} to {span[1]:g}", f"{error:.1f}"])
    note = f"Roots of the mean squared error of fits to {psnr:g} dB, in stored units."
    return f"{table(['', 'range', 'error'], rows)}\n\n{note} Measured by `benchmarks/volume.py`."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("volume", type=Path)
    parser.add_argument("--psnr", type=float, default=40.0)
    parser.add_argument("--scan", type=Path, nargs="+", default=[])
    parser.add_argument("--write", action="store_true", help="put the tables into docs/volumes.md")
    options = parser.parse_args()
    publish("volumes.md", "goal", goal(options.volume, options.psnr), options.write)
    if options.scan:
        publish("volumes.md", "peaks", peaks(options.scan, options.psnr), options.write)


if __name__ == "__main__":
    main()
