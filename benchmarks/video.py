"""A video to 35 dB: seconds from file to file, memory, and bytes beside its own file and other codecs.

    python benchmarks/video.py VIDEO [--psnr DB] [--write]

Seconds are those of reading, fitting and writing, of one run; those of processors are of all threads.
H.264 (x264, preset medium, a key frame at the beginning), VP9 and Motion JPEG are asked for the quality that
has the PSNR or just above it, with colours halved as they usually are; their PSNR is that of RGB, as that of
partinr. The original's file is a compressed one: what is fitted is what it decodes to. A second table has
what background that does not move costs: a frame alone, and the same frame again and again; a third one what
boxes of other sides cost.
"""

from __future__ import annotations

import argparse
import io
import resource
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from tables import machine, publish, table

from partinr import Axis, Compact, Signal, fit, from_array, read, save
from partinr.file.compact_inr import compact_size
from partinr.model.rendering import Quality
from partinr.model.spectra import Sides

GOAL_SECONDS, GOAL_MEMORY = 60, 2.0
# Options of FFmpeg's encoders, with the number that is the quality left open, from the best to the worst.
CODECS: dict[str, tuple[str, str, str, range, dict[str, str]]] = {
    "H.264": ("libx264", "mp4", "crf", range(4, 45), {"preset": "medium", "g": "250"}),
    "VP9": ("libvpx-vp9", "webm", "crf", range(4, 63), {"b": "0", "cpu-used": "3", "row-mt": "1"}),
    "Motion JPEG": ("mjpeg", "matroska", "qscale", range(1, 32), {}),
}
REPEATED = (1, 10, 50)
# Roots' and leaves' sides in samples, the usual ones among them, and the part that they are tried on.
SIDES, PART = ((8, 2), (16, 2), (16, 4), (32, 2)), (64, 272, 320)


def coded(values: Any, rate: float, codec: str, quality: int) -> tuple[int, float]:
    """Bytes and PSNR of a codec at a quality."""
    import av

    name, container, option, _, options = CODECS[codec]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        given = {} if option == "qscale" else {option: str(quality)}
        stream: Any = out.add_stream(name, rate=round(rate), options={**options, **given})
        stream.height, stream.width = values.shape[1:3]
        stream.pix_fmt = "yuvj420p" if option == "qscale" else "yuv420p"
        if option == "qscale":
            stream.codec_context.qmin = stream.codec_context.qmax = quality
        for frame in values:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode())
    size = len(file.getvalue())
    file.seek(0)
    with av.open(file) as again:
        total = sum(
            float(np.square(found.to_ndarray(format="rgb24").astype(np.float32) - values[i]).sum())
            for i, found in enumerate(again.decode(video=0))
        )
    return size, 10 * np.log10(255**2 * values.size / total)


def at_psnr(values: Any, rate: float, codec: str, psnr: float) -> tuple[int, float]:
    """Bytes and PSNR at the worst quality that has at least a PSNR."""
    qualities = CODECS[codec][3]
    least, most, best = 0, len(qualities) - 1, (0, 0.0)
    while least <= most:
        middle = (least + most) // 2
        size, reached = coded(values, rate, codec, qualities[middle])
        if reached >= psnr:
            best, least = (size, reached), middle + 1
        else:
            most = middle - 1
    return best


def goal(path: Path, psnr: float) -> str:
    with tempfile.TemporaryDirectory() as folder:
        marks, before = [time.perf_counter()], time.process_time()
        signal = read(path)
        marks.append(time.perf_counter())
        result = fit(signal, goal=Compact(psnr=psnr))
        marks.append(time.perf_counter())
        known = Quality(result.psnr, result.ssim)
        saved = save(result.model, Path(folder) / "a.inr", store="auto", signal=signal, measured=known)
        marks.append(time.perf_counter())
        spent = time.process_time() - before
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    read_in, fitted, written = np.diff(marks).tolist()
    assert saved.psnr is not None
    assert signal.spec.axes is not None
    rows = [
        [
            f"seconds, at most {GOAL_SECONDS}",
            f"{marks[-1] - marks[0]:.1f}: {read_in:.1f} to read, {fitted:.1f} to fit, {written:.1f} to write",
        ],
        ["seconds of processors", f"{spent:.1f}"],
        [f"memory, GiB, at most {GOAL_MEMORY:g}", f"{memory:.2f}"],
        ["bytes", f"{saved.bytes:,} at {saved.psnr:.2f} dB"],
        ["bytes of the video itself", f"{path.stat().st_size:,}"],
    ]
    del result
    rate = 1 / signal.spec.axes[0].spacing
    for codec in CODECS:
        size, reached = at_psnr(signal.values, rate, codec, psnr)
        rows.append([f"bytes of {codec}", f"{size:,} at {reached:.2f} dB" if size else "does not reach it"])
    extent = " x ".join(map(str, signal.shape))
    note = f"{path.name}, {extent} samples, to {psnr:g} dB. Measured by `benchmarks/video.py` on {machine()}."
    return f"{table(['', ''], rows)}\n\n{note}"


def still(path: Path, psnr: float) -> str:
    """What frames that are all the same cost."""
    frames, rows = read(path).values, []
    middle = len(frames) // 2
    for count in REPEATED:
        values = np.repeat(frames[middle : middle + 1], count, axis=0)
        axes = [Axis("t", "s", 0.04), Axis("y"), Axis("x")]
        signal: Signal = from_array(values, kind="video", axes=axes)
        with tempfile.TemporaryDirectory() as folder:
            made = fit(signal, goal=Compact(psnr=psnr)).model
            saved = save(made, Path(folder) / "a.inr", store="auto", signal=signal)
        rows.append([f"{count}", f"{saved.bytes:,}", f"{saved.bytes / count:,.0f}"])
    note = f"The middle frame of {path.name}, to {psnr:g} dB. Measured by `benchmarks/video.py`."
    return f"{table(['times', 'bytes', 'bytes a frame'], rows)}\n\n{note}"


def sides(path: Path, psnr: float) -> str:
    """Bytes of a part with other sides of roots and leaves than the usual ones."""
    values = read(path).values
    frames, rows, columns = (min(n, most) for n, most in zip(values.shape[:3], PART, strict=True))
    part = np.ascontiguousarray(values[:frames, :rows, :columns])
    lines = []
    for root, least in SIDES:
        found = Sides(root, least)
        with patch.object(Sides, "usual", lambda _, found=found: found):
            model = fit(from_array(part, kind="video"), goal=Compact(psnr=psnr)).model
        lines.append([f"{least} to {root}", f"{compact_size(model):,}"])
    where = f"{frames} x {rows} x {columns} samples of {path.name}"
    note = f"{where}, to {psnr:g} dB. Measured by `benchmarks/video.py`."
    return f"{table(['sides of boxes', 'bytes'], lines)}\n\n{note}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--psnr", type=float, default=35.0)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/video.md")
    options = parser.parse_args()
    publish("video.md", "goal", goal(options.video, options.psnr), options.write)
    publish("video.md", "still", still(options.video, options.psnr), options.write)
    publish("video.md", "sides", sides(options.video, options.psnr), options.write)


if __name__ == "__main__":
    main()
