"""Other codecs of pictures: the bytes that they take for a quality.

Pillow encodes and decodes; a lossy codec's quality is found by bisection.
"""

from __future__ import annotations

import io
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import UInt8
from partinr.signals.metrics import psnr as psnr_of
from partinr.signals.signal import Signal
from partinr.signals.writing import writable_format

Pixels = UInt8[ndarray, "rows columns channels"]

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class Codec:
    """A lossy codec of pictures, as Pillow has it.

    Attributes:
        name: as people call it.
        format: as Pillow calls it.
        qualities: the least and the greatest that it takes.
        longest: pixels of a side at most.
        alpha: whether it keeps an alpha channel.
        settings: what it may be told besides; the one that takes fewest bytes for a quality is taken.
    """

    name: str
    format: str
    qualities: tuple[int, int]
    longest: int
    alpha: bool
    settings: tuple[Mapping[str, Any], ...]

    def encoded(self, pixels: Pixels, quality: int, setting: Mapping[str, Any]) -> bytes:
        """The picture as a file of this codec."""
        from PIL import Image

        file = io.BytesIO()
        _image(pixels, Image).save(file, self.format, quality=quality, **setting)
        return file.getvalue()

    def lacks(self, pixels: Pixels) -> str | None:
        """Why there is no such file of a picture; None if there is."""
        from PIL import Image, features

        Image.init()
        module = self.format.lower()
        known = module not in features.modules or features.check_module(module)
        if self.format not in Image.SAVE or not known:
            return f"this installation of Pillow has no {self.name}"
        if pixels.shape[2] == 4 and not self.alpha:
            return f"{self.name} has no alpha"
        if max(pixels.shape) > self.longest:
            return f"{self.name} has sides of at most {self.longest:,} pixels"
        return None


_HALVED, _WHOLE = {"subsampling": "4:2:0"}, {"subsampling": "4:4:4"}

JPEG = Codec(
    "JPEG",
    "JPEG",
    (1, 100),
    65_535,
    False,
    (
        {"optimize": True, **_HALVED},
        {"optimize": True, "progressive": True, **_HALVED},
        {"optimize": True, "progressive": True, **_WHOLE},
    ),
)
WEBP = Codec("WebP", "WEBP", (0, 100), 16_383, True, ({"method": 6, "exact": True},))
AVIF = Codec("AVIF", "AVIF", (0, 100), 65_535, True, (_HALVED, _WHOLE))

CODECS = (JPEG, WEBP, AVIF)
"""Lossy codecs that pictures are compared with."""


@dataclass(frozen=True)
class Coded:
    """What a codec makes of a picture.

    Attributes:
        codec: its name.
        bytes: that it takes for the PSNR asked for, interpolated between the two neighbouring qualities, in
            the logarithm; or those of its least quality if that is better already. None if there is no such
            file.
        psnr: in dB, of those bytes; infinite if nothing is lost.
        why: there is no such file, in words; None if there is.
    """

    codec: str
    bytes: int | None
    psnr: float | None
    why: str | None = None


def comparable(signal: Signal) -> bool:
    """Whether a signal is a picture of 8 bits, grey or RGB, with or without alpha: what all codecs hold."""
    spec = signal.spec
    return spec.dims == 2 and spec.dtype == "uint8" and spec.channels in _MODES


def beside(signal: Signal, psnr: float) -> list[Coded]:
    """A picture in PNG, which loses nothing, and in JPEG, WebP and AVIF at the same PSNR.

    Args:
        signal: a picture that is `comparable`; they hold the filling of what is missing, and are judged by
            what is there.
        psnr: in dB, with the signal's value range as the peak.

    Raises:
        InputError: it is no such picture.

    Example:
        >>> import numpy as np, partinr
        >>> ramp = np.linspace(0, 255, 4096).astype(np.uint8).reshape(64, 64)
        >>> [coded.codec for coded in beside(partinr.from_array(ramp), 40)]
        ['PNG', 'JPEG', 'WebP', 'AVIF']
    """
    if not comparable(signal):
        spec = signal.spec
        raise InputError(
            "codecs are compared on pictures of uint8 with 1, 3 or 4 channels, got "
            f"{spec.dtype} of {spec.dims} axes and {spec.channels} channels"
        )
    png = png_bytes(signal)
    return [Coded("PNG", png, math.inf), *(_coded(codec, signal, psnr) for codec in CODECS)]


def png_bytes(signal: Signal) -> int | None:
    """Size of the signal as a PNG; None if PNG cannot hold it."""
    try:
        png = writable_format("as.png", signal.shape, signal.spec)
    except InputError:
        return None
    with tempfile.TemporaryFile() as file:
        png.writer(file, [signal.values], signal.shape, signal.spec)
        return file.tell()


def decoded(payload: bytes, channels: int) -> Pixels:
    """The pixels of a picture's file.

    Args:
        payload: the file.
        channels: 1, 3 or 4; some codecs turn grey into colours, or leave out alpha where all is opaque.
    """
    from PIL import Image

    with Image.open(io.BytesIO(payload)) as image:
        pixels = np.asarray(image.convert(_MODES[channels]))
    return pixels.reshape(*pixels.shape[:2], channels)


def _coded(codec: Codec, signal: Signal, psnr: float) -> Coded:
    why = codec.lacks(signal.values)
    if why is not None:
        return Coded(codec.name, None, None, why)
    low, high = signal.spec.value_range

    def looked_at(quality: int, setting: Mapping[str, Any]) -> tuple[int, float]:
        payload = codec.encoded(signal.values, quality, setting)
        pixels = decoded(payload, signal.channels)
        return len(payload), psnr_of(signal.values, pixels, high - low, signal.importance())

    found = [
        _at_psnr(partial(looked_at, setting=setting), codec.qualities, psnr) for setting in codec.settings
    ]
    reached = [one for one in found if one[1] >= psnr]
    if not reached:
        best = max(one[1] for one in found)
        return Coded(codec.name, None, None, f"{codec.name} reaches {best:.2f} dB at most")
    return Coded(codec.name, *min(reached))


def _at_psnr(
    look: Callable[[int], tuple[int, float]], qualities: tuple[int, int], psnr: float
) -> tuple[int, float]:
    """Bytes at a PSNR, and that PSNR; of the greatest quality if that is lower, of the least if that is
    higher."""
    least, most = qualities
    below: tuple[int, float] | None = None
    above: tuple[int, float] | None = None
    # Below `least` all are too low, above `most` all high enough, as far as PSNR grows with the quality.
    while least <= most:
        quality = (least + most) // 2
        if below is not None and above is not None and math.isfinite(above[1]):
            # PSNR is nearly a line, which saves most looks.
            quality = least - 1 + round((most - least + 2) * (psnr - below[1]) / (above[1] - below[1]))
            quality = min(max(quality, least), most)
        found = look(quality)
        if found[1] < psnr:
            least, below = quality + 1, found
        else:
            most, above = quality - 1, found
    if below is None or above is None:
        return cast(tuple[int, float], below or above)
    share = (psnr - below[1]) / (above[1] - below[1]) if math.isfinite(above[1]) else 1.0
    size = math.exp((1 - share) * math.log(below[0]) + share * math.log(above[0]))
    return round(size), psnr


def _image(pixels: Pixels, module: Any) -> Any:
    return module.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels, _MODES[pixels.shape[2]])
