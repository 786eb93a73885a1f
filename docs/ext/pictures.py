"""Pictures that are drawn when the pages are built: activations, and the one on the front page.

A picture is drawn twice, for light and for dark pages; furo shows the one that fits.
"""

from functools import partial
from pathlib import Path

import matplotlib as mpl
from families import classes_of
from matplotlib.figure import Figure

import tinynet as tn

FOLDER = Path(__file__).parent.parent / "generated"
# Blue and orange, which nobody takes for each other, in a tone that stands out from the page.
STYLES = {
    "light": {"ink": "#333333", "colors": ["#0072b2", "#c65102"]},
    "dark": {"ink": "#cccccc", "colors": ["#56b4e9", "#f5a442"]},
}


def settings(style):
    """Return the settings of matplotlib for a style: a transparent ground, and text as text."""
    ink = STYLES[style]["ink"]
    names = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    return dict.fromkeys(names, ink) | {
        "axes.prop_cycle": mpl.cycler(color=STYLES[style]["colors"]),
        "axes.facecolor": "none", "figure.facecolor": "none", "savefig.facecolor": "none",
        "axes.spines.top": False, "axes.spines.right": False, "lines.linewidth": 2,
        "svg.fonttype": "none", "svg.hashsalt": "tinynet", "font.family": "sans-serif",
    }  # fmt: skip


def has_curve(cls):
    """Return whether each output of an activation depends on one input alone."""
    return not cls.sums_to_1


def drawn_twice(name, draw, size):
    """Have `draw` fill a figure of this size in inches, for light and for dark pages."""
    for style in STYLES:
        with mpl.rc_context(settings(style)):
            figure = Figure(figsize=size, layout="constrained")
            draw(figure)
            suffix, dpi = ("svg", None) if name.startswith("activation") else ("png", 120)
            date = {"metadata": {"Date": None}} if suffix == "svg" else {}
            figure.savefig(FOLDER / f"{name}_{style}.{suffix}", dpi=dpi, **date)


def draw_activation(name, figure):
    """Draw an activation and its slope."""
    tn.plot.activation(name, ax=figure.add_subplot()).set_title("")


def draw_spirals(figure):
    """Draw how a network learns to separate two spirals: the picture of the front page."""
    X, Y = tn.datasets.make_spirals(300, noise=0.025, seed=1, turns=1.3)
    model = tn.Sequential(
        [tn.Dense(24, "gelu"), tn.Dense(24, "gelu"), tn.Dense(1, "sigmoid")],
        loss="binary_crossentropy", inputs=2, seed=1,
    )  # fmt: skip
    optimizer, done = tn.Adam(0.02), 0
    for epochs, ax in zip((3, 10, 40), figure.subplots(1, 3), strict=True):
        model.fit(X, Y, optimizer, epochs=epochs - done)
        done = epochs
        tn.plot.decision_boundary(model, X, Y, ax=ax)
        accuracy = model.evaluate(X, Y, metrics=["accuracy"])["accuracy"]
        ax.set_title(f"{epochs} epochs: {accuracy:.0%}", fontsize=14)
        ax.set(aspect="equal")
        ax.set_axis_off()


def draw_all(app):
    """Draw every picture before the pages are read."""
    FOLDER.mkdir(exist_ok=True)
    drawn_twice("spirals", draw_spirals, (9, 3.3))
    for name, cls in classes_of("activation").items():
        if has_curve(cls):
            drawn_twice(f"activation_{name}", partial(draw_activation, name), (4.2, 2.7))


def lines_for(name):
    """Return the lines of reStructuredText that show both pictures of an activation."""
    shown = []
    for style in STYLES:
        shown += [
            f".. image:: /generated/activation_{name}_{style}.svg",
            f"   :alt: {name}: A as a line and its slope as a dashed line, for Z from -4 to 4",
            f"   :class: activation only-{style}", "",
        ]  # fmt: skip
    return shown


def add(app, what, name, thing, options, lines):
    """Put the picture of an activation after the first paragraph of its entry."""
    drawn = what == "class" and thing in classes_of("activation").values() and has_curve(thing)
    if drawn:
        first = lines.index("") if "" in lines else len(lines)
        lines[first:first] = ["", *lines_for(thing.registered_name)]


def setup(app):
    """Draw before the pages are read, and add pictures after napoleon has read the docstrings."""
    app.connect("builder-inited", draw_all)
    app.connect("autodoc-process-docstring", add, priority=700)
    return {"parallel_read_safe": True}
