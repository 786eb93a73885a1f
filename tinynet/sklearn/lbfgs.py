"""L-BFGS, by SciPy: for data so small that a step may take all of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize

from tinynet._support.arrays import Array
from tinynet._support.random import get_state
from tinynet.data.weights import example_weights
from tinynet.errors import NonFiniteError
from tinynet.sequential import Sequential
from tinynet.training.history import History

_EVALUATIONS = 75  # of the cost, for each iteration, at most; a line search needs one or two


def fit_by_lbfgs(
    model: Sequential, X: Any, Y: Any, sample_weight: Any, iterations: int, tol: float
) -> History:
    """Minimize the cost of all examples, and return its history, a number an iteration.

    It ends where no gradient is above `tol`, or the cost does not fall any more (Liu and Nocedal
    1989; Byrd, Lu, Nocedal and Zhu 1995).
    """
    X, Y = model.check_data(X, Y)
    w = example_weights(model, sample_weight, None, Y.shape[-1], ())
    _expect_no_draws(model, X)
    costs: list[float] = []
    history = History()

    def cost_and_gradients(params: Array) -> tuple[float, Array]:
        model.params[:] = params
        model.forward(X, training=True)
        costs.append(model.cost(Y, sample_weight=w))
        model.back(Y, sample_weight=w)
        return costs[-1], model.grads.astype(np.float64)

    found = minimize(
        cost_and_gradients, model.params.astype(np.float64), method="L-BFGS-B", jac=True,
        # A line search ends with the point it takes.
        callback=lambda _: history.record({"loss": costs[-1]}),
        options={"maxiter": iterations, "maxfun": iterations * _EVALUATIONS, "gtol": tol},
    )  # fmt: skip
    model.params[:] = found.x
    if not np.isfinite(found.fun):
        raise NonFiniteError(f"The cost is {found.fun}. Scale X and y to numbers of about 1.")
    if not history:  # there was nothing to improve
        history.record({"loss": float(found.fun)})
    history.stopped = "" if found.nit >= iterations else str(found.message)
    return history


def _expect_no_draws(model: Sequential, X: Array) -> None:
    """Refuse a model whose cost is another one in each pass, as with dropout."""
    before = str(get_state(model.rng))
    model.forward(X, training=True)
    if before != str(get_state(model.rng)):
        found = "optimizer='lbfgs' got layers that draw random numbers, as Dropout does"
        raise ValueError(f"{found}, expected a cost that is always the same. Use optimizer='adam'.")
