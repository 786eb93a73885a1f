"""What every activation, layer, loss, optimizer, schedule and initializer must pass: ours and yours.

A check returns quietly or raises an AssertionError that says what is wrong. Gradients are
compared with central differences in float64, whatever precision is used elsewhere.

>>> import tinynet as tn
>>> tn.testing.check_activation(tn.Activation.get("tanh"))
"""

from __future__ import annotations

import copy
import functools
import pickle
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinynet._arrays import Arrays, title
from tinynet._buffers import Array
from tinynet._door import example_shape
from tinynet._registry import Registered
from tinynet.activations import Activation
from tinynet.initializers import Initializer
from tinynet.layers import Layer
from tinynet.losses import Loss
from tinynet.optimizers import Optimizer
from tinynet.schedules import Schedule
from tinynet.sequential import Sequential

_STEPS = (1e-5, 1e-6, 1e-7)  # a smaller one does not cross the kink that a larger one did
_DIRECTIONS = 12
_FLOOR = 1e-4  # smaller slopes are judged as if they were this: differences see no better


def _expect(holds: Any, message: str) -> None:
    if not holds:
        raise AssertionError(message)


def _differences(J: Callable[[], float], array: Array, gradient: Array) -> Iterator[tuple[float, float]]:
    """Yield the gradient along each of some directions, and the nearest central difference of J."""
    normal = np.random.default_rng(0).standard_normal
    directions = np.eye(array.size) if array.size <= _DIRECTIONS else normal((_DIRECTIONS, array.size))
    start = array.copy()
    for direction in directions:
        d = (direction / np.linalg.norm(direction)).reshape(array.shape)
        given, slopes = float(np.vdot(gradient, d)), []
        for step in _STEPS:
            array[...] = start + step * d
            J_after = J()
            array[...] = start - step * d
            slopes.append((J_after - J()) / (2 * step))
        array[...] = start
        yield given, min(slopes, key=lambda slope: abs(slope - given))


def _compare(name: str, J: Callable[[], float], array: Array, gradient: Array, tolerance: float = 1e-6) -> float:
    _expect(np.isfinite(gradient).all(), f"{name} is not filled, or not finite: back must write every entry of it")
    pairs = list(_differences(J, array, gradient))
    scale = max([_FLOOR, *map(abs, sum(pairs, ()))])
    error, given, slope = max((abs(given - slope) / scale, given, slope) for given, slope in pairs)
    ratio = f" ({given / slope:.4g} times as much)" if slope else ""
    message = f"{name} does not match the cost: along a direction it gives {given:.8g}{ratio}, the slope is {slope:.8g}"
    _expect(error <= tolerance, message)
    return error


def check_gradients(model: Sequential, X: Any, Y: Any, tolerance: float = 1e-6) -> float:
    """Compare every gradient of a model, dA[0] included, with central differences of its cost.

    The model is left as it is: a copy in float64 is checked on a few examples, its parameters moved
    a little so that no ReLU stands at its kink, along random directions where arrays are large.
    Returns the largest error found, relative to the largest slope of the same array; an
    AssertionError names a gradient that is missing, or wrong by more than `tolerance`.
    """
    double = Sequential(model.layers, model.loss, np.shape(X)[:-1], "float64", seed=0)
    if model.is_built:
        double.params[:] = model.params
    double.params[:] += 1e-3 * np.random.default_rng(0).standard_normal(double.n_params)
    X, Y = double.admit(X, Y)
    X = X.copy()  # differences are taken in it, too
    double.grads[:] = np.nan  # a gradient that back forgets stays so
    double.forward(X)
    double.back(Y, input_gradient=True)
    checked = [("dA[0], from layer 1,", X, double.dA[0] / X.shape[-1])]
    for l, (layer, cache) in enumerate(zip(double.layers, double.caches, strict=True), 1):
        for name in cache.parameters:
            gradient = getattr(cache, f"d{name}").copy()
            checked.append((f"d{name}[{l}] of {title(l, layer)}", getattr(cache, name), gradient))

    def J() -> float:
        double.forward(X)
        return double.cost(Y)

    return max(_compare(name, J, array, gradient, tolerance) for name, array, gradient in checked)


def _check_description(thing: Registered) -> None:
    family: Any = type(thing)
    ways = {"its config": family.get(thing.config()), "copy.deepcopy": copy.deepcopy(thing)}
    if getattr(sys.modules.get(family.__module__), family.__name__, None) is family:  # else pickle cannot find it
        ways["pickle"] = pickle.loads(pickle.dumps(thing))
    for way, other in ways.items():
        _expect(other == thing, f"{thing!r} comes back from {way} as {other!r}; make its settings attrs fields")
        _expect(hash(other) == hash(thing), f"{thing!r} and its equal from {way} have different hashes")


def _check_kept(name: str, call: Callable[..., Any], **arrays: Array) -> Any:
    """Call with copies of the arrays, and see that they are left alone."""
    given = {what: array.copy() for what, array in arrays.items()}
    result = call(*given.values())
    for what, array in given.items():
        _expect(np.array_equal(array, arrays[what]), f"{name} writes into {what}; compute in a new array, or in out")
    return result


def check_activation(activation: Activation) -> None:
    """Check an activation: shapes, dtypes, manners, finite up to |Z| = 1e4, and back against forward."""
    _run(activation)


def _activation_points() -> tuple[Array, Array]:
    """Return a Z and a dA of (5, 8)."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((5, 8)) * 2, rng.standard_normal((5, 8))


def _check_shapes_and_dtypes(activation: Activation) -> None:
    name = type(activation).__name__
    for dtype in map(np.dtype, (np.float64, np.float32)):
        Z, dA = (array.astype(dtype) for array in _activation_points())
        A = _check_kept(f"{name}.forward", activation.forward, Z=Z)
        dZ = _check_kept(f"{name}.back", activation.back, dA=dA, Z=Z, A=A)
        for method, result, arguments in (("forward", A, (Z,)), ("back", dZ, (dA, Z, A))):
            _expect(np.shape(result) == Z.shape, f"{name}.{method} turns shape {Z.shape} into {np.shape(result)}")
            _expect(result.dtype == dtype, f"{name}.{method} gives {result.dtype} for {dtype}")
            out = np.full_like(Z, np.nan)
            same = getattr(activation, method)(*arguments, out=out) is out and np.array_equal(out, result)
            _expect(same, f"{name}.{method} with out= must put the same result there, and return it")


def _check_finite_far_out(activation: Activation) -> None:
    name = type(activation).__name__
    for dtype in (np.float64, np.float32):
        far = np.linspace(-1e4, 1e4, 21, dtype=dtype)[np.newaxis]
        with np.errstate(all="ignore"):  # whether a warning matters shows in the result
            results = activation.forward(far), activation.back(np.ones_like(far), far, activation.forward(far))
        for method, result in zip(("forward", "back"), results, strict=True):
            _expect(np.isfinite(result).all(), f"{name}.{method} is not finite at Z = {far[~np.isfinite(result)][:3]}")


def _check_examples_apart(activation: Activation) -> None:
    name, (Z, _) = type(activation).__name__, _activation_points()
    A = activation.forward(Z)
    for m in (1, 0):
        some = activation.forward(Z[:, :m])
        hint = "an example's A must not depend on the others: add up or compare along axis 0, with keepdims=True"
        same = np.shape(some) == (5, m) and np.allclose(some, A[:, :m], rtol=1e-12)
        _expect(same, f"{name}.forward differs for the first m = {m} examples alone; {hint}")


def _check_memory_order(activation: Activation) -> None:
    name, (Z, _) = type(activation).__name__, _activation_points()
    for laid_out in (np.asfortranarray(Z), np.repeat(Z, 2, axis=1)[:, ::2]):
        same = np.array_equal(activation.forward(laid_out), activation.forward(Z))
        _expect(same, f"{name}.forward of the same numbers differs when they lie otherwise in memory")


def _check_slopes(activation: Activation) -> None:
    Z, dA = _activation_points()
    dZ, slopes = activation.back(dA, Z, activation.forward(Z)), np.full(Z.shape, np.inf)
    for k, h in ((k, h) for k in range(len(Z)) for h in _STEPS):
        step = np.zeros_like(Z)
        step[k] = h
        slope = np.sum(dA * (activation.forward(Z + step) - activation.forward(Z - step)), axis=0) / (2 * h)
        slopes[k] = np.where(np.abs(slope - dZ[k]) < np.abs(slopes[k] - dZ[k]), slope, slopes[k])
    at = np.unravel_index(np.argmax(np.abs(slopes - dZ)), Z.shape)
    _expect(
        np.allclose(dZ, slopes, rtol=1e-6, atol=1e-7),
        f"{type(activation).__name__}: back does not match forward: at Z = {Z[at]:.6g} with dA = {dA[at]:.6g} "
        f"it gives dZ = {dZ[at]:.6g}, the slope is {slopes[at]:.6g}{_likely_mistake(activation, Z, dA, dZ, slopes)}",
    )


@np.errstate(all="ignore")  # a guess may be far off
def _likely_mistake(activation: Activation, Z: Array, dA: Array, dZ: Array, slopes: Array) -> str:
    """Say which of the usual mistakes explains a wrong dZ, if one does."""
    A = activation.forward(Z)
    ratios = dZ / slopes

    def right(dZ: Array) -> bool:
        return np.allclose(dZ, slopes, rtol=1e-5, atol=1e-7)

    if right(activation.back(dA, A, A)):
        return "; it would be right with A in place of Z: this formula is for A"
    if right(activation.back(dA, Z, Z)):
        return "; it would be right with Z in place of A: this formula is for Z"
    if right(dZ * dA):
        return "; it would be right times dA: back returns dA times the slope, not the slope"
    if np.allclose(ratios, ratios.flat[0], rtol=1e-5):
        return f"; it is {ratios.flat[0]:.6g} times the slope everywhere: look for a factor too many or too few"
    if not np.allclose(activation.forward(np.concatenate([Z[:1], Z[1:] + 1]))[0], A[0]):
        return "; A[k] depends on all units Z[j] of its example, so dZ is the whole Jacobian times dA, not its diagonal"
    return ""


def check_layer(layer: Layer, input_shape: int | tuple[int, ...]) -> None:
    """Check a layer on examples of a shape: gradients, shapes, dtypes, manners."""
    _run(layer, input_shape)


def _check_passes(layer: Layer, input_shape: int | tuple[int, ...]) -> None:
    name, rng = type(layer).__name__, np.random.default_rng(0)
    for dtype in map(np.dtype, (np.float32, np.float64)):
        arrays = Arrays([layer], example_shape(input_shape), dtype, None)
        arrays.params[:] = rng.standard_normal(arrays.params.size)
        X, Y = (rng.standard_normal((*shape, 4)).astype(dtype) for shape in arrays.shapes)
        (cache,) = arrays.caches(4)
        cache.A_prev, cache.dA_prev = X, np.empty_like(X)
        Z = _check_kept(f"{name}.forward", lambda A_prev, cache=cache: layer.forward(A_prev, cache), A_prev=X).copy()
        dA_prev = _check_kept(f"{name}.back", lambda dZ, cache=cache: layer.back(dZ, cache), dZ=Y)
        for method, array, like in (("forward", Z, Y), ("back", dA_prev, X)):
            shape = np.shape(array)
            _expect(shape == like.shape, f"{name}.{method} returns shape {shape}; needed is {like.shape}")
            _expect(array.dtype == dtype, f"{name}.{method} gives {array.dtype} for {dtype}")
        again = layer.forward(X, cache)
        _expect(np.array_equal(again, Z), f"{name}.forward gives another Z for the same A_prev the second time")


def _check_layer_gradients(layer: Layer, input_shape: int | tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    model = Sequential([layer], "mean_squared_error", input_shape, "float64", seed=0)
    model.params[:] = rng.standard_normal(model.n_params)
    X, Y = (rng.standard_normal((*shape, 4)) for shape in (model.inputs, model.outputs))
    check_gradients(model, X, Y)


def check_loss(loss: Loss) -> None:
    """Check a loss: back against value, manners, and that its partner is one."""
    _run(loss)


def _loss_points(loss: Loss) -> tuple[Array, Array, Array]:
    """Return Z, an A within the loss's domain, and Y, of (3, 20)."""
    rng, (low, high) = np.random.default_rng(0), loss.domain
    Z = rng.standard_normal((3, 20)) * 2
    A = Z if np.isinf(low) else low + np.exp(Z) if np.isinf(high) else low + (high - low) / (1 + np.exp(-Z))
    one_hot = (rng.integers(3, size=20) == np.arange(3)[:, np.newaxis]).astype(float)
    return Z, A, rng.standard_normal(Z.shape) * 2 if np.isinf(low) else one_hot


def _check_value_and_back(loss: Loss) -> None:
    name, (_, A, Y) = type(loss).__name__, _loss_points(loss)
    dA = _check_kept(f"{name}.back", loss.back, A=A, Y=Y)
    _expect(np.shape(dA) == A.shape, f"{name}.back turns shape {A.shape} into {np.shape(dA)}")
    single = loss.back(A.astype(np.float32), Y.astype(np.float32))
    _expect(single.dtype == np.float32, f"{name}.back gives {single.dtype} for float32")
    J = _check_kept(f"{name}.value", loss.value, A=A, Y=Y)
    _expect(isinstance(J, (float, np.floating)), f"{name}.value must return a number; it gives {J!r}")
    _compare(f"{name}.back / m", lambda: loss.value(A, Y), A, dA / A.shape[-1])


def _check_partner(loss: Loss) -> None:
    name, (Z, _, Y) = type(loss).__name__, _loss_points(loss)
    if loss.partner is not None:
        A = loss.partner.forward(Z)
        dZ = loss.partner.back(loss.back(A, Y), Z, A)
        is_one = np.allclose(dZ, loss.partner_back(A, Y), rtol=1e-9, atol=1e-12)
        _expect(is_one, f"{name}: with {loss.partner!r} dZ is not A - Y, so it is no partner; write partner = None")
        _expect(np.isclose(loss.partner_value(Z, Y), loss.value(A, Y)), f"{name}: partner_value differs from value")


def check_optimizer(optimizer: Optimizer) -> None:
    """Check an optimizer: down a slope it goes, in place, with its memory to itself."""
    _run(optimizer)


def _check_way_down(optimizer: Optimizer) -> None:
    name, fresh = type(optimizer).__name__, copy.deepcopy(optimizer)
    fresh.reset()
    for dtype in map(np.dtype, (np.float64, np.float32)):
        runs: list[Array] = []
        for other in (copy.deepcopy(fresh), copy.deepcopy(fresh)):
            params, lowest = (np.array(at, dtype) for at in ([3.0, -2.0, 0.5], [4.0, -4.0, 2.0]))
            for _ in range(20):  # down |params - lowest|²/2
                update = functools.partial(other.update, params)
                _check_kept(name, update, grads=params - lowest)
                _expect(np.isfinite(params).all(), f"{name} makes parameters that are not finite: {params}")
            runs.append(params)
            far = np.linalg.norm(params - lowest)
            _expect(far < 2.69, f"{name} does not go down: 2.69 from the lowest point at first, then {far:.3g}")
            for what, memory in other.memory.items():
                fits = memory.dtype == dtype or memory.ndim == 0  # a single number is not the parameters' precision
                _expect(fits, f"{name} remembers {what} in {memory.dtype} for parameters in {dtype}")
            _expect((other, repr(other)) == (fresh, repr(fresh)), f"{name}: its memory shows in equality or repr")
        _expect(np.array_equal(runs[0], runs[1]), f"{name} moves the same parameters differently the second time")


def _check_restart(optimizer: Optimizer) -> None:
    def go_on(optimizer: Optimizer, params: Array) -> None:
        for _ in range(5):
            optimizer.update(params, params - np.array([4.0, -4.0, 2.0]))
            optimizer.end_epoch()

    first, params = copy.deepcopy(optimizer), np.array([3.0, -2.0, 0.5])
    first.reset()
    go_on(first, params)
    second, again = Optimizer.get(first.config()), params.copy()
    second.memory.update(copy.deepcopy(first.memory))
    go_on(first, params)
    go_on(second, again)
    hint = "what it remembers must be in recall's arrays, all of it"
    same = np.array_equal(params, again)
    _expect(same, f"{type(optimizer).__name__} goes on otherwise with a copy of its memory than with its own: {hint}")


def check_schedule(schedule: Schedule) -> None:
    """Check a schedule: finite numbers of at least 0, by t and by nothing else."""
    _run(schedule)


def _check_rates(schedule: Schedule) -> None:
    name, times = type(schedule).__name__, (*range(100), 1_000, 99_999, 1_000_000)
    rates = [schedule.at(t) for t in times]
    for t, rate in zip(times, rates, strict=True):
        _expect(isinstance(rate, (float, int)), f"{name}.at({t}) must be a number; it is {rate!r}")
        _expect(0 <= rate < np.inf, f"{name}.at({t}) is {rate}; a learning rate is finite and at least 0")
    other = Schedule.get(schedule.config())
    _expect(rates[::-1] == [other.at(t) for t in times[::-1]], f"{name}.at must go by t and by nothing else")


def check_initializer(init: Initializer) -> None:
    """Check an initializer: shape, finite numbers, drawn from its generator alone."""
    _run(init)


def _check_draws(init: Initializer) -> None:
    name = type(init).__name__
    makers: tuple[Callable[[int], Any], ...] = (np.random.default_rng, np.random.RandomState)
    for shape, make in ((shape, make) for shape in ((3, 4), (4, 3), (1, 1), (5, 1)) for make in makers):
        first, second = init.draw(shape, make(7)), init.draw(shape, make(7))
        _expect(np.shape(first) == shape, f"{name} draws shape {np.shape(first)} for {shape}")
        _expect(np.isfinite(first).all(), f"{name} draws numbers that are not finite")
        _expect(np.array_equal(first, second), f"{name} does not draw from the generator it is given alone")


_CHECKS: dict[type[Any], tuple[Callable[..., None], ...]] = {
    Activation: (
        _check_shapes_and_dtypes, _check_finite_far_out, _check_examples_apart, _check_memory_order, _check_slopes,
    ),
    Layer: (_check_passes, _check_layer_gradients),
    Loss: (_check_value_and_back, _check_partner),
    Optimizer: (_check_way_down, _check_restart),
    Schedule: (_check_rates,),
    Initializer: (_check_draws,),
}  # fmt: skip


def checks(thing: Registered, *arguments: Any) -> list[Callable[[], None]]:
    """Return the checks of an activation, layer, loss, optimizer, schedule or initializer one by one, each with a name.

    They are what `check_activation` and so on run, as functions of no arguments, so that each can be a
    test of its own. A layer needs the shape of its input besides.

    >>> import tinynet as tn
    >>> [check.__name__ for check in tn.testing.checks(tn.Dense(3), 4)]
    ['description', 'passes', 'layer_gradients']

    With pytest::

        @pytest.mark.parametrize("check", tn.testing.checks(Swish()))
        def test_swish(check):
            check()
    """
    if isinstance(thing, type):
        raise TypeError(f"a check takes an instance, not a class; write {thing.__name__}()")
    families = [family for family in _CHECKS if isinstance(thing, family)]
    if not families:
        raise TypeError(f"{thing!r} is no activation, layer, loss, optimizer, schedule or initializer of tinynet")
    found: list[Any] = [functools.partial(_check_description, thing)]
    found += [functools.partial(check, thing, *arguments) for check in _CHECKS[families[0]]]
    for check in found:
        check.__name__ = check.func.__name__.removeprefix("_check_")
    return found


def _run(thing: Registered, *arguments: Any) -> None:
    for check in checks(thing, *arguments):
        check()
