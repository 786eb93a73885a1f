"""Convolutions and poolings of an ONNX graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynet._support.arrays import Shape
from tinynet.errors import ConversionError, FileFormatError
from tinynet.exchange.assemble import Part
from tinynet.exchange.onnx.reading.folding import axes_of
from tinynet.exchange.onnx.reading.layers import column
from tinynet.exchange.onnx.reading.step import Reader, Step
from tinynet.layers import AveragePool2D, Conv1D, Conv2D, GlobalAveragePool, MaxPool2D, Reshape
from tinynet.layers.windows import Axis, padded_axis

_MOST_ENTRIES = 1 << 16  # of a window of a pooling; a file holds no numbers for it


def _conv(step: Step) -> Sequence[Part]:
    step.expect_inputs(2, 3)
    node, W = step.node, step.floats(1)
    kernel: Shape = W.shape[2:]
    if len(kernel) not in (1, 2):
        raise ConversionError(f"Its weights have shape {W.shape}, expected those of 1-D or 2-D.")
    if node.integers("kernel_shape", kernel) != kernel:
        raise FileFormatError(f"{node.title} has weights of shape {W.shape} and another kernel")
    dilation = _per_axis(step, "dilations", len(kernel))
    settings = _settings(step, kernel, dilation)
    kind: Any = Conv2D if len(kernel) == 2 else Conv1D
    layer = kind(
        len(W), _one_or_pair(kernel), groups=node.integer("group", 1),
        dilation=_one_or_pair(dilation), **settings,
    )  # fmt: skip
    has_bias = step.optional(2) is not None
    b = column(step.floats(2), len(W)) if has_bias else np.zeros((len(W), 1), W.dtype)
    return [Part(layer, {"W": W, "b": b})]


def _per_axis(step: Step, name: str, n: int) -> tuple[int, ...]:
    """Return an attribute with a number for each axis of a window."""
    values = step.node.integers(name, (1,) * n)
    if len(values) != n or len(step.shape) != n + 1:
        found = f"{name} {values} for an input of {step.rank} axes"
        raise FileFormatError(f"{step.node.title} has {found}, expected {n + 2} axes")
    return values


def _one_or_pair(values: tuple[int, ...]) -> Any:
    return values if len(values) > 1 else values[0]


def _settings(step: Step, kernel: Shape, dilation: Shape) -> dict[str, Any]:
    """Return stride and padding, if they give the zeros of the node at each side."""
    stride = _per_axis(step, "strides", len(kernel))
    if min(*kernel, *dilation, *stride) < 1:
        raise FileFormatError(f"{step.node.title} has a kernel, stride or dilation below 1")
    axes = tuple(zip(step.shape[1:], kernel, stride, dilation, strict=True))
    zeros = _zeros(step, axes)
    numbers = tuple(before for before, _ in zeros)
    padding: Any = "valid" if not any(map(any, zeros)) else _one_or_pair(numbers)
    if any(before != after for before, after in zeros):
        same = [padded_axis(*axis, padding="same") for axis in axes]
        if [(each.before, each.after) for each in same] != zeros:
            found = f"It has {zeros} zeros before and after"
            remedy = "Export it with as many before as after, or as many as auto_pad=SAME_UPPER has"
            raise ConversionError(f"{found}, expected as many at each side. {remedy}.")
        padding = "same"
    return {"stride": _one_or_pair(stride), "padding": padding}


def _zeros(step: Step, axes: Sequence[tuple[int, int, int, int]]) -> list[tuple[int, int]]:
    """Return the zeros before and after along each axis."""
    node, n = step.node, len(axes)
    way = node.text("auto_pad", "NOTSET")
    pads = node.integers("pads", (0,) * (2 * n))
    if way == "NOTSET":
        if len(pads) != 2 * n or min(pads) < 0:
            raise FileFormatError(f"{node.title} has pads {pads}, expected {2 * n} numbers")
        return list(zip(pads[:n], pads[n:], strict=True))
    if way == "VALID":
        return [(0, 0)] * n
    same: list[Axis] = [padded_axis(*axis, padding="same") for axis in axes]
    if way == "SAME_LOWER":
        return [(axis.after, axis.before) for axis in same]
    node.expect("auto_pad", "SAME_UPPER")
    return [(axis.before, axis.after) for axis in same]


def _pool(step: Step) -> dict[str, Any]:
    """Return the settings of a pooling."""
    step.expect_inputs(1, 1)
    kernel = step.node.integers("kernel_shape")
    if len(kernel) != 2:
        found = f"It has a window of {len(kernel)} axes"
        remedy = "Export it over images with one row: (C, 1, T)"
        raise ConversionError(f"{found}, expected 2: only images are pooled. {remedy}.")
    if math.prod(kernel) > _MOST_ENTRIES:
        raise ConversionError(f"It has a window of {kernel}, over {_MOST_ENTRIES} entries.")
    if any(d != 1 for d in _per_axis(step, "dilations", 2)):
        found = "It has dilations, expected a window without gaps"
        raise ConversionError(f"{found}. Export it with dilation=1.")
    settings = _settings(step, kernel, (1, 1))
    _expect_floor(step, kernel)
    return {"size": kernel, **settings}


def _expect_floor(step: Step, kernel: Shape) -> None:
    """Refuse windows that begin in the image and end behind its zeros."""
    if not step.node.integer("ceil_mode", 0):
        return
    stride, (H, W) = _per_axis(step, "strides", 2), step.shape[1:]
    axes = tuple(zip((H, W), kernel, stride, (1, 1), strict=True))
    for (n, size, apart, _), (before, after) in zip(axes, _zeros(step, axes), strict=True):
        if (n + before + after - size) % apart:
            found = "It has ceil_mode=1, expected 0: windows within the image"
            raise ConversionError(f"{found}. Export it with ceil_mode=False.")


def _max_pool(step: Step) -> Sequence[Part]:
    step.node.integer("storage_order", 0)  # of the second output, which is not used
    return [Part(MaxPool2D(**_pool(step)))]


def _average_pool(step: Step) -> Sequence[Part]:
    layer = AveragePool2D(**_pool(step))
    counts_zeros = step.node.integer("count_include_pad", 0)
    if counts_zeros and any(axis.is_padded for axis in layer.windows(step.shape)):
        remedy = "Use count_include_pad=False in PyTorch"
        raise ConversionError(f"It averages zeros of the padding, too. {remedy}.")
    return [Part(layer)]


def _kept(step: Step) -> list[Part]:
    """Return the layer that gives what has one number a channel its axes of length 1 again."""
    return [Part(Reshape((step.shape[0], *(1,) * (len(step.shape) - 1))))]


def _global_average(step: Step) -> Sequence[Part]:
    step.expect_inputs(1, 1)
    return [Part(GlobalAveragePool()), *_kept(step)]


def _global_max(step: Step) -> Sequence[Part]:
    step.expect_inputs(1, 1)
    if len(step.shape) != 3 or math.prod(step.shape[1:]) > _MOST_ENTRIES:
        raise ConversionError(f"It has examples of shape {step.shape}, expected images (C, H, W).")
    return [Part(MaxPool2D(step.shape[1:]))]


def mean_axes(step: Step) -> list[int]:
    """Return the axes that a ReduceMean is over, in order."""
    step.expect_inputs(1, 2)
    step.node.expect("noop_with_empty_axes", 0)
    return sorted(map(step.axis, axes_of(step.node, 18, step.optional(1)) or ()))


def _reduce_mean(step: Step) -> Sequence[Part]:
    axes, positions = mean_axes(step), list(range(2, step.rank))
    keeps = step.node.integer("keepdims", 1)
    if axes != positions or not positions:
        found = f"It is the mean over axes {axes}"
        raise ConversionError(f"{found}, expected all positions of images or sequences.")
    return [Part(GlobalAveragePool()), *(_kept(step) if keeps else [])]


WINDOWS: dict[str, Reader] = {
    "Conv": _conv, "MaxPool": _max_pool, "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average, "GlobalMaxPool": _global_max,
    "ReduceMean": _reduce_mean,
}  # fmt: skip
