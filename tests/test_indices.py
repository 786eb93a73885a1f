"""Layers that take indices, and arrays to compute in that are not of the model's dtype."""

import attrs
import numpy as np
import pytest
from messages import raises

import tinynet as tn
from tinynet import Activate, Dense, Sequential

M = 6
TOKENS = np.random.default_rng(1).integers(0, 5, (3, M))


@attrs.frozen
class Table(tn.Layer):
    """A minimal embedding: Z[:, i] is the sum of the columns of W that example i names."""

    takes = "indices"
    rows: int = 5

    @property
    def n_indices(self):
        return self.rows

    def parameters(self, input_shape):
        return {"W": tn.Parameter((2, self.rows), "normal")}

    def output_shape(self, input_shape):
        return (2,)

    def forward(self, A_prev, cache):
        return cache.W[:, A_prev].sum(axis=1)

    def back(self, dZ, cache):
        cache.dW = np.zeros_like(cache.W)
        for t, i in np.ndindex(cache.A_prev.shape):
            cache.dW[:, cache.A_prev[t, i]] += dZ[:, i] / dZ.shape[-1]


@attrs.frozen
class Endless(Table):
    """A table that says nothing of how many rows it has."""

    n_indices = None


@attrs.frozen
class Both(tn.Layer):
    """The sum of two chains."""

    chains: tuple

    def output_shape(self, input_shape):
        return (2,)

    def forward(self, A_prev, cache):
        one, other = cache.chains
        return one.forward(A_prev) + other.forward(A_prev)

    def back(self, dZ, cache):
        for chain in cache.chains:
            chain.back(dZ)


class Signs(tn.Layer):
    """Z is A_prev where it is positive; a mask of bool says where."""

    def scratch(self, input_shape, m):
        return {"mask": tn.Scratch((*input_shape, m), bool)}

    def forward(self, A_prev, cache):
        np.greater(A_prev, 0, out=cache.mask)
        return np.multiply(A_prev, cache.mask, out=cache.Z)

    def back(self, dZ, cache):
        return None if cache.dA_prev is None else np.multiply(dZ, cache.mask, out=cache.dA_prev)


def model(*layers, **kwargs):
    """Return a model whose first layer takes indices."""
    layers = layers or (Table(), Dense(2, "softmax"))
    options = {"inputs": 3, "dtype": "float64", "seed": 1} | kwargs
    return Sequential(layers, "categorical_crossentropy", **options)


def test_checks():
    """A layer that takes indices, alone or at the beginning of chains, passes all checks."""
    for layer in (Table(), Both(((Table(),), (Table(4), Dense(2, "tanh"))))):
        tn.testing.check_layer(layer, 3)


@pytest.mark.parametrize("layer", [Signs(), Activate("relu")], ids=repr)
def test_scratch(layer):
    """What is computed in may be of another dtype than the model."""
    tn.testing.check_layer(layer, 3)


@pytest.mark.parametrize("as_given", [
    np.ndarray.tolist, np.asfortranarray, lambda X: X.astype(float), lambda X: X.astype(np.uint8),
])  # fmt: skip
def test_indices_are_whole_numbers(as_given):
    """Whatever holds whole numbers is taken as indices, and is the same."""
    net = model()
    expected = net.predict(TOKENS)
    np.testing.assert_array_equal(expected, net.predict(as_given(TOKENS)))
    assert net.forward(as_given(TOKENS)).tolist() == expected.tolist()
    assert net.A[0].dtype == np.intp


def test_training():
    """Indices are shuffled, split, weighed, evaluated and predicted as numbers are."""
    X = np.random.default_rng(1).integers(0, 5, (3, 200))
    Y = (X == 2).any(axis=0).astype(int)
    net = model(inputs=None)
    history = net.fit(
        X, Y, tn.Adam(0.05), epochs=20, validation_split=0.2, class_weight="balanced",
        metrics=["accuracy"],
    )  # fmt: skip
    assert history["loss"][-1] < history["loss"][0] / 2, history
    assert net.evaluate(X, Y, metrics=["accuracy"])["accuracy"] > 0.9
    assert tn.testing.check_gradients(net, X[:, :9], Y[:9]) < 1e-7


def test_from_disk(tmp_path):
    """Rows of a file may be indices."""
    np.save(tmp_path / "rows.npy", np.ascontiguousarray(TOKENS.T))
    with tn.open_rows(tmp_path / "rows.npy") as rows:
        net, Y = model(), np.zeros(M, int)
        assert net.evaluate(rows, Y) == net.evaluate(TOKENS, Y)
        net.fit(rows, Y, epochs=2, batch_size=4)


def test_layer_by_layer():
    """One layer at a time: there is no gradient of indices."""
    net = model()
    A1 = net.forward_layer(1, TOKENS)
    dA0, dW = net.back_layer(1, np.ones_like(A1))
    assert dA0 is None
    np.testing.assert_allclose(dW.sum(axis=1), [3, 3])


RANGE = "expected whole numbers from 0 to 4"
REFUSED = [
    (lambda: model().forward(TOKENS + 1), f"is 5, {RANGE}: indices for layer 1 (Table)"),
    (lambda: model().fit(-TOKENS, np.zeros(M, int)), RANGE),
    (lambda: model().predict(TOKENS + 0.5), f"X[0, 0] is … {RANGE}"),
    (lambda: model().forward_layer(1, TOKENS * 9), f"A[0][0, 0] is … {RANGE}"),
    (lambda: model(Both(((Table(3),), (Table(),)))).forward(TOKENS),
     "expected whole numbers from 0 to 2: indices for layer 1 (Both)"),
    (lambda: model(Endless()).forward(-TOKENS), "expected whole numbers of at least 0"),
    (lambda: model(Dense(3), Table()), "layer 2 (Table) takes indices, expected as the first"),
    (lambda: model(Both(((Table(),), (Dense(2),)))),
     "layer 1 (Both) has chains that begin with Table(rows=5) and Dense(units=2 … one kind"),
    (lambda: model(Both(((Dense(3), Table()), (Table(),)))), "layer 1.1.2 (Table) takes indices"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "message"), REFUSED, ids=[m[:30].replace("…", "...") for _, m in REFUSED]
)
def test_what_is_refused(make, message):
    """An error says which entry, which layer, and what was expected."""
    with raises(ValueError, message):
        make()


def test_no_gradient_of_indices():
    """dA[0] of indices does not exist, and nothing has changed when that is said."""
    net = model()
    net.forward(TOKENS)
    with raises(ValueError, "X holds indices … no gradient. Leave input_gradient out."):
        net.back(np.zeros(M, int), input_gradient=True)
    assert not net.grads.any()


def test_changed_in_place():
    """Indices that were changed in the array of the last pass are checked again."""
    net, X = model(), TOKENS.copy()
    net.forward(X)
    X[0, 0] = 7
    with raises(ValueError, "X[0, 0] is 7"):
        net.forward(X)
