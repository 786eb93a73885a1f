"""Chains side by side, whose results are concatenated or added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.cache import Cache
from tinynet._support.checks import written
from tinynet._support.fields import one_of
from tinynet.errors import ShapeError
from tinynet.layers.base import Layer
from tinynet.layers.composite import Chain, as_chain, completion, have_padding


def _as_branches(value: Any) -> tuple[Chain, ...]:
    if isinstance(value, (Layer, str)) or not isinstance(value, Iterable):
        raise TypeError(f"branches is {value!r}, expected a list of lists. Use [[{value!r}]].")
    branches = tuple(as_chain(branch, f"branch {k}") for k, branch in enumerate(value, 1))
    if not branches:
        raise ValueError("branches is empty, expected a list of lists: Branches([[...], [...]]).")
    return branches


@attrs.frozen(slots=False)
class Branches(Layer):
    """Z = what several chains of layers make of A_prev, one above the other, or added.

    In reverse, each chain gets its rows of dZ, or all of dZ if the results are added::

        dA_prev = the sum of dA_prev of the chains

    The results are concatenated along the first axis, the units or channels, so that their other
    axes must agree. To be added they need one shape. Otherwise the model raises `ShapeError` when
    it is built.

    Parameters
    ----------
    branches : sequence of sequences of Layer, str or config
        The chains, each of at least one layer; ``[Activate("identity")]`` is a branch that returns
        A_prev. ``model.W[l, 2, 3]`` is W of the third layer in branch 2.
    join : str
        "concatenate" or "add".
    activation : str, Activation or config
        What the model applies to Z; by keyword.

    References
    ----------
    C. Szegedy et al., "Going deeper with convolutions", CVPR 2015,
    https://arxiv.org/abs/1409.4842: the inception module.

    >>> from tinynet import Dense, Sequential
    >>> block = Branches([[Dense(3, "relu"), Dense(2)], [Dense(4)]])
    >>> model = Sequential([block, Dense(1)], inputs=5)
    >>> list(model.W)
    [(1, 1, 1), (1, 1, 2), (1, 2, 1), 2]
    >>> model.W[2].shape
    (1, 6)
    """

    branches: tuple[Chain, ...] = attrs.field(converter=_as_branches)
    join: str = one_of("concatenate", "add", default="concatenate")

    @property
    def chains(self) -> tuple[Chain, ...]:
        return self.branches

    def output_shape(self, input_shape: Shape) -> Shape:
        shapes = self.chain_output_shapes(input_shape)
        for k, shape in enumerate(shapes, 1):
            self._expect_fitting(shapes[0], k, shape)
        n = shapes[0][0] if self.join == "add" else sum([shape[0] for shape in shapes])
        return (n, *shapes[0][1:])

    def _expect_fitting(self, first: Shape, k: int, shape: Shape) -> None:
        """Refuse a branch whose result cannot be joined to that of the first branch."""
        if shape == first or (self.join == "concatenate" and shape[1:] == first[1:]):
            return
        expected = "one shape" if self.join == "add" else "the same axes after the first"
        found = f"Branch 1 gives {written(first)} and branch {k} {written(shape)}, expected"
        raise ShapeError(f"{found} {expected} to {self.join} them. {self._remedy(first, k, shape)}")

    def _remedy(self, first: Shape, k: int, shape: Shape) -> str:
        one, other = self.branches[0], self.branches[k - 1]
        if len(first) == len(shape) and first[1:] != shape[1:] and have_padding(one + other):
            return f'Use padding="same" and equal strides in branches 1 and {k}.'
        if self.join == "concatenate" and 1 in (len(first), len(shape)):
            return f"End branch {k if len(first) == 1 else 1} with Flatten()."
        return completion(other, f"branch {k}", shape, first)

    def forward(self, A_prev: Array, cache: Cache) -> Array:
        results = [chain.forward(A_prev) for chain in cache.chains]
        if self.join == "add":
            return _total(results, cache.Z)
        return np.concatenate(results, out=cache.Z)

    def back(self, dZ: Array, cache: Cache) -> Any:
        is_needed = cache.dA_prev is not None
        gradients = [
            chain.back(dA, input_gradient=is_needed)
            for chain, dA in zip(cache.chains, self._parts(dZ, cache), strict=True)
        ]
        return _total(gradients, cache.dA_prev) if is_needed else None

    def _parts(self, dZ: Array, cache: Cache) -> Iterator[Array]:
        """Yield dA of each chain."""
        start = 0
        for chain in cache.chains:
            stop = start + len(chain.caches[-1].A)
            yield dZ if self.join == "add" else dZ[start:stop]
            start = stop


def _total(arrays: Sequence[Array], out: Array | None) -> Array:
    """Return the sum of arrays of one shape, in `out` if that is an array."""
    first, *others = arrays
    if not others:
        return np.positive(first, out=out)
    total: Array = np.add(first, others[0], out=out)
    for array in others[1:]:
        total += array
    return total
