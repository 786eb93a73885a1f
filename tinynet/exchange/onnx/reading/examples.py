"""The shape of an example, from what a graph declares or from its first layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tinynet._support.arrays import Shape
from tinynet._support.checks import shown
from tinynet.errors import ConversionError
from tinynet.exchange.onnx.reading.elementwise import OPERATORS
from tinynet.exchange.onnx.reading.graph import Graph
from tinynet.exchange.onnx.reading.regions import Region

LARGEST_EXAMPLE = 1 << 24  # numbers, before any layer or behind it: an image of 4096 x 4096
_WITH_ANY = OPERATORS.keys() | {"Dropout"}  # may stand before the first layer


def example_of(graph: Graph, regions: Sequence[Region], inputs: Shape | None) -> Shape:
    """Return the shape of an example; `inputs` is what a user says it is."""
    declared = graph.declared
    if declared is not None and not 2 <= len(declared) <= 8:
        found = f"The input of the graph has {len(declared)} axes"
        raise ConversionError(f"{found}, expected examples and then the shape of one.")
    said = None if declared is None else declared[1:]
    if inputs is None:
        inputs = _whole(said) or _of_first_layer(graph, regions, said)
    if inputs is None:
        found = f"The examples of the graph have the shape {_written(said)}, expected numbers"
        remedy = "Pass it without the examples, such as from_onnx(path, inputs=(3, 32, 32))"
        raise ConversionError(f"{found}. {remedy}.")
    if said is not None and not _fits(inputs, said):
        found = f"inputs is {inputs}, expected {_written(said)}, as the graph declares"
        raise ConversionError(f"{found}. Leave inputs out, or pass such a shape.")
    if math.prod(inputs) > LARGEST_EXAMPLE or min(inputs) < 1:
        found = f"The examples of the graph have the shape {shown(inputs)}"
        raise ConversionError(f"{found}, expected 1 to {LARGEST_EXAMPLE} numbers in all.")
    return inputs


def _whole(said: Sequence[int | None] | None) -> Shape | None:
    known = [n for n in said or () if n is not None]
    return tuple(known) if said and len(known) == len(said) else None


def _fits(inputs: Shape, said: Sequence[int | None]) -> bool:
    return len(inputs) == len(said) and all(
        n is None or n == given for given, n in zip(inputs, said, strict=True)
    )


def _written(said: Sequence[int | None] | None) -> str:
    return "(...)" if said is None else f"({', '.join('?' if n is None else str(n) for n in said)})"


def _of_first_layer(
    graph: Graph, regions: Sequence[Region], said: Sequence[int | None] | None
) -> Shape | None:
    """Return (n,) for columns that a matrix is multiplied with first, or None."""
    if said is not None and len(said) != 1:
        return None
    for region in regions:
        node = region.node
        if node and node.op in ("Gemm", "MatMul") and len(node.inputs) > 1:
            W = graph.constants.get(node.inputs[1])
            if W is None or W.ndim != 2 or (node.op == "MatMul" and said is None):
                return None
            is_transposed = node.op == "Gemm" and node.integer("transB", 0)
            return (W.shape[1 if is_transposed else 0],)
        if any(node.op not in _WITH_ANY for node in region.nodes):
            return None
    return None
