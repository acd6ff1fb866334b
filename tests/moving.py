"""Small videos, made by PyAV itself, for tests of what reads and writes them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy import ndarray


def moving(frames: int = 6, rows: int = 16, columns: int = 24, channels: int = 3) -> ndarray:
    """A bright square over a gradient that does not move."""
    ground = np.add.outer(np.arange(rows) * 5, np.arange(columns) * 3)
    values = np.broadcast_to(ground[None, ..., None], (frames, rows, columns, channels)).copy()
    for i in range(frames):
        values[i, 4:9, 2 * i : 2 * i + 5] = (240, 60, 120, 200)[:channels]
    return values.astype(np.uint8)


def film(
    path: Path,
    values: ndarray,
    *,
    codec: str = "ffv1",
    source: str = "rgb24",
    pixels: str = "bgr0",
    rate: Any = 25,
    times: list[int] | None = None,
    base: Fraction | None = None,
    aspect: Fraction | None = None,
    sound: bool = False,
    **options: str,
) -> Path:
    """A file of frames; `times` in units of `base`."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width, stream.pix_fmt = values.shape[1], values.shape[2], pixels
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if base is not None:
            stream.codec_context.time_base = stream.time_base = base
        heard: Any = container.add_stream("pcm_s16le", rate=8000) if sound else None
        for i, one in enumerate(values):
            frame = av.VideoFrame.from_ndarray(one, format=source)
            frame.pts = i if times is None else times[i]
            if base is not None:
                frame.time_base = base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if heard is not None:
            wave = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
            wave.sample_rate, wave.pts = 8000, 0
            container.mux(heard.encode(wave))
            container.mux(heard.encode())
    return path
