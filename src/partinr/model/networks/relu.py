"""ReLU-MLP after a harmonic encoding of the coordinates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from partinr.model.arrays import Array, like, namespace, positive, sines_and_cosines
from partinr.model.networks.network import KernelNumbers, Parameters, normal
from partinr.model.networks.perceptron import Perceptron
from partinr.shapes import Float


@dataclass(frozen=True)
class ReluHarmonic(Perceptron):
    """Layers relu(x W + b) and a linear output, on sines and cosines of the coordinates, octave by octave.

    Coordinate x becomes sin(0.5 2^k x) and cos(0.5 2^k x), k = 0..frequencies-1. The features are all sines,
    then all cosines; within each, axis after axis, and within an axis in ascending frequency. The
    coordinates themselves are not among them. Weights, those of the output layer included, are drawn from
    N(0, 2/fan_in); biases are zero.

    The highest of 60 frequencies is 2^58, far beyond any sampling rate: there the features are a fixed hash
    of the coordinate's bits. They are reproducible all the same, because the product of a floating-point
    coordinate and a power of two is exact in any precision.

    Attributes:
        frequencies: octaves per axis; at most 128, beyond which single precision overflows.

    Source: the encoding is that of Mildenhall et al., "NeRF", ECCV 2020, section 5.1, equation 4, with the
    frequencies of Liu et al., "Partition Speeds Up Learning Implicit Neural Representations Based on
    Exponential-Increase Hypothesis", ICCV 2023, and its code; the initialisation is that of He et al.,
    "Delving Deep into Rectifiers", ICCV 2015, section 2.2.

    Example:
        >>> ReluHarmonic(hidden=512, layers=3).params(dims=2, channels=3)
        912899
    """

    hidden: int = 16
    layers: int = 2
    frequencies: int = 60

    name: ClassVar[str] = "relu"
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {**Perceptron.bounds, "frequencies": (1, 128)}

    def encoded(self, dims: int) -> int:
        """Number of features that the encoding makes of `dims` coordinates."""
        return 2 * dims * self.frequencies

    def suited_to(self, span: float) -> ReluHarmonic:
        """See `Network.suited_to`: octaves up to two fifths of the sampling rate."""
        return replace(self, frequencies=max(1, round(math.log2(1.28 * max(span, 1))) + 1))

    def kernel(self, dims: int) -> KernelNumbers:  # noqa: ARG002
        """See `Network.kernel`."""
        return KernelNumbers(self.hidden, self.layers, octaves=self.frequencies)

    def initialise(self, regions: int, dims: int, channels: int, random: np.random.Generator) -> Parameters:
        """See `Network.initialise`."""
        weights, biases = [], []
        for fan_in, fan_out in self.layer_shapes(dims, channels):
            weights.append(normal((regions, fan_in, fan_out), math.sqrt(2 / fan_in), random))
            biases.append(np.zeros((regions, fan_out), np.float32))
        return Parameters(weights, biases)

    def encode(
        self, coords: Float[Array, "regions samples dims"]
    ) -> Float[Array, "regions samples features"]:
        """[sines | cosines] of every coordinate at every frequency."""
        frequencies = like(np.ldexp(0.5, np.arange(self.frequencies)), coords)
        phases = [coords[..., axis : axis + 1] * frequencies for axis in range(coords.shape[-1])]
        return sines_and_cosines(namespace(coords).concatenate(phases, axis=-1))

    def activate(
        self,
        z: Float[Array, "regions samples fan_out"],
        layer: int,  # noqa: ARG002
    ) -> Float[Array, "regions samples fan_out"]:
        """max(z, 0)."""
        return positive(z)
