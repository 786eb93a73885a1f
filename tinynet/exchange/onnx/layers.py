"""Layers as ONNX operators. The examples are the first axis: columns are (m, n)."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinynet.exchange.converters import no_counterpart
from tinynet.exchange.onnx.builder import GraphBuilder
from tinynet.exchange.onnx.recurrent import gru_step, lstm_step, recurrent, rnn_step
from tinynet.exchange.onnx.shapes import affine, by_unit, integers, part, reshaped, transposed
from tinynet.exchange.onnx.windows import average_pool, convolution, max_pool
from tinynet.layers import (
    GRU,
    LSTM,
    Activate,
    AveragePool2D,
    BatchNorm,
    Bidirectional,
    Branches,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePool,
    Layer,
    LayerNorm,
    MaxPool2D,
    PReLU,
    Reshape,
    Residual,
    SelfAttention,
    SimpleRNN,
)
from tinynet.model.place import PlacedLayer


@functools.singledispatch
def onnx_layer(layer: Layer, graph: Any, A_prev: str, placed: Any) -> str:
    """Add the operators of a layer to a graph, and return the name of Z.

    Parameters
    ----------
    layer : Layer
        What is written. A converter is found by its class. That of a parent is not used for a
        subclass that computes something else.
    graph : GraphBuilder
        ``graph.op("Mul", A, B, **attributes)`` adds an operator, and returns the name of its
        output. ``graph.constant(value, dtype=None)`` does so for a number or an array, in
        ``graph.dtype``, the dtype of the model, or in another.
        ``graph.parameter("W")`` is an array of the layer: a parameter, or state. It is as it is
        in the layer, a column as (n, 1). ``graph.chain(placed.chains[0], A_prev)`` adds the layers
        of a chain within the layer, and returns the name of their A.
    A_prev : str
        The name of A_prev: the examples are the first axis. Columns are (m, n), images
        (m, C, H, W), and sequences (m, n, T).
    placed : PlacedLayer
        The layer at its place in the model: ``placed.input_shape`` and ``placed.output_shape``
        are the shapes of an example, and ``placed.chains`` are its chains.

    Returns
    -------
    str
        The name of Z; the activation is added behind it.

    Raises
    ------
    ConversionError
        If no converter is registered for the class.

    Examples
    --------
    A converter for a class, by the type of its first parameter. Its layer has a parameter scale
    (n, 1), which becomes (n,) here::

        @tn.exchange.onnx_layer.register
        def _(layer: Scale, graph, A_prev, placed):
            n = graph.constant([-1], dtype="int64")
            return graph.op("Mul", A_prev, graph.op("Reshape", graph.parameter("scale"), n))
    """
    raise no_counterpart(layer, "ONNX", onnx_layer)


@onnx_layer.register(Dropout)
@onnx_layer.register(Activate)
def _(layer: Layer, graph: GraphBuilder, A_prev: str, placed: PlacedLayer) -> str:
    return A_prev


@onnx_layer.register
def _(layer: Flatten, graph: GraphBuilder, A_prev: str, placed: PlacedLayer) -> str:
    return graph.op("Flatten", A_prev, axis=1)


@onnx_layer.register
def _(layer: Reshape, graph: GraphBuilder, A_prev: str, placed: PlacedLayer) -> str:
    return reshaped(graph, A_prev, placed.output_shape)


@onnx_layer.register
def _(layer: Dense, graph: GraphBuilder, A_prev: str, placed: PlacedLayer) -> str:
    W, b = graph.parameter("W"), graph.parameter("b")
    n, *positions = placed.input_shape
    if not positions:
        return graph.op("Gemm", A_prev, W, b, transB=1)
    Z = affine(graph, W, b, reshaped(graph, A_prev, (n, math.prod(positions))))
    return reshaped(graph, Z, placed.output_shape)


onnx_layer.register(Conv1D, convolution)
onnx_layer.register(Conv2D, convolution)
onnx_layer.register(MaxPool2D, max_pool)
onnx_layer.register(AveragePool2D, average_pool)


@onnx_layer.register
def _(layer: GlobalAveragePool, graph: GraphBuilder, A_prev: str, placed: PlacedLayer) -> str:
    axes = range(2, 1 + len(placed.input_shape))
    if graph.opset < 18:
        return graph.op("ReduceMean", A_prev, axes=axes, keepdims=0)
    return graph.op("ReduceMean", A_prev, integers(graph, *axes), keepdims=0)


@onnx_layer.register
def _(layer: BatchNorm, graph: GraphBuilder, A_prev: str, placed: PlacedLayer) -> str:
    names = ("gamma", "beta", "running_mean", "running_variance")
    arrays = map(graph.parameter, names)
    return graph.op("BatchNormalization", A_prev, *arrays, epsilon=layer.epsilon)


@onnx_layer.register
def _(layer: LayerNorm, graph: GraphBuilder, A_prev: str, placed: PlacedLayer) -> str:
    gamma, beta = graph.parameter("gamma"), graph.parameter("beta")
    ndim = len(placed.input_shape)
    if layer.over == "example" or ndim == 1:
        return graph.op("LayerNormalization", A_prev, gamma, beta, axis=1, epsilon=layer.epsilon)
    units_last = transposed(graph, A_prev, 0, *range(2, ndim + 1), 1)
    Z = graph.op("LayerNormalization", units_last, gamma, beta, axis=-1, epsilon=layer.epsilon)
    return transposed(graph, Z, 0, ndim, *range(1, ndim))


@onnx_layer.register
def _(layer: PReLU, graph: GraphBuilder, A_prev: str, placed: PlacedLayer) -> str:
    slope = by_unit(graph, graph.parameter("slope"), len(placed.input_shape))
    if graph.dtype == np.float32:
        return graph.op("PRelu", A_prev, slope)
    # From opset 19 on, onnxruntime has no PRelu for float64.
    negative, positive = [graph.op(kind, A_prev, graph.constant(0)) for kind in ("Min", "Max")]
    return graph.op("Add", positive, graph.op("Mul", slope, negative))


@onnx_layer.register
def _(layer: Embedding, graph: GraphBuilder, A_prev: str, placed: PlacedLayer) -> str:
    Z = graph.op("Gather", graph.parameter("W"), A_prev, axis=1)  # (units, m, T)
    return transposed(graph, Z, 1, 0, *range(2, 1 + len(placed.output_shape)))


@onnx_layer.register
def _(layer: SimpleRNN, graph: GraphBuilder, A_prev: str, placed: PlacedLayer) -> str:
    return recurrent(layer, graph, A_prev, "RNN", rnn_step)


@onnx_layer.register
def _(layer: LSTM, graph: GraphBuilder, A_prev: str, placed: PlacedLayer) -> str:
    return recurrent(layer, graph, A_prev, "LSTM", lstm_step)


@onnx_layer.register
def _(layer: GRU, graph: GraphBuilder, A_prev: str, placed: PlacedLayer) -> str:
    return recurrent(layer, graph, A_prev, "GRU", gru_step, linear_before_reset=1)


@onnx_layer.register
def _(layer: SelfAttention, graph: GraphBuilder, A_prev: str, placed: PlacedLayer) -> str:
    (n, T), heads = placed.input_shape, layer.heads
    k = n // heads
    wide = affine(graph, graph.parameter("W"), graph.parameter("b"), A_prev)
    QKV = reshaped(graph, wide, (3, heads, k, T))
    Q, K, V = [part(graph, QKV, i, axis=1) for i in range(3)]  # (m, heads, k, T)
    Q = graph.op("Mul", Q, graph.constant(1 / math.sqrt(k)))
    S = graph.op("MatMul", transposed(graph, K, 0, 1, 3, 2), Q)  # (m, heads, keys, queries)
    if layer.causal:
        hides = np.where(np.arange(T)[:, np.newaxis] > np.arange(T), -np.inf, 0)
        S = graph.op("Add", S, graph.constant(hides))
    H = graph.op("MatMul", V, graph.op("Softmax", S, axis=2))
    H = reshaped(graph, H, (n, T))
    return affine(graph, graph.parameter("W_out"), graph.parameter("b_out"), H)


# Layers that are made of layers.


@onnx_layer.register
def _(layer: Residual, graph: GraphBuilder, A_prev: str, placed: PlacedLayer) -> str:
    return graph.op("Add", A_prev, graph.chain(placed.chains[0], A_prev))


@onnx_layer.register
def _(layer: Branches, graph: GraphBuilder, A_prev: str, placed: PlacedLayer) -> str:
    results = [graph.chain(chain, A_prev) for chain in placed.chains]
    if layer.join == "add":
        return functools.reduce(functools.partial(graph.op, "Add"), results)
    return graph.op("Concat", *results, axis=1)


@onnx_layer.register
def _(layer: Bidirectional, graph: GraphBuilder, A_prev: str, placed: PlacedLayer) -> str:
    def reversed_in_time(A: str) -> str:
        return graph.op("Gather", A, integers(graph, *reversed(range(T))), axis=2)

    _, T = placed.input_shape
    forward, backward = placed.chains
    A = graph.chain(forward, A_prev)
    A_back = graph.chain(backward, reversed_in_time(A_prev))
    if len(placed.output_shape) > 1:
        A_back = reversed_in_time(A_back)
    return graph.op("Concat", A, A_back, axis=1)
