"""What every metric must pass."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinynet._support.arrays import Array
from tinynet.metrics import Metric
from tinynet.testing._expect import expect, unchanged


def _data() -> dict[str, tuple[Array, Array]]:
    """Return Y and A by kind; a metric need not take every kind."""
    rng = np.random.default_rng(0)
    classes = np.eye(10)[:, rng.permutation(np.arange(40) % 10)]
    return {
        "one-hot columns": (classes, rng.dirichlet(np.ones(10), 40).T),
        "a yes or no": (1.0 * (rng.random((1, 40)) < 0.5), rng.random((1, 40))),
        "numbers": (rng.standard_normal((3, 40)), rng.standard_normal((3, 40))),
    }


def _taken(metric: Metric) -> Iterator[tuple[str, Array, Array, float]]:
    """Return each kind of data that the metric takes, and its number for it."""
    refusals = []
    for kind, (Y, A) in _data().items():
        try:
            with np.errstate(all="ignore"):
                value = metric.measure(Y.copy(), A.copy())
        except Exception as error:  # a metric of classes may refuse numbers, and so on
            refusals.append(f"For {kind}: {type(error).__name__}: {error}")
            continue
        _expect_number(metric, value)
        if not math.isfinite(value):
            refusals.append(f"For {kind} it measures {value}.")
        else:
            yield kind, Y, A, value
    expect(len(refusals) < len(_data()), f"{metric!r} takes no data. {' '.join(refusals)}")


def _expect_number(metric: Metric, value: Any) -> None:
    message = f"{metric!r} gives a {type(value).__name__}, expected a number."
    is_number = isinstance(value, (int, float, np.integer, np.floating, np.bool_))
    expect(is_number, f"{message} Is a return or a mean missing?")


@np.errstate(all="ignore")  # whether a warning matters shows in the result
def check_number(metric: Metric) -> None:
    """Check that the result is a finite number, and that Y and A are not changed."""
    for kind, Y, A, _ in _taken(metric):
        for case, outputs in (("", A), (" where A is Y", Y), (" where A is 0.25", 0 * A + 0.25)):
            value = unchanged(f"{metric!r}.measure", metric.measure, Y=Y, A=outputs)
            _expect_number(metric, value)
            message = f"{metric!r} gives {value} for {kind}{case}, expected a finite number."
            expect(math.isfinite(value), f"{message} Return 0 for 0 / 0.")


def check_order(metric: Metric) -> None:
    """Check that neither the order of the examples nor that of the memory changes the number."""
    for kind, Y, A, value in _taken(metric):
        order = np.random.default_rng(1).permutation(A.shape[-1])
        cases = {
            "the examples have another order": (Y[:, order], A[:, order]),
            "Y and A lie by columns in memory": (np.asfortranarray(Y), np.asfortranarray(A)),
            "it is called again": (Y, A),
        }
        for case, arrays in cases.items():
            other = metric.measure(*arrays)
            _expect_number(metric, other)
            message = f"{metric!r} gives {value:.6g} for {kind}, and {other:.6g} when {case}"
            expect(np.isclose(value, other), f"{message}, expected the same. Use only Y and A.")


def check_direction(metric: Metric) -> None:
    """Check that A = Y is at least as good as a random A, in the direction the metric states."""
    larger = metric.larger_is_better
    for kind, Y, _, value in _taken(metric):
        with np.errstate(all="ignore"):
            best = metric.measure(Y.copy(), Y.copy())
        found = f"{metric!r} gives {best} for {kind} where A is Y, expected a finite number."
        expect(math.isfinite(best), f"{found} Return 0 for 0 / 0.")
        is_right = larger is not None and (best >= value if larger else best <= value)
        message = f"{metric!r}.larger_is_better is {larger}, expected {best > value}. For {kind} it"
        measured = f"measures {best:.6g} where A is Y, and {value:.6g} for a random A"
        expect(is_right, f"{message} {measured}.")


CHECKS = (check_number, check_order, check_direction)
