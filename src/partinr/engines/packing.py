"""The samples of a signal, sorted by region once."""

from __future__ import annotations

from partinr.engines.engine import Samples
from partinr.engines.sampling import region_keys
from partinr.model.packing import pack
from partinr.model.structure import Structure
from partinr.signals import frames
from partinr.signals.signal import Signal


def pack_groups(structure: Structure, signal: Signal, seed: int) -> list[Samples]:
    """The samples of every group, sorted by region; those in margins once for each region that shares them.

    A sample counts in a region's loss by the region's weight there, so that each counts once altogether.
    """
    keys = region_keys(seed, structure.regions)
    shared = structure.assign_samples()
    # Regions in the order of their groups: what a group has is a slice of what all have.
    packing = pack(structure.rank[shared.regions], structure.regions)
    points, owners = shared.points[packing.order], shared.regions[packing.order]
    own = structure.own_coords(frames.raster(signal.shape)[points], owners)
    values = signal.normalised().reshape(-1, signal.channels)[points]
    margins = (shared.weights[packing.order], points) if structure.overlap else (None, None)
    extents = structure.reach[:, 1] - structure.reach[:, 0]
    packed, first = [], 0
    for members in structure.members:
        last = first + len(members)
        offsets = packing.offsets[first : last + 1]
        part = slice(int(offsets[0]), int(offsets[-1]))
        weights, raster = (None if whole is None else whole[part] for whole in margins)
        packed.append(
            Samples(
                own[part],
                values[part],
                offsets - offsets[0],
                keys[members],
                weights,
                raster,
                extents[members],
            )
        )
        first = last
    return packed
