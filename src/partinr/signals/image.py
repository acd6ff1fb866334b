"""Signals from every image that Pillow reads, and from PNG of every depth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Shaped
from partinr.signals.array import signal_of
from partinr.signals.decoding import MAX_PIXELS, check_pixels, decoding, oriented
from partinr.signals.kinds import unknown
from partinr.signals.pillow import ORIENTATION, image_values
from partinr.signals.signal import Signal
from partinr.signals.videos.animation import ANIMATED, SINGLE, ask, read_animation
from partinr.signals.videos.clip import WHOLE, Clip
from partinr.signals.videos.frames import NOTES

if TYPE_CHECKING:
    from PIL import Image


def read_image(
    path: Path,
    *,
    value_range: tuple[float, float] | None = None,
    max_pixels: int | None = MAX_PIXELS,
    clip: Clip = WHOLE,
) -> Signal:
    """A signal from an image file, turned as its EXIF orientation says; of an animated one, a video.

    Grey, grey and alpha, RGB, and RGB and alpha keep their channels; palettes, CMYK, YCbCr, LAB and HSV
    become RGB; transparency of any form becomes a channel of alpha; 1-bit images become 0 and 255. 16-bit
    PNG, 16-bit grey and 32-bit images keep their data type; Pillow makes 8 bits of other 16-bit colour.

    Args:
        path: the file.
        value_range: lowest and highest possible value; None: what `default_range` says.
        max_pixels: greatest number of pixels, checked before decoding; None for no limit.
        clip: which frames of an animation, or which of several pictures.

    Raises:
        InputError: not an image, a damaged or truncated one, one above the limit, or a file of several
            pictures of which none was named.
    """
    from PIL import Image, UnidentifiedImageError

    with decoding(path, "an image"):
        try:
            image = Image.open(path)
        except UnidentifiedImageError:
            raise unknown(path) from None
        with image:
            check_pixels(path, (image.height, image.width), max_pixels)
            metadata: dict[str, Any] = {"format": image.format}
            frames = getattr(image, "n_frames", 1)
            if frames > 1 and image.format in ANIMATED:
                return read_animation(path, image, clip, value_range=value_range, max_pixels=max_pixels)
            _choose(path, image, frames, clip, metadata)
            check_pixels(path, (image.height, image.width), max_pixels)
            values = _png_values(path) if image.format == "PNG" else image_values(image)
            # Asked after decoding: a PNG may state it behind the pixels, and a TIFF is turned by Pillow.
            values = oriented(values, image.getexif().get(ORIENTATION))
    return signal_of(
        values, channel_axis=values.ndim == 3, value_range=value_range, kind="image", metadata=metadata
    )


def _choose(path: Path, image: Image.Image, frames: int, clip: Clip, metadata: dict[str, Any]) -> None:
    """Go to the picture that is asked for, of a file that is no animation.

    Raises:
        InputError: there are several and none was named, it is not there, or times were named.
    """
    if clip.asked:
        raise InputError(f"{path}: is no animation; leave out start, stop and every")
    if clip.picture is not None and not 0 <= clip.picture < frames:
        raise clip.nothing(path, frames, 0.0)
    if frames == 1:
        return
    metadata["frames"] = frames
    if clip.picture is not None:
        image.seek(clip.picture)
    elif image.format not in SINGLE:
        raise ask(path, frames, "pictures")
    elif image.format == "MPO":
        metadata[NOTES] = [f"of {frames} pictures in the file, the first is read; --picture N names another"]


def _png_values(path: Path) -> Shaped[ndarray, "rows columns *channels"]:
    """The values of a PNG of any depth, without turning it.

    Pillow keeps 8 bits of 16 unless they are grey, and compares a transparent grey of less than 8 bits with
    values that it has scaled already.
    """
    from imagecodecs import png_decode

    values: Shaped[ndarray, "rows columns *channels"] = png_decode(path.read_bytes())
    return values
