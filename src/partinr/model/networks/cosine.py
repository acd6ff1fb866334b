"""One hidden layer of cosines with whole frequencies: the cosine transform of a region as a network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import mul
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy import ndarray

from partinr.model.arrays import Array, like, namespace, picked
from partinr.model.networks.network import Layer, Linear, Network, Parameters, as_torch_linear, resized
from partinr.shapes import Bool, Float, Int64
from partinr.signals.frames import Frame

# Cosines a region of which the normal equations are solved, at most, and as many as suit a fit's choice.
_MOST, _SUITED = 4096, 256


class CosineNumbers(NamedTuple):
    """The numbers of a network of cosines for the native kernel: frequencies along each axis."""

    frequencies: int

    def spec(self, name: str, dims: int, channels: int) -> Any:  # noqa: ARG002
        """See `NativeSpec.spec`."""
        from partinr import _native

        return _native.Cosines(dims=dims, channels=channels, frequencies=self.frequencies)


@dataclass(frozen=True)
class Cosine(Network):
    """Cosines with whole frequencies over the region's box, and a linear output.

    Feature k is the product over the axes a of cos(pi k_a (u_a + 1) / 2), k_a = 0 .. frequencies - 1, for all
    k but (0, .., 0), the last axis fastest: the constant is the output layer's bias. u spans -1 to +1 over
    the area of the box, where sample i of n is at -1 + (2 i + 1) / n, so that on a box's samples the features
    are those of the DCT-II and orthogonal. The output layer alone has parameters, so a fit is no training: it
    solves them. It is a SIREN of one hidden layer whose weights and biases, multiples of pi / 2, everybody
    knows.

    On a box without overlap that is the transform, cut off at the first `frequencies`, or as many as there
    are samples along an axis; higher ones are zero. Elsewhere it is a least-squares solution.

    Attributes:
        frequencies: whole frequencies along each axis, the constant included.

    Source: Ahmed, Natarajan, Rao, "Discrete cosine transform", IEEE Transactions on Computers C-23, 1974.

    Example:
        >>> Cosine(frequencies=8).layer_shapes(dims=2, channels=3)
        [Layer(fan_in=63, fan_out=3)]
    """

    frequencies: int = 16

    name: ClassVar[str] = "cosine"
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"frequencies": (2, 65536)}
    size: ClassVar[str] = "frequencies"
    narrowest: ClassVar[int] = 2
    orthogonal: ClassVar[bool] = True
    frame: ClassVar[Frame | None] = "area"

    @classmethod
    def shaped(cls, width: int, layers: int) -> Cosine:  # noqa: ARG003
        """See `Network.shaped`: there is one hidden layer, however many are asked for."""
        return cls(max(width, int(cls.bounds[cls.size][0])))

    @property
    def hidden_layers(self) -> int:
        """See `Network.hidden_layers`."""
        return 1

    @property
    def depth(self) -> int:
        """See `Network.depth`: the output layer."""
        return 1

    def layer_shapes(self, dims: int, channels: int) -> list[Layer]:
        """See `Network.layer_shapes`."""
        return [Layer(self.frequencies**dims - 1, channels)]

    def of_use(self, span: float, dims: int, whole: bool) -> Cosine:
        """See `Network.of_use`: as many frequencies as samples, and no more than are soon solved for."""
        most = math.ceil(span) if whole else min(math.ceil(span), math.floor(_SUITED ** (1 / dims) + 1e-9))
        return resized(self, max(2, min(self.frequencies, most)))

    def told_apart(self, extents: Int64[ndarray, "regions dims"]) -> Bool[ndarray, "regions features"]:
        """See `Network.told_apart`: a frequency that is no less than the number of samples is a lower one at
        these."""
        index = self._index(extents.shape[1])
        apart: Bool[ndarray, "regions features"] = np.all(index < extents[:, :, None], axis=1)
        return apart

    def unsolvable(self, extents: Int64[ndarray, "regions dims"]) -> str | None:
        """See `Network.unsolvable`."""
        unknowns = int(np.minimum(extents, self.frequencies).prod(axis=1).max(initial=0))
        if unknowns <= _MOST:
            return None
        most = math.floor(_MOST ** (1 / extents.shape[1]) + 1e-9)
        return (
            f"{unknowns:,} cosines are more than the {_MOST:,} that are solved for in a region that is no "
            f"box, or shares samples; take at most {most} frequencies, or boxes"
        )

    def kernel(self, dims: int) -> CosineNumbers:  # noqa: ARG002
        """See `Network.kernel`."""
        return CosineNumbers(self.frequencies)

    def initialise(self, regions: int, dims: int, channels: int, random: np.random.Generator) -> Parameters:
        """Output layers from U(±1/sqrt(features)), which a fit replaces."""
        return as_torch_linear(self.layer_shapes(dims, channels), regions, random)

    def hidden_features(
        self,
        coords: Float[Array, "regions samples dims"],
        parameters: Parameters,  # noqa: ARG002
        between: Linear | None = None,  # noqa: ARG002
    ) -> Float[Array, "regions samples features"]:
        """Products of cosines; no parameters take part."""
        steps = like(math.pi / 2 * np.arange(self.frequencies), coords)
        along = [
            picked(namespace(coords).cos((coords[..., axis : axis + 1] + 1) * steps), k)
            for axis, k in enumerate(self._index(coords.shape[-1]))
        ]
        return reduce(mul, along)

    def _index(self, dims: int) -> Int64[ndarray, "dims features"]:
        """Frequency of each feature along each axis."""
        index = np.indices((self.frequencies,) * dims).reshape(dims, -1)[:, 1:]
        return index.astype(np.int64)
