"""The constants of a graph: its initializers, and nodes that compute from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.checks import shown
from tinynet.errors import ConversionError
from tinynet.exchange.converters import naming
from tinynet.exchange.onnx.reading.folding import folded
from tinynet.exchange.onnx.reading.node import Node
from tinynet.exchange.onnx.reading.tensors import Tensors


def constants_of(
    needed: Iterable[Node],
    fixed: Iterable[Node],
    initializers: Mapping[str, Any],
    folder: Path | None,
) -> dict[str, Array]:
    """Return the arrays that needed nodes use, by name; `fixed` are those that compute such."""
    tensors = Tensors(folder)
    names = {name for node in needed for name in node.inputs if name in initializers}
    constants = {
        name: tensors.array(initializers[name], f"initializer {shown(name)}")
        for name in sorted(names)
    }
    for node in fixed:
        with naming(node.title):
            if node.op == "Constant":
                value = _constant(node, tensors)
            else:
                value = folded(node, [constants.get(name) for name in node.inputs])
            node.expect_no_more()
        constants[node.outputs[0]] = value
    return constants


def _constant(node: Node, tensors: Tensors) -> Array:
    """Return the value of a Constant, which has one of several attributes."""
    if node.has("value"):
        return tensors.array(node.tensor("value"), node.title)
    if node.has("value_float"):
        return np.array(node.number("value_float"), np.float32)
    if node.has("value_floats"):
        return np.array(node.numbers("value_floats"), np.float32)
    if node.has("value_int"):
        return np.array(node.integer("value_int"), np.int64)
    if node.has("value_ints"):
        return np.array(node.integers("value_ints"), np.int64)
    raise ConversionError("It holds no numbers.")
