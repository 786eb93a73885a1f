"""Training: the loop, callbacks, checkpoints, history."""

from typing import TYPE_CHECKING

from tinynet._support.later import modules_later

if TYPE_CHECKING:
    from tinynet.training import checkpoint, evaluation, fit, tally

__all__ = [
    "callbacks", "checkpoint", "diagnostics", "draws", "evaluation", "fit", "history", "interrupt",
    "joining", "loop", "mismatches", "nonfinite", "progress", "ranks", "run", "step", "tally",
]  # fmt: skip

if not TYPE_CHECKING:
    # Imported when a model is first trained, evaluated or used to predict.
    __getattr__, __dir__ = modules_later(__name__, __all__)
