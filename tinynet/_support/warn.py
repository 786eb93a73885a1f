"""Warnings about a training, at the line of the user's program that is the cause."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from tinynet.errors import TrainingWarning

_rewording: ContextVar[Callable[[str], str]] = ContextVar("rewording", default=str)


@contextlib.contextmanager
def worded(rewording: Callable[[str], str]) -> Iterator[None]:
    """Have warnings in this block say what `rewording` makes of them; "" is not said."""
    token = _rewording.set(rewording)
    try:
        yield
    finally:
        _rewording.reset(token)


def warn(fault: str) -> None:
    """Warn of what is likely a mistake, at the line outside the package that led here."""
    message = _rewording.get()(fault)
    if not message:
        return
    frame, level = sys._getframe(1), 2
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith("tinynet."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, TrainingWarning, stacklevel=level)
