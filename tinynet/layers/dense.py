"""The fully connected layer."""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np
from attrs.validators import ge, lt

from tinynet._support.arrays import Array, Cache, Shape, integer
from tinynet.activations import Activation, Identity
from tinynet.errors import ShapeError
from tinynet.initializers import Initializer, Zeros
from tinynet.layers.base import Layer, Parameter, as_activation, means


def _units(value: Any) -> int:
    return integer("units", value)


def _init(value: Any) -> Any:
    return value if isinstance(value, str) and value == "auto" else Initializer.get(value)


@attrs.frozen
class Dense(Layer):
    r"""Z = W A_prev + b, with every unit connected to every input.

    Backwards, with m examples::

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
        How W is drawn; "auto" takes what suits the activation (He for the ReLU family,
        LeCun for SELU, Glorot otherwise). b starts at zero.
    l2 : float
        Adds l2/2 · Σ W² to the cost; at least 0. The course's lambda is l2 = lambda/m.

    >>> Dense(20, "relu", l2=0.01)
    Dense(units=20, activation=ReLU(), init='auto', l2=0.01)
    """

    units: int = attrs.field(converter=_units)
    activation: Activation = attrs.field(default=Identity(), converter=as_activation)
    init: Any = attrs.field(default="auto", converter=_init)
    l2: float = attrs.field(default=0.0, converter=float, validator=[ge(0), lt(math.inf)])

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """Declare W and b."""
        if len(input_shape) != 1:
            raise ShapeError(
                f"it takes columns (n_prev, m), not arrays ({', '.join(map(str, input_shape))}, m); "
                "write X.reshape(-1, X.shape[-1]) to turn examples into columns, or put Flatten() before it"
            )
        init = Initializer.get(self.activation.init) if self.init == "auto" else self.init
        return {
            "W": Parameter((self.units, *input_shape), init),
            "b": Parameter((self.units, 1), Zeros()),
        }

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (units,)."""
        return (self.units,)

    def scratch(self, input_shape: Shape, m: int) -> dict[str, Shape]:
        """Ask for room for dZ/m and, if there is one, for the derivative of the penalty."""
        dZ_mean: dict[str, Shape] = {"dZ_mean": (self.units, m)}
        return dZ_mean | ({"l2_W": self.parameters(input_shape)["W"].shape} if self.l2 else {})

    # ``dot`` is the product of np.matmul with a third of its cost a call.

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        """Return Z (n, m) for A_prev (n_prev, m)."""
        Z = cache.W.dot(A_prev, out=cache.Z)
        return np.add(Z, cache.b, out=Z)

    def back(self, dZ: Array, cache: Cache) -> Any:
        """Fill dW and db, and return dA_prev (n_prev, m) where it is wanted, for dZ (n, m)."""
        W, dW = cache.W, cache.dW
        one_mth, mean = means(dZ.shape[-1], dZ.dtype)
        if (
            dZ.size < dW.size
        ):  # the 1/m goes onto the smaller of the two; not in place, for dZ is public
            np.multiply(dZ, one_mth, out=cache.dZ_mean).dot(cache.A_prev.T, out=dW)
        else:
            np.multiply(dZ.dot(cache.A_prev.T, out=dW), one_mth, out=dW)
        dZ.dot(mean, out=cache.db)
        if self.l2:
            dW += np.multiply(W, self.l2, out=cache.l2_W)
        return None if cache.dA_prev is None else W.T.dot(dZ, out=cache.dA_prev)

    def penalty(self, cache: Cache) -> float:
        """Return l2/2 · Σ W²."""
        return 0.5 * self.l2 * float(np.vdot(cache.W, cache.W)) if self.l2 else 0.0
