"""Activations against references in 60 digits, in the tails too; kinks; ``out``; a user's class."""

import decimal
import math
from decimal import Decimal

import numpy as np
import pytest
from helpers import registered
from messages import raises

import tinynet as tn
from tinynet import Activation
from tinynet._support.blocks import with_out
from tinynet.activations import SELU, Sigmoid, Softmax
from tinynet.activations.base import BoundActivation
from tinynet.errors import ShapeError

PRECISE = decimal.Context(prec=60, Emin=-999999, Emax=999999)
SELU_SCALE = Decimal("1.0507009873554804934193349852946")
SELU_ALPHA = Decimal("1.6732632423543772848170429916717")
ROOT_TWO_PI = Decimal("2.50662827463100050241576528481104525300698674060993831663")

# The standard normal's Φ(-z), computed with mpmath to 60 digits. Every z is exact in float32, too.
NORMAL_TAIL = {
    "0": "0.5", "0.0009765625": "0.499610407991219458993224", "0.5": "0.308537538725986896362295",
    "1": "0.158655253931457051414767", "2.5": "0.0062096653257761351669781",
    "4": "0.0000316712418331199212537708", "5.5": "1.89895624658877193838513e-8",
    "8": "6.220960574271784123516e-16", "10": "7.61985302416052606597334e-24",
    "13": "6.11716439954987968227521e-39", "16.5": "1.83446300316473110995458e-61",
    "20": "2.75362411860623369507562e-89", "26": "2.47606331550338928578693e-149",
    "30": "4.90671392714818705953381e-198", "37": "5.72557122252457682268319e-300",
    "37.5": "4.60535300958195484382797e-308", "38": "2.88542836006878430835097e-316",
    "38.5": "1.4081824631705174617701e-324",
}  # fmt: skip
FAR = [40, 60.25, 86.5, 88, 90, 100, 104, 300, 700, 708.5, 712, 745, 746, 1000, 10000]
POINTS = [Decimal(f"{sign}{z}") for z in (*NORMAL_TAIL, *FAR) for sign in ("", "-")]


def exp(z):
    return PRECISE.exp(z)


def sigmoid(z):
    return exp(z) / (1 + exp(z)) if z < 0 else 1 / (1 + exp(-z))


def tanh(z):
    return (1 - exp(-2 * abs(z))) / (1 + exp(-2 * abs(z))) * (-1 if z < 0 else 1)


def softplus(z):
    small = exp(-abs(z))
    log = small * (1 - small / 2) if small < Decimal("1e-25") else PRECISE.ln(1 + small)
    return max(z, 0) + log


def normal_cdf(z):
    tail = Decimal(NORMAL_TAIL.get(str(abs(z)), "0"))
    return tail if z < 0 else 1 - tail


def normal_pdf(z):
    return exp(-z * z / 2) / ROOT_TWO_PI


def tanh_softplus(z):
    return (exp(z) * (exp(z) + 2)) / ((1 + exp(z)) ** 2 + 1)


def mish_slope(z):
    return tanh_softplus(z) + z * 4 * exp(z) * (1 + exp(z)) / ((1 + exp(z)) ** 2 + 1) ** 2


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
    "mish": (lambda z: z * tanh_softplus(z), mish_slope, 4, 4),
    "elu": (elu, elu_slope, 3, 3),
    "celu": (elu, elu_slope, 3, 3),
    "softsign": (lambda z: z / (1 + abs(z)), lambda z: 1 / (1 + abs(z)) ** 2, 3, 4),
    "selu": (
        lambda z: SELU_SCALE * elu(z, SELU_ALPHA), lambda z: SELU_SCALE * elu_slope(z, SELU_ALPHA),
        3, 3),
}  # fmt: skip
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def row(numbers, dtype):
    """Return numbers as one row in a dtype."""
    return np.array([[float(z) for z in numbers]], dtype)


def random_arrays(dtype, m=6):
    """Return two arrays (4, m) of normal numbers."""
    rng = np.random.default_rng(1)
    return [rng.standard_normal((4, m)).astype(dtype) for _ in range(2)]


def exactly(function):
    """Return a function of Z at all points, computed in 60 digits."""
    with decimal.localcontext(PRECISE):
        return np.array([[float(function(z)) for z in POINTS]])


def assert_within(allowed, expected, actual, unit):
    """Assert that numbers are off by no more than so many units, and say where they are not."""
    off = np.abs(actual.astype(float) - expected) / unit
    k = off.argmax()
    message = f"at Z = {POINTS[k]}: {actual[0, k]!r}, off by {off.max():.3g} units"
    assert off.max() <= allowed, message


def units(Z, expected):
    """Return the units in the last place, and more for what is below the smallest normal number.

    That may come out as 0, and be a factor of Z: sigmoid's exp(-Z) is infinite there.
    """
    lost = np.finfo(Z.dtype).smallest_normal / 4  # three or more units are always allowed
    unit = np.spacing(np.abs(expected).astype(Z.dtype))
    return unit + np.maximum(1, np.abs(Z).astype(float)) * lost


@both_dtypes
@pytest.mark.parametrize("name", REFERENCES)
def test_values(name, dtype):
    """A is right to a few ulps for |Z| from 0 to 1e4, in the tails too."""
    function, _, allowed, _ = REFERENCES[name]
    Z, expected = row(POINTS, dtype), exactly(function)
    assert_within(allowed, expected, Activation.get(name).forward(Z), units(Z, expected))


@both_dtypes
@pytest.mark.parametrize("name", REFERENCES)
def test_slopes(name, dtype):
    """The slope is right to a few units of 1, and to a few ulps of itself far below 0."""
    _, function, _, allowed = REFERENCES[name]
    own, Z, expected = Activation.get(name), row(POINTS, dtype), exactly(function)
    unit = np.full(Z.shape, float(np.finfo(dtype).eps))
    if name != "tanh":  # its slope 1 - A² is small where A has too few digits
        unit = np.where(Z <= -3, units(Z, expected), unit)
    assert_within(allowed, expected, own.back(np.ones_like(Z), Z, own.forward(Z)), unit)


@both_dtypes
def test_softmax(dtype):
    """Softmax is right to a few ulps for classes that are far apart, and each column sums to 1."""
    far = [[-1e4, 0, 1e4], [1e4, 1e4, -1e4], [-50.5, 10, 0], [-1e4, -1e4, 1 - 1e4]]
    columns = np.array([[0, 0, 0], [1, 2, 3], *far]).T
    with decimal.localcontext(PRECISE):
        sums = [sum(exp(Decimal(z)) for z in column) for column in columns.T]
        expected = [
            [float(exp(Decimal(z)) / total) for z, total in zip(zs, sums, strict=True)]
            for zs in columns
        ]
    for out in (None, np.empty(columns.shape, dtype), np.empty(columns.shape[::-1], dtype).T):
        A = Activation.get("softmax").forward(columns.astype(dtype), out=out)
        assert dtype == A.dtype
        np.testing.assert_array_max_ulp(np.array(expected, dtype), A, maxulp=4)
        np.testing.assert_allclose(np.ones(6), A.sum(axis=0), rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("m", [1, 2, 5, 257, 5000])
@pytest.mark.parametrize("n", [1, 2, 3, 16, 17])
@both_dtypes
def test_softmax_of_several_sizes(n, m, dtype):
    """However the sum is computed, each column is that of its example, and sums to 1."""
    Z = 5 * np.random.default_rng(n).standard_normal((n, m)).astype(dtype)
    E = np.exp(Z.astype(np.longdouble))
    A = Activation.get("softmax").forward(Z, out=np.empty_like(Z))
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(E / E.sum(axis=0), A, rtol=32 * eps)
    np.testing.assert_allclose(np.ones(m), A.sum(axis=0), rtol=(n + 2) * eps)


BOUND = ["relu", "sigmoid", "tanh", "softmax"]


@pytest.mark.parametrize("name", registered(Activation))
def test_numbers_and_lists(name):
    """`forward` and `back` take what NumPy's functions take: lists and whole numbers, too."""
    activation, Z = Activation.get(name), [[1.0, -2.0], [3.0, 0.0]]
    A = activation.forward(np.array(Z))
    np.testing.assert_array_equal(A, activation.forward(Z))
    np.testing.assert_array_equal(A, activation.forward(np.array(Z).astype(int)))
    dZ = activation.back(np.ones((2, 2)), np.array(Z), A)
    np.testing.assert_array_equal(dZ, activation.back([[1.0, 1.0], [1.0, 1.0]], Z, A.tolist()))


@pytest.mark.parametrize("name", BOUND)
def test_out_of_another_dtype(name):
    """A result is computed in the dtype of out, in any byte order, with no subnormal number."""
    activation, Z = Activation.get(name), np.array([[0.0, 1.0, -95.0], [-95.0, 1.0, 0.0]])
    expected = activation.forward(Z.astype(np.float32))
    for dtype in (np.float32, ">f4"):
        A = activation.forward(Z, out=np.empty(Z.shape, dtype))
        np.testing.assert_allclose(expected, A, rtol=1e-6)
        if name == "softmax":
            assert A[A > 0].min() >= np.finfo(np.float32).tiny


@pytest.mark.parametrize("size", [3, 3000])
def test_slope_of_relu(size):
    """The slope of many numbers is that of few."""
    relu, rng = Activation.get("relu"), np.random.default_rng(1)
    Z, dA = (rng.standard_normal((2, size)).astype(np.float32) for _ in range(2))
    Z[:, 0] = 0
    A = relu.forward(Z)
    dZ = relu.back(dA, Z, A, out=np.empty_like(Z))
    np.testing.assert_array_equal(dA * (Z > 0), dZ)
    np.testing.assert_array_equal(relu.back(dA, Z, A), dZ)


@pytest.mark.parametrize("parent", [tn.activations.ReLU, Sigmoid, tn.activations.Tanh, Softmax])
def test_subclass_of_what_a_model_binds(parent):
    """A model calls the `forward` or the `back` of a subclass, and binds the other one."""

    class Shifted(parent, name="one_more"):
        def forward(self, Z):
            return super().forward(Z + 1)

    class Negated(parent, name="of_minus"):
        def back(self, dA, Z, A):
            return -super().back(dA, Z, A)

    X = np.random.default_rng(1).standard_normal((3, 4))
    Y = np.eye(3)[:, [0, 1, 2, 0]]
    found = {}
    for activation in (parent(), Shifted(), Negated()):
        model = tn.Sequential(
            [tn.Dense(3, activation), tn.Dense(3)],
            "mean_squared_error",
            inputs=3,
            dtype="float64",
            seed=1,
        )
        model.forward(X)
        model.back(Y)
        found[type(activation)] = model
    shifted, negated = found[Shifted], found[Negated]
    np.testing.assert_array_equal(parent().forward(shifted.Z[1] + 1), shifted.A[1])
    np.testing.assert_array_equal(
        parent().back(shifted.dA[1], shifted.Z[1], shifted.A[1]), shifted.dZ[1]
    )
    np.testing.assert_array_equal(found[parent].A[1], negated.A[1])
    np.testing.assert_array_equal(-found[parent].dZ[1], negated.dZ[1])


def test_a_bound_slope_of_Z():
    """What `bind_back` returns is called with dA, Z and A."""

    class Square(BoundActivation):
        def bind_forward(self, Z, out):
            return lambda Z: np.multiply(Z, Z, out)

        def bind_back(self, A, out):
            return lambda dA, Z, A: np.multiply(2 * Z, dA, out)

    tn.testing.check_activation(Square())


# Members of a subclass of tanh, and its limits; a `forward` of one's own leaves none.
LIMITS = [
    ({}, (-1, 1)), ({"back": lambda self, dA, Z, A: dA}, (-1, 1)),
    ({"forward": lambda self, Z: 2 * np.tanh(Z)}, None),
    ({"bind_forward": lambda self, Z, out: np.sin}, None),
    ({"forward": lambda self, Z: 2 * np.tanh(Z), "range": (-2.0, 2.0)}, (-2, 2)),
    ({"range": None}, None), ({"range": [-1, 1]}, None), ({"range": (-1, 0, 1)}, None),
]  # fmt: skip


@pytest.mark.parametrize(("members", "limits"), LIMITS)
def test_limits_of_a_subclass(members, limits):
    """A subclass with another `forward` inherits no range, nor does a class below it."""
    changed = type("Changed", (tn.activations.Tanh,), members)
    for own in (changed(), type("Below", (changed,), {})()):
        assert own.limits() == limits
        assert isinstance(own.declares("range"), bool)


@pytest.mark.parametrize("shape", [(3, 1), (3,)])
@pytest.mark.parametrize("dtype", [complex, np.longdouble])
def test_softmax_of_one_example_in_other_types(shape, dtype):
    """One example gives what it gives in a batch, so the slope from a complex step is right."""
    Z = np.array([0.1, 0.2, 0.4], dtype)
    Z[0] += dtype(1e-20j) if dtype is complex else 1e-18
    softmax = Activation.get("softmax")
    expected = softmax.forward(np.stack([Z, Z], axis=1))[:, 0]
    actual = softmax.forward(Z.reshape(shape))
    assert expected.dtype == actual.dtype
    np.testing.assert_array_equal(expected, actual.ravel())


@both_dtypes
def test_softmax_back(dtype):
    """Softmax's dZ is the Jacobian diag(A) - A Aᵀ times dA, in every column."""
    softmax, (Z, dA) = Activation.get("softmax"), random_arrays(dtype)
    A = softmax.forward(Z)
    pairs = zip(A.T, dA.T, strict=True)
    expected = np.stack([(np.diag(a) - np.outer(a, a)) @ d for a, d in pairs], axis=1)
    np.testing.assert_allclose(expected, softmax.back(dA, Z, A), atol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    ("name", "fields", "Z", "A", "slope"),
    [
        ("identity", {}, [-2, 0, 3], [-2, 0, 3], [1, 1, 1]),
        ("relu", {}, [-1e4, -1, 0, 2, 1e4], [0, 0, 0, 2, 1e4], [0, 0, 0, 1, 1]),
        ("leaky_relu", {}, [-100, 0, 2], [-1, 0, 2], [0.01, 0.01, 1]),
        ("leaky_relu", {"slope": 0.25}, [-4, 0, 2], [-1, 0, 2], [0.25, 0.25, 1]),
        ("leaky_relu", {"slope": 2}, [-4, 0, 2], [-8, 0, 2], [2, 2, 1]),
        ("leaky_relu", {"slope": -0.5}, [-4, 0, 2], [2, 0, 2], [-0.5, -0.5, 1]),
        ("leaky_relu", {"slope": 0}, [-4, 0, math.inf], [0, 0, math.inf], [0, 0, 1]),
        ("elu", {}, [-1e4, 0, 1e4], [-1, 0, 1e4], [0, 1, 1]),
        ("elu", {"alpha": 2}, [-1e4, 0, 2], [-2, 0, 2], [0, 2, 1]),
        ("elu", {"alpha": -0.5}, [-1e4, 0, 2], [0.5, 0, 2], [0, -0.5, 1]),
        ("hard_sigmoid", {}, [-1e4, -3, 0, 1.5, 3, 1e4], [0, 0, 0.5, 0.75, 1, 1],
         [0, 0, 1 / 6, 1 / 6, 0, 0]),
        ("relu6", {}, [-1e30, 0, 2, 6, 1e30], [0, 0, 2, 6, 6], [0, 0, 1, 0, 0]),
        ("hard_silu", {}, [-1e30, -3, -1.5, 0, 1.5, 3, 1e30], [0, 0, -0.375, 0, 1.125, 3, 1e30],
         [0, 0, 0, 0.5, 1, 1, 1]),
        ("celu", {"alpha": 2}, [-1e4, 0, 2], [-2, 0, 2], [0, 1, 1]),
        ("softsign", {}, [-3, 0, 1], [-0.75, 0, 0.5], [1 / 16, 1, 0.25]),
    ],
)  # fmt: skip
@both_dtypes
def test_pieces_and_kinks(name, fields, Z, A, slope, dtype):
    """Activations of straight pieces have the documented value and slope, also at their kinks."""
    own, Z, A = Activation.get(name, **fields), row(Z, dtype), row(A, dtype)
    np.testing.assert_array_equal(A, own.forward(Z))
    np.testing.assert_array_equal(row(slope, dtype), own.back(np.ones_like(Z), Z, A))


@both_dtypes
def test_gelu_at_the_edges(dtype):
    """The smallest and the largest numbers come out as numbers."""
    gelu, limits = Activation.get("gelu"), np.finfo(dtype)
    Z = row([0, -0.0, limits.tiny, -limits.tiny, limits.smallest_subnormal], dtype)
    slopes = gelu.back(np.ones_like(Z), Z, gelu.forward(Z))
    np.testing.assert_allclose(slopes, np.full(Z.shape, 0.5), rtol=1e-6)
    far = np.array([[limits.max / 1.5, -limits.max / 1.5]], dtype)
    np.testing.assert_array_equal(gelu.forward(far), np.maximum(far, 0))
    mixed = row([np.nan, 0, -0.0, np.inf, -np.inf, limits.max, limits.min, 14, -40], dtype)
    arrays = np.ones_like(mixed), mixed, gelu.forward(mixed)
    expected = [[np.nan, 0.5, 0.5, 1, 0, 1, 0, 1, 0]]
    np.testing.assert_array_equal(expected, gelu.back(*arrays))
    np.testing.assert_array_equal(expected, a_few_at_a_time(gelu.back, *arrays, few=1))
    smallest = -math.sqrt(-2 * math.log(limits.tiny)) * np.linspace(0.98, 1, 400, dtype=dtype)
    A = gelu.forward(smallest)
    slopes = gelu.back(np.ones_like(A), smallest, A)
    assert 0 < np.count_nonzero(A) < A.size
    np.testing.assert_array_equal(A == 0, slopes == 0, "where A counts as 0, the slope does")


def times_normal_cdf(z):
    """Return z · Φ(z) by math.erfc, corrected for the rounding of z / sqrt(2)."""
    exact = Decimal(z) / Decimal(2).sqrt()
    y = float(exact)
    density = math.exp(-y * y) / math.sqrt(math.pi)  # minus half the slope of erfc
    return z * (math.erfc(-y) / 2 + density * float(exact - Decimal(y)))


@both_dtypes
def test_gelu_on_a_grid(dtype):
    """GELU is right to 6 ulps, and to what the rounding of x² in exp(-x²/2) makes of it."""
    far = 13.1 if dtype == np.float32 else 37.5
    Z = np.concatenate([np.linspace(-far, far, 4001), np.geomspace(1e-30, 0.1, 400)]).astype(dtype)
    with decimal.localcontext(PRECISE):
        expected = np.array([times_normal_cdf(z) for z in Z.tolist()])
    unit = np.spacing(np.abs(expected).astype(dtype)).astype(float)
    gelu = Activation.get("gelu")
    few = a_few_at_a_time(gelu.forward, Z)
    for way, A in {"at once": gelu.forward(Z), "a few at a time": few}.items():
        off = np.abs(A.astype(float) - expected) / unit
        excess = off - 6 - np.square(Z, dtype=float) / 2
        k = excess.argmax()
        assert excess[k] <= 0, f"{way}, at Z = {Z[k]}: off by {off[k]:.3g} ulps"
        assert np.sqrt(np.mean(off[np.abs(Z) < 1] ** 2)) < 1.2, way


def a_few_at_a_time(method, *arrays, few=20):
    """Return A or dZ of a few examples at a time, which may be computed in another way."""
    starts = range(few, arrays[0].shape[-1], few)
    parts = zip(*[np.split(array, starts, axis=-1) for array in arrays], strict=True)
    return np.concatenate([method(*part) for part in parts], axis=-1)


# Between these sizes of Z exponentials fall below the smallest normal number.
TAILS = {np.float32: (12.5, 120), np.float64: (36, 800)}


@both_dtypes
@pytest.mark.parametrize(("name", "fields"), [
    *[(name, {}) for name in sorted(registered(Activation).keys() - {"sigmoid"})],
    ("gelu", {"approximate": True}), ("celu", {"alpha": 0.3}),
])  # fmt: skip
def test_no_subnormal_numbers(name, fields, dtype):
    """No A and no slope is subnormal, however far Z is from 0: arithmetic with these is slow."""
    own, (low, high) = Activation.get(name, **fields), TAILS[dtype]
    x = np.concatenate([np.linspace(low, high, 3000), np.geomspace(high, 1e30, 100), [math.inf]])
    Z = np.concatenate([-x, [0, 0.5], x]).astype(dtype)
    if name == "softmax":
        Z = np.stack([*6 * [np.zeros_like(Z)], -np.abs(Z)])
    A, dA = own.forward(Z), np.where(Z < 0, -1, 1).astype(dtype)  # softmax has no slope for ones
    for method, arrays in ((own.forward, (Z,)), (own.back, (dA, Z, A))):
        for result in (method(*arrays), a_few_at_a_time(method, *arrays)):
            size = np.abs(result[np.isfinite(result)])
            slow = size[(size > 0) & (size < np.finfo(dtype).tiny)]
            assert not slow.size, f"{slow.size} subnormal numbers, such as {slow[0]!r}"


@both_dtypes
def test_zero_begins_below_the_smallest_normal_number(dtype):
    """Numbers far above the smallest normal one are not taken for 0."""
    x = math.log(np.finfo(dtype).tiny) + 1.5
    Z = row([x, 0], dtype)
    expected = math.exp(float(Z[0, 0]))
    relative = {"rtol": 1e-4 if dtype == np.float32 else 1e-12}
    np.testing.assert_allclose(Activation.get("softplus").forward(Z)[0, 0], expected, **relative)
    np.testing.assert_allclose(Activation.get("silu").forward(Z)[0, 0], x * expected, **relative)
    Z = row([x + 1, 0], dtype).T
    np.testing.assert_allclose(
        Activation.get("softmax").forward(Z)[0, 0], math.exp(float(Z[0, 0])), **relative
    )


@both_dtypes
@pytest.mark.parametrize("m", [1, 6, 600])
@pytest.mark.parametrize("name", registered(Activation))
def test_out(name, m, dtype):
    """With out=, forward and back fill and return it, in any memory order; no input is changed.

    Without, the result has the dtype of the inputs, whose memory order makes no difference.
    """
    own, (Z, dA) = Activation.get(name), random_arrays(dtype, m)
    A = own.forward(Z)
    for array in (Z, dA, A):
        array.setflags(write=False)
    for method, arrays in ((own.forward, (Z,)), (own.back, (dA, Z, A))):
        expected = method(*arrays)
        turned = method(*map(np.asfortranarray, arrays))
        np.testing.assert_allclose(expected, turned, rtol=8 * np.finfo(dtype).eps)
        assert dtype == expected.dtype == turned.dtype
        nan = np.full((3, 4, 2 * m), np.nan, dtype)
        for out in (nan[0, :, :m].copy(), nan[1, :, :m].copy("F"), nan[2, :, ::2]):
            assert method(*arrays, out=out) is out, "the array given as out must be returned"
            np.testing.assert_array_equal(expected, out)


def tripled(self, Z):
    out = np.float64(3) * np.tanh(Z)  # a variable of this name is not an argument
    out += 0
    return out


@both_dtypes
@pytest.mark.parametrize("name", sorted(registered(Activation).keys() - {"softmax"}))
def test_arrays_without_dimensions(name, dtype):
    """One number is as in a vector, and ReLU takes a list too."""
    activation, Z, dA = Activation.get(name), np.array([1.5], dtype), np.array([2.0], dtype)
    A = activation.forward(Z)
    np.testing.assert_array_equal(activation.forward(Z.reshape(())), A[0])
    dZ = activation.back(dA.reshape(()), Z.reshape(()), A.reshape(()))
    np.testing.assert_array_equal(dZ, activation.back(dA, Z, A)[0])
    np.testing.assert_array_equal(Activation.get("relu").forward([-1, 2]), [0, 2])


@both_dtypes
@pytest.mark.parametrize("with_back", [False, True])
def test_users_class_without_out(with_back, dtype):
    """The result of a method written without out is copied there, in the dtype of out."""
    back = {"back": lambda self, dA, Z, A: dA * 3 * (1 - np.tanh(Z) ** 2)} if with_back else {}
    own = type("Own", (Activation,), {"forward": tripled, **back})()
    Z, dA = row([-2, 0, 1], dtype), row([1, 2, 3], dtype)
    A, dZ = np.empty_like(Z), np.empty_like(Z)
    assert with_out(own.forward)(Z, out=A) is A
    np.testing.assert_allclose(3 * np.tanh(Z), A, rtol=1e-6)
    assert with_out(own.back)(dA, Z, A, out=dZ) is dZ
    np.testing.assert_allclose(dA * 3 / np.cosh(Z) ** 2, dZ, rtol=1e-5)


def test_users_class_that_changes_the_shape():
    """A result that does not fit out is refused with the class, the method and both shapes."""

    class Plain(Activation):
        def forward(self, Z):
            return Z.sum(axis=0, keepdims=True)

    class Static(Activation):
        @staticmethod
        def forward(Z):
            return Z.sum(axis=0, keepdims=True)

    class OfClass(Activation):
        @classmethod
        def forward(cls, Z):
            return Z.sum(axis=0, keepdims=True)

    for own in (Plain, Static, OfClass):
        message = rf"^{own.__name__}.forward returned shape \(1, 3\), expected \(2, 3\)"
        with pytest.raises(ShapeError, match=message):
            with_out(own().forward)(np.ones((2, 3)), out=np.empty((2, 3)))


# A at minus and plus infinity.
AT_INFINITY = {
    "celu": (-1, math.inf), "hard_silu": (0, math.inf), "relu6": (0, 6), "softsign": (-1, 1),
    "elu": (-1, math.inf), "gelu": (0, math.inf), "hard_sigmoid": (0, 1),
    "identity": (-math.inf, math.inf), "leaky_relu": (-math.inf, math.inf), "mish": (0, math.inf),
    "relu": (0, math.inf), "selu": (-SELU().scale * SELU().elu.alpha, math.inf), "sigmoid": (0, 1),
    "silu": (0, math.inf), "softplus": (0, math.inf), "tanh": (-1, 1),
}  # fmt: skip


@both_dtypes
@pytest.mark.parametrize("name", sorted(registered(Activation).keys() - {"softmax"}))
def test_at_infinity(name, dtype):
    """A is the limit of g, and dZ is a number, without a warning."""
    activation, Z = Activation.get(name), np.array([[-math.inf, math.inf]], dtype)
    A = activation.forward(Z)
    np.testing.assert_allclose([AT_INFINITY[name]], A, rtol=4 * np.finfo(dtype).eps)
    large = np.array([[-600, 600]], dtype) * (1e6 if name == "softsign" else 1)
    slopes = activation.back(np.ones_like(Z), large, activation.forward(large))
    np.testing.assert_allclose(
        slopes, activation.back(np.ones_like(Z), Z, A), atol=np.finfo(dtype).eps
    )
    assert np.isnan(activation.forward(np.array([[math.nan]], dtype))).all(), "NaN stays NaN"


# Ours, its settings, and PyTorch's function of Z.
OF_PYTORCH = [
    ("hard_silu", {}, lambda F, Z: F.hardswish(Z)), ("softsign", {}, lambda F, Z: F.softsign(Z)),
    ("celu", {"alpha": 0.5}, lambda F, Z: F.celu(Z, alpha=0.5)),
    ("relu6", {}, lambda F, Z: F.relu6(Z)), ("elu", {}, lambda F, Z: F.elu(Z)),
    ("gelu", {}, lambda F, Z: F.gelu(Z)), ("silu", {}, lambda F, Z: F.silu(Z)),
    ("gelu", {"approximate": True}, lambda F, Z: F.gelu(Z, approximate="tanh")),
    ("mish", {}, lambda F, Z: F.mish(Z)), ("selu", {}, lambda F, Z: F.selu(Z)),
]  # fmt: skip


@both_dtypes
@pytest.mark.parametrize(("name", "fields", "theirs"), OF_PYTORCH)
def test_values_of_pytorch(torch, name, fields, theirs, dtype):
    """A and its slope are those of PyTorch, at the kinks too."""
    own = Activation.get(name, **fields)
    Z = np.concatenate([np.linspace(-12, 12, 97), [1e30, -1e30, 30, -30]]).astype(dtype)
    logits = torch.tensor(Z, requires_grad=True)
    A = theirs(torch.nn.functional, logits)
    A.sum().backward()
    close = {"rtol": 1e-5, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-14}
    ours = own.forward(Z)
    np.testing.assert_allclose(A.detach().numpy(), ours, **close)
    slopes, near = own.back(np.ones_like(Z), Z, ours), np.abs(Z) < 100
    # Of 1e30, PyTorch gets NaN where it multiplies infinity by 0.
    np.testing.assert_allclose(logits.grad.numpy()[near], slopes[near], **close)
    assert np.isfinite(slopes).all()


@both_dtypes
def test_the_approximation_of_gelu(dtype):
    """It is within 5e-4 of the exact form, and equal far out; only True and False are taken."""
    exact, near = Activation.get("gelu"), Activation.get("gelu", approximate=True)
    Z = np.linspace(-8, 8, 2001).astype(dtype)
    off = np.abs(exact.forward(Z) - near.forward(Z)).max()
    assert 4e-4 < off < 5e-4
    far = np.array([[-math.inf, -1e30, -100, 100, 1e30, math.inf]], dtype)
    np.testing.assert_array_equal(near.forward(far), np.maximum(far, 0))
    np.testing.assert_array_equal(near.back(np.ones_like(far), far, far), far > 0)
    with raises(ValueError, "GELU: approximate is 'tanh', expected True or False"):
        Activation.get("gelu", approximate="tanh")
