"""What a learner compares with: gradients by hand, the gradient check, and grades."""

import numpy as np
import pytest

import tinynet as tn
from tinynet import functional
from tinynet.errors import ShapeError

M = 6
X = np.random.default_rng(0).standard_normal((4, M))
Y = np.array([[0, 1, 1, 0, 1, 0]])


@pytest.fixture
def net():
    """Return a model in float32, which is compared in float64."""
    layers = [tn.Dense(3, "tanh"), tn.Dense(1, "sigmoid", l2=0.1)]
    return tn.Sequential(layers, "binary_crossentropy", inputs=4, seed=1)


def by_hand(net):
    """Return the gradients of the model as a learner computes them."""
    W1, b1, W2, b2 = (array.astype(float) for array in net.get_parameters().values())
    A1 = np.tanh(W1 @ X + b1)
    A2 = 1 / (1 + np.exp(-(W2 @ A1 + b2)))
    dZ2 = A2 - Y
    dA1 = W2.T @ dZ2
    dZ1 = dA1 * (1 - A1**2)
    means = {"dW1": dZ1 @ X.T / M, "dW2": dZ2 @ A1.T / M + 0.1 * W2}
    means |= {f"db{l}": dZ.mean(axis=1, keepdims=True) for l, dZ in ((1, dZ1), (2, dZ2))}
    return {"dZ2": dZ2, "dA1": dA1, "dZ1": dZ1, "dA0": W1.T @ dZ1} | means


def test_right_gradients(net):
    """All right gradients pass, and each alone; the model stays as it is."""
    grads, before = by_hand(net), net.params.copy()
    assert tn.testing.compare_gradients(net, X, Y, grads) < 1e-9
    for name, gradient in grads.items():
        assert tn.testing.compare_gradients(net, X, Y, {name: gradient.tolist()}) < 1e-9
    assert tn.testing.compare_gradients(net, X, Y, {}) == 0
    np.testing.assert_array_equal(before, net.params)
    assert net.chain is None


# The name of a gradient, the mistake in it, and what the message says behind the name.
MISTAKES = {
    "m times": ("dW1", lambda dW: dW * M, r"is \S+, expected .* m = 6 times .*divide by m"),
    "1/m times": ("dW2", lambda dW: dW / M, r"1/m of the slope everywhere, m = 6: a division"),
    "m times db": ("db2", lambda db: db * M, r"m = 6 times .*mean.* divide by m"),
    "sign": ("dW1", lambda dW: -dW, "Its sign is wrong"),
    "factor": ("dW1", lambda dW: 3 * dW, "3 times the slope everywhere"),
    "transposed": ("dW1", lambda dW: dW.T, r"shape \(4, 3\), expected \(3, 4\).*transposed.*\.T"),
    "shape": ("dW1", lambda dW: dW[:2], r"has shape \(2, 4\), expected \(3, 4\)\."),
    "keepdims": ("db1", lambda db: db[:, 0], r"shape \(3,\), expected \(3, 1\).*keepdims=True"),
    "sum of all": ("db1", lambda db: db.sum(), r"shape \(\), expected \(3, 1\).*axis=1, keepdims"),
    "other axis": ("db1", lambda db: np.ones((1, M)), r"shape \(1, 6\).*axis=1, keepdims=True"),
    "all the same": ("db1", lambda db: 0 * db + db.sum(), "all the same: sum .*axis=1, keepdims"),
    "nan": ("dW2", lambda dW: dW * np.nan, "is not finite"),
    "one entry": ("dW1", lambda dW: dW + np.eye(3, 4)[:, ::-1], r"\[\d, \d\] is .*, expected"),
    "dZ divided by m": ("dZ1", lambda dZ: dZ / M, "for each example do not divide by m"),
    "dA times m": ("dA0", lambda dA: dA * M, "m = 6 times .* for each example"),
    "sign of dZ": ("dZ2", lambda dZ: -dZ, "Its sign is wrong"),
    "dA transposed": ("dA1", lambda dA: dA.T, r"shape \(6, 3\), expected \(3, 6\).*transposed"),
}


@pytest.mark.parametrize(("name", "change", "message"), MISTAKES.values(), ids=MISTAKES)
def test_usual_mistakes(net, name, change, message):
    """A wrong gradient is named, and the usual mistake, and no right one."""
    grads = by_hand(net)
    grads[name] = change(grads[name])
    with pytest.raises(AssertionError, match=f"^{name}.*{message}") as caught:
        tn.testing.compare_gradients(net, X, Y, grads)
    assert [key for key in grads if key in str(caught.value)] == [name]


def test_square_and_several(net):
    """A square dW that is transposed is named as such; of two wrong gradients both are named."""
    square = tn.Sequential([tn.Dense(4), tn.Dense(1)], "mean_squared_error", inputs=4, seed=1)
    square.forward(X)
    square.back(Y)
    with pytest.raises(AssertionError, match=r"^dW1\[.* would be right transposed"):
        tn.testing.compare_gradients(square, X, Y, {"dW1": square.dW[1].T}, tolerance=1e-4)
    grads = by_hand(net)
    wrong = {"dW1": -grads["dW1"], "db2": grads["db2"], "dZ1": grads["dZ1"] / M}
    with pytest.raises(AssertionError, match=r"^dW1.*sign.* dZ1.*1/m"):
        tn.testing.compare_gradients(net, X, Y, wrong)


@pytest.mark.parametrize("name", ["dW3", "W1", "dZ0", "db_1"])
def test_unknown_gradient(net, name):
    """A name that the model has no gradient for is a KeyError that lists the known ones."""
    with pytest.raises(KeyError, match=rf"{name}.*expected some of dW1, db1, dW2, db2, .*dA0"):
        tn.testing.compare_gradients(net, X, Y, {name: np.ones(3)})


# The checks by their names, which pytest shows.
CHECKS = {
    tn.Activation.get("leaky_relu", slope=0.3):
        "results repeated out examples_apart memory_order slopes finite_far_out slopes_elsewhere",
    tn.Dense(3, "relu"): "passes examples gradients training chance copies",
    tn.Loss.get("huber"): "mean value_and_back ends partner", tn.SGD(): "way_down restart",
    tn.Schedule.get("constant", rate=0.1): "rates", tn.Initializer.get("zeros"): "draws",
    tn.Metric.get("accuracy"): "number order direction",
}  # fmt: skip


@pytest.mark.parametrize("thing", CHECKS, ids=repr)
def test_grade_of_what_is_right(thing):
    """Every check is a test with a name; of what is right, a line in the grade says passed."""
    arguments, names = [4] * isinstance(thing, tn.Dense), ["description", *CHECKS[thing].split()]
    grade = tn.testing.grade(thing, *arguments)
    assert grade.passed
    assert [line.split() for line in repr(grade).splitlines()] == [[n, "passed"] for n in names]
    assert grade == dict.fromkeys(names, "")
    for name, check in zip(names, tn.testing.checks(thing, *arguments), strict=True):
        assert name == check.__name__
        check()


def test_grade_of_what_is_wrong():
    """Every check is run, and a failed one says why; any error is a failed check."""

    class Wrong(tn.Activation):
        def forward(self, Z):
            return np.tanh(Z)

        def back(self, dA, Z, A):
            if Z.shape[1] == 0:
                raise IndexError("no examples")
            return dA * A

    grade = tn.testing.grade(Wrong())
    assert not grade.passed
    failed = {name for name, why in grade.items() if why}
    assert failed == {"examples_apart", "slopes", "slopes_elsewhere"}
    assert "IndexError: no examples" in grade["examples_apart"]
    lines = repr(grade).splitlines()
    assert "description       passed" in lines
    assert f"slopes            failed: {grade['slopes']}" in lines
    with pytest.raises(AssertionError) as caught:
        tn.testing.check_activation(Wrong())
    assert str(caught.value) == next(why for why in grade.values() if why)


def test_grade_of_something_else():
    """A class, another object, and a layer without a shape are refused with what to pass."""
    families = "activation, layer, loss, optimizer, schedule, initializer, metric"
    for thing, message in ((3, f"3.* {families}"), (tn.Dense(3), "shape")):
        with pytest.raises(TypeError, match=message):
            tn.testing.grade(thing)
    for check, cls in (
        (tn.testing.check_activation, tn.activations.Tanh), (tn.testing.check_optimizer, tn.SGD),
        (tn.testing.check_loss, tn.losses.Huber), (tn.testing.grade, tn.initializers.Zeros),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=rf"class {cls.__name__}.*instance: {cls.__name__}\(\)"):
            check(cls)


ACTIVATIONS = [None, ["tanh", "sigmoid"], ["elu", "sigmoid"]]


def course(activations=None, dtype=float):
    """Return parameters and gradients of the course's functions."""
    parameters = functional.initialize_parameters_deep([4, 3, 1], rng=1, scale=0.5)
    parameters = {name: array.astype(dtype) for name, array in parameters.items()}
    AL, caches = functional.L_model_forward(X, parameters, activations)
    return parameters, functional.L_model_backward(AL, Y, caches, activations)


@pytest.mark.parametrize("activations", ACTIVATIONS, ids=str)
def test_gradient_check_n(activations):
    """The difference is below 1e-7 for right gradients, and large for wrong ones."""
    parameters, grads = course(activations)
    before = {name: array.copy() for name, array in parameters.items()}
    assert functional.gradient_check_n(parameters, grads, X, Y, activations) < 1e-7
    for name, array in before.items():
        np.testing.assert_array_equal(array, parameters[name])
    single = course(activations, np.float32)
    assert functional.gradient_check_n(*single, X, Y[0], activations) < 1e-6
    wrong = grads | {"dW1": 2 * grads["dW1"]}
    assert functional.gradient_check_n(parameters, wrong, X, Y, activations) > 1e-2


def test_the_difference_is_that_of_the_course():
    """It is relative to the sum of both norms: 1/3 for gradients of twice the size."""
    parameters, grads = course()
    scaled = {name: 2 * array for name, array in grads.items()}
    opposite = {name: -array for name, array in grads.items()}
    assert functional.gradient_check_n(parameters, scaled, X, Y) == pytest.approx(1 / 3, rel=1e-6)
    assert functional.gradient_check_n(parameters, opposite, X, Y) == pytest.approx(1, rel=1e-6)
    zeros = {"W1": np.zeros((1, 4)), "b1": np.zeros((1, 1))}
    none = {"dW1": zeros["W1"], "db1": zeros["b1"]}  # at X = 0 and as many ones as zeros
    assert functional.gradient_check_n(zeros, none, 0 * X, Y) == 0


def test_gradient_check_n_names_a_wrong_shape():
    """A gradient of another shape is refused by its name."""
    parameters, grads = course()
    with pytest.raises(
        ShapeError, match=r"^db1 has shape \(1, 3\), expected \(3, 1\)\. .* add \.T"
    ):
        functional.gradient_check_n(parameters, grads | {"db1": grads["db1"].T}, X, Y)


@pytest.mark.parametrize("dtypes", [("f4", "f4"), ("f8", "f4"), ("f4", "f8")])
def test_functions_of_mixed_precision(dtypes):
    """The course's functions give gradients in the precision of the parameters, whatever X has."""
    of_X, of_parameters = dtypes
    parameters, _ = course(dtype=of_parameters)
    AL, caches = functional.L_model_forward(X.astype(of_X), parameters)
    grads = functional.L_model_backward(AL, Y, caches)
    assert {grads[name].dtype for name in ("dW1", "db1", "dW2", "db2")} == {np.dtype(of_parameters)}


def test_functions_with_a_users_activation():
    """The functions take any registered name; a user's activation need not take out."""
    tripled = {"forward": lambda self, Z: np.float64(3) * np.tanh(Z)}
    type("Tripled", (tn.Activation,), tripled)
    A, (_, Z) = functional.linear_activation_forward(X, np.eye(4), np.zeros((4, 1)), "tripled")
    np.testing.assert_array_equal(A, 3 * np.tanh(Z))
    names = ["tripled", "sigmoid"]
    parameters, grads = course(names)
    assert functional.gradient_check_n(parameters, grads, X, Y, names) < 1e-7
    with pytest.raises(ValueError, match="1 activations for 2 layers, expected one for each"):
        functional.L_model_forward(X, parameters, names[:1])
