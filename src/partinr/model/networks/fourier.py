"""ReLU-MLP after random Fourier features."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy import ndarray

from partinr.hashing import GOLDEN, splitmix64
from partinr.model.arrays import Array, like, positive, sines_and_cosines
from partinr.model.networks.network import KernelNumbers, Parameters, normal
from partinr.model.networks.perceptron import Perceptron
from partinr.shapes import Float, Float32, Float64


@dataclass(frozen=True)
class Fourier(Perceptron):
    """Layers relu(x W + b) and a linear output, on sines and cosines at random frequencies.

    The features are sin(x M), then cos(x M), with a fixed matrix M (dims, features) that all regions share
    and that is not trained, nor stored: it follows from `features`, `sigma`, `seed` and dims as stated here.
    Entry (d, f) is pi sigma g(f dims + d), computed in double precision and rounded to single, where

        g(i) = sqrt(-2 ln u(2 i)) cos(2 pi v(2 i + 1))     a standard normal number, by Box and Muller
        u(n) = (floor(s(n) / 2^11) + 1) / 2^53             in (0, 1]
        v(n) = floor(s(n) / 2^11) / 2^53                   in [0, 1)

    and s(n) is output n, counted from 0, of the generator SplitMix64 started at `seed`; modulo 2^64, with
    shifts to the right and ^ the exclusive or:

        s = seed + (n + 1) 0x9E3779B97F4A7C15
        s = (s ^ s >> 30) 0xBF58476D1CE4E5B9
        s = (s ^ s >> 27) 0x94D049BB133111EB
        s = s ^ s >> 31

    The paper has 2 pi B v with coordinates v in [0, 1); ours span [-1, 1], so pi in place of 2 pi gives
    `sigma` the published meaning, the standard deviation of the frequencies in cycles per length of the
    signal (or of the region, in the local frame). A shift of the origin turns each pair of features and
    changes nothing else.

    Weights, those of the output layer included, are drawn from Glorot's normal distribution, cut off at two
    deviations and of variance 2/(fan_in + fan_out) after that; biases from N(0, 0.01²). The published
    network ends in a sigmoid; here the output is linear, as in all networks.

    Attributes:
        features: random projections; the first layer sees twice as many features.
        sigma: standard deviation of the frequencies.
        seed: start of the generator of the projections; below 2^53, which JSON keeps exactly.

    Source: Tancik et al., "Fourier Features Let Networks Learn High Frequency Functions in Low Dimensional
    Domains", NeurIPS 2020 (the Gaussian mapping), and its code (Demo.ipynb: 256 features, sigma 10 for
    photographs, initialisation of stax.Dense). Generator: Steele, Lea, Flood, "Fast Splittable Pseudorandom
    Number Generators", OOPSLA 2014.

    Example:
        >>> Fourier(features=4, sigma=2.0).projections(dims=2).shape
        (2, 4)
    """

    hidden: int = 16
    layers: int = 2
    features: int = 256
    sigma: float = 10.0
    seed: int = 0

    name: ClassVar[str] = "fourier"
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {
        **Perceptron.bounds,
        "features": (1, 65536),
        "sigma": (1e-6, 1e6),
        "seed": (0, 2**53 - 1),
    }

    def encoded(self, dims: int) -> int:  # noqa: ARG002
        """Number of features that the encoding makes of `dims` coordinates: a sine and a cosine each."""
        return 2 * self.features

    def projections(self, dims: int) -> Float64[ndarray, "dims features"]:
        """The matrix M, in single precision's values."""
        g = standard_normals(self.seed, self.features * dims).reshape(self.features, dims).T
        return (math.pi * self.sigma * g).astype(np.float32).astype(np.float64)

    def suited_to(self, span: float) -> Fourier:
        """See `Network.suited_to`: few features, frequencies well below the sampling rate."""
        return replace(self, features=16, sigma=0.4 * math.sqrt(span))

    def kernel(self, dims: int) -> KernelNumbers:
        """See `Network.kernel`."""
        return KernelNumbers(
            self.hidden, self.layers, projections=np.ascontiguousarray(self.projections(dims))
        )

    def initialise(self, regions: int, dims: int, channels: int, random: np.random.Generator) -> Parameters:
        """See `Network.initialise`."""
        # Cutting a normal distribution at two deviations leaves 0.8796 of its deviation.
        kept = 0.87962566103423978
        weights, biases = [], []
        for fan_in, fan_out in self.layer_shapes(dims, channels):
            deviation = math.sqrt(2 / (fan_in + fan_out)) / kept
            weights.append(_cut_normal((regions, fan_in, fan_out), random) * np.float32(deviation))
            biases.append(normal((regions, fan_out), 0.01, random))
        return Parameters(weights, biases)

    def encode(
        self, coords: Float[Array, "regions samples dims"]
    ) -> Float[Array, "regions samples features"]:
        """[sines | cosines] of the projected coordinates."""
        matrix = [like(row, coords) for row in self.projections(coords.shape[-1])]
        # Element by element: a matrix product may run in reduced precision, which the phases cannot bear.
        phases = coords[..., :1] * matrix[0]  # (regions, samples, features)
        for axis in range(1, coords.shape[-1]):
            phases = phases + coords[..., axis : axis + 1] * matrix[axis]
        return sines_and_cosines(phases)

    def activate(
        self,
        z: Float[Array, "regions samples fan_out"],
        layer: int,  # noqa: ARG002
    ) -> Float[Array, "regions samples fan_out"]:
        """max(z, 0)."""
        return positive(z)


def standard_normals(seed: int, count: int) -> Float64[ndarray, " count"]:
    """Standard normal numbers from SplitMix64 by Box and Muller's method, cosine half only."""
    states = np.uint64(seed) + np.arange(2 * count, dtype=np.uint64) * GOLDEN
    whole = (splitmix64(states) >> np.uint64(11)).astype(np.float64)  # below 2^53, so exact
    u = (whole[0::2] + 1) / 2**53
    v = whole[1::2] / 2**53
    normals: Float64[ndarray, " count"] = np.sqrt(-2 * np.log(u)) * np.cos(2 * math.pi * v)
    return normals


def _cut_normal(shape: tuple[int, ...], random: np.random.Generator) -> Float32[ndarray, "..."]:
    """Standard normal numbers, drawn again while they are beyond two deviations."""
    drawn = random.standard_normal(shape, np.float32)
    beyond = np.flatnonzero(np.abs(drawn) > 2)
    while beyond.size:
        again = random.standard_normal(beyond.size, np.float32)
        drawn.reshape(-1)[beyond] = again
        beyond = beyond[np.abs(again) > 2]
    return drawn
