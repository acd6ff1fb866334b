"""Networks of several layers: an encoding, hidden layers with an activation each, and a linear output."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from partinr.model.arrays import Array
from partinr.model.networks.network import Layer, Linear, Network, Parameters
from partinr.shapes import Float


@dataclass(frozen=True)
class Perceptron(Network):
    """The shape, initialisation and activation of a network of several layers: encoding, then
    `layers + 1` hidden layers with an activation each, then a linear output layer.

    Attributes:
        hidden: width of the hidden layers; their units, but for `Wire`, whose complex units count twice.
        layers: hidden layers after the first one, so one less than there are, as the paper counts: 512x3 is
            first + 3 hidden + output.

    Raises:
        InputError: a field is not a number of its type, or out of its bounds.

    Example:
        >>> from partinr import Siren
        >>> Siren(hidden=4, layers=1).layer_shapes(dims=2, channels=1)
        [Layer(fan_in=2, fan_out=4), Layer(fan_in=4, fan_out=4), Layer(fan_in=4, fan_out=1)]
    """

    hidden: int
    layers: int

    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"hidden": (1, 65536), "layers": (0, 256)}
    size: ClassVar[str] = "hidden"

    @classmethod
    def shaped(cls, width: int, layers: int) -> Perceptron:
        """See `Network.shaped`."""
        return cls(hidden=width, layers=layers)

    @property
    def hidden_layers(self) -> int:
        """See `Network.hidden_layers`."""
        return self.layers + 1

    @property
    def depth(self) -> int:
        """See `Network.depth`."""
        return self.layers + 2

    @property
    def takes_coordinates(self) -> bool:
        """See `Network.takes_coordinates`."""
        return type(self).encode is Perceptron.encode

    def encoded(self, dims: int) -> int:
        """Number of features that the encoding makes of `dims` coordinates."""
        return dims

    def layer_shapes(self, dims: int, channels: int) -> list[Layer]:
        """See `Network.layer_shapes`."""
        widths = [self.encoded(dims)] + [self.hidden] * (self.layers + 1) + [channels]
        return [Layer(a, b) for a, b in pairwise(widths)]

    def encode(
        self, coords: Float[Array, "regions samples dims"]
    ) -> Float[Array, "regions samples features"]:
        """Features that the first layer sees; the coordinates themselves by default."""
        return coords

    @abstractmethod
    def activate(
        self, z: Float[Array, "regions samples fan_out"], layer: int
    ) -> Float[Array, "regions samples fan_out"]:
        """Activation of hidden layer `layer` (0 is the first layer)."""

    def hidden_features(
        self,
        coords: Float[Array, "regions samples dims"],
        parameters: Parameters,
        between: Linear | None = None,
    ) -> Float[Array, "regions samples features"]:
        """See `Network.hidden_features`."""
        x = self.encode(coords)
        for layer in range(self.layers + 1):
            linear = between if between is not None and layer else self.linear
            z = linear(x, parameters.weights[layer], parameters.biases[layer])
            x = self.activate(z, layer)
        return x
