"""The samples of a signal, sorted by region once."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from partinr.engines.engine import Samples
from partinr.engines.sampling import region_keys
from partinr.model.packing import pack
from partinr.model.structure import Structure
from partinr.shapes import Float32
from partinr.signals.signal import Signal, Sites

# What the squared error of the smooth filling counts where samples are missing, beside those that are there.
# It keeps networks, which may have more parameters than there are samples, from being anything in between
# (`benchmarks/missing.py`).
_FILLING = 0.5


def pack_groups(structure: Structure, signal: Signal, seed: int) -> list[Samples]:
    """The samples of every group, sorted by region; those in margins once for each region that shares them.

    A sample counts in a region's loss by the region's weight there, so that each counts once altogether, and
    by its own weight. Those that are missing are there as what fills them, and count little.
    """
    keys = region_keys(seed, structure.regions)
    sites = signal.sites()
    shared = structure.assign(sites.coords) if signal.scattered else structure.assign_samples()
    factors = _factors(structure, sites, weighted=signal.weights is not None)
    # Regions in the order of their groups: what a group has is a slice of what all have.
    packing = pack(structure.rank[shared.regions], structure.regions)
    points, owners = shared.points[packing.order], shared.regions[packing.order]
    own = structure.own_coords(sites.coords[points], owners)
    values = sites.values[points]
    shares = shared.weights[packing.order] if structure.overlap or signal.scattered else None
    weights = shares if factors is None else factors[points]
    if shares is not None and factors is not None:
        weights = weights * shares
    extents = structure.reach[:, 1] - structure.reach[:, 0]
    packed, first = [], 0
    for members in structure.members:
        last = first + len(members)
        offsets = packing.offsets[first : last + 1]
        part = slice(int(offsets[0]), int(offsets[-1]))
        packed.append(
            Samples(
                own[part],
                values[part],
                offsets - offsets[0],
                keys[members],
                None if weights is None else weights[part],
                None if shares is None else points[part],
                extents[members],
                None if shares is None else shares[part],
            )
        )
        first = last
    return packed


def _factors(structure: Structure, sites: Sites, *, weighted: bool) -> Float32[ndarray, "samples"] | None:
    """What each sample's squared error counts, 1 in the mean. None: all count the same.

    Networks that are solved for in one step see the filling as if it were there: boxes of which nothing is
    left out are solved axis by axis.
    """
    importance, mask = sites.importance, sites.mask
    if importance is None or mask is None:
        return None if importance is None else importance.reshape(-1)
    solved = any(network.solved for network in structure.networks)
    if solved and not weighted:
        return None
    filling = (1 if solved else _FILLING) * importance[mask].mean()
    factors: Float32[ndarray, "_"] = np.where(mask, importance, filling).reshape(-1)
    factors /= factors.mean()
    return factors
