"""Operators that change the shape of an example, and no number."""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Mapping

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.checks import shown
from tinynet.errors import ConversionError, FileFormatError
from tinynet.exchange.assemble import Part
from tinynet.exchange.converters import naming
from tinynet.exchange.onnx.reading.folding import axes_of, folded
from tinynet.exchange.onnx.reading.graph import leading_to
from tinynet.exchange.onnx.reading.node import Node
from tinynet.exchange.onnx.reading.step import Reader, Result, Step
from tinynet.layers import Flatten, Reshape

# A computed shape is looked at for two numbers of examples: what follows from m differs.
_SOME_M = (7_919, 6_133)
_NO_SIZE = -2  # stands for m where no number does
_MOST_NODES = 64  # that compute one shape; x.view(x.size(0), -1) has three


def reshaping(before: Shape, after: Shape) -> list[Part | Shape]:
    """Return the layer that makes examples of one shape those of another, if it is needed.

    Examples without an axis are columns (1, m) here; their shape () is returned, too.
    """
    if math.prod(before) != math.prod(after):
        raise ConversionError(f"It makes examples of shape {after} from those of shape {before}.")
    if before == after:
        return []
    if not after:
        return [*reshaping(before, (1,)), ()]
    return [Part(Flatten() if len(after) == 1 else Reshape(after))]


def _flatten(step: Step) -> Result:
    step.expect_inputs(1, 1)
    if step.node.integer("axis", 1) not in (1, 1 - step.rank):
        found = "It has an axis that is not 1: that would mix the examples"
        raise ConversionError(f"{found}. Export it with nn.Flatten() in PyTorch.")
    return reshaping(step.shape, (math.prod(step.shape),))


def _reshape(step: Step) -> Result:
    step.expect_inputs(2, 2)
    if step.node.inputs[1] in step.graph.constants:
        declared = step.graph.declared
        # A graph that is exported for one number of examples has this number in place of -1.
        return _reshaped(step, step.constant(1), (declared or (None,))[0] or _NO_SIZE)
    found, other = [_reshaped(step, _target(step, m), m) for m in _SOME_M]
    if found != other:
        raise ConversionError("It makes examples of a shape that depends on their number.")
    return found


def _reshaped(step: Step, target: Array, m: int) -> list[Part | Shape]:
    """Return the layers for a Reshape to `target`, in which m stands for that of the examples."""
    sizes = _whole_numbers(step, target)
    if not step.node.integer("allowzero", 0):
        old = (m, *step.shape)
        sizes = [old[i] if n == 0 and i < len(old) else n for i, n in enumerate(sizes)]
    first, *after = sizes
    unknown = after.count(-1)
    if unknown > 1 or (first != m and (first != -1 or unknown)):
        raise ConversionError(f"It makes an array of shape {tuple(sizes)}, which mixes examples.")
    if unknown:
        rest = -math.prod(after)
        after[after.index(-1)] = math.prod(step.shape) // rest if rest > 0 else 0
    return reshaping(step.shape, tuple(after))


def _whole_numbers(step: Step, target: Array) -> list[int]:
    is_shape = target.dtype.kind in "iu" and target.ndim == 1 and 1 <= target.size <= 8
    if not is_shape or (target < -1).any():
        raise FileFormatError(f"{step.node.title} has the shape {shown(target.tolist())}")
    return [int(n) for n in target]


def _squeeze(step: Step) -> Result:
    step.expect_inputs(1, 2)
    axes = axes_of(step.node, 13, step.optional(1))
    if axes is None:
        raise ConversionError("It leaves out all axes of length 1, perhaps that of the examples.")
    left_out = set(map(step.axis, axes))
    if 0 in left_out or any(step.shape[axis - 1] != 1 for axis in left_out):
        raise ConversionError(f"It leaves out axes {axes}, expected axes of length 1.")
    after = [n for axis, n in enumerate(step.shape, 1) if axis not in left_out]
    return reshaping(step.shape, tuple(after))


def _unsqueeze(step: Step) -> Result:
    step.expect_inputs(1, 2)
    axes = axes_of(step.node, 13, step.optional(1)) or ()
    rank = step.rank + len(axes)
    added = {axis % rank for axis in axes}
    if 0 in added or len(added) != len(axes) or any(not -rank <= axis < rank for axis in axes):
        raise ConversionError(f"It adds axes {shown(axes)}, expected some behind the examples.")
    old = iter(step.shape)
    return reshaping(step.shape, tuple(1 if k in added else next(old) for k in range(1, rank)))


def _target(step: Step, m: int) -> Array:
    """Return the shape that nodes compute for a Reshape, if there are m examples."""
    name = step.node.inputs[1]
    nodes = leading_to(name, step.graph.sizing)
    if len(nodes) > _MOST_NODES:
        raise ConversionError(f"Its shape is computed by {len(nodes)} nodes, over {_MOST_NODES}.")
    known: ChainMap[str, Array] = ChainMap({}, dict(step.graph.constants))
    for node in nodes:
        with naming(node.title):
            if node.op == "Shape":
                known[node.outputs[0]] = _shape(node, m, step.shapes)
            else:
                known[node.outputs[0]] = folded(node, [known.get(each) for each in node.inputs])
    return known[name]


def _shape(node: Node, m: int, shapes: Mapping[str, Shape]) -> Array:
    if node.inputs[0] not in shapes:
        raise ConversionError("It takes the shape of a value within an activation.")
    shape = (m, *shapes[node.inputs[0]])
    part = slice(node.integer("start", 0), node.integer("end", len(shape)))
    return np.array(shape[part], np.int64)


SHAPES: dict[str, Reader] = {
    "Flatten": _flatten, "Reshape": _reshape, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze,
}  # fmt: skip
