"""Small data to learn with, as columns: real digits, and shapes in the plane."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, TypeAlias

import attrs
import numpy as np

from tinynet._support.arrays import Array

XY: TypeAlias = tuple[Array, Array]


@attrs.frozen(eq=False, repr=False)
class Digits:
    """The handwritten digits: X (64, 1797), y (1797,), and `test`, which marks the test set."""

    X: Array
    y: Array
    test: Array  # every fifth example of each digit
    X_train = property(lambda self: self.X[:, ~self.test], doc="The images to train on.")
    y_train = property(lambda self: self.y[~self.test], doc="Their digits.")
    X_test = property(lambda self: self.X[:, self.test], doc="The images of the test set.")
    y_test = property(lambda self: self.y[self.test], doc="Their digits.")

    def __iter__(self) -> Iterator[Array]:
        return iter((self.X, self.y))


def load_digits() -> Digits:
    """Return 1,797 handwritten digits as columns in [0, 1]; ``X, y = load_digits()`` takes all.

    The test set of "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak
    (1998), UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, licensed under
    CC BY 4.0. Each entry was a count of 0 to 16 ink pixels; here it is divided by 16.

    >>> digits = load_digits()
    >>> digits.X.shape, digits.X_train.shape, digits.X_test.shape
    ((64, 1797), (64, 1433), (64, 364))
    """
    with np.load(os.path.join(os.path.dirname(__file__), "digits.npz")) as data:
        counts, y = data["counts"], data["y"].astype(np.int64)
    test = np.zeros(y.size, bool)
    for digit in range(10):
        test[np.flatnonzero(y == digit)[::5]] = True
    return Digits(X=counts.T / 16, y=y, test=test)


def make_circles(m: int = 300, noise: float = 0.05, seed: Any = None, factor: float = 0.5) -> XY:
    """Return points on two circles around one centre: X (2, m), Y (1, m) with 1 for the inner one.

    Parameters
    ----------
    m : int
        How many points.
    noise : float
        The standard deviation of what is added to each coordinate.
    seed : int, Generator or RandomState, optional
        For the noise.
    factor : float
        The radius of the inner circle; that of the outer one is 1.

    >>> [array.shape for array in make_circles(100, seed=1)]
    [(2, 100), (1, 100)]
    """
    angle, inner = _halves(m, 2 * np.pi, endpoint=False)
    return _noisy(np.where(inner, factor, 1.0) * _on_circle(angle), inner, noise, seed)


def make_moons(m: int = 300, noise: float = 0.1, seed: Any = None) -> XY:
    """Return points on two interlocking half circles: X (2, m), Y (1, m), 1 for the lower one.

    Parameters
    ----------
    m : int
        How many points.
    noise : float
        The standard deviation of what is added to each coordinate.
    seed : int, Generator or RandomState, optional
        For the noise.

    >>> X, Y = make_moons(100, seed=1)
    >>> X.shape, Y.shape
    ((2, 100), (1, 100))
    """
    angle, lower = _halves(m, np.pi)
    upper_moon = _on_circle(angle)
    lower_moon = np.array([[1.0], [0.5]]) - upper_moon
    return _noisy(np.where(lower, lower_moon, upper_moon), lower, noise, seed)


def make_spirals(m: int = 300, noise: float = 0.05, seed: Any = None, turns: float = 1.0) -> XY:
    """Return points on two spirals around one centre: X (2, m), Y (1, m) with 1 for the second.

    Parameters
    ----------
    m : int
        How many points.
    noise : float
        The standard deviation of what is added to each coordinate.
    seed : int, Generator or RandomState, optional
        For the noise.
    turns : float
        How often each goes round.

    >>> X, Y = make_spirals(100, seed=1)
    >>> X.shape, Y.shape
    ((2, 100), (1, 100))
    """
    angle, second = _halves(m, 2 * np.pi * turns)
    radius = np.linspace(0.1, 1, m - m // 2)[np.arange(m) % (m - m // 2)]
    return _noisy(radius * _on_circle(angle + np.pi * second), second, noise, seed)


def _halves(m: int, span: float, endpoint: bool = True) -> tuple[Array, Array]:
    """Return angles evenly over `span` for each half of the points, and where the second is."""
    first = m - m // 2
    angle = np.concatenate([np.linspace(0, span, n, endpoint=endpoint) for n in (first, m // 2)])
    return angle, np.arange(m) >= first


def _on_circle(angle: Array) -> Array:
    return np.stack([np.cos(angle), np.sin(angle)])


def _noisy(X: Array, of_second: Array, noise: float, seed: Any) -> XY:
    rng = np.random.default_rng(seed)
    return X + noise * rng.standard_normal(X.shape), of_second.astype(np.int64)[np.newaxis]
