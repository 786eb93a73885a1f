"""Every check catches the faults it is there for, names them, and lets pass what a newcomer writes rightly."""

import math

import attrs
import numpy as np
import pytest

from tinynet import (
    SGD,
    Activation,
    BatchNorm,
    Dense,
    Dropout,
    Initializer,
    Layer,
    LayerNorm,
    Loss,
    Optimizer,
    Parameter,
    Sequential,
    testing,
)  # fmt: skip
from tinynet.activations import Identity, LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from tinynet.initializers import HeNormal, LecunNormal, Zeros
from tinynet.losses import BinaryCrossentropy, Huber, MeanSquaredError
from tinynet.optimizers import rate_field
from tinynet.schedules import Constant, Schedule, Step

CHECKS = {
    Activation: testing.check_activation,
    Layer: lambda layer: testing.check_layer(layer, 3),
    Loss: testing.check_loss,
    Optimizer: testing.check_optimizer,
    Schedule: testing.check_schedule,
    Initializer: testing.check_initializer,
}
FAULTS, RIGHT = [], []


def fault(message):
    """Note a function that defines a faulty class, and what its check must say.

    The class is defined when the test runs, so that it is registered in that test alone.
    """
    return lambda make: FAULTS.append(pytest.param(make, message, id=make.__name__))


def right(make):
    """Note a function that defines a class without fault."""
    RIGHT.append(pytest.param(make, id=make.__name__))


def check(thing):
    """Run the check of the family that a thing belongs to."""
    next(check for family, check in CHECKS.items() if isinstance(thing, family))(thing)


# Activations -------------------------------------------------------------------------


@fault(
    r"Faulty\(\): back does not match forward: at Z = .* dA = .* dZ = .* slope is .*1\.01 times the slope"
)
def derivative_off_by_one_percent():
    class Faulty(Tanh):
        def back(self, dA, Z, A):
            return 1.01 * super().back(dA, Z, A)

    return Faulty()


@fault(r"back does not match forward: at Z = \d")
def slope_wrong_above_zero_only():
    class Faulty(LeakyReLU):
        def back(self, dA, Z, A):
            return super().back(dA, Z, A) - 0.1 * dA * (Z > 0)

    return Faulty(slope=0.25)


@fault(r"back does not match forward: at Z = -")
def slope_wrong_below_zero_only():
    class Faulty(LeakyReLU):
        def back(self, dA, Z, A):
            return dA * (Z > 0)

    return Faulty(slope=0.25)


@fault("back does not match forward")
def softmax_as_if_elementwise():
    class Faulty(Softmax):
        def back(self, dA, Z, A):
            return dA * A * (1 - A)

    return Faulty()


@fault("back does not match forward")
def back_without_dA():
    class Faulty(Sigmoid):
        def back(self, dA, Z, A):
            return A * (1 - A)

    return Faulty()


@fault("back does not match forward")
def back_takes_A_for_Z():
    class Faulty(Sigmoid):
        def back(self, dA, Z, A):
            return dA * Z * (1 - Z)

    return Faulty()


@fault(r"Faulty.forward writes into Z\b")
def forward_writes_into_Z():
    class Faulty(ReLU):
        def forward(self, Z):
            Z[Z < 0] = 0
            return Z.copy()

    return Faulty()


@fault(r"Faulty.back writes into Z\b")
def back_writes_into_Z():
    class Faulty(Tanh):
        def back(self, dA, Z, A):
            np.subtract(1, A * A, out=Z)
            return dA * Z

    return Faulty()


@fault(r"Faulty.back writes into dA\b")
def back_writes_into_dA():
    class Faulty(Sigmoid):
        def back(self, dA, Z, A):
            dA *= A * (1 - A)
            return dA

    return Faulty()


@fault(r"Faulty.back writes into A\b")
def back_writes_into_A():
    class Faulty(Sigmoid):
        def back(self, dA, Z, A):
            A *= 1 - A
            return dA * A

    return Faulty()


@fault("Faulty.forward gives float64 for float32")
def forward_leaks_float64():
    class Faulty(Activation):
        def forward(self, Z):
            return Z / np.sqrt(2)  # a float64 scalar, which is stronger than a float32 array

        def back(self, dA, Z, A):
            return dA * 0.5**0.5

    return Faulty()


@fault("Faulty.back gives float64 for float32")
def back_leaks_float64():
    class Faulty(Activation):
        def forward(self, Z):
            return Z * 0.5**0.5

        def back(self, dA, Z, A):
            return dA / np.sqrt(2)

    return Faulty()


@fault(r"Faulty.forward is not finite .*1000")
def forward_overflows():
    class Faulty(Activation):
        def forward(self, Z):
            return np.log(1 + np.exp(Z))

        def back(self, dA, Z, A):
            return dA * (1 - np.exp(-A))

    return Faulty()


@fault(r"Faulty.back is not finite .* -\d+")
def back_overflows():
    class Faulty(Sigmoid):
        def back(self, dA, Z, A):
            E = np.exp(-Z)
            return dA * (E / (1 + E) ** 2)

    return Faulty()


@fault(r"Faulty.forward returns shape \(1, 8\); needed is \(5, 8\)")
def forward_changes_the_shape():
    class Faulty(Activation):
        def forward(self, Z):
            return Z.sum(axis=0, keepdims=True)

        def back(self, dA, Z, A):
            return dA + 0 * Z

    return Faulty()


@fault(r"Faulty.back returns shape \(5,\); needed is \(5, 8\)")
def back_changes_the_shape():
    class Faulty(Tanh):
        def back(self, dA, Z, A):
            return (dA * (1 - A * A)).sum(axis=1)

    return Faulty()


@fault(r"Faulty.forward .*out=")
def out_is_not_used():
    class Faulty(Tanh):
        def forward(self, Z, out=None):
            return np.tanh(Z)

    return Faulty()


@fault(r"Faulty.back .*out=")
def out_is_another_computation():
    class Faulty(Tanh):
        def back(self, dA, Z, A, out=None):
            if out is None:
                return super().back(dA, Z, A)
            return np.multiply(dA, 1 - A, out=out)

    return Faulty()


@fault(r"Faulty.forward differs for the first m = 1 examples alone")
def examples_mixed():
    class Faulty(Activation):
        def forward(self, Z):
            return Z / (1 + Z.std(axis=1, keepdims=True))

        def back(self, dA, Z, A):
            return dA / (1 + Z.std(axis=1, keepdims=True))

    return Faulty()


@fault(r"would be right with A in place of Z: this formula is for A")
def formula_of_A_used_on_Z():
    class Faulty(Activation):
        def forward(self, Z):
            return np.tanh(Z)

        def back(self, dA, Z, A):
            return dA * (1 - Z**2)

    return Faulty()


@fault(r"would be right with Z in place of A: this formula is for Z")
def formula_of_Z_used_on_A():
    class Faulty(Activation):
        def forward(self, Z):
            return np.log1p(np.exp(-np.abs(Z))) + np.maximum(Z, 0)

        def back(self, dA, Z, A):
            return dA / (1 + np.exp(-A))

    return Faulty()


@fault(r"would be right times dA: back returns dA times the slope")
def slope_without_dA():
    class Faulty(Activation):
        def forward(self, Z):
            return np.tanh(Z)

        def back(self, dA, Z, A):
            return 1 - A**2

    return Faulty()


@fault(r"Faulty.back divides by m: dZ is for each example")
def divided_by_m():
    class Faulty(Activation):
        def forward(self, Z):
            return np.tanh(Z)

        def back(self, dA, Z, A):
            return dA * (1 - A**2) / Z.shape[1]

    return Faulty()


@fault(r"A\[k\] depends on all units Z\[j\] of its example, so dZ is the whole Jacobian")
def softmax_as_if_it_were_elementwise():
    class Faulty(Activation):
        def forward(self, Z):
            E = np.exp(Z - Z.max(axis=0))
            return E / E.sum(axis=0)

        def back(self, dA, Z, A):
            return dA * A * (1 - A)

    return Faulty()


@fault(
    r"forward differs for the first m = 1 examples alone; an example's A must not depend on the others"
)
def softmax_over_the_examples():
    class Faulty(Activation):
        def forward(self, Z):
            E = np.exp(Z - Z.max(axis=1, keepdims=True))
            return E / E.sum(axis=1, keepdims=True)

        def back(self, dA, Z, A):
            return A * (dA - np.sum(A * dA, axis=1, keepdims=True))

    return Faulty()


# The rest of the usual mistakes, each with what tells it. -------------------------------


def tanh(self, Z):
    return np.tanh(Z)


def slope_of_tanh(dA, Z):
    return dA * (1 - np.tanh(Z) ** 2)


def softmax(Z, axis=0):
    E = np.exp(Z - Z.max(axis=axis, keepdims=True))
    return E / E.sum(axis=axis, keepdims=True)


KEPT = {}


def keeping_forward(self, Z):
    KEPT["Z"] = Z
    return np.tanh(Z)


def buffered_forward(self, Z):
    buffer = KEPT.setdefault((*Z.shape, Z.dtype), np.empty_like(Z))
    return np.tanh(Z, out=buffer)


def counting_forward(self, Z):
    KEPT["calls"] = KEPT.get("calls", 0) + 1
    return np.tanh(Z) / KEPT["calls"]


def differences(self, dA, Z, A):
    h = 1e-7
    return dA * ((np.tanh(Z + h) - np.tanh(Z - h)) / (2 * h)).astype(Z.dtype)


def unordered(self, dA, Z, A):
    return ((1 - A**2).ravel("K") * dA.ravel("K")).reshape(dA.shape)


def dead_zone(self, Z):
    return Z * (np.abs(Z) > 0.01)


MISTAKES = {
    "dA alone": (tanh, lambda self, dA, Z, A: dA.copy(), "it is dA itself: the slope is missing"),
    "dA added": (tanh, lambda self, dA, Z, A: dA + 1 - A**2, "dA is added to the slope: multiply"),
    "dA divided": (tanh, lambda self, dA, Z, A: dA / (1 - A**2), "dA is divided by the slope: multiply"),
    "slope twice": (tanh, lambda self, dA, Z, A: dA * (1 - A**2) ** 2, "the slope is there twice"),
    "A for the slope": (tanh, lambda self, dA, Z, A: dA * A, "A stands in place of the slope"),
    "sign": (tanh, lambda self, dA, Z, A: -slope_of_tanh(dA, Z), "its sign is wrong"),
    "no return": (lambda self, Z: None, None, "forward returns None .is a return missing"),
    "no return in back": (tanh, lambda self, dA, Z, A: None, "back returns None .is a return missing"),
    "a list": (lambda self, Z: np.tanh(Z).tolist(), None, r"forward returns a list; it must return an array of shape"),
    "masked": (tanh, lambda self, dA, Z, A: np.ma.array(slope_of_tanh(dA, Z)), "back returns a MaskedArray"),
    "integers": (lambda self, Z: (Z > 0).astype(int), None, r"gives int64 for float64; write .astype\(Z.dtype\)"),
    "noise": (
        lambda self, Z: np.tanh(Z) + np.random.default_rng().random(Z.shape, Z.dtype), None,
        "gives another A for the same Z the second time; it must draw and remember nothing",
    ),
    "counts": (counting_forward, None, "gives another A for the same Z the second time"),
    "keeps Z": (
        keeping_forward, lambda self, dA, Z, A: slope_of_tanh(dA, KEPT["Z"]),
        "gives another dZ for the same dA, Z and A after a forward of another Z; keep nothing between the calls",
    ),
    "one buffer": (
        buffered_forward, lambda self, dA, Z, A: slope_of_tanh(dA, Z), "returns the same array for two Zs; make a new",
    ),
    "float32 differences": (tanh, differences, "back in float32 is off by .* too small for float32"),
    "memory order of back": (tanh, unordered, "back of the same numbers differs when they lie otherwise in memory"),
    "a ceiling forgotten": (
        lambda self, Z: np.clip(Z, 0, 6), lambda self, dA, Z, A: dA * (Z > 0), r"wrong from Z = 6\..*right on the",
    ),
    "far out only": (lambda self, Z: np.clip(Z, -100, 100), lambda self, dA, Z, A: dA.copy(), r"Z = -?[12]\d\d\."),
    "a narrow window": (dead_zone, lambda self, dA, Z, A: dA.copy(), r"at Z = -?0\.00"),
    "at 0 only": (
        tanh, lambda self, dA, Z, A: slope_of_tanh(dA, Z) * (Z != 0),
        r"at exactly Z = 0: with dA = 1 it gives dZ = 0, the slope is 1 on the left and 1 on the right",
    ),
    "branches swapped": (
        lambda self, Z: np.where(Z > 0, Z, 0.1 * Z), lambda self, dA, Z, A: np.where(Z > 0, 0.1 * dA, dA),
        "it is 0.1 times the slope where Z > 0, and 10 times elsewhere: are the branches swapped",
    ),
    "several units": (
        lambda self, Z: np.exp(Z - Z.mean(axis=0)) / np.exp(Z - Z.mean(axis=0)).sum(axis=0),
        lambda self, dA, Z, A: A * (dA - (A * dA).sum(axis=0)), r"not finite at Z = .* for the units \[",
    ),
    "sum over the examples": (
        lambda self, Z: softmax(Z), lambda self, dA, Z, A: A * (dA - (A * dA).sum(axis=1, keepdims=True)),
        "back differs for the first m = 1 examples alone; an example's dZ must not depend on the others",
    ),
    "maximum of all": (
        lambda self, Z: np.exp(Z - Z.max()), lambda self, dA, Z, A: dA * A, r"examples.*(axis 0|keepdims)",
    ),
    "of one number": (lambda self, Z: Z if Z > 0 else 0 * Z, None, "handed whole arrays.* use np.where"),
    "not finite": (lambda self, Z: np.sqrt(Z), None, r"forward is not finite at Z = -"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:invalid value")  # of "not finite"
@pytest.mark.parametrize(("forward", "back", "told"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_named(forward, back, told):
    """The message of the check names the mistake, so that who has only the message knows what to change."""
    KEPT.clear()
    own = type("Own", (Activation,), {"forward": forward} | ({"back": back} if back else {}))()
    with pytest.raises(AssertionError, match=told):
        check(own)


def test_an_inherited_back_is_told():
    """A new forward over a back that was made for another is named as such, and the cure works."""

    class Squared(ReLU):
        def forward(self, Z):
            return np.maximum(Z, 0) ** 2

    with pytest.raises(
        AssertionError, match=r"back is that of ReLU, made for another forward.*tn.Activation.back"
    ):
        check(Squared())

    class Cured(ReLU):
        back = Activation.back

        def forward(self, Z):
            return np.clip(Z, 0, None) ** 2 / (1 + np.maximum(Z, 0))

    check(Cured())


def test_other_settings_are_tried():
    """A number in back that happens to be the field's default is found."""

    @attrs.frozen
    class Own(Activation):
        alpha: float = 0.01

        def forward(self, Z):
            return np.where(Z > 0, Z, self.alpha * Z).astype(Z.dtype)

        def back(self, dA, Z, A):
            return np.where(Z > 0, dA, 0.01 * dA).astype(Z.dtype)

    with pytest.raises(
        AssertionError, match=r"Own\(alpha=0.059.*\): back does not .*times the slope there"
    ):
        check(Own())


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([1.0, 2.0], r"the field held of Own holds a list, .*\(write a tuple\)"),
        (np.ones(2), r"holds a ndarray, .*\(write a tuple\)"),
        ({"a": 1}, "holds a dict, but a field is saved"),
        (np.tanh, "holds a ufunc, but a field is saved"),
        ((1, (2, [3])), "holds a list"),
    ],
)
def test_fields_are_plain(value, told):
    """A field that no file can hold is named, with its kind."""

    @attrs.frozen
    class Own(Activation):
        held: object

        def forward(self, Z):
            return np.tanh(Z)

    with pytest.raises(AssertionError, match=told):
        check(Own(value))


@pytest.mark.parametrize("init", ["kaiming", 0.25, None])
def test_init_is_an_initializer(init):
    """An activation whose init is none is told before Dense stumbles over it."""
    with pytest.raises(
        AssertionError, match=rf"Own.init is {init!r}, no initializer; known: constant"
    ):
        check(type("Own", (Activation,), {"forward": tanh, "init": init})())


def test_settings_beside_the_fields_are_told():
    """What an __init__ puts into an instance would be lost in a file."""

    class Own(Activation):
        def __init__(self, slope=0.1):
            object.__setattr__(self, "slope", slope)

        def forward(self, Z):
            return np.tanh(Z)

    with pytest.raises(
        AssertionError, match="Own holds slope beside its fields; make each a field"
    ):
        check(Own())


# Layers: a Dense written without care for speed, and what goes wrong in one ------------


class Plain:
    """Dense as a newcomer writes it: new arrays throughout."""

    def forward(self, A_prev, cache):
        return cache.W @ A_prev + cache.b

    def back(self, dZ, cache):
        m = dZ.shape[1]
        cache.dW = dZ @ cache.A_prev.T / m + self.l2 * cache.W
        cache.db = dZ.sum(axis=1, keepdims=True) / m
        return cache.W.T @ dZ


@fault(r"db\[1\] of layer 1 \(Faulty\) is not filled, or not finite")
def db_forgotten():
    class Faulty(Plain, Dense):
        def back(self, dZ, cache):
            cache.dW = dZ @ cache.A_prev.T / dZ.shape[1]
            return cache.W.T @ dZ

    return Faulty(2)


@fault(r"dW\[1\] of layer 1 \(Faulty\) does not match the cost: .*\b7 times as much")
def one_over_m_forgotten_in_dW():
    class Faulty(Plain, Dense):
        def back(self, dZ, cache):
            dA_prev = super().back(dZ, cache)
            cache.dW *= dZ.shape[1]
            return dA_prev

    return Faulty(2)


@fault(r"db\[1\] of layer 1 \(Faulty\) does not match the cost: .*\b7 times as much")
def one_over_m_forgotten_in_db():
    class Faulty(Plain, Dense):
        def back(self, dZ, cache):
            dA_prev = super().back(dZ, cache)
            cache.db *= dZ.shape[1]
            return dA_prev

    return Faulty(2)


@fault(r"dW\[1\] .* does not match the cost: .*\b0.1429 times as much")
def one_over_m_twice():
    class Faulty(Plain, Dense):
        def back(self, dZ, cache):
            dA_prev = super().back(dZ, cache)
            cache.dW /= dZ.shape[1]
            return dA_prev

    return Faulty(2)


@fault(
    r"dA\[0\], from layer 1,? does not match the cost: .*\b0.1429 times as much.*for each example, so do not divide"
)
def one_over_m_in_dA_prev():
    class Faulty(Plain, Dense):
        def back(self, dZ, cache):
            return super().back(dZ, cache) / dZ.shape[1]

    return Faulty(2)


@fault(r"dW\[1\] of layer 1 \(Faulty\) does not match the cost")
def l2_term_forgotten():
    class Faulty(Plain, Dense):
        def back(self, dZ, cache):
            dA_prev = super().back(dZ, cache)
            cache.dW -= self.l2 * cache.W
            return dA_prev

    return Faulty(2, l2=0.1)


@fault(r"dW\[1\] of layer 1 \(Faulty\) does not match the cost")
def l2_penalty_without_its_half():
    class Faulty(Plain, Dense):
        def penalty(self, cache):
            return self.l2 * float(np.sum(cache.W**2))

    return Faulty(2, l2=0.1)


@fault(r"dW\[1\] of layer 1 \(Faulty\) does not match the cost")
def dW_transposed():
    class Faulty(Plain, Dense):
        def back(self, dZ, cache):
            dA_prev = super().back(dZ, cache)
            cache.dW = cache.dW.T.copy()
            return dA_prev

    return Faulty(3)


@fault(r"dA\[0\], from layer 1,? does not match the cost")
def W_not_transposed():
    class Faulty(Plain, Dense):
        def back(self, dZ, cache):
            super().back(dZ, cache)
            return cache.W @ dZ

    return Faulty(3)


@fault(r"dW\[1\] .* is not filled, or not finite")
def gradients_added_to_the_last_ones():
    class Faulty(Plain, Dense):
        def back(self, dZ, cache):
            before = cache.dW.copy()
            dA_prev = super().back(dZ, cache)
            cache.dW += before
            return dA_prev

    return Faulty(2)


@fault(r"Faulty.back returns shape \(7, 3\); .*\(3, 7\)")
def dA_prev_transposed():
    class Faulty(Plain, Dense):
        def back(self, dZ, cache):
            return super().back(dZ, cache).T

    return Faulty(2)


@fault(r"Faulty.forward returns shape \(7, 2\); .*\(2, 7\)")
def Z_transposed():
    class Faulty(Plain, Dense):
        def forward(self, A_prev, cache):
            return super().forward(A_prev, cache).T

    return Faulty(2)


@fault(r"Faulty.forward gives float64 for float32")
def layer_leaks_float64():
    class Faulty(Plain, Dense):
        def forward(self, A_prev, cache):
            return super().forward(A_prev, cache) / np.sqrt(2)

    return Faulty(2)


@fault(r"Faulty.* writes into (A_prev|X)\b")
def layer_writes_into_A_prev():
    class Faulty(Plain, Dense):
        def forward(self, A_prev, cache):
            A_prev -= A_prev.mean()
            return super().forward(A_prev, cache)

    return Faulty(2)


@fault("Faulty.* gives another Z for the same A_prev the second time")
def layer_depends_on_its_last_pass():
    class Faulty(Plain, Dense):
        def forward(self, A_prev, cache):
            cache.passes = getattr(cache, "passes", 0) + 1
            return super().forward(A_prev, cache) * cache.passes

    return Faulty(2)


@fault(r"dW\[1\] .* 7 times .*a mean over the examples\. db\[1\] .* 7 times .*: divide by m")
def one_over_m_forgotten_in_both():
    class Faulty(Plain, Dense):
        def back(self, dZ, cache):
            dA_prev = super().back(dZ, cache)
            cache.dW *= dZ.shape[1]
            cache.db *= dZ.shape[1]
            return dA_prev

    return Faulty(2)


@fault(r"db\[1\] .* its entries are all the same: a sum over the examples")
def db_of_everything():
    class Faulty(Plain, Dense):
        def back(self, dZ, cache):
            dA_prev = super().back(dZ, cache)
            cache.db[:] = dZ.sum() / dZ.shape[1]
            return dA_prev

    return Faulty(2)


@fault(r"raises ShapeError: db has shape \(2, 1\) in layer 1 \(Faulty\); .* axis=1, keepdims=True")
def db_of_another_shape():
    class Faulty(Plain, Dense):
        def back(self, dZ, cache):
            dA_prev = super().back(dZ, cache)
            cache.db = dZ.sum(axis=0, keepdims=True)
            return dA_prev

    return Faulty(2)


@fault(r"dW\[1\] .* its sign is wrong")
def dW_of_the_wrong_sign():
    class Faulty(Plain, Dense):
        def back(self, dZ, cache):
            dA_prev = super().back(dZ, cache)
            cache.dW *= -1
            return dA_prev

    return Faulty(2)


@fault(r"back returns None \(is a return missing\?\)")
def dA_prev_forgotten():
    class Faulty(Plain, Dense):
        def back(self, dZ, cache):
            super().back(dZ, cache)

    return Faulty(2)


@fault(r"forward differs for the first example alone; outside of training")
def layer_mixes_examples():
    class Faulty(Plain, Dense):
        def forward(self, A_prev, cache):
            return super().forward(A_prev, cache) - A_prev.mean()

    return Faulty(2)


# Layers that do in training what they do not at prediction ------------------------------


@fault(
    r"Faulty.forward draws from cache.rng outside of training; at prediction nothing is by chance"
)
def dropout_active_at_prediction():
    class Faulty(Dropout):
        def forward(self, A_prev, cache):
            self._draw(cache.mask, cache.rng)
            return A_prev * cache.mask

    return Faulty()


@fault(
    r"gives another Z for the same A_prev the second time; if that is by chance, look at cache.training first"
)
def dropout_active_at_prediction_by_a_generator_of_its_own():
    rng = np.random.default_rng(1)

    class Faulty(Dropout):
        def forward(self, A_prev, cache):
            self._draw(cache.mask, rng)
            return A_prev * cache.mask

    return Faulty()


@fault(r"another Z .* the second time; in training, draw from cache.rng and from nothing else")
def dropout_by_a_generator_of_its_own():
    class Faulty(Dropout):
        def forward(self, A_prev, cache):
            cache.rng = np.random.default_rng()
            return super().forward(A_prev, cache)

    return Faulty()


@fault(
    r"Faulty.back draws from cache.rng; forward has drawn the mask: keep it in the cache, and use that one"
)
def mask_drawn_again_in_back():
    class Faulty(Dropout):
        def back(self, dZ, cache):
            if cache.training:
                self._draw(cache.mask, cache.rng)
            return super().back(dZ, cache)

    return Faulty()


@fault(
    r"in training, dA\[0\].* does not match the cost.*back goes by what forward drew: the same mask"
)
def mask_lost_between_the_passes():
    class Faulty(Dropout):
        def back(self, dZ, cache):
            mask = np.random.default_rng(1).random(dZ.shape) > self.rate if cache.training else 1
            return dZ * mask / (1 - self.rate if cache.training else 1)

    return Faulty()


@fault(
    r"in training, dA\[0\].* does not match the cost.*the same mask, kept in the cache, with its factor"
)
def back_without_the_mask():
    class Faulty(Dropout):
        def back(self, dZ, cache):
            return dZ.copy()

    return Faulty()


@fault(r"in training, dA\[0\].* 0\.75 times the slope everywhere.* with its factor")
def back_without_the_factor():
    class Faulty(Dropout):
        def back(self, dZ, cache):
            return dZ * (cache.mask > 0) if cache.training else dZ.copy()

    return Faulty(0.25)


@fault(
    r"in training, Z of Faulty is on average 0\.[789]\d* times .* at prediction; divide what is kept by .* 1 - rate"
)
def kept_units_not_scaled():
    class Faulty(Dropout):
        def forward(self, A_prev, cache):
            Z = super().forward(A_prev, cache)
            return Z * (1 - self.rate) if cache.training else Z

        def back(self, dZ, cache):
            dA_prev = super().back(dZ, cache)
            return dA_prev * (1 - self.rate) if cache.training else dA_prev

    return Faulty(0.2)


@fault(r"in training, Z of Faulty is on average \d+(\.\d+)? times")
def rate_and_keep_mixed_up():
    class Faulty(Dropout):
        def _draw(self, mask, rng):
            mask[:] = (rng.random(mask.shape) < self.rate) / (1 - self.rate)

    return Faulty(0.3)


@fault(r"Faulty.forward writes into the A_prev of the pass before; .* return a copy")
def dropout_returns_A_prev_itself():
    class Faulty(Dropout):
        def forward(self, A_prev, cache):
            return super().forward(A_prev, cache) if cache.training else A_prev

    return Faulty()


@fault(r"in training, dA\[0\].* an example's Z depends on the others, as through mean and variance")
def mean_and_variance_as_constants_in_back():
    class Faulty(BatchNorm):
        def back_from(self, dZ, cache):
            return dZ * (cache.gamma / cache.std)

    return Faulty()


@fault(r"in training, dA\[0\].* an example's Z depends on the others")
def variance_as_a_constant_in_back():
    class Faulty(BatchNorm):
        def back_from(self, dZ, cache):
            dA_prev = dZ - cache.dbeta if cache.training else dZ
            return dA_prev * (cache.gamma / cache.std)

    return Faulty()


@fault(r"dA\[0\].* does not match the cost")
def gradient_of_training_at_prediction():
    class Faulty(BatchNorm):
        def back_from(self, dZ, cache):
            return (dZ - cache.dbeta - cache.A_hat * cache.dgamma) * (cache.gamma / cache.std)

    return Faulty()


@fault(r"forward differs for the first example alone; outside of training")
def statistics_of_the_batch_at_prediction():
    class Faulty(BatchNorm):
        def normalize(self, A_prev, cache):
            variance = A_prev.var(axis=-1, keepdims=True) + self.epsilon
            cache.std[:] = np.sqrt(variance)
            cache.A_hat[:] = (A_prev - A_prev.mean(axis=-1, keepdims=True)) / cache.std

    return Faulty()


@fault(
    r"Faulty.forward changes its state, running_mean, outside of training; look at cache.training first"
)
def running_statistics_changed_at_prediction():
    class Faulty(BatchNorm):
        def normalize(self, A_prev, cache):
            super().normalize(A_prev, cache)
            if not cache.training:
                self._follow(cache.running_mean, A_prev.mean(axis=-1, keepdims=True))

    return Faulty()


@fault(r"changes running_mean, which the layer declares as a parameter; .* is declared in state")
def running_statistics_counted_as_parameters():
    class Faulty(BatchNorm):
        def parameters(self, input_shape):
            return super().parameters(input_shape) | super().state(input_shape)

        def state(self, input_shape):
            return {}

    return Faulty()


@fault(
    r"Faulty: after training, predict is not what forward is; what is to last .* is declared in state"
)
def running_statistics_not_declared():
    class Faulty(BatchNorm):
        def state(self, input_shape):
            return {}

        def normalize(self, A_prev, cache):
            if not hasattr(cache, "running_mean"):
                cache.running_mean, cache.running_variance = (
                    p.init.draw(p.shape, None) for p in super().state(A_prev.shape[:-1]).values()
                )
            super().normalize(A_prev, cache)

    return Faulty()


@fault(r"Faulty.back changes cache.running_mean; it fills gradients alone")
def running_statistics_changed_in_back():
    class Faulty(BatchNorm):
        def back(self, dZ, cache):
            cache.running_mean *= self.momentum
            return super().back(dZ, cache)

    return Faulty()


@fault(r"Faulty.forward gives float64 for float32")
def float64_in_training_only():
    class Faulty(Dropout):
        def forward(self, A_prev, cache):
            return (
                A_prev * (cache.rng.random(A_prev.shape) < 0.5) * np.float64(2)
                if cache.training
                else A_prev.copy()
            )

    return Faulty()


@fault(r"dA\[0\].* does not match the cost")
def layer_norm_with_gamma_outside_the_means():
    class Faulty(LayerNorm):
        def back_from(self, dZ, cache):
            mean, mean_product = dZ.mean(axis=0), (dZ * cache.A_hat).mean(axis=0)
            return cache.gamma * (dZ - mean - cache.A_hat * mean_product) / cache.std

    return Faulty()


# Losses ------------------------------------------------------------------------------


@fault(r"Faulty.back / m does not match the cost: .*\b0.05 times as much")
def loss_back_divided_by_m():
    class Faulty(MeanSquaredError):
        def back(self, A, Y):
            return super().back(A, Y) / A.shape[1]

    return Faulty()


@fault(r"Faulty.back / m does not match the cost: .* \(?-1 times as much")
def loss_back_of_the_wrong_sign():
    class Faulty(BinaryCrossentropy):
        def back(self, A, Y):
            return -super().back(A, Y)

    return Faulty()


@fault(r"Faulty.back / m does not match the cost")
def loss_back_wrong_far_out_only():
    class Faulty(Huber):
        def back(self, A, Y):
            return A - Y

    return Faulty(delta=0.5)


@fault(r"Faulty: .*Tanh\(\).* partner")
def false_partner():
    class Faulty(MeanSquaredError):
        partner = Tanh()

    return Faulty()


@fault(r"Faulty: .*Identity\(\).* partner")
def partner_back_of_another_scale():
    class Faulty(MeanSquaredError):
        def terms(self, A, Y):
            return 2 * super().terms(A, Y)

        def back(self, A, Y):
            return 2 * super().back(A, Y)

    return Faulty()


@fault("Faulty: partner_value differs from value")
def partner_value_of_another_scale():
    class Faulty(BinaryCrossentropy):
        def partner_value(self, Z, Y):
            return 2 * super().partner_value(Z, Y)

    return Faulty()


@fault("Faulty.value must return a number")
def loss_of_each_example():
    class Faulty(MeanSquaredError):
        def value(self, A, Y):
            return np.mean((A - Y) ** 2, axis=0)

    return Faulty()


@fault("Faulty.back gives float64 for float32")
def loss_leaks_float64():
    class Faulty(MeanSquaredError):
        def back(self, A, Y):
            return (A - Y) * np.float64(1)

    return Faulty()


@fault(r"Faulty.* writes into A\b")
def loss_writes_into_A():
    class Faulty(MeanSquaredError):
        def back(self, A, Y):
            A -= Y
            return A.copy()

    return Faulty()


@fault(r"Faulty.back returns shape \(3,\); needed is \(3, 20\)")
def loss_back_changes_the_shape():
    class Faulty(MeanSquaredError):
        def back(self, A, Y):
            return (A - Y).sum(axis=1)

    return Faulty()


@fault(r"value of the same examples twice is 2 times as much; .*divide by m")
def loss_sums_over_the_examples():
    class Faulty(MeanSquaredError):
        partner = None

        def value(self, A, Y):
            return 0.5 * np.sum((A - Y) ** 2)

        def back(self, A, Y):
            return (A - Y) * A.shape[1]

    return Faulty()


@fault(r"value is not finite at A = [01]; keep A a little inside")
def loss_with_log_of_0():
    class Faulty(BinaryCrossentropy):
        def value(self, A, Y):
            return float(-np.mean(np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A), axis=0)))

    return Faulty()


@fault(r"back is not finite at A = [01]; keep A a little inside")
def loss_divides_by_0():
    class Faulty(BinaryCrossentropy):
        def back(self, A, Y):
            return (1 - Y) / (1 - A) - Y / A

    return Faulty()


# Optimizers --------------------------------------------------------------------------


@fault("Faulty writes into grads")
def optimizer_writes_into_grads():
    class Faulty(Optimizer):
        def update(self, params, grads):
            grads *= 0.1
            params -= grads

    return Faulty()


@fault("Faulty does not go down")
def optimizer_does_nothing():
    class Faulty(Optimizer):
        def update(self, params, grads):
            pass

    return Faulty()


@fault("Faulty")
def optimizer_ignores_grads():
    class Faulty(Optimizer):
        def update(self, params, grads):
            params *= 0.9

    return Faulty()


@fault("Faulty does not go down")
def optimizer_goes_uphill():
    class Faulty(Optimizer):
        def update(self, params, grads):
            params += 0.01 * grads

    return Faulty()


@fault("Faulty does not go down")
def optimizer_does_not_work_in_place():
    class Faulty(Optimizer):
        def update(self, params, grads):
            params = params - 0.1 * grads

    return Faulty()


@fault("Faulty.* (not finite|nan|inf)")
def optimizer_divides_by_zero():
    class Faulty(Optimizer):
        def update(self, params, grads):
            with np.errstate(divide="ignore", invalid="ignore"):
                params -= 0.1 * grads / self.recall("square", params)

    return Faulty()


@fault("Faulty remembers velocity in float64 for parameters in float32")
def optimizer_leaks_float64():
    class Faulty(Optimizer):
        def update(self, params, grads):
            v = self.memory.setdefault("velocity", np.zeros(params.shape))
            v += 0.1 * grads
            params -= 0.1 * v

    return Faulty()


@fault("Faulty: .*memory shows in equality or repr")
def optimizer_counts_in_a_field():
    @attrs.frozen
    class Faulty(Optimizer):
        steps: int = 0

        def update(self, params, grads):
            object.__setattr__(self, "steps", self.steps + 1)
            params -= 0.1 * grads

    return Faulty()


@fault("Faulty moves the same parameters differently the second time")
def optimizer_shares_its_memory():
    velocity = np.zeros(3)

    class Faulty(Optimizer):
        def update(self, params, grads):
            velocity[:] = 0.5 * velocity + grads
            params -= 0.1 * velocity.astype(params.dtype)

    return Faulty()


@fault("Faulty goes on otherwise with a copy of its memory than with its own: .*recall's arrays")
def optimizer_remembers_elsewhere():
    class Faulty(Optimizer):
        def update(self, params, grads):
            v = self._scratch.setdefault("velocity", np.zeros_like(params))
            v += grads
            params -= 0.01 * v

    return Faulty()


@fault("Faulty goes on otherwise with a copy of its memory than with its own")
def optimizer_counts_elsewhere():
    class Faulty(Optimizer):
        def update(self, params, grads):
            self._scratch["n"] = n = self._scratch.get("n", 0) + 1
            params -= 0.1 * grads / n

    return Faulty()


# Schedules ---------------------------------------------------------------------------


@fault(r"Faulty.at\(11\) is -0.1.*; a learning rate is finite and at least 0")
def schedule_below_zero():
    class Faulty(Schedule):
        def at(self, t):
            return 1 - 0.1 * t

    return Faulty()


@fault(r"Faulty.at\(0\) is inf; a learning rate is finite")
def schedule_divides_by_zero():
    class Faulty(Schedule):
        def at(self, t):
            return 1 / t if t else math.inf

    return Faulty()


@fault(r"Faulty.at\(6\) must be a number; it is None")
def schedule_that_ends():
    class Faulty(Schedule):
        def at(self, t):
            return 0.1 if t < 6 else None

    return Faulty()


@fault("Faulty.at must go by t and by nothing else")
def schedule_that_counts_its_calls():
    calls = []

    class Faulty(Schedule):
        def at(self, t):
            calls.append(t)
            return 1 / len(calls)

    return Faulty()


@fault("Faulty.at must go by t and by nothing else")
def schedule_by_chance():
    rng = np.random.default_rng(0)

    class Faulty(Schedule):
        def at(self, t):
            return rng.random()

    return Faulty()


# Initializers ------------------------------------------------------------------------


@fault("Faulty does not draw from the generator it is given alone")
def initializer_with_its_own_generator():
    own = np.random.default_rng(0)

    class Faulty(Initializer):
        def draw(self, shape, rng):
            return own.standard_normal(shape)

    return Faulty()


@fault(r"Faulty draws shape \(4, 3\) for \(3, 4\)")
def initializer_transposes():
    class Faulty(Initializer):
        def draw(self, shape, rng):
            return rng.standard_normal(shape[::-1])

    return Faulty()


@fault("Faulty draws numbers that are not finite")
def initializer_divides_by_zero():
    class Faulty(HeNormal):
        def draw(self, shape, rng):
            with np.errstate(divide="ignore", invalid="ignore"):
                return super().draw(shape, rng) / np.float64(shape[1] - 1)

    return Faulty()


# Descriptions ------------------------------------------------------------------------


@fault("make its settings attrs fields")
def setting_that_is_no_field():
    class Faulty(LeakyReLU):
        def __init__(self, slope=0.01):
            super().__init__()
            object.__setattr__(
                self, "slope", 2 * slope
            )  # each copy by way of the config doubles it

    return Faulty(0.1)


# Right ones --------------------------------------------------------------------------


@right
def activation_forward_only():
    class Swish(Activation):
        def forward(self, Z):
            return Z * (1 + np.tanh(Z / 2)) / 2

    return Swish()


@right
def activation_of_the_documentation():
    class Swish(Activation):
        def forward(self, Z):
            return Z / (1 + np.exp(-Z))

    return Swish()


@right
def activation_with_back():
    class Cube(Activation):
        def forward(self, Z):
            return Z**3

        def back(self, dA, Z, A):
            return 3 * Z**2 * dA

    return Cube()


@right
def activation_with_a_field():
    @attrs.frozen
    class Scaled(Activation):
        scale: float = 2.0

        def forward(self, Z):
            return self.scale * np.tanh(Z)

    return Scaled(scale=0.5)


@right
def activation_with_a_nested_field():
    @attrs.frozen
    class Twice(Activation):
        inner: Activation = attrs.field(converter=Activation.get)

        def forward(self, Z):
            return self.inner.forward(self.inner.forward(Z))

    return Twice("softplus")


@right
def activation_with_out():
    class Square(Activation):
        def forward(self, Z, out=None):
            return np.square(Z, out=out)

        def back(self, dA, Z, A, out=None):
            return np.multiply(np.multiply(dA, 2, out=out), Z, out=out)

    return Square()


@right
def activation_with_a_kink():
    class Shrink(Activation):
        def forward(self, Z):
            return np.where(np.abs(Z) > 0.5, Z - 0.5 * np.sign(Z), 0)

    return Shrink()


@right
def activation_over_the_units():
    class Centred(Activation):
        def forward(self, Z):
            return Z - Z.mean(axis=0, keepdims=True)

        def back(self, dA, Z, A):
            return dA - dA.mean(axis=0, keepdims=True)

    return Centred()


@right
def layer_of_fresh_arrays():
    class PlainDense(Plain, Dense):
        pass

    return PlainDense(2, "relu", l2=0.1)


@right
def layer_with_its_own_parameters():
    @attrs.frozen
    class Gain(Layer):
        start: float = 1.0

        def parameters(self, input_shape):
            return {
                "g": Parameter((*input_shape, 1), Initializer.get("constant", value=self.start))
            }

        def forward(self, A_prev, cache):
            return cache.g * A_prev

        def back(self, dZ, cache):
            cache.dg = np.mean(dZ * cache.A_prev, axis=1, keepdims=True)
            return cache.g * dZ

    return Gain(start=0.5)


@right
def layer_without_parameters():
    class Reverse(Layer):
        def forward(self, A_prev, cache):
            return A_prev[::-1].copy()

        def back(self, dZ, cache):
            return dZ[::-1].copy()

    return Reverse()


@right
def layer_that_mixes_two():
    @attrs.frozen
    class LowRank(Layer):
        units: int
        rank: int = 1

        def parameters(self, input_shape):
            init = LecunNormal()
            return {
                "U": Parameter((self.units, self.rank), init),
                "V": Parameter((self.rank, *input_shape), init),
                "b": Parameter((self.units, 1), Zeros()),
            }

        def output_shape(self, input_shape):
            return (self.units,)

        def forward(self, A_prev, cache):
            cache.inner = cache.V @ A_prev
            return cache.U @ cache.inner + cache.b

        def back(self, dZ, cache):
            m = dZ.shape[1]
            d_inner = cache.U.T @ dZ
            cache.dU = dZ @ cache.inner.T / m
            cache.dV = d_inner @ cache.A_prev.T / m
            cache.db = dZ.mean(axis=1, keepdims=True)
            return cache.V.T @ d_inner

    return LowRank(4, rank=2)


@right
def dropout_as_the_course_has_it():
    @attrs.frozen
    class KeepProb(Layer):
        keep_prob: float = 0.8

        def forward(self, A_prev, cache):
            if not cache.training:
                return A_prev
            cache.D = cache.rng.random(A_prev.shape) < self.keep_prob
            return A_prev * cache.D / self.keep_prob

        def back(self, dZ, cache):
            return dZ * cache.D / self.keep_prob if cache.training else dZ

    return KeepProb(0.7)


@right
def dropout_scaled_at_prediction():
    class AtPrediction(Layer):
        def forward(self, A_prev, cache):
            cache.factor = cache.rng.random(A_prev.shape) < 0.7 if cache.training else 0.7
            return A_prev * cache.factor

        def back(self, dZ, cache):
            return dZ * cache.factor

    return AtPrediction()


@right
def noise_in_training():
    class Noise(Layer):
        def forward(self, A_prev, cache):
            noise = (
                cache.rng.standard_normal(A_prev.shape)
                if cache.training
                else np.zeros(A_prev.shape)
            )
            return A_prev + noise.astype(A_prev.dtype)

        def back(self, dZ, cache):
            return dZ

    return Noise()


@right
def noise_that_shifts():
    class Shifting(Layer):
        def forward(self, A_prev, cache):
            cache.kept = (
                cache.rng.random(A_prev.shape) < 0.8
                if cache.training
                else np.ones(A_prev.shape, bool)
            )
            return np.where(cache.kept, A_prev, A_prev.dtype.type(-1.5))

        def back(self, dZ, cache):
            return dZ * cache.kept

    return Shifting()


@right
def centring_by_a_running_mean():
    class Centring(Layer):
        def state(self, input_shape):
            return {"mean": Parameter((*input_shape, 1), Zeros())}

        def forward(self, A_prev, cache):
            if not cache.training:
                return A_prev - cache.mean
            mean = A_prev.mean(axis=-1, keepdims=True)
            cache.mean = 0.9 * cache.mean + 0.1 * mean
            return A_prev - mean

        def back(self, dZ, cache):
            return dZ - dZ.mean(axis=-1, keepdims=True) if cache.training else dZ

    return Centring()


@right
def loss_without_a_partner():
    class LogCosh(Loss):
        def value(self, A, Y):
            return np.sum(np.logaddexp(A - Y, Y - A) - np.log(2)) / A.shape[1]

        def back(self, A, Y):
            return np.tanh(A - Y)

    return LogCosh()


@right
def loss_with_a_field():
    @attrs.frozen
    class Pinball(Loss):
        q: float = 0.5

        def value(self, A, Y):
            return float(
                np.mean(np.sum(np.maximum(self.q * (Y - A), (self.q - 1) * (Y - A)), axis=0))
            )

        def back(self, A, Y):
            return (Y < A) - self.q * np.ones_like(A)

    return Pinball(q=0.9)


@right
def loss_with_a_partner():
    class Squared(Loss):
        partner = Identity()

        def value(self, A, Y):
            return np.sum((A - Y) ** 2) / A.shape[1]

        def back(self, A, Y):
            return 2 * (A - Y)

        def partner_back(self, A, Y, out=None):
            return np.multiply(2, A - Y, out=out)

    return Squared()


@right
def optimizer_without_memory():
    @attrs.frozen
    class Sign(Optimizer):
        rate: float = 0.01

        def update(self, params, grads):
            params -= self.rate * np.sign(grads)

    return Sign(rate=0.02)


@right
def optimizer_with_memory():
    class SumOfSquares(Optimizer):
        def update(self, params, grads):
            squares = self.recall("squares", params)
            squares += grads**2
            params -= 0.1 * grads / (np.sqrt(squares) + 1e-8)

    return SumOfSquares()


@right
def optimizer_with_a_schedule():
    @attrs.frozen
    class ScheduledSigns(Optimizer):
        learning_rate: float = rate_field(0.01)

        def update(self, params, grads):
            params -= self.rate() * np.sign(grads)

    return ScheduledSigns(Step(0.1, 0.5, 10), clip_norm=1.0)


@right
def schedule():
    class Halving(Schedule):
        def at(self, t):
            return 0.5**t

    return Halving()


@right
def initializer_of_a_generator():
    @attrs.frozen
    class Sparse(Initializer):
        keep: float = 0.5

        def draw(self, shape, rng):
            return rng.standard_normal(shape) * (rng.uniform(size=shape) < self.keep)

    return Sparse(keep=0.3)


@right
def initializer_without_chance():
    class Eye(Initializer):
        def draw(self, shape, rng):
            return np.eye(*shape)

    return Eye()


@pytest.mark.parametrize(("make", "message"), FAULTS)
def test_fault_is_caught(make, message):
    """A planted fault raises an AssertionError that says what is wrong."""
    with pytest.raises(AssertionError, match=message):
        check(make())


@pytest.mark.parametrize("make", RIGHT)
def test_right_passes(make):
    """What a newcomer writes rightly, as the documentation shows it, passes."""
    check(make())


def test_check_gradients_finds_the_faulty_layer():
    """In a network of three layers, check_gradients names the one that is wrong, by number and kind."""

    class Faulty(Plain, Dense):
        def back(self, dZ, cache):
            dA_prev = super().back(dZ, cache)
            cache.db *= 1.01
            return dA_prev

    model = Sequential(
        [Dense(4, "tanh"), Faulty(3, "tanh"), Dense(2)], "mean_squared_error", inputs=3, seed=1
    )
    rng = np.random.default_rng(2)
    with pytest.raises(
        AssertionError, match=r"db\[2\] of layer 2 \(Faulty\) .*\b1.01 times as much"
    ):
        testing.check_gradients(model, rng.standard_normal((3, 5)), rng.standard_normal((2, 5)))


def test_check_gradients_finds_a_faulty_activation():
    """A wrong derivative of an activation shows in the gradients below it."""

    class Faulty(Tanh):
        def back(self, dA, Z, A):
            return 1.01 * super().back(dA, Z, A)

    rng = np.random.default_rng(3)
    X, Y = rng.standard_normal((3, 5)), rng.standard_normal((2, 5))
    model = Sequential([Dense(4, Faulty()), Dense(2)], "mean_squared_error", inputs=3, seed=1)
    with pytest.raises(AssertionError, match=r"does not match the cost: .*\b1.01 times as much"):
        testing.check_gradients(model, X, Y)
    assert testing.check_gradients(model, X, Y, tolerance=0.02) == pytest.approx(0.01, rel=0.01)


def test_faults_leave_no_trace():
    """No class of these tests stays registered."""
    for family in CHECKS:
        left = [name for name in family.names() if family._classes[name].__module__ == __name__]
        assert not left, f"{family.__name__} still knows {left}"
    assert SGD is Optimizer._classes["sgd"]


@pytest.mark.parametrize("cls", [Tanh, MeanSquaredError, SGD, Zeros])
def test_a_class_is_not_an_instance(cls):
    """Handed a class, a check says what to write."""
    checks = {family: check for family, check in CHECKS.items() if issubclass(cls, family)}
    (run,) = checks.values()
    with pytest.raises(
        TypeError, match=rf"takes an instance, not a class; write {cls.__name__}\(\)"
    ):
        run(cls)


@pytest.mark.parametrize("check", testing.checks(LeakyReLU(slope=0.3)))
def test_checks_are_tests(check):
    """One check is one test, as a user writes it."""
    check()


@pytest.mark.parametrize(
    ("thing", "arguments", "names"),
    [
        (
            Tanh(), (),
            "description results repeated out examples_apart memory_order slopes finite_far_out slopes_elsewhere",
        ),
        (Dense(2), (3,), "description passes examples gradients training chance copies"),
        (Huber(), (), "description mean value_and_back ends partner"),
        (SGD(), (), "description way_down restart"),
        (Constant(0.1), (), "description rates"),
        (Zeros(), (), "description draws"),
    ],
)  # fmt: skip
def test_names_of_checks(thing, arguments, names):
    """Each check has a name, by which pytest calls it."""
    assert names.split() == [check.__name__ for check in testing.checks(thing, *arguments)]


def test_one_fault_fails_one_check():
    """A wrong slope is no matter of shapes: only the check of slopes fails."""

    class Faulty(Tanh):
        def back(self, dA, Z, A):
            return 2 * super().back(dA, Z, A)

    failed = []
    for check in testing.checks(Faulty()):
        try:
            check()
        except AssertionError:
            failed.append(check.__name__)
    assert failed == ["slopes", "slopes_elsewhere"]


def test_checks_of_what_is_nothing():
    """What belongs to no family is refused."""
    with pytest.raises(
        TypeError, match=r"3 is no activation, layer, loss, optimizer, schedule or initializer"
    ):
        testing.checks(3)
