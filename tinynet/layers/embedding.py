"""Vectors for the members of a vocabulary."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet._support.fields import integer
from tinynet.initializers import Initializer, Normal
from tinynet.layers.base import Layer, Parameter, Scratch, init_field
from tinynet.layers.positions import as_columns


@attrs.frozen(slots=False)
class Embedding(Layer):
    r"""Z[:, t, i] is the column of W whose number A_prev[t, i] is: each token has a vector.

    A_prev are whole numbers from 0 to tokens - 1, (T, m) or (1, m). In reverse, with m examples::

        dW[:, k] = (sum of dZ[:, t, i] over all t and i where A_prev[t, i] is k) / m

    Whole numbers have no gradient, so there is no dA_prev, and the layer is the first of a model.
    It is `Dense` without b on one-hot columns, which it does not need.

    Parameters
    ----------
    tokens : int
        Size of the vocabulary: how many different numbers there are, at least 1.
    units : int
        Number of outputs n for each token, at least 1. W is (n, tokens), the transpose of the
        weight of PyTorch's and Keras's ``Embedding``. Weight decay does not act on it, because it
        would act on vectors of tokens that are not in the batch.
    init : str, Initializer or config
        How W is drawn; by keyword. By default it is normal with deviation 1, as in PyTorch.
    activation : str, Activation or config
        What the model applies to Z; by keyword.

    Raises
    ------
    ValueError
        By the model, if X holds something else than whole numbers from 0 to tokens - 1.

    >>> Embedding(27, 16).output_shape((50,))
    (16, 50)
    """

    takes: ClassVar[str] = "indices"
    tokens: int = integer()
    units: int = integer()
    init: Initializer = init_field(Normal(1.0))

    @property
    def n_indices(self) -> int:
        return self.tokens

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        return {"W": Parameter((self.units, self.tokens), self.init)}

    def output_shape(self, input_shape: Shape) -> Shape:
        return (self.units, *input_shape)

    def scratch(self, input_shape: Shape, m: int) -> Mapping[str, Shape | Scratch]:
        places = math.prod(input_shape) * m
        return {
            "room": (self.units, *input_shape, m), "sorted_dZ": (self.units, places),
            "sums": (self.units * min(self.tokens, places),),
        }  # fmt: skip

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        # Other numbers have been refused; with mode="raise", np.take would fill a copy of `out`.
        return cache.W.take(A_prev, axis=1, out=cache.Z, mode="clip")

    def back(self, dZ: Array, cache: Cache) -> Any:
        # Sort the columns of dZ by their tokens, and add up those of each token.
        tokens, dW = cache.A_prev.reshape(-1), cache.dW
        order = tokens.argsort(kind="stable")  # so that equal passes add up in the same order
        in_order = tokens[order]
        first = np.flatnonzero(np.diff(in_order, prepend=-1))  # where another token begins
        columns = as_columns(dZ, cache.room).take(order, 1, cache.sorted_dZ, "clip")
        sums = cache.sums[: len(dW) * first.size].reshape(len(dW), first.size)
        np.multiply(np.add.reduceat(columns, first, axis=1, out=sums), cache.means[0], out=sums)
        dW.fill(0)
        dW[:, in_order[first]] = sums
