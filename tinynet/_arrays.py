"""All arrays of a model: declared by its layers, made here, once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinynet._buffers import Array, Cache, Shape, carve, write
from tinynet.errors import ShapeError
from tinynet.initializers import Random
from tinynet.layers import Layer, Parameter

_BATCH_SIZES_KEPT = 4


def title(l: int, layer: Layer) -> str:
    """Return a layer's number and kind, as messages name it."""
    return f"layer {l} ({type(layer).__name__})"


def declared(layers: Sequence[Layer], inputs: Shape) -> tuple[list[Shape], list[dict[str, Parameter]]]:
    """Return the shapes of A[0] … A[L], without the examples, and what each layer declares."""
    shapes: list[Shape] = [inputs]
    parameters: list[dict[str, Parameter]] = []
    for l, layer in enumerate(layers, 1):
        try:
            parameters.append(layer.parameters(shapes[-1]))
            shapes.append(layer.output_shape(shapes[-1]))
        except ShapeError as error:
            raise ShapeError(f"{title(l, layer)}: {error}") from error
    return shapes, parameters


class Arrays:
    """Parameters and gradients as two flat vectors, views into them, and the caches of passes.

    The parameters are drawn from `rng`, layer after layer; without it they are zero.
    """

    def __init__(self, layers: Sequence[Layer], inputs: Shape, dtype: np.dtype[Any], rng: Random | None) -> None:
        self.layers, self.dtype = layers, dtype
        self.shapes, parameters = declared(layers, inputs)
        named = [{name: parameter.shape for name, parameter in held.items()} for held in parameters]
        size = sum(math.prod(shape) for held in named for shape in held.values())
        self.params, self.grads = np.zeros(size, dtype), np.zeros(size, dtype)
        self.param_views, self.grad_views = carve(self.params, named), carve(self.grads, named)
        nothing = dict.fromkeys(("A_prev", "dA_prev", "Z", "A"))
        views = enumerate(zip(layers, self.param_views, self.grad_views, strict=True), 1)
        self._without = [
            Cache(params, grads, in_layer=f" in {title(l, layer)}", **nothing) for l, (layer, params, grads) in views
        ]
        self._by_m: dict[int, list[Cache]] = {}
        if rng is not None:
            self.fill([{name: p.init.draw(p.shape, rng) for name, p in held.items()} for held in parameters])

    def fill(self, values: Sequence[Mapping[str, Array]]) -> None:
        """Copy values into the parameters, a mapping from name to array for each layer."""
        for views, held in zip(self.param_views, values, strict=True):
            for name, view in views.items():
                write(view, held[name], name)

    def caches(self, m: int) -> list[Cache]:
        """Return the caches for batches of `m`; those of the last few sizes are kept."""
        caches = self._by_m.get(m)
        if caches is None:
            while len(self._by_m) >= _BATCH_SIZES_KEPT:
                del self._by_m[next(iter(self._by_m))]
            caches = self._by_m[m] = self._new_caches(m, ("Z", "A", "dZ", "dA"), _unfilled)
            for below, cache in itertools.pairwise(caches):
                cache.dA_prev = below.dA
        return caches

    def forward_caches(self, m: int) -> list[Cache]:
        """Return caches of their own to go forward in; a layer makes its Z itself."""
        return self._new_caches(m, ("A",), np.empty)

    def _new_caches(self, m: int, names: Sequence[str], make: Callable[..., Array]) -> list[Cache]:
        caches = []
        for layer, without, before, after in zip(
            self.layers, self._without, self.shapes[:-1], self.shapes[1:], strict=True
        ):
            shapes = dict.fromkeys(names, (*after, m)) | layer.scratch(before, m)
            caches.append(without.again(**{name: make(shape, dtype=self.dtype) for name, shape in shapes.items()}))
        return caches


def _unfilled(shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Return an array of NaN, which shows what no pass has filled."""
    return np.full(shape, np.nan, dtype)
