"""Regions from Felzenszwalb and Huttenlocher's graph-based segmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy import ndarray

from partinr.model.partition.segmentation import Segmentation, grey_or_rgb
from partinr.shapes import Integer
from partinr.signals.signal import Signal

# The settings of scikit-image's own example; finer than the regions wanted, which merging makes of them.
_SCALE, _SIGMA, _LEAST_PIXELS = 100.0, 0.5, 50


@dataclass(frozen=True)
class Felzenszwalb(Segmentation):
    """Irregular regions along edges of an image: scikit-image's `felzenszwalb`, merged to `regions`.

    Grey or RGB images; alpha is ignored.

    Source: Felzenszwalb, Huttenlocher, "Efficient Graph-Based Image Segmentation", IJCV 2004.

    Example:
        >>> Felzenszwalb(9).word
        'felzenszwalb:9'
    """

    name: ClassVar[str] = "felzenszwalb"

    def segments(self, signal: Signal) -> Integer[ndarray, "rows columns"]:
        """See `Segmentation.segments`; images only."""
        from skimage.segmentation import felzenszwalb

        values = grey_or_rgb(signal, self.name)
        return np.asarray(
            felzenszwalb(values, scale=_SCALE, sigma=_SIGMA, min_size=_LEAST_PIXELS, channel_axis=-1)
        )
