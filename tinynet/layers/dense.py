"""The fully connected layer."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet._support.fields import integer, nonnegative
from tinynet.activations import Activation, Identity
from tinynet.errors import ShapeError
from tinynet.initializers import Initializer, Zeros
from tinynet.layers.base import Layer, Parameter, as_activation


def _init(value: Any) -> Any:
    return value if isinstance(value, str) and value == "auto" else Initializer.get(value)


@attrs.frozen(slots=False)
class Dense(Layer):
    r"""Z = W A_prev + b, with every unit connected to every input.

    In reverse, with m examples::

        dW      = dZ A_prevᵀ / m  (+ l2 · W)
        db      = sum of dZ over the examples / m
        dA_prev = Wᵀ dZ

    Parameters
    ----------
    units : int
        Number of outputs n, at least 1. W is (n, n_prev), b is (n, 1).
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
    init: Any = attrs.field(default="auto", converter=_init)
    l2: float = nonnegative(0.0)

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        if len(input_shape) != 1:
            raise ShapeError(
                f"The input has shape ({', '.join(map(str, input_shape))}, m), expected columns "
                "(n_prev, m). Pass X.reshape(-1, X.shape[-1]) to turn examples into columns, or "
                "put Flatten() before this layer."
            )
        init = Initializer.get(self.activation.init) if self.init == "auto" else self.init
        W = Parameter((self.units, *input_shape), init, decays=True)
        return {"W": W, "b": Parameter((self.units, 1), Zeros())}

    def output_shape(self, input_shape: Shape) -> Shape:
        return (self.units,)

    def scratch(self, input_shape: Shape, m: int) -> dict[str, Shape]:
        arrays: dict[str, Shape] = {"like_Z": (self.units, m)}
        return arrays | ({"l2_W": self.parameters(input_shape)["W"].shape} if self.l2 else {})

    # ``dot`` is the product of np.matmul with a third of its cost a call. The last argument of a
    # call is where the result goes: without "out=" a small layer is 4 % faster.

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        Z, b = cache.dot(cache.W, A_prev, cache.Z), cache.like_Z
        np.copyto(b, cache.b)  # np.add takes longer with a column than to copy it and add that
        return np.add(Z, b, Z)

    def back(self, dZ: Array, cache: Cache) -> Any:
        dot, dW, db = cache.dot, cache.dW, cache.db
        one_mth, mean = cache.means
        if dZ.size < dW.size:  # 1/m goes to the smaller array; not in place, because dZ is public
            dot(np.multiply(dZ, one_mth, cache.like_Z), cache.A_prev.T, dW)
        else:
            np.multiply(dot(dZ, cache.A_prev.T, dW), one_mth, dW)
        dZ.dot(mean, db)
        if self.l2:
            dW += np.multiply(cache.W, self.l2, cache.l2_W)
        return None if cache.dA_prev is None else dot(cache.W.T, dZ, cache.dA_prev)

    @property
    def is_penalized(self) -> bool:
        return self.l2 > 0

    def penalty(self, cache: Cache) -> float:
        """Return l2/2 · Σ W²."""
        return 0.5 * self.l2 * float(np.vdot(cache.W, cache.W))
