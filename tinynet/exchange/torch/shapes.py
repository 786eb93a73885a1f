"""What examples a module of PyTorch takes, where a layer here would take others too."""

from __future__ import annotations

import functools
from typing import Any

from tinynet._support.arrays import Shape
from tinynet.errors import ConversionError
from tinynet.exchange.torch import modules
from tinynet.exchange.torch.installed import nn


@functools.singledispatch
def expect_examples(module: Any, shape: Shape) -> None:
    """Refuse examples of a shape with which a module does something else than its layer."""


def _as_rows(shape: Shape) -> str:
    return f"({', '.join(map(str, ('m', *shape)))})"


@expect_examples.register
def _(module: nn.Linear, shape: Shape) -> None:
    if len(shape) > 1:
        use = f"nn.Conv1d({module.in_features}, {module.out_features}, 1)"
        raise ConversionError(
            f"It works along the last axis of {_as_rows(shape)}, expected (m, n): a Dense works "
            f"along the axis behind m. Put nn.Flatten() before it; or use {use}, for (m, n, T)."
        )


@expect_examples.register
def _(module: modules.OfPositions, shape: Shape) -> None:
    """Take examples of any shape."""


@expect_examples.register
def _(module: nn.LayerNorm, shape: Shape) -> None:
    if tuple(module.normalized_shape) != shape:
        raise ConversionError(
            f"It normalizes over {tuple(module.normalized_shape)} of {_as_rows(shape)}, expected "
            f"all axes of an example. Use nn.LayerNorm({shape}), or build the model here with "
            "LayerNorm(), which normalizes over the axis behind m."
        )


@expect_examples.register
def _(module: nn.Softmax, shape: Shape) -> None:
    if module.dim not in (1, -len(shape)):
        raise ConversionError(
            f"dim is {module.dim} of {_as_rows(shape)}, expected 1, the axis of the units. Use "
            "nn.Softmax(dim=1)."
        )


@expect_examples.register
def _(module: nn.Unflatten, shape: Shape) -> None:
    if module.dim not in (1, -1) or len(shape) > 1:
        raise ConversionError(
            f"It divides axis {module.dim} of {_as_rows(shape)}, expected axis 1 of (m, n). Put "
            "nn.Flatten() before it, and use nn.Unflatten(1, shape) with the whole shape."
        )


_WITH_AXES = {  # how many axes of an example a module is for
    nn.BatchNorm1d: (1, 2), nn.BatchNorm2d: (3,), nn.BatchNorm3d: (4,),
    nn.Dropout1d: (2,), nn.Dropout2d: (3,), nn.Dropout3d: (4,), nn.Softmax2d: (3,),
    nn.AdaptiveAvgPool1d: (2,), nn.AdaptiveAvgPool2d: (3,), nn.AdaptiveAvgPool3d: (4,),
}  # fmt: skip


def _expect_axes(axes: tuple[int, ...], module: Any, shape: Shape) -> None:
    if len(shape) not in axes:
        expected = " or ".join([f"{n + 1}" for n in axes])
        raise ConversionError(
            f"It gets {_as_rows(shape)}, expected {expected} axes. Use the module for as many "
            "axes, or pass other inputs=."
        )


for _kind, _axes in _WITH_AXES.items():
    expect_examples.register(_kind, functools.partial(_expect_axes, _axes))
