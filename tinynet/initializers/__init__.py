r"""Initializers: the first values of a parameter (n_out, n_in), drawn from a generator.

For the W of a convolution, (units, C / groups, kh, kw), n_in is C / groups · kh · kw and n_out is
units · kh · kw, as in PyTorch.

With a `numpy.random.RandomState`, ``lecun_normal``, ``he_normal`` and ``normal`` give the values
of the deep-learning course.
"""

from typing import TYPE_CHECKING

from tinynet._support.later import later
from tinynet.initializers.base import Initializer
from tinynet.initializers.constants import Constant, Zeros
from tinynet.initializers.scaled import (
    GlorotNormal,
    GlorotUniform,
    HeAverage,
    HeNormal,
    HeUniform,
    LecunNormal,
)

if TYPE_CHECKING:
    from tinynet.initializers.fixed import Normal, TruncatedNormal, Uniform
    from tinynet.initializers.orthogonal import Orthogonal

__all__ = [
    "Constant", "GlorotNormal", "GlorotUniform", "HeAverage", "HeNormal", "HeUniform",
    "Initializer", "LecunNormal", "Normal", "Orthogonal", "TruncatedNormal", "Uniform", "Zeros",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = later(
        __name__, __all__, fixed=("Normal", "TruncatedNormal", "Uniform"),
        orthogonal=("Orthogonal",),
    )  # fmt: skip
