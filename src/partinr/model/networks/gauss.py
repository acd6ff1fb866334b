"""Gaussian activations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from partinr.model.arrays import Array, namespace
from partinr.model.networks.network import KernelNumbers, Parameters, as_torch_linear
from partinr.model.networks.perceptron import Perceptron
from partinr.shapes import Float


@dataclass(frozen=True)
class Gauss(Perceptron):
    """Layers exp(-z² / (2 sigma²)), z = x W + b, and a linear output.

    Weights and biases of all layers are drawn from U(±1/sqrt(fan_in)), as torch.nn.Linear draws them, which
    is what the published code leaves them at.

    Attributes:
        sigma: width of the Gaussian. The published code has 0.09. Comparisons in the code of WIRE and FINER
            write exp(-(s z)²), s = 1/(sqrt(2) sigma), with s = 10 (sigma 0.071) and s = 30 (sigma 0.024).

    Source: Ramasinghe, Lucey, "Beyond Periodicity: Towards a Unifying Framework for Activations in
    Coordinate-MLPs", ECCV 2022, and its code (run_nerf_helpers.py).

    Example:
        >>> Gauss(hidden=32, sigma=0.2).config()
        {'name': 'gauss', 'hidden': 32, 'layers': 2, 'sigma': 0.2}
    """

    hidden: int = 16
    layers: int = 2
    sigma: float = 0.09

    name: ClassVar[str] = "gauss"
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {**Perceptron.bounds, "sigma": (1e-6, 1e6)}

    def suited_to(self, span: float) -> Gauss:
        """See `Network.suited_to`: narrower where there are more samples."""
        return replace(self, sigma=0.6 / math.sqrt(span))

    def kernel(self, dims: int) -> KernelNumbers:  # noqa: ARG002
        """See `Network.kernel`."""
        return KernelNumbers(self.hidden, self.layers, scale=[0.5**0.5 / self.sigma] * (self.layers + 1))

    def initialise(self, regions: int, dims: int, channels: int, random: np.random.Generator) -> Parameters:
        """See `Network.initialise`."""
        return as_torch_linear(self.layer_shapes(dims, channels), regions, random)

    def activate(
        self,
        z: Float[Array, "regions samples fan_out"],
        layer: int,  # noqa: ARG002
    ) -> Float[Array, "regions samples fan_out"]:
        """exp(-z² / (2 sigma²))."""
        return namespace(z).exp(z * z * (-0.5 / self.sigma**2))
