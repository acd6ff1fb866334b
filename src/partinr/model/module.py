"""The piecewise function as a torch module: differentiable, movable, and open to torch's transformations."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor, nn
from torch._C import _len_torch_dispatch_stack

from partinr.display import Displayed
from partinr.errors import InputError
from partinr.model.blending import Windows, cell_index
from partinr.model.networks.network import Parameters
from partinr.model.packing import batches, values_at_once
from partinr.model.piecewise import Piecewise
from partinr.model.structure import Structure
from partinr.shapes import Float, Int, Int64, Shaped

# Values of the widest layer in one batch of an evaluation on what is no CPU.
_VALUES = 1 << 24


class _Part(NamedTuple):
    """For each point, a region that may contribute to its value, and its weight there; shapes (points,)."""

    regions: Int[Tensor, "points"]
    weights: Float[Tensor, "points"]


class Group(nn.Module):
    """Parameters of the regions whose networks have one shape.

    Attributes:
        weights: one parameter per layer, (regions, fan_in, fan_out).
        biases: one parameter per layer, (regions, fan_out).
    """

    def __init__(self, parameters: Parameters) -> None:
        super().__init__()
        self.weights = nn.ParameterList([torch.tensor(w, device="cpu") for w in parameters.weights])
        self.biases = nn.ParameterList([torch.tensor(b, device="cpu") for b in parameters.biases])

    def of(self, slots: Int[Tensor, "k"]) -> Parameters:
        """Parameters of some of the regions."""
        return Parameters([w[slots] for w in self.weights], [b[slots] for b in self.biases])


class PiecewiseINR(nn.Module, Displayed):
    """A `Piecewise` on torch's tensors; its parameters are `groups.G.weights.L` and `groups.G.biases.L`.

    Evaluates coordinates of any leading shape on any device, is differentiable with respect to coordinates
    and parameters, and works inside `torch.func` transformations and `torch.export`. Regions are looked up in
    the precision of the coordinates or the parameters, whichever is higher, and values have that of the
    parameters; autocast leaves it alone, whose precision the phases of sines cannot bear.

    Args:
        structure: regions, networks, frame and blending.
        parameters: of each group; None for fresh ones by seed 0.

    Example:
        >>> import torch, partinr
        >>> model = partinr.fit(torch.rand(32, 48).numpy(), goal=partinr.Steps(5)).model.torch()
        >>> model(torch.zeros(7, 2)).shape
        torch.Size([7, 1])
    """

    table: Tensor
    group_of: Tensor
    slot: Tensor
    rank: Tensor
    scale: Tensor
    shift: Tensor

    def __init__(self, structure: Structure, parameters: Sequence[Parameters] | None = None) -> None:
        super().__init__()
        self.structure = structure
        given = structure.initialise(0) if parameters is None else parameters
        self.groups = nn.ModuleList([Group(of_group) for of_group in structure.checked(given)])
        indices = {"table": structure.table, "group_of": structure.group_of}
        indices |= {"slot": structure.slot, "rank": structure.rank}
        indices |= {f"edges_{a}": edges for a, edges in enumerate(structure.edges)}
        for name, index in indices.items():
            self.register_buffer(name, torch.tensor(index, device="cpu"), persistent=False)
        self._set_frames(torch.device("cpu"))

    def _set_frames(self, device: torch.device) -> None:
        for name, values in zip(("scale", "shift"), self.structure.affine, strict=True):
            self.register_buffer(
                name, torch.tensor(values, dtype=torch.float32, device=device), persistent=False
            )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> PiecewiseINR:
        """Frames stay in single precision, whatever that of the parameters becomes."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._set_frames(self.table.device)
        return self

    def displayed(self) -> Piecewise:
        """See `Displayed`."""
        return self.numpy()

    def numpy(self) -> Piecewise:
        """The same as NumPy has it, on copies of the parameters in single precision."""
        return Piecewise(
            self.structure,
            tuple(
                Parameters.of([t.detach().float().cpu().numpy().copy() for t in (*g.weights, *g.biases)])
                for g in self._groups
            ),
        )

    @property
    def _groups(self) -> list[Group]:
        return [group for group in self.groups if isinstance(group, Group)]

    def forward(self, coords: Shaped[Tensor, "..."]) -> Float[Tensor, "*points channels"]:
        """Normalised values at global coordinates (-1..1 over the signal, first axis first).

        Args:
            coords: shape (..., dims).

        Raises:
            InputError: these are no such coordinates, or the module is traced by `torch.jit`.
        """
        if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
            raise InputError("torch.jit.trace cannot see how regions are chosen; take torch.export instead")
        signal = self.structure.signal
        if coords.ndim < 1 or coords.shape[-1] != signal.dims or coords.is_complex():
            raise InputError(
                f"coordinates must be real numbers of shape (..., {signal.dims}), "
                f"got {coords.dtype} of {tuple(coords.shape)}"
            )
        own = self._groups[0].weights[0].dtype
        precise = torch.promote_types(torch.promote_types(coords.dtype, own), torch.float32)
        with _no_autocast(coords.device.type):
            points = coords.to(precise).reshape(-1, signal.dims)
            parts = list(self._parts(points))
            looked_up = _numbers(torch.stack([part.weights.detach() for part in parts]))
            if looked_up is None:
                values = reduce(torch.add, [self._gathered(points, part) for part in parts])
            else:
                values = self._packed(points, parts, looked_up)
        return values.reshape(*coords.shape[:-1], signal.channels)

    def _parts(self, points: Float[Tensor, "points dims"]) -> Iterator[_Part]:
        """Regions that may contribute to each point, one for each cell that a window may touch."""
        structure, lengths = self.structure, self.structure.partition.table.shape
        positions = structure.positions(points)
        edges = [self.get_buffer(f"edges_{a}") for a in range(len(positions))]
        if not structure.blends:
            nearest = [position.detach().round().long() for position in positions]
            cells = [torch.searchsorted(e, n, right=True) for e, n in zip(edges, nearest, strict=True)]
            yield _Part(self.table[cell_index(cells, lengths)].long(), torch.ones_like(positions[0]))
            return
        windows = [
            Windows.along(position, along, structure.overlap, most)
            for position, along, most in zip(positions, edges, structure.most_cells, strict=True)
        ]
        for combination in itertools.product(*(range(len(w.shares)) for w in windows)):
            cells = [
                (w.first + k).clip(0, n - 1) for w, k, n in zip(windows, combination, lengths, strict=True)
            ]
            shares = [w.shares[k] for w, k in zip(windows, combination, strict=True)]
            yield _Part(self.table[cell_index(cells, lengths)].long(), reduce(torch.mul, shares))

    def _own(self, points: Tensor, regions: Int[Tensor, "points"]) -> Float[Tensor, "points dims"]:
        """Global coordinates in the frame of each point's region, in the parameters' precision."""
        own = self._groups[0].weights[0].dtype
        if self.structure.frame == "global":
            return points.to(own)
        scale, shift = self.scale[regions].to(points.dtype), self.shift[regions].to(points.dtype)
        return (points * scale + shift).to(own)

    def _gathered(
        self, points: Float[Tensor, "points dims"], part: _Part
    ) -> Float[Tensor, "points channels"]:
        """Weighted values with a copy of its network's parameters for every point: no shape depends on where
        points lie, which is what transformations need."""
        own = self._own(points, part.regions)[:, None]
        total = None
        for g, (group, network) in enumerate(zip(self._groups, self.structure.networks, strict=True)):
            mine = self.group_of[part.regions] == g
            slots = torch.where(mine, self.slot[part.regions], 0)
            values = torch.where(mine[:, None], network.forward(own, group.of(slots))[:, 0], 0.0)
            total = values if total is None else total + values
        assert total is not None
        return total * part.weights.to(total.dtype)[:, None]

    def _packed(
        self,
        points: Float[Tensor, "points dims"],
        parts: list[_Part],
        weights: Float[ndarray, "parts points"],
    ) -> Float[Tensor, "points channels"]:
        """Weighted values, each network on its own points only."""
        which, point = (torch.as_tensor(i, device=points.device) for i in np.nonzero(~(weights <= 0)))
        regions = torch.stack([part.regions for part in parts])[which, point]
        shares = torch.stack([part.weights for part in parts])[which, point]
        if len(parts) > 1:  # the same region in several cells of a window is evaluated once
            keys, inverse = torch.unique(point * self.structure.regions + regions, return_inverse=True)
            shares = shares.new_zeros(len(keys)).index_add(0, inverse, shares)
            point, regions = keys // self.structure.regions, keys % self.structure.regions
        ranks = self.rank[regions]
        order = torch.argsort(ranks, stable=True)
        counts = torch.bincount(ranks, minlength=self.structure.regions).cpu().numpy()
        offsets = np.concatenate([[0], np.cumsum(counts)])
        point, own = point[order], self._own(points[point[order]], regions[order])
        values, first = [], 0
        for g, members in enumerate(self.structure.members):
            here = offsets[first : first + len(members) + 1]
            first += len(members)
            values.append(self._group_values(g, own[here[0] : here[-1]], here - here[0]))
        weighted = torch.cat(values) * shares[order].to(own.dtype)[:, None]
        out = weighted.new_zeros(len(points), self.structure.signal.channels)
        return out.index_add(0, point, weighted)

    def _group_values(
        self, g: int, own: Float[Tensor, "samples dims"], offsets: Int64[ndarray, "_"]
    ) -> Float[Tensor, "samples channels"]:
        """Values of each member of a group at its own samples, which are sorted by member."""
        group, network = self._groups[g], self.structure.networks[g]
        most = values_at_once(own.device.type, _VALUES)
        limit = max(1, most // network.widest(own.shape[1], self.structure.signal.channels))
        # None, but part of the graph where there are no points at all.
        pieces = [own[:0, :1].expand(0, self.structure.signal.channels)]
        places = [torch.zeros(0, dtype=torch.long, device=own.device)]
        for batch in batches(offsets, np.arange(len(offsets) - 1), limit):
            place = torch.as_tensor(batch.index(), device=own.device)
            slots = torch.as_tensor(batch.regions, device=own.device)
            values = network.forward(own[place], group.of(slots))
            if batch.padded:
                mask = torch.as_tensor(batch.mask(), device=own.device)
                values, place = values[mask], place[mask]
            pieces.append(values.reshape(-1, values.shape[-1]))
            places.append(place.reshape(-1))
        where = torch.cat(places)
        back = torch.empty_like(where)
        back[where] = torch.arange(len(where), device=own.device)
        return torch.cat(pieces)[back]


def _no_autocast(device_type: str) -> contextlib.AbstractContextManager[Any]:
    if not torch.amp.is_autocast_available(device_type):
        return contextlib.nullcontext()
    return torch.autocast(device_type, enabled=False)


def _numbers(tensor: Tensor) -> Float[ndarray, "..."] | None:
    """A tensor's numbers; None where it stands for others, inside a transformation or an export."""
    if torch.compiler.is_compiling() or _len_torch_dispatch_stack():
        return None
    try:
        found: Any = tensor.cpu().numpy()
    except RuntimeError:  # functorch's tensors have no storage
        return None
    return np.asarray(found)
