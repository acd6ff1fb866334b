"""Rows that several commands show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from partinr.cli.console import counted


def bits_per_sample(size: int, samples: int) -> float:
    """Bits of the whole file for each sample, all channels together."""
    return 8 * size / samples


def size_row(size: int, samples: int, store: str) -> str:
    """Size of a file."""
    return f"{size:,} bytes, {bits_per_sample(size, samples):.2f} bits a sample, {store}"


def network_row(config: Mapping[str, Any]) -> str:
    """A network from its configuration: name, shape, and what else it has."""
    shape = {"name", "hidden", "layers"}
    constants = [f"{key} {value:g}" for key, value in config.items() if key not in shape]
    depth = counted(config["layers"], "hidden layer")
    return ", ".join([config["name"], f"{config['hidden']} wide", depth, *constants])


def signal_row(shape: str, channels: int, dtype: str) -> str:
    """A signal or a rendering; `shape` as --size writes it."""
    return f"{shape}, {counted(channels, 'channel')} of {dtype}"
