"""Layers as modules of PyTorch."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from tinynet._support.checks import written
from tinynet.errors import ConversionError
from tinynet.exchange.converters import no_counterpart
from tinynet.exchange.torch import modules
from tinynet.exchange.torch.installed import nn
from tinynet.layers import (
    GRU,
    LSTM,
    Activate,
    AveragePool2D,
    BatchNorm,
    Bidirectional,
    Branches,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePool,
    Layer,
    LayerNorm,
    MaxPool2D,
    PReLU,
    Reshape,
    Residual,
    SelfAttention,
    SimpleRNN,
)
from tinynet.layers.windows import Axis, as_pair
from tinynet.model.place import PlacedLayer


@functools.singledispatch
def torch_layer(layer: Layer, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    """Return the module of PyTorch that computes Z of a layer, without its activation.

    Register a converter for a custom layer, found by the annotation, before `to_torch`::

        class Scale(torch.nn.Module):
            def __init__(self, shape):
                super().__init__()
                self.scale = torch.nn.Parameter(torch.empty(shape))

            def forward(self, A_prev):  # (m, n)
                return A_prev * self.scale[:, 0]

        @tn.exchange.torch_layer.register
        def convert(layer: ScaleLayer, placed, chains):
            return Scale(placed.arrays["scale"].shape)

    The module need not have the numbers: `to_torch` fills it. Its parameters and buffers have the
    names and shapes that the layer declares, or those of PyTorch, if the layer's class is a
    subclass of one that PyTorch has.

    Parameters
    ----------
    layer : Layer
        The layer.
    placed : object
        The layer at its place: ``input_shape`` and ``output_shape`` without the examples, and
        ``arrays`` by name.
    chains : list of torch.nn.Sequential
        The modules of each chain of layers within the layer. The module of a layer with one chain
        is an nn.Sequential of ``*chains[0]``, and with several chains of ``*chains``.

    Returns
    -------
    torch.nn.Module
        Of the examples as the first axis, and the other axes in the order that they have here.

    Raises
    ------
    ConversionError
        For a layer without a converter, and for one that computes otherwise than its parent.
    """
    raise no_counterpart(layer, "PyTorch", torch_layer)


def _by_axes(kinds: Sequence[Any], placed: PlacedLayer) -> Any:
    """Return the class for as many axes as an example has; the first is for one axis."""
    axes = len(placed.input_shape)
    if axes > len(kinds):
        raise ConversionError(
            f"{placed.layer!r} gets {written(placed.input_shape)}, expected at most {len(kinds)} "
            "axes of an example. Put a Reshape to fewer axes before it, and one back "
            "behind it."
        )
    return kinds[axes - 1]


@torch_layer.register
def _(layer: Activate, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    return nn.Identity()


@torch_layer.register
def _(layer: Dense, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    kind = nn.Linear if len(placed.input_shape) == 1 else modules.LinearOfPositions
    return kind(placed.input_shape[0], layer.units)


# Layers with windows. PyTorch's padding is the same at both sides, and "same" for stride 1 only.


def _border(axes: Sequence[Axis]) -> tuple[int, ...] | None:
    """Return the padding at each side, if it is the same before and after."""
    is_symmetric = all(axis.before == axis.after for axis in axes)
    return tuple([axis.before for axis in axes]) if is_symmetric else None


def _convolution(layer: Any, placed: PlacedLayer, plain: Any, same: Any) -> Any:
    axes = layer.windows(placed.input_shape)
    border: Any = _border(axes)
    kind = same if border is None else plain
    if border is None:
        border = 0  # the module pads
    elif layer.padding == "same" and all(axis.stride == 1 for axis in axes):
        border = "same"
    return kind(
        placed.input_shape[0], layer.units, [axis.kernel for axis in axes],
        [axis.stride for axis in axes], border, [axis.dilation for axis in axes], layer.groups,
    )  # fmt: skip


@torch_layer.register
def _(layer: Conv1D, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    return _convolution(layer, placed, nn.Conv1d, modules.SameConv1d)


@torch_layer.register
def _(layer: Conv2D, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    return _convolution(layer, placed, nn.Conv2d, modules.SameConv2d)


def _pooling(layer: Any, placed: PlacedLayer, plain: Any, padded: Any) -> Any:
    axes = layer.windows(placed.input_shape)
    size, stride = tuple([axis.kernel for axis in axes]), tuple([axis.stride for axis in axes])
    border = _border(axes)
    if border is None or any(2 * axis.before > axis.kernel for axis in axes):
        return padded(size, stride, as_pair(layer.padding))
    return plain(size, stride, border)


@torch_layer.register
def _(layer: MaxPool2D, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    return _pooling(layer, placed, nn.MaxPool2d, modules.PaddedMaxPool2d)


@torch_layer.register
def _(layer: AveragePool2D, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    plain = functools.partial(nn.AvgPool2d, count_include_pad=False)
    return _pooling(layer, placed, plain, modules.PaddedAvgPool2d)


@torch_layer.register
def _(layer: GlobalAveragePool, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    return modules.GlobalAveragePool()


# Normalization, dropout and shapes.


@torch_layer.register
def _(layer: BatchNorm, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    kinds = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    momentum = round(1 - layer.momentum, 15)  # the share of the batch: 0.1, not 0.0999...98
    return _by_axes(kinds, placed)(placed.input_shape[0], layer.epsilon, momentum)


@torch_layer.register
def _(layer: LayerNorm, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    shape = placed.input_shape
    if layer.over == "example" or len(shape) == 1:
        return nn.LayerNorm(shape, layer.epsilon)
    return modules.LayerNormOfPositions(shape[0], layer.epsilon)


@torch_layer.register
def _(layer: Dropout, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    if layer.per == "unit":
        return nn.Dropout(layer.rate)
    return _by_axes((nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d), placed)(layer.rate)


@torch_layer.register
def _(layer: Reshape, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    is_column = len(placed.input_shape) == 1
    return nn.Unflatten(1, layer.shape) if is_column else modules.Reshape(layer.shape)


@torch_layer.register
def _(layer: Flatten, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    return nn.Flatten()


@torch_layer.register
def _(layer: PReLU, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    return nn.PReLU(placed.input_shape[0])


# Sequences.


@torch_layer.register
def _(layer: Embedding, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    return modules.EmbeddingOfPositions(layer.tokens, layer.units)


@torch_layer.register
def _(layer: SimpleRNN, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    return modules.SimpleRNN(placed.input_shape[0], layer.units, layer.sequences)


@torch_layer.register
def _(layer: LSTM, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    return modules.LSTM(placed.input_shape[0], layer.units, layer.sequences)


@torch_layer.register
def _(layer: GRU, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    return modules.GRU(placed.input_shape[0], layer.units, layer.sequences)


@torch_layer.register
def _(layer: SelfAttention, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    return modules.SelfAttention(placed.input_shape[0], layer.heads, layer.causal)


# Layers made of layers.


@torch_layer.register
def _(layer: Residual, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    return modules.Residual(*chains[0])


@torch_layer.register
def _(layer: Branches, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    if len(chains) == 1:
        return modules.OneBranch(*chains[0])
    return modules.Branches(*chains, join=layer.join)


@torch_layer.register
def _(layer: Bidirectional, placed: PlacedLayer, chains: Sequence[Any]) -> Any:
    return modules.Bidirectional(*chains)
