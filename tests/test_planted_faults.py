"""Each check finds the mistakes that it is made for, names them, and passes what is right."""

import itertools
import re

import attrs
import numpy as np
import pytest
from messages import raises

import tinynet as tn
from tinynet import SGD, Activation, Dense, Initializer, Layer, Loss, Optimizer, Parameter, Schedule
from tinynet.activations import Identity, LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from tinynet.initializers import HeNormal, LecunNormal, Zeros
from tinynet.losses import BinaryCrossentropy, Huber, MeanSquaredError

CHECKS = {
    Activation: tn.testing.check_activation,
    Layer: lambda layer: tn.testing.check_layer(layer, 3),
    Loss: tn.testing.check_loss,
    Optimizer: tn.testing.check_optimizer,
    Schedule: tn.testing.check_schedule,
    Initializer: tn.testing.check_initializer,
}
quiet = np.errstate(all="ignore")


def own(bases, *settings, fields=None, **members):
    """Return a function that defines a class, with fields of these defaults, and makes an instance.

    It is called in a test, so that the class is registered in that test only.
    """
    bases = bases if isinstance(bases, tuple) else (bases,)

    def make():
        cls = type("Faulty", bases, members)
        if fields is not None:
            these = {name: attrs.field(default=value) for name, value in fields.items()}
            cls = attrs.frozen(cls, these=these)
        return cls(*settings)

    return make


def check(thing):
    """Run the check of the family that a thing belongs to."""
    next(check for family, check in CHECKS.items() if isinstance(thing, family))(thing)


# The faults of a family are a table: what makes a faulty thing, then what its message must contain.

# Activations: A = forward(Z) and dZ = back(dA, Z, A)


def act(forward, back=None):
    """Return a maker of an activation of functions that have no self."""
    members = {"forward": lambda self, Z: forward(Z)}
    if back is not None:
        members["back"] = lambda self, dA, Z, A: back(dA, Z, A)
    return own(Activation, **members)


def tanh_back(dA, Z):
    return dA * (1 - np.tanh(Z) ** 2)


def softmax(Z, axis=0, shift=np.max):
    E = np.exp(Z - shift(Z, axis=axis, keepdims=True))
    return E / E.sum(axis=axis, keepdims=True)


def softmax_back(dA, A, axis=0):
    return A * (dA - np.sum(A * dA, axis=axis, keepdims=True))


CALLS = itertools.count(1)
RNG = np.random.default_rng(1)  # another than the model's
MEMORY = {}  # of what remembers what it should not; cleared before each test


def store_Z(Z):
    MEMORY["Z"] = Z
    return np.tanh(Z)


def share_a_buffer(Z):
    buffer = MEMORY.setdefault((*Z.shape, Z.dtype), np.empty_like(Z))
    return np.tanh(Z, out=buffer)


def differences(dA, Z, A, h=1e-7):
    return dA * ((np.tanh(Z + h) - np.tanh(Z - h)) / (2 * h)).astype(Z.dtype)


def in_memory_order(dA, Z, A):
    return (tanh_back(1, Z).ravel("K") * dA.ravel("K")).reshape(Z.shape)


def other_back_with_out(self, dA, Z, A, out=None):
    return tanh_back(dA, Z) if out is None else np.multiply(dA, 1 - A, out=out)


def writes(method, name):
    return re.compile(rf"Faulty{method} \w+( \w+){{,2}} {name}\b")


# A wrong derivative: forward, back, and what the message says beside Z, dA and dZ.
SLOPES = {
    "slope without dA": (np.tanh, lambda dA, Z, A: 1 - A**2, "times dA", "the slope"),
    "A taken for Z": (np.tanh, lambda dA, Z, A: dA * (1 - Z**2), "A in place of Z"),
    "Z taken for A": (
        lambda Z: np.logaddexp(0, Z), lambda dA, Z, A: dA / (1 + np.exp(-A)), "Z in place of A"),
    "elementwise softmax": (softmax, lambda dA, Z, A: dA * A * (1 - A), "A[k] … Z[j] … Jacobian"),
    "dA alone": (np.tanh, lambda dA, Z, A: dA.copy(), "dA", "slope is missing"),
    "dA added": (np.tanh, lambda dA, Z, A: dA + 1 - A**2, "added", "multiply"),
    "dA divided": (np.tanh, lambda dA, Z, A: dA / (1 - A**2), "divided", "multiply"),
    "slope twice": (np.tanh, lambda dA, Z, A: dA * (1 - A**2) ** 2, "twice"),
    "A for the slope": (np.tanh, lambda dA, Z, A: dA * A, "dA * A"),
    "sign": (np.tanh, lambda dA, Z, A: -tanh_back(dA, Z), "sign is wrong"),
    "wrong above 0": (
        lambda Z: np.maximum(Z, Z / 4), lambda dA, Z, A: np.where(Z > 0, 0.9 * dA, 0.25 * dA),
        "from Z = 0", "0.9 times"),
    "wrong below 0": (
        lambda Z: np.maximum(Z, Z / 4), lambda dA, Z, A: dA * (Z > 0), "at Z = -", "0 times"),
    "ceiling forgotten": (
        lambda Z: np.clip(Z, 0, 6), lambda dA, Z, A: dA * (Z > 0), "wrong from Z = 6. … right"),
    "far out only": (
        lambda Z: np.clip(Z, -100, 100), lambda dA, Z, A: dA.copy(),
        re.compile(r"Z = -?[12]\d\d\.")),
    "narrow window": (
        lambda Z: Z * (np.abs(Z) > 0.01), lambda dA, Z, A: dA.copy(), re.compile(r"Z = -?0\.00")),
    "at 0 only": (
        np.tanh, lambda dA, Z, A: tanh_back(dA, Z) * (Z != 0),
        "exactly Z = 0", "dA = 1", "dZ = 0", "1 on the left", "1 on the right"),
    "branches swapped": (
        lambda Z: np.where(Z > 0, Z, 0.1 * Z), lambda dA, Z, A: np.where(Z > 0, 0.1 * dA, dA),
        "0.1 times … Z > 0 … 10 times … swapped"),
}  # fmt: skip
ACTIVATIONS = {
    "1 % too much": (
        own(Tanh, back=lambda self, dA, Z, A: 1.01 * Tanh.back(self, dA, Z, A)),
        "Faulty() … back … Z = … dA = … dZ = … 1.01 times"),
    "own softmax": (
        own(Softmax, back=lambda self, dA, Z, A: dA * A * (1 - A)), "A[k] … Z[j] … Jacobian"),
    "inherited back": (
        own(ReLU, forward=lambda self, Z: np.maximum(Z, 0) ** 2),
        "ReLU", "back = tn.Activation.back"),
    "sigmoid without dA": (
        own(Sigmoid, back=lambda self, dA, Z, A: A * (1 - A)), "times dA", "the slope"),
    "sigmoid of Z": (own(Sigmoid, back=lambda self, dA, Z, A: dA * Z * (1 - Z)), "A in place of Z"),
    "number for a field": (
        own(Activation, fields={"alpha": 0.01},
            forward=lambda self, Z: np.where(Z > 0, Z, self.alpha * Z).astype(Z.dtype),
            back=lambda self, dA, Z, A: np.where(Z > 0, dA, 0.01 * dA).astype(Z.dtype)),
        "Faulty(alpha=0.059", "times the slope"),
    "divided by m": (
        act(np.tanh, lambda dA, Z, A: tanh_back(dA, Z) / Z.shape[1]), "Faulty.back … by m", "dZ"),
    "forward writes into Z": (
        act(lambda Z: np.maximum(Z, 0, out=Z).copy()), writes(".forward", "Z")),
    "back writes into Z": (
        own(Tanh, back=lambda self, dA, Z, A: dA * np.subtract(1, A * A, out=Z)),
        writes(".back", "Z")),
    "back writes into dA": (
        own(Sigmoid, back=lambda self, dA, Z, A: np.multiply(dA, A * (1 - A), out=dA)),
        writes(".back", "dA")),
    "back writes into A": (
        own(Sigmoid, back=lambda self, dA, Z, A: dA * np.multiply(A, 1 - A, out=A)),
        writes(".back", "A")),
    "forward in float64": (  # np.sqrt(2) is a scalar of float64, which is stronger than float32
        act(lambda Z: Z / np.sqrt(2), lambda dA, Z, A: dA * 0.5**0.5),
        "Faulty.forward … float64 … float32", "np.zeros_like(Z)"),
    "back in float64": (
        act(lambda Z: Z * 0.5**0.5, lambda dA, Z, A: dA / np.sqrt(2)),
        "the slope is right, but Faulty.back … float64 … float32", "np.where", ".astype(dA.dtype)"),
    "np.where in back": (
        act(lambda Z: np.maximum(Z, 0.1 * Z), lambda dA, Z, A: dA * np.where(A > 0, 1, 0.1)),
        "the slope is right, but Faulty.back … float64 for float32", "np.where",
        ".astype(dA.dtype)"),
    "np.where with a wrong slope": (
        act(lambda Z: np.maximum(Z, 0.1 * Z), lambda dA, Z, A: dA * np.where(A > 0, 1, 0.2)),
        "back does not match forward … 2 times the slope … Besides, Faulty.back gives float64"),
    "np.where in forward": (
        act(lambda Z: Z * np.where(Z > 0, 1, 0.1)),
        "the slope is right, but Faulty.forward … float64", ".astype(Z.dtype)"),
    "leaks where the slope is 0": (
        act(lambda Z: np.maximum(Z, 0), lambda dA, Z, A: np.where(Z > 0, dA, 0.1 * dA)),
        "wrong up to Z = … right on the other side"),
    "other branch of a ReLU": (
        act(lambda Z: np.maximum(Z, 0), lambda dA, Z, A: dA * (Z < 0)),
        "0 where Z > 0, and the slope is 0 where Z <= 0", "swapped"),
    "too large for float32": (
        act(quiet(lambda Z: np.log(np.exp(25 * Z)) / 25), lambda dA, Z, A: dA.copy()),
        "Faulty.forward … finite in float64, and not in float32"),
    "integers": (act(lambda Z: (Z > 0).astype(int)), "int64 … float64", ".astype(Z.dtype)"),
    "forward overflows": (
        act(lambda Z: np.log(1 + np.exp(Z)), lambda dA, Z, A: dA * (1 - np.exp(-A))),
        "Faulty.forward … finite … 1000"),
    "back overflows": (
        own(Sigmoid, back=lambda self, dA, Z, A: dA * (np.exp(-Z) / (1 + np.exp(-Z)) ** 2)),
        "Faulty.back … finite at Z = -"),
    "several units": (
        act(lambda Z: softmax(Z, shift=np.mean), lambda dA, Z, A: softmax_back(dA, A)),
        "finite at Z = … units ["),
    "not finite": (act(quiet(np.sqrt)), "forward … finite at Z = -"),
    "forward of another shape": (
        act(lambda Z: Z.sum(axis=0, keepdims=True), lambda dA, Z, A: dA + 0 * Z),
        "Faulty.forward … (1, 8) … (5, 8)"),
    "back of another shape": (
        act(np.tanh, lambda dA, Z, A: tanh_back(dA, Z).sum(axis=1)), "Faulty.back … (5,) … (5, 8)"),
    "out not used": (
        own(Tanh, forward=lambda self, Z, out=None: np.tanh(Z)), "Faulty.forward … out="),
    "out of another computation": (own(Tanh, back=other_back_with_out), "Faulty.back … out="),
    "examples mixed": (
        act(lambda Z: Z - Z.mean(axis=1, keepdims=True), lambda dA, Z, A: dA + 0),
        "Faulty.forward … m = 1", "examples"),
    "softmax over the examples": (
        act(lambda Z: softmax(Z, axis=1), lambda dA, Z, A: softmax_back(dA, A, axis=1)),
        "Faulty.forward … m = 1", "examples", "axis 0", "keepdims=True"),
    "sum over the examples": (
        act(softmax, lambda dA, Z, A: softmax_back(dA, A, axis=1)),
        "Faulty.back … m = 1", "dZ", "axis 0", "keepdims=True"),
    "maximum of all": (
        act(lambda Z: np.exp(Z - Z.max()), lambda dA, Z, A: dA * A),
        "examples", "axis 0", "keepdims=True"),
    "no return": (act(lambda Z: None), "Faulty.forward … None", "return missing"),
    "no return in back": (
        act(np.tanh, lambda dA, Z, A: None), "Faulty.back … None", "return missing"),
    "list": (act(lambda Z: np.tanh(Z).tolist()), "Faulty.forward", "list", "(5, 8)"),
    "masked": (act(np.tanh, lambda dA, Z, A: np.ma.array(dA)), "Faulty.back", "MaskedArray"),
    "noise": (
        act(lambda Z: Z + np.random.default_rng().random(Z.shape, Z.dtype)),
        "Faulty.forward … same Z"),
    "counts": (act(lambda Z: np.tanh(Z) / next(CALLS)), "Faulty.forward … same Z"),
    "stores Z": (
        act(store_Z, lambda dA, Z, A: tanh_back(dA, MEMORY["Z"])), "Faulty.back … dZ … forward"),
    "one buffer": (
        act(share_a_buffer, lambda dA, Z, A: tanh_back(dA, Z)),
        "Faulty.forward … same array", "new"),
    "differences in float32": (act(np.tanh, differences), "Faulty.back", "float32", "1e-7"),
    "memory order": (act(np.tanh, in_memory_order), "Faulty.back", "memory"),
    "of one number": (act(lambda Z: Z if Z > 0 else 0 * Z), "arrays", "np.where"),
    "other order": (
        own(Tanh, back=lambda self, Z, A, dA: dA), "back takes (self, Z, A, dA), expected"),
    "too few": (
        own(Tanh, back=lambda self, dA: dA), "back takes (self, dA), … (self, dA, Z, A)"),
    "too many": (
        own(Tanh, back=lambda self, dA, Z, A, t: dA), "takes (self, dA, Z, A, t), expected"),
    "out without default": (
        own(Tanh, back=lambda self, dA, Z, A, out: dA), "takes (self, dA, Z, A, out), expected"),
    "back without self": (
        own(Tanh, back=lambda dA, Z, A: dA), "takes (dA, Z, A) … Write def back(self, dA"),
    "forward without self": (own(Tanh, forward=lambda Z: Z), "takes (Z) … def forward(self, Z)"),
    "forward with a keyword": (
        own(Tanh, forward=lambda self, Z, *, k: Z), "takes (self, Z, k), expected (self, Z)"),
    "static without Z": (
        own(Tanh, forward=staticmethod(lambda: 0)), "takes (), expected (self, Z)"),
    "class method": (
        own(Tanh, forward=classmethod(lambda cls: 0)), "takes (cls), expected (self, Z)"),
    "stored": (
        own(Tanh, forward=lambda self, Z: setattr(self, "Z", Z)),
        "nothing can be set in it … computed is not stored"),
    "no decorator": (
        own(Tanh, slope=attrs.field(default=0.1)), "has the field slope … @attrs.frozen"),
    "init kaiming": (own(Identity, init="kaiming"), "Faulty.init … 'kaiming'", "constant"),
    "init 0.25": (own(Identity, init=0.25), "Faulty.init … 0.25", "constant"),
    "init None": (own(Identity, init=None), "Faulty.init … None", "constant"),
    "range too narrow": (own(Tanh, range=(0.0, 1.0)), "Faulty.range … (0.0, 1.0)", "gives -1 to 1"),
    "range of leaky_relu": (own(LeakyReLU, range=(0.0, np.inf)), "Faulty.range", "gives -0."),
    "no shares": (own(Sigmoid, sums_to_1=True), "Faulty.sums_to_1", "leave it out"),
}  # fmt: skip
ACTIVATIONS |= {
    name: (act(forward, back), "Faulty() … back … Z = ", "dA = ", "dZ = ", *words)
    for name, (forward, back, *words) in SLOPES.items()
}


# Layers, each as a newcomer writes it: with new arrays in every line

M = 7  # examples that the check takes


class PlainDense:
    def forward(self, A_prev, cache):
        return cache.W @ A_prev + cache.b

    def back(self, dZ, cache):
        m = dZ.shape[1]
        cache.dW = dZ @ cache.A_prev.T / m + self.l2 * cache.W
        cache.db = dZ.sum(axis=1, keepdims=True) / m
        return cache.W.T @ dZ


def dense(units=2, l2=0.0, **members):
    return own((PlainDense, Dense), units, "identity", "auto", l2, **members)


def changed(change, units=2, l2=0.0):
    """Return a maker of a Dense whose back changes its gradients, and returns that dA_prev."""

    def back(self, dZ, cache):
        return change(PlainDense.back(self, dZ, cache), dZ, cache)

    return dense(units, l2, back=back)


def scaled(dA_prev=1.0, **factors):
    """Return a maker of a Dense whose back multiplies dA_prev, dW or db by a factor too many."""

    def change(right, dZ, cache):
        for name, factor in factors.items():
            setattr(cache, name, factor * getattr(cache, name))
        return dA_prev * right

    return changed(change)


def set_gradient(name, change, **settings):
    """Return a maker of a Dense whose back replaces a gradient with another array."""
    return changed(lambda dA, dZ, cache: setattr(cache, name, change(cache)) or dA, **settings)


def add_to_gradients(self, dZ, cache):
    before = cache.dW.copy()
    dA_prev = PlainDense.back(self, dZ, cache)
    cache.dW += before
    return dA_prev


def forget_db(self, dZ, cache):
    cache.dW = dZ @ cache.A_prev.T / dZ.shape[1]
    return cache.W.T @ dZ


def forget_to_return(self, dZ, cache):
    PlainDense.back(self, dZ, cache)


def count_passes(self, A_prev, cache):
    cache.passes = getattr(cache, "passes", 0) + 1
    return PlainDense.forward(self, A_prev, cache) * cache.passes


def center_in_place(self, A_prev, cache):
    A_prev -= A_prev.mean()
    return PlainDense.forward(self, A_prev, cache)


dA_0 = "dA[0], … match"
dW = "dW[1] … layer 1 (Faulty) … match"
db = "db[1] … layer 1 (Faulty) … match"
DENSE = {
    "db forgotten": (dense(back=forget_db), "db[1] … layer 1 (Faulty) … filled"),
    "m in dW": (scaled(dW=M), dW, "7 times", "m = 7"),
    "m in db": (scaled(db=M), db, "7 times", "m = 7"),
    "m in both": (
        scaled(dW=M, db=M),
        "dW[1] … 7 times … mean over the examples", "db[1] … 7 times … divide by m"),
    "1/m twice": (scaled(dW=1 / M), dW, "0.1429 times", "1/m"),
    "1/m in dA_prev": (scaled(1 / M), dA_0, "0.1429 times … each example … divide by m"),
    "sign": (scaled(dW=-1), dW, "sign is wrong"),
    "without l2": (set_gradient("dW", lambda cache: cache.dW - 0.1 * cache.W, l2=0.1), dW),
    "penalty without its half": (
        dense(l2=0.1, penalty=lambda self, cache: self.l2 * float(np.sum(cache.W**2))), dW),
    "dW transposed": (
        set_gradient("dW", lambda cache: cache.dW.T.copy(), units=3), dW, "transposed"),
    "W not transposed": (
        changed(lambda dA_prev, dZ, cache: cache.W @ dZ, units=3), dA_0, "layer 1"),
    "gradients added to the last": (dense(back=add_to_gradients), "dW[1] … filled"),
    "db of everything": (
        set_gradient("db", lambda cache: np.full_like(cache.db, cache.db.sum())),
        db, "all the same", "axis=1", "keepdims=True"),
    "db of another shape": (
        set_gradient("db", lambda cache: np.ones((1, M))),
        "ShapeError", "db … layer 1 (Faulty) … (2, 1)", "axis=1, keepdims=True"),
    "dA_prev forgotten": (dense(back=forget_to_return), "Faulty.back … None", "return missing"),
    "dA_prev transposed": (
        changed(lambda dA_prev, dZ, cache: dA_prev.T), "Faulty.back … (7, 3) … (3, 7)"),
    "Z transposed": (
        dense(forward=lambda self, A_prev, cache: (cache.W @ A_prev).T),
        "Faulty.forward … (7, 2) … (2, 7)"),
    "float64": (
        dense(forward=lambda self, A_prev, cache: cache.W @ A_prev / np.sqrt(2)),
        "Faulty.forward … float64 … float32"),
    "writes into A_prev": (dense(forward=center_in_place), writes(".forward", "A_prev")),
    "depends on its last pass": (dense(forward=count_passes), "Faulty.forward … same A_prev"),
    "examples mixed": (
        dense(forward=lambda self, A_prev, cache: cache.W @ A_prev - A_prev.mean()),
        "Faulty.forward … first example", "axis 0"),
    "np.where": (
        own(Layer, forward=lambda self, A_prev, cache: A_prev * np.where(A_prev > 0, 1, 0.1),
            back=lambda self, dZ, cache: dZ * np.where(cache.A_prev > 0, 1, 0.1)),
        "the gradients are right, but Faulty.forward … float64 for float32", "np.where"),
    "np.where with a wrong gradient": (
        own(Layer, forward=lambda self, A_prev, cache: A_prev * np.where(A_prev > 0, 1, 0.1),
            back=lambda self, dZ, cache: dZ * np.where(cache.A_prev > 0, 1, 0.2)),
        "dA[0] … does not match … Besides, Faulty.forward gives float64"),
    "shows nothing of A_prev": (
        dense(input_probe=lambda self, cache: cache.b[:, 0]),
        "Faulty.input_probe is finite outside training where A_prev[0, 0] is nan", "cache.Z"),
    "not finite": (
        own(Layer, forward=lambda self, A_prev, cache: quiet(np.sqrt)(A_prev),
            back=lambda self, dZ, cache: 0.5 * dZ / quiet(np.sqrt)(cache.A_prev)),
        "Faulty.forward … not finite", "a root"),
}  # fmt: skip


# Layers that do one thing in training and another at prediction


def drop(A_prev, cache, rng, keep=0.5, factor=2.0):
    cache.D = ((rng.random(A_prev.shape) < keep) * factor).astype(A_prev.dtype)
    return A_prev * cache.D


def in_training(method):
    """Return a method that returns a copy at prediction."""
    return lambda self, array, cache: method(array, cache) if cache.training else array.copy()


def dropping(keep, factor):
    return lambda A_prev, cache: drop(A_prev, cache, cache.rng, keep, factor)


def dropout(forward=None, back=None, rate=0.5):
    forward = forward or in_training(dropping(1 - rate, 1 / (1 - rate)))
    back = back or in_training(lambda dZ, cache: dZ * cache.D)
    return own(tn.Dropout, rate, forward=forward, back=back)


GRADIENT = "in training, dA[0] … match"
DROPOUT = {
    "at prediction": (
        dropout(lambda self, A_prev, cache: drop(A_prev, cache, cache.rng)),
        "Faulty.forward … cache.rng", "at prediction", "cache.training"),
    "at prediction, another generator": (
        dropout(lambda self, A_prev, cache: drop(A_prev, cache, RNG)),
        "Faulty.forward … same A_prev", "cache.training"),
    "another generator": (
        dropout(in_training(lambda A_prev, cache: drop(A_prev, cache, RNG))),
        "Faulty.forward … same A_prev", "in training", "cache.rng"),
    "mask drawn again": (
        dropout(back=in_training(lambda dZ, cache: drop(dZ, cache, cache.rng))),
        "Faulty.back … cache.rng", "mask"),
    "mask lost": (
        dropout(back=in_training(lambda dZ, cache: drop(dZ, cache, np.random.default_rng(1)))),
        GRADIENT, "same mask"),
    "no mask": (dropout(back=lambda self, dZ, cache: dZ.copy()), GRADIENT, "same mask", "factor"),
    "no factor": (
        dropout(back=in_training(lambda dZ, cache: dZ * (cache.D > 0)), rate=0.25),
        GRADIENT, "0.75 times", "factor"),
    "not scaled": (
        dropout(in_training(dropping(0.8, 1.0)), rate=0.2),
        re.compile(r"[Ii]n training, Z of Faulty .* 0\.[789]\d* times"), "1 - rate"),
    "rate and keep mixed up": (
        dropout(in_training(dropping(0.3, 1 / 0.7)), rate=0.3),
        re.compile(r"[Ii]n training, Z of Faulty .* \d+(\.\d+)? times"), "1 - rate"),
    "float64": (
        dropout(in_training(lambda A_prev, cache: drop(A_prev, cache, cache.rng) * np.float64(2))),
        "Faulty.forward … float64 … float32"),
}  # fmt: skip


class PlainBatchNorm:
    def statistics(self, A_prev, cache):
        mean, variance = A_prev.mean(axis=-1, keepdims=True), A_prev.var(axis=-1, keepdims=True)
        if not cache.training:
            return cache.running_mean, cache.running_variance
        cache.running_mean = 0.9 * cache.running_mean + 0.1 * mean
        cache.running_variance = 0.9 * cache.running_variance + 0.1 * variance
        return mean, variance

    def forward(self, A_prev, cache):
        mean, variance = self.statistics(A_prev, cache)
        cache.root = np.sqrt(variance + 1e-5)
        cache.normal = (A_prev - mean) / cache.root
        return cache.gamma * cache.normal + cache.beta

    def through_statistics(self, cache):
        return through_statistics(self, cache) if cache.training else 0

    def back(self, dZ, cache):
        cache.dbeta = dZ.mean(axis=-1, keepdims=True)
        cache.dgamma = (dZ * cache.normal).mean(axis=-1, keepdims=True)
        return (dZ - self.through_statistics(cache)) * cache.gamma / cache.root


def batch_norm(**members):
    return own((PlainBatchNorm, tn.BatchNorm), **members)


def of_the_batch(self, A_prev, cache):
    return A_prev.mean(axis=-1, keepdims=True), A_prev.var(axis=-1, keepdims=True)


def through_statistics(self, cache):
    return cache.dbeta + cache.normal * cache.dgamma


def moved_at_prediction(self, A_prev, cache):
    cache.running_mean = 0.9 * cache.running_mean + 0.1 * A_prev.mean(axis=-1, keepdims=True)
    return cache.running_mean, cache.running_variance


def parameters_and_state(self, shape):
    return tn.BatchNorm.parameters(self, shape) | tn.BatchNorm.state(self, shape)


def in_the_cache_alone(self, A_prev, cache):
    if not hasattr(cache, "running_mean"):
        column = A_prev[:, :1]
        cache.running_mean, cache.running_variance = np.zeros_like(column), np.ones_like(column)
    return PlainBatchNorm.statistics(self, A_prev, cache)


def moved_in_back(self, dZ, cache):
    cache.running_mean *= 0.9
    return PlainBatchNorm.back(self, dZ, cache)


def gamma_outside_the_means(self, dZ, cache):
    tn.LayerNorm.back(self, dZ, cache)
    root = np.sqrt(cache.A_prev.var(axis=0) + 1e-5)
    normal = (cache.A_prev - cache.A_prev.mean(axis=0)) / root
    return cache.gamma * (dZ - dZ.mean(axis=0) - normal * (dZ * normal).mean(axis=0)) / root


NORMALIZATION = {
    "mean and variance as constants": (
        batch_norm(through_statistics=lambda self, cache: 0), GRADIENT, "mean and variance"),
    "variance as a constant": (
        batch_norm(through_statistics=lambda self, cache: cache.dbeta if cache.training else 0),
        GRADIENT, "mean and variance"),
    "gradient of training at prediction": (batch_norm(through_statistics=through_statistics), dA_0),
    "of the batch at prediction": (
        batch_norm(statistics=of_the_batch),
        "Faulty.forward … first example", "outside training"),
    "moved at prediction": (
        batch_norm(statistics=moved_at_prediction),
        "Faulty.forward … running_mean, … outside training", "cache.training"),
    "statistics as parameters": (
        batch_norm(parameters=parameters_and_state, state=lambda self, shape: {}),
        "Faulty.forward … running_mean, … parameter", "state"),
    "not declared": (
        batch_norm(state=lambda self, shape: {}, statistics=in_the_cache_alone),
        "Faulty", "predict … forward", "state"),
    "moved in back": (batch_norm(back=moved_in_back), "Faulty.back … cache.running_mean"),
    "gamma outside the means": (own(tn.LayerNorm, back=gamma_outside_the_means), dA_0),
}  # fmt: skip


# Losses


def log_of_0(self, A, Y):
    return float(-np.sum(np.where(Y, np.log(A), np.log(1 - A))) / A.shape[1])


def twice_from_Z(self, Z, Y):
    return 2 * BinaryCrossentropy.each_from_Z(self, Z, Y)


LOSSES = {
    "back divided by m": (
        own(MeanSquaredError, back=lambda self, A, Y: (A - Y) / A.shape[1]),
        "Faulty.back … 0.05 times", "1/m"),
    "sign": (
        own(BinaryCrossentropy, back=lambda self, A, Y: -BinaryCrossentropy.back(self, A, Y)),
        "Faulty.back … match", "-1 times", "sign is wrong"),
    "wrong far out": (own(Huber, 0.5, back=lambda self, A, Y: A - Y), "Faulty.back … match"),
    "false partner": (own(MeanSquaredError, partner=Tanh()), "Faulty", "Tanh()", "partner = None"),
    "another dZ behind the partner": (
        own(MeanSquaredError, back_from_Z=lambda self, A, Y: 2 * (A - Y)),
        "Faulty.back_from_Z gives another dZ than back and then Identity()"),
    "settings that the model does not ask for": (
        own(BinaryCrossentropy, back=lambda self, A, Y: 2 * BinaryCrossentropy().back(A, Y),
            value=lambda self, A, Y: 2 * BinaryCrossentropy().value(A, Y), partner=Sigmoid(),
            back_from_Z=lambda self, A, Y: 2 * (A - Y), subtracts=True,
            each=lambda self, A, Y: 2 * BinaryCrossentropy().each(A, Y)),
        "Faulty.subtracts is True, but Faulty.back_from_Z is not A - Y", "False"),
    "not of the partner's scale": (
        own(Loss, partner=Identity(), value=lambda self, A, Y: np.sum((A - Y) ** 2) / A.shape[1],
            back=lambda self, A, Y: 2 * (A - Y)),
        "Faulty", "Identity()", "partner"),
    "each_from_Z of another scale": (
        own(BinaryCrossentropy, each_from_Z=twice_from_Z), "Faulty", "each_from_Z"),
    "value of each example": (
        own(MeanSquaredError, value=lambda self, A, Y: np.mean((A - Y) ** 2, axis=0)),
        "Faulty.value … number", "(20,)"),
    "float64": (
        own(MeanSquaredError, back=lambda self, A, Y: (A - Y) * np.float64(1)),
        "Faulty.back … float64 … float32"),
    "writes into A": (
        own(MeanSquaredError, back=lambda self, A, Y: np.subtract(A, Y, out=A).copy()),
        writes(".back", "A")),
    "back of another shape": (
        own(MeanSquaredError, back=lambda self, A, Y: (A - Y).sum(axis=1)),
        "Faulty.back … (3,) … (3, 20)"),
    "sum over the examples": (
        own(Loss, value=lambda self, A, Y: 0.5 * np.sum((A - Y) ** 2),
            back=lambda self, A, Y: (A - Y) * A.shape[1]),
        "Faulty.value … 2 times", "divide by m"),
    "no domain": (
        own(Loss, each=quiet(lambda self, A, Y: -(Y * np.log(A) + (1 - Y) * np.log(1 - A))),
            back=quiet(lambda self, A, Y: (1 - Y) / (1 - A) - Y / A)),
        "Faulty.value is nan for A = [", "no domain … write domain = (0, 1) in it."),
    "no domain above 0": (
        own(Loss, value=quiet(lambda self, A, Y: np.sum(A - Y * np.log(A)) / A.shape[1]),
            back=quiet(lambda self, A, Y: 1 - Y / A)),
        "Faulty.value is nan", "(0, 1)", "or (0, np.inf) if any A above 0"),
    "no domain in back": (
        own(Loss, each=lambda self, A, Y: np.abs(A) ** 1.5 / 1.5 - Y * A,
            back=quiet(lambda self, A, Y: A**0.5 - Y)),
        "Faulty.back is nan for A", "domain = (0, 1)", "(0, np.inf)"),
    "log of a Y of 0": (
        own(Loss, domain=(0, 1), each=quiet(lambda self, A, Y: Y * np.log(Y / A)),
            back=lambda self, A, Y: -Y / A),
        "Faulty.value is nan", "Y = [", "np.where(Y > 0, Y, 1)"),
    "never finite": (
        own(Loss, each=quiet(lambda self, A, Y: np.log(-np.exp(A))), back=lambda self, A, Y: A),
        "Faulty.value is nan", "a logarithm"),
    "no return in value": (
        own(Loss, value=lambda self, A, Y: None, back=lambda self, A, Y: A - Y),
        "Faulty.value gives None, expected a number"),
    "np.where in a loss": (
        own(Loss, each=lambda self, A, Y: np.abs(A - Y),
            back=lambda self, A, Y: np.where(A > Y, 1.0, -1.0)),
        "the derivative is right, but Faulty.back … float64 for float32", "np.where"),
    "log of 0": (
        own(BinaryCrossentropy, value=log_of_0), "Faulty.value … finite at A", "np.finfo(A.dtype)"),
    "division by 0": (
        own(BinaryCrossentropy, back=lambda self, A, Y: (1 - Y) / (1 - A) - Y / A),
        "Faulty.back … finite at A =", "np.finfo(A.dtype)"),
}  # fmt: skip


# Optimizers, schedules and initializers


def optimizer(step):
    """Return a maker of an optimizer that subtracts what `step` returns from the parameters."""

    def apply(self, params, grads):
        params -= step(self, params, grads)

    return own(Optimizer, apply=apply)


def velocity_in_float64(self, params, grads):
    v = self.memory.setdefault("velocity", np.zeros(params.shape))
    v += 0.1 * grads
    return 0.1 * v


def velocity_of_all(self, params, grads):
    v = MEMORY.setdefault("velocity", np.zeros(3))
    v[:] = 0.5 * v + grads
    return 0.1 * v.astype(params.dtype)


def velocity_elsewhere(self, params, grads):
    v = vars(self).setdefault("velocity", np.zeros_like(params))
    v += grads
    return 0.01 * v


def steps_elsewhere(self, params, grads):
    vars(self)["n"] = n = vars(self).get("n", 0) + 1
    return 0.1 * grads / n


def steps_in_a_field(self, params, grads):
    object.__setattr__(self, "steps", self.steps + 1)
    params -= 0.1 * grads


OPTIMIZERS = {
    "writes into grads": (
        optimizer(lambda self, params, grads: np.multiply(grads, 0.1, out=grads)),
        writes("", "grads")),
    "does nothing": (
        own(Optimizer, apply=lambda self, params, grads: None),
        "Faulty … go down", "params -= ..."),
    "not in place": (
        own(Optimizer, apply=lambda self, params, grads: params - 0.1 * grads),
        "Faulty … go down", "params -= ..."),
    "ignores grads": (optimizer(lambda self, params, grads: 0.1 * params), "Faulty"),
    "uphill": (optimizer(lambda self, params, grads: -0.01 * grads), "Faulty … go down", "sign"),
    "division by 0": (
        optimizer(quiet(lambda self, params, grads: grads / (0 * grads))),
        re.compile("Faulty.*(finite|nan|inf).* in step 1"), "epsilon"),
    "float64": (optimizer(velocity_in_float64), "Faulty … velocity … float64 … float32"),
    "steps in a field": (
        own(Optimizer, fields={"steps": 0}, apply=steps_in_a_field), "Faulty", "equality or repr"),
    "shared memory": (optimizer(velocity_of_all), "Faulty … same parameters"),
    "velocity elsewhere": (optimizer(velocity_elsewhere), "Faulty … copy of its memory"),
    "steps elsewhere": (optimizer(steps_elsewhere), "Faulty … copy of its memory"),
}  # fmt: skip
SCHEDULES = {
    "below 0": (
        own(Schedule, at=lambda self, t: 1 - 0.1 * t), "Faulty.at(11) … -0.1", "at least 0"),
    "infinite": (
        own(Schedule, at=lambda self, t: 1 / t if t else np.inf), "Faulty.at(0) … inf", "finite"),
    "an array": (
        own(Schedule, at=lambda self, t: np.full(1, 0.1)), "Faulty.at(0) … ndarray", "float(...)"),
    "not a number": (own(Schedule, at=lambda self, t: np.nan), "Faulty.at(0) is nan", "finite"),
    "ends": (own(Schedule, at=lambda self, t: 0.1 if t < 6 else None), "Faulty.at(6) … None"),
    "counts its calls": (own(Schedule, at=lambda self, t: 1 / next(CALLS)), "Faulty.at … t"),
    "chance": (own(Schedule, at=lambda self, t: RNG.random()), "Faulty.at … t"),
}  # fmt: skip
INITIALIZERS = {
    "another generator": (
        own(Initializer, draw=lambda self, shape, rng: RNG.random(shape)), "Faulty … generator"),
    "transposed": (
        own(Initializer, draw=lambda self, shape, rng: rng.standard_normal(shape[::-1])),
        "Faulty … (4, 3) … (3, 4)"),
    "infinite": (
        own(HeNormal, draw=quiet(lambda self, shape, rng: np.log(np.full(shape, shape[1] - 1)))),
        "Faulty … finite for the shape (1, 1)"),
    "no return": (own(Initializer, draw=lambda self, shape, rng: None), "None", "return missing"),
}  # fmt: skip


# Descriptions: what a class of any family may do wrong


def holding(value):
    return own(Identity, fields={"content": value})


def doubled_slope(self, slope=0.01):
    """Set a slope that every copy made from the config doubles."""
    LeakyReLU.__init__(self)
    object.__setattr__(self, "slope", 2 * slope)


def slope_beside_the_fields(self, slope=0.1):
    object.__setattr__(self, "slope", slope)


DESCRIPTIONS = {
    "not a field": (own(LeakyReLU, 0.1, __init__=doubled_slope), "attrs fields"),
    "beside the fields": (
        own(Activation, forward=lambda self, Z: Z, __init__=slope_beside_the_fields),
        "Faulty … slope", "@attrs.frozen"),
    "a list": (holding([1.0, 2.0]), "content … Faulty … list", "tuple"),
    "an array": (holding(np.ones(2)), "content … Faulty … ndarray", "tuple"),
    "a dictionary": (holding({"a": 1}), "content … Faulty … dict"),
    "a function": (holding(np.tanh), "content … Faulty … ufunc"),
    "a list in a tuple": (holding((1, (2, [3]))), "content … Faulty … list"),
}  # fmt: skip
TABLES = {
    "activation": ACTIVATIONS, "Dense": DENSE, "Dropout": DROPOUT, "normalization": NORMALIZATION,
    "loss": LOSSES, "optimizer": OPTIMIZERS, "schedule": SCHEDULES, "initializer": INITIALIZERS,
    "description": DESCRIPTIONS,
}  # fmt: skip
FAULTS = {f"{kind}: {name}": TABLES[kind][name] for kind in TABLES for name in TABLES[kind]}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named(name):
    """A planted fault raises an AssertionError from whose message one knows what to change."""
    make, *words = FAULTS[name]
    MEMORY.clear()
    with raises(AssertionError, *words):
        check(make())


# What is right


def activation_with_a_nested_field():
    @attrs.frozen
    class Twice(Activation):
        inner: Activation = attrs.field(converter=Activation.get)

        def forward(self, Z):
            return self.inner.forward(self.inner.forward(Z))

    return Twice("softplus")


class LowRank:
    def parameters(self, input_shape):
        U, V = (self.units, self.rank), (self.rank, *input_shape)
        normal = {"U": Parameter(U, LecunNormal()), "V": Parameter(V, LecunNormal())}
        return normal | {"b": Parameter((self.units, 1), Zeros())}

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


class KeepProb:
    """Dropout as the course has it."""

    def forward(self, A_prev, cache):
        if not cache.training:
            return A_prev
        cache.D = cache.rng.random(A_prev.shape) < self.keep_prob
        return A_prev * cache.D / self.keep_prob

    def back(self, dZ, cache):
        return dZ * cache.D / self.keep_prob if cache.training else dZ


class AtPrediction:
    """Dropout that scales at prediction."""

    def forward(self, A_prev, cache):
        cache.factor = cache.rng.random(A_prev.shape) < 0.7 if cache.training else 0.7
        return A_prev * cache.factor

    def back(self, dZ, cache):
        return dZ * cache.factor


class Noise:
    def forward(self, A_prev, cache):
        draw = cache.rng.standard_normal if cache.training else np.zeros
        return A_prev + draw(A_prev.shape).astype(A_prev.dtype)

    def back(self, dZ, cache):
        return dZ


class Shifting:
    """Dropout that puts another number than 0 in a dropped unit's place."""

    def forward(self, A_prev, cache):
        draws = cache.rng.random(A_prev.shape) if cache.training else np.zeros(A_prev.shape)
        cache.on = draws < 0.8
        return np.where(cache.on, A_prev, A_prev.dtype.type(-1.5))

    def back(self, dZ, cache):
        return dZ * cache.on


class Centering:
    """Takes off the mean of the batch in training, and a running mean at prediction."""

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


RIGHT = {
    "activation": act(lambda Z: Z * (1 + np.tanh(Z / 2)) / 2),
    "activation with back": act(lambda Z: Z**3, lambda dA, Z, A: 3 * Z**2 * dA),
    "activation with out": own(
        Activation, forward=lambda self, Z, out=None: np.square(Z, out=out),
        back=lambda self, dA, Z, A, out=None: np.multiply(np.multiply(dA, 2, out=out), Z, out=out)),
    "activation with a kink": act(lambda Z: np.where(np.abs(Z) > 0.5, Z - 0.5 * np.sign(Z), 0)),
    "activation over the units": act(
        lambda Z: Z - Z.mean(axis=0, keepdims=True),
        lambda dA, Z, A: dA - dA.mean(axis=0, keepdims=True)),
    "activation with the back that is found": own(
        ReLU, forward=lambda self, Z: np.clip(Z, 0, None) ** 2 / (1 + np.maximum(Z, 0)),
        back=Activation.back),
    "activation with a nested field": activation_with_a_nested_field,
    "layer of new arrays": own((PlainDense, Dense), 2, "relu", "auto", 0.1),
    "layer of low rank": own((LowRank, Layer), 4, fields={"units": 1, "rank": 2}),
    "batch normalization": batch_norm(),
    "dropout": dropout(rate=0.3),
    "dropout of the course": own((KeepProb, Layer), 0.7, fields={"keep_prob": 0.8}),
    "dropout that scales at prediction": own((AtPrediction, Layer)),
    "noise": own((Noise, Layer)),
    "noise that shifts": own((Shifting, Layer)),
    "running mean": own((Centering, Layer)),
    "loss with a partner": own(
        Loss, partner=Identity(), value=lambda self, A, Y: np.sum((A - Y) ** 2) / A.shape[1] / 2,
        back=lambda self, A, Y: A - Y),
    "initializer without chance": own(Initializer, draw=lambda self, shape, rng: np.eye(*shape)),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(name):
    """What is right but unusual passes; the pages and examples check what is usual."""
    check(RIGHT[name]())


def test_the_faulty_layer_of_a_model():
    """check_gradients names the wrong one of three layers, by number and kind."""
    faulty = scaled(db=1.01)()
    layers = [Dense(4, "tanh"), attrs.evolve(faulty, units=3, activation="tanh"), Dense(2)]
    model = tn.Sequential(layers, "mean_squared_error", inputs=3, seed=1)
    rng = np.random.default_rng(2)
    with raises(AssertionError, "db[2]", "layer 2 (Faulty)", "1.01 times"):
        tn.testing.check_gradients(model, rng.standard_normal((3, 5)), rng.standard_normal((2, 5)))


def test_a_faulty_activation_of_a_model():
    """A wrong derivative of an activation shows in the gradients below it."""
    faulty = ACTIVATIONS["1 % too much"][0]()
    rng = np.random.default_rng(3)
    X, Y = rng.standard_normal((3, 5)), rng.standard_normal((2, 5))
    model = tn.Sequential([Dense(4, faulty), Dense(2)], "mean_squared_error", inputs=3, seed=1)
    with raises(AssertionError, "match", "1.01 times"):
        tn.testing.check_gradients(model, X, Y)
    assert pytest.approx(0.01, rel=0.01) == tn.testing.check_gradients(model, X, Y, tolerance=0.02)


# The checks themselves


def test_no_class_stays_registered():
    """The classes that a test defines are forgotten after it."""
    for family in CHECKS:
        classes = [family._classes[name] for name in family.names()]
        assert not [cls for cls in classes if cls.__module__ == __name__]
    assert Optimizer._classes["sgd"] is SGD
