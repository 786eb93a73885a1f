"""Layers as ONNX operators. The examples are the first axis: columns are (m, n)."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynet.exchange.converters import no_counterpart
from tinynet.exchange.onnx.graph import Graph
from tinynet.layers import Activate, Dense, Dropout, Flatten, Layer, Reshape
from tinynet.model.place import PlacedLayer


@functools.singledispatch
def onnx_layer(layer: Layer, graph: Any, A_prev: str, placed: Any) -> str:
    """Add the operators of a layer to a graph, and return the name of Z."""
    raise no_counterpart(layer, "ONNX", onnx_layer)


def whole(graph: Graph, *numbers: int) -> str:
    """Return a constant of integers, such as axes or a shape."""
    return graph.constant(numbers, np.int64)


def reshaped(graph: Graph, A: str, shape: Sequence[int]) -> str:
    """Return examples in another shape, that of one example."""
    return graph.op("Reshape", A, whole(graph, -1, *shape))


def by_unit(graph: Graph, vector: str, ndim: int) -> str:
    """Return a vector so that it has an entry for each unit of an example with `ndim` axes."""
    return graph.op("Unsqueeze", vector, whole(graph, *range(1, ndim))) if ndim > 1 else vector


@onnx_layer.register(Dropout)
@onnx_layer.register(Activate)
def _(layer: Layer, graph: Graph, A_prev: str, placed: PlacedLayer) -> str:
    return A_prev


@onnx_layer.register
def _(layer: Flatten, graph: Graph, A_prev: str, placed: PlacedLayer) -> str:
    return graph.op("Flatten", A_prev, axis=1)


@onnx_layer.register
def _(layer: Reshape, graph: Graph, A_prev: str, placed: PlacedLayer) -> str:
    return reshaped(graph, A_prev, placed.output_shape)


@onnx_layer.register
def _(layer: Dense, graph: Graph, A_prev: str, placed: PlacedLayer) -> str:
    W, b = graph.parameter("W"), graph.parameter("b")
    n, *positions = placed.input_shape
    if not positions:
        return graph.op("Gemm", A_prev, W, b, transB=1)
    columns = reshaped(graph, A_prev, (n, math.prod(positions)))
    Z = graph.op("Add", graph.op("MatMul", W, columns), by_unit(graph, b, 2))
    return reshaped(graph, Z, placed.output_shape)
