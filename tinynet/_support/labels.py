"""Targets, labels and weights: what belongs to each example is checked here, once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinynet._support.arrays import Array, Shape, check_finite, entry
from tinynet._support.examples import numbers, reordered, spelled
from tinynet.errors import ShapeError


def targets(
    Y: Any, expected: Shape, dtype: np.dtype[Any], as_columns: Callable[..., Array], X: Any = None
) -> Array:
    """Return Y as columns of the `expected` shape, into which `as_columns` turns labels.

    A message may need what was passed as X.
    """
    array = Y if type(Y) is np.ndarray and Y.dtype == dtype else numbers(Y, "Y")
    try:
        columns = as_columns(array, expected)
    except ValueError as error:  # a loss knows Y as an array, and labels (1, m) as (m,)
        message = str(error).replace("Pass Y", f"Pass {spelled(Y, 'Y')}")
        flat = "from_labels(Y)" if array.ndim == 1 else "from_labels(np.ravel(Y))"
        error.args = (message.replace("from_labels(Y)", flat),)
        raise
    if columns.shape != expected:
        also = "" if columns.ndim == array.ndim else f", or labels {expected[1:]}"
        raise wrong_targets(array, expected, also, spelled(Y, "Y"), X)
    return columns.astype(dtype, copy=False)


def wrong_targets(
    Y: Array, expected: Shape, also: str = "", given: str = "Y", X: Any = None
) -> ShapeError:
    """Return the error for a Y that has not the shape of A[L], nor the shape that `also` names.

    `given` is how to write the array of what the user passed as Y; with it came X.
    """
    n, m = expected[0], expected[-1]
    other_units = Y.size and Y.size % m == 0 and Y.size // m != n
    is_transposed = Y.ndim == 2 and Y.shape[::-1] in (expected, expected[1:])
    order = reordered(Y.shape, expected) or reordered(Y.shape, expected[1:])
    fits_m, has_positions = Y.shape[-1:] == (m,), len(expected) > 2
    per_example = has_positions and Y.shape in ((m,), (1, m), (n, m))
    positions = " x ".join(map(str, expected[1:-1]))
    one_output = "Put Flatten() before the last Dense layers for one output an example"
    per_step = not has_positions and fits_m and Y.ndim == 2 and 1 < len(Y) == _steps(X)
    by_rows = "" if X is None else _examples_last(Y, m, given, X)
    hints = (
        (_are_labels(Y, expected), _for_labels(Y, expected, given)),
        (per_example, f"{one_output}, or leave out sequences=True of a recurrent layer."),
        (is_transposed, f"It looks transposed (examples are columns): pass {given}.T."),
        (order, f"Its axes look to be in another order: pass {given}{order}."),
        (has_positions and fits_m, f"A[L] has {positions} positions, and Y must have as many."),
        (per_step, "For an output at each step, use sequences=True in the recurrent layers."),
        (Y.shape == (m, 1), f"Pass {given}.ravel() for labels."),
        (not has_positions and Y.size == math.prod(expected), f"Pass {given}.reshape({n}, -1)."),
        (by_rows, by_rows),
        (other_units, f"A[L] has as many rows as the last layer has units: {n}."),
        (X is not None, f"X has {m} examples, and Y must have as many."),
    )
    hint = next((f" {hint}" for fits, hint in hints if fits), "")
    return ShapeError(f"Y has shape {Y.shape}, expected that of A[L], {expected}{also}.{hint}")


def _are_labels(Y: Array, expected: Shape) -> bool:
    """Return whether these are numbers of outputs, for a loss that takes columns."""
    n, *of_labels = expected
    fits = n > 1 and Y.size > 0 and Y.shape in (tuple(of_labels), (1, *of_labels))
    return fits and Y.dtype.kind in "iu" and bool(Y.min() >= 0 and Y.max() < n)


def _for_labels(Y: Array, expected: Shape, given: str) -> str:
    labels = given if Y.ndim == 1 else f"np.reshape({given}, {expected[1:]})"
    one_hot = f"np.eye({expected[0]})[:, {labels}]"
    loss = 'use loss="categorical_crossentropy" and "softmax"'
    return f"For labels of classes {loss}, or pass one-hot columns, {one_hot}."


def _steps(X: Any) -> int:
    """Return how many steps the examples of X have, if they are sequences; else 0."""
    shape = np.shape(X)
    are_tokens = len(shape) == 2 and shape[1] > 1 and np.asarray(X).dtype.kind in "iu"
    return shape[-2] if len(shape) == 3 or are_tokens else 0


def _examples_last(Y: Array, m: int, given: str, X: Any) -> str:
    """Return what to pass if the rows of X, and perhaps of Y, look to be the examples, or "".

    In a network without a fixed number of inputs, the m columns of X are taken as the examples.
    """
    rows, axes, X_given = np.shape(X)[0], np.ndim(X), spelled(X, "X")
    Y_too = Y.ndim == 2 and len(Y) == rows
    if rows not in Y.shape or (Y.shape[-1] == m and not (Y_too and rows > m)):
        return ""
    are = f"columns of X are its {m} examples" if m > 1 else "column of X is its one example"
    moved, end = f"np.moveaxis({X_given}, 0, -1)", f", and {given}.T." if Y_too else "."
    ways = f"{X_given}.T{end.replace(',', '')}"
    if axes == 3:
        ways = f"{X_given}.T for (m, T, n), or {moved} for (m, n, T){end}"
    elif axes > 3:
        other = f"{X_given}.transpose(3, 1, 2, 0) for (m, H, W, C){end}"
        ways = f"{moved} for images (m, C, H, W), or {other}"
    return f"The {are}. If its {rows} rows are the examples, pass {ways}"


def class_numbers(Y: Array, outputs: int, ignore: int | None = None) -> Array:
    """Return integer labels, if each is the number of one of several outputs.

    The label `ignore` stands for no class, and becomes 0.
    """
    if Y.dtype.kind not in "iu":
        found = f"Y has shape {Y.shape} and dtype {Y.dtype}"
        expected = f"expected one-hot columns ({outputs}, m) or integer labels (m,)"
        raise ShapeError(f"{found}, {expected}. Pass Y.astype(int) for labels.")
    counts = np.full(Y.shape, True) if ignore is None else ignore != Y
    for at in np.argwhere(((Y < 0) | (outputs <= Y)) & counts)[:1].tolist():
        of_example = Y.size == Y.shape[-1]  # else it is one of several positions
        found = f"The label of example {at[-1]}" if of_example else entry("Y", at)
        expected = f"expected 0 to {outputs - 1}, because A[L] has {outputs} rows"
        remedy = _renumbered(Y, outputs) if ignore is None else _others(Y[counts], outputs, ignore)
        raise ValueError(f"{found} is {Y[tuple(at)]}, {expected}. {remedy}")
    return Y if ignore is None else np.where(counts, Y, 0)


def _others(labels: Array, outputs: int, ignore: int) -> str:
    """Return what makes numbers of outputs of the labels that are not ignored."""
    if labels.min() >= 1 and labels.max() == outputs:
        return f"Pass np.where(Y == {ignore}, {ignore}, Y - 1)."
    return f"Number the other labels from 0, and leave {ignore} as it is."


def _renumbered(Y: Array, outputs: int) -> str:
    """Return what makes of these labels the numbers of outputs."""
    least, most, n = int(Y.min()), int(Y.max()), len(np.unique(Y))
    if least >= 1 and most == outputs:
        return "Pass Y - 1."
    if least == 0 and most == n - 1:
        return f"Give the last layer {n} units."
    remedy = "Y, classes = tn.from_labels(Y)"
    if Y.ndim > 1:
        remedy = "Y = np.unique(Y, return_inverse=True)[1].reshape(np.shape(Y))"
    if n > outputs:
        remedy += f" and {n} units in the last layer"
    elif least == 0:
        remedy += f", or give the last layer {most + 1} units"
    if least < 0 and most < outputs:
        ignoring = f"loss=tn.losses.CategoricalCrossentropy(ignore={least})"
        remedy = f"{ignoring} where {least} stands for no class, or {remedy}"
    return f"Use {remedy}."


def weights(name: str, values: Any, m: int) -> Array:
    """Return weights as (m,) in float64, if they are finite and at least 0."""
    w = numbers(values, name)
    if w.shape not in ((m,), (1, m)):
        hint = f" Pass {spelled(values, name)}.reshape(-1)." if w.size == m else ""
        raise ShapeError(
            f"{name} has shape {w.shape}, expected ({m},), one weight for each example.{hint}"
        )
    w = w.reshape(m).astype(np.float64)
    check_finite(name, w)
    for i in np.flatnonzero(w < 0)[:1]:
        raise ValueError(f"{name}[{i}] is {w[i]:g}, expected a weight of at least 0.")
    return w


def expect_some_weight(w: Array) -> None:
    """Refuse weights that are all 0."""
    if not w.any():
        raise ValueError("All weights are 0, so no example counts. Give at least one a weight.")
