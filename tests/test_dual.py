"""An activation with a forward alone gets its exact derivative, or an error."""

import math

import numpy as np
import pytest
from helpers import registered

from tinynet import Activation
from tinynet._support import dual
from tinynet._support.derivatives import BINARY, CHOICES, FLAT, ORDERS, TESTS, UNARY
from tinynet._support.dual import SIGNED, Dual

DTYPES = [np.float32, np.float64]
ELEMENTWISE = sorted(registered(Activation).keys() - {"softmax"})


def activation(function):
    """Return an activation with only this forward."""
    return type("Own", (Activation,), {"forward": lambda self, Z: function(Z)})()


def slope(function, Z):
    """Return the slope of a function at Z."""
    return dual.back(function, np.ones_like(Z), Z)


def masked(Z):
    A = Z.copy()
    A[Z < 0] *= 0.1
    return A


def filled(Z):
    A = np.zeros_like(Z)
    A[Z > 1] = Z[Z > 1] - 1
    A += np.full_like(Z, 3)
    return A


def shared(Z):
    A = Z + 0
    A[Z > 0] = 0
    return A + 2 * Z


def whole_slice(Z):
    A = np.empty_like(Z)
    A[:] = 2 * Z
    return A


def in_place(Z):
    Z = Z * 2
    Z -= 1
    Z /= 3
    return np.exp(Z, out=Z)


def assigned(Z):
    A = np.zeros(Z.shape)
    A[Z > 0] = Z[Z > 0]
    return A


# What a newcomer writes, and its slope.
FORWARDS = {
    "sigmoid": (lambda Z: 1 / (1 + np.exp(-Z)), lambda Z: np.exp(-Z) / (1 + np.exp(-Z)) ** 2),
    "where": (lambda Z: np.where(Z > 0, Z, 0.1 * Z), lambda Z: np.where(Z > 0, 1, 0.1)),
    "where a constant": (lambda Z: np.where(Z > 0, Z, 0), lambda Z: 1.0 * (Z > 0)),
    "maximum": (lambda Z: np.maximum(Z, 0), lambda Z: 1.0 * (Z > 0)),
    "maximum, turned": (lambda Z: np.maximum(0, Z), lambda Z: 1.0 * (Z > 0)),
    "fmin": (lambda Z: np.fmin(Z, 1), lambda Z: 1.0 * (Z < 1)),
    "times a test": (lambda Z: Z * (Z > 0), lambda Z: 1.0 * (Z > 0)),
    "clip": (lambda Z: np.clip(Z, -1, 1), lambda Z: 1.0 * (np.abs(Z) < 1)),
    "method clip": (lambda Z: Z.clip(0, 6), lambda Z: 1.0 * (Z > 0) * (Z < 6)),
    "clip by name": (lambda Z: np.clip(Z, a_min=0, a_max=None), lambda Z: 1.0 * (Z > 0)),
    "method clip by name": (lambda Z: Z.clip(min=-1, max=3), lambda Z: 1.0 * (Z > -1) * (Z < 3)),
    "power": (lambda Z: Z**2 / (1 + Z**2), lambda Z: 2 * Z / (1 + Z**2) ** 2),
    "powers of a number": (lambda Z: 2.0**Z, lambda Z: math.log(2) * 2.0**Z),
    "rational": (lambda Z: Z / (1 + abs(Z)), lambda Z: 1 / (1 + abs(Z)) ** 2),
    "sine": (lambda Z: Z + np.sin(Z) * np.cos(Z), lambda Z: 1 + np.cos(2 * Z)),
    "gauss": (lambda Z: np.exp(-Z * Z), lambda Z: -2 * Z * np.exp(-Z * Z)),
    "softplus": (lambda Z: np.log1p(np.exp(Z)), lambda Z: 1 / (1 + np.exp(-Z))),
    "root": (lambda Z: np.sqrt(1 + np.square(Z)) - 1, lambda Z: Z / np.sqrt(1 + Z**2)),
    "logaddexp": (lambda Z: np.logaddexp(0, Z), lambda Z: 1 / (1 + np.exp(-Z))),
    "product": (lambda Z: np.multiply(Z, np.tanh(Z)), lambda Z: np.tanh(Z) + Z / np.cosh(Z) ** 2),
    "steps": (lambda Z: np.sign(Z) + np.floor(Z) + np.heaviside(Z, 1), lambda Z: 0 * Z),
    "a test alone": (lambda Z: (Z > 0) * 1.0, lambda Z: 0 * Z),
    "a mask": (masked, lambda Z: np.where(Z < 0, 0.1, 1)),
    "filled": (filled, lambda Z: 1.0 * (Z > 1)),
    "shared": (shared, lambda Z: np.where(Z > 0, 2, 3)),
    "in place": (in_place, lambda Z: 2 / 3 * np.exp((2 * Z - 1) / 3)),
    "negated": (lambda Z: -Z - +Z, lambda Z: -2 + 0 * Z),
    "select": (
        lambda Z: np.select([Z < -1, Z < 1], [-1 + 0 * Z, Z], 1), lambda Z: 1.0 * (np.abs(Z) < 1)),
    "overlapping pieces": (
        lambda Z: np.piecewise(Z, [Z > 0, Z > 1], [lambda Z: 2 * Z, lambda Z: 3 * Z]),
        lambda Z: 2.0 * (Z > 0) + (Z > 1),  # the last condition that holds counts
    ),
    "piecewise": (
        lambda Z: np.piecewise(Z, [Z < 0, Z >= 0], [lambda Z: 0.1 * Z, lambda Z: Z]),
        lambda Z: np.where(Z < 0, 0.1, 1)),
    "rounded": (lambda Z: Z - np.round(Z, 1), lambda Z: 1 + 0 * Z),
    "remainder": (lambda Z: (Z + 0.125) % 1, lambda Z: 1 + 0 * Z),
    "sinc": (np.sinc, lambda Z: np.cos(np.pi * Z) / Z - np.sin(np.pi * Z) / (np.pi * Z * Z)),
    "whole slice": (whole_slice, lambda Z: 2 + 0 * Z),
    "float64 inside": (lambda Z: Z / np.float64(2), lambda Z: 0.5 + 0 * Z),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FORWARDS)
def test_forward_alone(name, dtype):
    """An elementwise forward has its exact slope without a back, in the dtype of Z."""
    function, expected = FORWARDS[name]
    Z = np.array([[-3, -1.5, -0.25], [0.5, 2, 4]], dtype)
    dA, before, own = np.array([[1, 2, -1], [3, 1, 0.5]], dtype), Z.copy(), activation(function)
    dZ = own.back(dA, Z, own.forward(Z))
    assert dtype == dZ.dtype
    rtol = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(dZ, dA * expected(Z.astype(float)), rtol=rtol, atol=1e-14)
    np.testing.assert_array_equal(Z, before)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_built_in(name):
    """Dual numbers and the back of every elementwise activation agree to 1e-12, also at 0."""
    own = Activation.get(name)
    Z = np.append(np.random.default_rng(1).uniform(-4, 4, 40), [0.0, -3.0, 3.0]).reshape(1, -1)
    expected = own.back(np.ones_like(Z), Z, own.forward(Z))
    np.testing.assert_allclose(slope(own.forward, Z), expected, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_far_out(name, dtype):
    """No infinite factor spoils a slope that is finite."""
    Z = np.array([[-1e4, -1000, 1000, 1e4]], dtype)
    assert np.isfinite(slope(Activation.get(name).forward, Z)).all()
    sigmoid = slope(lambda Z: 1 / (1 + np.exp(-Z)), Z)
    np.testing.assert_array_equal(sigmoid, np.zeros_like(Z))


# Points inside the domain of the functions that do not take every number.
DOMAINS = {
    np.log: (0.1, 3), np.log2: (0.1, 3), np.log10: (0.1, 3), np.log1p: (-0.9, 3), np.sqrt: (0.1, 3),
    np.arcsin: (-0.9, 0.9), np.arccos: (-0.9, 0.9), np.arctanh: (-0.9, 0.9),
    np.arccosh: (1.1, 3), np.power: (0.1, 2), np.tan: (-1, 1), np.float_power: (0.1, 2),
}  # fmt: skip


def points(function):
    """Return two rows of points for a function."""
    x, y = np.random.default_rng(3).uniform(*DOMAINS.get(function, (-2, 2)), (2, 1, 9))
    # Of these the quotient must stay between two whole numbers.
    return (x, np.sign(x) * (3 + 0.1 * y)) if function in (np.fmod, np.remainder) else (x, y)


def difference(function, x):
    """Return the slope of a function by differences of fourth order."""
    h = 1e-3
    near, far = function(x + h) - function(x - h), function(x + 2 * h) - function(x - 2 * h)
    return (8 * near - far) / (12 * h)


@pytest.mark.parametrize("function", UNARY, ids=lambda f: f.__name__)
def test_functions_of_one_array(function):
    """The derivative in the table is that of the function."""
    x, _ = points(function)
    np.testing.assert_allclose(slope(function, x), difference(function, x), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("function", [*BINARY, *CHOICES], ids=lambda f: f.__name__)
def test_functions_of_two_arrays(function):
    """Both derivatives in the table are those of the function, also if both arrays depend on Z."""
    x, y = points(function)
    for of_one, at, rtol in (
        (lambda Z: function(Z, y), x, 1e-6),
        (lambda Z: function(x, Z), y, 1e-6),
        (lambda Z: function(Z, Z * y), x, 1e-5),
    ):
        np.testing.assert_allclose(slope(of_one, at), difference(of_one, at), rtol, atol=1e-9)


@pytest.mark.parametrize("function", [*FLAT, *TESTS, *ORDERS, *SIGNED], ids=lambda f: f.__name__)
def test_functions_without_slope(function):
    """What jumps is flat, and a test is an array of booleans."""
    x, y = points(function)
    others = (y,)[: function.nin - 1]
    result = function(Dual(x), *others)
    value = result.value if isinstance(result, Dual) else result
    np.testing.assert_array_equal(value, function(x, *others))
    if function in (np.absolute, np.fabs, np.copysign):
        expected = difference(lambda x: function(x, *others), x)
        np.testing.assert_allclose(result.slope, expected)
    else:
        assert isinstance(result, Dual) == (function in (*FLAT, np.sign, np.heaviside))
        assert not np.any(getattr(result, "slope", 0))


KINKS = [
    (lambda Z: np.maximum(Z, 0), 0), (lambda Z: np.maximum(-Z, 0), -1),
    (lambda Z: np.minimum(Z, 0), 1), (lambda Z: np.maximum(Z, 0.1 * Z), 0.1),
    (lambda Z: np.abs(Z), -1), (lambda Z: np.abs(-Z), -1), (lambda Z: np.sign(Z), 0),
    (lambda Z: np.where(Z > 0, Z, 0.3 * Z), 0.3), (lambda Z: np.where(Z >= 0, Z, 0), 0),
    (lambda Z: Z * (Z > 0), 0), (lambda Z: np.clip(Z, 0, 6), 0), (lambda Z: np.sinc(Z), 0),
    (lambda Z: Z**0, 0), (lambda Z: Z**1, 1), (lambda Z: Z**2, 0),
    (lambda Z: np.maximum(Z, 0) + np.minimum(Z, 0), 1), (lambda Z: np.heaviside(Z, 0.5) * Z, 0),
    # Smooth at 0, in two branches or by the sign: both must be of the same side.
    (lambda Z: np.where(Z >= 0, np.abs(Z), -np.abs(Z)), 1),
    (lambda Z: np.where(Z > 0, np.abs(Z), -np.abs(Z)), 1),
    (lambda Z: np.where(Z < 0, -np.abs(Z), np.abs(Z)), 1),
    (lambda Z: np.where(np.less_equal(0, Z), np.maximum(Z, 0), np.minimum(Z, 0)), 1),
    (lambda Z: np.sign(Z) * np.log1p(np.abs(Z)), 1),
    (lambda Z: np.copysign(np.log1p(np.abs(Z)), Z), 1),
    (lambda Z: np.fabs(Z) * np.where(np.signbit(Z), -1, 1), 1),
    (lambda Z: np.where(Z >= 0, 1, np.exp(-np.abs(Z))) / (1 + np.exp(-np.abs(Z))), 0.25),
    (lambda Z: np.where(Z == 0, 1, Z) * 2, 0),
]  # fmt: skip


@pytest.mark.parametrize(("function", "left"), KINKS)
def test_kinks(function, left):
    """At a kink the slope is that from the left, as for the built-in activations."""
    np.testing.assert_array_equal(slope(function, np.zeros((1, 1))), [[left]])


@pytest.mark.parametrize(("forward", "named"), [
    (lambda Z: Z - np.mean(Z, axis=0), "np.mean"), (lambda Z: Z - Z.mean(axis=0), "Z.mean"),
    (lambda Z: np.exp(Z) / np.exp(Z).sum(axis=0), "Z.sum"),
    (lambda Z: np.sort(Z, axis=0), "np.sort"),
    (lambda Z: Z / np.add.reduce(np.abs(Z)), "np.add.reduce"),
    (lambda Z: np.cumsum(Z, axis=1), "np.cumsum"), (lambda Z: Z[::-1], "an index"),
    (lambda Z: Z.T.T, "Z.T"), (lambda Z: Z @ np.eye(4), "np.matmul"),
    (lambda Z: np.spacing(Z), "np.spacing"),
    (lambda Z: np.vectorize(math.erf)(Z), "np.asarray, np.vectorize"),
    (lambda Z: np.asarray(Z) * 2, "np.asarray"),
    (assigned, "np.zeros in place of np.zeros_like(Z)"),
    (lambda Z: math.exp(Z) if isinstance(Z, Dual) else Z, "math.exp"),
    (lambda Z: np.exp(Z, where=Z > 0) if isinstance(Z, Dual) else Z, "np.exp with where="),
    (lambda Z: np.exp(Z, out=np.empty(Z.shape)), "with out="),
    (lambda Z: np.add.outer(Z, Z) if isinstance(Z, Dual) else Z, "np.add.outer"),
    (lambda Z: Z + np.ones((2, 3, 4)), "something that makes shape"),
])  # fmt: skip
def test_what_has_no_slope_is_refused(forward, named):
    """What mixes elements, or is unknown, raises an error that names it and says what to write."""
    own, Z = activation(forward), np.random.default_rng(0).standard_normal((3, 4))
    remedy = r"Use NumPy's .*, or write def back\(self, dA, Z, A\), which returns dZ\.$"
    with pytest.raises(TypeError, match=rf"^Own.forward cannot be .*\. {remedy}") as caught:
        own.back(Z, Z, Z)
    assert named in str(caught.value)
    assert "in line " in str(caught.value) or "makes shape" in named  # a line of this file


@pytest.mark.parametrize("block", [1, 6, 7, 60, 1000])
def test_blocks_of_examples(block, monkeypatch):
    """Each number has its slope in blocks of any size and any memory order, and Z is left alone."""
    monkeypatch.setattr(dual, "_BLOCK", block)
    Z, dA = np.random.default_rng(1).standard_normal((2, 3, 11))
    factors = np.array([[1.0], [2.0], [3.0]])

    def forward(Z):
        Z *= factors  # a forward that writes into its input, which it should not
        return np.tanh(Z)

    for order in "CF":
        laid_out = np.array(Z, order=order)
        dZ = dual.back(forward, dA, laid_out)
        np.testing.assert_allclose(dZ, dA * factors * (1 - np.tanh(factors * Z) ** 2), rtol=1e-12)
        np.testing.assert_array_equal(laid_out, Z)


def test_attributes():
    """A dual number has the shape and dtype of an array, and no special attribute of one."""
    Z = Dual(np.ones((2, 3)))
    assert not hasattr(Z, "__array_interface__")
    found = (Z.shape, Z.ndim, Z.size, len(Z), Z.dtype, np.shape(Z))
    assert found == ((2, 3), 2, 6, 2, np.dtype(float), (2, 3))
    assert Z.astype(np.float32).slope.dtype == np.float32
