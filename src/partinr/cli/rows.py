"""Rows that several commands show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from partinr.cli.console import counted

_SHAPE = ("name", "hidden", "layers")


def bits_per_sample(size: int, samples: int) -> float:
    """Bits of the whole file for each sample, all channels together."""
    return 8 * size / samples


def size_row(size: int, samples: int, store: str) -> str:
    """Size of a file."""
    return f"{size:,} bytes, {bits_per_sample(size, samples):.2f} bits a sample, {store}"


def network_rows(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Networks from their configurations, those that differ in width alone in one row."""
    widths: dict[str, list[int]] = {}
    for config in configs:
        constants = [f"{key} {value:g}" for key, value in config.items() if key not in _SHAPE]
        rest = ", ".join([counted(config["layers"], "hidden layer"), *constants])
        widths.setdefault(f"{config['name']}, {{}} wide, {rest}", []).append(config["hidden"])
    return [row.format(_range(given)) for row, given in widths.items()]


def network_row(config: Mapping[str, Any]) -> str:
    """One network from its configuration: name, shape, and what else it has."""
    return network_rows([config])[0]


def _range(widths: list[int]) -> str:
    low, high = min(widths), max(widths)
    return f"{low}" if low == high else f"{low} to {high}"


def signal_row(shape: str, channels: int, dtype: str) -> str:
    """A signal or a rendering; `shape` as --size writes it."""
    return f"{shape}, {counted(channels, 'channel')} of {dtype}"
