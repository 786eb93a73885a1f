"""Arrays of the wrong shape, handed to a part that is used alone: refused, and never broadcast."""

import numpy as np
import pytest
from helpers import registered
from messages import raises

import tinynet as tn
from tinynet import functional
from tinynet.errors import ShapeError

COLUMN, ROW, SQUARE = (5, 1), (1, 5), (5, 5)
OTHER_SHAPES = [(COLUMN, ROW), (ROW, COLUMN), (ROW, SQUARE), (SQUARE, ROW), ((5,), COLUMN)]
either = pytest.mark.parametrize(("shape", "other"), OTHER_SHAPES)


def positive(shape):
    return np.linspace(0.1, 0.9, np.prod(shape)).reshape(shape)


@either
@pytest.mark.parametrize("name", [*registered(tn.Activation), "by dual numbers"])
def test_activations(name, shape, other):
    """``back`` takes dA, Z and A of one shape."""

    class Alone(tn.Activation, name="by dual numbers"):
        def forward(self, Z):
            return Z * Z

    activation = tn.Activation.get(name)
    for shapes in ((other, shape, shape), (shape, shape, other)):
        with raises(ShapeError, "expected that of Z", str(shape), str(other)):
            activation.back(*map(positive, shapes))


@either
@pytest.mark.parametrize("name", registered(tn.Loss))
def test_losses(name, shape, other):
    """Every method takes A, or Z, and Y of one shape."""
    loss = tn.Loss.get(name)
    methods = [loss.value, loss.each, loss.back, *[loss.each_from_Z] * bool(loss.partner)]
    for method in methods:
        with raises(ShapeError, "Y has shape", str(other), str(shape)):
            method(positive(shape), positive(other))


@either
@pytest.mark.parametrize("name", registered(tn.Optimizer))
def test_optimizers(name, shape, other):
    """``update`` takes params and grads of one shape, and changes nothing otherwise."""
    params = positive(shape)
    with raises(ShapeError, str(shape), str(other)):
        tn.Optimizer.get(name).update(params, positive(other))
    np.testing.assert_array_equal(positive(shape), params)


OTHER_X = {"more examples": (4, 6, 5), "more axes": (4, 5, 3, 2), "flat": (120,)}


@pytest.mark.parametrize("layer", [tn.Dense(2), tn.LayerNorm(), tn.Flatten()], ids=repr)
@pytest.mark.parametrize("name", OTHER_X)
def test_the_X_of_the_last_pass_in_another_shape(layer, name):
    """An array whose shape was set since the last pass is looked at once more."""
    model = tn.Sequential([layer], inputs=(4, 5), seed=1)
    X = positive((4, 5, 6)).copy()
    model.forward(X)
    X.resize(OTHER_X[name], refcheck=False)
    with raises(ShapeError, f"X has shape {OTHER_X[name]}", "expected (4, 5, m)"):
        model.forward(X)


def test_the_Y_of_the_last_pass_in_another_shape():
    model = tn.Sequential([tn.Dense(2)], "mean_squared_error", inputs=4, seed=1)
    Y = positive((2, 3)).astype(np.float32)  # the model's dtype: it takes the array itself
    model.forward(positive((4, 3)))
    with raises(TypeError, "Y has dtype object"):
        model.back(None)
    model.back(Y)
    Y.resize((3, 2), refcheck=False)
    for use in (model.back, model.cost):
        with raises(ShapeError, "Y has shape (3, 2), expected that of A[L], (2, 3)", "Y.T"):
            use(Y)


A_PREV, W, B, DZ = (positive(shape) for shape in ((3, 4), (2, 3), (2, 1), (2, 4)))
PARAMETERS = {"W1": W, "b1": B}
GRADS = {"dW1": W, "db1": B}

# What is wrong, the call, and what the message says.
FUNCTIONS = {
    "A_prev transposed": (lambda: functional.linear_forward(A_PREV.T, W, B), "(3, m)", "add .T"),
    "A_prev flat": (lambda: functional.linear_forward([1, 2, 3], W, B), "A_prev.reshape(-1, 1)"),
    "A_prev of other features": (lambda: functional.linear_forward(DZ, W, B), "(2, 4)", "(3, m)"),
    "W flat": (lambda: functional.linear_forward(A_PREV, W[0], B), "W has shape (3,)"),
    "b a row": (lambda: functional.linear_forward(A_PREV, W, B.T), "b has shape (1, 2)", "(2, 1)"),
    "b a number": (lambda: functional.linear_forward(A_PREV, W, 0.0), "b has shape ()", "(2, 1)"),
    "b too long": (lambda: functional.linear_forward(A_PREV, W, [1, 2, 3, 4]), "b has shape (4,)"),
    "A_prev of an activation": (
        lambda: functional.linear_activation_forward(A_PREV.T, W, B, "relu"), "A_prev"),
    "X": (lambda: functional.L_model_forward(A_PREV.T, PARAMETERS), "A_prev has shape (4, 3)"),
    "dA of sigmoid": (
        lambda: functional.sigmoid_backward(positive(COLUMN), positive(ROW)),
        "dA has shape (5, 1)"),
    "dA of relu": (
        lambda: functional.relu_backward(positive(ROW), positive(SQUARE)), "dA has shape (1, 5)"),
    "dZ": (lambda: functional.linear_backward(DZ.T, (A_PREV, W, B)), "dZ has shape (4, 2)"),
    "dZ of one example": (
        lambda: functional.linear_backward(DZ[:, :1], (A_PREV, W, B)), "dZ has shape (2, 1)"),
    "dA": (
        lambda: functional.linear_activation_backward(DZ.T, ((A_PREV, W, B), DZ), "relu"), "dA"),
    "Y of the cost": (lambda: functional.compute_cost(DZ, DZ[:1]), "Y has shape (1, 4)"),
    "Y of the gradients": (
        lambda: functional.L_model_backward(DZ, DZ[:1], [((A_PREV, W, B), DZ)]), "Y has shape"),
    "a gradient broadcast": (
        lambda: functional.update_parameters(PARAMETERS, GRADS | {"dW1": W[:1]}, 0.1),
        "dW1 has shape (1, 3)", "(2, 3)"),
    "a gradient not summed": (
        lambda: functional.update_parameters(PARAMETERS, GRADS | {"db1": DZ}, 0.1),
        "db1 has shape (2, 4)", "Sum over the examples"),
    "a gradient to check": (
        lambda: functional.gradient_check_n(PARAMETERS, GRADS | {"db1": B.T}, A_PREV, DZ > 0.5),
        "db1 has shape (1, 2)"),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_the_course(name):
    call, *words = FUNCTIONS[name]
    with raises(ShapeError, *words):
        call()


def test_a_flat_b():
    """It can mean one thing only, and gives what a column gives; so for its gradient."""
    flat = {"W1": W, "b1": B.ravel()}
    expected, _ = functional.linear_forward(A_PREV, W, B)
    actual, cache = functional.linear_forward(A_PREV, W, B.ravel())
    np.testing.assert_array_equal(expected, actual)
    for right, found in zip(
        functional.linear_backward(DZ, (A_PREV, W, B)),
        functional.linear_backward(DZ, cache),
        strict=True,
    ):
        np.testing.assert_array_equal(right, found)
    expected = functional.update_parameters(PARAMETERS, GRADS, 0.1)
    for parameters in (PARAMETERS, flat):
        for db in (B, B.ravel()):
            updated = functional.update_parameters(parameters, GRADS | {"db1": db}, 0.1)
            assert parameters["b1"].shape == updated["b1"].shape
            np.testing.assert_array_equal(expected["b1"].ravel(), updated["b1"].ravel())
