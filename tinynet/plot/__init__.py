"""Pictures of a training and of a model, by matplotlib: ``pip install "tinynet[plot]"``.

Each function draws into `ax`, or into the axes of a new figure, and returns the axes. None of them
shows a figure or changes a setting of matplotlib. A notebook shows the figure by itself. In a
program, save it with ``axes.figure.savefig("picture.png")``, or call ``matplotlib.pyplot.show()``.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from tinynet._support.later import later as _later

if _TYPE_CHECKING:
    from tinynet.plot.classes import confusion_matrix, decision_boundary
    from tinynet.plot.curves import activation, history
    from tinynet.plot.model import layers, weights

__all__ = [
    "activation", "confusion_matrix", "decision_boundary", "history", "layers", "weights",
]  # fmt: skip

_BY_MODULE = {
    "classes": ["confusion_matrix", "decision_boundary"],
    "curves": ["activation", "history"],
    "model": ["layers", "weights"],
}

__getattr__, __dir__ = _later(__name__, __all__, **_BY_MODULE)
