"""Sequences (n, T, m) as columns (n, T · m): one for each step of each example."""

from __future__ import annotations

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.products import dot_for
from tinynet.errors import ShapeError


def sequence_shape(input_shape: Shape) -> tuple[int, int]:
    """Return n and T of sequences (n, T, m), or refuse examples of another shape."""
    if len(input_shape) == 2:
        n, T = input_shape
        return n, T
    found = f"The input has shape ({', '.join(map(str, input_shape))}, m), expected (n, T, m)"
    if len(input_shape) == 1:
        remedy = (
            "A recurrent layer before this one needs sequences=True. If X holds series of one "
            "feature, pass X[np.newaxis]."
        )
    else:
        remedy = f"Put Reshape(({input_shape[0]}, -1)) before this layer."
    raise ShapeError(f"{found}: n features at each of T steps. {remedy}")


def flat(sequences: Array) -> Array:
    """Return sequences that lie in C order as columns: a view."""
    return sequences.reshape(len(sequences), -1)


def as_columns(sequences: Array, room: Array) -> Array:
    """Return sequences as columns, copied into `room` if they do not lie in C order."""
    if not sequences.flags.c_contiguous:
        np.copyto(room, sequences)
        sequences = room
    return flat(sequences)


def product(one: Array, other: Array, out: Array) -> Array:
    """Return ``one.dot(other, out)`` for columns; ``cache.dot`` is for products of m columns."""
    return dot_for(out.size * len(other))(one, other, out)


def weight_gradient(dG: Array, columns: Array, dW: Array, one_mth: Array) -> None:
    """Fill dW with dG columnsᵀ / m, where dG is the gradient of W columns."""
    np.multiply(product(dG, columns.T, dW), one_mth, out=dW)


def bias_gradient(dG: Array, db: Array, one_mth: Array) -> None:
    """Fill db with the sum of the columns of dG / m."""
    np.multiply(np.add.reduce(dG, axis=1, keepdims=True, out=db), one_mth, out=db)
