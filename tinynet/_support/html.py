"""Tables and small curves in HTML, as a notebook shows them: no script, and legible on any ground.

Colors and fonts are those of the page around, so that text is light where the page is dark.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

_STYLE = (
    "<style>.tinynet,.tinynet table{font:13px system-ui,sans-serif;color:inherit}"
    ".tinynet table{border-collapse:collapse;margin:4px 0}"
    ".tinynet th,.tinynet td{padding:2px 12px 2px 0;border:0;background:none;text-align:left;"
    "white-space:nowrap;font-variant-numeric:tabular-nums}"
    ".tinynet th{border-bottom:1px solid #8888;font-weight:600}"
    ".tinynet svg{vertical-align:middle}</style>"
)
_COLORS = ("#3b82c4", "#e08214")  # both have enough contrast on white and on black
_WIDTH, _HEIGHT = 160, 28  # pixels of a curve


def table(heading: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of texts below a heading; cells that begin with "<" are HTML already.

    >>> "<td>a &lt; b</td>" in table("letters", ["which"], [["a < b"]])
    True
    """
    lines = ["".join(f"<th>{_cell(name)}</th>" for name in header)]
    lines += ["".join(f"<td>{_cell(text)}</td>" for text in row) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'{_STYLE}<div class="tinynet">{_cell(heading)}<table>{body}</table></div>'


def _cell(text: str) -> str:
    return text if text.startswith("<") else html.escape(text)


def code(text: str) -> str:
    """Return a text as HTML of code."""
    return f"<code>{html.escape(text)}</code>"


def sparkline(values: Sequence[float], dashed: Sequence[float] = ()) -> str:
    """Return a small picture of a curve, and of a dashed one on the same scale.

    NaN and infinity leave gaps.

    >>> sparkline([2.0, 1.0]).startswith('<svg role="img" aria-label="from 2 to 1"')
    True
    """
    finite = [value for value in (*values, *dashed) if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    n = max(len(values), len(dashed))
    paths = [
        f'<path d="{_path(curve, n, low, high)}" fill="none" stroke="{color}"{dash}/>'
        for curve, color, dash in zip(
            (values, dashed), _COLORS, ("", ' stroke-dasharray="4 2"'), strict=True
        )
        if curve
    ]
    label = f"from {values[0]:.4g} to {values[-1]:.4g}" if values else "empty"
    size = f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    return f'<svg role="img" aria-label="{label}" {size} stroke-width="1.5">{"".join(paths)}</svg>'


def _path(values: Sequence[float], n: int, low: float, high: float) -> str:
    """Return the path of a curve, with at most a point for each pixel, from low to high."""
    last = len(values) - 1
    step = max(1, math.ceil(last / _WIDTH))
    points, pen = [], "M"
    for k in dict.fromkeys([*range(0, last, step), last]):
        if not math.isfinite(values[k]):
            pen = "M"
            continue
        x = _WIDTH * k / max(n - 1, 1)
        y = 2 + (_HEIGHT - 4) * ((high - values[k]) / (high - low) if high > low else 0.5)
        points.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "L"
    return "".join(points)
