"""Optimizers against steps by hand."""

import math

import numpy as np
import pytest

from tinynet import SGD, Adam

# The parameter after each step, from 0.
STEPS = [
    (SGD(0.5), [1, 2], [-0.5, -1.5]),
    (SGD(0.5, dampening=0.5), [2, 4], [-0.5, -1.5]),
    (SGD(1, momentum=0.5), [4, 4], [-4, -10]),
    (SGD(0.5, momentum=0.5, dampening=0.5), [4, 4], [-1, -2.5]),
    (SGD(1, momentum=0.5, nesterov=True), [4, 4], [-6, -13]),
    (SGD(1, momentum=0.5, dampening=0.5, nesterov=True), [4, 4], [-3, -6.5]),
    (Adam(0.5, beta1=0, beta2=0, epsilon=1), [1, 3], [-0.25, -0.625]),
    # v̂ = 1, ŝ = 1; then v = 7/4, s = 39/16, so v̂ = 7/3, ŝ = 39/7
    (Adam(1, beta1=0.5, beta2=0.75, epsilon=1), [1, 3], [-0.5, -0.5 - (7 / 3) / (math.sqrt(39 / 7) + 1)]),
]


@pytest.mark.parametrize(("optimizer", "grads", "expected"), STEPS)
def test_steps_by_hand(optimizer, grads, expected):
    """Each step is the one of the formula; after a reset, the first is the first again."""
    for _ in range(2):
        params, actual = np.zeros(1), []
        for gradient in grads:
            optimizer.update(params, np.array([gradient], float))
            actual.append(params[0])
        np.testing.assert_allclose(expected, actual, rtol=1e-14)
        optimizer.reset()


@pytest.mark.parametrize("settings", [{}, {"beta1": 0.5, "beta2": 0.75}, {"beta1": 0.0}, {"beta2": 0.0}])
def test_adam_under_a_constant_gradient(settings):
    """The corrected means of equal gradients are that gradient, so every step is as long as the learning rate."""
    optimizer, params = Adam(0.25, epsilon=1e-300, **settings), np.zeros(2)
    for t in range(1, 6):
        optimizer.update(params, np.array([100.0, -0.01]))
        np.testing.assert_allclose([-0.25 * t, 0.25 * t], params, rtol=1e-12)
