"""The values of Pillow's pictures, of any of its modes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from partinr.shapes import Shaped, UInt8, UInt16
from partinr.signals.decoding import decoding, oriented

if TYPE_CHECKING:
    from PIL import Image

ORIENTATION = 274
"""Number of the EXIF tag Orientation."""

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


def is_picture(values: object) -> bool:
    """Whether something is a picture of Pillow's, found out without importing Pillow."""
    return any(cls.__module__ == "PIL.Image" and cls.__name__ == "Image" for cls in type(values).__mro__)


def picture_values(image: Image.Image) -> tuple[Shaped[ndarray, "rows columns *channels"], dict[str, Any]]:
    """The values of a picture in memory, turned as its EXIF orientation says, and what else is known of it.

    Raises:
        InputError: the picture cannot be decoded, or has a mode that is not known.
    """
    name = getattr(image, "filename", "") or "the picture"
    metadata: dict[str, Any] = {} if image.format is None else {"format": image.format}
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        metadata["frames"] = frames
    with decoding(Path(name), "an image"):
        values = image_values(image)
        return oriented(values, image.getexif().get(ORIENTATION)), metadata


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
