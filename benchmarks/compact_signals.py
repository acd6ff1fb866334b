"""Sounds, volumes and films in compact files: bits a sample at equal PSNR beside other codecs.

    python benchmarks/compact_signals.py [--sounds FILE ...] [--volumes FILE ...] [--films FILE ...] [--write]

Sounds are read by soundfile, as 16 bits, beside FLAC, which loses nothing, and MP3 and Vorbis, which are made
for ears and not for PSNR: partinr is asked for the PSNR that each of them has. Volumes are those that partinr
reads, films are read by PyAV as grey frames, at most 64, which are stacked; no codec of films is compared, as
they know motion. Both stand beside zfp and SZ3 (PyPI zfpy, pysz) in single precision, with the greatest
tolerance that has the PSNR. partinr's bits are of whole files, its PSNR is of the file's rendering.
"""

from __future__ import annotations

import argparse
import io
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tables import machine, publish, table

from partinr import Compact, Signal, fit, from_array, load, read, render, save
from partinr.signals.metrics import psnr as psnr_of

LEVELS = (35.0, 40.0, 45.0)
FRAMES = 64
LOSSY = {
    "MP3, least": ("MP3", "MPEG_LAYER_III", 0.9),
    "MP3": ("MP3", "MPEG_LAYER_III", 0.5),
    "MP3, most": ("MP3", "MPEG_LAYER_III", 0.0),
    "Vorbis": ("OGG", "VORBIS", 0.5),
}
HEAD = ["", "PSNR", "codec", "its bits", "bits of partinr", "ratio", "s"]


def ours(signal: Signal, psnr: float) -> tuple[float, float, float]:
    """Bits a sample, PSNR of the rendered file, and seconds of the fit."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.inr"
        result = fit(signal, goal=Compact(psnr=psnr))
        save(result.model, path, store="auto", signal=signal)
        values = render(load(path)).reshape(signal.values.shape)
        return bits(path.stat().st_size, signal), distance(signal, values), result.seconds


def bits(size: int, signal: Signal) -> float:
    return 8 * size / signal.spec.samples


def distance(signal: Signal, values: Any) -> float:
    low, high = signal.spec.value_range
    return psnr_of(signal.values, values.reshape(signal.values.shape), high - low)


def row(name: str, signal: Signal, codec: str, size: float, psnr: float) -> list[str]:
    """A codec's bits at a PSNR, and partinr's at the same."""
    own, reached, seconds = ours(signal, psnr)
    short = "" if reached >= psnr else f" ({reached:.2f} dB)"
    return [
        name,
        f"{psnr:.2f}",
        codec,
        f"{size:.3f}",
        f"{own:.3f}{short}",
        f"{own / size:.2f}",
        f"{seconds:.1f}",
    ]


def sound(path: Path) -> list[list[str]]:
    """A sound's rows."""
    import soundfile

    values, rate = soundfile.read(path, always_2d=True)
    values = np.clip(np.rint(values * 32767), -32768, 32767).astype(np.int16)
    signal = from_array(values, channels_last=True)
    rows = []
    for name, (container, kind, level) in LOSSY.items():
        file = encoded(values, rate, container, kind, level)
        size = len(file.getvalue())
        heard, _ = soundfile.read(io.BytesIO(file.getvalue()), dtype="int16", always_2d=True)
        # Some pad the end.
        heard = np.pad(heard, ((0, max(0, len(values) - len(heard))), (0, 0)))[: len(values)]
        rows.append(row(path.name, signal, name, bits(size, signal), distance(signal, heard)))
    lossless = bits(len(encoded(values, rate, "FLAC", "PCM_16", None).getvalue()), signal)
    return [*rows, [path.name, "exact", "FLAC", f"{lossless:.3f}", "–", "–", "–"]]


def encoded(values: Any, rate: int, container: str, kind: str, level: float | None) -> io.BytesIO:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, values, rate, format=container, subtype=kind, compression_level=level)
    return file


def zfp(values: Any, tolerance: float) -> tuple[int, Any]:
    import zfpy

    payload = zfpy.compress_numpy(values, tolerance=tolerance)
    return len(payload), zfpy.decompress_numpy(payload)


def sz3(values: Any, tolerance: float) -> tuple[int, Any]:
    from pysz import sz, szConfig, szErrorBoundMode

    config = szConfig(values.shape)
    config.errorBoundMode = szErrorBoundMode.ABS
    config.absErrorBound = tolerance
    payload, _ = sz.compress(values, config)
    restored, _ = sz.decompress(payload, values.dtype, values.shape)
    return payload.size, restored


def grid(name: str, signal: Signal) -> list[list[str]]:
    """A volume's rows."""
    values = np.ascontiguousarray(signal.values[..., 0], np.float32)
    rows = []
    for psnr in LEVELS:
        for codec, made in (("zfp", zfp), ("SZ3", sz3)):
            size, reached = at_psnr(made, signal, values, psnr)
            rows.append(row(name, signal, codec, size, reached))
    return rows


def at_psnr(
    made: Callable[[Any, float], tuple[int, Any]], signal: Signal, values: Any, psnr: float
) -> tuple[float, float]:
    """Bits a sample and PSNR at the greatest tolerance that has at least a PSNR, of steps of a tenth of an
    octave."""
    low, high = signal.spec.value_range
    least, most = -200, 10  # tenths of octaves of the value range
    best = (math.inf, math.inf)
    while least <= most:
        middle = (least + most) // 2
        size, restored = made(values, (high - low) * 2.0 ** (middle / 10))
        # As the data are: clipped, and integers rounded.
        restored = signal.spec.quantise((restored.astype(np.float64) - low)[..., None] / (high - low))
        reached = distance(signal, restored)
        if reached >= psnr:
            best, least = (bits(size, signal), reached), middle + 1
        else:
            most = middle - 1
    return best


def film(path: Path) -> Signal:
    import av

    with av.open(str(path)) as container:
        frames = [
            f.to_ndarray(format="gray")
            for _, f in zip(range(FRAMES), container.decode(video=0), strict=False)
        ]
    return from_array(np.stack(frames))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for what in ("sounds", "volumes", "films"):
        parser.add_argument(f"--{what}", type=Path, nargs="+", default=[])
    parser.add_argument("--write", action="store_true", help="put the tables into docs/compact.md")
    options = parser.parse_args()
    found: dict[str, list[list[str]]] = {}
    if options.sounds:
        found["sounds"] = [line for path in options.sounds for line in sound(path)]
    for what, paths, opened in (("volumes", options.volumes, read), ("films", options.films, film)):
        if paths:
            found[what] = [line for path in paths for line in grid(path.name, opened(path))]
    for what, rows in found.items():
        note = f"Measured by `benchmarks/compact_signals.py` on {machine()}."
        publish("compact.md", what, f"{table(HEAD, rows)}\n\n{note}", options.write)


if __name__ == "__main__":
    main()
