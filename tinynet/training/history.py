"""The numbers that training measures, one for each epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Never

from tinynet._support.checks import shown
from tinynet._support.elsewhere import nearest_first

_BARS = "_.-=+*%#"  # in ASCII, which every screen and log can show


class History(dict[str, list[float]]):
    """What was measured: ``history["loss"]`` is a list with a number for each epoch.

    It is a dictionary of lists of numbers. ``json.dumps(history)`` works, and ``History(...)`` of
    what `json.loads` returns is equal to it.

    >>> history = History(loss=[2.0, 1.0, 0.5, 0.25], accuracy=[0.5, 0.75, 1.0, 1.0])
    >>> history
    History of 4 epochs
    loss      2 -> 0.25  #=._
    accuracy  0.5 -> 1   _+##
    >>> history.epochs, history.to_dict()["accuracy"]
    (4, [0.5, 0.75, 1.0, 1.0])
    """

    stopped = ""  # why the training ended before its last epoch, if it did

    @property
    def epochs(self) -> int:
        """The number of epochs recorded."""
        return max(map(len, self.values()), default=0)

    def to_dict(self) -> dict[str, list[float]]:
        """Return a plain dictionary, which shares no list with this one."""
        return {name: list(values) for name, values in self.items()}

    def copy(self) -> History:
        """Return a history equal to this one, with the same lists."""
        copied = History(self)
        copied.stopped = self.stopped
        return copied

    def record(self, measured: dict[str, float]) -> None:
        """Append the numbers of an epoch."""
        for name, value in measured.items():
            self.setdefault(name, []).append(value)

    def __missing__(self, name: Any) -> Never:
        names = ", ".join(nearest_first(str(name), self)) or "none, as it is empty"
        has_val = any(other.startswith("val_") for other in self)
        hint = "" if has_val or not str(name).startswith("val_") else " Give fit validation_data."
        raise KeyError(f"history has no {shown(name)}, expected one of {names}.{hint}")

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            known = "loss" if name == "history" else name
            if known in self:
                raise AttributeError(f'history has no attribute {name!r}. Use history["{known}"].')
            return object.__getattribute__(self, name)  # raises the error that led here

    def __repr__(self) -> str:
        series = {name: values for name, values in self.items() if values}
        rows = [(name, f"{v[0]:.4g} -> {v[-1]:.4g}", plot(v)) for name, v in series.items()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([f"History of {self.epochs} epochs", *lines])

    def _repr_html_(self) -> str:
        from tinynet._support import html  # only a notebook needs it

        rows = []
        for name, values in self.items():
            if not values or (name.startswith("val_") and name[4:] in self):
                continue
            val = self.get(f"val_{name}", [])
            ends = [*_ends(values), *(_ends(val) if val else ("", ""))]
            rows.append([html.code(name), *ends, html.sparkline(values, val)])
        heading = f"History of {self.epochs} epochs"
        heading += f"; stopped: {self.stopped}" if self.stopped else ""
        return html.table(heading, ["", "first", "last", "val_ first", "val_ last", ""], rows)


def _ends(values: Sequence[float]) -> tuple[str, str]:
    return f"{values[0]:.4g}", f"{values[-1]:.4g}"


def plot(values: Sequence[float], width: int = 40) -> str:
    """Return a line of at most `width` bars, the higher the larger, and "?" for NaN or infinity.

    >>> plot([0, 1, 2, 3, float("nan")])
    '_-*#?'
    """
    n = len(values)
    drawn = values if n <= width else [values[i * (n - 1) // (width - 1)] for i in range(width)]
    finite = [value for value in drawn if math.isfinite(value)]
    low, span = min(finite, default=0.0), max(finite, default=0.0) - min(finite, default=0.0)
    # Without a span every bar is the lowest one; value - value is NaN where value is not finite.
    return "".join(_bar((value - low) / span if span else value - value) for value in drawn)


def _bar(share: float) -> str:
    return _BARS[min(int(share * len(_BARS)), len(_BARS) - 1)] if math.isfinite(share) else "?"
