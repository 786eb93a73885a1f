"""The arrays of a model: how the numbers of each layer are spread, and weights as pictures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet.errors import ShapeError
from tinynet.plot.axes import COLORS, axes
from tinynet.sequential import Sequential

ARRAYS = ("W", "b", "dW", "db", "Z", "A", "dZ", "dA")
_SHARE_SHOWN = 0.005  # of zeros; fewer are not written below a box
_MOST_PICTURES = 100


def layers(model: Sequential, what: str = "A", ax: Any = None) -> Any:
    """Draw how the numbers of each layer are spread, as a box for each layer.

    A box holds the middle half of the numbers, with a line at the median, and its whiskers 98 of
    100. Gradients are drawn as absolute values on a logarithmic axis, so that those that vanish or
    explode are seen; the share of zeros, which have no place there, is written below.

    Parameters
    ----------
    model : Sequential
        A model; for Z, A and the gradients one that has had a pass.
    what : {"A", "Z", "W", "b", "dA", "dZ", "dW", "db"}
        Which arrays.
    ax : matplotlib Axes
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib Axes
        `ax`, or the axes of the new figure.

    Raises
    ------
    ValueError
        For another name.
    NotBuiltError
        Before the pass that fills the arrays.

    Examples
    --------
    Needs matplotlib::

        model.forward(X), model.back(Y)
        tn.plot.layers(model, "dZ")
    """
    if what not in ARRAYS:
        known = ", ".join(map(repr, ARRAYS))
        raise ValueError(f"what is {what!r}, expected one of {known}.")
    arrays = getattr(model, what)
    names = [f"{what}[{_written(key)}]" for key in arrays]
    numbers = [array.ravel() for array in arrays.values()]
    ax = axes(ax)
    is_gradient = what.startswith("d")
    shown = [np.abs(each[each != 0]) for each in numbers] if is_gradient else numbers
    boxes = ax.boxplot(
        shown, whis=(1, 99), showfliers=False, patch_artist=True, tick_labels=names,
        medianprops={"color": "black"},
    )  # fmt: skip
    for box in boxes["boxes"]:
        box.set(facecolor=COLORS[is_gradient], alpha=0.6)
    if is_gradient:
        ax.set_yscale("log")
        _write_zeros(ax, numbers)
    ax.set(xlabel="layer", ylabel=f"|{what}|" if is_gradient else what)
    return ax


def _written(key: Any) -> str:
    return ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _write_zeros(ax: Any, numbers: list[Array]) -> None:
    """Write the share of zeros at the lower end of each box."""
    for k, each in enumerate(numbers, 1):
        share = float(np.mean(each == 0))
        if share > _SHARE_SHOWN:
            place = {"xy": (k, 0.01), "xycoords": ("data", "axes fraction")}
            ax.annotate(f"{share:.0%} zero", ha="center", fontsize="small", **place)


def weights(
    model: Sequential,
    l: int | tuple[int, ...] = 1,
    shape: tuple[int, int] | None = None,
    ax: Any = None,
) -> Any:
    """Draw the weights of each unit of a layer as a picture; blue is negative, red positive.

    Parameters
    ----------
    model : Sequential
        A model that is built.
    l : int or tuple of int
        The number of a layer with W, or its path.
    shape : (int, int)
        Rows and columns of a picture. By default a square where the number of inputs is one, and a
        kernel of a convolution, of each of its channels.
    ax : matplotlib Axes
        Where to draw; by default in a new figure. At most 100 pictures are drawn.

    Returns
    -------
    matplotlib Axes
        `ax`, or the axes of the new figure.

    Raises
    ------
    ShapeError
        If the weights of a unit do not fill the shape.

    Examples
    --------
    Needs matplotlib::

        model = tn.Sequential([tn.Dense(16), tn.Dense(10)], inputs=64)
        tn.plot.weights(model, 1, shape=(8, 8))
    """
    W = model.W[l]
    pictures = _pictures(W, shape)[:_MOST_PICTURES]
    tiled = _tiled(pictures)
    limit = float(np.nanmax(np.abs(tiled))) or 1.0
    ax = axes(ax)
    drawn = ax.imshow(tiled, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.figure.colorbar(drawn, ax=ax, label=f"W[{_written(l)}]")
    ax.set(xticks=[], yticks=[], xlabel=f"{len(pictures)} of {W.size // pictures[0].size} pictures")
    return ax


def _pictures(W: Array, shape: tuple[int, int] | None) -> Array:
    """Return W as pictures (number, rows, columns)."""
    if shape is None:
        n = math.prod(W.shape[1:])
        side = math.isqrt(n)
        if W.ndim > 2:
            shape = (W.shape[-2] if W.ndim > 3 else 1, W.shape[-1])
        else:
            shape = (side, side) if side * side == n else (1, n)
    elif math.prod(shape) <= 0 or math.prod(W.shape[1:]) % math.prod(shape):
        found = f"shape is {shape}, and a unit has {math.prod(W.shape[1:])} weights"
        raise ShapeError(f"{found}, expected rows · columns to be that number, or a part of it.")
    return W.reshape(-1, *shape)


def _tiled(pictures: Array) -> Array:
    """Return pictures side by side in one, with gaps of NaN, which are not drawn."""
    n, rows, columns = pictures.shape
    across = math.ceil(math.sqrt(n * rows / columns))
    down = -(-n // across)
    tiled = np.full((down * (rows + 1) - 1, across * (columns + 1) - 1), np.nan)
    for k, picture in enumerate(pictures):
        top, left = k // across * (rows + 1), k % across * (columns + 1)
        tiled[top : top + rows, left : left + columns] = picture
    return tiled
