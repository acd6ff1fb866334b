"""SIREN: sine activations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from partinr.model.arrays import Array, namespace
from partinr.model.networks.network import KernelNumbers, Parameters, uniform
from partinr.model.networks.perceptron import Perceptron
from partinr.shapes import Float


@dataclass(frozen=True)
class Siren(Perceptron):
    """Layers sin(omega_0 (x W + b)) and a linear output.

    Weights are drawn from U(±1/fan_in) in the first layer and U(±sqrt(6/fan_in)/omega_hidden) elsewhere, the
    output layer included; biases from U(±1/sqrt(fan_in)).

    Attributes:
        omega_0: frequency factor of the first layer.
        omega_hidden: frequency factor of the other hidden layers.

    Source: Sitzmann, Martel, Bergman, Lindell, Wetzstein, "Implicit Neural Representations with Periodic
    Activation Functions", NeurIPS 2020, section 3.2 and supplement 1.5.

    Example:
        >>> Siren(hidden=512, layers=3).params(dims=2, channels=3)
        791043
    """

    hidden: int = 16
    layers: int = 2
    omega_0: float = 60.0
    omega_hidden: float = 30.0

    name: ClassVar[str] = "siren"
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {
        **Perceptron.bounds,
        "omega_0": (1e-6, 1e6),
        "omega_hidden": (1e-6, 1e6),
    }
    bf16_from: ClassVar[int | None] = 32  # benchmarks/precision.py

    def suited_to(self, span: float) -> Siren:
        """See `Network.suited_to`; measured by `benchmarks/recipe.py` for spans of 16 to 40 samples."""
        return replace(self, omega_0=2.5 * math.sqrt(span), omega_hidden=20.0)

    def kernel(self, dims: int) -> KernelNumbers:  # noqa: ARG002
        """See `Network.kernel`."""
        return KernelNumbers(
            self.hidden, self.layers, omega=[self.omega_0, *[self.omega_hidden] * self.layers]
        )

    def initialise(self, regions: int, dims: int, channels: int, random: np.random.Generator) -> Parameters:
        """See `Network.initialise`."""
        weights, biases = [], []
        for layer, (fan_in, fan_out) in enumerate(self.layer_shapes(dims, channels)):
            bound = 1 / fan_in if layer == 0 else math.sqrt(6 / fan_in) / self.omega_hidden
            weights.append(uniform((regions, fan_in, fan_out), bound, random))
            biases.append(uniform((regions, fan_out), 1 / math.sqrt(fan_in), random))
        return Parameters(weights, biases)

    def activate(
        self, z: Float[Array, "regions samples fan_out"], layer: int
    ) -> Float[Array, "regions samples fan_out"]:
        """sin(omega z)."""
        return namespace(z).sin((self.omega_0 if layer == 0 else self.omega_hidden) * z)
