"""A function as an image that is served: what is said of it, and pictures of its parts."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.serve.asked import FORMATS, QUALITIES, Asked, Limits
from partinr.shapes import UInt8
from partinr.tiles.mosaic import Mosaic

TILE = 256
"""Width and height of the tiles that viewers are told to ask for."""

CONTEXT = "http://iiif.io/api/image/3/context.json"
PROFILE = "http://iiif.io/api/image/3/level2.json"

# What Pillow is told: quick encoders, as pictures are looked at once.
_ENCODED: dict[str, tuple[str, dict[str, Any]]] = {
    "jpg": ("JPEG", {"quality": 90, "subsampling": 0}),
    "png": ("PNG", {"compress_level": 3}),
    "webp": ("WEBP", {"quality": 85, "method": 2}),
    "gif": ("GIF", {}),
    "tif": ("TIFF", {}),
}
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


class TooSlowError(Exception):
    """A picture was not made in the time that there is for one."""


class Picture:
    """An image, and pictures of it.

    Args:
        name: the identifier.
        mosaic: a function of two axes and 1 to 4 channels.
        limits: of the pictures that are made.

    Raises:
        InputError: it is no such function.
    """

    def __init__(self, name: str, mosaic: Mosaic, limits: Limits) -> None:
        spec = mosaic.signal
        if spec.dims != 2 or spec.channels not in _MODES:
            raise InputError(
                f"{name}: pictures of two axes and 1 to 4 channels are served, got {spec.dims} axes and "
                f"{spec.channels} channels; render it to a file instead"
            )
        self.name, self.limits, self._mosaic = name, limits, mosaic.in_bytes().keeping_samples()
        height, width = spec.shape
        self.whole = width, height

    def info(self, address: str) -> dict[str, Any]:
        """What info.json says, for an image at an address."""
        width, height = self.whole
        factors = [1]
        while TILE * factors[-1] < max(self.whole):
            factors.append(2 * factors[-1])
        sizes = [(-(-width // k), -(-height // k)) for k in reversed(factors)]
        return {
            "@context": CONTEXT,
            "id": address,
            "type": "ImageService3",
            "protocol": "http://iiif.io/api/image",
            "profile": "level2",
            "width": width,
            "height": height,
            "maxWidth": self.limits.side,
            "maxHeight": self.limits.side,
            "maxArea": self.limits.area,
            "sizes": [{"width": w, "height": h} for w, h in sizes if self.limits.hold(w, h)],
            "tiles": [{"width": TILE, "height": TILE, "scaleFactors": factors}],
            "preferredFormats": ["jpg"],
            "extraFormats": [kind for kind in FORMATS if kind not in ("jpg", "png")],
            "extraQualities": [quality for quality in QUALITIES if quality != "default"],
            "extraFeatures": ["canonicalLinkHeader", "mirroring", "profileLinkHeader", "sizeUpscaling"],
        }

    def made(self, wanted: Asked, until: float, clock: Callable[[], float] = time.monotonic) -> bytes:
        """A picture's file.

        Args:
            wanted: what it shows.
            until: when it is no longer of use, by the clock.
            clock: tells the time.

        Raises:
            TooSlowError: it is that late.
            InputError: a tile of the store cannot be read.
        """
        left, top, width, height = wanted.region
        size = wanted.size[1], wanted.size[0]
        values = np.empty((*size, self._mosaic.signal.channels), np.uint8)
        first = 0
        for slab in self._mosaic.blocks(size, crop=((top, top + height), (left, left + width))):
            values[first : first + len(slab)] = slab
            first += len(slab)
            if clock() > until:
                raise TooSlowError
        if wanted.mirrored:
            values = values[:, ::-1]
        return encoded(np.rot90(values, -wanted.rotation // 90), wanted.quality, wanted.format)


def encoded(values: UInt8[ndarray, "rows columns channels"], quality: str, kind: str) -> bytes:
    """A picture's file, in one of `QUALITIES` and `FORMATS`."""
    from PIL import Image

    channels = values.shape[2]
    picture = Image.fromarray(np.ascontiguousarray(values[..., 0] if channels == 1 else values))
    if kind in ("jpg", "gif") and channels in (2, 4):
        # They have no alpha to speak of: what shows through is white.
        ground = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(ground, picture.convert("RGBA")).convert(_MODES[channels - 1])
    if quality in ("gray", "bitonal"):
        picture = picture.convert("LA" if picture.mode in ("LA", "RGBA") and quality == "gray" else "L")
    if quality == "bitonal":
        picture = picture.point(lambda value: 255 if value >= 128 else 0, mode="1")
    name, options = _ENCODED[kind]
    if kind in ("jpg", "webp") and picture.mode in ("1", "LA"):
        picture = picture.convert("L" if picture.mode == "1" else "RGBA")
    file = io.BytesIO()
    picture.save(file, name, **options)
    return file.getvalue()
