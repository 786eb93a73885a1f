"""Axes to draw into."""

from __future__ import annotations

from typing import Any

COLORS = ("C0", "C1")  # of one thing and of another, as the style that is in use has them


def axes(ax: Any) -> Any:
    """Return `ax`, or the axes of a new figure."""
    if ax is not None:
        if not hasattr(ax, "set_xlabel"):
            found = f"ax is {type(ax).__name__}, expected axes of matplotlib"
            raise TypeError(f"{found}. Use figure, ax = plt.subplots().")
        return ax
    try:
        from matplotlib import pyplot as plt
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Pictures need the library matplotlib, which is not installed. "
            'Use python -m pip install "tinynet[plot]".',
            name="matplotlib",
        ) from error
    return plt.subplots(layout="constrained")[1]
