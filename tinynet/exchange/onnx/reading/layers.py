"""Operators that are layers with weights, and those that do nothing at prediction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinynet._support.arrays import Array
from tinynet.activations import Activation, Softmax
from tinynet.errors import ConversionError, ShapeError
from tinynet.exchange.assemble import Part
from tinynet.exchange.onnx.reading.node import setting
from tinynet.exchange.onnx.reading.step import Reader, Step
from tinynet.layers import BatchNorm, Dense, LayerNorm, PReLU

_COLUMNS = "an input of two axes, (m, n)"
_ML = "ai.onnx.ml."


def column(array: Array, n: int, ones: int = 0, rank: int = 0) -> Array:
    """Return a vector of n numbers as (n, 1); one number stands for n.

    The array is an operand that has `ones` axes of length 1 behind the n, and may have some before
    it, but no more axes than `rank`; that is by default one before.
    """
    shape = (n, *(1,) * ones)
    fits = array.size == 1 or (array.size == n and array.shape[-len(shape) :] == shape)
    if not fits or array.ndim > (rank or 1 + len(shape)):
        expected = f"{shape} or one number"
        raise ConversionError(f"It has a constant of shape {array.shape}, expected {expected}.")
    return np.broadcast_to(array.reshape(-1, 1), (n, 1))


def _expect_columns(step: Step) -> None:
    if len(step.shape) != 1:
        found = f"an input of {step.rank} axes"
        remedy = "A layer for each position of a sequence is not read; flatten the examples first"
        raise ConversionError(f"It has {found}, expected {_COLUMNS}. {remedy}.")


def _dense(W: Array, b: Array) -> Part:
    return Part(Dense(len(W)), {"W": W, "b": b})


def _gemm(step: Step) -> Sequence[Part]:
    step.expect_inputs(2, 3)
    _expect_columns(step)
    for name, value in (("alpha", 1.0), ("beta", 1.0), ("transA", 0)):
        step.node.expect(name, value)
    W = _matrix(step)
    W = W if step.node.integer("transB", 0) else W.T
    has_bias = step.optional(2) is not None
    return [_dense(W, column(step.floats(2), len(W)) if has_bias else _zeros(W))]


def _matmul(step: Step) -> Sequence[Part]:
    if len(step.node.inputs) == 2 and step.node.inputs[0] in step.graph.constants:
        return _left_product(step)
    step.expect_inputs(2, 2)
    _expect_columns(step)
    W = _matrix(step).T
    return [_dense(W, _zeros(W))]


def _left_product(step: Step) -> Sequence[Part]:
    """Return W A_prev for examples (n, positions), a Dense over each position."""
    if len(step.shape) != 2:
        raise ConversionError(f"It has examples of shape {step.shape}, expected (n, positions).")
    W = _matrix(step, 0)
    return [_dense(W, _zeros(W))]


def _matrix(step: Step, k: int = 1) -> Array:
    W = step.floats(k)
    if W.ndim != 2:
        raise ConversionError(f"Its weights have shape {W.shape}, expected a matrix.")
    return W


def _zeros(W: Array) -> Array:
    return np.zeros((len(W), 1), W.dtype)


def _batch_norm(step: Step) -> Sequence[Part]:
    step.expect_inputs(5, 5)
    node, n = step.node, step.shape[0]
    node.expect("training_mode", 0)
    if step.node.opset < 14 and any(node.outputs[1:]):
        raise ConversionError("It is that of a training. Export the network for inference.")
    node.expect("spatial", 1)
    dtype = step.graph.dtype
    momentum, epsilon = node.number("momentum", 0.9), node.number("epsilon", 1e-5)
    layer = BatchNorm(momentum=setting(momentum, dtype), epsilon=setting(epsilon, dtype))
    names = ("gamma", "beta", "running_mean", "running_variance")
    arrays = {name: column(_vector(step, k), n) for k, name in enumerate(names, 1)}
    if (arrays["running_variance"] < 0).any():
        raise ConversionError("It has a variance below 0. The file is damaged.")
    return [Part(layer, arrays)]


def _vector(step: Step, k: int) -> Array:
    array = step.floats(k)
    if array.shape != step.shape[:1]:
        found = f"Its input {k} has shape {array.shape}"
        raise ShapeError(f"{found}, expected {step.shape[:1]} for examples of shape {step.shape}.")
    return array


def _layer_norm(step: Step) -> Sequence[Part]:
    step.expect_inputs(2, 3)
    node = step.node
    if step.axis(node.integer("axis", -1)) != 1:
        found = "It normalizes over some axes, expected all behind the examples"
        raise ConversionError(f"{found}. Export it with nn.LayerNorm({step.shape}) in PyTorch.")
    node.expect("stash_type", 1)
    over = "features" if len(step.shape) == 1 else "example"
    epsilon = setting(node.number("epsilon", 1e-5), step.graph.dtype)
    gamma = _of_example(step, 1)
    beta = np.zeros_like(gamma) if step.optional(2) is None else _of_example(step, 2)
    return [Part(LayerNorm(over=over, epsilon=epsilon), {"gamma": gamma, "beta": beta})]


def _of_example(step: Step, k: int) -> Array:
    array = step.floats(k)
    if array.shape != step.shape:
        raise ConversionError(f"Its input {k} has shape {array.shape}, expected {step.shape}.")
    return array[..., np.newaxis]


def _prelu(step: Step) -> Sequence[Part]:
    step.expect_inputs(2, 2)
    slope = column(step.floats(1), step.shape[0], len(step.shape) - 1)
    return [Part(PReLU(), {"slope": slope})]


def _softmax(step: Step) -> Sequence[Activation]:
    step.expect_inputs(1, 1)
    since_13 = step.node.opset >= 13
    axis = step.axis(step.node.integer("axis", -1 if since_13 else 1))
    if axis != 1 or (len(step.shape) > 1 and not since_13):
        found = f"It is over axis {axis}, expected 1: the units of each example"
        remedy = "Export it with nn.Softmax(dim=1) in PyTorch, and opset_version=17"
        raise ConversionError(f"{found}. {remedy}.")
    return [Softmax()]


def _scaler(step: Step) -> Sequence[Part]:
    """Return (A_prev - offset) · scale, scikit-learn's StandardScaler, as a BatchNorm."""
    step.expect_inputs(1, 1)
    _expect_columns(step)
    n, dtype = step.shape[0], step.graph.dtype
    offset, scale = (
        column(np.array(step.node.numbers(name), dtype), n) for name in ("offset", "scale")
    )
    return [scaled(scale, np.zeros((n, 1), dtype), offset)]


def scaled(scale: Array, shift: Array, mean: Array) -> Part:
    """Return the BatchNorm that computes (A_prev - mean) · scale + shift."""
    layer = BatchNorm()
    one = np.array(1 - layer.epsilon, scale.dtype)  # with epsilon, the variance is 1
    variance = np.broadcast_to(one, scale.shape)
    arrays = {"gamma": scale, "beta": shift, "running_mean": mean, "running_variance": variance}
    return Part(layer, arrays)


def _dropout(step: Step) -> Sequence[Part]:
    step.expect_inputs(1, 3)
    node = step.node
    node.number("ratio", 0.5)
    node.integer("seed", 0)
    _, training = step.optional(1), step.optional(2)
    if training is not None and training.any():
        raise ConversionError("It drops at prediction, too. Export the network for inference.")
    return []


def _unchanged(step: Step) -> Sequence[Part]:
    step.expect_inputs(1, 1)
    return []


WITH_WEIGHTS: dict[str, Reader] = {
    "Gemm": _gemm, "MatMul": _matmul, "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm, "PRelu": _prelu, "Softmax": _softmax,
    f"{_ML}Scaler": _scaler, "Dropout": _dropout, "Identity": _unchanged,
}  # fmt: skip
