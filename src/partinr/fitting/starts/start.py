"""A learned start: one initialisation for every region's network, and the inner learning rates."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from partinr.errors import InputError
from partinr.fitting.starts.rates import RateKind, Rates
from partinr.model.networks.network import Network, Parameters
from partinr.signals.frames import Frame, StartFrame

MOST_STEPS = 1 << 16
"""More inner steps than anybody unrolls."""


@dataclass(frozen=True, eq=False)
class Start:
    """Where a network begins, and how far each of its first steps goes.

    Every region of a partition starts from a copy of it, whatever the partition. A start without inner steps
    is one of hidden layers: a fit from it solves the output layers, so it is for any number of channels.

    Attributes:
        network: shape and activation.
        dims: axes of the signals that it is for.
        channels: values a sample.
        frame: coordinates that the network sees: "global" and "local" as in a fit; "centred" is
            sample / samples - 1/2 along each axis of the signal, as published.
        parameters: weights (1, fan_in, fan_out) and biases (1, fan_out) of each layer.
        rates: inner learning rates.
        summary: how it was learned; JSON types.

    Source: Finn, Abbeel, Levine, "Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks", ICML
    2017, section 2.2; for implicit networks, Tancik et al., "Learned Initializations for Optimizing
    Coordinate-Based Neural Representations", CVPR 2021; copied to regions, Liu et al., ICCV 2023, section
    5.3.

    Example:
        >>> import partinr
        >>> start = partinr.Start.fresh(partinr.Siren(8, 1), dims=2, channels=3, steps=2)
        >>> start.inner_steps, start.rates.kind
        (2, 'parameter-step')
    """

    network: Network
    dims: int
    channels: int
    frame: StartFrame
    parameters: Parameters
    rates: Rates
    summary: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def fresh(
        cls,
        network: Network,
        dims: int,
        channels: int,
        *,
        frame: StartFrame = "centred",
        kind: RateKind = "parameter-step",
        steps: int = 3,
        rate: float = 1e-5,
        seed: int = 0,
    ) -> Start:
        """What has not learned anything yet: parameters as the network's publication draws them.

        Args:
            network: shape and activation.
            dims: axes of the signals.
            channels: values a sample.
            frame: coordinates that the network sees.
            kind: which inner learning rates there are.
            steps: inner steps.
            rate: initial value of every rate.
            seed: decides the parameters.

        Raises:
            InputError: steps or rate are out of their range.
        """
        if not 1 <= steps <= MOST_STEPS:
            raise InputError(f"inner steps must be 1 to {MOST_STEPS}, got {steps}")
        if not 0 < rate < float("inf"):
            raise InputError(f"the inner learning rate must be a positive number, got {rate}")
        parameters = network.initialise(1, dims, channels, torch.Generator().manual_seed(seed))
        shapes = [tuple(tensor.shape[1:]) for tensor in flat(parameters)]
        return cls(network, dims, channels, frame, parameters, Rates.fresh(kind, steps, rate, shapes))

    @classmethod
    def of_hidden_layers(
        cls, network: Network, dims: int, parameters: Parameters, frame: Frame, summary: dict[str, Any]
    ) -> Start:
        """A start without inner steps.

        Args:
            network: shape and activation.
            dims: axes of the signals.
            parameters: of one network of any number of channels; weights (1, fan_in, fan_out) and biases
                (1, fan_out) of each layer, those of the output layer unused.
            frame: coordinates that the network sees.
            summary: how it was learned; JSON types.

        Example:
            >>> import torch, partinr
            >>> network = partinr.Siren(8, 1)
            >>> drawn = network.initialise(1, 2, 3, torch.Generator().manual_seed(0))
            >>> partinr.Start.of_hidden_layers(network, 2, drawn, "local", {}).inner_steps
            0
        """
        weights = [*parameters.weights[:-1], torch.zeros_like(parameters.weights[-1][..., :1])]
        biases = [*parameters.biases[:-1], torch.zeros_like(parameters.biases[-1][..., :1])]
        none = Rates("fixed", 0, [torch.zeros(1)])
        return cls(network, dims, 1, frame, Parameters(weights, biases), none, summary)

    @property
    def inner_steps(self) -> int:
        """Gradient steps that it was learned for; 0 if output layers are solved instead."""
        return self.rates.steps

    @property
    def tensors(self) -> list[Tensor]:
        """The parameters: weights of all layers, then biases, each with a first axis of 1."""
        return flat(self.parameters)

    def digest(self) -> str:
        """A checksum of all numbers, for checkpoints."""
        digest = hashlib.sha256()
        for tensor in (*self.tensors, *self.rates.values):
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def copies(self, regions: int) -> list[Tensor]:
        """The parameters of so many regions that are all at the start; not to be changed in place."""
        return [tensor.expand(regions, *tensor.shape[1:]) for tensor in self.tensors]

    def moved(self, parameters: list[Tensor], rates: list[Tensor]) -> Start:
        """The same with other values."""
        return replace(self, parameters=grouped(parameters), rates=replace(self.rates, values=rates))

    def on(self, device: torch.device | str, dtype: torch.dtype = torch.float32) -> Start:
        """A copy on a device, in a precision."""
        return self.moved(
            [tensor.to(device, dtype) for tensor in self.tensors],
            [value.to(device, dtype) for value in self.rates.values],
        )


def flat(parameters: Parameters) -> list[Tensor]:
    """Weights of all layers, then biases."""
    return [*parameters.weights, *parameters.biases]


def grouped(tensors: list[Tensor]) -> Parameters:
    """The inverse of `flat`."""
    half = len(tensors) // 2
    return Parameters(list(tensors[:half]), list(tensors[half:]))
