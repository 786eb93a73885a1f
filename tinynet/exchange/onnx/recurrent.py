"""Recurrent layers as ONNX operators.

onnxruntime has RNN, LSTM and GRU for float32 only. For float64 the operator Scan goes through the
steps, with the formulas of a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinynet._support.library import library
from tinynet.exchange.onnx.builder import GraphBuilder
from tinynet.exchange.onnx.shapes import integers, part, reshaped, transposed
from tinynet.layers import LSTM
from tinynet.layers.recurrent import Recurrent

onnx: Any = library("onnx")

# The states after a step, h first, from what its input and h give, and from the states before.
Step = Callable[..., Sequence[str]]


def recurrent(
    layer: Recurrent, graph: GraphBuilder, A_prev: str, operator: str, step: Step, **attributes: Any
) -> str:
    """Return Z of a recurrent layer, written as one operator, or as a loop over its step."""
    X = transposed(graph, A_prev, 2, 0, 1)  # (T, m, n_prev)
    arrays = [graph.parameter(name) for name in ("W", "R", "B")]
    if graph.dtype == np.float32:
        h = graph.op(operator, X, *arrays, hidden_size=layer.units, **attributes)
        h = graph.op("Squeeze", h, integers(graph, 1))  # the axis of directions, of which one is
    else:
        h = _scanned(layer, graph, X, arrays, step)
    return transposed(graph, h, 1, 2, 0) if layer.sequences else part(graph, h, -1, axis=0)


def _scanned(
    layer: Recurrent, graph: GraphBuilder, X: str, arrays: Sequence[str], step: Step
) -> str:
    """Return h of all steps, (T, m, n)."""
    n, rows = layer.units, layer.n_gates * layer.units
    W, R = [transposed(graph, part(graph, array, 0, axis=0), 1, 0) for array in arrays[:2]]
    biases = reshaped(graph, arrays[2], (rows,))
    b, c = [part(graph, biases, k, axis=0) for k in range(2)]
    from_x = graph.op("Add", graph.op("MatMul", X, W), b)
    m = graph.op("Shape", X, start=1, end=2)
    shape = graph.op("Concat", m, integers(graph, n), axis=0)
    zeros = graph.op("Expand", graph.constant(0), shape)
    n_states = 2 if isinstance(layer, LSTM) else 1
    x, *states = [graph.new_name(name) for name in ("x", "h", "c")[: 1 + n_states]]
    with graph.inner() as nodes:
        from_h = graph.op("Add", graph.op("MatMul", states[0], R), c)
        after = step(graph, n, x, from_h, *states)
        outputs = [*after, graph.op("Identity", after[0])]  # h as a state, and as a result
    tensors = [(name, ("m", n)) for name in states] + [(x, ("m", rows))]
    body = _body(graph, nodes, tensors, [(name, ("m", n)) for name in outputs])
    inputs = [zeros] * n_states + [from_x]
    return graph.outputs(n_states + 1, "Scan", *inputs, body=body, num_scan_inputs=1)[-1]


def _body(graph: GraphBuilder, nodes: Any, inputs: Any, outputs: Any) -> Any:
    """Return a graph within the graph; inputs and outputs are names with shapes."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(graph.dtype)
    make = onnx.helper.make_tensor_value_info
    given, made = [[make(name, kind, shape) for name, shape in each] for each in (inputs, outputs)]
    return onnx.helper.make_graph(nodes, "step", given, made)


def _blocks(graph: GraphBuilder, A: str, n: int, n_gates: int) -> list[str]:
    """Return the block of each gate, (m, n)."""
    blocks = reshaped(graph, A, (n_gates, n))
    return [part(graph, blocks, k, axis=1) for k in range(n_gates)]


def rnn_step(graph: GraphBuilder, n: int, from_x: str, from_h: str, h: str) -> Sequence[str]:
    """Return h of `SimpleRNN`."""
    return [graph.op("Tanh", graph.op("Add", from_x, from_h))]


def lstm_step(
    graph: GraphBuilder, n: int, from_x: str, from_h: str, h: str, c: str
) -> Sequence[str]:
    """Return h and c of `LSTM`, whose gates are in ONNX's order here."""
    i, o, f, g = _blocks(graph, graph.op("Add", from_x, from_h), n, 4)
    i, o, f = [graph.op("Sigmoid", gate) for gate in (i, o, f)]
    stays, new = graph.op("Mul", f, c), graph.op("Mul", i, graph.op("Tanh", g))
    c = graph.op("Add", stays, new)
    return [graph.op("Mul", o, graph.op("Tanh", c)), c]


def gru_step(graph: GraphBuilder, n: int, from_x: str, from_h: str, h: str) -> Sequence[str]:
    """Return h of `GRU`, whose gates are in ONNX's order here."""
    (z_x, r_x, g_x), (z_h, r_h, g_h) = [_blocks(graph, A, n, 3) for A in (from_x, from_h)]
    z, r = [graph.op("Sigmoid", graph.op("Add", *each)) for each in ((z_x, z_h), (r_x, r_h))]
    g = graph.op("Tanh", graph.op("Add", g_x, graph.op("Mul", r, g_h)))
    return [graph.op("Add", g, graph.op("Mul", z, graph.op("Sub", h, g)))]
