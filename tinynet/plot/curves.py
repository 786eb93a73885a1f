"""Curves: what a training measured, and an activation with its slope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinynet.activations import Activation
from tinynet.plot.axes import COLORS, axes

_FEW_EPOCHS = 15  # so few are shown as points too
_Z = np.linspace(-4, 4, 401).reshape(1, -1)


def history(
    history: Mapping[str, Sequence[float]],
    names: str | Sequence[str] | None = None,
    ax: Any = None,
    log: bool = False,
) -> Any:
    """Draw what a training measured: a line over the epochs for each name.

    The line of ``val_loss`` is dashed and has the color of ``loss``, and so for every name. A
    circle marks the epoch with the lowest validation loss.

    Parameters
    ----------
    history : History
        What `fit` returns, or any mapping of names to lists of numbers.
    names : str or sequence of str
        What to draw, without the names that begin with ``val_``. By default everything.
    ax : matplotlib Axes
        Where to draw; by default in a new figure.
    log : bool
        Whether the vertical axis is logarithmic.

    Returns
    -------
    matplotlib Axes
        `ax`, or the axes of the new figure.

    Raises
    ------
    KeyError
        For a name that is not in the history.

    Examples
    --------
    Needs matplotlib::

        history = model.fit(X, Y, epochs=20, validation_split=0.2)
        tn.plot.history(history, "loss").figure.savefig("loss.png")
    """
    names = _names(history, names)
    ax = axes(ax)
    for k, name in enumerate(names):
        for key, style in ((name, "-"), (f"val_{name}", "--")):
            values = history.get(key, ())
            if len(values):
                marker = "." if len(values) < _FEW_EPOCHS else ""
                epochs = range(1, len(values) + 1)
                ax.plot(epochs, values, style, color=f"C{k}", marker=marker, label=key)
        if name == "loss":
            _mark_best(ax, history.get("val_loss", ()), f"C{k}")
    ax.set(xlabel="epoch", ylabel=names[0] if len(names) == 1 else "value")
    ax.xaxis.get_major_locator().set_params(integer=True)
    if log:
        ax.set_yscale("log")
    if names:
        ax.legend(frameon=False)
    return ax


def _names(history: Mapping[str, Any], names: str | Sequence[str] | None) -> list[str]:
    """Return the names to draw, if the history has them."""
    known = [name for name in history if not (name.startswith("val_") and name[4:] in history)]
    if names is None:
        return known
    wanted = [names] if isinstance(names, str) else list(names)
    for name in wanted:
        if name not in history:
            found = f"The history has no {name!r}, expected one of {', '.join(history)}"
            raise KeyError(f"{found}. What is measured is chosen by fit(..., metrics=[...]).")
    return wanted


def _mark_best(ax: Any, losses: Sequence[float], color: str) -> None:
    """Mark the lowest loss, if there is a finite one."""
    if np.isfinite(losses).any():
        best = int(np.nanargmin(np.where(np.isfinite(losses), losses, np.inf)))
        label = f"lowest val_loss, epoch {best + 1}"
        ax.plot(best + 1, losses[best], "o", color=color, fillstyle="none", label=label)


def activation(activation: str | Activation, ax: Any = None) -> Any:
    """Draw an activation and its slope from Z = -4 to 4.

    Parameters
    ----------
    activation : str, Activation or config
        An activation that works on each number by itself.
    ax : matplotlib Axes
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib Axes
        `ax`, or the axes of the new figure.

    Raises
    ------
    ValueError
        For an activation such as softmax, in which each output depends on all inputs.

    Examples
    --------
    Needs matplotlib::

        tn.plot.activation("gelu")
        tn.plot.activation(tn.activations.LeakyReLU(slope=0.1))
    """
    g = Activation.get(activation)
    A = g.forward(_Z.copy())
    if not np.array_equal(A[:, :1], g.forward(_Z[:, :1].copy())) or g.sums_to_1:
        found = f"{g!r} has no curve, because each output depends on all inputs"
        raise ValueError(f'{found}. Use one that works on each number, such as "sigmoid".')
    slope = g.back(np.ones_like(_Z), _Z.copy(), A)
    ax = axes(ax)
    for values, name, style, color in zip(
        (A, slope), ("A", "slope"), ("-", "--"), COLORS, strict=True
    ):
        ax.plot(_Z[0], values[0], style, color=color, label=name)
    ax.set(xlabel="Z", ylabel="A and its slope", title=g.registered_name)
    ax.axhline(0, color="gray", linewidth=0.5, zorder=0)
    ax.axvline(0, color="gray", linewidth=0.5, zorder=0)
    ax.legend(frameon=False)
    return ax
