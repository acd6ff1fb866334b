"""Signals from every image that Pillow reads, and from 16-bit PNG without loss."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped, UInt16
from numpy import ndarray

from partinr.errors import InputError
from partinr.signals.array import signal_of
from partinr.signals.decoding import MAX_PIXELS, check_pixels, decoding, oriented
from partinr.signals.opencv import decode_pages
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

# Byte of a PNG that holds the bits per channel; the next holds the colour type (PNG specification, 11.2.2).
_PNG_DEPTH = 24
_PNG_GREY, _PNG_GREY_ALPHA = 0, 4

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
            header = _head(path, _PNG_DEPTH + 2) if image.format == "PNG" else b""
            if header[_PNG_DEPTH : _PNG_DEPTH + 1] == b"\x10":
                values = _deep_png(path, image, header[_PNG_DEPTH + 1])
            else:
                values = image_values(image)
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
        return np.array(_lab_to_rgb(image))
    return np.array(image if target == mode else image.convert(target))


def _keyed(
    values: UInt16[ndarray, "rows columns"], transparent: object
) -> UInt16[ndarray, "rows columns *channels"]:
    """Grey values, with a channel of alpha where one grey value is declared transparent."""
    if not isinstance(transparent, int):
        return values
    return np.stack([values, np.where(values == transparent, 0, 65535).astype(np.uint16)], axis=-1)


def _deep_png(path: Path, image: Image.Image, colour_type: int) -> UInt16[ndarray, "rows columns *channels"]:
    """The values of a 16-bit PNG, of which Pillow keeps 8 bits unless it is grey."""
    from PIL import Image

    if colour_type == _PNG_GREY:
        return image_values(image)
    # OpenCV writes about damaged files to standard error, so Pillow finds them first: `verify` checks the
    # checksums, `load` the compressed pixels.
    with Image.open(path) as whole:
        whole.verify()
    image.load()
    pages = decode_pages(path)
    if not pages or pages[0].dtype != np.uint16 or pages[0].shape[:2] != (image.height, image.width):
        raise ValueError("OpenCV cannot read this 16-bit PNG")
    values = pages[0]
    # OpenCV repeats grey three times where there is alpha.
    return values[:, :, [0, 3]] if colour_type == _PNG_GREY_ALPHA else values


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    """CIE L*a*b* in sRGB; Pillow's own `convert` does not know it."""
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert converted is not None
    return converted


def _head(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)
