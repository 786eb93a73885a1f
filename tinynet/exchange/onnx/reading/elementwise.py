"""ONNX's elementwise operators in NumPy, and nothing else: none asks for memory or runs code."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet.activations import (
    CELU,
    ELU,
    GELU,
    HardSiLU,
    LeakyReLU,
    Mish,
    ReLU,
    Sigmoid,
    Softplus,
    Softsign,
)
from tinynet.errors import ConversionError, FileFormatError
from tinynet.exchange.onnx.reading.node import Node
from tinynet.exchange.onnx.reading.regions import Region

_ERF = np.frompyfunc(math.erf, 1, 1)


def computed(region: Region, values: Mapping[str, Array], Z: Array) -> Array:
    """Return what the nodes of a region make of Z; `values` are constants, of one number each.

    Raises `ConversionError` for a node that is not elementwise.
    """
    known = {**values, region.begin: Z}
    for node in region.nodes:
        if node.op not in OPERATORS or any(name and name not in known for name in node.inputs):
            raise ConversionError(f"{node.title} is not elementwise.")
        inputs = [known[name] if name else None for name in node.inputs]
        with np.errstate(all="ignore"):
            known[node.outputs[0]] = OPERATORS[node.op](node, *inputs)
        node.expect_no_more()
    A = known.get(region.end)
    if A is None or A.shape != Z.shape or A.dtype != Z.dtype:
        raise ConversionError("It computes no number for each number.")
    return A


def _plain(function: Any, n: int) -> Callable[..., Array]:
    """Return a function as an operator of n inputs; into one more, NumPy would write."""

    def compute(node: Node, *inputs: Array) -> Array:
        if len(inputs) != n or any(each is None for each in inputs):
            raise FileFormatError(f"{node.title} has {len(inputs)} inputs, expected {n}")
        result: Array = function(*inputs)
        return result

    return compute


def _folded(function: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    """Return an operator of any number of inputs."""

    def compute(_: Node, *inputs: Array) -> Array:
        result, *rest = inputs
        for each in rest:
            result = function(result, each)
        return result

    return compute


def _elu(node: Node, Z: Array) -> Array:
    return ELU(node.number("alpha", 1.0)).forward(Z)


def _selu(node: Node, Z: Array) -> Array:
    alpha = node.number("alpha", 1.67326319217681884765625)
    gamma = node.number("gamma", 1.05070102214813232421875)
    return gamma * ELU(alpha).forward(Z)


def _celu(node: Node, Z: Array) -> Array:
    return CELU(node.number("alpha", 1.0)).forward(Z)


def _leaky_relu(node: Node, Z: Array) -> Array:
    return LeakyReLU(node.number("alpha", 0.01)).forward(Z)


def _hard_sigmoid(node: Node, Z: Array) -> Array:
    return np.clip(node.number("alpha", 0.2) * Z + node.number("beta", 0.5), 0, 1)


def _thresholded_relu(node: Node, Z: Array) -> Array:
    return np.where(node.number("alpha", 1.0) < Z, Z, 0)


def _swish(node: Node, Z: Array) -> Array:
    return Z * Sigmoid().forward(node.number("alpha", 1.0) * Z)


def _gelu(node: Node, Z: Array) -> Array:
    node.expect("approximate", "none", "tanh")
    return GELU(approximate=node.text("approximate", "none") == "tanh").forward(Z)


def _clip(node: Node, Z: Array, least: Any = None, most: Any = None) -> Array:
    if node.opset < 11:  # without the attributes, the limits are those of float32
        least, most = node.number("min", -3.4028235e38), node.number("max", 3.4028235e38)
    Z = Z if least is None else np.maximum(Z, least)
    return Z if most is None else np.minimum(Z, most)


def _cast(node: Node, Z: Array) -> Array:
    """Return numbers, also of True and False; that `to` is wide enough is known."""
    node.integer("to")
    node.integer("saturate", 1)
    return Z.astype(np.float64)


def _erf(Z: Array) -> Array:
    return np.asarray(_ERF(Z), np.float64)


_OF_NUMPY: dict[str, np.ufunc] = {
    "Abs": np.abs, "Neg": np.negative, "Reciprocal": np.reciprocal, "Sqrt": np.sqrt,
    "Exp": np.exp, "Log": np.log, "Tanh": np.tanh, "Sin": np.sin, "Cos": np.cos, "Tan": np.tan,
    "Sinh": np.sinh, "Cosh": np.cosh, "Asin": np.arcsin, "Acos": np.arccos, "Atan": np.arctan,
    "Asinh": np.arcsinh, "Acosh": np.arccosh, "Atanh": np.arctanh, "Sign": np.sign,
    "Floor": np.floor, "Ceil": np.ceil, "Round": np.rint,
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Pow": np.power,
    "Greater": np.greater, "GreaterOrEqual": np.greater_equal, "Less": np.less,
    "LessOrEqual": np.less_equal, "Equal": np.equal,
    "And": np.logical_and, "Or": np.logical_or, "Not": np.logical_not,
}  # fmt: skip
_OF_ONE_INPUT: dict[str, Callable[[Array], Array]] = {
    "Erf": _erf, "Sigmoid": Sigmoid().forward, "Softplus": Softplus().forward,
    "HardSwish": HardSiLU().forward, "Relu": ReLU().forward, "Softsign": Softsign().forward,
    "Mish": Mish().forward,
}  # fmt: skip
OPERATORS: dict[str, Callable[..., Array]] = {
    **{name: _plain(function, function.nin) for name, function in _OF_NUMPY.items()},
    **{name: _plain(function, 1) for name, function in _OF_ONE_INPUT.items()},
    "Where": _plain(np.where, 3),
    "Identity": lambda _, Z: Z,
    "Max": _folded(np.maximum), "Min": _folded(np.minimum), "Sum": _folded(np.add),
    "Elu": _elu, "Selu": _selu, "Celu": _celu, "LeakyRelu": _leaky_relu, "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid, "ThresholdedRelu": _thresholded_relu, "Swish": _swish,
    "Clip": _clip, "Cast": _cast,
}  # fmt: skip
