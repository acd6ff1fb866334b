"""The piecewise function that spectra are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from partinr.cores import usable_cores
from partinr.errors import InputError
from partinr.model import kernel
from partinr.model.networks.cosine import Cosine
from partinr.model.networks.network import Parameters
from partinr.model.partition.partition import Partition
from partinr.model.piecewise import Piecewise
from partinr.model.spectra import Spectra
from partinr.model.structure import Structure
from partinr.shapes import Float32, Int32, Int64
from partinr.signals.signal import SignalSpec

RULE = "tree"
"""What partitions into boxes of a tree say of themselves."""

# Parameters that any signal may have, and that a signal may have for each of its values.
_MANY, _MOST_TO_A_VALUE = 1 << 27, 16


def synthesised(spectra: Spectra, spec: SignalSpec, partition: Partition | None = None) -> Piecewise:
    """Networks of cosines over the boxes, in groups by the frequencies that they need.

    Parameters are computed in double precision, one operation after another, and rounded once to single: the
    same numbers everywhere.

    Args:
        spectra: of a signal of this description.
        spec: shape and channels are those of the spectra.
        partition: of the spectra's boxes, if it is there already.

    Raises:
        InputError: the parameters would need far more memory than the signal: networks have as many
            frequencies along an axis of one sample as along others.
    """
    partition = partition or Partition.from_boxes(spectra.shape, spectra.boxes, RULE)
    needed = np.maximum(2, spectra.reach)
    powers, groups = np.unique(np.ceil(np.log2(needed)).astype(np.int64), return_inverse=True)
    networks = tuple(Cosine(1 << int(power)) for power in powers)
    several = None if len(networks) == 1 else groups.astype(np.int64)
    features = np.array([network.frequencies**spec.dims for network in networks])
    entries = int(features[groups].sum()) * spectra.channels
    if entries > max(_MANY, _MOST_TO_A_VALUE * spectra.integers.size):
        raise InputError(
            f"boxes are so flat that their networks would have {entries:,} parameters; "
            "use an array of fewer axes"
        )
    structure = Structure(partition, networks, spec, "area", several, blend=True)
    parameters = []
    for g, network in enumerate(networks):
        members = np.flatnonzero(groups == g)
        (layer,) = network.layer_shapes(spec.dims, spectra.channels)
        own = Parameters(
            [np.zeros((len(members), *layer), np.float32)],
            [np.zeros((len(members), layer.fan_out), np.float32)],
        )
        slots = np.full(len(spectra.boxes), -1, np.int64)
        slots[members] = np.arange(len(members))
        _fill(spectra, slots, network.frequencies, own.weights[0], own.biases[0])
        parameters.append(own)
    return Piecewise(structure, tuple(parameters), spectra)


def _fill(
    spectra: Spectra,
    slots: Int64[ndarray, "regions"],
    frequencies: int,
    weights: Float32[ndarray, "members features channels"],
    biases: Float32[ndarray, "members channels"],
) -> None:
    """Set the output layers of a group; `slots` is the place of each region in it, -1 for those of others."""
    if kernel.why_missing() is not None:
        mixing = spectra.mixing.astype(np.float64)
        for slot, own in zip(slots.tolist(), spectra.by_box(), strict=True):
            if slot >= 0:
                flat = _layer(own, spectra.step, mixing, frequencies)
                biases[slot], weights[slot] = flat[0], flat[1:]
        return
    from partinr import _native

    _native.spectra_to_cosines(
        spectra.boxes,
        spectra.integers,
        shape=spectra.shape,
        step=spectra.step,
        mixing=spectra.mixing,
        slots=slots,
        frequencies=frequencies,
        threads=usable_cores(),
        weights=weights,
        biases=biases,
    )


def _layer(own: Int32[ndarray, "channels *size"], step: float, mixing: Any, frequencies: int) -> Any:
    """The constant and the other features' weights of one region, (features + 1, channels)."""
    size, channels = own.shape[1:], len(own)
    mixed = np.zeros((*size, channels))
    for c in range(channels):
        mixed += (own[c] * step)[..., None] * mixing[c]
    scale = np.ones(size)
    for a, n in enumerate(size):
        factors = np.sqrt(np.where(np.arange(n) == 0, 1.0, 2.0) / n)
        scale *= factors.reshape([-1 if b == a else 1 for b in range(len(size))])
    whole = np.zeros((*(frequencies,) * len(size), channels), np.float32)
    part = tuple(slice(0, min(n, frequencies)) for n in size)
    whole[part] = (mixed * scale[..., None])[part]
    return whole.reshape(-1, channels)
