"""How well a file reproduces a signal."""

from __future__ import annotations

from typing import NamedTuple

import partinr


class Quality(NamedTuple):
    """PSNR in dB, and structural similarity where the signal is large enough for it."""

    psnr: float
    ssim: float | None


def quality(model: partinr.PiecewiseINR, signal: partinr.Signal) -> Quality:
    """Compare the rendering of a model at its own size with a signal of the same shape."""
    low, high = model.signal.value_range
    rendered = partinr.render(model).reshape(signal.values.shape)
    return Quality(
        partinr.psnr(signal.values, rendered, high - low), partinr.ssim(signal.values, rendered, high - low)
    )
