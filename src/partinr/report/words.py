"""Numbers as reports write them."""

from __future__ import annotations

import math
from collections.abc import Sequence


def decibels(psnr: float | None, unknown: str = "–", infinite: str = "exact") -> str:
    """A PSNR with two decimals; or what to say where it is not known, and where nothing differs."""
    if psnr is None:
        return unknown
    return infinite if math.isinf(psnr) else f"{psnr:.2f} dB"


def seconds(duration: float | None) -> str:
    """A duration in seconds: two digits after the point below ten seconds, one above."""
    if duration is None:
        return "–"
    return f"{duration:.2f} s" if duration < 10 else f"{duration:.1f} s"


def number(value: float) -> str:
    """A number with as many digits as matter."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def counted(count: int, what: str) -> str:
    """1 step, 2 steps, 3,000 steps."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def extent(shape: Sequence[int]) -> str:
    """Lengths of axes: 512 × 768."""
    return " × ".join(f"{n:,}" for n in shape)


def listed(items: Sequence[object], last: str = "and") -> str:
    """Items as a sentence lists them: a, b and c."""
    *first, end = map(str, items)
    return f"{', '.join(first)} {last} {end}" if first else end
