"""The torch engine: any network, any device, gradients by autograd, batched over regions."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import ClassVar, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from partinr.engines.engine import Engine, Plan, Samples, SharedSamples, Tick, TrainingState
from partinr.engines.readout import check_solvable, whole_boxes, with_readout
from partinr.engines.sampling import batch_indices
from partinr.errors import InputError
from partinr.model.networks.network import Network, Parameters
from partinr.model.packing import Batch, batches, group_by_size, values_at_once
from partinr.shapes import Bool, Float, Float32, Float64, Int, Int64, Shaped, UInt64

# Values of the widest layer that one batch holds on what is no CPU; of a least-squares solution, where there
# are several copies in double precision.
_VALUES, _READOUT_VALUES = 1 << 26, 1 << 24
# Sample indices that are computed at once.
_INDICES = 1 << 18


class TorchEngine(Engine):
    """Trains batches of regions, one batch after another, each to the end of the plan.

    A network is never evaluated on samples that are not its own region's. Memory is bounded: the tensors of a
    batch of regions fit in cache, and the samples of a region too large for that are taken in chunks whose
    gradients add up. On a CPU tensors share their memory with the arrays; elsewhere samples are copied to the
    device once, and states for as long as a call takes.

    Args:
        device: where to compute.
        threads: CPU threads to use, None for torch's own choice.

    Raises:
        InputError: torch has no such device here.
    """

    name: ClassVar[str] = "torch"

    def __init__(self, device: str = "cpu", threads: int | None = None) -> None:
        self._device = usable_device(device)
        self._threads = threads
        self._held: WeakKeyDictionary[Samples, _Samples] = WeakKeyDictionary()

    @property
    def device(self) -> str:
        """See `Engine.device`."""
        return str(self._device)

    def advance(
        self,
        network: Network,
        state: TrainingState,
        samples: Samples,
        plan: Plan,
        tick: Tick,
    ) -> Float64[ndarray, "k steps"]:
        """See `Engine.advance`."""
        losses = np.full((len(plan.regions), len(plan.learning_rates)), np.nan)
        limit = self._limit(network, samples)
        counts = samples.counts[plan.regions]
        used = counts if plan.batch is None else np.minimum(counts, plan.batch)
        tensors, held = [self._tensor(array) for array in state.arrays()], self._samples(samples)
        with limited_threads(self._threads):
            for subset in (counts > used, counts == used):
                for rows in group_by_size(np.where(subset, used, 0), limit):
                    bundle = _Bundle(network, tensors, held, plan, plan.regions[rows])
                    done, stopped = bundle.train(limit, tick)
                    losses[rows, : done.shape[1]] = done
                    if stopped:
                        self._fetch(tensors, state)
                        return losses
        self._fetch(tensors, state)
        return losses

    def evaluate(
        self, network: Network, parameters: Parameters, samples: Samples
    ) -> Float32[ndarray, "samples channels"]:
        """See `Engine.evaluate`."""
        out = np.empty(samples.values.shape, np.float32)
        regions = np.arange(len(samples.counts))
        held, moved = self._samples(samples), parameters.map(self._tensor)
        with limited_threads(self._threads), torch.no_grad():
            for batch in batches(samples.offsets, regions, self._limit(network, samples)):
                index, mask = batch.index(), batch.mask()
                rows = torch.as_tensor(batch.regions, device=self._device)
                own = held.coords[torch.as_tensor(index, device=self._device)]
                out[index[mask]] = network.forward(own, _rows(moved, rows)).cpu().numpy()[mask]
        return out

    def solve_readout(
        self, network: Network, parameters: Parameters, samples: Samples, ridge: float
    ) -> Parameters:
        """See `Engine.solve_readout`. Sums are accumulated in float64, in batches of bounded memory."""
        width = network.read_features(samples.coords.shape[1]) + 1
        solved = np.zeros((len(samples.counts), width, samples.values.shape[1]), np.float32)
        whole = whole_boxes(samples) & network.orthogonal & (samples.weights is None)
        check_solvable(network, samples, whole)
        held, moved = self._samples(samples), parameters.map(self._tensor)
        with limited_threads(self._threads), torch.no_grad():
            for orthogonal, size in ((True, width), (False, width**2)):
                chosen = np.flatnonzero(whole == orthogonal)
                at_once = max(1, values_at_once(self._device.type, _READOUT_VALUES) // size)
                for regions in np.split(chosen, range(at_once, len(chosen), at_once)):
                    solved[regions] = self._readouts(
                        network, moved, samples, held, regions, None if orthogonal else ridge
                    )
        return with_readout(network, parameters, solved)

    def _readouts(
        self,
        network: Network,
        parameters: Parameters,
        samples: Samples,
        held: _Samples,
        regions: Int64[ndarray, "some"],
        ridge: float | None,
    ) -> Float32[ndarray, "some features_and_bias channels"]:
        """Output layers of some regions; no ridge: of features that are orthogonal on their samples."""
        channels, width = samples.values.shape[1], network.read_features(samples.coords.shape[1]) + 1
        shape = (width,) if ridge is None else (width, width)
        gram = torch.zeros(len(regions), *shape, dtype=torch.float64, device=self._device)
        moment = torch.zeros(len(regions), width, channels, dtype=torch.float64, device=self._device)
        limit = max(1, values_at_once(self._device.type, _READOUT_VALUES) // width)
        apart = None if samples.extents is None else network.told_apart(samples.extents[regions])
        used = None if apart is None else self._tensor(np.pad(apart, [(0, 0), (0, 1)], constant_values=True))
        for batch in batches(samples.offsets, regions, limit):
            rows = torch.as_tensor(np.searchsorted(regions, batch.regions), device=self._device)
            index = torch.as_tensor(batch.index(), device=self._device)
            own = _rows(parameters, torch.as_tensor(batch.regions, device=self._device))
            features = network.hidden_features(held.coords[index], own).double()
            design = torch.cat([features, torch.ones_like(features[..., :1])], dim=2)
            if used is not None:
                design = design * used[rows, None]
            weighted = design * torch.as_tensor(batch.mask(), device=self._device)[..., None]
            if held.weights is not None:
                weighted = weighted * held.weights[index][..., None]
            across = (weighted * design).sum(dim=1) if ridge is None else weighted.transpose(1, 2) @ design
            gram.index_add_(0, rows, across)
            moment.index_add_(0, rows, weighted.transpose(1, 2) @ held.values[index].double())
        if ridge is None:
            found = moment / torch.where(gram > 0, gram, torch.inf)[..., None]
        else:
            found = _solved(gram, moment, ridge, used)
        return found.float().cpu().numpy()

    def exchange(
        self, found: Float32[ndarray, "pairs channels"], shared: SharedSamples, samples: list[Samples]
    ) -> None:
        """See `Engine.exchange`."""
        super().exchange(found, shared, samples)
        for packed in samples:
            if packed in self._held:
                self._held[packed].values.copy_(torch.from_numpy(packed.values))

    def _tensor(self, array: Shaped[ndarray, "..."]) -> Tensor:
        return torch.from_numpy(array).to(self._device)

    def _samples(self, samples: Samples) -> _Samples:
        """Samples on the device."""
        if samples not in self._held:
            weights = None if samples.weights is None else self._tensor(samples.weights)
            values = self._tensor(samples.values)
            self._held[samples] = _Samples(
                self._tensor(samples.coords), values, weights, samples.offsets, samples.keys
            )
        return self._held[samples]

    def _fetch(self, tensors: list[Tensor], state: TrainingState) -> None:
        """Bring what was trained back from the device; on a CPU it is there."""
        if self._device.type != "cpu":
            for tensor, array in zip(tensors, state.arrays(), strict=True):
                array[...] = tensor.cpu().numpy()

    def _limit(self, network: Network, samples: Samples) -> int:
        widest = network.widest(samples.coords.shape[1], samples.values.shape[1])
        return max(1, values_at_once(self._device.type, _VALUES) // widest)


_forked = False


def _after_fork() -> None:
    """A forked process has none of its parent's threads, and torch would wait for them for ever."""
    global _forked
    _forked = True
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """So many of torch's CPU threads while this lasts; None: as before. One in a forked process."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if _forked else threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def usable_device(name: str) -> torch.device:
    """The device of this name.

    Raises:
        InputError: torch has no such device here.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"device must be one that torch has here, got {name} ({reason}); use --device cpu"
        ) from error
    return device


class _Samples(NamedTuple):
    """`Samples` with tensors on a device."""

    coords: Float[Tensor, "samples dims"]
    values: Float[Tensor, "samples channels"]
    weights: Float[Tensor, "samples"] | None
    offsets: Int64[ndarray, "_"]
    keys: UInt64[ndarray, "regions"]

    @property
    def counts(self) -> Int64[ndarray, "regions"]:
        """Number of samples of each region."""
        return np.diff(self.offsets)


class _Chunk(NamedTuple):
    """Samples of some regions, padded to equal numbers with samples of weight 0."""

    coords: Float[Tensor, "b n dims"]
    values: Float[Tensor, "b n channels"]
    weights: Float[Tensor, "b n 1"] | None

    def squared_error(self, network: Network, parameters: Parameters) -> Float64[Tensor, "b"]:
        """Weighted sum of squared errors of each region over the chunk's samples."""
        squares: Tensor = (network.forward(self.coords, parameters) - self.values).square()
        if self.weights is not None:
            squares = squares * self.weights
        return squares.sum(dim=(1, 2), dtype=torch.float64)


def _load(batch: Batch, samples: _Samples) -> _Chunk:
    device = samples.coords.device
    if len(batch.regions) == 1:
        piece = slice(int(batch.starts[0]), int(batch.starts[0] + batch.lengths[0]))
        weights = None if samples.weights is None else samples.weights[piece][None, :, None]
        return _Chunk(samples.coords[piece][None], samples.values[piece][None], weights)
    chunk = _picked(samples, torch.as_tensor(batch.index(), device=device))
    if not batch.padded:
        return chunk
    mask = torch.as_tensor(batch.mask(), device=device)[:, :, None].float()
    return chunk._replace(weights=mask if chunk.weights is None else mask * chunk.weights)


def _picked(samples: _Samples, index: Int[Tensor, "b n"]) -> _Chunk:
    weights = None if samples.weights is None else samples.weights[index][:, :, None]
    return _Chunk(samples.coords[index], samples.values[index], weights)


def _rows(parameters: Parameters, rows: Tensor) -> Parameters:
    if torch.equal(rows, torch.arange(len(parameters.biases[0]), device=rows.device)):
        return parameters
    return Parameters([w[rows] for w in parameters.weights], [b[rows] for b in parameters.biases])


class _Bundle:
    """Regions that are trained together, each with its own copy of parameters and optimiser state."""

    def __init__(
        self,
        network: Network,
        state: list[Tensor],
        samples: _Samples,
        plan: Plan,
        regions: Int64[ndarray, "b"],
    ) -> None:
        self.network, self.state, self.samples = network, state, samples
        self.plan, self.regions = plan, regions
        self.step = plan.start
        picked = torch.as_tensor(regions, device=samples.coords.device)
        self.tensors = [tensor[picked] for tensor in state]
        count = len(self.tensors) // 3
        self.leaves = [tensor.requires_grad_() for tensor in self.tensors[:count]]
        self.parameters = Parameters(self.leaves[: count // 2], self.leaves[count // 2 :])
        self.optimiser = torch.optim.Adam(
            self.leaves, betas=(plan.adam.beta1, plan.adam.beta2), eps=plan.adam.eps, fused=True
        )
        for i, leaf in enumerate(self.leaves):
            self.optimiser.state[leaf] = {
                "step": torch.tensor(float(self.step), device=leaf.device),
                "exp_avg": self.tensors[count + i],
                "exp_avg_sq": self.tensors[2 * count + i],
            }

    def train(self, limit: int, tick: Tick) -> tuple[Float64[ndarray, "b steps"], bool]:
        """Train to the end of the plan or until told to stop, and write the state back."""
        counts = self.samples.counts[self.regions]
        used = counts if self.plan.batch is None else np.minimum(counts, self.plan.batch)
        channels = self.samples.values.shape[1]
        device = self.samples.coords.device
        size = torch.as_tensor(used * channels, device=device, dtype=torch.float64)
        weight = 1 / size
        if self.plan.whole_signal:
            weight = torch.full_like(size, 1 / (self.plan.signal_samples * channels))
        losses = []
        stopped = False
        for chunks in self._steps(limit):
            squared = torch.zeros_like(size)
            for chunk in chunks:
                sums = chunk.squared_error(self.network, self.parameters)
                (sums * weight).sum().backward()  # type: ignore[no-untyped-call]
                squared += sums.detach()
            self.optimiser.param_groups[0]["lr"] = float(
                self.plan.learning_rates[self.step - self.plan.start]
            )
            self.optimiser.step()
            self.optimiser.zero_grad()
            self.step += 1
            losses.append(squared / size)
            stopped = tick(len(self.regions))
            if stopped:
                break
        self._write_back()
        return torch.stack(losses, dim=1).cpu().numpy(), stopped

    def _steps(self, limit: int) -> Iterator[list[_Chunk]]:
        counts = self.samples.counts[self.regions]
        batch = self.plan.batch
        if batch is None or (counts <= batch).all():
            chunks = [
                _load(piece, self.samples) for piece in batches(self.samples.offsets, self.regions, limit)
            ]
            while self.step < self.plan.stop:
                yield chunks
            return
        starts = self.samples.offsets[self.regions]
        keys = self.samples.keys[self.regions]
        while self.step < self.plan.stop:
            ahead = min(self.plan.stop - self.step, max(1, _INDICES // (batch * len(counts))))
            within = batch_indices(keys, counts, self.step, ahead, batch)
            index = torch.as_tensor(within + starts[:, None, None], device=self.samples.coords.device)
            for i in range(ahead):
                yield [_picked(self.samples, index[:, i])]

    def _write_back(self) -> None:
        picked = torch.as_tensor(self.regions, device=self.samples.coords.device)
        for whole, part in zip(self.state, self.tensors, strict=True):
            whole[picked] = part.detach()


def _solved(
    gram: Float64[Tensor, "regions width width"],
    moment: Float64[Tensor, "regions width channels"],
    ridge: float,
    used: Bool[Tensor, "regions width"] | None,
) -> Float64[Tensor, "regions width channels"]:
    diagonal = gram.diagonal(dim1=1, dim2=2)
    mean = diagonal.mean(dim=1) if used is None else diagonal.sum(dim=1) / used.sum(dim=1)
    scale = mean.clamp_min(1e-30)
    penalty = torch.full((gram.shape[-1],), ridge, dtype=gram.dtype, device=gram.device)
    penalty[-1] = 1e-9  # the bias is free
    solution: Tensor = torch.linalg.solve(gram + scale[:, None, None] * torch.diag(penalty), moment)
    return solution
