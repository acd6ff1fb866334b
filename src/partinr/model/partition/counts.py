"""Numbers of regions and of cells, as people give them."""

from __future__ import annotations

import operator
import re
from typing import Any

import numpy as np

# More digits than any signal has samples.
_DIGITS = re.compile("[0-9]{1,12}")


def as_count(value: Any) -> int | None:
    """A whole number of at least 1, of any type of integer but bool; None if the value is something else."""
    if isinstance(value, bool | np.bool_):
        return None
    try:
        number = operator.index(value)
    except TypeError:
        return None
    return number if number >= 1 else None


def count_from_text(text: str) -> int | None:
    """A whole number of at least 1 in plain decimal digits; None if the text is something else."""
    return as_count(int(text)) if _DIGITS.fullmatch(text) else None
