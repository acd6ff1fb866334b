"""Curves that the number of steps may follow as the number of boundaries grows.

Every curve is written as `low + rise * shape(n)`, where `shape` goes from 0 at the least number of boundaries
to 1 at the greatest: low and rise mean the same for all of them, and one number is left that bends.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy import ndarray

from partinr.shapes import Float64


@dataclass(frozen=True)
class Span:
    """Least and greatest number of boundaries of a sweep."""

    low: float
    high: float

    @property
    def length(self) -> float:
        """Greatest minus least."""
        return self.high - self.low

    def place(self, boundaries: Float64[ndarray, "n"]) -> Float64[ndarray, "n"]:
        """0 at the least, 1 at the greatest; a sweep of one size is all 0."""
        return (boundaries - self.low) / max(self.length, 1e-12)


class Model(ABC):
    """A family of curves."""

    name: ClassVar[str]
    formula: ClassVar[str]
    """As texts and figures write it."""

    bends: ClassVar[tuple[float, ...]] = ()
    """Where to start looking for the bend; empty for a family without one."""

    bounds: ClassVar[tuple[float, float]] = (0.0, 0.0)
    """Least and greatest bend."""

    @property
    def numbers(self) -> int:
        """Free numbers of the curve."""
        return 2 + bool(self.bends)

    @abstractmethod
    def shape(self, boundaries: Float64[ndarray, "n"], span: Span, bend: float) -> Float64[ndarray, "n"]:
        """The curve between 0 and 1."""


class Exponential(Model):
    """a exp(b n) + c, the paper's hypothesis; the bend is b times the span's length, 0 a straight line."""

    name = "exponential"
    formula = "a exp(b n) + c"
    bends = (1.0, 3.0)
    bounds = (-4.0, 12.0)

    def shape(self, boundaries: Float64[ndarray, "n"], span: Span, bend: float) -> Float64[ndarray, "n"]:
        x = span.place(boundaries)
        curve: Float64[ndarray, "n"] = x if abs(bend) < 1e-6 else np.expm1(bend * x) / np.expm1(bend)
        return curve


class Power(Model):
    """a n^k + c; the bend is k, and 1 is a straight line."""

    name = "power law"
    formula = "a n^k + c"
    bends = (1.0, 2.5)
    bounds = (0.05, 12.0)

    def shape(self, boundaries: Float64[ndarray, "n"], span: Span, bend: float) -> Float64[ndarray, "n"]:
        if span.length == 0:
            return np.zeros_like(boundaries)
        ratio = (span.low / span.high) ** bend
        curve: Float64[ndarray, "n"] = ((boundaries / span.high) ** bend - ratio) / (1 - ratio)
        return curve


class Quadratic(Model):
    """a n² + b n + c; the bend is the share of the square, and 0 is a straight line."""

    name = "quadratic"
    formula = "a n² + b n + c"
    bends = (0.5,)
    bounds = (-1.0, 5.0)

    def shape(self, boundaries: Float64[ndarray, "n"], span: Span, bend: float) -> Float64[ndarray, "n"]:
        x = span.place(boundaries)
        return x * (1 - bend + bend * x)


class Linear(Model):
    """a n + c."""

    name = "linear"
    formula = "a n + c"

    def shape(self, boundaries: Float64[ndarray, "n"], span: Span, bend: float) -> Float64[ndarray, "n"]:  # noqa: ARG002
        return span.place(boundaries)


EXPONENTIAL = Exponential()
MODELS: tuple[Model, ...] = (EXPONENTIAL, Power(), Quadratic(), Linear())
"""All that are compared, the hypothesis first."""
