"""Warnings about a training, at the line of the user's program that is the cause."""

from __future__ import annotations

import sys
import warnings

from tinynet.errors import TrainingWarning


def warn(fault: str) -> None:
    """Warn of what is likely a mistake, at the line outside the package that led here."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith("tinynet."):
        frame, level = frame.f_back, level + 1
    warnings.warn(fault, TrainingWarning, stacklevel=level)
