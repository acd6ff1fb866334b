"""FINER: sines whose frequency grows with the pre-activation."""

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
class Finer(Perceptron):
    """Layers sin(omega (|z| + 1) z), z = x W + b, and a linear output.

    The wider the first layer's biases are spread, the higher the frequencies that its units start from.
    Weights are drawn as SIREN's: U(±1/fan_in) in the first layer, U(±sqrt(6/fan_in)/omega_hidden) elsewhere,
    the output layer included; biases from U(±bias_range) in the first layer, U(±1/sqrt(fan_in)) elsewhere.

    Gradients are those of the function. The published code takes |z| + 1 as a constant when it
    differentiates, unless told otherwise, which is not a gradient of what it evaluates.

    Attributes:
        omega_0: frequency factor of the first layer.
        omega_hidden: frequency factor of the other hidden layers.
        bias_range: largest magnitude of the first layer's initial biases, k in the paper. The published code
            has 1/sqrt(2) for images, the default here, and 1 for signed distance functions.

    Source: Liu et al., "FINER: Flexible spectral-bias tuning in Implicit NEural Representation by
    Variable-periodic Activation Functions", CVPR 2024, section 3; defaults of its code (models.py,
    train_image.py).

    Example:
        >>> Finer(hidden=32).layer_shapes(dims=2, channels=1)[0]
        Layer(fan_in=2, fan_out=32)
    """

    hidden: int = 16
    layers: int = 2
    omega_0: float = 30.0
    omega_hidden: float = 30.0
    bias_range: float = math.sqrt(0.5)

    name: ClassVar[str] = "finer"
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {
        **Perceptron.bounds,
        "omega_0": (1e-6, 1e6),
        "omega_hidden": (1e-6, 1e6),
        "bias_range": (0, 1e6),
    }

    def suited_to(self, span: float) -> Finer:
        """See `Network.suited_to`: lower frequencies than published, spread by wider biases."""
        return replace(self, omega_0=0.6 * math.sqrt(span), bias_range=3.0)

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
            spread = self.bias_range if layer == 0 else 1 / math.sqrt(fan_in)
            weights.append(uniform((regions, fan_in, fan_out), bound, random))
            biases.append(uniform((regions, fan_out), spread, random))
        return Parameters(weights, biases)

    def activate(
        self, z: Float[Array, "regions samples fan_out"], layer: int
    ) -> Float[Array, "regions samples fan_out"]:
        """sin(omega (|z| + 1) z)."""
        omega = self.omega_0 if layer == 0 else self.omega_hidden
        return namespace(z).sin((abs(z) + 1) * omega * z)
