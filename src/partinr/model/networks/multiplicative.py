"""Multiplicative filter networks: filters of the coordinates, multiplied layer after layer."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from partinr.model.arrays import Array, like, namespace
from partinr.model.networks.network import Layer, Linear, Network, Parameters, Training, uniform
from partinr.shapes import Float


@dataclass(frozen=True)
class Multiplicative(Network):
    """z_0 = g_0(u), z_i = (z_(i-1) W_i + b_i) g_i(u) for i = 1 .. layers, and a linear output of the last.

    No activation is composed with another one: each layer multiplies what the one before made, after an
    affine map, with a filter g_i of the coordinates u. Layers are held in this order: those of the filters
    g_0 .. g_layers; the affine maps 1 .. layers; the output layer.

    Affine maps, the output layer's included, are drawn from U(±1/sqrt(fan_in)), weights and biases alike.

    Attributes:
        hidden: units of every layer.
        layers: affine maps between filters, of which there is one more.
        input_scale: frequency of the whole network; that of each filter is 1/sqrt(layers + 1) of it.

    Source: Fathony, Sahu, Willmott, Kolter, "Multiplicative Filter Networks", ICLR 2021, section 3; constants
    of its code (mfn.py, image_rep.py).
    """

    hidden: int = 16
    layers: int = 2
    input_scale: float = 256.0

    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {
        "hidden": (1, 65536),
        "layers": (0, 256),
        "input_scale": (1e-6, 1e6),
    }
    size: ClassVar[str] = "hidden"
    training: ClassVar[Training | None] = Training(learning_rate=1e-2, beta1=0.9, beta2=0.999, eps=1e-8)
    parts: ClassVar[int]
    """Layers of parameters that a filter has."""

    @classmethod
    def shaped(cls, width: int, layers: int) -> Multiplicative:
        """See `Network.shaped`."""
        return cls(hidden=width, layers=layers)

    def suited_to(self, span: float) -> Multiplicative:
        """See `Network.suited_to`: the published scale is that of photographs of 256 samples along a side."""
        return replace(self, input_scale=max(1.0, span))

    @property
    def hidden_layers(self) -> int:
        """See `Network.hidden_layers`: there are as many filters."""
        return self.layers + 1

    @property
    def depth(self) -> int:
        """See `Network.depth`."""
        return self._filters + self.layers + 1

    @property
    def _filters(self) -> int:
        return self.parts * (self.layers + 1)

    @property
    def filter_scale(self) -> float:
        """Frequency of each filter."""
        return self.input_scale / math.sqrt(self.layers + 1)

    def layer_shapes(self, dims: int, channels: int) -> list[Layer]:
        """See `Network.layer_shapes`."""
        filters = [Layer(dims, self.hidden)] * self._filters
        return [*filters, *[Layer(self.hidden, self.hidden)] * self.layers, Layer(self.hidden, channels)]

    @property
    def readers(self) -> list[int | None]:
        """See `Network.readers`: what a filter makes is read where its product is."""
        maps = range(self._filters, self.depth)
        of_filters = [reader for reader in maps for _ in range(self.parts)]
        return [*of_filters, *maps[1:], None]

    @abstractmethod
    def filtered(
        self, coords: Float[Array, "regions samples dims"], parameters: Parameters
    ) -> Float[Array, "regions samples hidden"]:
        """One filter of the coordinates, by the parameters of its `parts` layers."""

    def hidden_features(
        self,
        coords: Float[Array, "regions samples dims"],
        parameters: Parameters,
        between: Linear | None = None,
    ) -> Float[Array, "regions samples features"]:
        """See `Network.hidden_features`."""
        linear = self.linear if between is None else between
        weights, biases = parameters
        z = None
        for i in range(self.layers + 1):
            own = slice(self.parts * i, self.parts * (i + 1))
            g = self.filtered(coords, Parameters(weights[own], biases[own]))
            at = self._filters + i - 1
            z = g if z is None else linear(z, weights[at], biases[at]) * g
        return z

    def affine_maps(self, regions: int, dims: int, channels: int, random: np.random.Generator) -> Parameters:
        """Fresh parameters of what follows the filters."""
        weights, biases = [], []
        for fan_in, fan_out in self.layer_shapes(dims, channels)[self._filters :]:
            weights.append(uniform((regions, fan_in, fan_out), 1 / math.sqrt(fan_in), random))
            biases.append(uniform((regions, fan_out), 1 / math.sqrt(fan_in), random))
        return Parameters(weights, biases)


@dataclass(frozen=True)
class FourierNet(Multiplicative):
    """Multiplicative filters sin(u W + b): a sum of sines whose frequencies are sums of the filters'.

    Filters' weights are drawn from U(±input_scale/sqrt((layers + 1) fan_in)), their phases b from U(±pi).

    Source: Fathony, Sahu, Willmott, Kolter, "Multiplicative Filter Networks", ICLR 2021, section 3.1.

    Example:
        >>> FourierNet(hidden=256, layers=3).params(dims=2, channels=3)
        201219
    """

    name: ClassVar[str] = "fouriernet"
    parts: ClassVar[int] = 1

    def initialise(self, regions: int, dims: int, channels: int, random: np.random.Generator) -> Parameters:
        """See `Network.initialise`."""
        weights, biases = [], []
        for _ in range(self.layers + 1):
            bound = self.filter_scale / math.sqrt(dims)
            weights.append(uniform((regions, dims, self.hidden), bound, random))
            biases.append(uniform((regions, self.hidden), math.pi, random))
        after = self.affine_maps(regions, dims, channels, random)
        return Parameters([*weights, *after.weights], [*biases, *after.biases])

    def filtered(
        self, coords: Float[Array, "regions samples dims"], parameters: Parameters
    ) -> Float[Array, "regions samples hidden"]:
        """See `Multiplicative.filtered`."""
        return namespace(coords).sin(self.linear(coords, parameters.weights[0], parameters.biases[0]))


@dataclass(frozen=True)
class GaborNet(Multiplicative):
    """Multiplicative filters sin(u W + b) exp(-gamma |u - mu|² / 2), waves under a Gaussian window.

    A filter has two layers of parameters: W and b; then its windows, whose weights (dims, hidden) are the
    centres mu and whose biases (hidden,) are the inverse squared widths gamma.

    gamma is drawn from the gamma distribution of shape alpha/(layers + 1) and rate beta, mu from U(±1), W
    from U(±input_scale sqrt(gamma/((layers + 1) fan_in))), b from U(±pi).

    Attributes:
        alpha: shape of the distribution of initial inverse squared widths, of all filters together.
        beta: rate of that distribution.

    Source: Fathony, Sahu, Willmott, Kolter, "Multiplicative Filter Networks", ICLR 2021, section 3.2.

    Example:
        >>> GaborNet(hidden=256, layers=3).params(dims=2, channels=3)
        204291
    """

    alpha: float = 6.0
    beta: float = 1.0

    name: ClassVar[str] = "gabornet"
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {
        **Multiplicative.bounds,
        "alpha": (1e-6, 1e6),
        "beta": (1e-6, 1e6),
    }
    parts: ClassVar[int] = 2

    def initialise(self, regions: int, dims: int, channels: int, random: np.random.Generator) -> Parameters:
        """See `Network.initialise`."""
        weights, biases = [], []
        for _ in range(self.layers + 1):
            shape = self.alpha / (self.layers + 1)
            gamma = random.standard_gamma(shape, (regions, self.hidden), np.float32) / np.float32(self.beta)
            wave = uniform((regions, dims, self.hidden), self.filter_scale / math.sqrt(dims), random)
            weights += [wave * np.sqrt(gamma)[:, None], uniform(wave.shape, 1.0, random)]
            biases += [uniform(gamma.shape, math.pi, random), gamma]
        after = self.affine_maps(regions, dims, channels, random)
        return Parameters([*weights, *after.weights], [*biases, *after.biases])

    def filtered(
        self, coords: Float[Array, "regions samples dims"], parameters: Parameters
    ) -> Float[Array, "regions samples hidden"]:
        """See `Multiplicative.filtered`."""
        module, (wave, centre), (phase, gamma) = namespace(coords), *parameters
        ones = np.ones((1, 1, coords.shape[-1]))
        # |u - mu|² = |u|² - 2 u mu + |mu|², products of matrices throughout.
        squares = like(ones, centre) @ (centre * centre)  # (regions, 1, hidden)
        away = (coords * coords) @ like(ones.reshape(1, -1, 1), centre) - 2.0 * (coords @ centre) + squares
        return module.sin(self.linear(coords, wave, phase)) * module.exp(away * gamma[:, None] * -0.5)
