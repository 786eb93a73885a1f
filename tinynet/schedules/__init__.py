"""Schedules: learning rates that change with the number of steps, or of epochs, taken so far.

A schedule is a function of that number alone, and the optimizer counts:

>>> from tinynet import SGD
>>> from tinynet.schedules import Exponential
>>> optimizer = SGD(Exponential(0.1, decay=0.9, by="epoch"))
>>> optimizer.rate()
0.1
"""

from typing import TYPE_CHECKING

from tinynet._support.later import later
from tinynet.schedules.base import Schedule, rate_field

if TYPE_CHECKING:
    from tinynet.schedules.rules import (
        Constant,
        Cosine,
        Exponential,
        InverseTime,
        OneCycle,
        Piecewise,
        Polynomial,
        Step,
        Warmup,
    )

__all__ = [
    "Constant", "Cosine", "Exponential", "InverseTime", "OneCycle", "Piecewise", "Polynomial",
    "Schedule", "Step", "Warmup", "rate_field",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = later(__name__, __all__, rules=__all__)
