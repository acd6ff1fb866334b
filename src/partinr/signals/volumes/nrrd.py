"""NRRD, with its data in the file or beside it, by pynrrd.

Source: teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError, need
from partinr.shapes import Float64
from partinr.signals.axes import Axis
from partinr.signals.decoding import decoding
from partinr.signals.signal import Signal
from partinr.signals.volumes.geometry import NAMES, described, flipped
from partinr.signals.volumes.scan import Wish, scan_signal

MAGIC = b"NRRD0"

# Kinds of axes over which nothing is resampled; "time" is one that is.
_CHANNELS = (
    *(
        "list",
        "vector",
        "covariant-vector",
        "normal",
        "scalar",
        "complex",
        "2-vector",
        "3-color",
        "RGB-color",
    ),
    *("4-color", "RGBA-color", "3-vector", "3-gradient", "3-normal", "4-vector", "quaternion", "HSV-color"),
)
# Spaces by their first two directions: how many of the world's rows must change their sign.
_LEFT = ("left-posterior-superior", "LPS")
_RIGHT = ("right-anterior-superior", "RAS", "3D-right-handed", "scanner-xyz")


def read_nrrd(path: Path, wish: Wish) -> Signal:
    """A signal from an NRRD file: 1 to 3 axes of samples, in their order from behind, and one of channels.

    Raises:
        InputError: pynrrd is not there; a damaged or truncated file; one above the limit; several volumes of
            which none was named; axes that are no scan's.
    """
    need("nrrd", "reading NRRD", "volumes")
    import nrrd

    with decoding(path, "an NRRD file"), path.open("rb") as file:
        header: dict[str, Any] = dict(nrrd.read_header(file))
        # From the slowest axis to the fastest, as arrays have them.
        sizes = [int(n) for n in header["sizes"]][::-1]
        kinds = [str(k) for k in header.get("kinds", ["domain"] * len(sizes))][::-1]
        if len(kinds) != len(sizes):
            raise InputError(f"{path}: {len(sizes)} axes need as many kinds, got {len(kinds)}")
        channels = [i for i, kind in enumerate(kinds) if kind in _CHANNELS]
        space = [i for i in range(len(sizes)) if i not in channels]
        if len(channels) > 1 or not 1 <= len(space) <= 4:
            raise InputError(f"{path}: a signal has 1 to 3 axes and channels, got axes of the kinds {kinds}")
        several = space[0] if len(space) == 4 else None
        wish.check(path, [n for i, n in enumerate(sizes) if i != several])
        chosen = None if several is None else wish.chosen(path, sizes[several])
        if several is None:
            wish.chosen(path, 1)
        values: Any = nrrd.read_data(header, file, str(path), index_order="C")
        order = [i for i in (several, *space[-3:], *channels) if i is not None]
        values = values.transpose(order)
        if chosen is not None:
            values = values[chosen]
        axes, geometry = _placed(header, len(sizes), space[-3:])
    scale = {
        name: _text_number(header.get(key)) for name, key in (("slope", "slope"), ("intercept", "intercept"))
    }
    source = {
        "format": "NRRD",
        **geometry,
        **{name: number for name, number in scale.items() if number is not None},
        "value_unit": header.get("sample units"),
        "content": header.get("content"),
    }
    return scan_signal(values, wish, channel_axis=bool(channels), axes=axes, source=source)


def _placed(
    header: dict[str, Any], count: int, space: list[int]
) -> tuple[tuple[Axis, ...] | None, dict[str, Any]]:
    """Axes and geometry; `space` has the positions of the signal's axes, counted from the slowest."""
    units = [str(u) for u in header.get("space units", [])]
    directions = header.get("space directions")
    if directions is not None:
        own = [np.asarray(directions[count - 1 - i], np.float64) for i in space]
        if all(d.shape == (3,) and np.isfinite(d).all() for d in own) and len(own) == 3:
            origin = np.asarray(header.get("space origin", np.zeros(3)), np.float64)
            affine = np.column_stack([*own[::-1], np.where(np.isfinite(origin), origin, 0)])
            return described(_world(affine, str(header.get("space", ""))), units[0] if units else "mm")
        lengths = [float(np.linalg.norm(d)) if np.isfinite(d).all() else math.nan for d in own]
    else:
        found = header.get("spacings", [math.nan] * count)
        lengths = [float(found[count - 1 - i]) for i in space]
        units = [str(u) for u in header.get("units", [])]
    if not any(math.isfinite(n) for n in lengths):
        return None, {}
    firsts = header.get("axis mins", [math.nan] * count)
    axes = []
    for i, name, length in zip(space, NAMES[-len(space) :], lengths, strict=True):
        at = count - 1 - i
        first = float(firsts[at])
        unit = units[at] if len(units) == count else units[0] if units else ""
        axes.append(
            Axis(name, unit, length if math.isfinite(length) else 1.0, first if math.isfinite(first) else 0.0)
        )
    return tuple(axes), {}


def _world(affine: Float64[ndarray, "3 4"], space: str) -> Float64[ndarray, "3 4"]:
    """An affine of a named space as one to the right, to the front and up."""
    if space in _LEFT:
        return flipped(affine)
    if space in ("left-anterior-superior", "LAS"):
        mirrored = affine.copy()
        mirrored[0] = -mirrored[0] + 0.0
        return mirrored
    if space not in ("", *_RIGHT):
        raise InputError(f"the space {space} of an NRRD file is not known; known are LPS, RAS and LAS")
    return affine


def _text_number(value: object) -> float | None:
    """A number that programs write as a key and a value of their own."""
    try:
        return None if value is None else float(str(value))
    except ValueError:
        return None
