"""Floating-point flags, which are off where a user calls in.

A user may have set ``np.seterr(all="raise")``, or may treat warnings as errors. What underflows is
0, as it should be, and what is not finite is looked for in the results. So public methods run
without flags. Formulas do too, for those who use one alone; a model switches the flags off once,
and calls the formulas without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

_no_flags = np.errstate(all="ignore")


def quiet(function: F) -> F:
    """Return a function that runs without floating-point flags, whatever a user has set."""
    quiet_function: Any = _no_flags(function)
    quiet_function.within = function
    return quiet_function


def within(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method as it was before `quiet`, for a caller that has switched the flags off.

    To switch them off takes half a microsecond, which is much for a formula of a small layer.
    """
    function = getattr(method, "within", None)
    if function is None:
        return method
    owner = getattr(method, "__self__", None)  # a static method has none
    return function if owner is None else function.__get__(owner)
