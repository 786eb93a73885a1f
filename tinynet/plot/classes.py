"""Classes: where a model draws the borders between them, and which it takes for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.checks import integer
from tinynet.errors import ShapeError
from tinynet.metrics import confusion_matrix as counted
from tinynet.metrics.classification import true_classes
from tinynet.plot.axes import axes
from tinynet.sequential import Sequential
from tinynet.training.tally import output_kind

_MARGIN = 0.1  # of the range of the data, at each side
_PALE = 0.6  # how much of a class's color its region has
_AT_A_TIME = 8192  # points


def decision_boundary(
    model: Sequential, X: Any, Y: Any = None, resolution: int = 200, ax: Any = None
) -> Any:
    """Draw the classes of a model with two inputs over the plane, and the borders between them.

    A region is paler where the model is less sure.

    Parameters
    ----------
    model : Sequential
        A classifier with 2 inputs, and 1 output (two classes) or several (a class each).
    X : array_like of shape (2, m)
        Examples, around which the plane is drawn.
    Y : array_like
        Their classes as labels (m,), 0 or 1 for one output, or columns like those of A; then the
        examples are drawn too.
    resolution : int
        How many points the plane has along each axis.
    ax : matplotlib Axes
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib Axes
        `ax`, or the axes of the new figure.

    Raises
    ------
    ShapeError
        For a model or an X without 2 inputs.

    Examples
    --------
    Needs matplotlib::

        X, Y = tn.datasets.make_moons(200, seed=1)
        tn.plot.decision_boundary(model, X, Y)
    """
    X = np.asarray(X)
    _expect_plane(model, X)
    n = integer("resolution", resolution, 2)
    classes = None if Y is None else true_classes(Y, model.predict(X))
    grid = _grid(X, n)
    A = model.predict(np.stack([part.ravel() for part in grid]), batch_size=_AT_A_TIME)
    ax = axes(ax)
    P = A if len(A) > 1 else _two_classes(A, output_kind(model).threshold)
    colors = _colors(len(P))
    extent = [grid[0].min(), grid[0].max(), grid[1].min(), grid[1].max()]
    image = np.clip(1 - (P.T @ (1 - colors)).reshape(n, n, 3) * _PALE, 0, 1)
    ax.imshow(image, extent=extent, origin="lower", aspect="auto", interpolation="bilinear")
    for lead in _leads(P):
        ax.contour(*grid, lead.reshape(n, n), levels=[0], colors="black", linewidths=0.8)
    if classes is not None:
        ax.scatter(*X, c=colors[classes], s=14, edgecolors="white", linewidths=0.5)
    ax.set(xlabel="X[0]", ylabel="X[1]")
    return ax


def _expect_plane(model: Sequential, X: Array) -> None:
    if not model.is_built or model.inputs != (2,):
        found = f"The model has inputs {model.inputs if model.is_built else 'not known yet'}"
        raise ShapeError(f"{found}, expected 2 for a plane. Use Sequential(..., inputs=2).")
    if X.ndim != 2 or len(X) != 2 or X.shape[1] == 0:
        hint = " It looks transposed: pass X.T." if X.ndim == 2 and X.shape[1] == 2 else ""
        raise ShapeError(f"X has shape {X.shape}, expected (2, m).{hint}")


def _grid(X: Array, n: int) -> list[Array]:
    """Return the coordinates of n by n points around the examples."""
    low, high = X.min(axis=1), X.max(axis=1)
    margin = _MARGIN * np.where(high > low, high - low, 1)
    ends = zip(low - margin, high + margin, strict=True)
    return list(np.meshgrid(*[np.linspace(start, stop, n) for start, stop in ends]))


def _two_classes(A: Array, threshold: float) -> Array:
    """Return a row for each class from one output; they are equal where it is the threshold."""
    over = A - threshold
    return np.vstack([0.5 - over, 0.5 + over])


def _colors(n: int) -> Array:
    """Return a color for each of n classes, as rows of red, green and blue."""
    from matplotlib import rcParams
    from matplotlib.colors import to_rgb

    cycle = rcParams["axes.prop_cycle"].by_key().get("color", ["C0"])
    return np.array([to_rgb(cycle[k % len(cycle)]) for k in range(n)])


def _leads(P: Array) -> list[Array]:
    """Return by how much each class leads over the best other one; the border is where that is 0.

    Of two classes one is enough: the other has the same border.
    """
    leads = [P[k] - np.delete(P, k, axis=0).max(axis=0) for k in range(len(P))]
    leads = leads[1:] if len(leads) == 2 else leads
    return [lead for lead in leads if lead.min() < 0 < lead.max()]


def confusion_matrix(Y: Any, A: Any, names: Sequence[str] | None = None, ax: Any = None) -> Any:
    """Draw how many examples of each class (row) are predicted as each class (column).

    A field is darker the larger its share of the row is.

    Parameters
    ----------
    Y : array_like
        The classes: labels (m,), or columns like those of A.
    A : array_like of shape (n_L, m)
        What ``model.predict(X)`` returns.
    names : sequence of str
        A name for each class; by default its number.
    ax : matplotlib Axes
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib Axes
        `ax`, or the axes of the new figure.

    Raises
    ------
    ValueError
        If there is another number of names than of classes.

    Examples
    --------
    Needs matplotlib::

        tn.plot.confusion_matrix(digits.y_test, model.predict(digits.X_test))
    """
    counts = counted(Y, A)
    n = len(counts)
    names = [str(k) for k in range(n)] if names is None else list(names)
    if len(names) != n:
        found = f"names has {len(names)} names, expected one for each of {n} classes"
        raise ValueError(f"{found}. Leave names out, and the classes have their numbers.")
    ax = axes(ax)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (true, predicted), count in np.ndenumerate(counts):
        if count:
            color = "white" if shares[true, predicted] > 0.5 else "black"
            ax.text(predicted, true, f"{count:g}", ha="center", va="center", color=color)
    ax.set_xticks(range(n), names)
    ax.set_yticks(range(n), names)
    ax.set(xlabel="predicted class", ylabel="true class")
    return ax
