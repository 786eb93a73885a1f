"""How far one distribution is from another."""

from __future__ import annotations

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.quiet import quiet
from tinynet.activations import Softmax
from tinynet.losses.base import Loss, above_0
from tinynet.losses.cross_entropy import CategoricalCrossentropy, check_shares

_CROSS_ENTROPY = CategoricalCrossentropy()


class KLDivergence(Loss):
    r"""J = 1/m Σ Y log(Y / A) over classes (Kullback and Leibler 1951); the partner is softmax.

    Each column of Y is a distribution, and a Y of 0 adds 0; or Y is integer labels. dA = -Y/A, as
    that of `CategoricalCrossentropy`, from which J differs by the entropy of Y.

    >>> A, Y = np.array([[0.5, 0.25], [0.5, 0.75]]), np.array([[1.0, 0.25], [0.0, 0.75]])
    >>> round(KLDivergence().value(A, Y), 12)
    0.34657359028
    """

    partner = Softmax()
    multilabel = False
    domain = (0.0, 1.0)
    unsuitable = CategoricalCrossentropy.unsuitable  # for the same reason

    @quiet
    def each(self, A: Array, Y: Array) -> Array:
        ratio = Y / above_0(A, Y)
        return Y * np.log(np.where(Y > 0, ratio, 1))

    @quiet
    def each_from_Z(self, Z: Array, Y: Array) -> Array:
        return _CROSS_ENTROPY.each_from_Z(Z, Y) + Y * np.log(np.where(Y > 0, Y, 1))

    @quiet
    def back(self, A: Array, Y: Array, out: Array | None = None) -> Array:
        return _CROSS_ENTROPY.back(A, Y, out=out)

    def targets(self, Y: Array, shape: Shape) -> Array:
        return _CROSS_ENTROPY.targets(Y, shape)

    def check_targets(self, Y: Array) -> None:
        check_shares(Y)
