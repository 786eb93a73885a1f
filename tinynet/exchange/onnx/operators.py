"""What ONNX has for NumPy's functions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinynet._support.library import library
from tinynet.exchange.onnx.builder import GraphBuilder
from tinynet.exchange.trace import of_examples_first

onnx: Any = library("onnx")

_OPERATORS: dict[np.ufunc, str] = {
    np.negative: "Neg", np.absolute: "Abs", np.sign: "Sign",
    np.add: "Add", np.subtract: "Sub", np.multiply: "Mul", np.divide: "Div", np.power: "Pow",
    np.reciprocal: "Reciprocal", np.sqrt: "Sqrt", np.exp: "Exp", np.log: "Log",
    np.sin: "Sin", np.cos: "Cos", np.tanh: "Tanh",
    np.maximum: "Max", np.minimum: "Min", np.floor: "Floor", np.ceil: "Ceil", np.rint: "Round",
    np.equal: "Equal", np.greater: "Greater", np.greater_equal: "GreaterOrEqual",
    np.less: "Less", np.less_equal: "LessOrEqual", np.isnan: "IsNaN", np.isinf: "IsInf",
    np.logical_and: "And", np.logical_or: "Or", np.logical_xor: "Xor", np.logical_not: "Not",
}  # fmt: skip
# ONNX has them for float64 too, but onnxruntime does not compute them.
_OPERATORS_OF_FLOAT32: dict[np.ufunc, str] = {
    np.tan: "Tan", np.arcsin: "Asin", np.arccos: "Acos", np.arctan: "Atan", np.sinh: "Sinh",
    np.cosh: "Cosh", np.arcsinh: "Asinh", np.arccosh: "Acosh", np.arctanh: "Atanh",
}  # fmt: skip


class Operators:
    """The target of a trace: what is traced becomes operators of a graph."""

    def __init__(self, graph: GraphBuilder) -> None:
        self._graph, self.dtype = graph, graph.dtype
        names = _OPERATORS | (_OPERATORS_OF_FLOAT32 if graph.dtype == np.float32 else {})
        self.functions: Mapping[np.ufunc, Callable[..., str]] = {
            **{function: functools.partial(graph.op, name) for function, name in names.items()},
            np.positive: lambda x: x,
            np.fmod: functools.partial(graph.op, "Mod", fmod=1),
        }

    def constant(self, value: Any) -> str:
        """Return a number, or an array that is the same for each example, as (n, 1)."""
        ndim = 1 + len(self._graph.placed.output_shape)
        return self._graph.constant(of_examples_first(value, ndim), value.dtype)

    def where(self, mask: str, x: str, y: str) -> str:
        return self._graph.op("Where", mask, x, y)

    def as_number(self, mask: str) -> str:
        kind = onnx.helper.np_dtype_to_tensor_dtype(self.dtype)
        return self._graph.op("Cast", mask, to=kind)

    def filled(self, like: str, number: str) -> str:
        return self._graph.op("Expand", number, self._graph.op("Shape", like))
