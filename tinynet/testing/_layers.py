"""What every layer must pass."""

from __future__ import annotations

import numpy as np

from tinynet._arrays import Arrays
from tinynet._buffers import Shape
from tinynet._door import example_shape
from tinynet.layers import Layer
from tinynet.sequential import Sequential
from tinynet.testing import _gradients
from tinynet.testing._expect import expect, expect_array, kept


def _examples(shapes: list[Shape]) -> int:
    """Return a number of examples that is not one of units too, so that the two are not taken for each other."""
    return next(m for m in (7, 8, 9, 5, 6, 10, 11) if not any(m in shape for shape in shapes))


def check_passes(layer: Layer, input_shape: int | tuple[int, ...]) -> None:
    """See that both passes return arrays of the right shape and dtype, twice the same, and leave the input alone."""
    name, rng = type(layer).__name__, np.random.default_rng(0)
    for dtype in map(np.dtype, (np.float32, np.float64)):
        arrays = Arrays([layer], example_shape(input_shape), dtype, None)
        arrays.params[:] = rng.standard_normal(arrays.params.size)
        m = _examples(arrays.shapes)
        X, Y = (rng.standard_normal((*shape, m)).astype(dtype) for shape in arrays.shapes)
        (cache,) = arrays.caches(m)
        cache.A_prev, cache.dA_prev = X, np.empty_like(X)
        Z = kept(f"{name}.forward", lambda A_prev, cache=cache: layer.forward(A_prev, cache), A_prev=X)
        first = np.copy(Z)
        before = {"A_prev": X.copy()} | {what: getattr(cache, what).copy() for what in cache.parameters}
        dA_prev = kept(f"{name}.back", lambda dZ, cache=cache: layer.back(dZ, cache), dZ=Y)
        for what, array in before.items():
            same = np.array_equal(getattr(cache, what), array)
            expect(same, f"{name}.back changes cache.{what}; it fills gradients alone")
        expect_array(f"{name}.forward", Z, Y.shape, dtype)
        expect_array(f"{name}.back", dA_prev, X.shape, dtype)
        again = layer.forward(X, cache)
        expect(np.array_equal(again, first), f"{name}.forward gives another Z for the same A_prev the second time")


def check_examples(layer: Layer, input_shape: int | tuple[int, ...]) -> None:
    """See that an example's Z is its own, and the same wherever A_prev lies in memory."""
    name, rng = type(layer).__name__, np.random.default_rng(0)
    model = Sequential([layer], None, input_shape, "float64", seed=0)
    model.params[:] = rng.standard_normal(model.n_params)
    X = rng.standard_normal((*model.inputs, 7))
    model.forward(X)
    Z = model.Z[1].copy()
    for laid_out in (np.asfortranarray(X), np.repeat(X, 2, axis=-1)[..., ::2]):
        model.forward(laid_out)
        same = np.allclose(model.Z[1], Z)
        expect(same, f"{name}.forward of the same numbers differs when they lie otherwise in memory")
    model.forward(X[..., :1])
    hint = "outside of training an example's Z must not depend on the others: add up over the units, axis 0"
    expect(np.allclose(model.Z[1], Z[..., :1]), f"{name}.forward differs for the first example alone; {hint}")


def check_gradients(layer: Layer, input_shape: int | tuple[int, ...]) -> None:
    """Compare dA_prev and the gradient of each parameter with differences."""
    rng = np.random.default_rng(0)
    model = Sequential([layer], "mean_squared_error", input_shape, "float64", seed=0)
    model.params[:] = rng.standard_normal(model.n_params)
    shapes = [model.inputs, model.outputs]
    X, Y = (rng.standard_normal((*shape, _examples(shapes))) for shape in shapes)
    _gradients.check_gradients(model, X, Y)


CHECKS = (check_passes, check_examples, check_gradients)
