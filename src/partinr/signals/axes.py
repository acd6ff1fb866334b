"""What a file says of a signal that its values do not: where samples lie, and what is to be written back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from reprlib import repr as brief
from typing import Any

from partinr.errors import InputError

JSON = Any
"""None, a truth value, a number, a text, or a list or mapping of them, as JSON has them."""

MOST_SOURCE = 1 << 16
"""Characters of JSON that what a file says may take."""

# Characters of a name or a unit.
_LONGEST = 64


@dataclass(frozen=True)
class Axis:
    """Where the samples of one axis lie: sample i at origin + i * spacing.

    Attributes:
        name: "t", "z", "y", "x", "wavelength", ...; printable, 1 to 64 characters.
        unit: of spacing and origin, as files write it: "s", "mm", "nm"; empty if they have none.
        spacing: from one sample to the next; negative where places fall.
        origin: the place of the first sample.

    Raises:
        InputError: a name or unit is no such text, or a number is not finite or a spacing of 0.

    Example:
        >>> from partinr import Axis
        >>> Axis("t", "s", 1 / 44100).place(44100)
        1.0
    """

    name: str
    unit: str = ""
    spacing: float = 1.0
    origin: float = 0.0

    def __post_init__(self) -> None:
        for what, text, least in (("name", self.name, 1), ("unit", self.unit, 0)):
            if not (isinstance(text, str) and least <= len(text) <= _LONGEST and text.isprintable()):
                raise InputError(
                    f"the {what} of an axis must be {least} to {_LONGEST} printable characters, "
                    f"got {brief(text)}"
                )
        for what in ("spacing", "origin"):
            number = getattr(self, what)
            if not _finite(number) or (what == "spacing" and float(number) == 0):
                other = " other than 0" if what == "spacing" else ""
                raise InputError(f"the {what} of an axis must be a finite number{other}, got {brief(number)}")
            object.__setattr__(self, what, float(number))

    def place(self, index: float) -> float:
        """Where a sample lies, in the axis' unit; indices count from 0 and may be fractions."""
        return self.origin + index * self.spacing

    def resampled(self, start: float, stop: float, count: int) -> Axis:
        """The axis of `count` equal parts of what lies between two edges, at the middles of the parts.

        Args:
            start: first edge in samples, as `render` has its crops: sample i is i .. i + 1.
            stop: last edge.
            count: samples of the new axis.
        """
        part = (stop - start) / count
        return Axis(self.name, self.unit, self.spacing * part, self.place(start + part / 2 - 0.5))


def checked_source(source: Mapping[str, JSON]) -> dict[str, JSON]:
    """A copy of what a file says that must be written back.

    Raises:
        InputError: it is not made of JSON's types, has a number that is not finite, or is too long.
    """
    try:
        text = json.dumps(dict(source), allow_nan=False, ensure_ascii=False)
        copy = json.loads(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the source of a signal must be made of JSON types: {error}") from error
    if copy != source:
        raise InputError(f"the source of a signal must be made of JSON types, got {brief(dict(source))}")
    if len(text) > MOST_SOURCE:
        raise InputError(
            f"the source of a signal must be at most {MOST_SOURCE:,} characters of JSON, got {len(text):,}"
        )
    found: dict[str, JSON] = copy
    return found


def _finite(number: object) -> bool:
    """Whether it is a number that a double can hold."""
    try:
        return isinstance(number, Real) and not isinstance(number, bool) and math.isfinite(float(number))
    except OverflowError:
        return False
