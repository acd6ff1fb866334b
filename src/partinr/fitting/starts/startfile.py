"""Learned starts in files: sealed like fits, of another kind. `docs/format.md` states every field."""

from __future__ import annotations

from pathlib import Path
from reprlib import repr as brief
from typing import Any, get_args

import numpy as np

from partinr.errors import InputError
from partinr.file.sealing import Sealed, Tensors, expect, read_sealed, stored, write_sealed
from partinr.fitting.starts.rates import RateKind, Rates, shapes_of
from partinr.fitting.starts.start import MOST_STEPS, Start
from partinr.model.networks import from_config
from partinr.model.networks.network import Parameters
from partinr.signals.frames import StartFrame

_LARGEST = (1 << 32) - 1


def save_start(start: Start, path: str | Path, *, store: str = "float32") -> int:
    """Write a learned start to a file, replacing it only once everything is on disk.

    Args:
        start: what to write.
        path: ends in .inr by convention.
        store: "float32" or "float16", for the parameters; the rates are always in single precision.

    Returns:
        the file's size in bytes.

    Raises:
        InputError: the folder does not exist or cannot be written, the start has numbers that are not finite
            in the stored precision, or a summary that is not made of JSON types.
        OSError: the file cannot be written; an old file stays as it was.

    Example:
        >>> import os, tempfile, partinr
        >>> path = os.path.join(tempfile.mkdtemp(), "start.inr")
        >>> _ = partinr.save_start(partinr.Start.fresh(partinr.Siren(8, 1), dims=2, channels=3), path)
        >>> partinr.load_start(path).network.hidden
        8
    """
    if store not in ("float32", "float16"):
        raise InputError(f"store must be float32 or float16, got {brief(store)}")
    tensors: Tensors = {}
    names = _names(start.network.depth)
    for name, tensor in zip(names, start.parameters.arrays, strict=True):
        with np.errstate(over="ignore"):  # what is too large is refused below
            tensors[name] = tensor[0].astype(store)
    for name, value in zip(_rate_names(start.rates.kind, names), start.rates.values, strict=True):
        tensors[name] = value.astype(np.float32)
    for name, values in tensors.items():
        if not np.isfinite(values).all():
            raise InputError(f"{name} of the start has values that are not finite in {values.dtype}")
    fields = {
        "kind": "start",
        "network": start.network.config(),
        "dims": start.dims,
        "channels": start.channels,
        "frame": start.frame,
        "rates": {"kind": start.rates.kind, "steps": start.rates.steps},
        "summary": start.summary,
    }
    return write_sealed(path, tensors, fields)


def load_start(path: str | Path) -> Start:
    """Read a learned start; its parameters are float32 whatever the file's precision.

    Nothing in the file is executed, and every size is checked before anything is allocated for it.

    Args:
        path: the file.

    Raises:
        InputError: the file is missing, foreign, damaged, a fit, or of a newer version.

    Example:
        >>> import os, tempfile, partinr
        >>> path = os.path.join(tempfile.mkdtemp(), "start.inr")
        >>> _ = partinr.save_start(partinr.Start.fresh(partinr.Gauss(8, 1), dims=1, channels=1), path)
        >>> partinr.load_start(path).frame
        'centred'
    """
    return read_sealed(path, "start", _interpret)


def _interpret(sealed: Sealed) -> Start:
    fields = sealed.fields
    network = from_config(fields.get("network"))
    dims, channels = _whole(fields, "dims", 3), _whole(fields, "channels", _LARGEST)
    summary, rates = fields.get("summary"), fields.get("rates")
    if not isinstance(summary, dict) or not isinstance(rates, dict):
        raise InputError("rates and summary must be objects")
    frame, kind = _word(fields, "frame", StartFrame), _word(rates, "kind", RateKind)
    steps = _whole(rates, "steps", MOST_STEPS, least=0)
    # Counted before the names are made: the header may speak of far more layers than the file can hold.
    count = 2 * network.depth
    held = count * (2 if kind.startswith("parameter") else 1) + (not kind.startswith("parameter"))
    if len(sealed.entries) != held:
        raise InputError(f"the file must have {held} tensors, it has {len(sealed.entries)}")
    names = _names(network.depth)
    shapes: list[tuple[int, ...]] = [tuple(layer) for layer in network.layer_shapes(dims, channels)]
    shapes += [shape[1:] for shape in shapes]
    claimed = {name: stored(name, entry) for name, entry in sealed.entries.items()}
    for name, shape in zip(names, shapes, strict=True):
        expect(claimed, name, ("F32", "F16"), shape)
    for name, shape in zip(_rate_names(kind, names), shapes_of(kind, steps, shapes), strict=True):
        expect(claimed, name, ("F32",), shape)
    tensors = {name: value.astype(np.float32) for name, value in sealed.tensors().items()}
    for name, tensor in tensors.items():
        if not bool(np.isfinite(tensor).all()):
            raise InputError(f"the tensor {name} has values that are not finite")
    return Start(
        network,
        dims,
        channels,
        frame,
        Parameters.of([tensors[name][None] for name in names]),
        Rates(kind, steps, [tensors[name] for name in _rate_names(kind, names)]),
        summary,
    )


def _names(depth: int) -> list[str]:
    """Names of the parameters' tensors: weights of all layers, then biases."""
    return [f"{what}.{layer}" for what in ("weights", "biases") for layer in range(depth)]


def _rate_names(kind: RateKind, names: list[str]) -> list[str]:
    return [f"rates.{name}" for name in names] if kind.startswith("parameter") else ["rates"]


def _word(fields: dict[str, Any], name: str, words: Any) -> Any:
    value = fields.get(name)
    if not isinstance(value, str) or value not in get_args(words):
        raise InputError(f"{name} must be one of {', '.join(get_args(words))}, got {brief(value)}")
    return value


def _whole(fields: dict[str, Any], name: str, most: int, least: int = 1) -> int:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InputError(f"{name} must be a whole number from {least} to {most}, got {brief(value)}")
    return value
