"""Regions from SLIC superpixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy import ndarray

from partinr.model.partition.segmentation import Segmentation, colours
from partinr.shapes import Integer
from partinr.signals.signal import Signal

# Colour distance against distance in space. Lab values reach 100, those of other channels 1.
_COMPACTNESS_LAB, _COMPACTNESS = 10.0, 0.1


@dataclass(frozen=True)
class SLIC(Segmentation):
    """Compact regions of like colour and like size: scikit-image's SLIC, merged to `regions`.

    Applies to signals of 1, 2 and 3 axes with any channels. Three channels are compared as CIE L*a*b*
    colours, others as they are; of two and four channels the last is taken for alpha and ignored.

    Source: Achanta, Shaji, Smith, Lucchi, Fua, Süsstrunk, "SLIC Superpixels Compared to State-of-the-Art
    Superpixel Methods", TPAMI 2012.

    Example:
        >>> SLIC(100).word
        'slic:100'
    """

    name: ClassVar[str] = "slic"

    def segments(self, signal: Signal) -> Integer[ndarray, "*shape"]:
        """See `Segmentation.segments`; applies to every signal."""
        from skimage.segmentation import slic

        values = colours(signal)
        if values.ndim == 2:
            values = values[np.newaxis]  # scikit-image takes no 1-D signals
        # It starts from a regular grid, which may have far fewer cells than asked for.
        for wanted in (self.regions, 2 * self.regions, 4 * self.regions):
            labels = slic(
                values,
                n_segments=wanted,
                compactness=_COMPACTNESS_LAB if values.shape[-1] == 3 else _COMPACTNESS,
                channel_axis=-1,
                start_label=0,
            )
            if labels.max() + 1 >= self.regions:
                break
        return np.asarray(labels).reshape(signal.shape)
