r"""Initializers: the first values of a parameter (n_out, n_in), drawn from a generator.

For the W of a convolution, (units, C / groups, kh, kw), n_in is C / groups · kh · kw and n_out is
units · kh · kw, as in PyTorch.

With a `numpy.random.RandomState`, ``lecun_normal``, ``he_normal`` and ``normal`` give the values
of the deep-learning course.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.fields import finite, nonnegative
from tinynet._support.quiet import quiet
from tinynet._support.random import Random
from tinynet._support.registry import Registered


class Initializer(Registered, ABC):
    """Base of all initializers; to subclass it is to register.

    >>> Initializer.get("normal", scale=0.01).draw((2, 2), np.random.RandomState(1)).round(5)
    array([[ 0.01624, -0.00612],
           [-0.00528, -0.01073]])
    """

    family = "initializer"

    @abstractmethod
    def draw(self, shape: Shape, rng: Random) -> Array:
        """Return a float64 array of `shape`, drawn from `rng` alone."""


def _fans(shape: Shape) -> tuple[int, int]:
    """Return n_in and n_out: of how many inputs, or outputs, a kernel of this shape reaches one."""
    return math.prod(shape[1:]), shape[0] * math.prod(shape[2:])


def _n_in(shape: Shape) -> int:
    return _fans(shape)[0]


class Zeros(Initializer):
    """All zeros: right for b; in W they would make all units of a layer the same for ever."""

    def draw(self, shape: Shape, rng: Random) -> Array:
        return np.zeros(shape)


@attrs.frozen(slots=False)
class Constant(Initializer):
    """All one value."""

    value: float = finite(0.0)

    def draw(self, shape: Shape, rng: Random) -> Array:
        return np.full(shape, self.value)


@attrs.frozen(slots=False)
class Normal(Initializer):
    """Normal with mean 0 and standard deviation `scale`."""

    scale: float = nonnegative(0.01)

    @quiet
    def draw(self, shape: Shape, rng: Random) -> Array:
        return rng.standard_normal(shape) * self.scale


@attrs.frozen(slots=False)
class TruncatedNormal(Initializer):
    r"""Normal with mean 0, cut at ±2 · `scale`: a number beyond is drawn again.

    `scale` is the standard deviation before the cut, as in PyTorch and Keras. That of the numbers
    drawn is 0.8796 · scale.
    """

    scale: float = nonnegative(0.01)

    @quiet
    def draw(self, shape: Shape, rng: Random) -> Array:
        numbers = rng.standard_normal(shape)
        while (is_beyond := np.abs(numbers) > 2).any():
            numbers[is_beyond] = rng.standard_normal(np.count_nonzero(is_beyond))
        return numbers * self.scale


@attrs.frozen(slots=False)
class Uniform(Initializer):
    """Uniform between ± `scale`."""

    scale: float = nonnegative(0.05)

    @quiet
    def draw(self, shape: Shape, rng: Random) -> Array:
        return rng.uniform(-1, 1, shape) * self.scale


class LecunNormal(Initializer):
    r"""Normal with variance 1/n_in (LeCun and others 1998), randn(n_out, n_in) / sqrt(n_in)."""

    def draw(self, shape: Shape, rng: Random) -> Array:
        return rng.standard_normal(shape) / math.sqrt(_n_in(shape))


class HeNormal(Initializer):
    r"""Normal with variance 2/n_in, for ReLU and its family (He and others 2015)."""

    def draw(self, shape: Shape, rng: Random) -> Array:
        return rng.standard_normal(shape) * math.sqrt(2 / _n_in(shape))


class HeUniform(Initializer):
    r"""Uniform between ±√(6/n_in), which has the variance 2/n_in (He and others 2015)."""

    def draw(self, shape: Shape, rng: Random) -> Array:
        limit = math.sqrt(6 / _n_in(shape))
        return rng.uniform(-limit, limit, shape)


class HeAverage(Initializer):
    r"""Uniform between ±√(12/(n_in + n_out)), of variance 4/(n_in + n_out), for ReLU.

    It is ``he_uniform`` with the mean of n_in and n_out in place of n_in, and PyTorch's
    ``xavier_uniform_`` with the gain √2.
    """

    def draw(self, shape: Shape, rng: Random) -> Array:
        limit = math.sqrt(12 / sum(_fans(shape)))
        return rng.uniform(-limit, limit, shape)


class GlorotNormal(Initializer):
    r"""Normal with variance 2/(n_in + n_out) (Glorot and Bengio 2010)."""

    def draw(self, shape: Shape, rng: Random) -> Array:
        return rng.standard_normal(shape) * math.sqrt(2 / sum(_fans(shape)))


class GlorotUniform(Initializer):
    r"""Uniform between ±√(6/(n_in + n_out)), of the same variance as ``glorot_normal``."""

    def draw(self, shape: Shape, rng: Random) -> Array:
        limit = math.sqrt(6 / sum(_fans(shape)))
        return rng.uniform(-limit, limit, shape)


@attrs.frozen(slots=False)
class Orthogonal(Initializer):
    r"""Orthonormal rows or columns, whichever are fewer, times `gain` (Saxe and others 2014).

    It is uniform over the orthogonal matrices (Mezzadri 2007).
    """

    gain: float = finite(1.0)

    @quiet
    def draw(self, shape: Shape, rng: Random) -> Array:
        n_out, n_in = shape[0], _n_in(shape)
        Q, R = np.linalg.qr(rng.standard_normal((max(n_out, n_in), min(n_out, n_in))))
        Q *= np.copysign(self.gain, np.diagonal(R))
        return (Q if n_out >= n_in else Q.T).reshape(shape)
