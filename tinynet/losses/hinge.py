"""The loss of support vector machines."""

from __future__ import annotations

import numpy as np

from tinynet._support.arrays import Array, check_finite, entry
from tinynet._support.blocks import by_blocks
from tinynet._support.quiet import quiet
from tinynet._support.results import expect_one_shape
from tinynet.losses.base import Loss


class Hinge(Loss):
    r"""J = 1/m Σ max(0, 1 - Y A), for targets -1 and 1 (Cortes and Vapnik 1995).

    dA is -Y where Y A < 1, and 0 elsewhere. The last activation is identity or tanh. An output
    above 0 is a yes, for metrics and for ``model.predict_labels``, whose labels are 0 and 1.

    >>> Hinge().value(np.array([[0.5, 2.0, 1.0, -2.0]]), np.array([[1.0, 1.0, -1.0, -1.0]]))
    0.625
    """

    target_limits = (-1.0, 1.0)
    threshold = 0.0

    @quiet
    def each(self, A: Array, Y: Array) -> Array:
        expect_one_shape(A=A, Y=Y)
        return np.maximum(1 - Y * A, 0)

    @by_blocks
    def back(self, A: Array, Y: Array) -> Array:
        return -Y * (Y * A < 1)

    def check_targets(self, Y: Array) -> None:
        is_sign = np.abs(Y) == 1
        if np.count_nonzero(is_sign) == Y.size:
            return
        check_finite("Y", Y)
        at = tuple(np.argwhere(~is_sign)[0])
        found = f"{entry('Y', at)} is {Y[at]:g}. Hinge() expects -1 and 1."
        raise ValueError(f"{found} Pass np.where(Y > 0, 1, -1) for labels 0 and 1.")
