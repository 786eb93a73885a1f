"""Random numbers of a size that suits the number of inputs, or of inputs and outputs."""

from __future__ import annotations

import math

from tinynet._support.arrays import Array, Shape
from tinynet._support.random import Random
from tinynet.initializers.base import Initializer, fans


def _n_in(shape: Shape) -> int:
    return fans(shape)[0]


class LecunNormal(Initializer):
    r"""Normal with variance 1/n_in (LeCun and others 1998), randn(n_out, n_in) / sqrt(n_in).

    >>> import numpy as np
    >>> W = LecunNormal().draw((400, 100), np.random.default_rng(1))
    >>> float(W.std().round(2))
    0.1
    """

    def draw(self, shape: Shape, rng: Random) -> Array:
        return rng.standard_normal(shape) / math.sqrt(_n_in(shape))


class HeNormal(Initializer):
    r"""Normal with variance 2/n_in, for ReLU and its family (He and others 2015).

    >>> import numpy as np
    >>> W = HeNormal().draw((400, 200), np.random.default_rng(1))
    >>> float(W.std().round(2))
    0.1
    """

    def draw(self, shape: Shape, rng: Random) -> Array:
        return rng.standard_normal(shape) * math.sqrt(2 / _n_in(shape))


class HeUniform(Initializer):
    r"""Uniform between ±√(6/n_in), which has the variance 2/n_in (He and others 2015).

    >>> import numpy as np
    >>> W = HeUniform().draw((400, 150), np.random.default_rng(1))
    >>> float(abs(W).max().round(2))
    0.2
    """

    def draw(self, shape: Shape, rng: Random) -> Array:
        limit = math.sqrt(6 / _n_in(shape))
        return rng.uniform(-limit, limit, shape)


class HeAverage(Initializer):
    r"""Uniform between ±√(12/(n_in + n_out)), of variance 4/(n_in + n_out), for ReLU.

    It is ``he_uniform`` with the mean of n_in and n_out in place of n_in, and PyTorch's
    ``xavier_uniform_`` with the gain √2.

    >>> import numpy as np
    >>> W = HeAverage().draw((200, 100), np.random.default_rng(1))
    >>> float(abs(W).max().round(2))
    0.2
    """

    def draw(self, shape: Shape, rng: Random) -> Array:
        limit = math.sqrt(12 / sum(fans(shape)))
        return rng.uniform(-limit, limit, shape)


class GlorotNormal(Initializer):
    r"""Normal with variance 2/(n_in + n_out) (Glorot and Bengio 2010).

    >>> import numpy as np
    >>> W = GlorotNormal().draw((150, 50), np.random.default_rng(1))
    >>> float(W.std().round(2))
    0.1
    """

    def draw(self, shape: Shape, rng: Random) -> Array:
        return rng.standard_normal(shape) * math.sqrt(2 / sum(fans(shape)))


class GlorotUniform(Initializer):
    r"""Uniform between ±√(6/(n_in + n_out)), of the same variance (Glorot and Bengio 2010).

    >>> import numpy as np
    >>> W = GlorotUniform().draw((100, 50), np.random.default_rng(1))
    >>> float(abs(W).max().round(2))
    0.2
    """

    def draw(self, shape: Shape, rng: Random) -> Array:
        limit = math.sqrt(6 / sum(fans(shape)))
        return rng.uniform(-limit, limit, shape)
