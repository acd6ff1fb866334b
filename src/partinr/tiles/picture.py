"""Large PNG and JPEG pictures: decoded once, a few rows at a time, into a file of which windows are read."""

from __future__ import annotations

import shutil
import struct
import tempfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy import ndarray

from partinr.errors import InputError, need
from partinr.shapes import Shaped
from partinr.signals.decoding import MAX_PIXELS, decoding
from partinr.signals.pillow import ORIENTATION
from partinr.signals.signal import SignalSpec
from partinr.tiles.source import Source, Span, Window, plain_spec

# Bytes of values from which on a picture is not decoded as a whole, and rows that are decoded at once: with
# many more libvips takes several times as long.
_LARGE, _ROWS = 1 << 28, 64
# Channels by colour type of PNG, and by Pillow's modes of JPEG.
_CHANNELS, _CHANNELS_OF_MODE = {0: 1, 2: 3, 4: 2, 6: 4}, {"L": 1, "RGB": 3}
# Parts of a PNG that change what its pixels mean: a transparent colour, an animation.
_CHANGING = (b"tRNS", b"acTL")


class PictureSource(Source[BinaryIO]):
    """A picture that is decoded row after row, into a file without a name that goes with this process.

    Args:
        path: the file.
        spec: what it represents.
        identity: of the file, see `Source.identity`.
        scratch: folder on whose disk the values are kept; None for that of temporary files.
    """

    shared = False

    def __init__(self, path: Path, spec: SignalSpec, identity: dict[str, Any], scratch: Path | None) -> None:
        super().__init__(str(path), spec, ranged=True)
        self._path, self._identity, self._scratch = path, identity, scratch

    def identity(self) -> dict[str, Any]:
        """See `Source.identity`; it has been read when it changes."""
        return self._identity

    def _open(self) -> BinaryIO:
        need("pyvips", "reading a picture in parts", "vips")
        import pyvips

        spec, folder = self.spec, self._scratch or Path(tempfile.gettempdir())
        row = spec.shape[1] * spec.channels * np.dtype(spec.dtype).itemsize
        size, free = spec.shape[0] * row, shutil.disk_usage(folder).free
        if size > free:
            raise InputError(
                f"{self._path}: while it is fitted, its pixels take {size:,} bytes on the disk of {folder}, "
                f"and {free:,} are free; choose another disk for the store"
            )
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - `close` closes it
        self._shut = file.close
        with decoding(self._path, "an image"):
            image = pyvips.Image.new_from_file(str(self._path), access="sequential", fail_on="error")
            found = (image.height, image.width, image.bands, {"uchar": 1, "ushort": 2}.get(image.format))
            if found != (*spec.shape, spec.channels, np.dtype(spec.dtype).itemsize):
                raise ValueError(f"another picture than its header says: {found}")
            region = pyvips.Region.new(image)
            for top in range(0, image.height, _ROWS):
                file.write(region.fetch(0, top, image.width, min(_ROWS, image.height - top)))
        file.flush()
        return file

    def _values(self, window: Window) -> Shaped[ndarray, "*shape channels"]:
        # Mapped anew, so that what has been read does not count as this process' memory for good.
        shape = (*self.spec.shape, self.spec.channels)
        return np.array(np.memmap(self.handle, self.spec.dtype, "r", shape=shape)[window])


def picture_in_parts(path: Path, value_range: Span | None) -> SignalSpec | None:
    """What a large picture represents; None of one that is read as a whole.

    Those are all whose pixels are not the signal's, row by row: palettes, transparent colours, CMYK, pictures
    that are turned, interlaced or progressive, animations.

    Raises:
        InputError: it is too large to be read as a whole, and pyvips is not there.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with decoding(path, "an image"), Image.open(path) as image:
            size, mode, name = (image.height, image.width), image.mode, image.format
            channels, dtype = 0, "uint8"
            # Of a PNG, Pillow would decode all to say how it is turned.
            if name == "PNG":
                channels, dtype = _png_samples(path)
            elif name == "JPEG" and not image.info.get("progressive"):
                upright = image.getexif().get(ORIENTATION, 1) == 1
                channels = _CHANNELS_OF_MODE.get(mode, 0) if upright else 0
    except (InputError, UnidentifiedImageError):
        return None  # `read` says what is wrong with it
    if not channels or size[0] * size[1] * channels * np.dtype(dtype).itemsize < _LARGE:
        return None
    if find_spec("pyvips") is None and size[0] * size[1] <= MAX_PIXELS:
        return None
    need("pyvips", f"reading a picture of {size[0] * size[1]:,} pixels in parts", "vips")
    shape = size if channels == 1 else (*size, channels)
    return replace(plain_spec(shape, np.dtype(dtype), channels > 1, value_range), kind="image")


def _png_samples(path: Path) -> tuple[int, str]:
    """Channels of a PNG, 0 where its pixels are not to be taken as they stand, and the type of values."""
    from PIL import Image

    with path.open("rb") as file:
        head = file.read(33)
        depth, colour, _, _, interlaced = struct.unpack_from(">5B", head, 24)
        file.seek(8)
        while len(chunk := file.read(8)) == 8:
            length = int.from_bytes(chunk[:4], "big")
            if chunk[4:] == b"eXIf":
                exif = Image.Exif()
                exif.load(file.read(length))
                if exif.get(ORIENTATION, 1) != 1:
                    return 0, "uint8"
                length = 0
            if chunk[4:] in _CHANGING:
                return 0, "uint8"
            file.seek(length + 4, 1)  # and its checksum
    return 0 if interlaced else _CHANNELS.get(colour, 0), "uint16" if depth == 16 else "uint8"
