"""Residual blocks."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet._support.checks import written
from tinynet.errors import ShapeError
from tinynet.layers.composite import Composite, completion


@attrs.frozen(slots=False)
class Residual(Composite):
    """Z = A_prev + what the layers make of A_prev.

    In reverse the gradient goes through the layers, and past them::

        dA_prev = dZ + dA_prev of the layers

    So deep networks train: a gradient reaches the first layers undiminished. The layers must keep
    the shape; otherwise the model raises `ShapeError` when it is built. Where the shape has to
    change, the shortcut needs a layer too:
    ``Branches([[Dense(8, "relu"), Dense(5)], [Dense(5)]], join="add")``.

    Parameters
    ----------
    layers : sequence of Layer, str or config
        The layers of the block, at least one. ``model.W[l, 3]`` is W of the third.
    activation : str, Activation or config
        What the model applies to Z, the sum; by keyword. "relu" is the block of the first paper.
        With the identity and ``[BatchNorm(activation="relu"), Dense(n), ...]`` within, it is the
        pre-activation block of the second.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition", CVPR 2016,
    https://arxiv.org/abs/1512.03385; "Identity mappings in deep residual networks", ECCV 2016,
    https://arxiv.org/abs/1603.05027.

    >>> from tinynet import BatchNorm, Dense, Sequential
    >>> block = Residual([Dense(8, "relu"), Dense(4), BatchNorm()], activation="relu")
    >>> model = Sequential([Dense(4), block, Dense(1)], inputs=2)
    >>> list(model.W)
    [1, (2, 1), (2, 2), 3]
    """

    def output_shape(self, input_shape: Shape) -> Shape:
        (shape,) = self.chain_output_shapes(input_shape)
        if shape != input_shape:
            shapes = f"A_prev is {written(input_shape)} and the layers return {written(shape)}"
            remedy = completion(self.layers, "the layers", shape, input_shape)
            raise ShapeError(
                f"{shapes}, expected one shape, because a block adds them. {remedy} Or put a layer "
                'on the shortcut, too: Branches([[...], [...]], join="add").'
            )
        return input_shape

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        return np.add(A_prev, cache.chains[0].forward(A_prev), out=cache.Z)

    def back(self, dZ: Array, cache: Cache) -> Any:
        is_needed = cache.dA_prev is not None
        dA_prev = cache.chains[0].back(dZ, input_gradient=is_needed)
        return np.add(dZ, dA_prev, out=cache.dA_prev) if is_needed else None
