"""Signals from every image that Pillow reads, and from PNG of every depth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped, UInt8, UInt16
from numpy import ndarray

from partinr.errors import InputError
from partinr.signals.array import signal_of
from partinr.signals.decoding import MAX_PIXELS, check_pixels, decoding, oriented
from partinr.signals.signal import Signal

if TYPE_CHECKING:
    from PIL import Image

# What each of Pillow's modes of 8 bits or less becomes. Premultiplied modes (La, RGBa) become straight alpha.
_CONVERTED = {
    "1": "L",
    "L": "L",
    "LA": "LA",
    "La": "LA",
    "P": "RGB",
    "PA": "RGBA",
    "RGB": "RGB",
    "RGBX": "RGB",
    "RGBA": "RGBA",
    "RGBa": "RGBA",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "HSV": "RGB",
    "LAB": "RGB",
}
_WITH_ALPHA = {"L": "LA", "RGB": "RGBA"}

_ORIENTATION = 274


def read_image(
    path: Path, *, value_range: tuple[float, float] | None = None, max_pixels: int | None = MAX_PIXELS
) -> Signal:
    """A signal from an image file: the first frame, turned as its EXIF orientation says.

    Grey, grey and alpha, RGB, and RGB and alpha keep their channels; palettes, CMYK, YCbCr, LAB and HSV
    become RGB; transparency of any form becomes a channel of alpha; 1-bit images become 0 and 255. 16-bit
    PNG, 16-bit grey and 32-bit images keep their data type; Pillow makes 8 bits of other 16-bit colour.

    Args:
        path: the file.
        value_range: lowest and highest possible value; None: what `default_range` says.
        max_pixels: greatest number of pixels, checked before decoding; None for no limit.

    Raises:
        InputError: not an image, a damaged or truncated one, or one above the limit.
    """
    from PIL import Image, UnidentifiedImageError

    with decoding(path, "an image"):
        try:
            image = Image.open(path)
        except UnidentifiedImageError:
            raise InputError(
                f"{path}: expected an image that Pillow reads, a TIFF or a NumPy .npy array, "
                "got something else; convert it to one of these"
            ) from None
        with image:
            check_pixels(path, (image.height, image.width), max_pixels)
            metadata: dict[str, Any] = {"format": image.format}
            frames = getattr(image, "n_frames", 1)
            if frames > 1:
                metadata["frames"] = frames
            values = _png_values(path) if image.format == "PNG" else image_values(image)
            # Asked after decoding: a PNG may state it behind the pixels, and a TIFF is turned by Pillow.
            values = oriented(values, image.getexif().get(_ORIENTATION))
    return signal_of(
        values, channel_axis=values.ndim == 3, value_range=value_range, kind="image", metadata=metadata
    )


def image_values(image: Image.Image) -> Shaped[ndarray, "rows columns *channels"]:
    """The values of an image of any mode, without turning it; no axis for a single channel."""
    image.load()
    mode = image.mode
    if mode == "F":
        return np.array(image, np.float32)
    if mode == "I" and image.format != "PPM":
        return np.array(image, np.int32)
    if mode == "I" or mode.startswith("I;16"):
        # Pillow reads 16-bit PGM as 32-bit integers scaled to 0..65535.
        return _keyed(np.array(image).astype(np.uint16), image.info.get("transparency"))
    if mode not in _CONVERTED:
        raise ValueError(f"unknown mode {mode}")
    target = _CONVERTED[mode]
    if image.has_transparency_data:
        target = _WITH_ALPHA.get(target, target)
    if mode == "LAB":
        return np.array(_lab_image_to_rgb(image))
    return np.array(image if target == mode else image.convert(target))


def _keyed(
    values: UInt16[ndarray, "rows columns"], transparent: object
) -> UInt16[ndarray, "rows columns *channels"]:
    """Grey values, with a channel of alpha where one grey value is declared transparent."""
    if not isinstance(transparent, int):
        return values
    return np.stack([values, np.where(values == transparent, 0, 65535).astype(np.uint16)], axis=-1)


def _png_values(path: Path) -> Shaped[ndarray, "rows columns *channels"]:
    """The values of a PNG of any depth, without turning it.

    Pillow keeps 8 bits of 16 unless they are grey, and compares a transparent grey of less than 8 bits with
    values that it has scaled already.
    """
    from imagecodecs import png_decode

    values: Shaped[ndarray, "rows columns *channels"] = png_decode(path.read_bytes())
    return values


def _lab_image_to_rgb(image: Image.Image) -> Image.Image:
    """CIE L*a*b* in sRGB; Pillow's own `convert` does not know it."""
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert converted is not None
    return converted


def lab_to_rgb(lab: UInt8[ndarray, "rows columns 3"]) -> UInt8[ndarray, "rows columns 3"]:
    """sRGB of CIE L*a*b* as TIFF stores it: L* of 0..255 for 0..100, a* and b* signed."""
    from PIL import Image

    rows, columns = lab.shape[:2]
    return np.array(_lab_image_to_rgb(Image.frombytes("LAB", (columns, rows), lab.tobytes())))
