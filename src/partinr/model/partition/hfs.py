"""Regions from HFS, the segmentation that the paper uses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy import ndarray

from partinr.errors import InputError, need
from partinr.model.partition.segmentation import Segmentation, grey_or_rgb
from partinr.shapes import Integer, UInt8
from partinr.signals.signal import Signal

# OpenCV looks for contact of segments in the interior of the image only, and reads past the end of an image
# of one row or column.
_LEAST_SIDE = 3
# OpenCV starts from superpixels of 8 x 8 pixels, numbered in 16 bits: all beyond silently become one.
_SUPERPIXEL = 8
_MOST_SUPERPIXELS = 1 << 16


@dataclass(frozen=True)
class HFS(Segmentation):
    """Regions along the edges of an image (PoS): OpenCV's HFS with its defaults, merged to `regions`.

    HFS sees 8-bit RGB: normalised values times 255, rounded; grey is repeated; of two and four channels the
    last is taken for alpha and ignored. Images of more than 65,536 blocks of 8 x 8 pixels, about 4.2
    megapixels, are segmented at a size reduced to that many (area average), and the label map is enlarged.

    Source: Liu et al., ICCV 2023, section 4.2 (PoS); Cheng, Liu, Hou, Bian, Torr, Hu, Tu, "HFS: Hierarchical
    Feature Selection for Efficient Image Segmentation", ECCV 2016.

    Example:
        >>> HFS(9).word
        'hfs:9'
    """

    name: ClassVar[str] = "hfs"

    def segments(self, signal: Signal) -> Integer[ndarray, "rows columns"]:
        """See `Segmentation.segments`; images only, and with OpenCV, which the extra `hfs` installs."""
        values = grey_or_rgb(signal, self.name)
        rgb = np.rint(np.clip(values, 0, 1) * np.float32(255)).astype(np.uint8)
        return _segment(_reduced(np.broadcast_to(rgb, (*signal.shape, 3))))


def _opencv() -> Any:
    """OpenCV with its contributed modules.

    Raises:
        InputError: it is not installed.
    """
    need("cv2", f"the rule {HFS.name}", extra="hfs")
    import cv2

    if not hasattr(cv2, "hfs"):
        raise InputError(
            f"the rule {HFS.name} needs OpenCV with its contributed modules, got OpenCV {cv2.__version__} "
            "without them; run: pip install opencv-contrib-python-headless"
        )
    return cv2


def _segment(rgb: UInt8[ndarray, "rows columns 3"]) -> Integer[ndarray, "rows columns"]:
    """OpenCV's labels, of an image padded where it is too small for OpenCV."""
    cv2 = _opencv()

    rows, columns = rgb.shape[:2]
    short = [(0, max(0, _LEAST_SIDE - side)) for side in (rows, columns)]
    bgr = np.ascontiguousarray(np.pad(rgb[:, :, ::-1], (*short, (0, 0)), mode="edge"))
    engine = cv2.hfs.HfsSegment.create(bgr.shape[0], bgr.shape[1])
    return np.asarray(engine.performSegmentCpu(bgr, False))[:rows, :columns]


def _reduced(rgb: UInt8[ndarray, "rows columns 3"]) -> UInt8[ndarray, "_ _ 3"]:
    """The image at about the largest size that OpenCV's numbers suffice for."""
    rows, columns = rgb.shape[:2]
    scale = min(1.0, math.sqrt(_MOST_SUPERPIXELS * _SUPERPIXEL**2 / (rows * columns)))
    size = rows, columns
    while math.prod(-(-max(side, _LEAST_SIDE) // _SUPERPIXEL) for side in size) > _MOST_SUPERPIXELS:
        size = max(1, int(rows * scale)), max(1, int(columns * scale))
        scale *= 0.99
    if size == (rows, columns):
        return rgb
    cv2 = _opencv()
    return np.asarray(cv2.resize(np.ascontiguousarray(rgb), size[::-1], interpolation=cv2.INTER_AREA))
