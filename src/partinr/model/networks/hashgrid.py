"""Multiresolution hash grid: features looked up in tables, level by level, and a small ReLU network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from operator import add, mul, xor
from typing import ClassVar

import numpy as np
from numpy import ndarray

from partinr.model.arrays import Array, cast, like, namespace, picked, positive, rows, whole
from partinr.model.networks.network import Layer, Linear, Network, Parameters, Training, resized, uniform
from partinr.shapes import Float, Int, Int64

_PRIMES = (1, 2_654_435_761, 805_459_861)
"""Of the hash, one for each axis."""


@dataclass(frozen=True)
class HashGrid(Network):
    """Features of `levels` grids, interpolated linearly between their nodes, through a ReLU network.

    Level l divides [-1, 1] along each axis into N_l = floor(coarsest (finest / coarsest)^(l / (levels - 1)))
    intervals; `finest` counts as `coarsest` if it is less. Its nodes have an entry each of the level's table
    while there are at most `entries` of them; otherwise node (i, j, k) has entry (i ^ 2654435761 j ^
    805459861 k) mod `entries`, with ^ the exclusive or, and nodes share entries. Beyond the outermost nodes,
    the outermost intervals go on.

    The first layer is the tables, one after another: its weights are (entries of all levels, features), and
    its biases (features,) are added to what is looked up, whatever the level. So it is an affine layer like
    any, of a row that has 2^dims numbers other than 0 for each level and is never written down. Then come
    `layers + 1` hidden layers max(x W + b, 0), and a linear output.

    Entries are drawn from U(±1e-4); weights of the other layers, the output layer's included, from
    U(±sqrt(6/(fan_in + fan_out))); biases are zero. The published hidden layers have no biases, and its
    weights shrink by themselves in training; neither is so here.

    Attributes:
        entries: of the table of one level, at most; published with 2^14 to 2^24. Whole powers of 2 give the
            published hash, other numbers the one stated here.
        levels: grids.
        features: numbers of an entry.
        coarsest: intervals of the first level.
        finest: intervals of the last level; published with 512 and more.
        hidden: units of the hidden layers.
        layers: hidden layers after the first one.

    Source: Müller, Evans, Schied, Keller, "Instant Neural Graphics Primitives with a Multiresolution Hash
    Encoding", ACM Transactions on Graphics 41(4), 2022, sections 3 and 4. Initialisation: Glorot, Bengio,
    AISTATS 2010.

    Example:
        >>> HashGrid(entries=1024, levels=2, coarsest=4, finest=64).layer_shapes(dims=2, channels=3)[0]
        Layer(fan_in=1049, fan_out=2)
    """

    entries: int = 1 << 14
    levels: int = 16
    features: int = 2
    coarsest: int = 16
    finest: int = 512
    hidden: int = 64
    layers: int = 1

    name: ClassVar[str] = "hashgrid"
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {
        "entries": (1, 1 << 24),
        "levels": (1, 64),
        "features": (1, 64),
        "coarsest": (1, 1 << 20),
        "finest": (1, 1 << 20),
        "hidden": (1, 65536),
        "layers": (0, 256),
    }
    size: ClassVar[str] = "entries"
    broadest: ClassVar[int] = 1 << 24
    training: ClassVar[Training | None] = Training(learning_rate=1e-2, beta1=0.9, beta2=0.99, eps=1e-15)

    @classmethod
    def shaped(cls, width: int, layers: int) -> HashGrid:  # noqa: ARG003
        """See `Network.shaped`: hidden layers are as published, however many are asked for."""
        return cls(entries=width)

    @property
    def hidden_layers(self) -> int:
        """See `Network.hidden_layers`."""
        return self.layers + 1

    @property
    def depth(self) -> int:
        """See `Network.depth`: the tables are one."""
        return self.layers + 3

    @property
    def readers(self) -> list[int | None]:
        """See `Network.readers`: no row of weights reads all that an entry makes."""
        return [None, *super().readers[1:]]

    def suited_to(self, span: float) -> HashGrid:
        """See `Network.suited_to`: an interval for every sample on the finest level, and as many levels and
        hidden units as are published for spans of 192 samples and more, fewer for shorter ones."""
        return replace(
            self,
            levels=min(16, max(4, round(span / 12))),
            coarsest=min(16, max(2, round(span / 8))),
            finest=max(2, round(span)),
            hidden=min(64, max(8, round(span / 3))),
        )

    def of_use(self, span: float, dims: int, whole: bool) -> HashGrid:  # noqa: ARG002
        """See `Network.of_use`: no more entries than the finest level has nodes."""
        nodes = (int(self.intervals[-1]) + 1) ** dims
        return resized(self, min(self.entries, nodes))

    @property
    def intervals(self) -> Int64[ndarray, " levels"]:
        """Of each level, N_l."""
        growth = max(1.0, self.finest / self.coarsest)
        exponents = np.arange(self.levels) / max(1, self.levels - 1)
        # What is whole but for rounding errors is whole.
        found: Int64[ndarray, " levels"] = np.floor(self.coarsest * growth**exponents + 1e-6).astype(np.int64)
        return found

    def tables(self, dims: int) -> Int64[ndarray, " levels"]:
        """Entries of each level."""
        sizes = [min(self.entries, (int(n) + 1) ** dims) for n in self.intervals]
        return np.array(sizes, np.int64)

    def layer_shapes(self, dims: int, channels: int) -> list[Layer]:
        """See `Network.layer_shapes`."""
        seen = [self.levels * self.features, *[self.hidden] * self.layers]
        hidden = [Layer(fan_in, self.hidden) for fan_in in seen]
        tables = Layer(int(self.tables(dims).sum()), self.features)
        return [tables, *hidden, Layer(self.hidden, channels)]

    def widest(self, dims: int, channels: int) -> int:
        """See `Network.widest`: the tables are looked up in."""
        return max(self._looked_up(dims), self.hidden, channels)

    def multiply_adds(self, dims: int, channels: int) -> list[int]:
        """See `Network.multiply_adds`."""
        _, *others = super().multiply_adds(dims, channels)
        return [self._looked_up(dims), *others]

    def _looked_up(self, dims: int) -> int:
        """Numbers that are looked up for one sample."""
        corners: int = 2**dims
        return corners * self.levels * self.features

    def initialise(self, regions: int, dims: int, channels: int, random: np.random.Generator) -> Parameters:
        """See `Network.initialise`."""
        weights, biases = [], []
        for layer, (fan_in, fan_out) in enumerate(self.layer_shapes(dims, channels)):
            bound = math.sqrt(6 / (fan_in + fan_out)) if layer else 1e-4
            weights.append(uniform((regions, fan_in, fan_out), bound, random))
            biases.append(np.zeros((regions, fan_out), np.float32))
        return Parameters(weights, biases)

    def hidden_features(
        self,
        coords: Float[Array, "regions samples dims"],
        parameters: Parameters,
        between: Linear | None = None,
    ) -> Float[Array, "regions samples features"]:
        """See `Network.hidden_features`."""
        x = self._interpolated(coords, parameters.weights[0], parameters.biases[0])
        for layer in range(1, self.layers + 2):
            linear = between if between is not None and layer > 1 else self.linear
            x = positive(linear(x, parameters.weights[layer], parameters.biases[layer]))
        return x

    def _interpolated(
        self,
        coords: Float[Array, "regions samples dims"],
        tables: Float[Array, "regions entries features"],
        bias: Float[Array, "regions features"],
    ) -> Float[Array, "regions samples levels_features"]:
        """Entries at the corners of each sample's cell, weighted; level after level."""
        dims = coords.shape[-1]
        each_feature = np.repeat(np.arange(self.levels), self.features)
        found = picked(bias[:, None], np.tile(np.arange(self.features), self.levels))
        along = [self._along(coords[..., axis : axis + 1], axis, dims) for axis in range(dims)]
        for corner in product((0, 1), repeat=dims):
            places, shares = zip(*(both[far] for both, far in zip(along, corner, strict=True)), strict=True)
            found = picked(reduce(mul, shares), each_feature) * rows(tables, self._row(places, dims)) + found
        return found

    def _along(
        self, coordinate: Float[Array, "regions samples 1"], axis: int, dims: int
    ) -> list[tuple[Int[Array, "regions samples levels"], Float[Array, "regions samples levels"]]]:
        """Of both nodes around each sample along an axis, on every level: what they add to the number of an
        entry, and their share of the value."""
        half = like(self.intervals / 2, coordinate)
        position = coordinate * half + half
        node = whole(position)
        module, last = namespace(node), like(self.intervals - 1, node)
        node = module.minimum(module.maximum(node, 0 * last), last)
        share = position - cast(node, position)
        factors = np.full(self.levels, _PRIMES[axis])
        own = self._owning(dims)
        factors[:own] = (self.intervals[:own] + 1) ** (dims - 1 - axis)
        factor = like(factors, node)
        place = node * factor
        return [(place, 1 - share), (place + factor, share)]

    def _owning(self, dims: int) -> int:
        """Levels, the first ones, whose nodes have an entry each."""
        return sum((int(n) + 1) ** dims <= self.entries for n in self.intervals)

    def _row(
        self, places: Sequence[Int[Array, "regions samples levels"]], dims: int
    ) -> Int[Array, "regions samples levels"]:
        """Row of the tables that a corner has on each level."""
        own, parts = self._owning(dims), []
        if own:
            parts.append(reduce(add, (place[..., :own] for place in places)))
        if own < self.levels:
            parts.append(reduce(xor, (place[..., own:] for place in places)) % self.entries)
        found = parts[0] if len(parts) == 1 else namespace(parts[0]).concatenate(parts, axis=-1)
        sizes = self.tables(dims)
        return found + like(np.cumsum(sizes) - sizes, found)
