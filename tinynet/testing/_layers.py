"""What every layer must pass."""

from __future__ import annotations

import copy
import functools
import io
import itertools
import math
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, entry
from tinynet._support.random import restore
from tinynet.errors import NonFiniteError
from tinynet.files import model as model_file
from tinynet.files.archive import opened
from tinynet.layers import Layer
from tinynet.layers.base import trusted_probe
from tinynet.model.network import Network
from tinynet.testing import _gradients
from tinynet.testing._chains import fault_of_chains
from tinynet.testing._expect import (
    copies_of,
    expect,
    expect_any_layout,
    expect_array,
    expect_dtype,
    expect_dtypes,
    unchanged,
)

_DRAWS = 1000
_INDICES = 5  # how many, where a layer takes any
_ERRORS = 6  # standard errors that a mean of draws may be away
_LOOK = "look at cache.training first"

Inputs = int | tuple[int, ...]


def _problem(layer: Layer, inputs: Inputs, dtype: Any = "f8") -> tuple[Network, Array, Array]:
    """Return a model of the layer alone, its parameters drawn anew, and X and Y."""
    rng = np.random.default_rng(0)
    model = Network([layer], "mean_squared_error", inputs, dtype, seed=0)
    model.params[:] = rng.standard_normal(model.n_params)
    shapes = (model.inputs, model.outputs)
    # No number of units is that of the examples, so that nothing confuses the two.
    m = next(m for m in (7, 8, 9, 5, 6, 10, 11) if m not in sum(shapes, ()))
    X, Y = (rng.standard_normal((*shape, m)).astype(dtype) for shape in shapes)
    if model.takes.are_indices:
        X = rng.integers(model.takes.n_indices or _INDICES, size=X.shape)
    return model, X, Y


def _start(model: Network, X: Array, training: bool) -> Any:
    """Return the cache of the layer, as it is in a pass for X that computes dA[0]."""
    chain = model.use_chain(X.shape[-1])
    chain.set_mode(training, model.rng)
    cache = chain.first
    cache.A_prev, cache.dA_prev = X, None if model.takes.are_indices else np.empty_like(X)
    return cache


def _Z(model: Network, X: Array, training: bool = False) -> Array:
    model.forward(X, training)
    return model.Z[1].copy()


def _position(rng: Any) -> Any:
    """Return how far a generator has come."""
    return copy.deepcopy(rng.bit_generator.state)


def check_passes(layer: Layer, input_shape: Inputs) -> None:
    """Check that passes have the right shapes and dtypes, are repeatable, and change nothing."""

    def passes() -> None:
        for training, dtype in itertools.product((False, True), map(np.dtype, ("f4", "f8"))):
            _check_passes(layer, input_shape, dtype, training)

    def numbers() -> None:
        passes()
        check_gradients(layer, input_shape)
        check_training(layer, input_shape)

    check_dtypes = functools.partial(_check_dtypes, layer, input_shape)
    expect_dtypes(check_dtypes, numbers, "The gradients are right, but ")
    passes()


@np.errstate(all="ignore")  # other checks look at the numbers
def _check_dtypes(layer: Layer, input_shape: Inputs) -> None:
    """Check that Z and dA_prev have the dtype of A_prev and dZ."""
    name = type(layer).__name__
    for training, dtype in itertools.product((False, True), ("f4", "f8")):
        model, X, Y = _problem(layer, input_shape, dtype)
        cache = _start(model, X, training)
        like = Y if model.takes.are_indices else X
        expect_dtype(f"{name}.forward", layer.forward(X, cache), "A_prev", like)
        dA_prev = layer.back(Y, cache)
        if not model.takes.are_indices:
            expect_dtype(f"{name}.back", dA_prev, "dZ", Y)


@np.errstate(invalid="ignore")  # what should be state may not bear random parameters
def _check_passes(layer: Layer, inputs: Inputs, dtype: np.dtype[Any], training: bool) -> None:
    forward, back = (f"{type(layer).__name__}.{method}" for method in ("forward", "back"))
    model, X, Y = _problem(layer, inputs, dtype)
    before, cache = copy.deepcopy(model), _start(model, X, training)
    state = model.storage.placed[0].state_views

    Z = expect_array(forward, lambda A_prev: layer.forward(A_prev, cache), Y, A_prev=X)
    _expect_unmoved(forward, model, before, training)
    drawn, first = _position(model.rng), np.copy(Z)
    message = f"{forward} draws from cache.rng outside training. Nothing is random at prediction:"
    expect(training or drawn == _position(before.rng), f"{message} {_LOOK}.")

    held = {key: getattr(cache, key).copy() for key in ("A_prev", *cache.parameters, *state)}
    if model.takes.are_indices:
        unchanged(back, lambda dZ: layer.back(dZ, cache), dZ=Y)
    else:
        expect_array(back, lambda dZ: layer.back(dZ, cache), X, dZ=Y)
    hint = "Let forward put the mask in the cache, and use it."
    expect(_position(model.rng) == drawn, f"{back} draws from cache.rng. {hint}")
    for key, array in held.items():
        same = np.array_equal(getattr(cache, key), array)
        expect(same, f"{back} changes cache.{key}, expected only gradients to change.")

    model.values[:] = before.values
    restore(model.rng, before.rng)
    same = np.array_equal(layer.forward(X, cache), first, equal_nan=True)
    hint = "In training, draw from cache.rng only." if training else f"If it draws, {_LOOK}."
    expect(same, f"{forward} gives another Z for the same A_prev the second time. {hint}")


def _expect_unmoved(what: str, model: Network, before: Network, training: bool) -> None:
    """Check that a pass has changed no parameter, and state in training only."""
    for layer, same in zip(model.storage.placed, before.storage.placed, strict=True):
        for name, view in layer.params.items():
            message = f"{what} changes {name}, which the layer declares as a parameter. Declare in"
            hint = "state what passes change and training does not."
            expect(np.array_equal(view, same.params[name]), f"{message} {hint}")
        for name, view in layer.state_views.items():
            may_pass = training or np.array_equal(view, same.state_views[name])
            expect(may_pass, f"{what} changes its state, {name}, outside training: {_LOOK}.")


def check_examples(layer: Layer, input_shape: Inputs) -> None:
    """Check that an example's Z is its own, and the same wherever A_prev lies in memory."""
    forward = f"{type(layer).__name__}.forward"
    model, X, _ = _problem(layer, input_shape)
    Z = _Z(model, X)
    expect_any_layout(forward, lambda A_prev: _Z(model, A_prev), X)
    hint = "for a finite A_prev and parameters. Look for a logarithm, a root or a division."
    expect(np.isfinite(Z).all(), f"{forward} gives a Z that is not finite {hint}")
    message = f"{forward} differs for the first example alone. Outside training an example's Z"
    hint = "must not depend on the others: sum over the units, axis 0."
    expect(np.allclose(_Z(model, X[..., :1]), Z[..., :1]), f"{message} {hint}")


def check_gradients(layer: Layer, input_shape: Inputs) -> None:
    """Compare dA_prev and the gradient of each parameter with differences."""
    try:
        _gradients.check_gradients(*_problem(layer, input_shape))
    except AssertionError as error:
        if not layer.chains:
            raise
        # What is wrong with a chain makes the gradients within wrong, too.
        fault = fault_of_chains(layer, *_problem(layer, input_shape))
        right = f"What {type(layer).__name__}.back passes to its chains is right."
        raise AssertionError(fault or f"{error} {right}") from None


def check_training(layer: Layer, input_shape: Inputs) -> None:
    """Compare the gradients of a pass of training with differences, with the same draws."""
    model, X, Y = _problem(layer, input_shape)
    try:
        _gradients.check_gradients(model, X, Y, training=True)
    except AssertionError as error:
        raise AssertionError(f"In training, {error}{_likely_mistake(model, X)}") from None


def _likely_mistake(model: Network, X: Array) -> str:
    """Return what back is likely to have missed, if only the gradients of training are wrong."""
    start, Z = _position(model.rng), _Z(model, X, training=True)
    if _position(model.rng) != start:
        return " back must use what forward drew: the same mask from the cache, with its factor."
    X[..., -1] = X[..., 0] if model.takes.are_indices else X[..., -1] + 1
    if not np.array_equal(_Z(model, X, training=True)[..., :-1], Z[..., :-1]):
        return " An example's Z depends on the others (mean and variance), and so does dA_prev."
    return ""


def check_chance(layer: Layer, input_shape: Inputs) -> None:
    """Check that what a layer draws in training does not merely scale Z, on average."""
    model, X, _ = _problem(layer, input_shape)
    Z, not_drawn = _Z(model, X), _position(model.rng)
    model.forward(X, training=True)
    if _position(model.rng) == not_drawn or not Z.any():
        return
    draws = np.stack([_Z(model, X, training=True) for _ in range(_DRAWS)])
    factors = np.tensordot(draws, Z, Z.ndim) / np.vdot(Z, Z)
    factor, error = factors.mean(), factors.std() / math.sqrt(_DRAWS)
    off, errors = np.abs(draws.mean(axis=0) - factor * Z), draws.std(axis=0) / math.sqrt(_DRAWS)
    # Otherwise Z changes in another way than by a factor, and may well do so.
    is_scaled = bool((off <= _ERRORS * errors + 1e-9).all())
    found = f"Z of {type(layer).__name__} is on average {factor:.3g} times what it is at prediction"
    hint = "Divide what stays by its probability, 1 - rate."
    is_right = not is_scaled or abs(factor - 1) <= _ERRORS * error + 1e-9
    expect(is_right, f"In training, {found}. {hint}")


def check_input_probe(layer: Layer, input_shape: Inputs) -> None:
    """Check that a layer with an `input_probe` shows there what is not finite in A_prev."""
    model, X, _ = _problem(layer, input_shape)
    for training in (False, True):
        cache = _start(model, X, training)
        if trusted_probe(layer, cache) is cache.Z:
            continue
        for i in {0, X.size // 2, X.size - 1}:
            at, bad = np.unravel_index(i, X.shape), X.copy()
            bad[at] = np.nan
            model.forward(X, training)
            try:
                model.forward(bad, training)
            except NonFiniteError:
                continue
            when = "in training" if training else "outside training"
            where = f"{entry('A_prev', map(int, at))} is nan"
            message = f"{type(layer).__name__}.input_probe is finite {when} where {where}."
            hint = "Return an array on which every number of A_prev has an effect, or cache.Z."
            expect(False, f"{message} {hint}")


def check_copies(layer: Layer, input_shape: Inputs) -> None:
    """Check that each copy and file of a model has what training left in a layer."""
    name = type(layer).__name__
    model, X, _ = _problem(layer, input_shape)
    for shift in range(3):
        model.forward(X if model.takes.are_indices else X + shift, training=True)
    A = model.forward(X).copy()
    hint = "Declare in state what must last from pass to pass; it is then in the cache."
    private = model.storage.private_chain(X.shape[-1]).forward_input(X)
    expect(np.allclose(private, A), f"{name}: after training, predict differs from forward. {hint}")
    copies, file = copies_of(model, type(layer)), io.BytesIO()
    model_file.save(model, file)
    with opened(file) as archive:
        copies["load"] = model_file.read(archive, Network)
    for way, other in copies.items():
        same = np.allclose(other.forward(X), A)
        expect(same, f"{name}: what training left is lost by {way}. {hint}")


CHECKS = (
    check_passes, check_examples, check_gradients, check_training, check_chance, check_input_probe,
    check_copies,
)  # fmt: skip
