"""Label maps in a few bytes: how an .inr file keeps a partition that is not made of boxes."""

from __future__ import annotations

import math
import zlib

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Int, Int32, Shaped, UInt8

# Deflate makes at most 1032 bytes of one; the constant covers its header and checksum.
_LARGEST_EXPANSION, _OVERHEAD = 1032, 64


def compress(labels: Int[ndarray, "*shape"], regions: int) -> UInt8[ndarray, " bytes"]:
    """Deflate the differences to the previous sample along the first axis.

    In a picture that is the pixel above: most differences are zero, and vertical boundaries vanish.

    Args:
        labels: region of each sample, 0..regions-1.
        regions: number of regions; decides the bytes a label.
    """
    steps = labels.astype(_label_type(regions))
    steps[1:] -= steps[:-1].copy()  # modulo 2^8, 2^16 or 2^32
    return np.frombuffer(zlib.compress(steps.tobytes(), 9), np.uint8)


def decompress(
    packed: UInt8[ndarray, " bytes"], shape: tuple[int, ...], regions: int
) -> Int32[ndarray, "*shape"]:
    """The label map that `compress` was given; never makes more bytes than `shape` needs.

    Raises:
        InputError: the stream is damaged, or holds more or fewer samples than `shape`.
    """
    dtype = _label_type(regions)
    size = math.prod(shape) * dtype.itemsize
    if size > _LARGEST_EXPANSION * packed.size + _OVERHEAD:
        raise InputError(f"a label map of {packed.size} bytes cannot hold {math.prod(shape)} samples")
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(packed.tobytes(), size + 1)
    except zlib.error as error:
        raise InputError(f"the label map is damaged: {error}") from error
    if len(raw) != size or not inflater.eof or inflater.unused_data:
        raise InputError(f"the label map must hold {size} bytes and nothing else, it has {len(raw)} or more")
    steps: Shaped[ndarray, "*shape"] = np.frombuffer(raw, dtype).reshape(shape)
    return np.cumsum(steps, axis=0, dtype=dtype).astype(np.int32)


def _label_type(regions: int) -> np.dtype[np.unsignedinteger]:
    """Little-endian unsigned numbers, as wide as the largest label needs."""
    return np.dtype("<u1" if regions <= 1 << 8 else "<u2" if regions <= 1 << 16 else "<u4")
