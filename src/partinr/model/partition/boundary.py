"""Where regions meet, for drawing them."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from partinr.shapes import Bool, Integer


def boundaries(labels: Integer[ndarray, "*shape"]) -> Bool[ndarray, "*shape"]:
    """Samples whose next sample along some axis (the one below, to the right) belongs to another region.

    Lines are one sample wide, and lie within the region that is above or to the left.

    Args:
        labels: region of each sample, as in `Partition.label_map`.

    Example:
        >>> import numpy as np
        >>> boundaries(np.array([0, 0, 1, 1, 2]))
        array([False,  True, False,  True, False])
    """
    found = np.zeros(labels.shape, bool)
    for axis in range(labels.ndim):
        here, following = np.moveaxis(labels, axis, 0)[:-1], np.moveaxis(labels, axis, 0)[1:]
        np.moveaxis(found, axis, 0)[:-1] |= here != following
    return found
