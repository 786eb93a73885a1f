"""All arrays of a model: declared by its layers, made here, once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, Cache, Shape, carve, write
from tinynet._support.random import Random
from tinynet.errors import ShapeError
from tinynet.initializers import Initializer
from tinynet.layers import Layer, Parameter

_BATCH_SIZES_KEPT = 4


def title(l: int, layer: Layer) -> str:
    """Return a layer's number and kind, as messages name it."""
    return f"layer {l} ({type(layer).__name__})"


class Declared:
    """What the layers declare for an input of a shape: shapes of A[0] … A[L] without the examples, arrays by name."""

    def __init__(self, layers: Sequence[Layer], inputs: Shape) -> None:
        self.shapes: list[Shape] = [inputs]
        self.parameters: list[dict[str, Parameter]] = []
        self.states: list[dict[str, Parameter]] = []
        for l, layer in enumerate(layers, 1):
            try:
                self.parameters.append(_admitted(l, layer, layer.parameters(self.shapes[-1])))
                self.states.append(_admitted(l, layer, layer.state(self.shapes[-1])))
                self.shapes.append(layer.output_shape(self.shapes[-1]))
            except ShapeError as error:
                raise ShapeError(f"{title(l, layer)}: {error}") from error


def _admitted(l: int, layer: Layer, declared: Any) -> dict[str, Parameter]:
    """Return what a layer declares, initializers by name too."""
    told = f'{title(l, layer)}: it must declare {{"W": Parameter(shape, init), ...}}'
    if not isinstance(declared, Mapping):
        raise TypeError(f"{told}; got {declared!r}")
    for name, parameter in declared.items():
        if not isinstance(parameter, Parameter):
            raise TypeError(f"{told}; got {parameter!r} for {name}")
    return {
        name: Parameter(tuple(shape), Initializer.get(init))
        for name, (shape, init) in declared.items()
    }


class Arrays:
    """Parameters, gradients and state as flat vectors, views into them, and the caches of passes.

    The parameters are drawn from `rng`, layer after layer; without it all is zero. ``values`` is
    ``params`` and ``state`` in one: all that training changes in a model.
    """

    def __init__(
        self, layers: Sequence[Layer], inputs: Shape, dtype: np.dtype[Any], rng: Random | None
    ) -> None:
        self.layers, self.dtype = layers, dtype
        declared = Declared(layers, inputs)
        self.shapes = declared.shapes
        of_params, of_state = _shapes(declared.parameters), _shapes(declared.states)
        n, more = _size(of_params), _size(of_state)
        self.values, self.grads = np.zeros(n + more, dtype), np.zeros(n, dtype)
        self.params, self.state = self.values[:n], self.values[n:]
        self.param_views, self.grad_views = (
            carve(self.params, of_params),
            carve(self.grads, of_params),
        )
        self.state_views = carve(self.state, of_state)
        self._without = [self._cache_without_buffers(l) for l in range(1, len(layers) + 1)]
        self._by_m: dict[int, list[Cache]] = {}
        if rng is not None:
            fill(self.param_views, _drawn(declared.parameters, rng))
            fill(self.state_views, _drawn(declared.states, rng))

    def _cache_without_buffers(self, l: int) -> Cache:
        params, grads, state = (
            self.param_views[l - 1],
            self.grad_views[l - 1],
            self.state_views[l - 1],
        )
        views = params | {f"d{name}": view for name, view in grads.items()} | state
        nothing = dict.fromkeys(("A_prev", "dA_prev", "Z", "A"))
        return Cache(views, in_layer=f" in {title(l, self.layers[l - 1])}", **nothing)

    def caches(self, m: int) -> list[Cache]:
        """Return the caches for batches of `m`; those of the last few sizes are kept."""
        caches = self._by_m.get(m)
        if caches is None:
            while len(self._by_m) >= _BATCH_SIZES_KEPT:
                del self._by_m[next(iter(self._by_m))]
            caches = self._by_m[m] = self._new_caches(m, ("Z", "A", "dZ", "dA"), _unfilled)
            for below, cache in itertools.pairwise(caches):
                cache.dA_prev = below.dA
            # What a pass writes to: an X that lies there would be gone before it has been read.
            caches[0].written = {id(array) for c in caches for array in (c.Z, c.A, c.dZ, c.dA)}
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
            caches.append(
                without.again(
                    **{name: make(shape, dtype=self.dtype) for name, shape in shapes.items()}
                )
            )
        return caches


def _shapes(declared: Sequence[Mapping[str, Parameter]]) -> list[dict[str, Shape]]:
    return [{name: parameter.shape for name, parameter in held.items()} for held in declared]


def _size(shapes: Sequence[Mapping[str, Shape]]) -> int:
    return sum(math.prod(shape) for held in shapes for shape in held.values())


def _drawn(declared: Sequence[Mapping[str, Parameter]], rng: Random) -> list[dict[str, Array]]:
    return [{name: p.init.draw(p.shape, rng) for name, p in held.items()} for held in declared]


def fill(views: Sequence[Mapping[str, Array]], values: Sequence[Mapping[str, Array]]) -> None:
    """Copy values into views, a mapping from name to array for each layer."""
    for held, given in zip(views, values, strict=True):
        for name, view in held.items():
            write(view, given[name], name)


def _unfilled(shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Return an array of NaN, which shows what no pass has filled."""
    return np.full(shape, np.nan, dtype)
