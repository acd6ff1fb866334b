"""Signals from every image that Pillow reads, and from PNG of every depth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Shaped
from partinr.signals.array import signal_of
from partinr.signals.decoding import MAX_PIXELS, check_pixels, decoding, oriented
from partinr.signals.pillow import ORIENTATION, image_values
from partinr.signals.signal import Signal

if TYPE_CHECKING:
    pass


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
            values = oriented(values, image.getexif().get(ORIENTATION))
    return signal_of(
        values, channel_axis=values.ndim == 3, value_range=value_range, kind="image", metadata=metadata
    )


def _png_values(path: Path) -> Shaped[ndarray, "rows columns *channels"]:
    """The values of a PNG of any depth, without turning it.

    Pillow keeps 8 bits of 16 unless they are grey, and compares a transparent grey of less than 8 bits with
    values that it has scaled already.
    """
    from imagecodecs import png_decode

    values: Shaped[ndarray, "rows columns *channels"] = png_decode(path.read_bytes())
    return values
