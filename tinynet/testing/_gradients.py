"""Gradients against central differences of the cost, in float64."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.quiet import quiet
from tinynet._support.random import get_state, put_state
from tinynet.model.network import Network
from tinynet.testing._expect import expect
from tinynet.testing._mistakes import multiple, same

STEPS = (1e-5, 1e-6, 1e-7)  # a smaller step does not cross the kink that a larger one crossed
_DIRECTIONS = 12
TOLERANCE = 1e-6
_ENTRIES = 500  # up to so many, each entry of a wrong gradient is looked at
_FLOOR = 1e-4  # smaller slopes are compared as if they were this: differences see no better
_NEAR = 0.01  # part of the tolerance: no other step is tried for a slope that is so near


def _slope(J: Callable[[], float], array: Array, direction: Array, step: float) -> float:
    """Return the slope of J along a direction of the array, by a central difference."""
    start = array.copy()
    array[...] = start + step * direction
    J_after = J()
    array[...] = start - step * direction
    J_before = J()
    array[...] = start
    return (J_after - J_before) / (2 * step)


def _directions(array: Array) -> Array:
    """Return directions of length 1: each entry of a small array, or some at random."""
    rows: Array = np.random.default_rng(0).standard_normal((_DIRECTIONS, array.size))
    if array.size <= _DIRECTIONS:
        rows = np.eye(array.size)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).reshape(len(rows), *array.shape)


def _nearest_slope(
    J: Callable[[], float], array: Array, direction: Array, along: float, near: float
) -> float:
    """Return the slope of J that is nearest to `along`, or the first one that is near enough."""
    slopes: list[float] = []
    for step in STEPS:
        slopes.append(_slope(J, array, direction, step))
        if abs(slopes[-1] - along) <= near:
            return slopes[-1]
    return min(slopes, key=lambda slope: abs(slope - along))


def compare(
    name: str,
    J: Callable[[], float],
    array: Array,
    gradient: Array,
    m: int,
    is_mean: bool,
    tolerance: float = TOLERANCE,
) -> tuple[float, str]:
    """Return the largest relative error of a gradient, and a message that says where it is.

    It is compared along some directions, with the nearest of several central differences.
    `is_mean` says whether it is a mean over the m examples.
    """
    if not np.isfinite(gradient).all():
        hint = "back must write every entry of it, with =, because += adds to what was there"
        return math.inf, f"{name} is not filled, or not finite: {hint}."
    directions = _directions(array)
    alongs = [float(np.vdot(gradient, d)) for d in directions]
    near = _NEAR * tolerance * max(_FLOOR, *map(abs, alongs))
    pairs = [
        (along, _nearest_slope(J, array, d, along, near))
        for along, d in zip(alongs, directions, strict=True)
    ]
    if not np.isfinite(pairs).all():
        return math.inf, f"{name} cannot be compared: the cost is not finite next to the point."
    # No difference of two numbers as large as J sees more than this.
    noise = float(np.finfo(np.float64).eps) * abs(J()) / max(STEPS)
    scale = max(_FLOOR, *map(abs, sum(pairs, ()))) + noise / TOLERANCE
    error, along, slope = max((abs(along - slope) / scale, along, slope) for along, slope in pairs)
    has_digits = abs(slope) > TOLERANCE * scale  # a ratio to less would be one to rounding errors
    ratio = f" ({along / slope:.4g} times as much)" if has_digits else ""
    message = f"{name} does not match the cost: along a direction it gives {along:.8g}{ratio},"
    hint = ""
    if error > TOLERANCE and array.size <= _ENTRIES:
        entries: Array = np.eye(array.size).reshape(-1, *array.shape)
        slopes = [_slope(J, array, one, 1e-6) for one in entries]
        right = np.reshape(slopes, array.shape)
        hint = likely_mistake(gradient, right, m, is_mean) or factor(gradient, right)
        hint = f". {hint}" if hint else ""
    return error, f"{message} expected the slope {slope:.8g}{hint}."


def likely_mistake(gradient: Array, right: Array, m: int, is_mean: bool) -> str:
    """Return which of the usual mistakes explains a wrong gradient, or ""."""
    too_large, too_small = "it is for each example", "for each example do not divide by m"
    if is_mean:
        too_large = "it is a mean over the examples, so divide by m"
        too_small = "a division by m too many"
    explanations = [
        (gradient / m, m > 1, f"It is m = {m} times the slope everywhere: {too_large}"),
        (gradient * m, m > 1, f"It is 1/m of the slope everywhere, m = {m}: {too_small}"),
        (-gradient, True, "Its sign is wrong"),
        (gradient.T, gradient.ndim == 2, "It would be right transposed"),
    ]
    for other, is_likely, why in explanations:
        if is_likely and same(np.reshape(other, right.shape), right):
            return why
    if right.any() and not gradient.any():
        return "It is 0 everywhere: see whether it is ever written"
    if gradient.size > 1 and np.ptp(gradient) < 1e-9 < np.ptp(right):
        return "Its entries are all the same: sum over the examples with axis=1, keepdims=True"
    return ""


def factor(gradient: Array, right: Array) -> str:
    """Return how many times the slope a gradient is, or ""."""
    times = multiple(gradient, right)
    hint = f"It is {times:.5g} times the slope everywhere: a factor too many or too few"
    return hint if times and gradient.size > 1 else ""  # a single number is one of any other


def expect_tolerance(tolerance: float) -> None:
    """Refuse a tolerance with which nothing would be checked."""
    if not 0 < tolerance <= 0.1:
        expected = "expected a number above 0 and at most 0.1, or nothing is checked"
        raise ValueError(f"tolerance is {tolerance!r}, {expected}.")


@quiet
def check_gradients(
    model: Network,
    X: Any,
    Y: Any,
    tolerance: float = TOLERANCE,
    training: bool = False,
    sample_weight: Any = None,
) -> float:
    """Compare every gradient of a model, dA[0] included, with central differences of its cost.

    Its parameters are moved a little so that no ReLU stands at its kink. Large arrays are checked
    along random directions.

    Parameters
    ----------
    model : Sequential
        A model with a loss. It stays as it is: a copy in float64 is checked on a few examples.
    X, Y : array_like
        Examples as columns, and their targets.
    tolerance : float
        The largest error that is right, relative to the largest slope of the same array.
    training : bool
        Whether the pass is one of training, with the same random numbers each time.
    sample_weight : array_like of shape (m,), optional
        Weights of the examples.

    Returns
    -------
    float
        The largest error found.

    Raises
    ------
    AssertionError
        It names a gradient that is missing, or wrong by more than `tolerance`.

    >>> import tinynet as tn
    >>> model = tn.Sequential([tn.Dense(1)], "mean_squared_error", inputs=2, seed=1)
    >>> check_gradients(model, [[0.0, 1.0], [2.0, 3.0]], [[1.0, 2.0]]) < 1e-6
    True
    """
    expect_tolerance(tolerance)
    double = in_float64(model, X)
    double.params[:] += 1e-3 * np.random.default_rng(0).standard_normal(double.n_params)
    X, Y = double.check_data(X, Y)
    X = X.copy()  # differences are taken in it, too
    double.grads[:] = np.nan  # a gradient that back forgets stays so
    state = get_state(double.rng)

    def J() -> float:
        put_state(double.rng, state)
        double.forward(X, training=training)
        return double.cost(Y, sample_weight=sample_weight)

    _expect_finite(double, J())
    takes_numbers = not double.takes.are_indices
    double.back(Y, input_gradient=takes_numbers, sample_weight=sample_weight)
    m = X.shape[-1]
    grads = copy.deepcopy([layer.grads for layer in double.storage.placed])
    results = []
    if takes_numbers:
        dX = double.dA[0] / m
        results.append(compare("dA[0], from layer 1,", J, X, dX, m, False, tolerance))
    for layer, gradients in zip(double.storage.placed, grads, strict=True):
        for name, gradient in gradients.items():
            title = f"d{name}[{layer.index}] of {layer.title}"
            found = compare(title, J, layer.params[name], gradient, m, True, tolerance)
            results.append(found)
    return largest(results, tolerance)


def _expect_finite(model: Network, J: float) -> None:
    """Check that the cost of a pass is finite; if not, name the first array that is not."""
    assert model.chain is not None, "there was a forward pass"
    arrays = [
        (f"{name}[{layer.index}]", getattr(cache, name))
        for layer, cache in model.chain.links_as_computed()
        for name in ("Z", "A")
    ]
    first = next((name for name, array in arrays if not np.isfinite(array).all()), "")
    where = f"The first array that is not finite is {first}" if first else "A[L] is finite"
    hint = "Look for a logarithm, a root or a division of numbers that it does not take"
    expect(math.isfinite(J), f"The cost is {J}, so it has no slope. {where}. {hint}.")


def largest(results: list[tuple[float, str]], tolerance: float) -> float:
    """Return the largest error, or raise an AssertionError with what is said of larger ones."""
    faults = [fault for error, fault in results if not error <= tolerance]
    expect(not faults, " ".join(faults))
    return max((error for error, _ in results), default=0.0)


def in_float64(model: Network, X: Any) -> Network:
    """Return a copy of a model in float64; one that is not built is built for X."""
    inputs = model.inputs if model.is_built else np.shape(X)[:-1]
    double = Network(model.layers, model.loss, inputs, "float64", seed=0)
    if model.is_built:
        double.values[:] = model.values
    return double
