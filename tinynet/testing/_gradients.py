"""Gradients against differences: central ones of the cost, in float64."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet.model.storage import title
from tinynet.sequential import Sequential
from tinynet.testing._expect import expect

STEPS = (1e-5, 1e-6, 1e-7)  # a smaller one does not cross the kink that a larger one did
_DIRECTIONS = 12
TOLERANCE = 1e-6
_ENTRIES = 500  # up to so many, each entry of a wrong gradient is looked at
_FLOOR = 1e-4  # smaller slopes are judged as if they were this: differences see no better


def differences(
    J: Callable[[], float], array: Array, gradient: Array
) -> Iterator[tuple[float, float]]:
    """Yield the gradient along each of some directions, and the nearest central difference of J."""
    normal = np.random.default_rng(0).standard_normal
    directions = (
        np.eye(array.size) if array.size <= _DIRECTIONS else normal((_DIRECTIONS, array.size))
    )
    start = array.copy()
    for direction in directions:
        d = (direction / np.linalg.norm(direction)).reshape(array.shape)
        given, slopes = float(np.vdot(gradient, d)), []
        for step in STEPS:
            array[...] = start + step * d
            J_after = J()
            array[...] = start - step * d
            slopes.append((J_after - J()) / (2 * step))
        array[...] = start
        yield given, min(slopes, key=lambda slope: abs(slope - given))


def compare(name: str, J: Callable[[], float], array: Array, gradient: Array) -> tuple[float, str]:
    """Return the largest relative error of a gradient, and in words where it was found."""
    if not np.isfinite(gradient).all():
        hint = "with =, for += adds to what was there"
        return (
            math.inf,
            f"{name} is not filled, or not finite: back must write every entry of it, {hint}",
        )
    noise = (
        float(np.finfo(np.float64).eps) * abs(J()) / max(STEPS)
    )  # all that differences of so large a number see
    pairs = list(differences(J, array, gradient))
    scale = max([_FLOOR, *map(abs, sum(pairs, ()))]) + noise / TOLERANCE
    error, given, slope = max((abs(given - slope) / scale, given, slope) for given, slope in pairs)
    ratio = f" ({given / slope:.4g} times as much)" if slope else ""
    told = f"{name} does not match the cost: along a direction it gives {given:.8g}{ratio}, the slope is {slope:.8g}"
    return error, told


def _slopes(J: Callable[[], float], array: Array) -> Array:
    """Return the derivative of J by each entry of an array, by central differences."""
    slopes, h = np.empty_like(array), 1e-6
    for at in np.ndindex(array.shape):
        start = array[at]
        array[at] = start + h
        J_after = J()
        array[at] = start - h
        slopes[at] = (J_after - J()) / (2 * h)
        array[at] = start
    return slopes


def _likely_fault(
    J: Callable[[], float], array: Array, gradient: Array, dZ: Array, mean: bool
) -> str:
    """Say which of the usual mistakes of a layer explains a wrong gradient of `array`, if one does.

    `mean` tells whether the layer had to take the mean over the examples.
    """
    if array.size > _ENTRIES or not np.isfinite(gradient).all():
        return ""
    right, m = _slopes(J, array), dZ.shape[-1]

    def explains(other: Any) -> bool:
        return np.allclose(np.reshape(other, right.shape), right, rtol=1e-4, atol=1e-6)

    if m > 1 and explains(gradient / m):
        hint = (
            "divide by m, for it is a mean over the examples"
            if mean
            else "it is for each example, without an m"
        )
        return f"; it is m = {m} times the slope everywhere: {hint}"
    if m > 1 and explains(gradient * m):
        hint = (
            "a division by m too many" if mean else "it is for each example, so do not divide by m"
        )
        return f"; it is 1/m of the slope everywhere, m = {m}: {hint}"
    if explains(-gradient):
        return "; its sign is wrong"
    if gradient.ndim == 2 and explains(gradient.T):
        return "; it would be right transposed"
    if gradient.size > 1 and np.ptp(gradient) < 1e-9 < np.ptp(right):
        return "; its entries are all the same: a sum over the examples is one along axis=1, with keepdims=True"
    factors = gradient / np.where(right == 0, np.nan, right)
    if np.nanmax(factors) - np.nanmin(factors) < 1e-4:
        return f"; it is {np.nanmean(factors):.4g} times the slope everywhere: look for a factor too many or too few"
    return ""


def check_gradients(
    model: Sequential,
    X: Any,
    Y: Any,
    tolerance: float = TOLERANCE,
    training: bool = False,
    sample_weight: Any = None,
) -> float:
    """Compare every gradient of a model, dA[0] included, with central differences of its cost.

    The model is left as it is: a copy in float64 is checked on a few examples, its parameters moved
    a little so that no ReLU stands at its kink, along random directions where arrays are large.
    With `training`, the pass is one of training: what chance there is in it is the same each time.
    Returns the largest error found, relative to the largest slope of the same array; an
    AssertionError names a gradient that is missing, or wrong by more than `tolerance`.
    """
    if not 0 < tolerance <= 0.1:
        raise ValueError(
            f"tolerance must be above 0 and at most 0.1, or nothing is checked; got {tolerance!r}"
        )
    inputs = model.inputs if model.is_built else np.shape(X)[:-1]
    double = Sequential(model.layers, model.loss, inputs, "float64", seed=0)
    if model.is_built:
        double.params[:], double.state[:] = model.params, model.state
    double.params[:] += 1e-3 * np.random.default_rng(0).standard_normal(double.n_params)
    X, Y = double.admit(X, Y)
    X = X.copy()  # differences are taken in it, too
    double.grads[:] = np.nan  # a gradient that back forgets stays so
    chance = copy.deepcopy(double.rng)

    def forward() -> None:
        double.rng = copy.deepcopy(chance)
        double.forward(X, training=training)

    forward()
    double.back(Y, input_gradient=True, sample_weight=sample_weight)
    dZ = [cache.dZ.copy() for cache in double.caches]
    checked = [("dA[0], from layer 1,", X, double.dA[0] / X.shape[-1], dZ[0])]
    for l, (layer, cache) in enumerate(zip(double.layers, double.caches, strict=True), 1):
        for name in cache.parameters:
            gradient = getattr(cache, f"d{name}").copy()
            checked.append(
                (f"d{name}[{l}] of {title(l, layer)}", getattr(cache, name), gradient, dZ[l - 1])
            )

    def J() -> float:
        forward()
        return double.cost(Y, sample_weight)

    errors, wrong = [], []
    for name, array, gradient, dZ_of_layer in checked:
        error, told = compare(name, J, array, gradient)
        errors.append(error)
        if error > tolerance:
            wrong.append(told + _likely_fault(J, array, gradient, dZ_of_layer, mean=array is not X))
    expect(not wrong, ". ".join(wrong))
    return max(errors)
