"""What decides a fit's result, for checkpoints."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.file.checkpoint import Settings
from partinr.model.structure import Structure
from partinr.shapes import Shaped
from partinr.signals.signal import Signal


def settings_of(signal: Signal, structure: Structure, **others: Any) -> Settings:
    """Everything that decides a fit's result, as JSON types: two fits with equal settings end the same."""
    settings = {
        **data(signal),
        "shape": list(signal.values.shape),
        **({"sites": digest(*signal.sites()[:2])} if signal.scattered else {}),
        "partition": digest(structure.partition.label_map),
        "networks": [network.config() for network in structure.networks],
        "frame": structure.frame,
        "overlap": structure.overlap,
        **others,
    }
    return json.loads(json.dumps(settings, default=_number))  # type: ignore[no-any-return]


def data(signal: Signal) -> dict[str, str]:
    """Checksums of what a function is fitted to: values, and what each of them counts."""
    importance = signal.importance()
    counted = {} if importance is None else {"importance": digest(importance)}
    return {"signal": digest(signal.values), **counted}


def _number(value: object) -> object:
    """A number of NumPy's as one of Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"settings are numbers, words and None, got {type(value).__name__}")


def digest(*arrays: Shaped[ndarray, "..."]) -> str:
    """A checksum of all numbers."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
