"""The inner loop, and the gradient of what comes out of it by what went in.

The inner loop is gradient descent, θ_(k+1) = θ_k − α_k ∇L(θ_k), for every region on its own. Its derivative
is not taken by keeping the graph of all steps, but by the adjoint recursion: with v_K the gradient of the
outer loss at θ_K, going back v_k = v_(k+1) − H_k (α_k v_(k+1)), H_k the Hessian of L at θ_k; the gradient
by α_k is −∇L(θ_k) v_(k+1). The numbers are the same, and all that is kept of a step are its parameters and
its gradient: activations live no longer than one piece of samples takes, and are computed again.

Source: Finn, Abbeel, Levine, ICML 2017, equation 1 and section 5.2 (first order); Li, Zhou, Chen, Li,
"Meta-SGD", arXiv 1707.09835 (learned rates); Nichol, Achiam, Schulman, "On First-Order Meta-Learning
Algorithms", arXiv 1803.02999 (Reptile); Baydin, Pearlmutter, Radul, Siskind, "Automatic Differentiation in
Machine Learning: a Survey", JMLR 18, 2018, section 3.2 (Hessian-vector products).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.func import grad, grad_and_value, vjp

from partinr.engines.engine import Precision
from partinr.fitting.starts.rates import Rates
from partinr.fitting.starts.start import Start
from partinr.fitting.starts.tasks import Piece, Tasks
from partinr.model.arrays import Array
from partinr.model.networks.network import Network, Parameters
from partinr.shapes import Float

Method = Literal["second-order", "first-order", "reptile"]
"""How the start is learned: MAML; MAML without second derivatives; towards where the inner loop ends."""


def on_device(start: Start, device: torch.device | str, dtype: torch.dtype = torch.float32) -> Start:
    """A start of tensors, from one of arrays or tensors."""
    own, rates = ([torch.as_tensor(a).to(device, dtype) for a in arrays] for arrays in _arrays(start))
    return start.moved(own, rates)


def fetched(start: Start) -> Start:
    """A start of arrays in single precision, from one of tensors."""
    own, rates = ([a.detach().float().cpu().numpy() for a in arrays] for arrays in _arrays(start))
    return start.moved(own, rates)


def _arrays(start: Start) -> tuple[list[Array], list[Array]]:
    return start.parameters.arrays, start.rates.values


def copies(start: Start, regions: int) -> list[Tensor]:
    """The parameters of so many regions that are all at the start; not to be changed in place."""
    return [tensor.expand(regions, *tensor.shape[1:]) for tensor in start.parameters.arrays]


class Inner(NamedTuple):
    """A state of the inner loop.

    Attributes:
        parameters: of every region, shapes (regions, ...); weights, then biases.
        losses: mean squared error of each region with them.
        slopes: gradient of each region's loss, shaped like the parameters.
    """

    parameters: list[Tensor]
    losses: Float[Tensor, " regions"]
    slopes: list[Tensor]


def descend(
    start: Start, tasks: Tasks, steps: int | None = None, precision: Precision = "fp32"
) -> Iterator[Inner]:
    """The inner loop: the state before each step, and after the last.

    Args:
        start: where every region begins, and its rates.
        tasks: the regions.
        steps: how many steps; None for those that the start was learned for.
        precision: of the products between hidden layers.
    """
    parameters = copies(start, tasks.regions)
    count = start.inner_steps if steps is None else steps
    for step in range(count + 1):
        losses, slopes = gradient(start.network, parameters, tasks, precision)
        yield Inner(parameters, losses, slopes)
        if step < count:
            parameters = _stepped(parameters, slopes, start.rates, step)


def descended(start: Start, tasks: Tasks) -> list[Tensor]:
    """Parameters of every region after all inner steps, shapes (regions, ...); weights, then biases."""
    parameters = copies(start, tasks.regions)
    for step in range(start.inner_steps):
        _, slopes = gradient(start.network, parameters, tasks)
        parameters = _stepped(parameters, slopes, start.rates, step)
    return parameters


@dataclass(frozen=True, eq=False)
class MetaGradient:
    """What one batch of signals says about the start.

    Attributes:
        losses: mean squared error of the batch before the first inner step, before each other one, and after
            the last, which is the outer loss; shape (steps + 1,).
        parameters: gradient of the outer loss by the start's parameters, shapes (1, ...).
        rates: gradient by the inner learning rates, shaped like their values.
    """

    losses: Float[Tensor, " states"]
    parameters: list[Tensor]
    rates: list[Tensor]

    def finite(self) -> bool:
        """Whether every number is."""
        return all(bool(t.isfinite().all()) for t in (self.losses, *self.parameters, *self.rates))


def meta_gradient(
    start: Start, tasks: Tasks, method: Method = "second-order", precision: Precision = "fp32"
) -> MetaGradient:
    """The gradient of the error after the inner loop, by the start and its rates.

    With "reptile" the parameters' "gradient" is the start minus the mean of where the regions ended, and that
    of the rates is 0.

    Args:
        start: what is learned.
        tasks: a batch of signals.
        method: how.
        precision: of the products between hidden layers.
    """
    states = list(descend(start, tasks, precision=precision))
    losses = torch.stack([(tasks.shares * state.losses).sum() for state in states])
    rates = [torch.zeros_like(value) for value in start.rates.values]
    if method == "reptile":
        moved = [
            start_ - end for start_, end in zip(start.parameters.arrays, states[-1].parameters, strict=True)
        ]
        return MetaGradient(losses, [_weighted(tasks, m).sum(dim=0, keepdim=True) for m in moved], rates)
    back = [_weighted(tasks, slope) for slope in states[-1].slopes]
    for step in reversed(range(len(states) - 1)):
        state = states[step]
        start.rates.pull_back(step, [-s * b for s, b in zip(state.slopes, back, strict=True)], rates)
        if method == "second-order":
            along = [a * b for a, b in zip(start.rates.at(step, len(back)), back, strict=True)]
            bent = _hessian_product(start.network, state.parameters, along, tasks, precision)
            back = [b - h for b, h in zip(back, bent, strict=True)]
    return MetaGradient(losses, [b.sum(dim=0, keepdim=True) for b in back], rates)


def _weighted(tasks: Tasks, tensor: Tensor) -> Tensor:
    """A tensor of one entry a region times the region's share."""
    return tensor * tasks.shares.reshape(-1, *[1] * (tensor.ndim - 1))


def _stepped(parameters: list[Tensor], slopes: list[Tensor], rates: Rates, step: int) -> list[Tensor]:
    alphas = rates.at(step, len(parameters))
    return [p - alpha * s for p, alpha, s in zip(parameters, alphas, slopes, strict=True)]


def _values(network: Network, coords: Tensor, parameters: list[Tensor], precision: Precision) -> Tensor:
    """`Network.forward`; the first layer and the output keep single precision, which coordinates need."""

    def in_bf16(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            z: Tensor = network.linear(x, weight, bias)
        return z.to(x.dtype)

    between = None if precision == "fp32" else in_bf16
    values: Tensor = network.forward(coords, Parameters.of(parameters), between)
    return values


def _squared_errors(
    network: Network, parameters: list[Tensor], piece: Piece, precision: Precision
) -> Float[Tensor, " regions"]:
    """Sum of squared errors of each of a piece's regions, over the samples that the piece has of it."""
    error: Tensor = _values(network, piece.coords, parameters, precision) - piece.values
    if piece.mask is not None:
        error = error * piece.mask
    return error.square().sum(dim=(1, 2))


def _picked(tensors: list[Tensor], piece: Piece) -> list[Tensor]:
    return tensors if piece.rows is None else [tensor[piece.rows] for tensor in tensors]


def _add(total: list[Tensor], parts: list[Tensor], piece: Piece) -> None:
    for into, part in zip(total, parts, strict=True):
        if piece.rows is None:
            into += part
        else:
            into.index_add_(0, piece.rows, part)


def evaluate(network: Network, parameters: list[Tensor], tasks: Tasks) -> Float[Tensor, "samples channels"]:
    """Values of every region's network at its own samples: regions in order, samples in raster order."""
    parts: list[list[Tensor]] = [[] for _ in range(tasks.regions)]
    with torch.no_grad():
        for piece in tasks.pieces:
            values = _values(network, piece.coords, _picked(parameters, piece), "fp32")
            rows = range(tasks.regions) if piece.rows is None else piece.rows.tolist()
            for row, own, mask in zip(
                rows, values, [None] * len(values) if piece.mask is None else piece.mask, strict=True
            ):
                parts[row].append(own if mask is None else own[mask[:, 0] > 0])
    return torch.cat([torch.cat(part) for part in parts])


def gradient(
    network: Network, parameters: list[Tensor], tasks: Tasks, precision: Precision = "fp32"
) -> tuple[Float[Tensor, " regions"], list[Tensor]]:
    """Mean squared error of each region, and its gradient by the region's own parameters."""
    losses = torch.zeros_like(tasks.sizes)
    slopes = [torch.zeros_like(p) for p in parameters]
    for piece in tasks.pieces:
        (scale,) = _picked([1 / tasks.sizes], piece)

        def error(own: list[Tensor], piece: Piece = piece, scale: Tensor = scale) -> tuple[Tensor, Tensor]:
            means = _squared_errors(network, own, piece, precision) * scale
            return means.sum(), means.detach()

        found, (_, means) = grad_and_value(error, has_aux=True)(_picked(parameters, piece))
        _add(slopes, found, piece)
        _add([losses], [means], piece)
    return losses, slopes


def _hessian_product(
    network: Network, parameters: list[Tensor], along: list[Tensor], tasks: Tasks, precision: Precision
) -> list[Tensor]:
    """Hessian of each region's mean squared error times a vector of the parameters' shapes: the gradient of
    the gradient's product with the vector."""
    bent = [torch.zeros_like(p) for p in parameters]
    for piece in tasks.pieces:
        (scale,) = _picked([1 / tasks.sizes], piece)
        direction = _picked(along, piece)

        def error(own: list[Tensor], piece: Piece = piece, scale: Tensor = scale) -> Tensor:
            return (_squared_errors(network, own, piece, precision) * scale).sum()

        pull_back = vjp(grad(error), _picked(parameters, piece))[1]
        _add(bent, pull_back(direction)[0], piece)
    return bent
