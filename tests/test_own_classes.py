"""A user's class may return what it likes: it is put where it belongs, or refused, never believed."""

import re

import attrs
import numpy as np
import pytest

import tinynet as tn
from tinynet import _out, functional
from tinynet.errors import ShapeError

X = np.random.default_rng(1).standard_normal((4, 6)).astype(np.float32)


def model(*layers, loss="mean_squared_error"):
    """Return a model for X."""
    return tn.Sequential(layers, loss, inputs=4, seed=1)


def test_float64_from_a_method_that_ignores_out():
    """What such a method returns is copied into the float32 array, in training and in prediction."""

    class Ignores(tn.Activation):
        def forward(self, Z, out=None):
            return np.float64(1.7) * np.tanh(Z)

        def back(self, dA, Z, A, out=None):
            return dA * (np.float64(1.7) - A * A / 1.7)

    ours = model(tn.Dense(3, "ignores"), tn.Dense(3, "ignores"))
    Y = np.zeros((3, 6))
    first = ours.fit(X, Y, epochs=5)["loss"]
    assert first[-1] < first[0]
    assert {array.dtype for array in (ours.dZ[1], ours.A[1], ours.predict(X), ours.forward(X))} == {np.dtype("float32")}
    np.testing.assert_array_equal(ours.predict(X), ours.forward(X))


def test_partner_of_a_users_loss():
    """A partner_back that returns an array of its own, in float64, trains."""

    class Weighted(tn.Loss):
        partner = tn.Activation.get("sigmoid")

        def value(self, A, Y):
            return tn.Loss.get("binary_crossentropy").value(A, Y)

        def back(self, A, Y):
            return tn.Loss.get("binary_crossentropy").back(A, Y)

        def partner_back(self, A, Y, out=None):
            return (A - Y) * np.array([[1.0], [2.0]])

    ours = model(tn.Dense(2, "sigmoid"), loss="weighted")
    ours.fit(X, np.ones((2, 6)))
    np.testing.assert_allclose(ours.dZ[1], (ours.A[1] - 1) * [[1], [2]], rtol=1e-6)


def test_predict_refuses_a_shape_that_forward_refuses():
    """An activation that changes the shape is refused by predict and evaluate too, in the middle and at the end."""

    class Total(tn.Activation):
        def forward(self, Z):
            return Z.sum(axis=0, keepdims=True)

        def back(self, dA, Z, A):
            return dA

    for ours in (model(tn.Dense(3), tn.Dense(3, "total")), model(tn.Dense(3, "total"), tn.Dense(3))):
        for call in (ours.predict, ours.forward, lambda X, ours=ours: ours.evaluate(X, np.ones((3, 6)))):
            with pytest.raises(ShapeError, match=r"Total.forward returned shape \(1, 6\)"):
                call(X)


def test_predict_hands_out_an_array_of_its_own():
    """Where layer and activation do nothing, writing into the prediction does not write into X."""

    class Pass(tn.Layer):
        def forward(self, A_prev, cache):
            return A_prev

        def back(self, dZ, cache):
            return dZ

    A = model(Pass()).predict(X)
    np.testing.assert_array_equal(A, X)
    assert not np.shares_memory(A, X)


def test_a_wrong_shape_from_a_layer_is_not_reread():
    """A dA_prev of another shape is refused by an activation that goes by blocks."""

    class Turned(tn.Layer):
        def forward(self, A_prev, cache):
            return A_prev.copy()

        def back(self, dZ, cache):
            return np.ascontiguousarray(dZ.T)

    ours = model(tn.Dense(5, "elu"), Turned(), tn.Dense(3))
    ours.forward(X)
    with pytest.raises(ValueError, match=r"\(6,5\) \(5,6\)"):
        ours.back(np.ones((3, 6)))


@pytest.mark.parametrize(
    ("activations", "loss", "call", "named"),
    [
        (["short", "relu"], "huber", lambda ours: ours.predict(X), "A"),
        (["short", "relu"], "huber", lambda ours: ours.forward_layer(1, X), "A[1]"),
        (["short_back", "relu"], "huber", lambda ours: ours.fit(X, X), "dZ"),
        (["relu", "short_back"], "huber", lambda ours: ours.fit(X, X), "dZ[L]"),
        (["relu", "short_back"], "huber", lambda ours: (ours.forward(X), ours.back_layer(2, X)), "dZ[2]"),
        (["relu", "relu"], "short_loss", lambda ours: ours.fit(X, X), "dA[L]"),
    ],
)
def test_a_wrong_shape_from_a_method_with_out(activations, loss, call, named):
    """It is refused by the name of the array that it was to fill, with both shapes."""

    class Short(tn.activations.Identity):
        def forward(self, Z, out=None):
            return Z[:1]

    class ShortBack(tn.activations.Identity):
        def back(self, dA, Z, A, out=None):
            return dA[:1]

    class ShortLoss(tn.losses.Poisson):
        def back(self, A, Y, out=None):
            return A[:1]

    ours = model(*(tn.Dense(4, activation) for activation in activations), loss=loss)
    with pytest.raises(ShapeError, match=rf"^{re.escape(named)} has shape \(4, 6\); got .* \(1, 6\)"):
        call(ours)


def test_a_wider_dense():
    """A layer that builds on Dense with another W works for every number of examples."""

    @attrs.frozen
    class Affine(tn.Dense):
        def parameters(self, input_shape):
            return super().parameters((input_shape[0] + 1,))

        def forward(self, A_prev, cache):
            cache.with_ones = np.vstack([A_prev, np.ones_like(A_prev[:1])])
            return super().forward(cache.with_ones, cache)

        def back(self, dZ, cache):
            A_prev, dA_prev = cache.A_prev, cache.dA_prev
            cache.A_prev, cache.dA_prev = cache.with_ones, np.empty_like(cache.with_ones)
            dA = super().back(dZ, cache)
            cache.A_prev, cache.dA_prev = A_prev, dA_prev
            return np.ascontiguousarray(dA[:-1])

    for m in range(1, 9):
        for l2 in (0, 0.1):
            ours = model(tn.Dense(3, "tanh"), Affine(5, l2=l2))
            error = tn.testing.check_gradients(ours, np.resize(X, (4, m)), np.ones((5, m)))
            assert error <= 1e-6


@pytest.mark.parametrize("name", ["elu", "gelu", "relu"])
def test_arguments_by_name(name):
    """The methods take their arrays by name as well."""
    activation = tn.Activation.get(name)
    A = activation.forward(Z=X)
    np.testing.assert_array_equal(A, activation.forward(X))
    np.testing.assert_array_equal(activation.back(X, A=A, Z=X), activation.back(X, X, A))
    loss, Y = tn.Loss.get("binary_crossentropy"), np.ones_like(X)
    np.testing.assert_array_equal(loss.back(A=A, Y=Y), loss.back(A, Y))


def test_static_methods():
    """A method that needs no self may be static."""

    class Halved(tn.Loss):
        @staticmethod
        def value(A, Y):
            return float(np.sum((A - Y) ** 2) / A.shape[-1])

        @staticmethod
        def back(A, Y):
            return 2 * (A - Y)

    class Doubled(tn.Activation):
        @staticmethod
        def forward(Z):
            return 2 * Z

    tn.testing.check_loss(Halved())
    tn.testing.check_activation(Doubled())
    assert np.isfinite(model(tn.Dense(3, "doubled"), loss="halved").fit(X, np.ones((3, 6)))["loss"]).all()


@pytest.mark.parametrize("dtypes", [("f4", "f4"), ("f8", "f4"), ("f4", "f8")])
def test_functions_of_mixed_precision(dtypes):
    """The course's functions give gradients in the precision of the parameters, whatever X and Y are in."""
    of_X, of_parameters = dtypes
    parameters = {name: value.astype(of_parameters) for name, value in
                  functional.initialize_parameters_deep([4, 3, 1], rng=1, scale=0.5).items()}  # fmt: skip
    AL, caches = functional.L_model_forward(X.astype(of_X), parameters)
    grads = functional.L_model_backward(AL, np.array([[0, 1, 0, 1, 1, 0]]), caches)
    assert {grads[name].dtype for name in ("dW1", "db1", "dW2", "db2")} == {np.dtype(of_parameters)}


def test_mixed_arrays_go_the_same_way_whatever_their_size(monkeypatch):
    """Arrays of two dtypes or shapes give what they give in small: by blocks goes only what is alike."""
    loss, rng = tn.Loss.get("binary_crossentropy"), np.random.default_rng(2)
    A, Y = rng.uniform(0.1, 0.9, (1, 50)).astype(np.float32), rng.integers(2, size=(1, 50)).astype(float)
    for block in (7, 1000):
        monkeypatch.setattr(_out, "_BLOCK", block)
        assert loss.back(A, Y).dtype == np.float64
        assert loss.back(A, Y[:, :1]).shape == (1, 50)
        slopes = tn.Activation.get("leaky_relu").back(np.ones((5, 1)), -np.ones((5, 6)), -np.ones((5, 6)))
        np.testing.assert_allclose(slopes, np.full((5, 6), 0.01))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gelu_at_the_edges(dtype):
    """The smallest and the largest numbers come out as numbers."""
    gelu, limits = tn.Activation.get("gelu"), np.finfo(dtype)
    Z = np.array([[0, -0.0, limits.tiny, -limits.tiny, limits.smallest_subnormal]], dtype)
    np.testing.assert_allclose(gelu.back(np.ones_like(Z), Z, gelu.forward(Z)), np.full(Z.shape, 0.5), rtol=1e-6)
    far = np.array([[limits.max / 1.5, -limits.max / 1.5]], dtype)
    np.testing.assert_array_equal(gelu.forward(far), np.maximum(far, 0))


def test_a_refused_step_is_not_counted():
    """Adam that was handed parameters of another size stands where it stood."""
    adam, params = tn.Adam(), np.ones(3)
    adam.update(params, np.ones(3))
    with pytest.raises(ValueError, match="one optimizer serves one model"):
        adam.update(np.ones(5), np.ones(5))
    assert adam.memory["t"] == 1


def test_an_optimizer_wants_flat_vectors():
    """Matrices are refused, with what to write."""
    with pytest.raises(ShapeError, match=r"flat vectors .* got shapes \(2, 3\) and \(2, 3\); write params.reshape"):
        tn.SGD().update(np.ones((2, 3)), np.ones((2, 3)))


def test_arrays_to_compute_in_do_not_pile_up():
    """However many sizes an optimizer without memory has served, it keeps one set of arrays; reset lets them go."""
    optimizer = tn.SGD()
    for size in range(1, 300):
        optimizer.update(np.ones(size), np.ones(size))
    assert sum(len(arrays) for arrays in optimizer._scratch.values()) == 1
    optimizer.reset()
    assert not optimizer._scratch
