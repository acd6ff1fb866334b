"""Images of more than 8 bits through OpenCV, which keeps every bit where Pillow does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray


def decode_pages(path: Path) -> list[Shaped[ndarray, "rows columns *channels"]]:
    """The pages of an image file with colours in the order red, green, blue, alpha; none if OpenCV cannot.

    OpenCV turns TIFF as its orientation says, and PNG not. The file is read here, so that its name may hold
    any character.
    """
    import cv2

    data = np.fromfile(path, np.uint8)
    # Its place differs between OpenCV 4 and 5.
    log: Any = getattr(cv2.utils, "logging", cv2)
    level = log.getLogLevel()
    log.setLogLevel(0)
    try:
        done, pages = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED)
    finally:
        log.setLogLevel(level)
    return [_rgb(np.asarray(page)) for page in pages] if done else []


def _rgb(values: Shaped[ndarray, "rows columns *channels"]) -> Shaped[ndarray, "rows columns *channels"]:
    """The order of OpenCV, blue, green, red, turned round."""
    if values.ndim == 3 and values.shape[2] in (3, 4):
        return values[:, :, [2, 1, 0, 3][: values.shape[2]]]
    return values
