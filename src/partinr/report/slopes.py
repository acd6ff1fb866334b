"""Pictures of derivatives, for formats that hold no fractions."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from partinr.model.derivatives import Rendered
from partinr.shapes import Float32, UInt8
from partinr.signals.signal import SignalSpec

_GREY = 128


class Picture(NamedTuple):
    """A derivative as a picture.

    Attributes:
        values: of the signal's channels, without one for opacity.
        scale: what black, grey and white stand for, as a phrase.
    """

    values: UInt8[ndarray, "*shape channels"]
    scale: str


def picture_spec(asked: Rendered) -> SignalSpec:
    """What describes the picture of a derivative: the signal's channels but for one of opacity, in 8 bits."""
    spec = asked.spec
    channels = spec.channels - (spec.kind in ("image", "video") and spec.channels in (2, 4))
    # What the file says of values holds no longer; times do.
    source = {name: told for name, told in spec.source.items() if name == "coordinates"}
    return replace(spec, channels=channels, dtype="uint8", value_range=(0.0, 255.0), source=source)


def picture_of(rendered: Float32[ndarray, "*shape channels"], asked: Rendered) -> Picture:
    """A derivative along an axis or a Laplacian around mid-grey, a gradient's length from black to white.

    The largest size in any channel becomes white, or black if it is negative.

    Args:
        rendered: the derivative, planes as channels one after another.
        asked: which derivative it is.
    """
    shown = picture_spec(asked).channels
    planes = rendered.reshape(*rendered.shape[:-1], -1, asked.spec.channels)[..., :shown]
    if asked.word == "gradient":
        sizes = np.sqrt((planes.astype(np.float64) ** 2).sum(axis=-2))
        zero, black = 0, "black 0"
    else:
        sizes = planes[..., 0, :].astype(np.float64)
        zero, black = _GREY, "black {:.3g}, grey 0"
    most = float(np.abs(sizes).max())
    values = np.rint(zero + sizes * ((255 - zero) / (most or 1.0))).astype(np.uint8)
    return Picture(values, f"{black.format(-most)}, white {most:.3g} {asked.unit}")
