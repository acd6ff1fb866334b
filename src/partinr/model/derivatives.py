"""Which derivatives of a function are asked for."""

from __future__ import annotations

from typing import NamedTuple


class Derivative(NamedTuple):
    """Derivatives of one order along some axes, or, of order 0 and without axes, the value itself.

    Attributes:
        order: 1 or 2; 0 for the value.
        axes: the axes of the coordinates, each of which gives a plane of its own.
    """

    order: int
    axes: tuple[int, ...]

    @property
    def planes(self) -> int:
        """Numbers that are asked for at each point and of each channel."""
        return len(self.axes) if self.order else 1


VALUE = Derivative(0, ())
"""No derivative: what the function is."""
