"""The deep-learning course's functions over dictionaries, with its names and values, on tinynet's classes.

``parameters`` holds W1, b1 … WL, bL, ``grads`` holds dA0 … dWL, dbL; `activation` is any
registered name. Each function uses only what it is handed and changes none of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from tinynet._support.arrays import Array, Cache
from tinynet._support.checks import misfit
from tinynet._support.random import generator
from tinynet.activations import Activation
from tinynet.initializers import Initializer, Normal
from tinynet.layers import Dense
from tinynet.losses import BinaryCrossentropy
from tinynet.optimizers import SGD

Names: TypeAlias = Iterable[str] | None
LinearCache: TypeAlias = tuple[Array, Array, Array]
ActivationCache: TypeAlias = tuple[LinearCache, Array]


def _floats(*arrays: Any) -> list[Array]:
    given = [np.asarray(array) for array in arrays]
    return [array if array.dtype.kind == "f" else array.astype(np.float64) for array in given]


def _forward(activation: str, Z: Any) -> Array:
    (Z,) = _floats(Z)
    return Activation.get(activation).forward(Z, out=np.empty_like(Z))


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
    """Return dZ for a sigmoid's dA."""
    return _backward("sigmoid", dA, Z)


def relu_backward(dA: Any, Z: Any) -> Array:
    """Return dZ for a ReLU's dA."""
    return _backward("relu", dA, Z)


def initialize_parameters_deep(
    layer_dims: Sequence[int], rng: Any = None, scale: Any = 0.01
) -> dict[str, Array]:
    """Return W1, b1 … for layers of these sizes, the inputs' first; b is zero.

    `rng` is a seed, Generator or RandomState. `scale` is the factor of a standard normal, or
    an initializer: "lecun_normal" for the course's 1/sqrt(n_prev), "he_normal", "zeros".
    """
    rng = generator(rng)
    init = Normal(scale) if isinstance(scale, (int, float, np.number)) else Initializer.get(scale)
    parameters = {}
    for l in range(1, len(layer_dims)):
        parameters[f"W{l}"] = init.draw((layer_dims[l], layer_dims[l - 1]), rng)
        parameters[f"b{l}"] = np.zeros((layer_dims[l], 1))
    return parameters


def linear_forward(A_prev: Any, W: Any, b: Any) -> tuple[Array, LinearCache]:
    """Return Z = W A_prev + b, and (A_prev, W, b)."""
    A_prev, W, b = _floats(A_prev, W, b)
    return Dense(len(W)).forward(A_prev, Cache({"W": W, "b": b}, Z=None)), (A_prev, W, b)


def linear_activation_forward(
    A_prev: Any, W: Any, b: Any, activation: str
) -> tuple[Array, ActivationCache]:
    """Return A = g(W A_prev + b), and ((A_prev, W, b), Z)."""
    Z, linear_cache = linear_forward(A_prev, W, b)
    return _forward(activation, Z), (linear_cache, Z)


def _names(activations: Names, layers: int) -> list[str]:
    names = ["relu"] * (layers - 1) + ["sigmoid"] if activations is None else list(activations)
    if len(names) != layers:
        raise ValueError(f"{len(names)} activations for {layers} layers; give one for each")
    return names


def L_model_forward(
    X: Any, parameters: Any, activations: Names = None
) -> tuple[Array, list[ActivationCache]]:
    """Return A[L], and the cache of each layer; `activations` None means ReLU, …, ReLU, sigmoid."""
    names = _names(activations, sum(name.startswith("W") for name in parameters))
    A, caches = np.asarray(X), []
    for l, name in enumerate(names, 1):
        A, cache = linear_activation_forward(A, parameters[f"W{l}"], parameters[f"b{l}"], name)
        caches.append(cache)
    return A, caches


def compute_cost(AL: Any, Y: Any) -> float:
    """Return the binary cross-entropy of A[L] and Y, both (n_L, m)."""
    return BinaryCrossentropy().value(*_floats(AL, _targets(AL, Y)))


def _targets(AL: Any, Y: Any) -> Array:
    """Return Y in the shape of A[L]; a flat Y is one for a single output."""
    Y, needed = np.asarray(Y), np.shape(AL)
    if Y.shape != needed and not (Y.size == np.size(AL) and 1 in needed):
        raise misfit(Y, needed)
    return Y.reshape(needed)


def linear_backward(dZ: Any, cache: LinearCache) -> LinearCache:
    """Return dA_prev, dW and db."""
    dZ, A_prev, W, b = _floats(dZ, *cache)
    dZ, A_prev = dZ.astype(W.dtype, copy=False), A_prev.astype(W.dtype, copy=False)
    views = {"W": W, "b": b, "dW": np.empty(W.shape, W.dtype), "db": np.empty((len(W), 1), W.dtype)}
    held = Cache(views, A_prev=A_prev, dZ_mean=None, dA_prev=np.empty(A_prev.shape, W.dtype))
    return Dense(len(W)).back(dZ, held), held.dW, held.db


def linear_activation_backward(dA: Any, cache: ActivationCache, activation: str) -> LinearCache:
    """Return dA_prev, dW and db."""
    linear_cache, Z = cache
    return linear_backward(_backward(activation, dA, Z), linear_cache)


def L_model_backward(
    AL: Any, Y: Any, caches: list[ActivationCache], activations: Names = None
) -> dict[str, Array]:
    """Return dA{l-1}, dW{l} and db{l} for l = L … 1, of the binary cross-entropy."""
    names = _names(activations, len(caches))
    dA, grads = BinaryCrossentropy().back(*_floats(AL, _targets(AL, Y))), dict[str, Array]()
    for l in range(len(caches), 0, -1):
        dA, dW, db = linear_activation_backward(dA, caches[l - 1], names[l - 1])
        grads |= {f"dA{l - 1}": dA, f"dW{l}": dW, f"db{l}": db}
    return grads


def update_parameters(parameters: Any, grads: Any, learning_rate: float) -> dict[str, Array]:
    """Return new parameters, a step of gradient descent on."""
    updated = {}
    for name, parameter in parameters.items():
        (array,), (gradient,) = _floats(np.array(parameter, order="C")), _floats(grads[f"d{name}"])
        SGD(learning_rate).update(
            array.reshape(-1), np.broadcast_to(gradient, array.shape).reshape(-1)
        )
        updated[name] = array
    return updated
