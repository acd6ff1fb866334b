"""A learned start: one initialisation for every region's network, and the inner learning rates."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from partinr.errors import InputError
from partinr.fitting.settings import digest
from partinr.fitting.starts.rates import RateKind, Rates
from partinr.model.arrays import Array
from partinr.model.networks.network import Network, Parameters, check_trained
from partinr.signals.frames import StartFrame

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

    Raises:
        InputError: the network has nothing to learn but the output layer.

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

    def __post_init__(self) -> None:
        check_trained(self.network, "starts are learned")

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
        parameters = network.initialise(1, dims, channels, np.random.Generator(np.random.Philox(seed)))
        shapes = [array.shape[1:] for array in parameters.arrays]
        return cls(network, dims, channels, frame, parameters, Rates.fresh(kind, steps, rate, shapes))

    @classmethod
    def of_hidden_layers(
        cls, network: Network, dims: int, parameters: Parameters, frame: StartFrame, summary: dict[str, Any]
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
            >>> import numpy as np, partinr
            >>> network = partinr.Siren(8, 1)
            >>> drawn = network.initialise(1, 2, 3, np.random.default_rng(0))
            >>> partinr.Start.of_hidden_layers(network, 2, drawn, "local", {}).inner_steps
            0
        """
        weights = [*parameters.weights[:-1], np.zeros_like(parameters.weights[-1][..., :1])]
        biases = [*parameters.biases[:-1], np.zeros_like(parameters.biases[-1][..., :1])]
        none = Rates("fixed", 0, [np.zeros(1, np.float32)])
        return cls(network, dims, 1, frame, Parameters(weights, biases), none, summary)

    @property
    def inner_steps(self) -> int:
        """Gradient steps that it was learned for; 0 if output layers are solved instead."""
        return self.rates.steps

    def digest(self) -> str:
        """A checksum of all numbers, for checkpoints."""
        return digest(*self.parameters.arrays, *self.rates.values)

    def moved(self, parameters: list[Array], rates: list[Array]) -> Start:
        """The same with other values, given as weights of all layers, then biases."""
        return replace(self, parameters=Parameters.of(parameters), rates=replace(self.rates, values=rates))
