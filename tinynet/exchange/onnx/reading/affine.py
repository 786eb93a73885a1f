"""Add, Sub, Mul and Div with a constant: a bias, or a scale and a shift."""

from __future__ import annotations

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet.errors import ConversionError
from tinynet.exchange.onnx.reading.graph import Graph
from tinynet.exchange.onnx.reading.layers import column
from tinynet.exchange.onnx.reading.regions import Region


def affine(
    region: Region, graph: Graph, shape: Shape, units_last: bool
) -> tuple[Array, Array] | None:
    """Return scale and shift, a column each, if a region is one such node.

    The constant is one number, or one for each unit or channel, which may be the last axis.
    """
    node = region.node
    if node is None or len(node.inputs) != 2 or node.op not in ("Add", "Sub", "Mul", "Div"):
        return None
    other = node.inputs[node.inputs[0] == region.begin]
    if other not in graph.constants:
        return None
    is_first = other == node.inputs[0]
    if node.op == "Div" and is_first:
        return None
    c = graph.constants[other]
    if c.dtype != graph.dtype:
        raise ConversionError(f"It has a constant of dtype {c.dtype}, expected {graph.dtype}.")
    one, zero = (np.array(k, c.dtype) for k in (1, 0))
    with np.errstate(all="ignore"):  # a scale that is not finite is refused later
        if node.op == "Add":
            operands = one, c
        elif node.op == "Sub":
            operands = (-one, c) if is_first else (one, -c)
        else:
            operands = (c if node.op == "Mul" else 1 / c), zero
    n, *positions = shape[-1:] if units_last else shape or (1,)
    scale, shift = (column(each, n, len(positions), 1 + len(shape)) for each in operands)
    return scale, shift
