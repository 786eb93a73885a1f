"""What every layer must pass."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, Shape
from tinynet._support.checks import example_shape
from tinynet.layers import Layer
from tinynet.model.storage import Arrays
from tinynet.sequential import Sequential
from tinynet.testing import _gradients
from tinynet.testing._expect import expect, expect_array, kept

_DRAWS = 1000
_ERRORS = 6  # standard errors that a mean of draws may be away
_LOOK = "look at cache.training first"


def _examples(shapes: list[Shape]) -> int:
    """Return a number of examples that is not one of units too, so that the two are not taken for each other."""
    return next(m for m in (7, 8, 9, 5, 6, 10, 11) if not any(m in shape for shape in shapes))


def _problem(layer: Layer, input_shape: int | tuple[int, ...]) -> tuple[Sequential, Array, Array]:
    """Return a model of the layer alone, its parameters drawn anew, and X and Y."""
    rng = np.random.default_rng(0)
    model = Sequential([layer], "mean_squared_error", input_shape, "float64", seed=0)
    model.params[:] = rng.standard_normal(model.n_params)
    shapes = [model.inputs, model.outputs]
    X, Y = (rng.standard_normal((*shape, _examples(shapes))) for shape in shapes)
    return model, X, Y


def _drawn(rng: Any) -> Any:
    """Return how far a generator has come."""
    return copy.deepcopy(rng.bit_generator.state)


def check_passes(layer: Layer, input_shape: int | tuple[int, ...]) -> None:
    """See that passes give arrays of the right shape and dtype, twice the same, and leave alone what is not theirs."""
    for training, dtype in itertools.product(
        (False, True), map(np.dtype, (np.float32, np.float64))
    ):
        _check_passes(layer, example_shape(input_shape), dtype, training)


@np.errstate(
    invalid="ignore"
)  # parameters are drawn here, and what is no parameter by right may not bear it
def _check_passes(
    layer: Layer, input_shape: tuple[int, ...], dtype: np.dtype[Any], training: bool
) -> None:
    name, rng, chance = type(layer).__name__, np.random.default_rng(0), np.random.default_rng(1)
    arrays = Arrays([layer], input_shape, dtype, rng)
    arrays.params[:] = rng.standard_normal(arrays.params.size)
    m = _examples(arrays.shapes)
    X, Y = (rng.standard_normal((*shape, m)).astype(dtype) for shape in arrays.shapes)
    (cache,) = arrays.caches(m)
    cache.A_prev, cache.dA_prev, cache.training, cache.rng = X, np.empty_like(X), training, chance
    before, not_drawn = arrays.values.copy(), _drawn(chance)
    Z = kept(f"{name}.forward", lambda A_prev: layer.forward(A_prev, cache), A_prev=X)
    expect_array(f"{name}.forward", Z, Y.shape, dtype)
    _expect_unmoved(f"{name}.forward", arrays, before, training)
    drawn = _drawn(chance)
    hint = f"at prediction nothing is by chance: {_LOOK}"
    expect(
        training or drawn == not_drawn,
        f"{name}.forward draws from cache.rng outside of training; {hint}",
    )
    first = np.copy(Z)
    held = {
        what: getattr(cache, what).copy()
        for what in ("A_prev", *cache.parameters, *arrays.state_views[0])
    }
    dA_prev = kept(f"{name}.back", lambda dZ: layer.back(dZ, cache), dZ=Y)
    expect_array(f"{name}.back", dA_prev, X.shape, dtype)
    hint = "forward has drawn the mask: keep it in the cache, and use that one"
    expect(_drawn(chance) == drawn, f"{name}.back draws from cache.rng; {hint}")
    for what, array in held.items():
        same = np.array_equal(getattr(cache, what), array)
        expect(same, f"{name}.back changes cache.{what}; it fills gradients alone")
    arrays.values[:], chance.bit_generator.state = before, not_drawn
    again = layer.forward(X, cache)
    hint = (
        "in training, draw from cache.rng and from nothing else"
        if training
        else f"if that is by chance, {_LOOK}"
    )
    same = np.array_equal(again, first, equal_nan=True)
    expect(same, f"{name}.forward gives another Z for the same A_prev the second time; {hint}")


def _expect_unmoved(what: str, arrays: Arrays, before: Array, training: bool) -> None:
    """See that a pass has changed no parameter, and state in training only."""
    start = 0
    for views, may in ((arrays.param_views[0], False), (arrays.state_views[0], training)):
        for name, view in views.items():
            moved = not np.array_equal(view.ravel(), before[start : start + view.size])
            start += view.size
            if moved and name not in arrays.state_views[0]:
                hint = "what passes change, and training does not, is declared in state"
                raise AssertionError(
                    f"{what} changes {name}, which the layer declares as a parameter; {hint}"
                )
            expect(
                may or not moved, f"{what} changes its state, {name}, outside of training; {_LOOK}"
            )


def check_examples(layer: Layer, input_shape: int | tuple[int, ...]) -> None:
    """See that an example's Z is its own, and the same wherever A_prev lies in memory."""
    name = type(layer).__name__
    model, X, _ = _problem(layer, input_shape)
    model.forward(X)
    Z = model.Z[1].copy()
    for laid_out in (np.asfortranarray(X), np.repeat(X, 2, axis=-1)[..., ::2]):
        model.forward(laid_out)
        same = np.allclose(model.Z[1], Z)
        expect(
            same, f"{name}.forward of the same numbers differs when they lie otherwise in memory"
        )
    model.forward(X[..., :1])
    hint = "outside of training an example's Z must not depend on the others: add up over the units, axis 0"
    expect(
        np.allclose(model.Z[1], Z[..., :1]),
        f"{name}.forward differs for the first example alone; {hint}",
    )


def check_gradients(layer: Layer, input_shape: int | tuple[int, ...]) -> None:
    """Compare dA_prev and the gradient of each parameter with differences."""
    _gradients.check_gradients(*_problem(layer, input_shape))


def check_training(layer: Layer, input_shape: int | tuple[int, ...]) -> None:
    """Compare the gradients of a pass of training with differences, of the same draws."""
    name = type(layer).__name__
    model, X, Y = _problem(layer, input_shape)
    before = X.copy()
    model.forward(X)
    model.forward(X + 1, training=True)
    hint = "if it returned that as Z, the next pass computes in it, as cache.Z: return a copy"
    expect(
        np.array_equal(X, before),
        f"{name}.forward writes into the A_prev of the pass before; {hint}",
    )
    try:
        _gradients.check_gradients(model, X, Y, training=True)
    except AssertionError as wrong:
        raise AssertionError(f"in training, {wrong}{_likely_fault(model, X)}") from None


def _likely_fault(model: Sequential, X: Array) -> str:
    """Say what back is likely to have missed, if only the gradients of training are wrong."""
    start = copy.deepcopy(model.rng)

    def forward(X: Array) -> Array:
        model.rng = copy.deepcopy(start)
        model.forward(X, training=True)
        return model.Z[1].copy()

    Z = forward(X)
    if _drawn(model.rng) != _drawn(start):
        return "; back goes by what forward drew: the same mask, kept in the cache, with its factor"
    if not np.array_equal(
        forward(np.concatenate([X[..., :-1], X[..., -1:] + 1], axis=-1))[..., :-1], Z[..., :-1]
    ):
        return "; an example's Z depends on the others, as through mean and variance, and so does dA_prev"
    return ""


def check_chance(layer: Layer, input_shape: int | tuple[int, ...]) -> None:
    """See that what a layer draws in training does not merely scale Z, on average."""
    model, X, _ = _problem(layer, input_shape)
    model.forward(X)
    Z, not_drawn = model.Z[1].copy(), _drawn(model.rng)
    model.forward(X, training=True)
    if _drawn(model.rng) == not_drawn or not Z.any():
        return
    draws = np.empty((_DRAWS, *Z.shape))
    for draw in draws:
        model.forward(X, training=True)
        draw[...] = model.Z[1]
    factors = np.tensordot(draws, Z, Z.ndim) / np.vdot(Z, Z)
    factor, error = factors.mean(), factors.std() / math.sqrt(_DRAWS)
    off, errors = np.abs(draws.mean(axis=0) - factor * Z), draws.std(axis=0) / math.sqrt(_DRAWS)
    scaled = bool(
        (off <= _ERRORS * errors + 1e-9).all()
    )  # else it is moved in another way, and may well be
    expect(
        not scaled or abs(factor - 1) <= _ERRORS * error + 1e-9,
        f"in training, Z of {type(layer).__name__} is on average {factor:.3g} times what it is at prediction; "
        "divide what is kept by the probability to be kept, 1 - rate",
    )


def check_copies(layer: Layer, input_shape: int | tuple[int, ...]) -> None:
    """See that what training leaves in a layer is in every copy and file of the model, and serves any batch."""
    import tempfile  # costs 10 ms, and only files need it

    name = type(layer).__name__
    model, X, _ = _problem(layer, input_shape)
    for shift in range(3):
        model.forward(X + shift, training=True)
    A = model.forward(X).copy()
    hint = "what is to last from pass to pass is declared in state, and then is cache.its_name"
    expect(
        np.allclose(model.predict(X), A),
        f"{name}: after training, predict is not what forward is; {hint}",
    )
    copies = {"deepcopy": copy.deepcopy(model)}
    if getattr(sys.modules.get(type(layer).__module__), name, None) is type(
        layer
    ):  # else pickle cannot find it
        copies["pickle"] = pickle.loads(pickle.dumps(model))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.npz")
        model.save(path)
        copies["load"] = Sequential.load(path)
    for way, other in copies.items():
        expect(
            np.allclose(other.predict(X), A),
            f"{name}: what training left is lost on the way by {way}; {hint}",
        )


CHECKS = (check_passes, check_examples, check_gradients, check_training, check_chance, check_copies)
