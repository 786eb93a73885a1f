"""A user's class may return what it likes: it is put where it belongs, or refused, never believed."""

import re

import attrs
import numpy as np
import pytest

import tinynet as tn
from tinynet import functional
from tinynet._support import blocks as _out
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
    assert {array.dtype for array in (ours.dZ[1], ours.A[1], ours.predict(X), ours.forward(X))} == {
        np.dtype("float32")
    }
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

    for ours in (
        model(tn.Dense(3), tn.Dense(3, "total")),
        model(tn.Dense(3, "total"), tn.Dense(3)),
    ):
        for call in (
            ours.predict,
            ours.forward,
            lambda X, ours=ours: ours.evaluate(X, np.ones((3, 6))),
        ):
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
    """A Z or dA_prev of another shape is refused: it names the layer, both shapes and what is likely."""

    class Turned(tn.Layer):
        def forward(self, A_prev, cache):
            return A_prev.copy()

        def back(self, dZ, cache):
            return np.ascontiguousarray(dZ.T)

    told = r"^the dA_prev .* \(6, 5\) in layer 2 \(Turned\); needed .*\(5, 6\); .*transposed"
    for above in ([tn.Dense(5)], []):
        ours = model(tn.Dense(5, "elu"), Turned(), *above)
        ours.forward(X)
        with pytest.raises(ShapeError, match=told):
            ours.back(np.ones((5, 6)))
        with pytest.raises(ShapeError, match=told):
            ours.back_layer(2, np.ones((5, 6)))

    class Summed(tn.Layer):
        def forward(self, A_prev, cache):
            return A_prev.sum(axis=0, keepdims=True)

        def back(self, dZ, cache):
            return None

    with pytest.raises(
        ShapeError, match=r"^the Z .* \(1, 6\) in layer 2 \(Summed\); needed is \(5, 6\)"
    ):
        model(tn.Dense(5, "relu"), Summed(), tn.Dense(3)).forward(X)
    ours = model(tn.Dense(5, "relu"), Summed(), tn.Dense(3))
    ours.forward_layer(1, X)
    with pytest.raises(ShapeError, match=r"^the Z .* \(1, 6\) in layer 2 \(Summed\)"):
        ours.forward_layer(2, ours.A[1])


def test_an_activation_that_is_none():
    """A layer whose activation is still a name is refused with its number and what to write."""

    class Named(tn.Layer):
        activation = "relu"

        def forward(self, A_prev, cache):
            return A_prev.copy()

        def back(self, dZ, cache):
            return dZ.copy()

    with pytest.raises(TypeError, match=r"^layer 2 \(Named\): .*'relu'.*Activation\.get\('relu'\)"):
        model(tn.Dense(3), Named())


@pytest.mark.parametrize(
    ("db", "told"),
    [
        (
            lambda dZ: dZ.sum(axis=0, keepdims=True),
            r"\(1, 6\); a sum over the examples is .*axis=1, keepdims=True",
        ),
        (lambda dZ: dZ.sum(axis=1), r"\(3,\); write .reshape\(3, 1\) behind it, or keepdims=True"),
        (lambda dZ: dZ.sum(axis=1, keepdims=True).T, r"\(1, 3\); it looks transposed"),
        (lambda dZ: dZ.sum(), r"\(\)"),
    ],
    ids=["axis", "keepdims", "transposed", "all"],
)
def test_a_gradient_of_the_wrong_shape(db, told):
    """A gradient that does not fit is refused, by layer, with what is likely meant, and changes no parameter."""

    class Shift(tn.Layer):
        def parameters(self, input_shape):
            return {"b": tn.Parameter((*input_shape, 1), tn.Initializer.get("zeros"))}

        def forward(self, A_prev, cache):
            return A_prev + cache.b

        def back(self, dZ, cache):
            cache.db = db(dZ)
            return dZ

    ours = model(tn.Dense(3, "tanh"), Shift())
    before = ours.params.copy()
    with pytest.raises(
        ShapeError,
        match=r"db has shape \(3, 1\) in layer 2 \(Shift\); got an array of shape " + told,
    ):
        ours.fit(X, np.ones((3, 6)))
    np.testing.assert_array_equal(before, ours.params)


FIELDS = {
    "numbers": (1, -2.5, 1e300, float("inf"), 2**70, True, None),
    "text": ("", "tanh", "a\nb", "µ"),
    "nested tuples": ((1, (2.0, ("x",))), ()),
    "objects": (
        tn.Activation.get("leaky_relu", slope=0.3),
        (tn.Initializer.get("normal", scale=2.0), "he_normal"),
    ),
    "NumPy's numbers": (np.float64(0.1), np.int64(7), np.bool_(True)),
}


@pytest.mark.parametrize("value", FIELDS.values(), ids=FIELDS)
def test_fields_in_files(tmp_path, value):
    """Whatever a field may hold comes back equal from a file, in a layer and in an activation within it."""

    @attrs.frozen
    class Bearing(tn.Activation):
        held: object = None

        def forward(self, Z):
            return Z

    @attrs.frozen
    class Keeping(tn.Dense):
        kept: object = None

    before = tn.Sequential([Keeping(2, Bearing(value), kept=value)], inputs=3, seed=1)
    before.save(tmp_path / "net.npz")
    after = tn.load(tmp_path / "net.npz")
    assert before.layers == after.layers
    assert (
        repr(before.layers) == repr(after.layers) or "NumPy" in repr(value) or "np." in repr(value)
    )


@pytest.mark.parametrize(
    "value", [{"a": 1}, {1, 2}, np.tanh, np.ones(2), 1j, b"x", object()], ids=repr
)
def test_fields_that_no_file_can_hold(tmp_path, value):
    """What a file cannot hold is refused when it is saved, and no file is left."""

    @attrs.frozen(eq=False)
    class Bearing(tn.Activation):
        held: object = None

        def forward(self, Z):
            return Z

    with pytest.raises(
        TypeError,
        match="cannot be saved: a field may be a number, a string, a tuple or a registered",
    ):
        tn.Sequential([tn.Dense(2, Bearing(value))], inputs=3).save(tmp_path / "net.npz")
    assert list(tmp_path.iterdir()) == []


def test_nan_in_a_field(tmp_path):
    """NaN is equal to nothing, but comes back as NaN."""

    @attrs.frozen
    class Bearing(tn.Activation):
        held: float = 0.0

        def forward(self, Z):
            return Z

    tn.Sequential([tn.Dense(2, Bearing(float("nan")))], inputs=3).save(tmp_path / "net.npz")
    assert np.isnan(tn.load(tmp_path / "net.npz").layers[0].activation.held)


def newcomers_forward(self, Z):
    return np.tanh(Z)


def newcomers_init(self, slope=0.1):
    self.slope = slope


def keeps_Z(self, Z):
    self.Z = Z
    return Z


# What a newcomer writes, and what the class statement, or the first use of the class, says to it.
DEFINITIONS = {
    "backward": ({"backward": lambda self, dA, Z, A: dA}, (), r"defines backward, which nothing .*; name it back"),
    "backprop": ({"backprop": lambda self, dA, Z, A: dA}, (), r"defines backprop, .* name it back"),
    "order": ({"back": lambda self, Z, A, dA: dA}, (), r"takes \(self, Z, A, dA\), but .* back\(self, dA, Z, A\)"),
    "too few": ({"back": lambda self, dA: dA}, (), r"takes \(self, dA\), but .* def back\(self, dA, Z, A\)"),
    "too many": ({"back": lambda self, dA, Z, A, t: dA}, (), r"takes \(self, dA, Z, A, t\), but is called as"),
    "no self": ({"back": lambda dA, Z, A: dA}, (), r"takes \(dA, Z, A\), but is called as def back\(self"),
    "forward without self": ({"forward": lambda Z: Z}, (), r"takes \(Z\), but .* def forward\(self, Z\)"),
    "plain __init__": ({"__init__": newcomers_init}, (), r"nothing can be set in it. .*@attrs.frozen"),
    "kept": ({"forward": keeps_Z}, (), r"nothing can be set in it.* what is computed is not kept"),
    "no decorator": ({"slope": attrs.field(default=0.1)}, (), r"has the field slope, but no @attrs.frozen"),
    "no field": ({"slope": 0.1}, {"slope": 0.3}, r"has no field 'slope'; it has no fields; .* slope: float = 0.1"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "fields", "told"), DEFINITIONS.values(), ids=DEFINITIONS)
def test_definitions_that_teach(body, fields, told):
    """A class that cannot work says so at once, and what to write."""
    with pytest.raises((TypeError, AttributeError), match=told):
        type("Newcomers", (tn.Activation,), {"forward": newcomers_forward, **body})(
            **dict(fields)
        ).forward(X)


def test_keywords_of_a_class():
    """A setting among the bases is told from a field."""
    with pytest.raises(
        TypeError,
        match=r"class Own\(..., alpha=...\): a class takes only name=; settings are fields",
    ):

        class Own(tn.Activation, alpha=0.1):
            def forward(self, Z):
                return Z


@pytest.mark.parametrize("make", [classmethod, staticmethod])
def test_methods_without_self(make):
    """A forward that needs no instance may say so."""
    body = {
        "forward": make(
            (lambda cls, Z: np.tanh(Z)) if make is classmethod else (lambda Z: np.tanh(Z))
        )
    }
    tn.testing.check_activation(type("Own", (tn.Activation,), body)())


def test_parameters_stay_where_they_are():
    """To assign to the mapping or to the vector is refused with what to write instead."""
    ours = model(tn.Dense(3))
    for name, hint in (
        ("W", r"model.W\[1\] = M"),
        ("b", r"model.b\[1\] = v"),
        ("params", r"model.params\[:\] = v"),
    ):
        with pytest.raises(AttributeError, match=hint):
            setattr(ours, name, np.ones(3))


@pytest.mark.parametrize(
    ("activations", "loss", "call", "named"),
    [
        (["short", "relu"], "huber", lambda ours: ours.predict(X), "A"),
        (["short", "relu"], "huber", lambda ours: ours.forward_layer(1, X), "A"),
        (["short_back", "relu"], "huber", lambda ours: ours.fit(X, X), "dZ"),
        (["relu", "short_back"], "huber", lambda ours: ours.fit(X, X), "dZ[L]"),
        (
            ["relu", "short_back"],
            "huber",
            lambda ours: (ours.forward(X), ours.back_layer(2, X)),
            "dZ",
        ),
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
    told = rf"^{re.escape(named)} has shape \(4, 6\)( in layer [12] \(Dense\))?; got .* \(1, 6\)"
    with pytest.raises(ShapeError, match=told):
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
    assert np.isfinite(
        model(tn.Dense(3, "doubled"), loss="halved").fit(X, np.ones((3, 6)))["loss"]
    ).all()


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
    A, Y = (
        rng.uniform(0.1, 0.9, (1, 50)).astype(np.float32),
        rng.integers(2, size=(1, 50)).astype(float),
    )
    for block in (7, 1000):
        monkeypatch.setattr(_out, "_BLOCK", block)
        assert loss.back(A, Y).dtype == np.float64
        assert loss.back(A, Y[:, :1]).shape == (1, 50)
        slopes = tn.Activation.get("leaky_relu").back(
            np.ones((5, 1)), -np.ones((5, 6)), -np.ones((5, 6))
        )
        np.testing.assert_allclose(slopes, np.full((5, 6), 0.01))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gelu_at_the_edges(dtype):
    """The smallest and the largest numbers come out as numbers."""
    gelu, limits = tn.Activation.get("gelu"), np.finfo(dtype)
    Z = np.array([[0, -0.0, limits.tiny, -limits.tiny, limits.smallest_subnormal]], dtype)
    np.testing.assert_allclose(
        gelu.back(np.ones_like(Z), Z, gelu.forward(Z)), np.full(Z.shape, 0.5), rtol=1e-6
    )
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
    with pytest.raises(
        ShapeError, match=r"flat vectors .* got shapes \(2, 3\) and \(2, 3\); write params.reshape"
    ):
        tn.SGD().update(np.ones((2, 3)), np.ones((2, 3)))


def test_arrays_to_compute_in_do_not_pile_up():
    """However many sizes an optimizer without memory has served, it keeps one set of arrays; reset lets them go."""
    optimizer = tn.SGD()
    for size in range(1, 300):
        optimizer.update(np.ones(size), np.ones(size))
    assert sum(len(arrays) for arrays in optimizer._scratch.values()) == 1
    optimizer.reset()
    assert not optimizer._scratch
