"""An ONNX graph that grows, and values of it that the formulas of networks compute with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from partinr.shapes import Shaped

if TYPE_CHECKING:
    import onnx

Array = Shaped[ndarray, "..."]

_UNARY = {"sin": "Sin", "cos": "Cos", "exp": "Exp", "abs": "Abs", "tanh": "Tanh", "sqrt": "Sqrt"}


class Graph:
    """An ONNX graph that grows: calling it adds an operator and returns the name of its result.

    Inputs are names of values, or arrays and numbers, which become constants: Python's whole numbers int64,
    other numbers float32.

    Attributes:
        nodes: the operators, in an order in which they can run.
        constants: by their names.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}
        self._numbers = count()

    def __call__(self, operator: str, *inputs: str | Array | float, **attributes: Any) -> str:
        return self.several(1, operator, *inputs, **attributes)[0]

    def several(
        self, results: int, operator: str, *inputs: str | Array | float, **attributes: Any
    ) -> list[str]:
        """As calling the graph, for an operator with several results."""
        from onnx import helper

        names = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        made = [f"{operator}_{next(self._numbers)}" for _ in range(results)]
        self.nodes.append(helper.make_node(operator, names, made, made[0], **attributes))
        return made

    def constant(self, value: Array | float, name: str | None = None) -> str:
        """A constant of this value."""
        key = name or f"constant_{next(self._numbers)}"
        if not isinstance(value, ndarray):
            value = np.array(value, np.int64 if isinstance(value, int) else np.float32)
        self.constants[key] = value
        return key

    def filled(self, shape: str, value: Array) -> str:
        """A tensor of a computed shape whose elements all are `value`, an array of one element."""
        from onnx import numpy_helper

        return self("ConstantOfShape", shape, value=numpy_helper.from_array(value))

    def cast(self, x: str, dtype: type[np.generic]) -> str:
        """x as numbers of another type."""
        from onnx import helper

        return self("Cast", x, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def _operator(name: str, *, swapped: bool = False) -> Callable[[Value, Value | float], Value]:
    """One of Python's operators on two values; `swapped`: the value stands on its right."""
    return lambda self, other: self._with(name, other, swapped=swapped)


class Value:
    """A value of the graph that a network's formula computes with, which notes down what is done to it.

    Attributes:
        name: in the graph.
        shape: with 1 for the numbers of chunks and of points in each, which are not known yet.
        dtype: of its numbers, single precision or int64.
    """

    __array_ufunc__ = None  # NumPy's numbers leave operators to it
    device = None

    def __init__(
        self, graph: Graph, name: str, shape: tuple[int, ...], dtype: type[np.generic] = np.float32
    ) -> None:
        self.graph, self.name, self.shape, self.dtype = graph, name, shape, np.dtype(dtype)

    def __array_namespace__(self) -> Functions:
        return Functions(self.graph)

    def _with(self, operator: str, *others: Value | float, swapped: bool = False) -> Value:
        names = [self.name, *(o.name if isinstance(o, Value) else np.array(o, self.dtype) for o in others)]
        shapes = [self.shape, *(o.shape for o in others if isinstance(o, Value))]
        name = self.graph(operator, *(reversed(names) if swapped else names))
        return Value(self.graph, name, np.broadcast_shapes(*shapes), self.dtype.type)

    def to(self, dtype: np.dtype[Any]) -> Value:
        """The same as numbers of another type."""
        return Value(self.graph, self.graph.cast(self.name, dtype.type), self.shape, dtype.type)

    __add__ = __radd__ = _operator("Add")
    __mul__ = __rmul__ = _operator("Mul")
    __sub__, __rsub__ = _operator("Sub"), _operator("Sub", swapped=True)
    __truediv__, __rtruediv__ = _operator("Div"), _operator("Div", swapped=True)
    __pow__, __mod__, __xor__ = _operator("Pow"), _operator("Mod"), _operator("BitwiseXor")
    __gt__, __ge__ = _operator("Greater"), _operator("GreaterOrEqual")
    __lt__, __le__ = _operator("Less"), _operator("LessOrEqual")

    def __neg__(self) -> Value:
        return self._with("Neg")

    def __abs__(self) -> Value:
        return self._with("Abs")

    def __matmul__(self, other: Value) -> Value:
        graph, one = self.graph, self.graph.constants.get(self.name)
        if one is not None and one.ndim == 2:
            products = graph("Mul", one[..., None], graph("Unsqueeze", other.name, np.array([1])))
            name = graph("ReduceSum", products, np.array([2]), keepdims=0)  # (chunks, rows, columns)
        else:
            name = graph("MatMul", self.name, other.name)
        return Value(graph, name, (*self.shape[:-1], other.shape[-1]))

    def __getitem__(self, key: Any) -> Value:
        if key == (slice(None), None):
            return Value(self.graph, self.graph("Unsqueeze", self.name, np.array([1])), (1, *self.shape))
        if not (isinstance(key, tuple) and len(key) == 2 and key[0] is Ellipsis and key[1].step is None):
            raise TypeError(f"it may index with [..., a:b] alone, got {key}")
        start, stop, _ = key[1].indices(self.shape[-1])
        name = self.graph("Slice", self.name, np.array([start]), np.array([stop]), np.array([-1]))
        return Value(self.graph, name, (*self.shape[:-1], stop - start), self.dtype.type)


class Functions:
    """The functions that networks use, as `Value.__array_namespace__` gives them."""

    __name__ = "onnx"

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def __getattr__(self, name: str) -> Callable[[Value], Value]:
        operator = _UNARY.get(name)
        if operator is None:
            raise AttributeError(f"it may use {', '.join(_UNARY)}, where, take and concatenate, got {name}")
        return lambda x: x._with(operator)

    def concatenate(self, parts: Sequence[Value], axis: int) -> Value:
        """Parts side by side along an axis."""
        shape = list(parts[0].shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        name = self._graph("Concat", *(part.name for part in parts), axis=axis)
        return Value(self._graph, name, tuple(shape), parts[0].dtype.type)

    def where(self, condition: Value, x: Value | float, y: Value | float) -> Value:
        """x where the condition holds, y elsewhere."""
        return condition._with("Where", x, y)

    def take(self, x: Value, index: Array, axis: int) -> Value:
        """Entries along the last axis."""
        name = self._graph("Gather", x.name, index, axis=axis)
        return Value(self._graph, name, (*x.shape[:-1], len(index)), x.dtype.type)

    def rows(self, table: Value, index: Value) -> Value:
        """See `arrays.rows`."""
        width = index.shape[-1] * table.shape[-1]
        which = self._graph("Unsqueeze", index.name, np.array([-1]))
        found = self._graph("GatherND", table.name, which, batch_dims=1)  # (chunks, points, picked, features)
        name = self._graph("Reshape", found, np.array([0, 0, width]))
        return Value(self._graph, name, (*index.shape[:-1], width))

    def whole(self, x: Value) -> Value:
        """The largest whole numbers not above x."""
        return x._with("Floor").to(np.dtype(np.int64))

    def minimum(self, x: Value, y: Value) -> Value:
        """The smaller one of two."""
        return x._with("Min", y)

    def maximum(self, x: Value, y: Value) -> Value:
        """The larger one of two."""
        return x._with("Max", y)

    def asarray(self, values: Array, dtype: Any, device: None) -> Value:  # noqa: ARG002
        """Constants; one for all chunks has no axis of chunks: runtimes multiply no 1 matrix by 0 of them."""
        kept = values[0] if values.ndim == 3 and len(values) == 1 else values
        return Value(self._graph, self._graph.constant(kept.astype(dtype)), values.shape, dtype.type)
