"""A user's class may return what it likes: it is written where it belongs, or refused."""

import itertools
import re

import attrs
import numpy as np
import pytest
from helpers import unchanged
from messages import raises

import tinynet as tn
from tinynet._support import blocks
from tinynet.errors import NotBuiltError, ShapeError

X = np.random.default_rng(1).standard_normal((4, 6)).astype(np.float32)


def model(*layers, loss="mean_squared_error"):
    """Return a model for X."""
    return tn.Sequential(layers, loss, inputs=4, seed=1)


def own(name, *bases, **members):
    """Return a class of a user."""
    return type(name, bases, members)


def copied(self, array, cache):
    """Be the forward or back of a layer that does nothing."""
    return array.copy()


def test_float64_from_a_method_that_ignores_out():
    """What it returns is copied into the float32 array, in training and in prediction."""

    class Ignores(tn.Activation):
        def forward(self, Z, out=None):
            return np.float64(1.7) * np.tanh(Z)

        def back(self, dA, Z, A, out=None):
            return dA * (np.float64(1.7) - A * A / 1.7)

    net = model(tn.Dense(3, "ignores"), tn.Dense(3, "ignores"))
    first = net.fit(X, np.zeros((3, 6)), epochs=5)["loss"]
    assert first[-1] < first[0]
    for array in (net.dZ[1], net.A[1], net.predict(X), net.forward(X)):
        assert array.dtype == np.dtype("float32")
    np.testing.assert_array_equal(net.predict(X), net.forward(X))


def test_partner_of_a_users_loss():
    """With its partner at the end, a user's loss of any dtype begins at A[L] - Y."""

    class Plain(tn.Loss):
        partner = tn.Activation.get("sigmoid")

        def value(self, A, Y):
            return tn.Loss.get("binary_crossentropy").value(A, Y)

        def back(self, A, Y):
            return tn.Loss.get("binary_crossentropy").back(A.astype(np.float64), Y)

    Y = (np.arange(12).reshape(2, 6) % 2).astype(np.float32)
    net, other = (model(tn.Dense(2, "sigmoid"), tn.Dense(2, end, "he_normal"), loss="plain")
                  for end in ("sigmoid", tn.activations.LeakyReLU(0.5)))  # fmt: skip
    net.fit(X, Y)
    np.testing.assert_array_equal(net.dZ[2], net.A[2] - Y)
    other.forward(np.abs(X))
    other.back(Y)
    assert other.dA[2].dtype == np.float32  # begins at dA[L], which `back` returns in float64


def test_predict_returns_a_new_array():
    """Where layer and activation do nothing, writing into the prediction does not write into X."""
    same = own("Pass", tn.Layer, forward=lambda self, A_prev, cache: A_prev, back=copied)
    A = model(same()).predict(X)
    np.testing.assert_array_equal(A, X)
    assert not np.shares_memory(A, X)


def test_a_wrong_shape_from_a_layer():
    """A Z or dA_prev of another shape is refused with the layer, both shapes and what is likely."""
    turned = own("Turned", tn.Layer, forward=copied, back=lambda self, dZ, cache: dZ.T.copy())
    message = r"^The dA_prev .* \(6, 5\) in layer 2 \(Turned\), expected \(5, 6\).*transposed"
    for above in ([tn.Dense(5)], []):
        net = model(tn.Dense(5, "elu"), turned(), *above)
        net.forward(X)
        for call in (net.back, lambda dA, net=net: net.back_layer(2, dA)):
            with pytest.raises(ShapeError, match=message):
                call(np.ones((5, 6)))

    summed = own("Summed", tn.Layer, back=copied,
                 forward=lambda self, A_prev, cache: A_prev.sum(axis=0, keepdims=True))  # fmt: skip
    net = model(tn.Dense(5, "relu"), summed(), tn.Dense(3))
    message = r"^The Z .* \(1, 6\) in layer 2 \(Summed\), expected \(5, 6\)"
    with pytest.raises(ShapeError, match=message):
        net.forward(X)
    net.forward_layer(1, X)
    with pytest.raises(ShapeError, match=message):
        net.forward_layer(2, net.A[1])
    net = model(summed())
    with pytest.raises(ShapeError, match="layer 1"):
        net.forward_layer(1, X)
    with pytest.raises(NotBuiltError, match="no forward pass"):
        net.Z  # noqa: B018  the first pass was refused


def test_an_activation_that_is_a_name():
    """A layer whose activation is still a name is refused with its number and what to write."""
    named = own("Named", tn.Layer, forward=copied, back=copied, activation="relu")
    with pytest.raises(AssertionError, match=r"Named .* field activation.*@attrs\.frozen"):
        tn.testing.check_layer(named(), 4)
    named.__annotations__ = {"activation": tn.Activation}
    with pytest.raises(TypeError, match=r"^layer 2 \(Named\) .*'relu'.*Activation\.get\('relu'\)"):
        model(tn.Dense(3), attrs.frozen(slots=False)(named)())


DECLARED = {
    "a list": ([tn.Parameter((2, 1), "zeros")], "got [Parameter(shape=(2, 1)"),
    "a shape": ({"g": (2, 1)}, "got (2, 1) for g."),
}


@pytest.mark.parametrize("method", ["parameters", "state"])
@pytest.mark.parametrize("what", DECLARED)
def test_a_declaration_of_another_form(what, method):
    """It is refused with the layer, and with the form that is expected."""
    declared, got = DECLARED[what]
    members = {method: lambda self, input_shape: declared}
    other = own("Other", tn.Layer, forward=copied, back=copied, **members)
    expected = 'layer 2 (Other): expected a declaration {"W": Parameter(shape, init), ...}, '
    with raises(TypeError, expected + got):
        model(tn.Dense(3), other())


@pytest.mark.parametrize("method", ["parameters", "state"])
def test_a_draw_of_another_shape(method):
    """What an initializer draws is refused by the name of the array, with both shapes."""
    turned = own("Turned", tn.Initializer, draw=lambda self, shape, rng: np.zeros(shape[::-1]))()
    members = {method: lambda self, input_shape: {"p": tn.Parameter((2, 3), turned)}}
    with raises(ShapeError, "p got shape (3, 2), expected shape (2, 3)."):
        model(own("Other", tn.Layer, forward=copied, back=copied, **members)())


BEGINS = {  # what a layer asks for to compute in, and what it is before the first pass
    "a shape": ((2, 3), np.float32, np.nan),
    "no fill": (tn.layers.Scratch((2, 3)), np.float32, np.nan),
    "another dtype": (tn.layers.Scratch((2, 3), np.float64), np.float64, np.nan),
    "zeros": (tn.layers.Scratch((2, 3), fill=0), np.float32, 0),
    "a number": (tn.layers.Scratch((2, 3), fill=7.5), np.float32, 7.5),
    "bits": (tn.layers.Scratch((2, 3), bool), bool, False),
    "integers": (tn.layers.Scratch((2, 3), np.int32, fill=7), np.int32, 7),
}


def test_arrays_to_compute_in():
    """They begin as NaN, which shows what a layer forgets to fill, or as the layer asks."""
    members = {"scratch": lambda *_: {name: asked for name, (asked, *_) in BEGINS.items()}}
    net = model(own("Asking", tn.Layer, forward=copied, back=copied, **members)())
    net.forward(X)
    for name, (_, dtype, number) in BEGINS.items():
        actual, expected = vars(net.caches[0])[name], np.full((2, 3), number, dtype)
        np.testing.assert_array_equal(actual, expected, strict=True, err_msg=name)


def test_a_state_that_is_drawn():
    """The first state may be random: it is drawn from the seed, after all parameters."""
    members = {"state": lambda self, input_shape: {"s": tn.Parameter((2, 3), "normal")}}
    layer, rng = own("Drawn", tn.Layer, forward=copied, back=copied, **members)(), np.random
    net, twin = (
        tn.Sequential([layer, tn.Dense(2)], inputs=4, seed=rng.default_rng(1)) for _ in range(2)
    )
    plain = tn.Sequential([tn.Dense(2)], inputs=4, seed=rng.default_rng(1))
    assert net.state.all()
    np.testing.assert_array_equal(net.state, twin.state)
    np.testing.assert_array_equal(net.params, plain.params)


def test_two_parameters_of_one_name():
    """W1 of layer 1 and W of layer 11 are refused with what to choose."""
    members = {"parameters": lambda self, input_shape: {"W1": tn.Parameter((1, 1), "zeros")}}
    odd = own("Odd", tn.Layer, forward=copied, back=copied, **members)
    same = "Two parameters have the same name with the number of their layer behind it."
    with raises(ValueError, same, "Choose parameter names that do not end in a digit."):
        model(odd(), *[tn.Activate("relu")] * 9, tn.Dense(1))


GRADIENTS = {
    "axis": (lambda dZ: dZ.sum(axis=0, keepdims=True), r"shape \(1, 6\).*axis=1, keepdims=True"),
    "keepdims": (lambda dZ: dZ.sum(axis=1), r"shape \(3,\).*Add .reshape\(3, 1\), or keepdims"),
    "transposed": (lambda dZ: dZ.sum(axis=1, keepdims=True).T, r"shape \(1, 3\).*transposed"),
    "all": (lambda dZ: dZ.sum(), r"shape \(\).*axis=1, keepdims=True"),
    "none": (lambda dZ: None, r"None \(is a return missing\?\), expected shape \(3, 1\)\.$"),
}  # fmt: skip


@pytest.mark.parametrize(("db", "message"), GRADIENTS.values(), ids=GRADIENTS)
def test_a_gradient_of_the_wrong_shape(db, message):
    """A gradient that does not fit is refused with the layer, and changes no parameter."""

    class Shift(tn.Layer):
        def parameters(self, input_shape):
            return {"b": tn.Parameter((*input_shape, 1), tn.Initializer.get("zeros"))}

        def forward(self, A_prev, cache):
            return A_prev + cache.b

        def back(self, dZ, cache):
            cache.db = db(dZ)
            return dZ

    net = model(tn.Dense(3, "tanh"), Shift())
    of_layer = r"^db in layer 2 \(Shift\) got (?=.*expected shape \(3, 1\))"
    with unchanged(net), pytest.raises(ShapeError, match=of_layer + message):
        net.fit(X, np.ones((3, 6)))


FIELDS = {
    "numbers": (1, -2.5, 1e300, float("inf"), 2**70, True, None),
    "text": ("", "tanh", "a\nb", "µ"),
    "nested tuples": ((1, (2.0, ("x",))), ()),
    "objects": (tn.activations.LeakyReLU(0.3), (tn.initializers.Normal(scale=2.0), "he_normal")),
    "NumPy's numbers": (np.float64(0.1), np.int64(7), np.bool_(True)),
}


def with_field(value):
    """Return an activation with a field that holds a value."""
    fields = {"held": attrs.field(default=None)}
    members = {"forward": lambda self, Z: Z}
    bearing = attrs.make_class("Bearing", fields, (tn.Activation,), members, frozen=True, eq=True)
    return bearing(value)


def saved(layer, path):
    """Return a layer from the file of a model of it."""
    tn.Sequential([layer], inputs=3, seed=1).save(path)
    return tn.load(path).layers[0]


@pytest.mark.parametrize("value", FIELDS.values(), ids=FIELDS)
def test_fields_in_files(tmp_path, value):
    """Whatever a field may hold comes back equal from a file, in a layer and in its activation."""

    @attrs.frozen
    class Keeping(tn.Dense):
        more: object = None

    before = Keeping(2, with_field(value), more=value)
    after = saved(before, tmp_path / "net.npz")
    assert before == after
    assert repr(before) == repr(after) or "np." in repr(value)


NO_FIELDS = [{"a": 1}, {1, 2}, np.tanh, np.ones(2), 1j, b"x", object()]


@pytest.mark.parametrize("value", NO_FIELDS, ids=lambda value: type(value).__name__)
def test_fields_that_no_file_can_hold(tmp_path, value):
    """What a file cannot hold is refused when it is saved, and no file is left."""
    message = "cannot be saved. A field may hold a number, a string, a tuple .* registered"
    with pytest.raises(TypeError, match=message):
        saved(tn.Dense(2, with_field(value)), tmp_path / "net.npz")
    assert list(tmp_path.iterdir()) == []


def test_nan_in_a_field(tmp_path):
    """NaN is equal to nothing, but comes back as NaN."""
    assert np.isnan(saved(tn.Dense(2, with_field(np.nan)), tmp_path / "net.npz").activation.held)


RIGHT = {
    "other names": {"forward": lambda self, x: 2 * x, "back": lambda self, grad, x, y: 2 * grad},
    "defaults": {"forward": lambda self, Z, k=2, out=None: np.multiply(k, Z, out=out)},
    "any arguments": {"forward": lambda self, *arrays: 2 * arrays[0]},
    "static": {"forward": staticmethod(lambda Z: 2 * Z)},
    "class": {"forward": classmethod(lambda cls, Z: 2 * Z)},
    "a function of NumPy": {"forward": np.arctan},
    "a static loss": {
        "value": staticmethod(lambda A, Y: float(np.sum((A - Y) ** 2) / A.shape[-1])),
        "back": staticmethod(lambda A, Y: 2 * (A - Y))},
}  # fmt: skip


@pytest.mark.parametrize("members", RIGHT.values(), ids=RIGHT)
def test_other_arguments_that_work(members):
    """What can be called with the arrays is right, and trains."""
    if "value" in members:
        tn.testing.check_loss(own("Own", tn.Loss, **members)())
        net = model(tn.Dense(3), loss="own")
    else:
        tn.testing.check_activation(own("Own", tn.Activation, **members)())
        net = model(tn.Dense(3, "own"))
    assert np.isfinite(net.fit(X, np.ones((3, 6)))["loss"]).all()


def test_class_statements_that_are_refused():
    """A setting among the bases is refused, and a name that other libraries have for `back`."""
    for family, name in itertools.product((tn.Activation, tn.Loss), ("backward", "backprop")):
        with pytest.raises(TypeError, match=rf"defines {name}, expected back\. Rename it"):
            own("Newcomers", family, **{name: lambda self, dA, Z, A: dA})
        assert "newcomers" not in family.names()
    message = r"class Own\(..., alpha=...\) got alpha, expected only name=.* alpha: float = 0.1"
    with pytest.raises(TypeError, match=message):

        class Own(tn.Activation, alpha=0.1):
            def forward(self, Z):
                return Z


IN = "The {} that the activation returns has shape (1, 6) in layer {} (Dense)"
SHORT = [
    (["short", "relu"], lambda net: net.predict(X), IN.format("A", 1)),
    (["short", "relu"], lambda net: net.forward_layer(1, X), IN.format("A", 1)),
    (["short", "relu"], lambda net: net.forward(X), IN.format("A", 1)),
    (["relu", "short"], lambda net: net.predict(X), IN.format("A", 2)),
    (["relu", "short"], lambda net: net.forward(X), IN.format("A", 2)),
    (["relu", "short"], lambda net: net.evaluate(X, X), IN.format("A", 2)),
    (["short_back", "relu"], lambda net: net.fit(X, np.abs(X)), IN.format("dZ", 1)),
    (["relu", "short_back"], lambda net: net.fit(X, X), IN.format("dZ", 2)),
    (["relu", "short_back"], lambda net: (net.forward(X), net.back_layer(2, X)),
     IN.format("dZ", 2)),
    (["relu", "relu"], lambda net: net.fit(X, np.abs(X)), "dA[L] has shape (1, 6)"),
]  # fmt: skip


@pytest.mark.parametrize("has_out", [True, False], ids=["with out", "without out"])
@pytest.mark.parametrize(("activations", "call", "found"), SHORT)
def test_a_wrong_shape_from_a_method(activations, call, found, has_out):
    """It is refused with both shapes, and the array that it should fill or the method."""
    method = lambda self, *arrays: arrays[0][:1]  # noqa: E731
    if has_out:
        method = lambda self, *arrays, out=None: arrays[0][:1]  # noqa: E731
    own("Short", tn.activations.Identity, forward=method)
    own("ShortBack", tn.activations.Identity, back=method)
    short = own("ShortLoss", tn.losses.Poisson, back=method)
    loss = short() if found.startswith("dA[L]") else "huber"
    net = model(*(tn.Dense(4, activation) for activation in activations), loss=loss)
    message = re.escape(f"{found}, expected (4, 6).")
    if not has_out:
        message = r"Short.* returned shape \(1, 6\).*, expected \(4, 6\)"
    with pytest.raises(ShapeError, match=f"^{message}"):
        call(net)


class ScaledByDot(tn.Layer):
    """A layer whose parameter has the name of something else in a cache."""

    def parameters(self, input_shape):
        return {"dot": tn.layers.Parameter((*input_shape, 1), tn.initializers.Constant(2.0))}

    def forward(self, A_prev, cache):
        return cache.dot * A_prev

    def back(self, dZ, cache):
        cache.ddot = (dZ * cache.A_prev).mean(axis=-1, keepdims=True)
        return cache.dot * dZ


def test_a_parameter_called_dot():
    """It is the parameter, and not the product of matrices."""
    tn.testing.check_layer(ScaledByDot(), (3,))
    np.testing.assert_array_equal(
        tn.Sequential([ScaledByDot()], inputs=3).predict(np.ones((3, 2))), 2
    )


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
            net = model(tn.Dense(3, "tanh"), Affine(5, l2=l2))
            assert tn.testing.check_gradients(net, np.resize(X, (4, m)), np.ones((5, m))) <= 1e-6


@pytest.mark.parametrize("name", ["elu", "gelu", "relu"])
def test_arguments_by_name(name):
    """The methods take their arrays by name as well."""
    activation = tn.Activation.get(name)
    A = activation.forward(Z=X)
    np.testing.assert_array_equal(A, activation.forward(X))
    np.testing.assert_array_equal(activation.back(X, A=A, Z=X), activation.back(X, X, A))
    loss, Y = tn.Loss.get("binary_crossentropy"), np.ones_like(X)
    np.testing.assert_array_equal(loss.back(A=A, Y=Y), loss.back(A, Y))


def test_arrays_of_two_dtypes_or_shapes(monkeypatch):
    """Arrays of two dtypes are computed at once, whatever their size; two shapes are refused."""
    loss, rng = tn.Loss.get("binary_crossentropy"), np.random.default_rng(2)
    A = rng.uniform(0.1, 0.9, (1, 50)).astype(np.float32)
    Y = rng.integers(2, size=(1, 50)).astype(float)
    dA, negative = np.ones((5, 1)), -np.ones((5, 6))
    for block in (7, 1000):
        monkeypatch.setattr(blocks, "_BLOCK", block)
        assert loss.back(A, Y).dtype == np.float64
        with raises(ShapeError, "(1, 1)", "(1, 50)"):
            loss.back(A, Y[:, :1])
        with raises(ShapeError, "dA", "(5, 1)", "(5, 6)"):
            tn.Activation.get("leaky_relu").back(dA, negative, negative)


def test_scratch_arrays_do_not_pile_up():
    """An optimizer without memory has one set of scratch arrays, for any number of sizes."""
    optimizer = tn.SGD()
    for size in range(1, 300):
        optimizer.update(np.ones(size), np.ones(size))
    assert optimizer._scratch.keys() == {"names", (1, np.dtype(float)), ((), 1), "bound"}
    [array] = optimizer._scratch[1, np.dtype(float)]
    assert array.shape == (299,)
    assert optimizer._scratch[(), 1].params.shape == (299,)
    optimizer.reset()
    assert not optimizer._scratch
