"""What ONNX's operators make of arrays that are known: constants, and shapes of other arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet.errors import ConversionError, FileFormatError
from tinynet.exchange.onnx.reading.node import Node
from tinynet.exchange.onnx.reading.tensors import FLOATS, TensorProto

# An array that is not a view is a shape, or a part of one. A file cannot ask for a larger one.
_MOST_NUMBERS = 64
_INTEGERS = {TensorProto.INT32: np.int32, TensorProto.INT64: np.int64}


def folded(node: Node, arrays: Sequence[Array | None]) -> Array:
    """Return what a node computes from arrays; the operators are those that exporters use."""
    if node.op not in _FOLDED or len(node.outputs) != 1:
        raise ConversionError("It computes a constant by an operator that is not read.")
    if not arrays or arrays[0] is None:
        raise FileFormatError(f"{node.title} has no input")
    return np.asarray(_FOLDED[node.op](node, *arrays))


def axes_of(node: Node, since: int, given: Any = None) -> tuple[int, ...] | None:
    """Return the axes that an operator is about, an input since some opset, or None for all."""
    if node.opset < since:
        return node.integers("axes") if node.has("axes") else None
    return None if given is None else tuple(given.reshape(-1).tolist())


def _few(array: Array) -> Array:
    if array.size > _MOST_NUMBERS:
        found = f"an array of shape {array.shape}"
        raise ConversionError(
            f"It computes with {found}, expected {_MOST_NUMBERS} numbers or less."
        )
    return array


def _squeeze(node: Node, array: Array, axes: Any = None) -> Array:
    return np.squeeze(array, axes_of(node, 13, axes))


def _unsqueeze(node: Node, array: Array, axes: Any = None) -> Array:
    return np.expand_dims(array, axes_of(node, 13, axes) or ())


def _transpose(node: Node, array: Array) -> Array:
    return array.transpose(node.integers("perm", tuple(range(array.ndim))[::-1]))


def _reshape(node: Node, array: Array, shape: Array) -> Array:
    sizes: list[int] = _few(shape).tolist()
    if not node.integer("allowzero", 0):
        sizes = [array.shape[i] if n == 0 else n for i, n in enumerate(sizes)]
    return array.reshape(sizes)


def _gather(node: Node, array: Array, where: Array) -> Array:
    return _few(array).take(_few(where), axis=node.integer("axis", 0))


def _slice(node: Node, array: Array, start: Array, stop: Array, *rest: Array | None) -> Array:
    axes, steps = (*rest, None, None)[:2]
    if _few(array).ndim != 1 or (axes is not None and axes.any()):
        raise ConversionError("It takes a part of more than a list of numbers.")
    step = 1 if steps is None else int(steps.item())
    return array[int(start.item()) : int(stop.item()) : step]


def _concat(node: Node, *arrays: Array) -> Array:
    return np.concatenate([_few(array) for array in arrays], axis=node.integer("axis"))


def _cast(node: Node, array: Array) -> Array:
    to = node.integer("to")
    node.integer("saturate", 1)  # it is about numbers of 8 bits
    if to in FLOATS and array.dtype == FLOATS[to]:
        return array
    if array.dtype.kind in "iu" and to in _INTEGERS:
        return _few(array).astype(_INTEGERS[to])
    raise ConversionError("It casts a constant to another dtype. Export it in that dtype.")


def _with(function: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    """Return what computes with shapes."""

    def compute(_: Node, a: Array, b: Array) -> Array:
        if _few(a).dtype.kind not in "iu" or _few(b).dtype.kind not in "iu":
            raise ConversionError("It computes a constant that is not a shape.")
        with np.errstate(over="ignore", divide="ignore"):
            return function(a, b)

    return compute


_FOLDED: dict[str, Callable[..., Array]] = {
    "Identity": lambda _, array: array,
    "Squeeze": _squeeze, "Unsqueeze": _unsqueeze, "Transpose": _transpose, "Reshape": _reshape,
    "Gather": _gather, "Slice": _slice, "Concat": _concat, "Cast": _cast,
    "Add": _with(np.add), "Sub": _with(np.subtract), "Mul": _with(np.multiply),
    "Mod": _with(np.mod),
}  # fmt: skip
