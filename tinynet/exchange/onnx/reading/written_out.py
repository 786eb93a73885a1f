"""A layer normalization written out in single operators, as before opset 17.

The mean is subtracted first; then comes a division by the square root of the mean square. Scale and
shift, if any, are a Mul and an Add behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet.exchange.assemble import Part
from tinynet.exchange.onnx.reading.folding import axes_of
from tinynet.exchange.onnx.reading.graph import Graph
from tinynet.exchange.onnx.reading.node import Node, setting
from tinynet.exchange.onnx.reading.regions import Region
from tinynet.layers import LayerNorm

_CENTERED = ["ReduceMean", "Sub"]
_DIVIDED = ["Pow", "ReduceMean", "Add", "Sqrt", "Div"]


def layer_norm(regions: Sequence[Region], graph: Graph, shape: Shape) -> Part | None:
    """Return the LayerNorm of columns that the first two regions compute, if they do."""
    found = [[node.op for node in region.nodes] for region in regions[:2]]
    if found != [_CENTERED, _DIVIDED] or len(shape) != 1:
        return None
    mean, centered = regions[0].nodes
    square, mean_square, sum_, root, quotient = regions[1].nodes
    X, C = regions[0].begin, regions[1].begin
    two, epsilon = (_other(node, graph.constants) for node in (square, sum_))
    is_norm = (
        all(_is_over_units(node, graph.constants) for node in (mean, mean_square))
        and mean.inputs[0] == X and centered.inputs == (X, mean.outputs[0])
        and square.inputs[0] == C and mean_square.inputs[0] == square.outputs[0]
        and mean_square.outputs[0] in sum_.inputs and root.inputs == sum_.outputs
        and quotient.inputs == (C, root.outputs[0]) and two == 2 and epsilon is not None
    )  # fmt: skip
    if not is_norm or epsilon is None:
        return None
    for node in (*regions[0].nodes, *regions[1].nodes):
        node.expect_no_more()
    one = np.broadcast_to(np.ones((), graph.dtype), (*shape, 1))
    layer = LayerNorm(epsilon=setting(epsilon, graph.dtype))
    return Part(layer, {"gamma": one, "beta": one - 1})


def _other(node: Node, constants: Mapping[str, Array]) -> float | None:
    """Return the single number that a node computes with."""
    found = [constants[name] for name in node.inputs if name in constants]
    return float(found[0].reshape(())) if len(found) == 1 and found[0].size == 1 else None


def _is_over_units(node: Node, constants: Mapping[str, Array]) -> bool:
    given = constants.get(node.inputs[1]) if len(node.inputs) > 1 else None
    return axes_of(node, 18, given) in ((-1,), (1,)) and node.integer("keepdims", 1) == 1
