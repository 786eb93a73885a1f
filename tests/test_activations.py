"""Activations against references in 60 digits, in the tails too; kinks; ``out``; a user's own."""

import decimal
from decimal import Decimal

import attrs
import numpy as np
import pytest

from tinynet import Activation
from tinynet.errors import ShapeError

DTYPES = [np.float32, np.float64]
PRECISE = decimal.Context(prec=60, Emin=-999999, Emax=999999)
SELU_SCALE, SELU_ALPHA = (
    Decimal("1.0507009873554804934193349852946"),
    Decimal("1.6732632423543772848170429916717"),
)
ROOT_TWO_PI = Decimal("2.50662827463100050241576528481104525300698674060993831663")

# The standard normal's Φ(-z), computed with mpmath to 60 digits. Every z is exact in float32, too.
NORMAL_TAIL = {
    "0": "0.5",
    "0.0009765625": "0.499610407991219458993224",
    "0.5": "0.308537538725986896362295",
    "1": "0.158655253931457051414767",
    "2.5": "0.0062096653257761351669781",
    "4": "0.0000316712418331199212537708",
    "5.5": "1.89895624658877193838513e-8",
    "8": "6.220960574271784123516e-16",
    "10": "7.61985302416052606597334e-24",
    "13": "6.11716439954987968227521e-39",
    "16.5": "1.83446300316473110995458e-61",
    "20": "2.75362411860623369507562e-89",
    "26": "2.47606331550338928578693e-149",
    "30": "4.90671392714818705953381e-198",
    "37": "5.72557122252457682268319e-300",
    "37.5": "4.60535300958195484382797e-308",
    "38": "2.88542836006878430835097e-316",
    "38.5": "1.4081824631705174617701e-324",
}
FAR = [
    "40",
    "60.25",
    "86.5",
    "88",
    "90",
    "100",
    "104",
    "300",
    "700",
    "708.5",
    "712",
    "745",
    "746",
    "1000",
    "10000",
]
POINTS = [Decimal(sign + z) for z in (*NORMAL_TAIL, *FAR) for sign in ("", "-")]


def exp(z):
    return PRECISE.exp(z)


def sigmoid(z):
    return exp(z) / (1 + exp(z)) if z < 0 else 1 / (1 + exp(-z))


def tanh(z):
    return (1 - exp(-2 * abs(z))) / (1 + exp(-2 * abs(z))) * (-1 if z < 0 else 1)


def softplus(z):
    small = exp(-abs(z))
    return max(z, 0) + (
        small * (1 - small / 2) if small < Decimal("1e-25") else PRECISE.ln(1 + small)
    )


def normal_cdf(z):
    tail = Decimal(NORMAL_TAIL.get(str(abs(z)), "0"))
    return tail if z < 0 else 1 - tail


def normal_pdf(z):
    return exp(-z * z / 2) / ROOT_TWO_PI


def tanh_softplus(z):
    square = (1 + exp(z)) ** 2
    return (exp(z) * (exp(z) + 2)) / (square + 1)


def tanh_softplus_slope(z):
    return 4 * exp(z) * (1 + exp(z)) / ((1 + exp(z)) ** 2 + 1) ** 2


def elu(z, alpha=1):
    return z if z > 0 else alpha * (exp(z) - 1)


def elu_slope(z, alpha=1):
    return Decimal(1) if z > 0 else alpha * exp(z)


# name -> A, its slope, and how many ulps each may be off.
REFERENCES = {
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z), 3, 4),
    "tanh": (tanh, lambda z: 4 * sigmoid(2 * z) * sigmoid(-2 * z), 3, 4),
    "softplus": (softplus, sigmoid, 3, 4),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * sigmoid(-z)), 4, 20),
    "gelu": (lambda z: z * normal_cdf(z), lambda z: normal_cdf(z) + z * normal_pdf(z), 6, 6),
    "mish": (
        lambda z: z * tanh_softplus(z),
        lambda z: tanh_softplus(z) + z * tanh_softplus_slope(z),
        4,
        4,
    ),
    "elu": (elu, elu_slope, 3, 3),
    "selu": (
        lambda z: SELU_SCALE * elu(z, SELU_ALPHA),
        lambda z: SELU_SCALE * elu_slope(z, SELU_ALPHA),
        3,
        3,
    ),
}
EVERY = sorted(
    name
    for name in Activation.names()
    if Activation._classes[name].__module__.startswith("tinynet.")
)


def row(numbers, dtype):
    """Return numbers as one row in a dtype."""
    return np.array([[float(z) for z in numbers]], dtype)


def exactly(function):
    """Return a function of Z at all points, computed in 60 digits."""
    with decimal.localcontext(PRECISE):
        return np.array([[float(function(z)) for z in POINTS]])


def assert_within(allowed, expected, actual, unit):
    """Assert that the actual numbers are off by no more than so many units, and say where they are not."""
    off = np.abs(actual.astype(float) - expected) / unit
    k = off.argmax()
    assert off.max() <= allowed, (
        f"at Z = {POINTS[k]}: {actual[0, k]!r}, off by {off.max():.3g} units"
    )


def units(Z, expected):
    """Return the units in the last place, with room for what is below the smallest normal number.

    It may come out as 0, and be a factor of Z: sigmoid's exp(-Z) is infinite there.
    """
    lost = np.finfo(Z.dtype).smallest_normal / 4  # three or more units are always allowed
    return (
        np.spacing(np.abs(expected).astype(Z.dtype)) + np.maximum(1, np.abs(Z).astype(float)) * lost
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", REFERENCES)
def test_values(name, dtype):
    """A is right to a few ulps for |Z| from 0 to 1e4, in the tails too."""
    function, _, allowed, _ = REFERENCES[name]
    Z, expected = row(POINTS, dtype), exactly(function)
    assert_within(allowed, expected, Activation.get(name).forward(Z), units(Z, expected))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", REFERENCES)
def test_slopes(name, dtype):
    """The slope is right to a few units of 1, and to a few ulps of itself where it dies away below."""
    _, function, _, allowed = REFERENCES[name]
    activation, Z, expected = Activation.get(name), row(POINTS, dtype), exactly(function)
    unit = np.full(Z.shape, float(np.finfo(dtype).eps))
    if name != "tanh":  # whose slope 1 - A² is small for want of digits in A
        unit = np.where(Z <= -3, units(Z, expected), unit)
    assert_within(
        allowed, expected, activation.back(np.ones_like(Z), Z, activation.forward(Z)), unit
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax(dtype):
    """Softmax is right to a few ulps for classes that are far apart, and each column sums to 1."""
    examples = [
        [0, 0, 0],
        [1, 2, 3],
        [-1e4, 0, 1e4],
        [1e4, 1e4, -1e4],
        [-50.5, 10, 0],
        [-1e4, -1e4, 1 - 1e4],
    ]
    columns = np.array(examples).T
    with decimal.localcontext(PRECISE):
        sums = [sum(exp(Decimal(z)) for z in column) for column in columns.T]
        expected = [
            [float(exp(Decimal(z)) / total) for z, total in zip(zs, sums, strict=True)]
            for zs in columns
        ]
    A = Activation.get("softmax").forward(columns.astype(dtype))
    assert dtype == A.dtype
    np.testing.assert_array_max_ulp(np.array(expected, dtype), A, maxulp=4)
    np.testing.assert_allclose(np.ones(6), A.sum(axis=0), rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_back(dtype):
    """Softmax's dZ is the Jacobian diag(A) - A Aᵀ times dA, in every column."""
    rng = np.random.default_rng(1)
    softmax, Z, dA = (
        Activation.get("softmax"),
        *(rng.standard_normal((4, 6)).astype(dtype) for _ in range(2)),
    )
    A = softmax.forward(Z)
    expected = np.stack(
        [(np.diag(a) - np.outer(a, a)) @ d for a, d in zip(A.T, dA.T, strict=True)], axis=1
    )
    np.testing.assert_allclose(expected, softmax.back(dA, Z, A), atol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    ("name", "fields", "Z", "A", "slope"),
    [
        ("identity", {}, [-2, 0, 3], [-2, 0, 3], [1, 1, 1]),
        ("relu", {}, [-1e4, -1, 0, 2, 1e4], [0, 0, 0, 2, 1e4], [0, 0, 0, 1, 1]),
        ("leaky_relu", {}, [-100, 0, 2], [-1, 0, 2], [0.01, 0.01, 1]),
        ("leaky_relu", {"slope": 0.25}, [-4, 0, 2], [-1, 0, 2], [0.25, 0.25, 1]),
        ("elu", {"alpha": 2}, [-1e4, 0, 2], [-2, 0, 2], [0, 2, 1]),
        (
            "hard_sigmoid",
            {},
            [-1e4, -3, 0, 1.5, 3, 1e4],
            [0, 0, 0.5, 0.75, 1, 1],
            [0, 0, 1 / 6, 1 / 6, 0, 0],
        ),
    ],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_pieces_and_kinks(name, fields, Z, A, slope, dtype):
    """Activations made of straight pieces have the documented value and slope at, and beside, their kinks."""
    activation, Z = Activation.get(name, **fields), row(Z, dtype)
    np.testing.assert_array_equal(row(A, dtype), activation.forward(Z))
    np.testing.assert_array_equal(
        row(slope, dtype), activation.back(np.ones_like(Z), Z, row(A, dtype))
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EVERY)
def test_out(name, dtype):
    """With out=, forward and back fill that array, whatever it held and however it lies, and return it."""
    rng, activation = np.random.default_rng(2), Activation.get(name)
    Z, dA = (rng.standard_normal((4, 6)).astype(dtype) for _ in range(2))
    A = activation.forward(Z)
    dZ = activation.back(dA, Z, A)
    for layout in (
        np.ascontiguousarray,
        np.asfortranarray,
        lambda array: np.repeat(array, 2, axis=1)[:, ::2],
    ):
        for expected, call in (
            (A, lambda out: activation.forward(Z, out=out)),
            (dZ, lambda out: activation.back(dA, Z, A, out=out)),
        ):
            out = layout(np.full((4, 6), np.nan, dtype))
            assert call(out) is out, "the array given as out must be returned"
            np.testing.assert_array_equal(expected, out)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EVERY)
def test_inputs_are_left_alone(name, dtype):
    """No activation needs to write into its inputs."""
    rng, activation = np.random.default_rng(3), Activation.get(name)
    Z, dA = (rng.standard_normal((4, 6)).astype(dtype) for _ in range(2))
    A = activation.forward(Z)
    for array in (Z, dA, A):
        array.setflags(write=False)
    assert dtype == activation.forward(Z).dtype
    assert dtype == activation.back(dA, Z, A).dtype


def users_own(with_back):
    """Return a user's activation written without out, with a back or without."""

    @attrs.frozen
    class Rescaled(Activation):
        scale: float = 2.0

        def forward(self, Z):
            return self.scale * np.tanh(Z)

    @attrs.frozen
    class RescaledBack(Rescaled):
        def back(self, dA, Z, A):
            return dA * self.scale * (1 - np.tanh(Z) ** 2)

    return (RescaledBack if with_back else Rescaled)(scale=3.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("with_back", [False, True])
def test_users_own_without_out(with_back, dtype):
    """A subclass written without out takes it all the same, and its result is copied there."""
    activation, Z = users_own(with_back), row([-2, 0, 1], dtype)
    dA, A, dZ = row([1, 2, 3], dtype), np.empty_like(Z), np.empty_like(Z)
    assert activation.forward(Z, out=A) is A
    np.testing.assert_allclose(3 * np.tanh(Z), A, rtol=1e-6)
    assert activation.back(dA, Z, A, out=dZ) is dZ
    np.testing.assert_allclose(dA * 3 / np.cosh(Z) ** 2, dZ, rtol=1e-5)
    np.testing.assert_array_equal(A, activation.forward(Z))
    np.testing.assert_array_equal(dZ, activation.back(dA, Z, A))


def test_users_own_with_a_local_variable_called_out():
    """Only an argument called out counts as taking it."""

    class Local(Activation):
        def forward(self, Z):
            out = 2 * Z
            out += 1
            return out

    A = np.empty((1, 2))
    assert Local().forward(np.ones((1, 2)), out=A) is A
    np.testing.assert_array_equal(np.full((1, 2), 3.0), A)


def test_users_own_that_changes_the_shape():
    """A result that does not fit out is refused with both shapes."""

    class Total(Activation):
        def forward(self, Z):
            return Z.sum(axis=0, keepdims=True)

    with pytest.raises(
        ShapeError, match=r"Total.forward returned shape \(1, 3\) for an input of shape \(2, 3\)"
    ):
        Total().forward(np.ones((2, 3)), out=np.empty((2, 3)))
