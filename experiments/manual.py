"""What every experiment shares: pictures, figures, and what benchmarks have too (`benchmarks/tables.py`)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from partinr import Signal, from_array

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
from tables import DOCS, machine, publish, table

__all__ = ["DOCS", "figure", "machine", "photograph", "publish", "table"]


def photograph(path: Path | None, rows: int, columns: int, *, crop: bool = False) -> Signal:
    """A photograph of this size: scikit-image's astronaut without a path.

    Args:
        path: an image file.
        rows, columns: the size.
        crop: take the middle at its own resolution; otherwise the middle part of the same proportions is
            reduced.
    """
    from PIL import Image, ImageOps
    from skimage.data import astronaut

    image = Image.fromarray(astronaut()) if path is None else Image.open(path).convert("RGB")
    if crop:
        left, top = (image.width - columns) // 2, (image.height - rows) // 2
        made = image.crop((left, top, left + columns, top + rows))
    else:
        made = ImageOps.fit(image, (columns, rows), Image.Resampling.LANCZOS)
    return from_array(np.asarray(made), kind="image")


def figure(name: str, draw: Callable[[Any], None], size: tuple[float, float]) -> str:
    """Draw a figure into the manual's folder of figures; returns its path as pages of the manual name it.

    Args:
        name: of the file, without suffix.
        draw: is given a matplotlib figure.
        size: width and height in inches.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    drawn = Figure(figsize=size, layout="constrained", facecolor="white")
    draw(drawn)
    path = DOCS / "figures" / f"{name}.svg"
    path.parent.mkdir(exist_ok=True)
    # The same plot is the same file.
    with rc_context({"svg.hashsalt": name}):
        drawn.savefig(path, metadata={"Date": None})
    return f"figures/{path.name}"
