"""WIRE: complex Gabor wavelets as activations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from partinr.model.arrays import Array, halves, namespace
from partinr.model.networks.network import KernelNumbers, Layer, Parameters, as_torch_linear
from partinr.model.networks.perceptron import Perceptron
from partinr.shapes import Float


@dataclass(frozen=True)
class Wire(Perceptron):
    """Complex layers exp(j omega z - scale² |z|²), z = x W + b; the real part of a linear output.

    `hidden` is the width of the real network that has about as many parameters: the layers have `units` =
    floor(hidden / sqrt(2)) complex units (one, for hidden = 1), because a complex number counts twice.

    All tensors are real. The first layer's weights are real, (dims, units) with biases (units,). Later
    weights, the output layer's included, are complex, held as [real parts | imaginary parts] side by side:
    (units, 2 units) with biases (2 units,), and (units, 2 channels) with (2 channels,) for the output. The
    features between layers are [real parts | imaginary parts] too. The imaginary half of the output's bias
    is there, as in the published code, and has no effect.

    Weights and biases are drawn from U(±1/sqrt(fan_in)), real and imaginary parts alike, fan_in being the
    number of inputs (dims or units); this is what torch.nn.Linear does, which the published code leaves
    alone.

    Attributes:
        hidden: width of a real network of about as many parameters; not units.
        layers: hidden layers after the first one.
        omega_0: frequency of the first layer's wavelets.
        omega_hidden: frequency of the other hidden layers' wavelets.
        scale: inverse width of the wavelets' Gaussian window, s_0 in the paper.

    The published scripts set omega and scale by task: 10 and 10 for tomography, the defaults here; 5 and 5
    for denoising; 20 and 30 as advised for representing images, which narrow networks do not learn well with.

    Source: Saragadam et al., "WIRE: Wavelet Implicit Neural Representations", CVPR 2023, and its code
    (modules/wire.py, wire_ct.py, wire_image_denoise.py).

    Example:
        >>> Wire(hidden=16).units
        11
    """

    hidden: int = 16
    layers: int = 2
    omega_0: float = 10.0
    omega_hidden: float = 10.0
    scale: float = 10.0

    name: ClassVar[str] = "wire"
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {
        **Perceptron.bounds,
        "omega_0": (1e-6, 1e6),
        "omega_hidden": (1e-6, 1e6),
        "scale": (1e-6, 1e6),
    }

    @property
    def units(self) -> int:
        """Complex units of a hidden layer."""
        return max(1, math.isqrt(self.hidden**2 // 2))

    def read_features(self, dims: int) -> int:  # noqa: ARG002
        """See `Network.read_features`: real and imaginary parts."""
        return 2 * self.units

    def kernel(self, dims: int) -> KernelNumbers:  # noqa: ARG002
        """See `Network.kernel`."""
        omega = [self.omega_0, *[self.omega_hidden] * self.layers]
        return KernelNumbers(self.units, self.layers, omega, [self.scale] * (self.layers + 1))

    def layer_shapes(self, dims: int, channels: int) -> list[Layer]:
        """Shapes of each layer's stored, real parameters, first to output."""
        units = self.units
        return [Layer(dims, units), *[Layer(units, 2 * units)] * self.layers, Layer(units, 2 * channels)]

    def multiply_adds(self, dims: int, channels: int) -> list[int]:
        """See `Network.multiply_adds`: a complex layer is twice as much work as it has real parameters."""
        first, *hidden, output = super().multiply_adds(dims, channels)
        return [first, *(2 * work for work in hidden), output]

    def suited_to(self, span: float) -> Wire:
        """See `Network.suited_to`: wider and slower wavelets than published."""
        return replace(
            self, omega_0=math.sqrt(span), omega_hidden=math.sqrt(span), scale=0.6 * math.sqrt(span)
        )

    def initialise(self, regions: int, dims: int, channels: int, random: np.random.Generator) -> Parameters:
        """See `Network.initialise`."""
        return as_torch_linear(self.layer_shapes(dims, channels), regions, random)

    def linear(
        self,
        features: Float[Array, "regions samples features"],
        weight: Float[Array, "regions fan_in fan_out"],
        bias: Float[Array, "regions fan_out"],
    ) -> Float[Array, "regions samples fan_out"]:
        """The affine map of one layer: real for real features, complex for [real parts | imaginary parts]."""
        if features.shape[-1] == weight.shape[-2]:
            return super().linear(features, weight, bias)
        # (a + jb)(u + jv) is [a | b] times [u v; -v u]: one real product, no more work than the complex one.
        concatenate = namespace(weight).concatenate
        real, imaginary = halves(weight)
        rotated = concatenate((-imaginary, real), axis=-1)
        return super().linear(features, concatenate((weight, rotated), axis=-2), bias)

    def output(
        self,
        features: Float[Array, "regions samples features"],
        weight: Float[Array, "regions fan_in fan_out"],
        bias: Float[Array, "regions fan_out"],
    ) -> Float[Array, "regions samples channels"]:
        """The real part of the output layer, which is all that is computed of it."""
        real, imaginary = halves(weight)
        stacked = namespace(weight).concatenate((real, -imaginary), axis=-2)
        return super().linear(features, stacked, halves(bias)[0])

    def readout(
        self,
        weight: Float[Array, "regions features channels"],
        bias: Float[Array, "regions channels"],
    ) -> tuple[Float[Array, "regions fan_in fan_out"], Float[Array, "regions fan_out"]]:
        """See `Network.readout`: the real part of a complex product takes the imaginary weights negative."""
        concatenate = namespace(weight).concatenate
        real, imaginary = weight[:, : self.units], weight[:, self.units :]
        return concatenate((real, -imaginary), axis=2), concatenate((bias, 0 * bias), axis=1)

    def activate(
        self, z: Float[Array, "regions samples fan_out"], layer: int
    ) -> Float[Array, "regions samples features"]:
        """exp(j omega z - scale² |z|²) as [real parts | imaginary parts]; z is real in the first layer."""
        # With z = a + jb this is exp(-omega b - scale² (a² + b²)) (cos(omega a) + j sin(omega a)).
        module = namespace(z)
        a, omega, exponent = z, self.omega_0, z * z * -(self.scale**2)
        if layer:
            (a, b), omega = halves(z), self.omega_hidden
            of_a, of_b = halves(exponent)
            exponent = of_a + of_b - omega * b
        size, phase = module.exp(exponent), omega * a
        return module.concatenate((size * module.cos(phase), size * module.sin(phase)), axis=-1)
