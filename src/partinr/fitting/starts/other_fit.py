"""Going on from another fit's parameters."""

from __future__ import annotations

import numpy as np

from partinr.errors import InputError
from partinr.model.networks.network import Parameters
from partinr.model.piecewise import Piecewise
from partinr.model.structure import Structure


def copied(source: Piecewise, target: Structure) -> list[Parameters]:
    """Another fit's parameters, for a fit of the same structure.

    Raises:
        InputError: the two differ in partition, networks, frame, overlap, shape or channels.
    """
    theirs, ours = source.structure, target
    for what, a, b in (
        ("networks", theirs.networks, ours.networks),
        ("frame", theirs.frame, ours.frame),
        ("overlap", theirs.overlap, ours.overlap),
        ("shape", theirs.signal.shape, ours.signal.shape),
        ("channels", theirs.signal.channels, ours.signal.channels),
    ):
        if a != b:
            raise InputError(f"the start must have the fit's {what}: it has {a}, the fit {b}")
    same = np.array_equal(theirs.partition.label_map, ours.partition.label_map)
    if not same or not np.array_equal(theirs.group_of, ours.group_of):
        raise InputError(
            "the start must have the fit's partition; fit with the same --partition as the start"
        )
    return list(source.parameters)
