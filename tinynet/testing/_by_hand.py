"""Gradients by hand against those of a model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, entry
from tinynet._support.examples import numbers
from tinynet._support.results import kind_of, reshaping
from tinynet.layers import Dense
from tinynet.model.network import Network
from tinynet.testing import _mistakes
from tinynet.testing._expect import expect
from tinynet.testing._gradients import (
    TOLERANCE,
    expect_tolerance,
    factor,
    in_float64,
    likely_mistake,
)

_FLOOR = 1e-4  # smaller entries are compared as if they were this
_ALMOST = "It is right to four digits: see whether it has an epsilon, or is computed in float32"
_NEAR = ("It is near the right one: see whether it is of these parameters and these examples, or "
         "of the step before")  # fmt: skip


def compare_gradients(
    model: Network | Mapping[str, Any],
    X: Any,
    Y: Any,
    grads: Mapping[str, Any],
    tolerance: float = TOLERANCE,
    activations: Iterable[str] | None = None,
) -> float:
    """Compare gradients that were computed by hand with those of a model.

    Parameters
    ----------
    model : Sequential or dict
        A model, which stays as it is. In its place, the course's dictionary
        ``{"W1": ..., "b1": ...}`` stands for a network with binary cross-entropy.
    X, Y : array_like
        Examples as columns, and their targets.
    grads : dict of str to array_like
        Arrays by name: "dW1", "db1", and also "dZ1", "dA0" and so on; all or some of them.
    tolerance : float
        The largest error that is right, relative to the largest entry of the same array. A gradient
        in float32 may be off by as much as float32 rounds.
    activations : sequence of str, optional
        Of the network that a dictionary stands for; left out, ReLU, …, ReLU, sigmoid.

    Returns
    -------
    float
        The largest error found.

    Raises
    ------
    AssertionError
        It names each gradient that is wrong, and the likely mistake.
    KeyError
        For an unknown name.

    >>> import tinynet as tn
    >>> model = tn.Sequential([tn.Dense(1)], "mean_squared_error", inputs=1, seed=1)
    >>> X, Y = np.array([[0.0, 1.0]]), np.array([[1.0, 1.0]])
    >>> dZ = model.predict(X) - Y
    >>> compare_gradients(model, X, Y, {"dW1": dZ @ X.T / 2, "db1": dZ.mean(keepdims=True)}) < 1e-6
    True
    """
    expect_tolerance(tolerance)
    if not isinstance(grads, Mapping):
        raise TypeError(f'grads is a {type(grads).__name__}, expected a dictionary {{"dW1": dW1}}.')
    double = in_float64(model if isinstance(model, Network) else _network(model, activations), X)
    X, Y = double.check_data(X, Y)
    double.forward(X)
    right = _mistakes.gradients(double, Y)
    known = ", ".join(dict.fromkeys([*_names_of_parameters(double), *sorted(right)]))
    messages: dict[str, str] = {}
    given: dict[str, Array] = {}
    wrong: dict[str, Array] = {}
    largest = 0.0
    for name, value in grads.items():
        if name not in right:
            raise KeyError(f"grads has {name!r}, expected some of {known}.")
        found = _array(name, value)
        error, message = _difference(name, value, found, right)
        given[name] = found.astype(np.float64)
        if error <= max(tolerance, _rounding(found)):
            largest = max(largest, error)
            continue
        messages[name] = message
        if math.isfinite(error):
            wrong[name] = given[name]
    why = _explained(double, Y, wrong, right)
    if not all(why.values()) or _NEAR in why.values():
        of_all = _mistakes.of_other_parameters(double, X, Y, given)
        why = {"": of_all} if of_all else why
    for name, text in why.items():
        messages[name] = f"{messages.get(name, '')} {text}.".strip() if text else messages[name]
    expect(not messages, " ".join(messages.values()))
    return largest


def _network(parameters: Mapping[str, Any], activations: Iterable[str] | None) -> Network:
    """Return the network that the course's dictionary of parameters stands for."""
    if not isinstance(parameters, Mapping):
        expected = 'expected a model, or a dictionary {"W1": W1, "b1": b1, ...}'
        raise TypeError(f"Got a {type(parameters).__name__}, {expected}.")
    layers = sum(name.startswith("W") for name in parameters)
    needed = [f"{kind}{l}" for l in range(1, layers + 1) for kind in "Wb"] or ["W1", "b1"]
    missing = [name for name in needed if name not in parameters]
    if missing:
        raise KeyError(f"parameters has no {', '.join(missing)}, expected {', '.join(needed)}.")
    names = ["relu"] * (layers - 1) + ["sigmoid"] if activations is None else list(activations)
    if len(names) != layers:
        message = f"Got {len(names)} activations for {layers} layers, expected one for each."
        raise ValueError(message)
    arrays = {name: numbers(parameters[name], name) for name in needed}
    for name, array in arrays.items():
        if array.ndim == 1 and name.startswith("b"):
            arrays[name] = array.reshape(-1, 1)
    units = [len(np.atleast_1d(arrays[f"b{l}"])) for l in range(1, layers + 1)]
    dense = [Dense(n, name) for n, name in zip(units, names, strict=True)]
    network = Network(dense, "binary_crossentropy", arrays["W1"].shape[-1], "float64", seed=0)
    network.set_parameters(arrays)
    return network


def _array(name: str, value: Any) -> Array:
    """Return what was passed as an array of numbers; None becomes NaN, which equals nothing."""
    if value is None:
        return np.asarray(np.nan)
    try:
        return numbers(value, name)
    except ValueError as error:
        message = f"{name} is a {type(value).__name__}, expected an array of one shape: {error}"
        raise ValueError(message) from None


def _names_of_parameters(model: Network) -> list[str]:
    return [f"d{name}{placed.label}" for placed in model.storage.placed for name in placed.params]


def _rounding(found: Array) -> float:
    """Return an error that the rounding of an array's dtype explains."""
    return 500 * float(np.finfo(found.dtype).eps) if found.dtype.kind == "f" else 0.0


def _difference(
    name: str, value: Any, found: Array, right: Mapping[str, Array]
) -> tuple[float, str]:
    """Return the relative error of an array, and what is wrong with it."""
    expected = right[name]
    if value is None:
        return math.inf, f"{name} is {kind_of(value)}, expected shape {expected.shape}."
    if found.shape != expected.shape:
        hint = reshaping(found.shape, expected.shape, name)
        quantity = _mistakes.parts(name)[0]
        others = [n for n, a in right.items() if n != name and a.shape == found.shape]
        layers = [label for q, label in map(_mistakes.parts, others) if q == quantity]
        if layers and not hint:
            hint = f" That is the shape for layer {layers[0]}."
        return math.inf, f"{name} has shape {found.shape}, expected {expected.shape}.{hint}"
    if not np.isfinite(found).all():
        return math.inf, f"{name} is not finite."
    at = np.unravel_index(np.argmax(np.abs(found - expected)), found.shape)
    error = float(np.abs(found[at] - expected[at])) / max(_FLOOR, float(np.abs(expected).max()))
    digits = ".6g" if error > 1e-4 else ".12g"
    return (
        error,
        f"{entry(name, at)} is {found[at] + 0.0:{digits}}, expected {expected[at]:{digits}}.",
    )


def _explained(
    model: Network, Y: Array, wrong: Mapping[str, Array], right: Mapping[str, Array]
) -> dict[str, str]:
    """Return what explains each wrong gradient, "" where nothing does."""
    of_parameters, m = _names_of_parameters(model), Y.shape[-1]
    why: dict[str, str] = {}
    for name, found in wrong.items():
        if _mistakes.same(found, right[name]):  # then so is many a mistake that changes nothing
            why[name] = _ALMOST
            continue
        source = _mistakes.follows(model, name, wrong)
        why[name] = f"It follows from {source}" if source else ""
        why[name] = why[name] or likely_mistake(found, right[name], m, name in of_parameters)
        why[name] = why[name] or _mistakes.of_one(model, name, found, right)
    rest = {name: found for name, found in wrong.items() if not why[name]}
    if rest:
        why |= _mistakes.explanations(model, Y, rest, right)
    for name in rest:
        why[name] = why[name] or factor(wrong[name], right[name])
        if not why[name] and _mistakes.is_near(wrong[name], right[name]):
            why[name] = _NEAR
    return why
