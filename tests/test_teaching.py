"""What a learner compares with: gradients by hand, the gradient check, and grades."""

import math

import numpy as np
import pytest
from messages import raises

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
    "epsilon": ("dW1", lambda dW: dW * (1 + 1e-5), "is right to four digits: .* an epsilon"),
    "epsilon db": ("db1", lambda db: db * (1 + 1e-5), "is right to four digits: .* an epsilon"),
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


@pytest.mark.parametrize("tolerance", [0, 1, math.inf, math.nan])
def test_a_tolerance_with_which_nothing_is_checked(net, tolerance):
    """It is refused, as in check_gradients."""
    with raises(ValueError, f"tolerance is {tolerance}", "above 0 and at most 0.1"):
        tn.testing.compare_gradients(net, X, Y, by_hand(net), tolerance=tolerance)


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


# Mistakes of a whole backward pass, as a learner writes it: a loop over three layers of one width.

LAYERS, N, RATE = (3, 2, 1), 5, 0.5


def deep(l2=0.0, **settings):
    layers = [tn.Dense(N, "tanh", l2=l2), tn.Dense(N, "tanh", l2=l2), tn.Dense(1, "sigmoid", l2=l2)]
    net = tn.Sequential(layers, "binary_crossentropy", inputs=N, dtype="float64", seed=1)
    net.set_parameters({f"b{l}": 0.1 * net.b[l] + 0.2 for l in LAYERS})
    return net


DEEP_X = np.random.default_rng(2).standard_normal((N, M))


def learner(
    net, dZ_last=lambda A: A - Y, slope=lambda dA, Z, A: dA * (1 - A**2), dW=None, db=None,
    dA=lambda W, dZ, dA, dW: W.T @ dZ, X=DEEP_X,
):  # fmt: skip
    """Return gradients of a loop over the layers, in which one line may be wrong."""
    parameters = net.get_parameters()
    A, Z, grads = {0: X}, {}, {}
    for l in (1, 2, 3):
        Z[l] = parameters[f"W{l}"] @ A[l - 1] + parameters[f"b{l}"]
        A[l] = np.tanh(Z[l]) if l < 3 else 1 / (1 + np.exp(-Z[l]))
    dZ = dZ_last(A[3])
    for l in LAYERS:
        W = parameters[f"W{l}"]
        if l < 3:
            dZ = slope(grads[f"dA{l}"], Z[l], A[l])
        grads[f"dZ{l}"] = dZ
        right = dZ @ A[l - 1].T / M + net.layers[l - 1].l2 * W
        grads[f"dW{l}"] = dW(right, W, dZ, Z.get(l - 1, X), A) if dW else right
        grads[f"db{l}"] = db(dZ) if db else dZ.mean(axis=1, keepdims=True)
        grads[f"dA{l - 1}"] = dA(W, dZ, grads.get(f"dA{l}", dZ), grads[f"dW{l}"])
    return grads


# The line that is wrong, what is said of dW1 and db1 or of all, and the wrong array to begin with.
LINES = {
    "Y forgotten": ({"dZ_last": lambda A: A}, "layer 3. Y is missing in dZ", "dZ3"),
    "sign": ({"dZ_last": lambda A: Y - A}, "Its sign is wrong", "dZ3"),
    "derivative twice at the end": (
        {"dZ_last": lambda A: (A - Y) * A * (1 - A)},
        "layer 3. The derivative … there twice", "dZ3"),
    "dZ divided by m": ({"dZ_last": lambda A: (A - Y) / M}, "1/m of the slope, m = 6", "dZ3"),
    "no derivative": ({"slope": lambda dA, Z, A: dA}, "The derivative … is missing", "dZ2"),
    "derivative twice": (
        {"slope": lambda dA, Z, A: dA * (1 - A**2) ** 2}, "The derivative … twice", "dZ2"),
    "derivative alone": ({"slope": lambda dA, Z, A: 1 - A**2}, "multiply it by dA", "dZ2"),
    "of Z": ({"slope": lambda dA, Z, A: dA * (1 - Z**2)}, "at Z, with a formula for A", "dZ2"),
    "of the sigmoid": (
        {"slope": lambda dA, Z, A: dA * A * (1 - A)}, "the derivative of sigmoid", "dZ2"),
    "of the ReLU": ({"slope": lambda dA, Z, A: dA * (Z > 0)}, "the derivative of relu", "dZ2"),
    "W not transposed": (
        {"dA": lambda W, dZ, dA, dW: (W if len(W) == N else W.T) @ dZ}, "W in place of W.T", "dA1"),
    "dA for dZ": (
        {"dA": lambda W, dZ, dA, dW: W.T @ dA}, "computed from dA in place of dZ", "dA1"),
    "updated too early": (
        {"dA": lambda W, dZ, dA, dW: (W - RATE * dW).T @ dZ}, "W was updated before", "dA2"),
    "not divided by m": (
        {"slope": lambda dA, Z, A: dA, "db": lambda dZ: dZ.sum(axis=1, keepdims=True)},
        "The derivative … is missing … m = 6 times too large", "db3"),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "said", "first"), LINES.values(), ids=LINES)
def test_a_wrong_line_is_named(changed, said, first):
    """From dW and db alone the wrong line is named, and with dZ and dA also the first wrong one."""
    net = deep()
    assert tn.testing.compare_gradients(net, DEEP_X, Y, learner(net)) < 1e-9
    grads = learner(net, **changed)
    of_parameters = {name: array for name, array in grads.items() if name[1] in "Wb"}
    said = said.replace("of the slope,", "of the slope everywhere,")
    with raises(AssertionError, said):
        tn.testing.compare_gradients(net, DEEP_X, Y, of_parameters)
    with pytest.raises(AssertionError, match=rf"^{first}\[.*It follows from d"):
        tn.testing.compare_gradients(net, DEEP_X, Y, grads)


# What is wrong in dW or db only, and what is said of it.
PRODUCTS = {
    "no l2": ({"dW": lambda dW, W, dZ, Z, A: dW - 0.1 * W}, "l2 term is missing: add l2 * W"),
    "l2 / m": (
        {"dW": lambda dW, W, dZ, Z, A: dW - 0.1 * W + 0.1 * W / M}, "l2 term … divided by m"),
    "l2 twice": ({"dW": lambda dW, W, dZ, Z, A: dW + 0.1 * W}, "l2 term is there twice"),
    "minus l2": ({"dW": lambda dW, W, dZ, Z, A: dW - 0.2 * W}, "sign of the l2 term"),
    "only l2": ({"dW": lambda dW, W, dZ, Z, A: 0.1 * W}, "the l2 term alone"),
    "m times but l2": (
        {"dW": lambda dW, W, dZ, Z, A: M * (dW - 0.1 * W) + 0.1 * W}, "not divided by m = 6"),
    "Z for A": (
        {"dW": lambda dW, W, dZ, Z, A: dZ @ Z.T / M + 0.1 * W}, "with Z in place of A"),
    "0": ({"db": lambda dZ: 0 * dZ[:, :1]}, "0 everywhere"),
    "first example": ({"db": lambda dZ: dZ[:, :1]}, "the first example: sum over the examples"),
    "total": ({"db": lambda dZ: 0 * dZ[:, :1] + dZ.sum()}, "all the same … axis=1, keepdims=True"),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "said"), PRODUCTS.values(), ids=PRODUCTS)
def test_a_wrong_product_is_named(changed, said):
    """The l2 term, the arrays of a product and the axis of a sum are named, and only they."""
    net = deep(l2=0.1)
    with raises(AssertionError, said) as caught:
        tn.testing.compare_gradients(net, DEEP_X, Y, learner(net, **changed))
    right = "db" if "dW" in changed else "dW"
    assert f"{right}2" not in str(caught.value)


def test_arrays_of_another_place():
    """A gradient of another layer, another quantity or other parameters is named as such."""
    net = deep()
    grads = learner(net)
    swapped = grads | {"dW1": grads["dW2"], "db2": grads["db1"]}
    with raises(AssertionError, "db2[ … that of layer 1", "dW1[ … that of layer 2"):
        tn.testing.compare_gradients(net, DEEP_X, Y, swapped)
    with raises(AssertionError, "dA2[ … It is dZ of this layer"):
        tn.testing.compare_gradients(net, DEEP_X, Y, {"dA2": grads["dZ2"]})
    with raises(AssertionError, "dW2 has shape (1, 5), expected (5, 5) … the shape for layer 3"):
        tn.testing.compare_gradients(net, DEEP_X, Y, {"dW2": grads["dW3"]})
    with raises(AssertionError, "dW1 is None", "return missing"):
        tn.testing.compare_gradients(net, DEEP_X, Y, {"dW1": None})
    near = grads["dW2"] + 0.1 * np.abs(grads["dW2"]) * np.eye(N)
    with raises(AssertionError, "dW2[ … near the right one … the step before"):
        tn.testing.compare_gradients(net, DEEP_X, Y, {"dW2": near})


def test_one_step_late():
    """Gradients of the parameters before a step or after it are named, with the learning rate."""
    net = deep()
    before = net.get_parameters()
    grads = learner(net)
    net.set_parameters(functional.update_parameters(before, grads, 0.3))
    with raises(AssertionError, "dW1", "before a step … learning rate 0.3: compute them"):
        tn.testing.compare_gradients(net, DEEP_X, Y, grads)
    late = learner(net)
    net.set_parameters(before)
    with raises(AssertionError, "dW1", "after a step … learning rate 0.3: compute them"):
        tn.testing.compare_gradients(net, DEEP_X, Y, late)


def test_gradients_in_float32():
    """A right gradient in float32 is as near as float32 rounds, and a wrong one is not."""
    net = deep()
    single = {name: array.astype(np.float32) for name, array in learner(net).items()}
    assert tn.testing.compare_gradients(net, DEEP_X, Y, single) < 1e-6
    with raises(AssertionError, "dW2", "1.01 times"):
        tn.testing.compare_gradients(net, DEEP_X, Y, {"dW2": 1.01 * single["dW2"]})


def test_examples_that_lie_as_rows():
    """X may be the transposed view of an array with an example in each row."""
    net, rows = deep(), np.ascontiguousarray(DEEP_X.T).T
    assert tn.testing.compare_gradients(net, rows, Y, learner(net)) < 1e-9


def test_dictionaries_of_the_course():
    """The course's parameters stand for a network; Y may be flat, and arrays may be lists."""
    parameters, grads = course()
    lists = {name: array.tolist() for name, array in grads.items()}
    for given in (grads, lists):
        assert tn.testing.compare_gradients(parameters, X, Y.ravel(), given) < 1e-9
        assert functional.gradient_check_n(parameters, given, X, Y.ravel()) < 1e-7
    names = ["elu", "sigmoid"]
    parameters, other = course(names)
    compare = tn.testing.compare_gradients
    assert compare(parameters, X, Y, other, activations=names) < 1e-9
    with raises(AssertionError, "db2[0, 0] … m = 6 times … divide by m"):
        compare(parameters, X, Y, {"db2": 6 * other["db2"]}, activations=names)
    flat = parameters | {"b1": parameters["b1"].ravel()}
    assert compare(flat, X, Y, other, activations=names) < 1e-9
    assert functional.gradient_check_n(flat, other, X, Y, names) < 1e-7


REFUSED = {
    "list of gradients": ({"grads": [1, 2]}, TypeError, 'a list, expected … {"dW1": dW1}'),
    "ragged": ({"grads": {"dW1": [[1, 2], [3]]}}, ValueError, "dW1 is a list … one shape"),
    "text": ({"grads": {"dW1": "x"}}, TypeError, "dW1 … real numbers"),
    "no model": ({"model": 3}, TypeError, 'Got a int, expected a model … {"W1": W1'),
    "no b1": ({"model": {"W1": np.ones((1, 4))}}, KeyError, "no b1, expected W1, b1"),
    "no parameters": ({"model": {}}, KeyError, "W1, b1"),
    "activations": ({"activations": ["tanh"]}, ValueError, "1 activations for 2 layers"),
}  # fmt: skip


@pytest.mark.parametrize(("wrong", "error", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_compared(wrong, error, said):
    """What is no dictionary of arrays is refused by its name."""
    parameters, grads = course()
    arguments = {"model": parameters, "X": X, "Y": Y, "grads": grads} | wrong
    with raises(error, said):
        tn.testing.compare_gradients(**arguments)


@pytest.mark.parametrize("name", ["dW3", "W1", "dZ0", "db_1"])
def test_unknown_gradient(net, name):
    """A name that the model has no gradient for is a KeyError that lists the known ones."""
    with pytest.raises(KeyError, match=rf"{name}.*expected some of dW1, db1, dW2, db2, .*dA0"):
        tn.testing.compare_gradients(net, X, Y, {name: np.ones(3)})


# The checks by their names, which pytest shows.
CHECKS = {
    tn.Activation.get("leaky_relu", slope=0.3):
        "results repeated out examples_apart memory_order slopes finite_far_out slopes_elsewhere",
    tn.Dense(3, "relu"): "passes examples gradients training chance input_probe copies",
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
    """A class, a name, another object, and a layer without a shape are refused: what to pass."""
    for thing, *said in (
        (tn.SGD, "SGD()"), (tn.Dense, "Dense(units=...)"), (3, "activation, layer"),
        (tn.Dense(3), "shape"), ("relu", "tn.Activation.get('relu')"), ("nix", "activation, layer"),
        ("mean_squared_error", "tn.Loss.get('mean_squared_error') or tn.Metric.get("),
    ):  # fmt: skip
        with raises(TypeError, *said):
            tn.testing.grade(thing)
    with raises(TypeError, "Got 4 beside SGD(", "only a layer"):
        tn.testing.grade(tn.SGD(), 4)
    with raises(TypeError, "inputs is 'x'"):
        tn.testing.grade(tn.Dense(3), "x")


def test_grade_of_several():
    """A dictionary or a list gives one table; what cannot be checked is a line that failed."""
    grade = tn.testing.grade({"anna": tn.SGD(), "bob": tn.SGD, "eve": tn.Dense(3)}, 4)
    lines = [line.split(maxsplit=2) for line in repr(grade).splitlines()]
    assert ["anna:", "way_down", "passed"] in lines
    assert ["eve:", "gradients", "passed"] in lines
    assert ["bob", "failed:", "Got the class SGD, expected an instance: SGD()."] in lines
    assert [name for name, why in grade.items() if why] == ["bob"]
    assert set(tn.testing.grade([tn.SGD()])) == {f"1 SGD: {n}" for n in tn.testing.grade(tn.SGD())}
    assert repr(tn.testing.grade([])) == ""


@pytest.mark.parametrize(
    "crash",
    [SystemExit, AssertionError, ValueError("two\nlines")],
    ids=["exit", "assertion", "lines"],
)
def test_grade_of_what_crashes(crash):
    """Each error in the code that is graded is a failed line that names it, and only that."""

    def forward(self, Z):
        raise crash

    grade = tn.testing.grade(type("Crashes", (tn.Activation,), {"forward": forward})())
    name = crash.__name__ if isinstance(crash, type) else type(crash).__name__
    assert all(name in why for check, why in grade.items() if check != "description")
    assert len(repr(grade).splitlines()) == len(grade)


def test_checks_of_a_class():
    """Each check of a class is refused: what to pass."""
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


@pytest.mark.parametrize("check", [functional.gradient_check_n, functional.gradient_differences])
def test_gradient_check_n_names_a_wrong_shape(check):
    """A gradient of another shape, a missing one, and a list are refused by their names."""
    parameters, grads = course()
    with raises(ShapeError, "db1 has shape (1, 3), expected (3, 1)", "add .T"):
        check(parameters, grads | {"db1": grads["db1"].T}, X, Y)
    with raises(KeyError, "gradients has no db1, it has dW1"):
        check(parameters, {"dW1": grads["dW1"]}, X, Y)
    with raises(TypeError, 'gradients is a list, expected … {"dW1": dW1'):
        check(parameters, list(grads.values()), X, Y)
    with raises(TypeError, 'parameters is a list, expected … {"W1": W1'):
        check(list(parameters.values()), grads, X, Y)
    with raises(KeyError, "parameters has no b1, it has W1, W2, b2"):
        check({name: parameters[name] for name in ("W1", "W2", "b2")}, grads, X, Y)
    with raises(KeyError, "parameters has no W1, b1, it has nothing"):
        check({}, grads, X, Y)


def test_gradient_differences():
    """Each array has the course's number of its own, so a wrong one is named."""
    parameters, grads = course()
    differences = functional.gradient_differences(parameters, grads, X, Y)
    assert list(differences) == ["dW1", "db1", "dW2", "db2"]
    assert max(differences.values()) < 1e-7
    wrong = functional.gradient_differences(parameters, grads | {"db2": 3 * grads["db2"]}, X, Y)
    assert wrong.pop("db2") == pytest.approx(0.5, rel=1e-6)  # 2 / (3 + 1)
    assert max(wrong.values()) < 1e-7


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
