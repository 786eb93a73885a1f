"""Activations as ONNX operators."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinynet.activations import (
    CELU,
    ELU,
    GELU,
    SELU,
    Activation,
    HardSigmoid,
    HardSiLU,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
)
from tinynet.errors import ConversionError
from tinynet.exchange.computed import computes_same
from tinynet.exchange.onnx.builder import GraphBuilder
from tinynet.exchange.onnx.operators import Operators
from tinynet.exchange.trace import Untraceable, traced


@functools.singledispatch
def onnx_activation(activation: Activation, graph: Any, Z: str) -> str:
    """Add the operators of an activation to a graph, and return the name of A.

    What has no converter of its own is traced: its `forward` runs on what stands for Z, and
    NumPy's elementwise functions and operators are written as ONNX's.

    Parameters
    ----------
    activation : Activation
        What is written. A converter is found by its class. That of a parent is not used for a
        subclass that computes something else.
    graph : GraphBuilder
        ``graph.op("Mul", Z, W, **attributes)`` adds an operator, and returns the name of its
        output. ``graph.constant(value)`` does so for a number or an array, in ``graph.dtype``,
        the dtype of the model.
    Z : str
        The name of Z, (m, n): the examples are the first axis.

    Returns
    -------
    str
        The name of A.

    Raises
    ------
    ConversionError
        If `forward` uses something that cannot be traced; the message names it.

    Examples
    --------
    A converter for a class, by the type of its first parameter::

        @tn.exchange.onnx_activation.register
        def _(activation: Swish, graph, Z):
            return graph.op("Mul", Z, graph.op("Sigmoid", Z))
    """
    target = Operators(graph)
    try:
        A = str(traced(activation.forward, Z, target))
        shape = graph.placed.output_shape
        is_same = computes_same(activation.forward, shape, graph.dtype, target.functions)
    except Untraceable as found:
        raise _refused(activation, f"uses {found}{found.line}") from found.__cause__
    if not is_same:
        raise _refused(activation, "gives other numbers with what stands for Z than with arrays")
    return A


def _refused(activation: Activation, why: str) -> ConversionError:
    name = type(activation).__name__
    return ConversionError(
        f"{name}.forward cannot be written in ONNX, because it {why}. Use NumPy's elementwise "
        "functions and operators, or register a converter: "
        f"@tn.exchange.onnx_activation.register above def convert(activation: {name}, graph, Z)."
    )


@onnx_activation.register
def _(activation: Identity, graph: GraphBuilder, Z: str) -> str:
    return Z


@onnx_activation.register
def _(activation: Softmax, graph: GraphBuilder, Z: str) -> str:
    return graph.op("Softmax", Z, axis=1)


def _register(kind: type[Activation], operator: str, attributes: Callable[[Any], Any]) -> None:
    """Have an activation written as one operator in float32, and traced in float64.

    For float64 onnxruntime lacks most of these operators, and their attributes are float32.
    """

    def convert(activation: Activation, graph: GraphBuilder, Z: str) -> str:
        if graph.dtype == np.float32:
            return graph.op(operator, Z, **attributes(activation))
        return onnx_activation.registry[object](activation, graph, Z)

    onnx_activation.register(kind, convert)


_register(Softplus, "Softplus", lambda g: {})
_register(Softsign, "Softsign", lambda g: {})
_register(HardSiLU, "HardSwish", lambda g: {})
_register(HardSigmoid, "HardSigmoid", lambda g: {"alpha": 1 / 6, "beta": 0.5})
_register(LeakyReLU, "LeakyRelu", lambda g: {"alpha": g.slope})
_register(ELU, "Elu", lambda g: {"alpha": g.alpha})
_register(CELU, "Celu", lambda g: {"alpha": g.alpha})
_register(SELU, "Selu", lambda g: {"alpha": g.elu.alpha, "gamma": g.scale})


@onnx_activation.register
def _(activation: Sigmoid, graph: GraphBuilder, Z: str) -> str:
    return graph.op("Sigmoid", Z)


@onnx_activation.register
def _(activation: Tanh, graph: GraphBuilder, Z: str) -> str:
    return graph.op("Tanh", Z)


@onnx_activation.register
def _(activation: ReLU, graph: GraphBuilder, Z: str) -> str:
    return graph.op("Relu", Z)


@onnx_activation.register
def _(activation: GELU, graph: GraphBuilder, Z: str) -> str:
    if activation.approximate or graph.dtype != np.float32:
        return str(onnx_activation.registry[object](activation, graph, Z))
    erf = graph.op("Erf", graph.op("Mul", Z, graph.constant(math.sqrt(0.5))))
    half = graph.op("Mul", Z, graph.constant(0.5))
    return graph.op("Mul", half, graph.op("Add", erf, graph.constant(1)))
