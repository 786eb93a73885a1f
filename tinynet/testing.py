"""What every activation, layer, loss, optimizer and initializer must pass: ours and yours.

Each check returns quietly or raises an AssertionError that says what is wrong. Gradients
are compared with central differences in float64, whatever precision is asked for later.

>>> import tinynet as tn
>>> tn.testing.check_activation(tn.Activation.get("tanh"))
"""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinynet._arrays import title
from tinynet._buffers import Array
from tinynet._registry import Registered
from tinynet.activations import Activation
from tinynet.initializers import Initializer
from tinynet.layers import Layer
from tinynet.losses import Loss
from tinynet.optimizers import Optimizer
from tinynet.sequential import Sequential

_STEPS = (1e-5, 1e-6, 1e-7)  # a smaller one may not cross the kink that a larger one did
_DIRECTIONS = 12
_FLOOR = 1e-4  # below it, an error counts as relative to this: differences are no better


def _expect(holds: Any, message: str) -> None:
    if not holds:
        raise AssertionError(message)


def _differences(J: Callable[[], float], array: Array, gradient: Array) -> Iterator[tuple[float, float]]:
    """Yield, for some directions, the gradient along each and the central difference of J nearest to it."""
    rng = np.random.default_rng(0)
    few = array.size <= _DIRECTIONS
    for direction in np.eye(array.size) if few else rng.standard_normal((_DIRECTIONS, array.size)):
        d = direction.reshape(array.shape) / np.linalg.norm(direction)
        given, start = float(np.vdot(gradient, d)), array.copy()

        def along(step: float, d: Array = d, start: Array = start) -> float:
            array[...] = start + step * d
            value = J()
            array[...] = start
            return value

        slopes = [(along(step) - along(-step)) / (2 * step) for step in _STEPS]
        yield given, min(slopes, key=lambda slope: abs(slope - given))


def _compare(name: str, J: Callable[[], float], array: Array, gradient: Array, tolerance: float) -> float:
    _expect(np.isfinite(gradient).all(), f"{name} is not filled, or not finite: back must write every entry of it")
    pairs = list(_differences(J, array, gradient))
    if not pairs:
        return 0.0
    scale = max(_FLOOR, *(max(abs(given), abs(slope)) for given, slope in pairs))
    error, given, slope = max((abs(given - slope) / scale, given, slope) for given, slope in pairs)
    ratio = f", {given / slope:.4g} times as much" if slope else ""
    _expect(
        error <= tolerance,
        f"{name} does not match the cost: along a direction it gives {given:.8g}, the slope is {slope:.8g}{ratio}",
    )
    return error


def check_gradients(model: Sequential, X: Any, Y: Any, tolerance: float = 1e-6) -> float:
    """Compare every gradient of `model`, dA[0] included, with central differences of its cost.

    Parameters
    ----------
    model : Sequential
        Left as it is: a copy in float64 is checked, in random directions where arrays are large.
    X, Y : array_like
        A few examples.
    tolerance : float
        The largest relative error that is let pass.

    Returns
    -------
    float
        The largest error, relative to the largest slope of the same array.

    Raises
    ------
    AssertionError
        A gradient is missing or wrong; the message names it and tells both numbers.
    """
    double = Sequential(model.layers, model.loss, np.shape(X)[:-1], "float64")
    if model._arrays is not None:
        double.params[:] = model.params
    X, Y = double.admit(X, Y)
    X = X.copy()  # in which differences are taken, too
    double.grads[:] = np.nan  # so that a forgotten gradient is seen
    double.forward(X)
    double.back(Y, input_gradient=True)
    checked = [("dA[0], from layer 1", X, double.dA[0] / X.shape[-1])]
    for l, (layer, cache) in enumerate(zip(double.layers, double.caches, strict=True), 1):
        for name in layer.parameters(double._built().shapes[l - 1]):
            gradient = getattr(cache, f"d{name}").copy()
            checked.append((f"d{name}[{l}] of {title(l, layer)}", getattr(cache, name), gradient))

    def J() -> float:
        double.forward(X)
        return double.cost(Y)

    return max(_compare(name, J, array, gradient, tolerance) for name, array, gradient in checked)


def _check_description(thing: Registered) -> None:
    family: Any = type(thing)
    for how, other in {
        "its config": family.get(thing.config()),
        "copy.deepcopy": copy.deepcopy(thing),
        "pickle": pickle.loads(pickle.dumps(thing)) if _importable(type(thing)) else thing,
    }.items():
        _expect(other == thing, f"{thing!r} comes back from {how} as {other!r}; make its settings attrs fields")
    _expect(hash(thing) == hash(copy.deepcopy(thing)), f"{thing!r} and its copy are equal but have different hashes")


def _importable(cls: type) -> bool:
    return "<locals>" not in cls.__qualname__  # pickle finds a class only by its address


def check_activation(activation: Activation) -> None:
    """Check an activation: shapes, dtypes, inputs left alone, finite far out, and back against forward.

    Raises
    ------
    AssertionError
        What is wrong.
    """
    _check_description(activation)
    name = type(activation).__name__
    Z = np.random.default_rng(0).standard_normal((5, 8)) * 2
    dA = np.random.default_rng(1).standard_normal(Z.shape)
    for dtype in (np.float64, np.float32):
        inputs = [dA.astype(dtype), Z.astype(dtype), activation.forward(Z.astype(dtype))]
        before = [array.copy() for array in inputs]
        results = {"forward": activation.forward(inputs[1]), "back": activation.back(*inputs)}
        for array, kept, what in zip(inputs, before, ("dA", "Z", "A"), strict=True):
            _expect(np.array_equal(array, kept), f"{name} writes into {what}; compute in a new array, or in out")
        for method, result in results.items():
            _expect(result.shape == Z.shape, f"{name}.{method} turns shape {Z.shape} into {result.shape}")
            _expect(result.dtype == dtype, f"{name}.{method} gives {result.dtype} for {np.dtype(dtype)}")
        out = [np.empty_like(Z, dtype), np.empty_like(Z, dtype)]
        for made, asked in zip([activation.forward(inputs[1], out=out[0]), activation.back(*inputs, out=out[1])], out, strict=True):
            _expect(made is asked, f"{name} was given out= and returned another array")
        _expect(np.array_equal(out, list(results.values())), f"{name} gives another result with out=")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                far = np.linspace(-1e4, 1e4, 21, dtype=dtype)[np.newaxis]
                finite = np.isfinite(activation.back(np.ones_like(far), far, activation.forward(far))).all()
                _expect(finite and np.isfinite(activation.forward(far)).all(), f"{name} is not finite for |Z| up to 1e4")
            except RuntimeWarning as warning:
                raise AssertionError(f"{name} for |Z| up to 1e4: {warning}") from warning
    for m, layout in ((8, np.asfortranarray), (1, np.ascontiguousarray), (0, np.ascontiguousarray)):
        A = activation.forward(layout(Z[:, :m]))
        _expect(np.array_equal(A, activation.forward(Z)[:, :m]), f"{name} depends on the memory order or on m (m = {m})")
    _check_slopes(activation, Z, dA)


def _check_slopes(activation: Activation, Z: Array, dA: Array) -> None:
    dZ, slopes = activation.back(dA, Z, activation.forward(Z)), np.full(Z.shape, np.inf)
    for k, h in ((k, h) for k in range(len(Z)) for h in _STEPS):
        step = np.zeros_like(Z)
        step[k] = h
        slope = np.sum(dA * (activation.forward(Z + step) - activation.forward(Z - step)), axis=0) / (2 * h)
        slopes[k] = np.where(np.abs(slope - dZ[k]) < np.abs(slopes[k] - dZ[k]), slope, slopes[k])
    worst = np.unravel_index(np.argmax(np.abs(slopes - dZ)), Z.shape)
    _expect(
        np.allclose(dZ, slopes, rtol=1e-6, atol=1e-7),
        f"{type(activation).__name__}: back does not match forward: at Z = {Z[worst]:.6g}, dA = {dA[worst]:.6g} "
        f"it gives dZ = {dZ[worst]:.6g}, the slope is {slopes[worst]:.6g}",
    )


def check_layer(layer: Layer, input_shape: int | tuple[int, ...]) -> None:
    """Check a layer on inputs of a shape (without the examples): its gradients, shapes, dtypes and manners.

    Raises
    ------
    AssertionError
        What is wrong.
    """
    _check_description(layer)
    name = type(layer).__name__
    rng = np.random.default_rng(0)
    for dtype in ("float32", "float64"):
        model = Sequential([layer], "mean_squared_error", input_shape, dtype, seed=0)
        model.params[:] = rng.standard_normal(model.n_params)
        X, Y = (rng.standard_normal((*shape, 4)).astype(dtype) for shape in model._built().shapes)
        kept = X.copy()
        A = model.forward(X).copy()
        model.back(Y, input_gradient=True)
        (cache,) = model.caches
        for what, array, shape in (("forward", cache.Z, Y.shape), ("back", cache.dA_prev, X.shape)):
            _expect(np.shape(array) == shape, f"{name}.{what} returns shape {np.shape(array)}; needed is {shape}")
            _expect(array.dtype == dtype, f"{name}.{what} gives {array.dtype} for {dtype}")
        _expect(np.array_equal(X, kept), f"{name} writes into A_prev")
        _expect(np.array_equal(model.forward(X), A), f"{name} gives another Z for the same A_prev the second time")
    check_gradients(model, X, Y)


def check_loss(loss: Loss) -> None:
    """Check a loss: back against value, its manners, and that its partner is one.

    Raises
    ------
    AssertionError
        What is wrong.
    """
    _check_description(loss)
    name, rng, (low, high) = type(loss).__name__, np.random.default_rng(0), loss.domain
    Z = rng.standard_normal((3, 20)) * 2
    A = Z if np.isinf(low) else low + np.exp(Z) if np.isinf(high) else low + (high - low) / (1 + np.exp(-Z))
    Y = rng.standard_normal(Z.shape) * 2 if np.isinf(low) else (Z.argmax(axis=0) == np.arange(3)[:, None]).astype(float)
    kept = A.copy(), Y.copy()
    dA = loss.back(A, Y)
    _expect(dA.shape == A.shape, f"{name}.back turns shape {A.shape} into {dA.shape}")
    _expect(np.array_equal(kept, (A, Y)), f"{name} writes into A or Y")
    _expect(np.isscalar(loss.value(A, Y)), f"{name}.value must return a number; got {loss.value(A, Y)!r}")
    single = loss.back(A.astype(np.float32), Y.astype(np.float32))
    _expect(single.dtype == np.float32, f"{name}.back gives {single.dtype} for float32")
    _compare(f"{name}.back / m", lambda: loss.value(A, Y), A, dA / A.shape[-1], 1e-6)
    if loss.partner is not None:
        A = loss.partner.forward(Z)
        dZ = loss.partner.back(loss.back(A, Y), Z, A)
        _expect(np.allclose(dZ, loss.partner_back(A, Y), rtol=1e-9), f"{name}: {loss.partner} is not its partner")
        _expect(np.isclose(loss.partner_value(Z, Y), loss.value(A, Y)), f"{name}: partner_value differs from value")


def check_optimizer(optimizer: Optimizer) -> None:
    """Check an optimizer: it goes down a slope in place, and keeps its memory to itself.

    Raises
    ------
    AssertionError
        What is wrong.
    """
    _check_description(optimizer)
    name, fresh = type(optimizer).__name__, copy.deepcopy(optimizer)
    fresh.reset()
    for dtype in (np.float64, np.float32):
        runs = []
        for other in (copy.deepcopy(fresh), copy.deepcopy(fresh)):
            params = np.array([3.0, -2.0, 0.5], dtype)
            for _ in range(20):
                grads = params.copy()  # of |params|²/2
                other.update(params, grads)
                _expect(np.isfinite(params).all(), f"{name} makes parameters that are not finite")
            _expect(np.vdot(params, params) < 13.25, f"{name} does not go down: |params|² rose from 13.25")
            for what, memory in other.memory.items():
                fits = memory.dtype == dtype or memory.dtype.kind in "iu"
                _expect(fits, f"{name} remembers {what} in {memory.dtype} for parameters in {np.dtype(dtype)}")
            _expect(other == fresh and repr(other) == repr(fresh), f"{name}: memory shows in equality or repr")
            before = grads.copy()
            other.update(params, grads)
            _expect(np.array_equal(grads, before), f"{name} writes into grads")
            runs.append(params)
        _expect(np.array_equal(*runs), f"{name} moves the same parameters differently the second time")


def check_initializer(init: Initializer) -> None:
    """Check an initializer: shape, finite numbers, and that it draws from its generator alone.

    Raises
    ------
    AssertionError
        What is wrong.
    """
    _check_description(init)
    name = type(init).__name__
    for shape in ((3, 4), (4, 3), (1, 1), (5, 1)):
        for generator in (np.random.default_rng, np.random.RandomState):
            drawn = [init.draw(shape, generator(7)) for _ in range(2)]  # type: ignore[operator]
            _expect(drawn[0].shape == shape, f"{name} draws shape {drawn[0].shape} for {shape}")
            _expect(np.isfinite(drawn[0]).all(), f"{name} draws numbers that are not finite")
            _expect(np.array_equal(*drawn), f"{name} does not draw from the generator it is given alone")
