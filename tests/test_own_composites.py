"""Layers made of layers that a user writes, and what check_layer says of mistakes in them."""

import attrs
import numpy as np
import pytest
from messages import raises

import tinynet as tn
from tinynet import BatchNorm, Dense, Dropout, Layer, Residual
from tinynet.layers import Composite, chain_field


class Gate(Composite):
    """Z = A_prev · what the layers make of it."""

    def forward(self, A_prev, cache):
        cache.gate = cache.chains[0].forward(A_prev)
        return A_prev * cache.gate

    def back(self, dZ, cache):
        return dZ * cache.gate + cache.chains[0].back(dZ * cache.A_prev)


@attrs.frozen
class Mixture(Composite):
    """Z = gate · what the layers make of A_prev + (1 - gate) · A_prev; the gate is a chain too."""

    gate: tuple = chain_field()

    @property
    def chains(self):
        return self.layers, self.gate

    def forward(self, A_prev, cache):
        cache.results = A, gate = [chain.forward(A_prev) for chain in cache.chains]
        return gate * A + (1 - gate) * A_prev

    def back(self, dZ, cache):
        (layers, gates), (A, gate) = cache.chains, cache.results
        dA_prev = layers.back(dZ * gate) + gates.back(dZ * (A - cache.A_prev))
        return dA_prev + dZ * (1 - gate)


@pytest.mark.parametrize("layer", [
    Gate([Dense(3, "sigmoid")]), Gate([Gate([Dense(3, "tanh")]), BatchNorm()], activation="tanh"),
    Mixture([Dense(5, "elu", l2=0.1), Dense(3)], [Dropout(0.2), Dense(3, "sigmoid")]),
    Residual([Mixture([Gate([Dense(3)])], [Dense(3, "sigmoid")])]),
], ids=repr)  # fmt: skip
def test_custom_composites(layer):
    """A layer made of layers needs two methods, and is checked with all that is within."""
    tn.testing.check_layer(layer, 3)
    assert layer == Layer.get(layer.config())


@pytest.mark.parametrize(("gate", "error", "words"), [
    (Dense(3), TypeError, ["gate is Dense(", "Use [Dense("]), ([], ValueError, ["gate is empty"]),
])  # fmt: skip
def test_a_chain_that_is_refused(gate, error, words):
    """The message names the field that should be a chain."""
    with raises(error, *words):
        Mixture([Dense(3)], gate)


class OverRoot(Composite):
    """Z = what the layers make of A_prev / √n, with a root that NumPy gives as a float64."""

    def forward(self, A_prev, cache):
        return cache.chains[0].forward(A_prev / np.sqrt(len(A_prev)))

    def back(self, dZ, cache):
        root = np.sqrt(len(cache.A_prev))
        return cache.chains[0].back(dZ * (root / root)) / root


@pytest.mark.parametrize("inner", [[Dense(3)], [Dense(3, "tanh")], [tn.Conv1D(3, 1)]], ids=repr)
def test_numbers_are_cast_to_the_dtype_of_the_model(inner):
    """A float64 that a composite passes to its chain computes as the plain layer does."""
    shape = (3, 2) if isinstance(inner[0], tn.Conv1D) else (3,)
    X = np.random.default_rng(0).standard_normal((*shape, 4)).astype("f4")
    scaled, plain = (
        tn.Sequential([layer], "mean_squared_error", shape, "float32", seed=1)
        for layer in (OverRoot(inner), *inner)
    )
    A, expected = scaled.forward(X), plain.forward(X / np.sqrt(np.float32(3)))
    np.testing.assert_allclose(A, expected, rtol=1e-5, atol=1e-6)
    for model in (scaled, plain):
        model.back(np.zeros_like(A))
    np.testing.assert_allclose(scaled.grads, plain.grads, rtol=1e-5, atol=1e-6)
    assert scaled.caches[0].chains[0].caches[0].A_prev.dtype == np.float32


def gate_with(**methods):
    """Return a Gate with other methods."""
    return type("Faulty", (Gate,), methods)([Dense(4, "tanh"), Dense(3, "sigmoid")])


FAULTS = {
    "no pass back": (
        {"back": lambda self, dZ, cache: dZ * cache.gate},
        ["Faulty.back does not call cache.chains[0].back"]),
    "no pass forward": (
        {"forward": lambda self, A_prev, cache: 2 * A_prev, "back": lambda self, dZ, cache: 2 * dZ},
        ["Faulty.forward does not call cache.chains[0].forward"]),
    "dZ in place of dA": (
        {"back": lambda self, dZ, cache: dZ * cache.gate + cache.chains[0].back(dZ)},
        ["dA that Faulty.back passes to cache.chains[0].back does not match the cost"]),
    "a mean": (
        {"back": lambda self, dZ, cache: (
            dZ * cache.gate + cache.chains[0].back(dZ * cache.A_prev / dZ.shape[1]))},
        ["dA that Faulty.back passes", "1/m of the slope", "do not divide by m"]),
    "no path past the layers": (
        {"back": lambda self, dZ, cache: cache.chains[0].back(dZ * cache.A_prev)},
        ["dA[0], from layer 1, does not match", "passes to its chains is right"]),
    "two passes": (
        {"forward": lambda self, A_prev, cache: [
            setattr(cache, "gate", cache.chains[0].forward(cache.chains[0].forward(A_prev))),
            A_prev * cache.gate][1]},
        ["Faulty.forward calls cache.chains[0].forward 2 times", "Use a chain for each call."]),
    "dA of another shape": (
        {"back": lambda self, dZ, cache: cache.chains[0].back(dZ[:1])},
        ["dA has shape (1, 7) in layer 1.2 (Dense), expected (3, 7)"]),
    "A_prev of another shape": (
        {"forward": lambda self, A_prev, cache: A_prev * cache.chains[0].forward(A_prev[:1])},
        ["A_prev has shape (1, 7) in layer 1.1 (Dense), expected (3, 7)", "chain_input_shape"]),
    "dZ written into": (
        {"back": lambda self, dZ, cache: np.multiply(dZ, cache.gate, out=dZ)},
        ["Faulty.back writes into dZ"]),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_what_check_layer_says_of_a_composite(name):
    """The message names the method that is wrong, and not the layers within, which are right."""
    methods, words = FAULTS[name]
    with raises(AssertionError, *words):
        tn.testing.check_layer(gate_with(**methods), 3)
