"""Rows that several commands show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from partinr.cli.console import counted, decibels

if TYPE_CHECKING:
    from partinr import SignalSpec

# Characters of one thing that the file said.
_LONG = 80


def bits_per_sample(size: int, samples: int) -> float:
    """Bits of the whole file for each sample, all channels together."""
    return 8 * size / samples


def size_row(size: int, samples: int, store: str) -> str:
    """Size of a file."""
    return f"{size:,} bytes, {bits_per_sample(size, samples):.2f} bits a sample, {store}"


def and_snr(told: float | None) -> str:
    """What follows a PSNR where there is an SNR, too."""
    return "" if told is None else f", {decibels(told)} SNR"


def network_rows(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Networks from their configurations, those that differ in width alone in one row."""
    from partinr.model.networks import from_config

    widths: dict[str, list[int]] = {}
    for network in map(from_config, configs):
        own = network.config()
        name, width, layers = own.pop("name"), own.pop(network.size), own.pop("layers", None)
        unit = "wide" if network.size == "hidden" else network.size
        told = [] if layers is None else [counted(layers, "hidden layer")]
        told += [f"{key} {value:g}" for key, value in own.items()]
        widths.setdefault(", ".join([name, f"{{}} {unit}", *told]), []).append(width)
    return [row.format(_range(given)) for row, given in widths.items()]


def network_row(config: Mapping[str, Any]) -> str:
    """One network from its configuration: name, shape, and what else it has."""
    return network_rows([config])[0]


def _range(widths: list[int]) -> str:
    low, high = min(widths), max(widths)
    return f"{low}" if low == high else f"{low} to {high}"


def axis_rows(axes: Sequence[Mapping[str, Any]] | None, shape: Sequence[int]) -> list[tuple[str, object]]:
    """Where the samples of each axis lie, from the fields of an `Axis`."""
    rows: list[tuple[str, object]] = []
    for axis, n in zip(axes or (), shape if axes else (), strict=True):
        unit = f" {axis['unit']}" if axis["unit"] else ""
        first, step = axis["origin"], axis["spacing"]
        places = f"{first:g} to {first + (n - 1) * step:g}{unit}"
        rows.append(("axis", f"{axis['name']}, {places}, {step:.6g}{unit} a sample"))
    return rows


def rate_rows(axes: Sequence[Mapping[str, Any]] | None, shape: Sequence[int]) -> list[tuple[str, object]]:
    """How many frames a second a video has; nothing where they vary."""
    if not axes or axes[0]["unit"] != "s" or axes[0]["spacing"] <= 0:
        return []
    step = axes[0]["spacing"]
    return [("rate", f"{1 / step:.6g} frames a second, for {shape[0] * step:g} s")]


def source_rows(source: Mapping[str, Any]) -> list[tuple[str, object]]:
    """What the file said that is written back, long values cut."""
    told = [
        f"{key} {value if isinstance(value, str) else json.dumps(value)}" for key, value in source.items()
    ]
    cut = (one if len(one) <= _LONG else f"{one[: _LONG - 3]}..." for one in told)
    return [("source", ", ".join(cut))] if told else []


def spec_facts(spec: SignalSpec) -> dict[str, Any]:
    """What a file's signal is, for programs."""
    return {
        "kind": spec.kind,
        "shape": spec.shape,
        "channels": spec.channels,
        "dtype": spec.dtype,
        "value_range": spec.value_range,
        "axes": None if spec.axes is None else [asdict(axis) for axis in spec.axes],
        "source": dict(spec.source),
    }


def signal_row(shape: str, channels: int, dtype: str) -> str:
    """A signal or a rendering; `shape` as --size writes it."""
    return f"{shape}, {counted(channels, 'channel')} of {dtype}"
