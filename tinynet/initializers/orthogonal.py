"""Rows or columns that are orthonormal."""

from __future__ import annotations

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.fields import finite
from tinynet._support.quiet import quiet
from tinynet._support.random import Random
from tinynet.initializers.base import Initializer, fans


@attrs.frozen(slots=False)
class Orthogonal(Initializer):
    r"""Orthonormal rows or columns, whichever are fewer, times `gain` (Saxe and others 2014).

    It is uniform over the orthogonal matrices (Mezzadri 2007).

    Parameters
    ----------
    gain : float
        The length of a row, or column.

    >>> W = Orthogonal(gain=2.0).draw((2, 5), np.random.default_rng(1))
    >>> np.allclose(W @ W.T, [[4, 0], [0, 4]])
    True
    """

    gain: float = finite(1.0)

    @quiet
    def draw(self, shape: Shape, rng: Random) -> Array:
        n_out, n_in = shape[0], fans(shape)[0]
        Q, R = np.linalg.qr(rng.standard_normal((max(n_out, n_in), min(n_out, n_in))))
        Q *= np.copysign(self.gain, np.diagonal(R))
        return (Q if n_out >= n_in else Q.T).reshape(shape)
