"""Arrays that carry derivatives with them through a formula.

A network's formula is written for whatever has `arrays.namespace`'s functions. Here that is a value and its
derivatives along some axes, and every operation passes them on by the chain rule (forward mode, which costs
as much for each axis as the value does). So no network says what its derivatives are.

Source: Griewank, Walther, "Evaluating Derivatives", 2nd edition, SIAM 2008, chapters 3 and 13.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.shapes import Bool, Float, Int


class Jet:
    """A value with its first and, if asked for, second derivatives along some axes.

    Where an activation has a corner, its derivative is that of one side, as in torch.

    Attributes:
        value: of any shape.
        first: (axes, *shape).
        second: (axes, *shape), along each axis twice; None where nobody asks.
    """

    __array_ufunc__ = None  # NumPy's arrays leave operators to it
    device = None

    def __init__(
        self,
        value: Float[ndarray, "*shape"],
        first: Float[ndarray, "axes *shape"],
        second: Float[ndarray, "axes *shape"] | None,
    ) -> None:
        self.value = value
        self.first = np.broadcast_to(first, (len(first), *value.shape))
        self.second = None if second is None else np.broadcast_to(second, (len(second), *value.shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the value."""
        return self.value.shape

    @property
    def ndim(self) -> int:
        """Of the value."""
        return self.value.ndim

    @property
    def dtype(self) -> Any:
        """Of the value."""
        return self.value.dtype

    def __array_namespace__(self) -> _Functions:
        return _Functions()

    def map(self, change: Callable[[ndarray], ndarray]) -> Jet:
        """The same with a linear map of the last axes applied to all."""
        return Jet(
            change(self.value), change(self.first), None if self.second is None else change(self.second)
        )

    def chained(self, value: ndarray, slope: ndarray, bend: ndarray) -> Jet:
        """A function of this one, of which value and derivatives at this value are known."""
        second = None if self.second is None else bend * self.first**2 + slope * self.second
        return Jet(value, slope * self.first, second)

    def __add__(self, other: Jet | Any) -> Jet:
        if not isinstance(other, Jet):
            return Jet(self.value + other, self.first, self.second)
        second = (
            None if self.second is None else self._wide(self.second, other) + self._wide(other.second, other)
        )
        return Jet(
            self.value + other.value, self._wide(self.first, other) + self._wide(other.first, other), second
        )

    __radd__ = __add__

    def __mul__(self, other: Jet | Any) -> Jet:
        if not isinstance(other, Jet):
            return self.map(lambda x: x * other)
        a, da, b, db = self.value, self._wide(self.first, other), other.value, self._wide(other.first, other)
        second = None
        if self.second is not None:
            second = a * self._wide(other.second, other) + 2 * da * db + b * self._wide(self.second, other)
        return Jet(a * b, a * db + b * da, second)

    __rmul__ = __mul__

    def _wide(self, derivatives: Any, other: Jet) -> ndarray:
        """One of both's derivatives, of the shape that both together have."""
        axes, shape = len(derivatives), np.broadcast_shapes(self.shape, other.shape)
        padded = derivatives.reshape(
            axes, *(1,) * (len(shape) + 1 - derivatives.ndim), *derivatives.shape[1:]
        )
        return np.broadcast_to(padded, (axes, *shape))

    def __neg__(self) -> Jet:
        return self * -1

    def __sub__(self, other: Jet | Any) -> Jet:
        return self + -other

    def __rsub__(self, other: Any) -> Jet:
        found: Jet = -self + other
        return found

    def __truediv__(self, other: Jet | Any) -> Jet:
        inverse = other**-1 if isinstance(other, Jet) else 1 / other
        return self * inverse

    def __rtruediv__(self, other: Any) -> Jet:
        inverse: Jet = self**-1 * other
        return inverse

    def __pow__(self, power: float) -> Jet:
        n, x = float(power), self.value
        # 0 times x to a negative power is 0 where x is, too.
        slope = n * x ** (n - 1) if n else 0 * x
        return self.chained(x**n, slope, n * (n - 1) * x ** (n - 2) if n * (n - 1) else 0 * x)

    def __abs__(self) -> Jet:
        return self.chained(np.abs(self.value), np.sign(self.value), 0 * self.value)

    def __matmul__(self, other: ndarray) -> Jet:
        return self.map(lambda x: x @ other)

    def __getitem__(self, key: Any) -> Jet:
        if not (isinstance(key, tuple) and len(key) == 2 and key[0] is Ellipsis):
            raise TypeError(f"it may index with [..., a:b] alone, got {key}")
        return self.map(lambda x: x[key])

    def __gt__(self, other: Any) -> Any:
        return np.greater(self.value, _value(other))

    def __ge__(self, other: Any) -> Any:
        return np.greater_equal(self.value, _value(other))

    def __lt__(self, other: Any) -> Any:
        return np.less(self.value, _value(other))

    def __le__(self, other: Any) -> Any:
        return np.less_equal(self.value, _value(other))


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Jet) else x


class _Functions:
    """The functions that networks use, as `Jet.__array_namespace__` gives them."""

    __name__ = "jets"

    def __getattr__(self, name: str) -> Callable[[Jet], Jet]:
        function = _UNARY.get(name)
        if function is None:
            known = ", ".join((*_UNARY, "abs", "where", "take"))
            raise AttributeError(f"it may use {known} and concatenate, got {name}")
        return lambda x: x.chained(*function(x.value))

    def abs(self, x: Jet) -> Jet:
        """|x|."""
        return abs(x)

    def concatenate(self, parts: Sequence[Jet], axis: int) -> Jet:
        """Parts side by side along one of the last axes, counted from the end."""
        seconds = [part.second for part in parts if part.second is not None]
        return Jet(
            np.concatenate([part.value for part in parts], axis),
            np.concatenate([part.first for part in parts], axis),
            np.concatenate(seconds, axis) if seconds else None,
        )

    def where(self, condition: Bool[ndarray, "*shape"], x: Jet | float, y: Jet | float) -> Jet:
        """x where the condition holds, y elsewhere."""
        some = x if isinstance(x, Jet) else y
        assert isinstance(some, Jet)

        def chosen(of: Callable[[Jet], Any]) -> ndarray:
            a, b = (of(part) if isinstance(part, Jet) else 0 for part in (x, y))
            return np.where(condition, a, b).astype(some.dtype, copy=False)

        second = None if some.second is None else chosen(lambda part: part.second)
        values = np.where(condition, _value(x), _value(y)).astype(some.dtype, copy=False)
        return Jet(values, chosen(lambda part: part.first), second)

    def take(self, x: Jet, index: Int[ndarray, "picked"], axis: int) -> Jet:
        """Entries along the last axis."""
        return x.map(lambda values: np.take(values, index, axis=axis))

    def whole(self, x: Jet) -> Int[ndarray, "*shape"]:
        """The largest whole numbers not above x, which have no derivatives."""
        found: Int[ndarray, "*shape"] = np.floor(x.value).astype(np.int64)
        return found

    def asarray(self, values: ndarray, dtype: Any, device: None) -> ndarray:  # noqa: ARG002
        """Constants, which have no derivatives."""
        return values.astype(dtype)


def _sine(x: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    sine = np.sin(x)
    return sine, np.cos(x), -sine


def _cosine(x: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    cosine = np.cos(x)
    return cosine, -np.sin(x), -cosine


def _exponential(x: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    grown = np.exp(x)
    return grown, grown, grown


def _tangent(x: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    found = np.tanh(x)
    slope = 1 - found * found
    return found, slope, -2 * found * slope


def _root(x: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    root = np.sqrt(x)
    return root, 0.5 / root, -0.25 / (x * root)


_UNARY: dict[str, Callable[[ndarray], tuple[ndarray, ndarray, ndarray]]] = {
    "sin": _sine,
    "cos": _cosine,
    "exp": _exponential,
    "tanh": _tangent,
    "sqrt": _root,
}
"""Value, first and second derivative of each function."""
