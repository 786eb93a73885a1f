"""Axes that a graph has in another order than the model, from a Transpose on.

Keras's convolutional networks have the channels last between two operators. The model keeps the
axes as they were. What may stand before the next Transpose is an activation, a bias, a
normalization of the units if they are last, or the end of the images: their mean, or a flattening,
and the W behind it gets its columns in another order.
"""

from __future__ import annotations

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet.errors import ConversionError, FileFormatError
from tinynet.exchange.assemble import Part
from tinynet.exchange.onnx.reading.layers import WITH_WEIGHTS
from tinynet.exchange.onnx.reading.shapes import SHAPES, reshaping
from tinynet.exchange.onnx.reading.step import Result, Step
from tinynet.exchange.onnx.reading.windows import mean_axes
from tinynet.layers import Flatten, GlobalAveragePool

CHANNELS_FIRST = 'Export it with channels first, in Keras with data_format="channels_first"'


@attrs.frozen
class Layout:
    """The graph has np.transpose(A, order) of A (m, *shape) in the model, perhaps flattened."""

    shape: Shape
    order: tuple[int, ...]
    is_flat: bool = False

    @property
    def has_units_last(self) -> bool:
        return self.order[-1] == 1 and not self.is_flat

    @property
    def graph_shape(self) -> Shape:
        return tuple([self.shape[axis - 1] for axis in self.order[1:]])


def transposed(step: Step, layout: Layout | None, shape: Shape) -> tuple[Layout | None, Result]:
    """Return the layout behind a Transpose, and a Reshape if only axes of length 1 move.

    `shape` is that of an example in the model.
    """
    step.expect_inputs(1, 1)
    perm = step.node.integers("perm", tuple(range(step.rank))[::-1])
    if sorted(perm) != list(range(step.rank)):
        raise FileFormatError(f"{step.node.title} has perm={perm} for {step.rank} axes")
    if perm[0] != 0 or (layout and layout.is_flat):
        raise ConversionError(f"It moves the axis of the examples: perm is {perm}.")
    if layout is None:
        long = [axis for axis in perm[1:] if step.shape[axis - 1] > 1]
        if long == sorted(long):
            return None, reshaping(shape, tuple([step.shape[axis - 1] for axis in perm[1:]]))
    before = layout.order if layout else tuple(range(step.rank))
    order = tuple([before[axis] for axis in perm])
    return (None if order == tuple(range(step.rank)) else Layout(shape, order)), []


def read_in(layout: Layout, step: Step) -> tuple[Layout | None, Result]:
    """Return the layout behind a node, and the layers that the node is."""
    node = step.node
    if layout.is_flat and node.op in ("Gemm", "MatMul"):
        parts = [each for each in WITH_WEIGHTS[node.op](step) if isinstance(each, Part)]
        return None, [_with_columns_of(layout, part) for part in parts]
    if not layout.is_flat and node.op in ("Flatten", "Reshape"):
        if list(SHAPES[node.op](step)) == [Part(Flatten())]:
            return attrs.evolve(layout, is_flat=True), [Part(Flatten())]
    elif layout.has_units_last and node.op == "LayerNormalization":
        of_units = attrs.evolve(step, shape=step.shape[-1:])
        return layout, WITH_WEIGHTS[node.op](of_units)
    elif layout.has_units_last and node.op == "ReduceMean":
        if mean_axes(step) == list(range(1, step.rank - 1)) and not node.integer("keepdims", 1):
            return None, [Part(GlobalAveragePool())]
    elif node.op in ("Identity", "Dropout"):
        return layout, WITH_WEIGHTS[node.op](step)
    found = f"Its input has been transposed, to the axes {layout.order}"
    raise ConversionError(f"{found}, and no layer here takes that. {CHANNELS_FIRST}.")


def _with_columns_of(layout: Layout, part: Part) -> Part:
    """Return a Dense with the columns of W in the order of the model."""
    W: Array = part.arrays["W"]
    positions = np.arange(W.shape[1]).reshape(layout.shape)
    moved = positions.transpose([axis - 1 for axis in layout.order[1:]]).reshape(-1)
    return attrs.evolve(part, arrays={**part.arrays, "W": W[:, np.argsort(moved)]})
