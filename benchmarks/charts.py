"""Charts of the tables, as SVG: horizontal bars of ratios, on a logarithmic axis.

They have no background and no media query, so that they fit the page's own switch from light to
dark. Each bar has its name and numbers beside it, so nobody needs to tell colours apart; they are
from the palette of Okabe and Ito all the same, those that are seen on white and on black.
"""

import dataclasses
import math
from xml.sax.saxutils import escape

import tables

GREY = "#767676"  # as dark as can be read on white and on black
COLOURS = {
    "torch": "#d55e00", "torch DataLoader": "#d55e00", "torch by hand": "#d55e00",
    "jax": "#cc79a7", "sklearn": "#009e73", "sklearn fit": "#009e73",
}  # fmt: skip
BLUE = "#0072b2"  # of all others
LEFT, RIGHT, WIDTH, LINE = 150, 500, 680, 20  # of the bars, of the chart, and of a row


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart of some rows and columns of one or several tables; empty means all."""

    title: str
    axis: str
    tables: tuple[str, ...]
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    threads: str = "default"

    def groups(self, results):
        """Yield (heading, unit, [(name, value, ratio), ...]) of each row that is there."""
        for table in results["tables"]:
            if table["name"] in self.tables and table["threads"] == self.threads:
                found = tables.ratios(table)
                for row in table["rows"]:
                    if row["name"] in found and (not self.rows or row["name"] in self.rows):
                        bars = [
                            (name, row["values"][name], ratio)
                            for name, ratio in found[row["name"]].items()
                            if not self.columns or name in self.columns
                        ]
                        base = tables.amount(row["values"][table["base"]], table["unit"])
                        heading = f"{row['name'] or table['title']}: {table['base']} {base}"
                        if bars:
                            yield heading, table["unit"], bars


_TO_TINYNET = "time divided by tinynet's: right of the line tinynet is faster, left of it slower"
CHARTS = {
    "steps": Chart(
        "One training step", _TO_TINYNET, ("steps",),
        ("2-4-1 m=4 relu sgd", "4-16-3 m=32 relu sgd", "784-128-64-10 m=128 relu sgd",
         "784-128-64-10 m=128 gelu sgd", "784-1024-1024-10 m=256 relu sgd"),
        ("torch", "jax", "sklearn"),
    ),
    "floor": Chart(
        "One training step of tinynet", "time divided by that of the step's matrix products alone",
        ("floor",), threads="one",
    ),
    "fit": Chart("One epoch of fit, 60,000 examples", _TO_TINYNET, ("epochs",)),
    "inference": Chart(
        "One prediction", _TO_TINYNET, ("inference",),
        columns=("torch", "jax", "sklearn", "onnxruntime"), threads="one",
    ),
    "images": Chart(
        "One training step of networks for images", _TO_TINYNET, ("images",),
        columns=("torch", "jax", "floor"), threads="one",
    ),
    "footprint": Chart(
        "Time to import, and space on the disk", "divided by tinynet's",
        ("imports", "installed"),
    ),
    "contended": Chart(
        "30 epochs of fit while other programs keep all cores busy",
        "time divided by that with one thread of BLAS: the median, and the slowest run",
        ("contended",),
    ),
}  # fmt: skip


def write(results, folder):
    """Write each chart whose rows were measured."""
    folder.mkdir(exist_ok=True)
    for name, chart in CHARTS.items():
        groups = list(chart.groups(results))
        if groups:
            (folder / f"{name}.svg").write_text(svg(chart.title, chart.axis, groups), "utf-8")


def svg(title, axis, groups):
    """Return a chart: under each heading a bar for each (name, value, ratio)."""
    found = [ratio for _, _, bars in groups for _, _, ratio in bars]
    at = _scale(min(found), max(found))
    parts, y = [_text(0, 18, title, "title"), _text(0, 38, axis)], 64
    for heading, unit, bars in groups:
        parts.append(_text(0, y + 14, heading, "heading"))
        y += LINE + 2
        for name, value, ratio in bars:
            parts += _bar(y, at, name, tables.amount(value, unit), ratio)
            y += LINE
        y += 10
    lines = [_tick(tick, at(tick), y) for tick in _ticks(min(found), max(found))]
    style = (
        f"text {{ font: 13px sans-serif; fill: {GREY} }} .title {{ font: bold 16px sans-serif }} "
        ".heading { font-weight: bold } .end { text-anchor: end } .middle { text-anchor: middle }"
    )
    size = f'viewBox="0 0 {WIDTH} {y + 24}" width="{WIDTH}" height="{y + 24}"'
    start = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(title)}: {escape(axis)}</title>",
        f"<style>{style}</style>",
    ]
    return "\n".join([*start, *lines, *parts, "</svg>\n"])


def _scale(least, most):
    """Return a function from a ratio to its place on the axis, which has 1 and all ratios."""
    low, high = math.log(min(least, 0.8)), math.log(max(most, 2))
    return lambda ratio: LEFT + (RIGHT - LEFT) * (math.log(ratio) - low) / (high - low)


def _ticks(least, most):
    steps = (10.0**power * factor for power in range(-4, 5) for factor in (1, 2, 5))
    return [tick for tick in steps if tick == 1 or min(least, 0.8) <= tick <= max(most, 2)]


def _tick(tick, x, bottom):
    width, opacity = (2, 1) if tick == 1 else (1, 0.3)
    line = f'<line x1="{x:.1f}" y1="56" x2="{x:.1f}" y2="{bottom}" stroke="{GREY}" '
    line += f'stroke-width="{width}" stroke-opacity="{opacity}"/>'
    return line + _text(x, bottom + 16, f"{tick:g}", "middle")


def _bar(y, at, name, value, ratio):
    """Return a bar from 1 to a ratio, with its name on the left and its numbers on the right."""
    x, width = min(at(1), at(ratio)), abs(at(ratio) - at(1))
    colour = COLOURS.get(name, BLUE)
    place = f'x="{x:.1f}" y="{y + 3}" width="{max(width, 1):.1f}" height="{LINE - 6}"'
    title = f"<title>{escape(name)}: {ratio:.2f}</title>"
    return [
        f'<rect class="bar" {place} fill="{colour}">{title}</rect>',
        _text(LEFT - 10, y + 14, name, "end"),
        _text(WIDTH, y + 14, f"{ratio:.2f} times, {value}", "end"),
    ]


def _text(x, y, text, kind=""):
    attribute = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.5g}" y="{y}"{attribute}>{escape(text)}</text>'
