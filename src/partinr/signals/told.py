"""What a spec says beside its numbers, as a JSON object for files that have no place of their own for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, get_args

import numpy as np

from partinr.errors import InputError
from partinr.signals.axes import MOST_SOURCE, Axis
from partinr.signals.signal import Kind, Signal, SignalSpec

MOST_TOLD = 4 * MOST_SOURCE
"""Bytes of such an object."""


def told(spec: SignalSpec) -> dict[str, Any]:
    """What an array does not say of its spec; empty where it says all."""
    if spec.axes is None and not spec.source and spec.kind in ("array", "image"):
        return {}
    axes = None if spec.axes is None else [asdict(axis) for axis in spec.axes]
    return {
        "kind": spec.kind,
        "channel_axis": spec.channel_axis,
        "value_range": list(spec.value_range),
        "axes": axes,
        "source": dict(spec.source),
    }


def heard(text: bytes) -> dict[str, Any]:
    """What `told` said, from its JSON.

    Raises:
        InputError: it is no object.
    """
    if len(text) > MOST_TOLD:
        raise InputError(f"what is said of a signal must be at most {MOST_TOLD:,} bytes, got more; remove it")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"what is said of a signal must be JSON: {error}") from error
    if not isinstance(found, dict):
        raise InputError("what is said of a signal must be a JSON object; remove it from the file")
    return found


def integer_range(found: Mapping[str, Any], dtype: np.dtype[Any]) -> tuple[float, float] | None:
    """The value range of integers, which hold to it; None of floating-point numbers, which need not."""
    span = found.get("value_range")
    if dtype.kind not in "iu" or not isinstance(span, list) or len(span) != 2:
        return None
    return (float(span[0]), float(span[1])) if all(isinstance(x, int | float) for x in span) else None


def with_told(signal: Signal, found: Mapping[str, Any]) -> Signal:
    """A signal with what `told` said of it.

    Raises:
        InputError: it is no such object.
    """
    kind, axes, source = found.get("kind"), found.get("axes"), found.get("source")
    listed = axes is None or (isinstance(axes, list) and all(isinstance(axis, dict) for axis in axes))
    if kind not in get_args(Kind) or not listed or not isinstance(source, dict):
        raise InputError(
            "what is said of a signal must have a kind, axes and a source; remove it from the file"
        )
    try:
        placed = None if axes is None else tuple(Axis(**axis) for axis in axes)
    except TypeError as error:
        raise InputError(f"an axis has a name, a unit, a spacing and an origin: {error}") from error
    meant: Any = kind
    spec = replace(signal.spec, kind=meant, axes=placed, source=source)
    return replace(signal, spec=spec)
