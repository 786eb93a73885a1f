"""Residual, Branches and Bidirectional: values, gradients, what they compute, what they refuse."""

import attrs
import numpy as np
import pytest
from messages import raises

import tinynet as tn
from tinynet import (
    Activate,
    BatchNorm,
    Bidirectional,
    Branches,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool2D,
    Reshape,
    Residual,
    Sequential,
    SimpleRNN,
)
from tinynet.errors import ShapeError, UnknownNameError
from tinynet.layers import Composite

equal, close = np.testing.assert_array_equal, np.testing.assert_allclose
IDENTITY = Activate("identity")
M = 6


def network(*layers, inputs, **options):
    """Return a model of these layers."""
    options = {"dtype": "float64", "seed": 3} | options
    return Sequential(layers, "mean_squared_error", inputs=inputs, **options)


def after_a_pass(model, training=False, input_gradient=True):
    """Return the model after a pass forward and back, with random X and Y."""
    rng = np.random.default_rng(5)
    X, Y = (rng.standard_normal((*shape, M)) for shape in (model.inputs, model.outputs))
    model.forward(X, training=training)
    model.back(Y, input_gradient=input_gradient)
    return model


# By hand


def test_residual_by_hand():
    """2 + 3 · 2 = 8, and a gradient goes back through the layer and past it."""
    model = network(Residual([Dense(1)]), inputs=1)
    model.W[1, 1] = [[3.0]]
    equal([[8.0, -4.0]], model.forward([[2.0, -1.0]]))
    model.back([[7.0, -6.0]], input_gradient=True)  # dA[1] is 1 and 2
    equal([[4.0, 8.0]], model.dA[0])
    equal([[(2.0 - 2.0) / 2]], model.dW[1, 1])
    after = network(Residual([Dense(1)], activation="relu"), inputs=1)
    after.W[1, 1] = [[3.0]]
    equal([[8.0, 0.0]], after.forward([[2.0, -1.0]]))


@pytest.mark.parametrize(("join", "A", "dX"), [
    ("concatenate", [[6.0], [2.0], [-4.0]], [[3 * 1.0 + 2.0 - 2 * 3.0]]),
    ("add", [[4.0]], [[(3 + 1 - 2) * 1.0]]),
])  # fmt: skip
def test_branches_by_hand(join, A, dX):
    """3 · 2, 2 and -2 · 2 are one above the other, or added."""
    model = network(Branches([[Dense(1)], [IDENTITY], [Dense(1)]], join=join), inputs=1)
    model.W[1, 1, 1], model.W[1, 3, 1] = [[3.0]], [[-2.0]]
    equal(A, model.forward([[2.0]]))
    model.back(np.subtract(A, [[1.0], [2.0], [3.0]][: len(A)]), input_gradient=True)
    equal(dX, model.dA[0])


# Against PyTorch


def in_torch(torch, layers, A):
    """Return what placed layers make of a tensor, with the parameters as leaves in `leaves`."""
    F = torch.nn.functional
    for at in layers:
        at.leaves = {k: torch.tensor(v.copy(), requires_grad=True) for k, v in at.params.items()}
        layer, p = at.layer, at.leaves
        parts = [in_torch(torch, chain, A) for chain in at.chains]
        if isinstance(layer, Dense):
            A = torch.tensordot(p["W"], A, 1) + p["b"].reshape(-1, *[1] * (A.ndim - 1))
        elif isinstance(layer, Conv2D):
            b, stride, padding = p["b"].ravel(), layer.stride, layer.padding
            A = F.conv2d(A.movedim(-1, 0), p["W"], b, stride, padding).movedim(0, -1)
        elif isinstance(layer, MaxPool2D):
            A = F.max_pool2d(A.movedim(-1, 0), layer.size, layer.stride).movedim(0, -1)
        elif isinstance(layer, GlobalAveragePool):
            A = A.mean((1, 2))
        elif isinstance(layer, BatchNorm):
            norm = (None, None, p["gamma"].ravel(), p["beta"].ravel(), True, 0.1, layer.epsilon)
            A = F.batch_norm(A.movedim(-1, 0), *norm).movedim(0, -1)
        elif isinstance(layer, tn.LayerNorm):
            norm = (A.shape[:1], p["gamma"].ravel(), p["beta"].ravel(), layer.epsilon)
            A = F.layer_norm(A.movedim(0, -1), *norm).movedim(-1, 0)
        elif isinstance(layer, Residual):
            A = A + parts[0]
        elif isinstance(layer, Branches):
            A = torch.cat(parts) if layer.join == "concatenate" else sum(parts)
        name = layer.activation.registered_name
        A = A if name == "identity" else getattr(torch, name)(A)
    return A


def of_settings(rng, n, depth):
    """Return random layers that keep n units, with layers within them."""
    kind = rng.integers(4 if depth else 2)
    activation = ["identity", "tanh", "relu", "sigmoid"][rng.integers(4)]
    if kind == 0:
        return [[BatchNorm, tn.LayerNorm][rng.integers(2)](activation=activation)]
    if kind == 1:
        return [Dense(int(rng.integers(1, 5)), activation), Dense(n, "tanh")]
    if kind == 2:
        chain = [*of_settings(rng, n, depth - 1), *of_settings(rng, n, depth - 1)]
        return [Residual(chain, activation=activation)]
    join = ["concatenate", "add"][rng.integers(2)]
    branches = [of_settings(rng, n, depth - 1) for _ in range(rng.integers(1, 4))]
    return [Branches(branches, join, activation=activation), Dense(n)]


RESNET = [
    Dense(4), BatchNorm(activation="relu"),
    Residual([Dense(5), BatchNorm(activation="relu"), Dense(4), BatchNorm()], activation="relu"),
    Branches([[Dense(5, "relu"), Dense(3), BatchNorm()], [Dense(3), BatchNorm()]], "add",
             activation="relu"),
    Residual([BatchNorm(activation="relu"), Dense(2), BatchNorm(activation="relu"), Dense(3)]),
]  # fmt: skip
INCEPTION = [
    Branches([[Dense(2, "relu")], [Dense(3, "relu"), Dense(4, "relu")], [IDENTITY],
              [tn.LayerNorm(), Dense(1, "tanh")]]),
    Branches([[Dense(2, "sigmoid")], [Residual([Dense(11)])]], activation="tanh"),
]  # fmt: skip
IMAGES = [
    Conv2D(4, 3, padding=1), BatchNorm(activation="relu"),
    Residual([Conv2D(3, 3, padding=1), BatchNorm(activation="relu"), Conv2D(4, 1), BatchNorm()],
             activation="relu"),
    Branches([[Conv2D(2, 1, "relu")], [Conv2D(2, 1), tn.LayerNorm(), Conv2D(3, 3, padding=1)],
              [MaxPool2D(1), Dense(2, "tanh")]]),
    Branches([[Conv2D(5, 3, "relu", stride=2)], [MaxPool2D(3, 2), Dense(5)]], join="add"),
    Residual([Branches([[Conv2D(3, 1)], [Residual([Dense(5, "tanh")]), Dense(2)]])]),
    GlobalAveragePool(),
]  # fmt: skip
RANDOM = [of_settings(np.random.default_rng(k), 4, depth=3) for k in range(8)]


@pytest.mark.parametrize(("layers", "inputs"), [
    (RESNET, 4), (INCEPTION, 4), (IMAGES, (2, 7, 5)), *[(layers, 4) for layers in RANDOM],
    *[(layers, (4, 3, 2)) for layers in RANDOM[:3]],
])  # fmt: skip
def test_pytorch_computes_the_same(torch, layers, inputs):
    """A[L], every gradient and dA[0] in training are PyTorch's, to nine digits."""
    model = network(*layers, Dense(2), inputs=inputs)
    model.params[:] = np.random.default_rng(7).standard_normal(model.n_params)
    after_a_pass(model, training=True)
    rng = np.random.default_rng(5)
    shapes = ((*model.inputs, M), (*model.outputs, M))
    X, Y = (torch.tensor(rng.standard_normal(shape), requires_grad=True) for shape in shapes)
    A = in_torch(torch, model.storage.layers, X)
    (0.5 * ((A - Y) ** 2).sum() / M).backward()
    close(A.detach(), model.A[len(layers) + 1], rtol=1e-9, atol=1e-12)
    close(M * X.grad, model.dA[0], rtol=1e-9, atol=1e-10)
    for at in model.storage.placed:
        for name, leaf in at.leaves.items():
            message = f"d{name} of {at.title}"
            close(leaf.grad, at.grads[name], rtol=1e-9, atol=1e-10, err_msg=message)


# What is computed


@attrs.frozen
class Spy(Layer):
    """Z = A_prev; ``cache.was_needed`` says whether dA_prev was to be computed."""

    def forward(self, A_prev, cache):
        return np.positive(A_prev, out=cache.Z)

    def back(self, dZ, cache):
        cache.was_needed = cache.dA_prev is not None
        return np.positive(dZ, out=cache.dA_prev) if cache.was_needed else None


def test_the_gradient_of_X_is_computed_if_it_is_wanted():
    """The first layers of chains leave dA_prev out as layer 1 does, at any depth."""
    deep = [[Spy(), Dense(3)], [Residual([Residual([Spy(), Spy()])])], [Bidirectional(Spy())]]
    model = network(Branches(deep), Branches(deep), inputs=(3, 2))

    def needed():
        links = model.chain.all_links()
        return {at.label: c.was_needed for at, c in links if isinstance(at.layer, Spy)}

    after_a_pass(model, input_gradient=False)
    grads = model.grads.copy()
    first = {"1.1.1": False, "1.2.1.1.1": False, "1.2.1.1.2": True}
    first |= {"1.3.1.1.1": False, "1.3.1.2.1": False}
    later = {label.replace("1.", "2.", 1): True for label in first}
    assert first | later == needed()
    after_a_pass(model)
    assert set(needed().values()) == {True}
    equal(grads, model.grads)
    dX = model.dA[0].copy()
    after_a_pass(model, input_gradient=False)
    assert first | later == needed()
    assert model.back_layer(1, model.dA[1])[0].shape == dX.shape
    equal(dX, model.back_layer(1, model.dA[1])[0])


def test_a_custom_layer_may_need_the_gradient_of_its_chain():
    """Without ``input_gradient=False`` a chain returns dA_prev in layer 1, too."""

    class Weighted(Composite):
        """Z = what the layers make of w · A_prev."""

        def parameters(self, input_shape):
            return {"w": tn.Parameter((*input_shape, 1), "normal")}

        def forward(self, A_prev, cache):
            return cache.chains[0].forward(cache.w * A_prev)

        def back(self, dZ, cache):
            d = cache.chains[0].back(dZ)
            cache.dw = np.mean(d * cache.A_prev, axis=1, keepdims=True)
            return cache.w * d

    model = network(Weighted([Dense(3, "tanh")]), inputs=3)
    after_a_pass(model, input_gradient=False)
    dw = model.grads[:3].copy()
    assert np.isfinite(model.grads).all()
    equal(dw, after_a_pass(model).grads[:3])
    tn.testing.check_layer(Weighted([Dense(3, "tanh")]), 3)


@pytest.mark.parametrize("last", ["identity", "tanh"])
def test_one_array_for_the_gradients_of_an_identity(last):
    """What a block gets as dZ is dA of its last layer and, with the identity, dZ of that."""
    model = after_a_pass(network(Residual([Dense(4), Dense(3, last)]), inputs=3))
    assert model.dA[1, 2] is model.dZ[1]
    assert (model.dZ[1, 2] is model.dA[1, 2]) == (last == "identity")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("m", [1, 5])
def test_any_layout_and_any_number_of_examples(dtype, m):
    """A transposed X and one example give what a copy and the first of many give."""
    block = Residual([Branches([[Dense(2, "tanh")], [Residual([Dense(3)]), Dense(1)]])])
    model = network(block, Dense(2), inputs=3, dtype=dtype)
    rows = np.random.default_rng(1).standard_normal((m, 3)).astype(dtype)
    A = model.forward(np.ascontiguousarray(rows.T)).copy()
    equal(A, model.forward(rows.T))
    close(A[:, :1], model.forward(rows.T[:, :1]), rtol=1e-5)
    model.back(np.zeros((2, 1)), input_gradient=True)
    assert model.dA[0].dtype == dtype


# Descriptions


@pytest.mark.parametrize("layer", [
    Residual([Dense(3), Dropout(0.5)]), Residual(["flatten"], activation="relu"),
    Branches([[Dense(3)], [Residual([Dense(3)])]], join="add"), Bidirectional(Dense(2)),
    Branches(([Dense(2, "elu")],), activation={"name": "leaky_relu", "slope": 0.1}),
], ids=repr)  # fmt: skip
def test_descriptions(layer):
    """A layer comes back from its config and from what it prints, equal and with one hash."""
    copies = [Layer.get(layer.config()), attrs.evolve(layer)]
    for copied in copies:
        assert layer == copied
        assert hash(layer) == hash(copied)
    names = {name: getattr(of, name) for of in (tn, tn.activations) for name in of.__all__}
    assert layer == eval(repr(layer), names)
    assert layer != attrs.evolve(layer, activation="softplus")


def test_names_configs_and_instances():
    """A chain may be a list, a tuple or an iterator of layers, names and configs."""
    chain = ("flatten", {"name": "dense", "units": 3}, Dropout(0.5))
    expected = (Flatten(), Dense(3), Dropout(0.5))
    for layers in (chain, list(chain), iter(chain)):
        assert expected == Residual(layers).layers
    assert (expected, expected) == Branches([chain, list(chain)]).branches
    assert Bidirectional("flatten").layer == Flatten()
    assert Layer.get("residual", layers=chain) == Residual(expected)


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda: Residual(Dense(3)), TypeError, ["layers is Dense(units=3", "Use [Dense(units=3"]),
    (lambda: Residual("dropout"), TypeError, ["layers is 'dropout'", "Use ['dropout']"]),
    (lambda: Residual(3), TypeError, ["layers is 3, expected a list of layers"]),
    (lambda: Residual([]), ValueError, ["layers is empty", '[Activate("identity")]']),
    (lambda: Residual([Dense]), TypeError, ["Pass an instance: Dense(units=...)"]),
    (lambda: Residual(["dens"]), UnknownNameError, ["'dens'", "dense"]),
    (lambda: Branches(Dense(3)), TypeError, ["branches is Dense(", "Use [[Dense("]),
    (lambda: Branches("dense"), TypeError, ["branches is 'dense'", "Use [['dense']]"]),
    (lambda: Branches([Dense(3)]), TypeError, ["branch 1 is Dense(", "Use [Dense("]),
    (lambda: Branches([]), ValueError, ["branches is empty", "Branches([[...], [...]])"]),
    (lambda: Branches([[Dense(3)], []]), ValueError,
     ["branch 2 is empty", 'returns its input, use [Activate("identity")].']),
    (lambda: Branches([[Dense(3)]], join="mean"), ValueError,
     ["join is 'mean'", "'concatenate' or 'add'"]),
    (lambda: Bidirectional([Dense(3)]), TypeError, ["[Dense(", "not the name, config or instance"]),
])  # fmt: skip
def test_refused_settings(make, error, words):
    """A layer that cannot be made says which chain is wrong, and what to write."""
    with raises(error, *words):
        make()


# What is refused for an input, the words of the error, and what it says to write.
MISFITS = {
    "a residual of more units": (
        Residual([Dense(4)]), 3,
        ["A_prev is (3, m)", "layers return (4, m)", "End the layers with Dense(3)"],
        Residual([Dense(4), Dense(3)])),
    "a residual of more channels": (
        Residual([Dense(5)]), (2, 3, 4),
        ["A_prev is (2, 3, 4, m)", "layers return (5, 3, 4, m)", "End the layers with Dense(2)"],
        Residual([Dense(5), Dense(2)])),
    "a residual and a layer on the shortcut": (
        Residual([Dense(4)]), 3,
        ['Or put a layer on the shortcut, too: Branches([[...], [...]], join="add").'],
        Branches([[Dense(4)], [Dense(4)]], join="add")),
    "a residual of columns": (
        Residual([Reshape((4, 3))]), 12, ["(4, 3, m)", "with Flatten(), Dense(12)."],
        Residual([Reshape((4, 3)), Flatten(), Dense(12)])),
    "a residual of images": (
        Residual([Flatten(), Dense(2)]), (2, 3, 2),
        ["(2, 3, 2, m)", "(2, m)", "End the layers with Flatten(), Dense(12), Reshape((2, 3, 2))"],
        Residual([Flatten(), Dense(2), Flatten(), Dense(12), Reshape((2, 3, 2))])),
    "a residual of sequences": (
        Residual([SimpleRNN(2)]), (2, 3), ["(2, 3, m)", "(2, m)", "sequences=True"],
        Residual([SimpleRNN(2, sequences=True)])),
    "a residual of other steps": (
        Residual([SimpleRNN(2, sequences=True), Reshape((6, 1))]), (4, 3),
        ["(4, 3, m)", "(6, 1, m)", "End the layers with Flatten(), Dense(12), Reshape((4, 3))"],
        Residual([SimpleRNN(2, True), Flatten(), Dense(12), Reshape((4, 3))])),
    "a residual of a convolution": (
        Residual([Conv2D(2)]), (2, 6, 5),
        ["(2, 4, 3, m)", 'In the layers, padding="same" and stride=1 keep the axes'],
        Residual([Conv2D(2, padding="same", stride=1)])),
    "added branches": (
        Branches([[Dense(4)], [Dense(2)]], join="add"), 3,
        ["Branch 1 gives (4, m) and branch 2 (2, m)", "one shape to add", "branch 2 with Dense(4)"],
        Branches([[Dense(4)], [Dense(2), Dense(4)]], join="add")),
    "images beside columns": (
        Branches([[Dense(4)], [Reshape((3, 1))]]), 3,
        ["(4, m) and branch 2 (3, 1, m), expected the same axes after the first to concatenate",
         "branch 2 with Flatten()"],
        Branches([[Dense(4)], [Reshape((3, 1)), Flatten()]])),
    "columns beside images": (
        Branches([[Reshape((3, 1))], [Dense(4)]]), 3, ["End branch 1 with Flatten()"],
        Branches([[Reshape((3, 1)), Flatten()], [Dense(4)]])),
    "images of two sizes": (
        Branches([[Reshape((3, 2))], [Reshape((2, 3))]]), 6,
        ["End branch 2 with Flatten(), Dense(6), Reshape((3, 2))"],
        Branches([[Reshape((3, 2))], [Reshape((2, 3)), Flatten(), Dense(6), Reshape((3, 2))]])),
    "convolutions of two sizes": (
        Branches([[Conv2D(2)], [Conv2D(3, 1, stride=2)]]), (2, 6, 5),
        ["(2, 4, 3, m) and branch 2 (3, 3, 3, m)",
         'Use padding="same" and equal strides in branches 1 and 2.'],
        Branches([[Conv2D(2, padding="same")], [Conv2D(3, 1, padding="same")]])),
    "one convolution, in branch 1": (
        Branches([[Conv2D(2)], [Dense(3)]]), (2, 6, 5),
        ["(2, 4, 3, m) and branch 2 (3, 6, 5, m)", 'padding="same" and equal strides in branches'],
        Branches([[Conv2D(2, padding="same")], [Dense(3)]])),
    "one convolution, in branch 2": (
        Branches([[Dense(3)], [Conv2D(2)]]), (2, 6, 5),
        ["(3, 6, 5, m) and branch 2 (2, 4, 3, m)", 'padding="same" and equal strides in branches'],
        Branches([[Dense(3)], [Conv2D(2, padding="same")]])),
    "added convolutions of other units": (
        Branches([[Conv2D(2)], [Conv2D(3)]], join="add"), (2, 6, 5),
        ["(2, 4, 3, m) and branch 2 (3, 4, 3, m)", "End branch 2 with Dense(2)"],
        Branches([[Conv2D(2)], [Conv2D(3), Dense(2)]], join="add")),
    "columns in time": (
        Bidirectional(SimpleRNN(1)), 4, ["has shape (4, m), expected (n, T, m)", "X[np.newaxis]"],
        Branches([[Reshape((1, -1)), Bidirectional(SimpleRNN(1))]])),
    "images in time": (
        Bidirectional(SimpleRNN(1)), (3, 2, 2), ["has shape (3, 2, 2, m)", "Put Reshape((3, -1))"],
        Branches([[Reshape((3, -1)), Bidirectional(SimpleRNN(1))]])),
}  # fmt: skip


@pytest.mark.parametrize("name", MISFITS)
def test_refused_shapes(name):
    """What does not fit is refused by its path, with both shapes and what to write, which works."""
    layer, inputs, words, fixed = MISFITS[name]
    with raises(ShapeError, f"layer 1 ({type(layer).__name__}): ", *words):
        network(layer, inputs=inputs)
    kind = type(layer).__name__
    with raises(ShapeError, f"layer 2.2.1.1 ({kind}): ", *words) as caught:
        network(IDENTITY, Branches([[IDENTITY], [Branches([[layer]])]]), inputs=inputs)
    assert str(caught.value).count("layer 2") == 1, "the layers around it are not named"
    after_a_pass(network(fixed, inputs=inputs))
