"""The header of an .inr file: JSON of which nothing is believed. `docs/format.md` states every field."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from reprlib import repr as brief
from typing import Any, cast, get_args

import numpy as np

from partinr.errors import InputError
from partinr.model.blending import MOST_OVERLAP
from partinr.model.networks import from_config
from partinr.model.networks.network import Network
from partinr.model.structure import Structure
from partinr.signals.axes import Axis
from partinr.signals.frames import Frame
from partinr.signals.signal import Between, Kind, SignalSpec

# What an axis has that says nothing of itself but its name.
_AXIS = {name: value for name, value in asdict(Axis("x")).items() if name != "name"}
_LARGEST_AXIS = (1 << 32) - 1
_LARGEST_SIGNAL = 1 << 53
_MOST_GROUPS = 1 << 16
_DTYPES = (
    *("bool", "uint8", "uint16", "uint32", "uint64"),
    *("int8", "int16", "int32", "int64", "float16", "float32", "float64"),
)


@dataclass(frozen=True)
class Header:
    """A header whose every field was checked by itself; whether the tensors agree is another matter.

    Attributes:
        signal: what the network represents.
        networks: the network of each group.
        frame: coordinates that the networks see.
        blend: whether the function is continuous between regions.
        overlap: samples of each region's margin.
        rule: the rule that made the partition.
        regions: number of regions.
    """

    signal: SignalSpec
    networks: list[Network]
    frame: Frame
    blend: bool
    overlap: int
    rule: str
    regions: int


def describe(structure: Structure, summary: Mapping[str, Any]) -> dict[str, Any]:
    """The header of a model, but for what every file has.

    Raises:
        InputError: there are too many groups.
    """
    if len(structure.networks) > _MOST_GROUPS:
        raise InputError(f"a file holds at most {_MOST_GROUPS} groups, got {len(structure.networks)}")
    return {
        "signal": describe_signal(structure.signal),
        "frame": structure.frame,
        "blend": structure.blend,
        "overlap": structure.overlap,
        "networks": [network.config() for network in structure.networks],
        "partition": {"rule": structure.partition.rule, "regions": structure.regions},
        "summary": dict(summary),
    }


def describe_signal(spec: SignalSpec) -> dict[str, Any]:
    """The part of a header that says what the function represents."""
    fields: dict[str, Any] = {
        "kind": spec.kind,
        "shape": list(spec.shape),
        "channels": spec.channels,
        "dtype": spec.dtype,
        "value_range": list(spec.value_range),
        "channel_axis": spec.channel_axis,
    }
    if spec.axes is not None:
        fields["axes"] = [describe_axis(axis) for axis in spec.axes]
    if spec.source:
        fields["source"] = dict(spec.source)
    if spec.between != "none":
        fields["between"] = spec.between
    return fields


def describe_axis(axis: Axis) -> dict[str, Any]:
    """What a header says of an axis: all but what is as it is by default."""
    return {name: value for name, value in asdict(axis).items() if name not in _AXIS or value != _AXIS[name]}


def interpret(fields: dict[str, Any], tensors: int) -> Header:
    """The header's fields, checked; unknown ones are ignored.

    Args:
        fields: the header.
        tensors: how many the file has; bounds the number of networks, of which each has at least two.

    Raises:
        InputError: a field is missing, of another type or not allowed.
    """
    frame = _of_type(fields, "frame", str)
    if frame not in get_args(Frame):
        raise InputError(f"the frame must be one of {', '.join(get_args(Frame))}, got {brief(frame)}")
    configs = _of_type(fields, "networks", list)
    if not 1 <= len(configs) <= min(tensors // 2, _MOST_GROUPS):
        raise InputError(
            f"there must be 1 to {_MOST_GROUPS} networks with two or more tensors each, got {len(configs)}"
        )
    partition = _of_type(fields, "partition", dict)
    _of_type(fields, "summary", dict)
    signal = interpret_signal(fields)
    return Header(
        signal,
        [from_config(config) for config in configs],
        frame,
        _of_type(fields, "blend", bool),
        _overlap(fields),
        _of_type(partition, "rule", str),
        _whole(partition.get("regions"), min(signal.samples, _LARGEST_AXIS), "regions"),
    )


def _overlap(fields: dict[str, Any]) -> int:
    value, most = fields.get("overlap"), MOST_OVERLAP if fields["blend"] else 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise InputError(f"overlap must be a whole number from 0 to {most}, got {brief(value)}")
    return value


def check_samples(samples: int, most: int | None, what: str) -> None:
    """Make sure that a file does not ask for more memory than was allowed.

    Raises:
        InputError: it does.
    """
    if most is not None and samples > most:
        raise InputError(
            f"{what} may have at most {most:,} samples, got {samples:,}; if you trust the file, pass "
            f"max_samples={samples}"
        )


def interpret_signal(header: dict[str, Any]) -> SignalSpec:
    """What a header says that the function represents, checked.

    Raises:
        InputError: a field is missing, of another type or not allowed.
    """
    fields = _of_type(header, "signal", dict)
    kind, dtype = _of_type(fields, "kind", str), _of_type(fields, "dtype", str)
    if kind not in get_args(Kind) or dtype not in _DTYPES:
        raise InputError(
            f"the signal must be numbers of one of the kinds {', '.join(get_args(Kind))}, "
            f"got {brief(kind)} of {brief(dtype)}"
        )
    shape, span = _of_type(fields, "shape", list), _of_type(fields, "value_range", list)
    if not 1 <= len(shape) <= 3:
        raise InputError(f"the signal must have 1 to 3 axes, got {brief(shape)}")
    axes = tuple(_whole(n, _LARGEST_AXIS, "an axis of the signal") for n in shape)
    if math.prod(axes) > _LARGEST_SIGNAL:
        raise InputError(f"the signal must have at most 2^53 samples, got shape {axes}")
    channels = _whole(fields.get("channels"), _LARGEST_AXIS, "channels")
    channel_axis = _of_type(fields, "channel_axis", bool)
    if channels > 1 and not channel_axis:
        raise InputError(f"{channels} channels need a channel_axis")
    return SignalSpec(
        kind,
        axes,
        channels,
        dtype,
        _range(span, np.dtype(dtype)),
        channel_axis,
        _axes(fields, len(axes)),
        _of_type(fields, "source", dict) if "source" in fields else {},
        _between(fields),
    )


def _between(fields: dict[str, Any]) -> Between:
    told = fields.get("between", "none")
    if not isinstance(told, str) or told not in get_args(Between):
        raise InputError(
            f"what lies between the samples must be one of {', '.join(get_args(Between))}, "
            f"got {brief(told)}; upgrade partinr"
        )
    return cast(Between, told)


def _axes(fields: dict[str, Any], dims: int) -> tuple[Axis, ...] | None:
    """What is said of the axes, if anything is."""
    if "axes" not in fields:
        return None
    told = _of_type(fields, "axes", list)
    if len(told) != dims or not all(isinstance(axis, dict) for axis in told):
        raise InputError(f"axes must be {dims} objects, got {brief(told)}")
    return tuple(map(_axis, told))


def _axis(told: dict[str, Any]) -> Axis:
    fields = _AXIS | told
    for name in ("spacing", "origin"):
        if not isinstance(fields[name], int | float):
            raise InputError(f"the {name} of an axis must be a finite number, got {brief(fields[name])}")
    return Axis(
        _of_type(fields, "name", str), _of_type(fields, "unit", str), fields["spacing"], fields["origin"]
    )


def _range(span: list[Any], dtype: np.dtype[Any]) -> tuple[float, float]:
    """A value range that numbers of this type can have."""
    least, most = -sys.float_info.max, sys.float_info.max
    if dtype.kind == "b":
        least, most = 0, 1
    elif dtype.kind in "iu":
        least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    if len(span) == 2 and all(isinstance(x, int | float) and not isinstance(x, bool) for x in span):
        inside = all(least <= x <= most for x in span)
        if inside and float(span[0]) < float(span[1]) and math.isfinite(float(span[1]) - float(span[0])):
            return float(span[0]), float(span[1])
    raise InputError(f"value_range must be two ascending numbers that {dtype} can hold, got {brief(span)}")


def _of_type(fields: dict[str, Any], name: str, kind: type) -> Any:
    value = fields.get(name)
    if not isinstance(value, kind):
        raise InputError(f"{name} must be of type {kind.__name__}, got {brief(value)}")
    return value


def _whole(value: object, most: int, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise InputError(f"{what} must be a whole number from 1 to {most}, got {brief(value)}")
    return value
