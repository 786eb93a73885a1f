r"""Initializers: the first values of a parameter.

It draws an array (n_out, n_in) from the generator it is handed; with a
`numpy.random.RandomState`, ``lecun_normal``, ``he_normal`` and ``normal`` give the course's values.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.random import Random
from tinynet._support.registry import Registered


class Initializer(Registered, ABC):
    """Base of all initializers; to subclass it is to register.

    >>> Initializer.get("he_normal").draw((2, 3), np.random.default_rng(1)).shape
    (2, 3)
    """

    family = "initializer"

    @abstractmethod
    def draw(self, shape: Shape, rng: Random) -> Array:
        """Return a float64 array of `shape`, drawn from `rng` alone."""


def _n_in(shape: Shape) -> int:
    return math.prod(shape[1:])


class Zeros(Initializer):
    """All zero: right for b; in W it would make every unit of a layer the same for ever."""

    def draw(self, shape: Shape, rng: Random) -> Array:
        return np.zeros(shape)


@attrs.frozen
class Constant(Initializer):
    """All one value."""

    value: float = attrs.field(default=0.0, converter=float)

    def draw(self, shape: Shape, rng: Random) -> Array:
        return np.full(shape, self.value)


@attrs.frozen
class Normal(Initializer):
    """Normal with mean 0 and standard deviation `scale`.

    >>> Normal(scale=0.01).draw((2, 2), np.random.RandomState(1)).round(5)
    array([[ 0.01624, -0.00612],
           [-0.00528, -0.01073]])
    """

    scale: float = attrs.field(default=0.01, converter=float, validator=attrs.validators.ge(0))

    def draw(self, shape: Shape, rng: Random) -> Array:
        return rng.standard_normal(shape) * self.scale


class LecunNormal(Initializer):
    r"""Normal with variance 1/n_in (LeCun, Bottou, Orr and Müller 1998): ``randn(n_out, n_in) / sqrt(n_in)``."""

    def draw(self, shape: Shape, rng: Random) -> Array:
        return rng.standard_normal(shape) / math.sqrt(_n_in(shape))


class HeNormal(Initializer):
    r"""Normal with variance 2/n_in, for ReLU and its family (He, Zhang, Ren and Sun 2015)."""

    def draw(self, shape: Shape, rng: Random) -> Array:
        return rng.standard_normal(shape) * math.sqrt(2 / _n_in(shape))


class HeUniform(Initializer):
    r"""Uniform between ±√(6/n_in), which has the variance 2/n_in (He, Zhang, Ren and Sun 2015)."""

    def draw(self, shape: Shape, rng: Random) -> Array:
        limit = math.sqrt(6 / _n_in(shape))
        return rng.uniform(-limit, limit, shape)


class GlorotNormal(Initializer):
    r"""Normal with variance 2/(n_in + n_out) (Glorot and Bengio 2010)."""

    def draw(self, shape: Shape, rng: Random) -> Array:
        return rng.standard_normal(shape) * math.sqrt(2 / (_n_in(shape) + shape[0]))


class GlorotUniform(Initializer):
    r"""Uniform between ±√(6/(n_in + n_out)), which has the variance 2/(n_in + n_out) (Glorot and Bengio 2010)."""

    def draw(self, shape: Shape, rng: Random) -> Array:
        limit = math.sqrt(6 / (_n_in(shape) + shape[0]))
        return rng.uniform(-limit, limit, shape)


@attrs.frozen
class Orthogonal(Initializer):
    r"""Orthonormal rows or columns, whichever are fewer, times `gain` (Saxe, McClelland and Ganguli 2014).

    The Q of the QR decomposition of a normal matrix, with the signs of R's diagonal, is
    uniform over the orthogonal matrices (Mezzadri 2007).
    """

    gain: float = attrs.field(default=1.0, converter=float)

    def draw(self, shape: Shape, rng: Random) -> Array:
        n_out, n_in = shape[0], _n_in(shape)
        Q, R = np.linalg.qr(rng.standard_normal((max(n_out, n_in), min(n_out, n_in))))
        Q *= np.copysign(self.gain, np.diagonal(R))
        return (Q if n_out >= n_in else Q.T).reshape(shape)
