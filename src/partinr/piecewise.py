"""The piecewise network: every region's own small network, evaluated together as one function."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn

from partinr import coords as frames
from partinr.coords import Frame
from partinr.errors import InputError
from partinr.networks.network import Network, Parameters
from partinr.packing import batches, pack
from partinr.partition.partition import Partition
from partinr.signals.signal import SignalSpec

# Values of the widest layer in one batch of an evaluation: bounds memory and stays in cache.
_BATCH_VALUES = 1 << 19


class Group(nn.Module):
    """Regions whose networks have one shape, their parameters stacked.

    Attributes:
        network: shape and activation of each region's network.
        regions: the partition's regions that belong to the group, ascending.
        weights: one parameter per layer, (regions, fan_in, fan_out).
        biases: one parameter per layer, (regions, fan_out).
    """

    regions: Tensor

    def __init__(self, network: Network, regions: Int[ndarray, "members"], dims: int, channels: int) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("regions", torch.as_tensor(regions), persistent=False)
        shapes = network.layer_shapes(dims, channels)
        count = len(regions)
        self.weights = nn.ParameterList([torch.zeros(count, s.fan_in, s.fan_out) for s in shapes])
        self.biases = nn.ParameterList([torch.zeros(count, s.fan_out) for s in shapes])

    @property
    def parameters_by_layer(self) -> Parameters:
        """The group's parameters, not copied."""
        return Parameters(list(self.weights), list(self.biases))

    def load(self, parameters: Parameters) -> None:
        """Copy parameters of the same shapes into the group."""
        with torch.no_grad():
            for mine, given in zip(
                [*self.weights, *self.biases], [*parameters.weights, *parameters.biases], strict=True
            ):
                mine.copy_(given)


class PiecewiseINR(nn.Module):
    """One continuous function from coordinates to values, made of one small network per region.

    Evaluates any coordinates on any device, and is differentiable with respect to coordinates and parameters.
    A coordinate between samples belongs to the region of the nearest sample.

    Args:
        partition: which region each sample belongs to.
        network: the network of every region, or one network per group.
        signal: what the function represents; values are normalised (0..1 over the signal's value range).
        frame: "global" feeds coordinates -1..1 over the whole signal to every network, "local" -1..1 over
            the bounding box of its region.
        group_of: for several groups, the group of each region, shape (regions,).

    Source: Liu et al., "Partition Speeds Up Learning Implicit Neural Representations Based on
    Exponential-Increase Hypothesis", ICCV 2023, section 4.

    Example:
        >>> import torch, partinr
        >>> signal = partinr.from_array(torch.rand(32, 48).numpy())
        >>> model = partinr.fit(signal, partinr.Grid(2, 2), steps=5).model
        >>> model(torch.zeros(7, 2)).shape
        torch.Size([7, 1])
    """

    table: Tensor
    scale: Tensor
    shift: Tensor
    group_of: Tensor
    slot: Tensor

    def __init__(
        self,
        partition: Partition,
        network: Network | Sequence[Network],
        signal: SignalSpec,
        frame: Frame,
        group_of: Int[ndarray, "regions"] | None = None,
    ) -> None:
        super().__init__()
        if partition.shape != signal.shape:
            raise InputError(
                f"the partition must have the signal's shape {signal.shape}, got {partition.shape}"
            )
        networks = [network] if isinstance(network, Network) else list(network)
        members = (
            np.zeros(partition.regions, np.int64) if group_of is None else np.asarray(group_of, np.int64)
        )
        if members.shape != (partition.regions,) or set(members) != set(range(len(networks))):
            raise InputError(
                f"group_of must name each of the {len(networks)} groups for the {partition.regions} regions"
            )
        self.partition = partition
        self.signal = signal
        self.frame = frame
        self.groups = nn.ModuleList(
            [
                Group(n, np.flatnonzero(members == g), signal.dims, signal.channels)
                for g, n in enumerate(networks)
            ]
        )
        slot = np.zeros(partition.regions, np.int64)
        for g in range(len(networks)):
            slot[members == g] = np.arange(int((members == g).sum()))
        scale, shift = frames.frame_affine(frame, partition.bounding_boxes, signal.shape)
        for a, edges in enumerate(partition.edges or []):
            self.register_buffer(f"edges_{a}", torch.as_tensor(edges[1:-1].copy()), persistent=False)
        for name, value in (
            ("table", partition.table.reshape(-1).copy()),
            ("scale", scale),
            ("shift", shift),
            ("group_of", members),
            ("slot", slot),
        ):
            self.register_buffer(name, torch.as_tensor(value), persistent=False)

    @property
    def regions(self) -> int:
        """Number of regions."""
        return self.partition.regions

    @property
    def params(self) -> int:
        """Number of weights and biases of all regions together."""
        return sum(p.numel() for p in self.parameters())

    @property
    def group_list(self) -> list[Group]:
        """The groups, typed."""
        return [g for g in self.groups if isinstance(g, Group)]

    def initialise(self, seed: int) -> None:
        """Give every region fresh parameters as its network's publication draws them."""
        generator = torch.Generator().manual_seed(seed)
        for group in self.group_list:
            group.load(
                group.network.initialise(
                    len(group.regions), self.signal.dims, self.signal.channels, generator
                )
            )

    def region_of(self, coords: Float[Tensor, "points dims"]) -> Int[Tensor, "points"]:
        """Region of the sample nearest to each global coordinate; beyond the border, the border's."""
        cell = torch.zeros(len(coords), dtype=torch.int64, device=coords.device)
        for a, samples in enumerate(self.signal.shape):
            index = frames.to_index(coords[:, a].detach(), samples).round().long().clip(0, samples - 1)
            if self.partition.edges is not None:
                index = torch.searchsorted(self.get_buffer(f"edges_{a}"), index, right=True)
            cell = cell * self.partition.table.shape[a] + index
        return self.table[cell].long()

    def own_coords(
        self, coords: Float[Tensor, "points dims"], regions: Int[Tensor, "points"]
    ) -> Float[Tensor, "points dims"]:
        """Global coordinates in the frame of each point's region."""
        if self.frame == "global":
            return coords
        return coords * self.scale[regions] + self.shift[regions]

    def forward(self, coords: Tensor) -> Float[Tensor, "points channels"]:
        """Normalised values at global coordinates (-1..1 over the signal, first axis first).

        Args:
            coords: shape (points, dims), any number of points.

        Raises:
            InputError: the coordinates don't have one column for each axis of the signal.
        """
        if coords.ndim != 2 or coords.shape[1] != self.signal.dims:
            raise InputError(
                f"coordinates must have shape (points, {self.signal.dims}), got {tuple(coords.shape)}"
            )
        regions = self.region_of(coords)
        own = self.own_coords(coords, regions)
        packing = pack(regions.cpu().numpy(), self.regions)
        pieces, places = [], []
        for group in self.group_list:
            widest = max(
                s.fan_out for s in group.network.layer_shapes(self.signal.dims, self.signal.channels)
            )
            for batch in batches(
                packing.offsets, group.regions.cpu().numpy(), max(1, _BATCH_VALUES // widest)
            ):
                place = torch.as_tensor(packing.order[batch.index()], device=coords.device)
                slot = self.slot[torch.as_tensor(batch.regions, device=coords.device)]
                picked = _pick(group.parameters_by_layer, slot)
                values = group.network.forward(own[place], picked)
                if batch.padded:
                    mask = torch.as_tensor(batch.mask(), device=coords.device)
                    values, place = values[mask], place[mask]
                pieces.append(values.reshape(-1, self.signal.channels))
                places.append(place.reshape(-1))
        if not pieces:
            return coords.new_zeros(0, self.signal.channels)
        back = torch.empty(len(coords), dtype=torch.int64, device=coords.device)
        where = torch.cat(places)
        back[where] = torch.arange(len(where), device=coords.device)
        return torch.cat(pieces)[back]


def _pick(parameters: Parameters, slots: Int[Tensor, "picked"]) -> Parameters:
    if len(slots) == len(parameters.biases[0]) and bool((slots[1:] > slots[:-1]).all()):
        return parameters
    return Parameters([w[slots] for w in parameters.weights], [b[slots] for b in parameters.biases])
