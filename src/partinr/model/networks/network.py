"""What one region's network is; everything is batched over regions, nothing loops over them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from reprlib import repr as brief
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.model.arrays import Array, affine
from partinr.shapes import Float, Float32, Float64


class Layer(NamedTuple):
    """Shapes of one layer's parameters: weights (fan_in, fan_out) and biases (fan_out,)."""

    fan_in: int
    fan_out: int

    @property
    def params(self) -> int:
        """Number of weights and biases."""
        return (self.fan_in + 1) * self.fan_out


class Parameters(NamedTuple):
    """Parameters of a group of networks of one shape, stacked by region.

    weights[l] has shape (regions, fan_in, fan_out), biases[l] has shape (regions, fan_out).
    """

    weights: list[Array]
    biases: list[Array]

    @property
    def arrays(self) -> list[Array]:
        """Weights of all layers, then biases."""
        return [*self.weights, *self.biases]

    @classmethod
    def of(cls, arrays: Sequence[Array]) -> Parameters:
        """The inverse of `arrays`."""
        half = len(arrays) // 2
        return cls(list(arrays[:half]), list(arrays[half:]))

    def map(self, change: Callable[[Array], Array]) -> Parameters:
        """The same with every array changed."""
        return Parameters.of([change(array) for array in self.arrays])


class KernelNumbers(NamedTuple):
    """What the native kernel has to know of a network, beside its name, `layers`, and the signal's axes.

    Attributes:
        hidden: units of a hidden layer.
        omega: frequency factor of each hidden layer's activation.
        scale: inverse width of each hidden layer's activation.
        octaves: of a harmonic encoding.
        projections: of random Fourier features, (dims, features).
    """

    hidden: int
    omega: Sequence[float] = ()
    scale: Sequence[float] = ()
    octaves: int = 0
    projections: Float64[ndarray, "dims features"] | None = None


@dataclass(frozen=True)
class Network(ABC):
    """The shape, initialisation and activation of one region's network: encoding, then
    `layers + 1` hidden layers with an activation each, then a linear output layer.

    A network is a frozen dataclass derived from this one whose fields are numbers, each with its least and
    greatest value in `bounds`; they are what the file keeps of it.

    Attributes:
        hidden: width of the hidden layers; their units, but for `Wire`, whose complex units count twice.
        layers: hidden layers after the first one, so one less than there are, as the paper counts: 512x3 is
            first + 3 hidden + output.

    Raises:
        InputError: a field is not a number of its type, or out of its bounds.
    """

    hidden: int
    layers: int

    name: ClassVar[str]
    """What the command line and the file call it."""

    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"hidden": (1, 65536), "layers": (0, 256)}
    """Least and greatest value of each field; a field of a file's header is as untrusted as the rest of
    it."""

    bf16_from: ClassVar[int | None] = None
    """Width from which training with products in bfloat16 was measured to reach the PSNR of single
    precision."""

    def __post_init__(self) -> None:
        for field, value in self.checked(vars(self)).items():
            object.__setattr__(self, field, value)

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values from outside as numbers of their fields' types.

        Args:
            values: value of every field, of any type.

        Raises:
            InputError: a value is not a number of its field's type, or out of its bounds.
        """
        numbers = {}
        for field in fields(cls):
            value = values[field.name]
            least, greatest = cls.bounds[field.name]
            whole = field.type in ("int", int)
            number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
            if not (number and least <= value <= greatest):
                raise InputError(
                    f"{field.name} of the network {cls.name} must be a {'whole ' if whole else ''}number "
                    f"from {least:g} to {greatest:.16g}, got {brief(value)}"
                )
            # JSON may write 30.0 as 30; equal networks must have equal configurations.
            numbers[field.name] = int(value) if whole else float(value)
        return numbers

    def config(self) -> dict[str, Any]:
        """Everything that `networks.from_config` needs to make this object again, as JSON types."""
        return {"name": self.name, **asdict(self)}

    def encoded(self, dims: int) -> int:
        """Number of features that the encoding makes of `dims` coordinates."""
        return dims

    def layer_shapes(self, dims: int, channels: int) -> list[Layer]:
        """Parameter shapes of each layer, first to output."""
        widths = [self.encoded(dims)] + [self.hidden] * (self.layers + 1) + [channels]
        return [Layer(a, b) for a, b in pairwise(widths)]

    def params(self, dims: int, channels: int) -> int:
        """Number of parameters of one region's network."""
        return sum(layer.params for layer in self.layer_shapes(dims, channels))

    def multiply_adds(self, dims: int, channels: int) -> list[int]:
        """Multiplications (each with an addition) that each layer takes for one sample."""
        return [layer.fan_in * layer.fan_out for layer in self.layer_shapes(dims, channels)]

    def suited_to(self, span: float) -> Network:  # noqa: ARG002
        """This network with its frequency constants chosen for regions of a given size in samples.

        Args:
            span: samples from -1 to 1 in the coordinates that the network sees.
        """
        return self

    @property
    def read_features(self) -> int:
        """Features that the output layer sees."""
        return self.hidden

    def kernel(self, dims: int) -> KernelNumbers | None:  # noqa: ARG002
        """The network as the native kernel knows it; None: it does not. Holds for this class alone, not for
        classes derived from it, whose functions may be others."""
        return None

    @abstractmethod
    def initialise(self, regions: int, dims: int, channels: int, random: np.random.Generator) -> Parameters:
        """Fresh parameters of single precision for `regions` networks."""

    def encode(
        self, coords: Float[Array, "regions samples dims"]
    ) -> Float[Array, "regions samples features"]:
        """Features that the first layer sees; the coordinates themselves by default."""
        return coords

    def linear(
        self,
        features: Float[Array, "regions samples fan_in"],
        weight: Float[Array, "regions fan_in fan_out"],
        bias: Float[Array, "regions fan_out"],
    ) -> Float[Array, "regions samples fan_out"]:
        """The affine map of one layer."""
        return affine(features, weight, bias)

    @abstractmethod
    def activate(
        self, z: Float[Array, "regions samples fan_out"], layer: int
    ) -> Float[Array, "regions samples fan_out"]:
        """Activation of hidden layer `layer` (0 is the first layer)."""

    def output(
        self,
        features: Float[Array, "regions samples features"],
        weight: Float[Array, "regions fan_in fan_out"],
        bias: Float[Array, "regions fan_out"],
    ) -> Float[Array, "regions samples channels"]:
        """The output layer: values from the last hidden layer's features."""
        return self.linear(features, weight, bias)

    def readout(
        self,
        weight: Float[Array, "regions features channels"],
        bias: Float[Array, "regions channels"],
    ) -> tuple[Float[Array, "regions fan_in fan_out"], Float[Array, "regions fan_out"]]:
        """Output-layer parameters for which the values are `features @ weight + bias`."""
        return weight, bias

    def hidden_features(
        self, coords: Float[Array, "regions samples dims"], parameters: Parameters
    ) -> Float[Array, "regions samples features"]:
        """What the output layer sees."""
        x = self.encode(coords)
        for layer in range(self.layers + 1):
            z = self.linear(x, parameters.weights[layer], parameters.biases[layer])
            x = self.activate(z, layer)
        return x

    def forward(
        self, coords: Float[Array, "regions samples dims"], parameters: Parameters
    ) -> Float[Array, "regions samples channels"]:
        """Values of each region's network at its own coordinates."""
        x = self.hidden_features(coords, parameters)
        return self.output(x, parameters.weights[-1], parameters.biases[-1])


def uniform(shape: tuple[int, ...], bound: float, random: np.random.Generator) -> Float32[ndarray, "..."]:
    """Numbers drawn from U(-bound, bound)."""
    drawn = random.random(shape, np.float32)
    drawn *= np.float32(2 * bound)
    drawn -= np.float32(bound)
    return drawn


def normal(shape: tuple[int, ...], deviation: float, random: np.random.Generator) -> Float32[ndarray, "..."]:
    """Numbers drawn from N(0, deviation²)."""
    drawn = random.standard_normal(shape, np.float32)
    drawn *= np.float32(deviation)
    return drawn


def as_torch_linear(shapes: list[Layer], regions: int, random: np.random.Generator) -> Parameters:
    """Weights and biases from U(±1/sqrt(fan_in)), as torch.nn.Linear draws them."""
    weights, biases = [], []
    for fan_in, fan_out in shapes:
        weights.append(uniform((regions, fan_in, fan_out), 1 / math.sqrt(fan_in), random))
        biases.append(uniform((regions, fan_out), 1 / math.sqrt(fan_in), random))
    return Parameters(weights, biases)
