"""Sequences (n, T, m) as columns (n, T · m): one for each step of each example."""

from __future__ import annotations

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet._support.checks import written
from tinynet._support.products import product
from tinynet.errors import ShapeError
from tinynet.layers.base import columns, mean_column


def sequence_shape(input_shape: Shape) -> tuple[int, int]:
    """Return n and T of sequences (n, T, m), or refuse examples of another shape."""
    if len(input_shape) == 2:
        n, T = input_shape
        return n, T
    found = f"The input has shape {written(input_shape)}, expected (n, T, m)"
    if len(input_shape) == 1:
        remedy = (
            "A recurrent layer before this one needs sequences=True. If X holds series of one "
            "feature, pass X[np.newaxis]. If it holds tokens, put Embedding(tokens, units) first."
        )
    else:
        remedy = f"Put Reshape(({input_shape[0]}, -1)) before this layer."
    raise ShapeError(f"{found}: n features at each of T steps. {remedy}")


def as_columns(sequences: Array, room: Array) -> Array:
    """Return sequences as columns, copied into `room` if they do not lie in C order."""
    if not sequences.flags.c_contiguous:
        np.copyto(room, sequences)
        sequences = room
    return columns(sequences)


def fill_gradients(dG: Array, A: Array, cache: Cache, dW: Array, db: Array | None = None) -> None:
    """Fill dW = dG Aᵀ / m and db, the sum of dG / m, of m examples; dG is that of W A + b."""
    one_mth, column = cache.means
    np.multiply(product(dG, A.T, dW), one_mth, out=dW)
    if db is not None:
        product(dG, mean_column(cache, dG.shape[1] // len(column)), db)
