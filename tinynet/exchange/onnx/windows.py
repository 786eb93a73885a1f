"""Convolution and pooling as ONNX operators.

onnxruntime has Conv and AveragePool for float32 only. For float64 the windows are gathered: an axis
of n entries becomes two, the windows and the entries of each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynet.exchange.onnx.builder import GraphBuilder
from tinynet.exchange.onnx.shapes import by_unit, integers, reshaped, transposed
from tinynet.layers import AveragePool2D, MaxPool2D
from tinynet.layers.convolution import Convolution
from tinynet.layers.windows import Axis, taps
from tinynet.model.place import PlacedLayer


def convolution(layer: Convolution, graph: GraphBuilder, A_prev: str, placed: PlacedLayer) -> str:
    """Return Z of a convolution, of images or of sequences."""
    axes = layer.windows(placed.input_shape)
    W, b = graph.parameter("W"), graph.parameter("b")
    if graph.dtype == np.float32:
        dilations = [axis.dilation for axis in axes]
        settings = {"dilations": dilations, "group": layer.groups, **_settings(axes)}
        return graph.op("Conv", A_prev, W, b, **settings)
    kernel, positions = math.prod(axis.kernel for axis in axes), placed.output_shape[1:]
    groups, C = layer.groups, placed.input_shape[0] // layer.groups
    windows = _gathered(graph, A_prev, axes)  # (m, C, rows, kh, columns, kw)
    windows = transposed(graph, windows, 0, 1, *_entries(axes), *_windows(axes))
    shape = (groups, C * kernel, math.prod(positions))
    kernels = reshaped(graph, W, (layer.units // groups, C * kernel))
    Z = graph.op("MatMul", kernels, reshaped(graph, windows, shape))
    Z = reshaped(graph, Z, placed.output_shape)
    return graph.op("Add", Z, by_unit(graph, b, len(placed.output_shape)))


def max_pool(layer: MaxPool2D, graph: GraphBuilder, A_prev: str, placed: PlacedLayer) -> str:
    """Return the largest entry of each window; padding counts as minus infinity."""
    return graph.op("MaxPool", A_prev, **_settings(layer.windows(placed.input_shape)))


def average_pool(
    layer: AveragePool2D, graph: GraphBuilder, A_prev: str, placed: PlacedLayer
) -> str:
    """Return the average of each window, padding left out."""
    axes = layer.windows(placed.input_shape)
    if graph.dtype == np.float32:
        return graph.op("AveragePool", A_prev, count_include_pad=0, **_settings(axes))
    windows, entries = _gathered(graph, A_prev, axes), integers(graph, *_entries(axes))
    total = graph.op("ReduceSum", windows, entries, keepdims=0)
    rows, columns = [_counts(axis) for axis in axes]
    return graph.op("Div", total, graph.constant(np.multiply.outer(rows, columns)))


def _settings(axes: Sequence[Axis]) -> dict[str, Any]:
    """Return the attributes of an operator with windows; all padding before comes first."""
    return {
        "kernel_shape": [axis.kernel for axis in axes], "strides": [axis.stride for axis in axes],
        "pads": [axis.before for axis in axes] + [axis.after for axis in axes],
    }  # fmt: skip


def _windows(axes: Sequence[Axis]) -> range:
    """Return the axes of `_gathered` along which the windows are."""
    return range(2, 2 + 2 * len(axes), 2)


def _entries(axes: Sequence[Axis]) -> range:
    """Return the axes of `_gathered` along which the entries of a window are."""
    return range(3, 3 + 2 * len(axes), 2)


def _gathered(graph: GraphBuilder, A: str, axes: Sequence[Axis]) -> str:
    """Return all windows, (m, C, rows, kh, columns, kw) of images, with zeros around them."""
    before, after = [axis.before for axis in axes], [axis.after for axis in axes]
    if any(before + after):
        A = graph.op("Pad", A, integers(graph, 0, 0, *before, 0, 0, *after))
    for k, axis in zip(_windows(axes), axes, strict=True):
        starts = axis.stride * np.arange(axis.windows)[:, np.newaxis]
        indices = starts + axis.dilation * np.arange(axis.kernel)
        A = graph.op("Gather", A, graph.constant(indices, np.int64), axis=k)
    return A


def _counts(axis: Axis) -> Any:
    """Return how many entries of each window are not padding."""
    counts = np.zeros(axis.windows)
    for tap in taps(axis):
        counts[tap.outputs] += 1
    return counts
