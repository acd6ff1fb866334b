"""What one region's network is; everything is batched over regions, nothing loops over them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from reprlib import repr as brief
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.model.arrays import Array, affine
from partinr.shapes import Bool, Float, Float32, Float64, Int64
from partinr.signals.frames import Frame


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


Linear = Callable[[Array, Array, Array], Array]
"""The affine map of one layer; see `Network.linear`."""


@runtime_checkable
class NativeSpec(Protocol):
    """What the native kernel has to know of a network, without the kernel."""

    def spec(self, name: str, dims: int, channels: int) -> Any:
        """The same as one of the kernel's own objects.

        Args:
            name: of the network.
            dims: axes of the signal.
            channels: values a sample.
        """


class KernelNumbers(NamedTuple):
    """The numbers of a perceptron for the native kernel.

    Attributes:
        hidden: units of a hidden layer.
        layers: hidden layers after the first one.
        omega: frequency factor of each hidden layer's activation.
        scale: inverse width of each hidden layer's activation.
        octaves: of a harmonic encoding.
        projections: of random Fourier features, (dims, features).
    """

    hidden: int
    layers: int
    omega: Sequence[float] = ()
    scale: Sequence[float] = ()
    octaves: int = 0
    projections: Float64[ndarray, "dims features"] | None = None

    def spec(self, name: str, dims: int, channels: int) -> Any:
        """See `NativeSpec.spec`."""
        from partinr import _native

        return _native.NetSpec(
            name,
            dims=dims,
            channels=channels,
            hidden=self.hidden,
            layers=self.layers,
            omega=list(self.omega),
            scale=list(self.scale),
            octaves=self.octaves,
            projections=self.projections,
        )


class Training(NamedTuple):
    """How a network's publication trains it, with Adam, where that is no matter of its width.

    Attributes:
        learning_rate: peak rate.
        beta1: of Adam.
        beta2: of Adam.
        eps: of Adam.
    """

    learning_rate: float
    beta1: float
    beta2: float
    eps: float


@dataclass(frozen=True)
class Network(ABC):
    """What one region's network is: features of the coordinates, then a linear output layer.

    A network is a frozen dataclass derived from this one, or from `Perceptron`, whose fields are numbers,
    each with its least and greatest value in `bounds`; they are what the file keeps of it.

    Raises:
        InputError: a field is not a number of its type, or out of its bounds.
    """

    name: ClassVar[str]
    """What the command line and the file call it."""

    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {}
    """Least and greatest value of each field; a field of a file's header is as untrusted as the rest of
    it."""

    size: ClassVar[str]
    """The field that a budget of parameters decides."""

    narrowest: ClassVar[int] = 8
    """Least width that a fit chooses by itself."""

    broadest: ClassVar[int] = 256
    """Greatest width that a fit chooses by itself."""

    training: ClassVar[Training | None] = None
    """How it has to be trained; None: as the recipe says."""

    orthogonal: ClassVar[bool] = False
    """Whether the features that the output layer sees, those that are told apart, are orthogonal on the
    samples of a box."""

    frame: ClassVar[Frame | None] = None
    """The coordinates that it needs; None: any will do."""

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

    @property
    def width(self) -> int:
        """Value of the field that a budget decides."""
        return int(getattr(self, self.size))

    def of_use(self, span: float, dims: int, whole: bool) -> Network:  # noqa: ARG002
        """The same, no wider than is of use where a width is chosen.

        Args:
            span: samples along the longest side of a region.
            dims: axes of the signal.
            whole: whether regions are boxes that share no samples.
        """
        return self

    @classmethod
    @abstractmethod
    def shaped(cls, width: int, layers: int) -> Network:
        """One of this width with published constants.

        Args:
            width: value of the field that a budget decides.
            layers: hidden layers after the first one, for networks that may have several.
        """

    @property
    @abstractmethod
    def hidden_layers(self) -> int:
        """Layers with an activation."""

    @property
    @abstractmethod
    def depth(self) -> int:
        """Affine layers with parameters, the output layer included."""

    @property
    def readers(self) -> list[int | None]:
        """For each layer, the later one whose weights read what it makes, unit by unit; None: there is none.
        Files round layers by it."""
        return [*range(1, self.depth), None]

    @property
    def solved(self) -> bool:
        """Whether the output layer alone has parameters: a fit solves it, and there is nothing to train."""
        return self.depth == 1

    @property
    def takes_coordinates(self) -> bool:
        """Whether the first affine layer sees the coordinates themselves."""
        return False

    @abstractmethod
    def layer_shapes(self, dims: int, channels: int) -> list[Layer]:
        """Parameter shapes of each of the `depth` layers, first to output."""

    def widest(self, dims: int, channels: int) -> int:
        """Most numbers that a layer takes or gives for one sample."""
        return max(max(layer) for layer in self.layer_shapes(dims, channels))

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

    def read_features(self, dims: int) -> int:
        """Features that the output layer sees."""
        return self.layer_shapes(dims, 1)[-1].fan_in

    def told_apart(
        self,
        extents: Int64[ndarray, "regions dims"],  # noqa: ARG002
    ) -> Bool[ndarray, "regions features"] | None:
        """Which of the output layer's features samples tell apart from those before; None: all. The others
        have no weight where output layers are solved.

        Args:
            extents: samples along each axis of each region's bounding box.
        """
        return None

    def unsolvable(self, extents: Int64[ndarray, "regions dims"]) -> str | None:  # noqa: ARG002
        """Why the least-squares equations of such regions are too many to be solved; None: they are not.

        Args:
            extents: samples along each axis of each region's bounding box, of those that are no whole boxes.
        """
        return None

    def kernel(self, dims: int) -> NativeSpec | None:  # noqa: ARG002
        """The network as the native kernel knows it; None: it does not. Holds for this class alone, not for
        classes derived from it, whose functions may be others."""
        return None

    @abstractmethod
    def initialise(self, regions: int, dims: int, channels: int, random: np.random.Generator) -> Parameters:
        """Fresh parameters of single precision for `regions` networks."""

    def linear(
        self,
        features: Float[Array, "regions samples fan_in"],
        weight: Float[Array, "regions fan_in fan_out"],
        bias: Float[Array, "regions fan_out"],
    ) -> Float[Array, "regions samples fan_out"]:
        """The affine map of one layer."""
        return affine(features, weight, bias)

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

    @abstractmethod
    def hidden_features(
        self,
        coords: Float[Array, "regions samples dims"],
        parameters: Parameters,
        between: Linear | None = None,
    ) -> Float[Array, "regions samples features"]:
        """What the output layer sees.

        Args:
            coords: in the region's frame.
            parameters: of each region.
            between: computes the affine maps from one hidden layer to the next; None: `linear`.
        """

    def forward(
        self,
        coords: Float[Array, "regions samples dims"],
        parameters: Parameters,
        between: Linear | None = None,
    ) -> Float[Array, "regions samples channels"]:
        """Values of each region's network at its own coordinates; see `hidden_features`."""
        x = self.hidden_features(coords, parameters, between)
        return self.output(x, parameters.weights[-1], parameters.biases[-1])


AnyNetwork = TypeVar("AnyNetwork", bound=Network)


def resized(network: AnyNetwork, width: int) -> AnyNetwork:
    """The same network with another width."""
    changed: Any = {network.size: width}
    return replace(network, **changed)


def check_trained(network: Network, what: str) -> None:
    """Make sure that a network is one that is trained.

    Args:
        network: to be trained.
        what: what only such a network is for: "starts are learned".

    Raises:
        InputError: it is solved instead.
    """
    if network.solved:
        raise InputError(
            f"{what} for networks that are trained, the network {network.name} is solved; take another one"
        )


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
