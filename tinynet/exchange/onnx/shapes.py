"""What converters of layers write again and again: shapes, axes and products."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinynet.exchange.onnx.builder import GraphBuilder


def integers(graph: GraphBuilder, *numbers: int) -> str:
    """Return a constant of integers, such as axes or a shape."""
    return graph.constant(numbers, np.int64)


def reshaped(graph: GraphBuilder, A: str, shape: Sequence[int]) -> str:
    """Return examples in another shape, that of one example."""
    return graph.op("Reshape", A, integers(graph, -1, *shape))


def transposed(graph: GraphBuilder, A: str, *axes: int) -> str:
    """Return an array with the axes in this order, as for np.transpose."""
    return graph.op("Transpose", A, perm=axes)


def part(graph: GraphBuilder, A: str, k: int, axis: int) -> str:
    """Return entry k of an axis, which is gone then."""
    return graph.op("Gather", A, graph.constant(k, np.int64), axis=axis)


def by_unit(graph: GraphBuilder, vector: str, ndim: int) -> str:
    """Return a vector so that it has an entry for each unit of an example with `ndim` axes."""
    if ndim == 1:
        return vector
    return graph.op("Unsqueeze", vector, integers(graph, *range(1, ndim)))


def affine(graph: GraphBuilder, W: str, b: str, columns: str) -> str:
    """Return W A + b of examples (m, n, positions)."""
    return graph.op("Add", graph.op("MatMul", W, columns), by_unit(graph, b, 2))
