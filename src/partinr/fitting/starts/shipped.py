"""Starts that are part of the package, for networks that fits use where nothing is asked for."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from importlib.resources import as_file, files

import numpy as np

from partinr.fitting.starts.start import Start
from partinr.fitting.starts.startfile import load_start
from partinr.model.networks.network import Network, Parameters
from partinr.signals.frames import Frame

SHIPPED = ("siren-11x2", "siren-12x2", "siren-13x2")
"""Their names, by width and layers; `experiments/learned_start.py` made them."""

_UNITS = "siren-12x2"

# Cells of another size suit other frequencies, and the first layer's factor follows. Up to this ratio of it
# a start was measured to be as good as at the size that it was learned for.
_FREQUENCIES = 1.5


def shipped_start(network: Network, dims: int, frame: Frame) -> Start | None:
    """The start that fits a network as it is, or None.

    It is for networks that differ from the one that it was learned with in `omega_0` only, which follows the
    size of the regions.

    Args:
        network: what will be trained in every region.
        dims: axes of the signal.
        frame: coordinates that networks see.

    Example:
        >>> import partinr
        >>> shipped_start(partinr.Siren(12, 2).suited_to(20), dims=2, frame="local").inner_steps
        0
        >>> shipped_start(partinr.Siren(40, 2).suited_to(20), dims=2, frame="local") is None
        True
    """
    name = f"{network.name}-{network.width}x{network.hidden_layers - 1}"
    if name not in SHIPPED:
        return None
    start = _loaded(name)
    mine, learned = network.config(), start.network.config()
    alike = {**learned, "omega_0": mine["omega_0"]} == mine
    ratio = mine["omega_0"] / learned["omega_0"]
    near = 1 / _FREQUENCIES <= ratio <= _FREQUENCIES
    if not (alike and near and (start.dims, start.frame) == (dims, frame)):
        return None
    return replace(start, network=network)


def shipped_units(dims: int, frame: Frame) -> Start | None:
    """The start whose units narrower networks may begin with (see `narrowed`), where there is one.

    Args:
        dims: axes of the signal.
        frame: coordinates that networks see.
    """
    start = _loaded(_UNITS)
    return start if (start.dims, start.frame) == (dims, frame) else None


def narrowed(start: Start, hidden: int) -> Parameters:
    """Hidden layers of so many of a start's units, spread over its frequencies; the output layer unchanged.

    Weights between hidden layers grow, so that what reaches a unit is as large as before.

    Args:
        start: whose units; as `Start.parameters`.
        hidden: units wanted, at most as many as there are.

    Example:
        >>> narrowed(shipped_units(2, "local"), 8).weights[1].shape
        (1, 8, 8)
    """
    wide = start.network.width
    unit = np.rint(np.linspace(0, wide - 1, hidden)).astype(np.int64)
    first, *between, output = start.parameters.weights
    scale = math.sqrt(wide / hidden)
    weights = [first[..., unit], *(scale * weight[:, unit][..., unit] for weight in between), output]
    *biases, last = start.parameters.biases
    return Parameters(weights, [*(bias[..., unit] for bias in biases), last])


@cache
def _loaded(name: str) -> Start:
    with as_file(files("partinr.fitting.starts") / "data" / f"{name}.inr") as path:
        return load_start(path)
