"""The functions of the deep-learning course, with its names and values, on tinynet's classes.

``parameters`` holds W1, b1 … WL, bL, ``grads`` holds dA0 … dWL, dbL; `activation` is any
registered name. A function uses only its arguments and changes none of them. b may be (n,) as well
as (n, 1); any other array of another shape is a `ShapeError`, and never broadcast.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from tinynet._support.arrays import Array, carve, size
from tinynet._support.blocks import with_out
from tinynet._support.cache import Cache
from tinynet._support.checks import integer
from tinynet._support.examples import wrong_targets
from tinynet._support.quiet import quiet
from tinynet._support.random import generator
from tinynet._support.results import reshaping, write
from tinynet.activations import Activation
from tinynet.errors import ShapeError
from tinynet.initializers import Initializer, Normal
from tinynet.layers import Dense
from tinynet.layers.base import means
from tinynet.losses import BinaryCrossentropy
from tinynet.optimizers import SGD

Arrays: TypeAlias = dict[str, Array]
Names: TypeAlias = Iterable[str] | None
LinearCache: TypeAlias = tuple[Array, Array, Array]  # A_prev, W and b
Caches: TypeAlias = list[tuple[LinearCache, Array]]  # and Z


def _floats(*arrays: Any) -> list[Array]:
    found = [np.asarray(array) for array in arrays]
    return [array if array.dtype.kind == "f" else array.astype(np.float64) for array in found]


@quiet
def _forward(activation: str, Z: Any) -> Array:
    (Z,) = _floats(Z)
    return with_out(Activation.get(activation).forward)(Z, out=np.empty_like(Z))


@quiet
def _backward(activation: str, dA: Any, Z: Any) -> Array:
    dA, Z = _floats(dA, Z)
    return Activation.get(activation).back(dA, Z, _forward(activation, Z))


def sigmoid(Z: Any) -> tuple[Array, Array]:
    """Return A = 1/(1 + exp(-Z)), and Z."""
    return _forward("sigmoid", Z), np.asarray(Z)


def relu(Z: Any) -> tuple[Array, Array]:
    """Return A = max(Z, 0), and Z."""
    return _forward("relu", Z), np.asarray(Z)


def sigmoid_backward(dA: Any, Z: Any) -> Array:
    """Return dZ for the dA of a sigmoid."""
    return _backward("sigmoid", dA, Z)


def relu_backward(dA: Any, Z: Any) -> Array:
    """Return dZ for the dA of a ReLU."""
    return _backward("relu", dA, Z)


def initialize_parameters_deep(layer_dims: Any, rng: Any = None, scale: Any = 0.01) -> Arrays:
    """Return W1, b1 … for layers of these sizes, the number of inputs first; b is zero.

    `rng` is a seed, Generator or RandomState. `scale` is the factor of a standard normal, or
    an initializer: "lecun_normal" for the course's 1/sqrt(n_prev), "he_normal", "zeros".
    """
    rng, sizes = generator(rng, "rng"), [integer("A layer size", n) for n in layer_dims]
    is_number = isinstance(scale, (int, float, np.number))
    init = Normal(float(scale)) if is_number else Initializer.get(scale)
    parameters = {}
    for l, (n_prev, n) in enumerate(pairwise(sizes), 1):
        parameters[f"W{l}"] = init.draw((n, n_prev), rng)
        parameters[f"b{l}"] = np.zeros((n, 1))
    return parameters


@quiet
def linear_forward(A_prev: Any, W: Any, b: Any) -> tuple[Array, LinearCache]:
    """Return Z = W A_prev + b, and (A_prev, W, b)."""
    A_prev, W, b = _linear(A_prev, W, b)
    like_Z = np.empty((len(W), A_prev.shape[1]), np.result_type(A_prev, W, b))
    cache = Cache({"W": W, "b": b}, Z=None, like_Z=like_Z)
    return Dense(len(W)).forward(A_prev, cache), (A_prev, W, b)


def _linear(A_prev: Any, W: Any, b: Any) -> LinearCache:
    """Return A_prev (n_prev, m), W (n, n_prev) and b (n, 1) as floats, or refuse other shapes."""
    A_prev, W, b = _floats(A_prev, W, b)
    if W.ndim != 2:
        raise ShapeError(f"W has shape {W.shape}, expected (n, n_prev).{_flat('W', W)}")
    if A_prev.ndim != 2 or len(A_prev) != W.shape[1]:
        hint = _flat("A_prev", A_prev) or reshaping(A_prev.shape, (W.shape[1], len(A_prev)))
        found = f"A_prev has shape {A_prev.shape}, expected ({W.shape[1]}, m) for W of {W.shape}"
        raise ShapeError(f"{found}.{hint}")
    if not A_prev.size:
        raise ShapeError(f"A_prev has shape {A_prev.shape}, expected at least one example.")
    return A_prev, W, _like("b", b, np.empty((len(W), 1)))


def _like(name: str, array: Any, like: Array) -> Array:
    """Return an array of floats in the shape of `like`: a flat array may be meant for a column."""
    (array,) = _floats(array)
    n = like.size
    if array.size == n == 1 or {array.shape, like.shape} == {(n,), (n, 1)}:
        return array.reshape(like.shape)
    if array.shape != like.shape:
        found = f"{name} has shape {array.shape}, expected {like.shape}"
        raise ShapeError(f"{found}.{reshaping(array.shape, like.shape, name)}")
    return array


def _flat(name: str, array: Array) -> str:
    return f" Pass {name}.reshape(-1, 1) for a column." if array.ndim == 1 else ""


def linear_activation_forward(A_prev: Any, W: Any, b: Any, activation: str) -> tuple[Array, Any]:
    """Return A = g(W A_prev + b), and ((A_prev, W, b), Z)."""
    Z, linear_cache = linear_forward(A_prev, W, b)
    return _forward(activation, Z), (linear_cache, Z)


def _names(activations: Names, layers: int) -> list[str]:
    names = ["relu"] * (layers - 1) + ["sigmoid"] if activations is None else list(activations)
    if len(names) != layers:
        message = f"Got {len(names)} activations for {layers} layers, expected one for each."
        raise ValueError(message)
    return names


def L_model_forward(X: Any, parameters: Any, activations: Names = None) -> tuple[Array, Caches]:
    """Return A[L], and the cache of each layer; `activations` None means ReLU, …, ReLU, sigmoid."""
    A, caches = np.asarray(X), []
    names = _names(activations, sum(name.startswith("W") for name in parameters))
    for l, name in enumerate(names, 1):
        A, cache = linear_activation_forward(A, parameters[f"W{l}"], parameters[f"b{l}"], name)
        caches.append(cache)
    return A, caches


def compute_cost(AL: Any, Y: Any) -> float:
    """Return the binary cross-entropy of A[L] and Y, both (n_L, m)."""
    return BinaryCrossentropy().value(*_with_targets(AL, Y))


def _with_targets(AL: Any, Y: Any) -> list[Array]:
    """Return A[L], and Y in its shape; for a single output, Y may be flat."""
    AL, Y = _floats(AL, Y)
    if Y.shape != AL.shape and not (Y.size == AL.size and len(AL) == 1):
        raise wrong_targets(Y, AL.shape)
    BinaryCrossentropy().check_targets(Y)
    return [AL, Y.reshape(AL.shape)]


@quiet
def linear_backward(dZ: Any, cache: LinearCache) -> LinearCache:
    """Return dA_prev, dW and db."""
    A_prev, W, b = _linear(*cache)
    dZ = _like("dZ", dZ, np.empty((len(W), A_prev.shape[1])))
    dZ, A_prev = dZ.astype(W.dtype, copy=False), A_prev.astype(W.dtype, copy=False)
    dW, db, dA_prev = (np.empty(s, W.dtype) for s in (W.shape, (len(W), 1), A_prev.shape))
    cache_of_layer = Cache(
        {"W": W, "b": b, "dW": dW, "db": db}, A_prev=A_prev, dA_prev=dA_prev, Z=None, like_Z=None,
        means=means(dZ.shape[-1], W.dtype),
    )  # fmt: skip
    return Dense(len(W)).back(dZ, cache_of_layer), dW, db


def linear_activation_backward(dA: Any, cache: Any, activation: str) -> LinearCache:
    """Return dA_prev, dW and db."""
    linear_cache, Z = cache
    return linear_backward(_backward(activation, dA, Z), linear_cache)


def L_model_backward(AL: Any, Y: Any, caches: Caches, activations: Names = None) -> Arrays:
    """Return dA{l-1}, dW{l} and db{l} for l = L … 1, of the binary cross-entropy."""
    names = _names(activations, len(caches))
    dA, grads = BinaryCrossentropy().back(*_with_targets(AL, Y)), dict[str, Array]()
    for l in range(len(caches), 0, -1):
        dA, dW, db = linear_activation_backward(dA, caches[l - 1], names[l - 1])
        grads |= {f"dA{l - 1}": dA, f"dW{l}": dW, f"db{l}": db}
    return grads


def update_parameters(parameters: Any, grads: Any, learning_rate: float) -> Arrays:
    """Return new parameters, after a step of gradient descent."""
    updated = {name: np.array(*_floats(array), order="C") for name, array in parameters.items()}
    for name, array in updated.items():
        gradient = _like(f"d{name}", grads[f"d{name}"], array)
        SGD(learning_rate).update(array.reshape(-1), gradient.reshape(-1))
    return updated


@quiet
def gradient_check_n(
    parameters: Any, gradients: Any, X: Any, Y: Any, activations: Names = None
) -> float:
    """Return ‖grad - gradapprox‖ / (‖grad‖ + ‖gradapprox‖); about 1e-7 or less is right.

    gradapprox is by central differences of `compute_cost`, with epsilon 1e-7. It is of no use
    where the Z of a ReLU is exactly 0, as in a layer below which all units are 0. `gradients` may
    hold other arrays besides, such as dA0.

    Which array is wrong, `gradient_differences` says; and which mistake it is,
    ``tinynet.testing.compare_gradients(parameters, X, Y, gradients)``.
    """
    grad, gradapprox = _slopes(parameters, gradients, X, Y, activations)
    return _relative_difference(
        np.concatenate([array.ravel() for array in grad.values()]),
        np.concatenate([array.ravel() for array in gradapprox.values()]),
    )


def gradient_differences(
    parameters: Any, gradients: Any, X: Any, Y: Any, activations: Names = None
) -> dict[str, float]:
    """Return what `gradient_check_n` does for each array alone: {"dW1": ..., "db1": ...}.

    A wrong array is far above 1e-7, a right one is not, so the wrong one has a name.
    """
    grad, gradapprox = _slopes(parameters, gradients, X, Y, activations)
    return {name: _relative_difference(grad[name], gradapprox[name]) for name in grad}


def _relative_difference(grad: Array, gradapprox: Array) -> float:
    total = np.linalg.norm(grad) + np.linalg.norm(gradapprox)
    return float(np.linalg.norm(grad - gradapprox) / total) if total else 0.0


def _slopes(
    parameters: Any, gradients: Any, X: Any, Y: Any, activations: Names
) -> tuple[Arrays, Arrays]:
    """Return the gradients dW1, db1 … as floats, and the same by central differences."""
    declared = [{name: np.asarray(array) for name, array in _checked(parameters).items()}]
    (views,) = carve(np.empty(size(declared)), declared)
    (approximate,) = carve(np.empty(size(declared)), declared)
    grad = {}
    for name, view in views.items():
        write(view, parameters[name], name)
        grad[f"d{name}"] = _gradient_of(name, view, gradients)
    epsilon = 1e-7
    for name, view in views.items():
        for i, value in np.ndenumerate(view.copy()):
            view[i] = value + epsilon
            J_plus = compute_cost(L_model_forward(X, views, activations)[0], Y)
            view[i] = value - epsilon
            J_minus = compute_cost(L_model_forward(X, views, activations)[0], Y)
            approximate[name][i] = (J_plus - J_minus) / (2 * epsilon)
            view[i] = value
    return grad, {f"d{name}": array for name, array in approximate.items()}


def _checked(parameters: Any) -> Mapping[str, Any]:
    """Return the parameters W1, b1, …, if they are a dictionary of both for each layer."""
    expected = 'expected a dictionary {"W1": W1, "b1": b1, ...}'
    if not isinstance(parameters, Mapping):
        raise TypeError(f"parameters is a {type(parameters).__name__}, {expected}.")
    layers = max(sum(str(name).startswith("W") for name in parameters), 1)
    missing = [f"{kind}{l}" for l in range(1, layers + 1) for kind in "Wb"
               if f"{kind}{l}" not in parameters]  # fmt: skip
    if missing:
        known = ", ".join(map(str, parameters)) or "nothing"
        raise KeyError(f"parameters has no {', '.join(missing)}, it has {known}. Add them.")
    return parameters


def _gradient_of(name: str, parameter: Array, gradients: Any) -> Array:
    """Return the gradient of a parameter, in its shape."""
    if not isinstance(gradients, Mapping):
        found = f"gradients is a {type(gradients).__name__}"
        raise TypeError(f'{found}, expected a dictionary {{"dW1": dW1, "db1": db1, ...}}.')
    if f"d{name}" not in gradients:
        known = ", ".join(map(str, gradients)) or "nothing"
        raise KeyError(f"gradients has no d{name}, it has {known}. Add one for each parameter.")
    return _like(f"d{name}", gradients[f"d{name}"], parameter)
