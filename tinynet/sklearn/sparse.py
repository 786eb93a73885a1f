"""Sparse rows: dense batches of them, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinynet._support.arrays import Array


class SparseBatches:
    """The rows of a CSR matrix as dense batches of columns, (X, Y) or (X, Y, w).

    With a generator `rng` each epoch has another order.
    """

    def __init__(
        self, rows: Any, Y: Array, w: Array | None, size: int, dtype: Any, rng: Any = None
    ) -> None:
        self.rows, self.Y, self.w = rows, Y, w
        self.size, self.dtype, self.rng = size, dtype, rng

    def __len__(self) -> int:
        return -(-self.rows.shape[0] // self.size)

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        m = self.rows.shape[0]
        order = np.arange(m) if self.rng is None else self.rng.permutation(m)
        for at in range(0, m, self.size):
            chosen = order[at : at + self.size]
            X = dense(self.rows[chosen], self.dtype).T
            yield (X, self.Y[:, chosen], *([] if self.w is None else [self.w[chosen]]))


def is_sparse(X: Any) -> bool:
    """Return whether X is a matrix or an array of SciPy's sparse kinds."""
    return hasattr(X, "toarray")


def dense(rows: Any, dtype: Any) -> Array:
    """Return rows as an array of this dtype, dense where they are sparse."""
    array = rows.toarray() if is_sparse(rows) else rows
    return np.asarray(array, dtype)
