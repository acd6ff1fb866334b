"""What the image readers share: the limits and noise of foreign decoders, and EXIF orientation."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Shaped

MAX_PIXELS = 100_000_000
"""Pixels that an image may have unless the caller says otherwise, against decompression bombs."""

# Pillow's pixel limit and Python's warning filters belong to the process; two threads that set and restore
# them at the same time could leave them changed for good.
_PROCESS_SETTINGS = threading.Lock()

# Loggers of libraries that tell what is odd about a file.
_TALKATIVE = ("tifffile", "nibabel.global", "pydicom")

# Axes (row, column) to reverse for each EXIF orientation; 5 to 8 exchange rows and columns first.
_REVERSED: dict[int, tuple[int, ...]] = {
    1: (),
    2: (1,),
    3: (0, 1),
    4: (0,),
    5: (),
    6: (1,),
    7: (0, 1),
    8: (0,),
}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps to itself what libraries warn about odd files. Not to be nested."""
    with _PROCESS_SETTINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def decoding(path: Path, what: str) -> Iterator[None]:
    """Surrounds the calls of foreign image decoders. Not to be nested.

    Inside, Pillow's own pixel limit is lifted (ours is checked by `check_pixels`) and warnings and log lines
    about odd files go nowhere; outside, nothing has changed.

    Args:
        path: the file, for error messages.
        what: the kind of file ("a PNG image"), for error messages.

    Raises:
        InputError: in place of whatever a decoder raised.
    """
    from PIL import Image

    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    with quiet():
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        heard = [logger.disabled for logger in loggers]
        for logger in loggers:
            logger.disabled = True
        try:
            yield
        except (InputError, MemoryError):
            raise
        except (ImportError, NotImplementedError) as error:
            raise InputError(
                f"{path}: cannot be decoded as {what} ({_reason(error)}); save it in another compression"
            ) from error
        except Exception as error:
            # Damaged data make decoders raise anything: SyntaxError, struct.error, KeyError, ...
            raise InputError(
                f"{path}: cannot be decoded as {what} ({_reason(error)}); "
                "the file is damaged or of another kind"
            ) from error
        finally:
            for logger, disabled in zip(loggers, heard, strict=True):
                logger.disabled = disabled
            Image.MAX_IMAGE_PIXELS = limit


def _reason(error: Exception) -> str:
    # What libraries of C have to say comes with the file's name, which is known.
    said = getattr(error, "strerror", None) or str(error)
    return " ".join(said.split())[:200] or type(error).__name__


def check_pixels(
    path: Path, shape: tuple[int, ...], max_pixels: int | None, what: str = "image", sample: str = "pixel"
) -> None:
    """Refuse an image, or what else it is, by the size that its header states, before it is decoded.

    Args:
        path: the file, for error messages.
        shape: samples along each axis, without channels.
        max_pixels: the greatest number of pixels, all planes together; None for no limit.
        what: an image, or what else it is.
        sample: what it has in place of pixels.

    Raises:
        InputError: the image has no pixels or too many.
    """
    pixels, article = math.prod(shape), "an" if what[0] in "aeiou" else "a"
    size = " x ".join(map(str, shape))
    if pixels == 0:
        raise InputError(f"{path}: {article} {what} needs at least one {sample}, got {size}")
    if max_pixels is not None and pixels > max_pixels:
        raise InputError(
            f"{path}: {article} {what} may have at most {max_pixels:,} {sample}s, got {pixels:,} ({size}); "
            f"if you trust the file, pass --max-pixels {pixels} (in Python max_pixels={pixels}), or none for "
            "no limit"
        )


def oriented(
    values: Shaped[ndarray, "..."], orientation: object, row_axis: int = 0
) -> Shaped[ndarray, "..."]:
    """Values turned the way up that an EXIF orientation says; unknown orientations leave them as they are.

    Args:
        values: an array whose axes `row_axis` and `row_axis + 1` are rows and columns.
        orientation: the value of the EXIF tag 274, 1 to 8.

    Source: CIPA DC-008 (Exif 2.32), section 4.6.4, tag Orientation.
    """
    if not isinstance(orientation, int) or orientation not in _REVERSED:
        return values
    turned = values.swapaxes(row_axis, row_axis + 1) if orientation >= 5 else values
    for axis in _REVERSED[orientation]:
        turned = np.flip(turned, row_axis + axis)
    return turned
