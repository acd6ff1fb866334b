"""What an evaluation of a start leaves: a table of every signal, and pictures of the way there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy import ndarray

from partinr.files import atomic_write
from partinr.meta.evaluation import Evaluation, Frames
from partinr.report.enlarging import side_by_side
from partinr.report.pictures import RGB, Picture, plane, repeated, to_rgb, write_rgb
from partinr.shapes import Shaped
from partinr.signals.metrics import psnr
from partinr.text import csv_table, utf8

# Pictures are enlarged to this many pixels, so that what is written above them has room.
_LEAST_WIDTH = 256


def write_scores(path: str | Path, evaluation: Evaluation) -> None:
    """Write the quality of every signal at every step as CSV: signal, start, step, psnr, ssim."""
    rows = [
        (one.signal, one.origin, one.step, f"{one.psnr:.4f}", None if one.ssim is None else f"{one.ssim:.6f}")
        for one in evaluation.scores
    ]
    with atomic_write(path) as file:
        file.write(utf8(csv_table(["signal", "start", "step", "psnr", "ssim"], rows)))


def write_frames(folder: Path, frames: Frames) -> Path:
    """Write one signal's way as a PNG: from the learned start above, from a random one below.

    Args:
        folder: where to; the file is called like the signal.
        frames: what the signal looked like.
    """

    def shown(values: Shaped[ndarray, "*shape channels"]) -> RGB:
        rgb = to_rgb(plane(values), frames.spec)
        return repeated(rgb, -(-_LEAST_WIDTH // rgb.shape[1]))

    rows = []
    for origin in ("learned", "random"):
        pictures = [Picture("original", shown(frames.original))]
        for (whose, step), values in frames.rendered.items():
            if whose == origin:
                low, high = frames.spec.value_range
                quality = psnr(frames.original, values, high - low)
                label = f"{origin}, {step}: {quality:.1f} dB"
                pictures.append(Picture(label, shown(values)))
        rows.append(side_by_side(pictures))
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    plain = re.sub(r"[^\w.-]+", "_", frames.name)
    path = folder / f"{plain}.png"
    write_rgb(path, np.concatenate(padded))
    return path
