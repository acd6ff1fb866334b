"""What every experiment shares: pictures, the machine, and the places in the manual for what was found."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from partinr import Signal, from_array

DOCS = Path(__file__).parent.parent / "docs"


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


def machine() -> str:
    """The processor, the number of cores and the versions that seconds belong to."""
    import torch

    cpuinfo = Path("/proc/cpuinfo")
    match = re.search(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.exists() else None
    model = match[1] if match else platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores, Python {platform.python_version()}, torch {torch.__version__}"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table whose first column names its rows."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def publish(page: str, name: str, text: str) -> None:
    """Print a result; if the page has the marks `<!-- name -->` and `<!-- /name -->`, put it between them."""
    print(f"\n{text}")
    path = DOCS / page
    place = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL)
    content = path.read_text(encoding="utf-8")
    path.write_text(place.sub(lambda match: f"{match[1]}\n{text}\n\n{match[2]}", content), encoding="utf-8")


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
