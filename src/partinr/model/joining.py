"""Functions of neighbouring parts of a signal, joined into the function of a window.

A region's function knows nothing of the others but where they meet it. So functions that were fitted to the
tiles of a signal, each by itself, are one function as soon as their regions are in one partition: blending,
what lies between samples, and jumps that are taken back at borders act across those of the tiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.model.arrays import Array
from partinr.model.networks.network import Network, Parameters
from partinr.model.partition.partition import Partition
from partinr.model.piecewise import Piecewise
from partinr.model.spectra import Rounding
from partinr.model.structure import Structure
from partinr.shapes import Bool, Int64
from partinr.signals.signal import SignalSpec


class Placed(NamedTuple):
    """The function of a part of a signal.

    Attributes:
        first: the part's first sample along each axis, among those of the signal.
        model: the function; its own first sample is number 0.
    """

    first: tuple[int, ...]
    model: Piecewise

    @property
    def boxes(self) -> Int64[ndarray, "regions 2 dims"]:
        """Bounding boxes of the regions, among the samples of the signal."""
        found: Int64[ndarray, "regions 2 dims"] = self.model.partition.bounding_boxes + np.asarray(self.first)
        return found

    @property
    def box(self) -> tuple[range, ...]:
        """The samples of the part, among those of the signal."""
        return tuple(
            range(first, first + n) for first, n in zip(self.first, self.model.signal.shape, strict=True)
        )


def joined(parts: Sequence[Placed], spec: SignalSpec, window: Sequence[range] | None = None) -> Placed:
    """One function of several parts, or of as few of their regions as a window needs.

    What is cut off ends where regions end: the function is that of the smallest box around the window that
    no region leaves. Of regions that share samples, or see coordinates of all their part, nothing can be cut.

    Args:
        parts: of the signal, which together make up a box, or cover the window.
        spec: of the whole signal.
        window: samples along each axis, among those of the signal; None for all there are.

    Raises:
        InputError: the parts leave a gap or overlap, are of different kinds, or have regions that would have
            to share samples, or one frame, with those of another part.

    Example:
        >>> import numpy as np, partinr
        >>> halves = [partinr.fit(np.eye(64)[:, k : k + 32]).model for k in (0, 32)]
        >>> parts = [Placed((0, 0), halves[0]), Placed((0, 32), halves[1])]
        >>> both = joined(parts, partinr.from_array(np.eye(64)).spec)
        >>> both.model.signal.shape, both.model.regions == sum(half.regions for half in halves)
        ((64, 64), True)
    """
    models = [part.model for part in parts]
    separate = all(model.frame != "global" and model.overlap == 0 for model in models)
    if len(parts) == 1 and (window is None or not separate or models[0].partition.boxes is None):
        return parts[0]
    _check(models, separate)
    boxes = [part.boxes for part in parts]
    whole = window is None or any(model.partition.boxes is None for model in models)
    kept = [np.ones(len(own), bool) for own in boxes] if whole else _touched(boxes, window or ())
    around = np.concatenate([own[some] for own, some in zip(boxes, kept, strict=True)])
    first, last = around[:, 0].min(axis=0), around[:, 1].max(axis=0)
    shape = tuple((last - first).tolist())
    if all(model.partition.boxes is not None for model in models):
        partition = Partition.from_boxes(shape, around - first, models[0].partition.rule)
    else:
        partition = _by_labels(parts, first, shape)
    cut = [(float(a), float(b)) for a, b in zip(first, last, strict=True)]
    networks, groups, parameters = _grouped(models, kept)
    signal = spec.resampled(shape, cut)
    several = groups if len(networks) > 1 else None
    structure = Structure(partition, networks, signal, models[0].frame, several, models[0].blend)
    rounded = _rounded(parts, kept, partition, first)
    return Placed(tuple(first.tolist()), Piecewise(structure, parameters, rounded=rounded))


def _rounded(
    parts: Sequence[Placed],
    kept: Sequence[Bool[ndarray, "_"]],
    partition: Partition,
    first: Int64[ndarray, "dims"],
) -> tuple[Rounding, ...]:
    """How the regions of all parts were rounded: each part's samples go by its own step and mixing."""
    if not parts[0].model.roundings or partition.boxes is None:
        return ()
    own = [part.model.roundings[0].activity[some] for part, some in zip(parts, kept, strict=True)]
    end = first + np.asarray(partition.shape)
    activity = np.concatenate(own)
    alike: dict[tuple[float, bytes], Rounding] = {}
    for part in parts:
        for one in part.model.roundings:
            low, high = np.maximum(part.first, first), np.minimum([a.stop for a in part.box], end)
            extents = np.clip(one.extents + np.asarray(part.first), low, high) - first
            key = one.step, one.mixing.tobytes()
            if key in alike:
                extents = np.concatenate([alike[key].extents, extents])
            alike[key] = replace(one, boxes=partition.boxes, activity=activity, extents=extents)
    return tuple(alike.values())


def _check(models: Sequence[Piecewise], separate: bool) -> None:
    kinds = {(m.signal.dims, m.signal.channels, m.frame, m.blend, not m.roundings) for m in models}
    if len(kinds) != 1:
        raise InputError(
            "parts that are joined must have the same axes, channels, frame, blending and kind of fit; fit "
            "them in the same way"
        )
    if not separate:
        raise InputError(
            "parts whose regions share samples (overlap), or see coordinates of all their part (frame "
            'global), cannot be joined; fit them with overlap=0 and frame="local"'
        )


def _touched(
    boxes: Sequence[Int64[ndarray, "_ 2 dims"]], window: Sequence[range]
) -> list[Bool[ndarray, "_"]]:
    """Regions in the smallest box around a window that none of them leaves."""
    first = np.array([along.start for along in window])
    last = np.array([along.stop for along in window])
    while True:
        kept = [np.all((own[:, 0] < last) & (own[:, 1] > first), axis=1) for own in boxes]
        inside = np.concatenate([own[some] for own, some in zip(boxes, kept, strict=True)])
        if len(inside) == 0:
            raise InputError("the parts do not cover the window")
        wider = np.minimum(first, inside[:, 0].min(axis=0)), np.maximum(last, inside[:, 1].max(axis=0))
        if (wider[0] == first).all() and (wider[1] == last).all():
            return kept
        first, last = wider


def _by_labels(parts: Sequence[Placed], first: Int64[ndarray, "dims"], shape: tuple[int, ...]) -> Partition:
    labels = np.full(shape, -1, np.int32)
    regions = 0
    for part in parts:
        inside = tuple(
            slice(along.start - start, along.stop - start)
            for along, start in zip(part.box, first.tolist(), strict=True)
        )
        if (labels[inside] >= 0).any():
            raise InputError("parts that are joined must not overlap")
        labels[inside] = part.model.partition.label_map + regions
        regions += part.model.regions
    if labels.min() < 0:
        raise InputError("parts that are joined must leave no gap")
    return Partition.from_labels(labels, parts[0].model.partition.rule)


def _grouped(
    models: Sequence[Piecewise], kept: Sequence[Bool[ndarray, "_"]]
) -> tuple[tuple[Network, ...], Int64[ndarray, "regions"], tuple[Parameters, ...]]:
    """Groups of regions that have the same network, whichever part they are of."""
    rows: dict[Network, list[list[Array]]] = {}
    groups = []
    for model, some in zip(models, kept, strict=True):
        own = np.zeros(model.regions, np.int64)
        for network, members, parameters in zip(
            model.networks, model.structure.members, model.parameters, strict=True
        ):
            chosen = some[members]
            if chosen.any():
                rows.setdefault(network, []).append([array[chosen] for array in parameters.arrays])
                own[members] = list(rows).index(network)
        groups.append(own[some])
    stacked = (map(np.concatenate, zip(*of, strict=True)) for of in rows.values())
    return tuple(rows), np.concatenate(groups), tuple(Parameters.of(list(arrays)) for arrays in stacked)
