"""What a model takes as X: numbers in its dtype or, for an embedding, indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.examples import columns, indices
from tinynet.layers import Layer
from tinynet.model.place import n_indices, takes_indices


class Inputs:
    """The checks of X that follow from the first layer; ``dtype`` is that of a checked X."""

    def __init__(self, first: Layer, dtype: np.dtype[Any]) -> None:
        self.are_indices = takes_indices(first)
        self.dtype: np.dtype[Any] = np.dtype(np.intp) if self.are_indices else dtype
        self.n_indices = n_indices(first) if self.are_indices else None
        self.whose = f" for layer 1 ({type(first).__name__})"

    def checked(
        self, X: Any, shape: Shape | None, name: str = "X", whose: str = "", as_rows: bool = False
    ) -> Array:
        """Return X as columns of examples of this shape, or of any, or refuse it in words."""
        if not self.are_indices:
            return columns(X, shape, self.dtype, name, whose, as_rows)
        X = columns(X, shape, None, name, whose or self.whose)
        return indices(name, X, self.n_indices, self.whose)

    def check_gradient(self) -> None:
        """Refuse to compute dA[0] of indices."""
        if self.are_indices:
            found = f"X holds indices{self.whose}, and indices have no gradient"
            raise ValueError(f"{found}. Leave input_gradient out.")
