"""Tasks of the inner loop: all regions of all signals of a batch, packed for one batched computation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from partinr.model.networks.network import Network
from partinr.model.packing import batches, pack, values_at_once
from partinr.model.partition.partition import Partition
from partinr.shapes import Float, Float32, Int
from partinr.signals import frames
from partinr.signals.frames import StartFrame

# Values of the widest layer that one piece holds on what is no CPU.
_VALUES = 1 << 25


class Piece(NamedTuple):
    """Samples of some regions, padded to equal numbers; padding has mask 0.

    Attributes:
        rows: which regions; None for all of them in order.
        coords: in the start's frame.
        values: normalised.
        mask: 1 for samples and 0 for padding; None if nothing is padded.
    """

    rows: Int[Tensor, " regions"] | None
    coords: Float[Tensor, "regions samples dims"]
    values: Float[Tensor, "regions samples channels"]
    mask: Float[Tensor, "regions samples 1"] | None


@dataclass(frozen=True, eq=False)
class Tasks:
    """All regions of some signals.

    Attributes:
        pieces: their samples; each sample is in one piece once.
        sizes: number of values (samples times channels) of each region.
        shares: what each region's mean squared error weighs in the mean over the signals' errors.
        signal_of: signal that each region belongs to.
    """

    pieces: list[Piece]
    sizes: Float[Tensor, " regions"]
    shares: Float[Tensor, " regions"]
    signal_of: Int[Tensor, " regions"]

    @property
    def regions(self) -> int:
        """Number of regions of all signals."""
        return len(self.sizes)


def pack_tasks(
    values: Sequence[Float32[ndarray, "_ channels"]],
    partitions: Sequence[Partition],
    network: Network,
    frame: StartFrame,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    at_once: int | None = None,
    signals: int | None = None,
) -> Tasks:
    """Pack signals by region.

    A network never sees samples that are not its own region's. Regions of similar size share a piece; one too
    large for a piece is cut into several, whose gradients add up.

    Args:
        values: normalised values of each signal, in raster order.
        partitions: the partition of each signal.
        network: what is evaluated; its widest layer bounds the pieces.
        frame: coordinates that the networks see.
        device: where to compute.
        dtype: precision of the coordinates and values.
        at_once: values of the widest layer that a piece holds; None: what suits the device.
        signals: signals that the error is the mean over; None for these. More where other processes have
            some of a batch.
    """
    device = torch.device(device)
    packed = [_packed(one, partition, frame) for one, partition in zip(values, partitions, strict=True)]
    coords = torch.as_tensor(np.concatenate([p.coords for p in packed])).to(device, dtype)
    target = torch.as_tensor(np.concatenate([p.values for p in packed])).to(device, dtype)
    counts = np.concatenate([p.counts for p in packed])
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    dims, channels = coords.shape[1], target.shape[1]
    shapes = network.layer_shapes(dims, channels)
    widest = max(max(shape.fan_in, shape.fan_out) for shape in shapes)
    limit = max(1, (at_once or values_at_once(device.type, _VALUES)) // widest)
    pieces = []
    for batch in batches(offsets, np.arange(len(counts)), limit):
        whole = np.array_equal(batch.regions, np.arange(len(counts)))
        index = torch.as_tensor(batch.index(), device=device)
        mask = torch.as_tensor(batch.mask(), device=device)[..., None].to(dtype) if batch.padded else None
        rows = None if whole else torch.as_tensor(batch.regions, device=device)
        pieces.append(Piece(rows, coords[index], target[index], mask))
    shares = np.concatenate([p.counts / p.counts.sum() for p in packed]) / (signals or len(packed))
    owner = np.repeat(np.arange(len(packed)), [len(p.counts) for p in packed])
    return Tasks(
        pieces,
        torch.as_tensor(counts * channels).to(device, dtype),
        torch.as_tensor(shares).to(device, dtype),
        torch.as_tensor(owner, device=device),
    )


class _Packed(NamedTuple):
    coords: Float32[ndarray, "samples dims"]
    values: Float32[ndarray, "samples channels"]
    counts: Int[ndarray, " regions"]


def _packed(values: Float32[ndarray, "samples channels"], partition: Partition, frame: StartFrame) -> _Packed:
    """One signal's samples, sorted by region."""
    labels = partition.label_map.reshape(-1)
    packing = pack(labels, partition.regions)
    scale, shift = frames.frame_affine(frame, partition.bounding_boxes, partition.shape)
    own = labels[packing.order]
    coords = frames.raster(partition.shape)[packing.order] * scale[own] + shift[own]
    return _Packed(coords, values[packing.order], packing.counts)
