"""Which derivatives of a function are asked for, and in which units they are told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Float32, Float64
from partinr.signals.signal import SignalSpec

# Names of axes of which a file says nothing, the last one first.
_LETTERS = ("x", "y", "z")


class Derivative(NamedTuple):
    """Derivatives of one order along some axes, or, of order 0 and without axes, the value itself.

    Attributes:
        order: 1 or 2; 0 for the value.
        axes: of the signal, each of which gives a plane of its own.
    """

    order: int
    axes: tuple[int, ...]

    @property
    def planes(self) -> int:
        """Numbers that are asked for at each point and of each channel."""
        return len(self.axes) if self.order else 1


VALUE = Derivative(0, ())
"""No derivative: what the function is."""


def axis_names(spec: SignalSpec) -> tuple[str, ...]:
    """What the axes of a signal are called: as its file says, or x for the last one, y and z before it."""
    if spec.axes is not None:
        return tuple(axis.name for axis in spec.axes)
    return tuple(reversed(_LETTERS[: spec.dims]))


@dataclass(frozen=True)
class Rendered:
    """A derivative to be rendered, by the word for it, in the units of a signal.

    Attributes:
        word: an axis' name for the first derivative along it; "gradient" for those along all axes, one after
            the other; "laplacian" for the sum of the second ones along all axes. Time is no part of a
            Laplacian where there are other axes.
        spec: of the signal.

    Raises:
        InputError: there is no such word, or a Laplacian would add what has different units.

    Example:
        >>> import numpy as np, partinr
        >>> spec = partinr.from_array(np.zeros((20, 30, 3), np.uint8)).spec
        >>> Rendered("x", spec).what
        Derivative(order=1, axes=(1,))
        >>> Rendered("laplacian", spec).unit
        'per sample²'
    """

    word: str
    spec: SignalSpec

    def __post_init__(self) -> None:
        names = axis_names(self.spec)
        if self.word not in (*names, "gradient", "laplacian"):
            raise InputError(
                f"the derivative must be {', '.join(names)}, gradient or laplacian, got {self.word!r:.100}"
            )
        units = self._units()
        if self.word == "laplacian" and len(set(units)) > 1:
            raise InputError(
                f"a Laplacian adds second derivatives along all axes, whose units are {', '.join(units)}; "
                f"render those along {', '.join(names)} one by one"
            )

    @property
    def what(self) -> Derivative:
        """The derivatives that it is made of."""
        names = axis_names(self.spec)
        everywhere = tuple(range(self.spec.dims))
        if self.word in names:
            return Derivative(1, (names.index(self.word),))
        if self.word == "gradient":
            return Derivative(1, everywhere)
        space = tuple(a for a in everywhere if names[a] != "t")
        return Derivative(2, space or everywhere)

    def _units(self) -> list[str]:
        axes = self.spec.axes
        return ["sample" if axes is None else axes[a].unit or "1" for a in self.what.axes]

    @property
    def unit(self) -> str:
        """Of what is rendered, against that of the values."""
        units = list(dict.fromkeys(self._units()))
        return f"per {', '.join(units)}{'²' if self.what.order == 2 else ''}"

    @property
    def rendered(self) -> SignalSpec:
        """What describes it: floating-point numbers, the planes of a gradient as channels."""
        planes = self.what.planes if self.word == "gradient" else 1
        return replace(
            self.spec,
            kind="array",
            channels=planes * self.spec.channels,
            dtype="float32",
            value_range=(-1.0, 1.0),
            channel_axis=self.spec.channel_axis or self.word == "gradient",
            source={},
        )

    def in_units(self, values: Float32[ndarray, "*shape columns"]) -> Float32[ndarray, "*shape channels"]:
        """Derivatives of normalised values by samples, planes after one another, as they are rendered."""
        low, high = self.spec.value_range
        factors = np.repeat((high - low) * self._factors(), self.spec.channels)
        with np.errstate(over="ignore"):
            found = values * factors.astype(np.float32)
        if self.word != "laplacian":
            return found
        summed: Float32[ndarray, "*shape channels"] = found.reshape(
            *values.shape[:-1], self.what.planes, -1
        ).sum(axis=-2)
        return summed

    def _factors(self) -> Float64[ndarray, "planes"]:
        """Samples in a unit of each axis, to the derivative's order."""
        axes = self.spec.axes
        spacings = [1.0 if axes is None else axes[a].spacing for a in self.what.axes]
        factors: Float64[ndarray, "planes"] = 1 / np.array(spacings) ** self.what.order
        return factors
