"""The fully connected layer."""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet._support.fields import integer, nonnegative
from tinynet.activations import Activation, Identity
from tinynet.layers.base import (
    BoundLayer,
    Parameter,
    Pass,
    Weighted,
    as_activation,
    as_init,
    columns,
    mean_column,
)


@attrs.frozen(slots=False)
class Dense(BoundLayer, Weighted):
    r"""Z = W A_prev + b, with every unit connected to every input.

    Of examples of higher shape, such as sequences (n, T, m), each position is taken by itself,
    along the first axis, with the same W and b. In reverse, with m examples::

        dW      = dZ A_prevᵀ / m  (+ l2 · W)
        db      = sum of dZ over the examples / m
        dA_prev = Wᵀ dZ

    Parameters
    ----------
    units : int
        Number of outputs n, at least 1. W is (n, n_prev), b is (n, 1), and Z is (n, m) or, of
        sequences, (n, T, m).
    activation : str, Activation or config
        What the model applies to Z.
    init : str, Initializer or config
        How W is drawn. "auto" is the ``init`` of the activation: he_average for relu and
        leaky_relu, he_normal for elu, gelu, mish and silu, lecun_normal for selu, glorot_uniform
        otherwise. b starts at zero.
    l2 : float
        Adds l2/2 · Σ W² to the cost; at least 0. The course's lambda is l2 = lambda/m.

    >>> Dense(20, "relu", l2=0.01)
    Dense(units=20, activation=ReLU(), init='auto', l2=0.01)
    """

    units: int = integer()
    activation: Activation = attrs.field(default=Identity(), converter=as_activation)
    init: Any = attrs.field(default="auto", converter=as_init)
    l2: float = nonnegative(0.0)

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        return self.weights((self.units, input_shape[0]))

    def output_shape(self, input_shape: Shape) -> Shape:
        return (self.units, *input_shape[1:])

    def scratch(self, input_shape: Shape, m: int) -> dict[str, Shape]:
        arrays: dict[str, Shape] = {"like_Z": (self.units, math.prod(input_shape[1:]) * m)}
        return arrays | ({"l2_W": self.parameters(input_shape)["W"].shape} if self.l2 else {})

    def input_probe(self, cache: Cache) -> Array:
        return cache.Z[0]  # one unit sees every number of A_prev

    # Positions count as examples: of higher shape, arrays are taken as columns (n, positions · m).
    # ``dot`` is the product of np.matmul with a third of its cost a call. The last argument of a
    # call is where the result goes: without "out=" a small layer is 4 % faster.

    def bind_forward(self, cache: Cache) -> Pass:
        W, b, like_Z, dot = cache.W, cache.b, cache.like_Z, cache.dot
        add, copyto = np.add, np.copyto
        to_Z = None if cache.Z is None else columns(cache.Z)
        is_one_column = like_Z.shape == b.shape

        def forward(A_prev: Array, _: Cache) -> Array:
            if is_one_column:  # not in place: for a single number that takes three times as long
                return add(dot(W, A_prev, like_Z), b, to_Z)
            copyto(like_Z, b)  # to add a column takes longer than to copy it and add the copies
            Z = dot(W, A_prev, to_Z)
            return add(Z, like_Z, Z)

        def forward_of_positions(A_prev: Array, _: Cache) -> Array:
            Z = forward(columns(A_prev), _)
            return Z.reshape(-1, *A_prev.shape[1:]) if cache.Z is None else cache.Z

        return forward if to_Z is cache.Z is not None else forward_of_positions

    def bind_back(self, cache: Cache) -> Pass:
        W, dW, db, l2, dot, multiply = cache.W, cache.dW, cache.db, self.l2, cache.dot, np.multiply
        W_T, (one_mth, mean) = W.T, cache.means
        has_positions = cache.Z is not None and cache.Z.ndim > 2
        positions = math.prod(cache.Z.shape[1:-1]) if has_positions else 1
        scales_dZ = positions * len(mean) < W.shape[1]  # 1/m goes to the smaller of dZ and dW

        def back(dZ: Array, _: Cache) -> Any:
            A_prev, dA_prev = cache.A_prev, cache.dA_prev
            if has_positions:
                dZ, A_prev = columns(dZ), columns(A_prev)
            if scales_dZ:  # not in place, because dZ is public
                dot(multiply(dZ, one_mth, cache.like_Z), A_prev.T, dW)
            else:
                multiply(dot(dZ, A_prev.T, dW), one_mth, dW)
            dot(dZ, mean_column(cache, positions) if has_positions else mean, db)
            if l2:
                np.add(dW, multiply(W, l2, cache.l2_W), dW)
            if dA_prev is not None:
                dot(W_T, dZ, columns(dA_prev) if has_positions else dA_prev)
            return dA_prev

        return back
