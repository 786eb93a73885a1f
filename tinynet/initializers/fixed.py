"""Random numbers of a size that is a setting."""

from __future__ import annotations

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.fields import nonnegative
from tinynet._support.quiet import quiet
from tinynet._support.random import Random
from tinynet.initializers.base import Initializer


@attrs.frozen(slots=False)
class Normal(Initializer):
    """Normal with mean 0 and standard deviation `scale`.

    Parameters
    ----------
    scale : float
        The standard deviation; at least 0.

    >>> W = Normal(0.5).draw((100, 400), np.random.default_rng(1))
    >>> float(W.std().round(2))
    0.5
    """

    scale: float = nonnegative(0.01)

    @quiet
    def draw(self, shape: Shape, rng: Random) -> Array:
        return rng.standard_normal(shape) * self.scale


@attrs.frozen(slots=False)
class TruncatedNormal(Initializer):
    r"""Normal with mean 0, cut at ±2 · `scale`: a number beyond is drawn again.

    The numbers drawn have the standard deviation 0.8796 · scale.

    Parameters
    ----------
    scale : float
        The standard deviation before the cut, as in PyTorch and Keras; at least 0.

    >>> W = TruncatedNormal(0.5).draw((100, 400), np.random.default_rng(1))
    >>> float(abs(W).max().round(2)), float(W.std().round(2))
    (1.0, 0.44)
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
    """Uniform between ± `scale`.

    Parameters
    ----------
    scale : float
        The largest number, and the negative of the least; at least 0.

    >>> W = Uniform(0.5).draw((100, 400), np.random.default_rng(1))
    >>> float(W.min().round(2)), float(W.max().round(2))
    (-0.5, 0.5)
    """

    scale: float = nonnegative(0.05)

    @quiet
    def draw(self, shape: Shape, rng: Random) -> Array:
        return rng.uniform(-1, 1, shape) * self.scale
