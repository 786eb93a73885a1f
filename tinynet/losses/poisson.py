"""The loss for counts."""

from __future__ import annotations

import math
import sys

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.blocks import by_blocks
from tinynet._support.quiet import quiet
from tinynet.activations import ReLU
from tinynet.losses.base import Loss, above_0


class Poisson(Loss):
    r"""J = 1/m Σ (A - Y log A), the Poisson negative log-likelihood without log(Y!); for A > 0.

    dA = 1 - Y/A. An A of exactly 0 counts as a little above. J is that of Poisson regression
    (Nelder and Wedderburn 1972).

    >>> A, Y = np.array([[1.0, 2.0]]), np.array([[3.0, 0.0]])
    >>> Poisson().each(A, Y), Poisson().back(A, Y)
    (array([[1., 2.]]), array([[-2.,  1.]]))
    """

    multilabel = False
    domain = (0.0, math.inf)
    unsuitable = {
        ReLU: "takes log A, and relu is often exactly 0, without a slope: there nothing can be "
        'learned, and near 0 the gradients are too large. Use "softplus" there.'
    }
    target_limits = (0.0, sys.float_info.max)

    @quiet
    def each(self, A: Array, Y: Array) -> Array:
        return A - Y * np.log(above_0(A, Y))

    @by_blocks
    def back(self, A: Array, Y: Array) -> Array:
        return 1 - Y / above_0(A, Y)

    def _remedy(self, Y: Array) -> str:
        return ' Counts are not negative: use loss="mean_squared_error" for other numbers.'
