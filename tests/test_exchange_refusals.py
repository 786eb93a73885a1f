"""What has no counterpart in PyTorch or here is refused by name, and the remedies work."""

import attrs
import numpy as np
import pytest
from messages import raises
from test_exchange_modules import IMAGES, Scale, drawn, expect_same

import tinynet as tn
from tinynet import Dense, Sequential
from tinynet.errors import ConversionError, NonFiniteError, NotBuiltError, ShapeError

torch = pytest.importorskip("torch", reason="an extra is not installed")
nn = torch.nn
utils, prune = nn.utils, pytest.importorskip("torch.nn.utils.prune")


def from_torch(module, inputs=None):
    return tn.exchange.from_torch(module, inputs=inputs)


def then(module, change):
    """Return a module after a change of it."""
    change(module)
    return module


class Net(nn.Module):
    """A module whose forward is code."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 3), nn.ReLU())

    def forward(self, X):
        return self.layers(X)


class Halved(nn.Linear):
    """A linear module with another forward."""

    def forward(self, X):
        return super().forward(X) / 2


class Called(nn.Linear):
    """A linear module that does more when it is called."""

    def __call__(self, X):
        return super().__call__(X) / 2


class Backwards(nn.Sequential):
    """A chain in another order."""

    def forward(self, X):
        for module in reversed([*self]):
            X = module(X)
        return X


class Scaled(nn.Linear):
    """A linear module with one more parameter."""

    def __init__(self):
        super().__init__(4, 3)
        self.scale = nn.Parameter(torch.ones(3))


def linear():
    return nn.Linear(4, 3)


LAST = "has the features of sequences last, expected (m, n, T)"
REFUSED = {  # a module, the shape of an example, words, and what comes of the remedy, or None
    "custom": (lambda: nn.Sequential(Net()), 4, [
        "Module 0 (Net): What forward of Net computes cannot be read, expected an nn.Sequential",
        "above def convert(module: Net, chains)"], lambda: nn.Sequential(Net().layers)),
    "unknown": (lambda: nn.Sequential(linear(), nn.GLU()), 4, [
        "Module 1 (GLU): GLU(dim=-1) has no counterpart in tinynet",
        "@tn.exchange.torch_module.register above def convert(module: GLU"], None),
    "alone": (lambda: nn.Bilinear(4, 4, 3), 4, ["The module (Bilinear): Bilinear("], None),
    "wrapped": (lambda: nn.Sequential(nn.DataParallel(linear())), 4, [
        "It calls another module", 'module.get_submodule("0").module in its place'],
        lambda module: setattr(module, "0", module.get_submodule("0").module)),
    "compiled": (lambda: torch.compile(linear()), 4, [
        "The module (OptimizedModule)", "Use module._orig_mod"], linear),
    "quantized": (lambda: nn.Sequential(torch.ao.nn.quantized.Linear(4, 3)), 4, [
        "Module 0 (Linear): It is quantized"], lambda: nn.Sequential(linear())),
    "none": (lambda: then(nn.Sequential(), lambda module: module.add_module("x", None)), 4, [
        "Module x (NoneType): It is None, expected a torch.nn.Module", "Leave it out"], linear),
    "eighths": (lambda: linear().to(torch.float8_e4m3fn), 4, [
        "weight has dtype float8_e4m3fn", "module.float()"], lambda module: module.float()),
    "another forward": (lambda: nn.Sequential(Halved(4, 3)), 4, [
        "Module 0 (Halved): Halved(", "no counterpart"], None),
    "another call": (lambda: Called(4, 3), 4, ["defines __call__, expected forward"], None),
    "another order": (lambda: Backwards(linear()), 4, ["What forward of Backwards"], None),
    "a forward of its own": (
        lambda: then(linear(), lambda module: setattr(module, "forward", torch.relu)), 4,
        ["its forward was replaced", "del module.forward"], linear),
    "more arrays": (lambda: nn.Sequential(Scaled()), 4, [
        "It has scale, expected weight, bias"], None),
    "a hook": (lambda: nn.Sequential(then(linear(), lambda module: (
        module.register_forward_hook(lambda *_: None)))), 4, [
        "Module 0 (Linear): It has a forward hook", "remove()"], None),
    "a hook before": (lambda: then(nn.Sequential(linear()), lambda module: (
        module.register_forward_pre_hook(lambda *_: None))), 4, [
        "The module (Sequential): It has a forward hook"], None),
    "weight_norm": (lambda: nn.Sequential(utils.parametrizations.weight_norm(linear())), 4, [
        "Module 0 (Linear): Its weight is computed by a parametrization",
        'torch.nn.utils.parametrize.remove_parametrizations(module.get_submodule("0"), \'weight\')',
    ], lambda module: utils.parametrize.remove_parametrizations(
        module.get_submodule("0"), "weight")),
    "spectral_norm": (lambda: nn.Sequential(utils.spectral_norm(linear())), 4, [
        "computed by a hook, SpectralNorm",
        'torch.nn.utils.remove_spectral_norm(module.get_submodule("0"), \'weight\')',
    ], lambda module: utils.remove_spectral_norm(module.get_submodule("0"), "weight")),
    "pruned": (lambda: prune.l1_unstructured(linear(), "bias", 1), 4, [
        "its bias is computed by a hook, BasePruningMethod",
        "torch.nn.utils.prune.remove(module, 'bias')",
    ], lambda module: prune.remove(module, "bias")),
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(3)), 4, [
        "Module 0 (LazyLinear): It is lazy", "Call the module once with an X"],
        lambda module: module(torch.ones(1, 4))),
    "lazy batch norm": (lambda: nn.Sequential(nn.LazyBatchNorm1d()), 4, ["it is lazy"],
        lambda module: module(torch.ones(2, 4))),
    "no numbers": (lambda: nn.Linear(4, 3, device="meta"), 4, ['on the device "meta"'], None),
    "scripted": (lambda: torch.jit.trace(linear(), torch.ones(1, 4)), 4, [
        "compiled by TorchScript"], linear),
    "complex": (lambda: nn.Linear(4, 3, dtype=torch.complex64), 4, [
        "dtype complex64, expected float32 or float64"], None),
    "two dtypes": (lambda: nn.Sequential(linear(), nn.Linear(3, 2).double()), 4, [
        "0.weight is float32 and 1.weight is float64, expected one dtype", "module.double()"],
        lambda module: module.double()),
    "circular": (lambda: nn.Conv2d(3, 2, 3, padding=1, padding_mode="circular"), IMAGES, [
        "padding_mode is 'circular', expected 'zeros'", "padding_mode='zeros'"],
        lambda: nn.Conv2d(3, 2, 3, padding=1, padding_mode="zeros")),
    "ceil_mode": (lambda: nn.MaxPool2d(2, ceil_mode=True), IMAGES, [
        "ceil_mode is True, expected False"], lambda: nn.MaxPool2d(2, ceil_mode=False)),
    "dilation": (lambda: nn.MaxPool2d(2, dilation=2), IMAGES, [
        "dilation is 2, expected 1"], lambda: nn.MaxPool2d(2, dilation=1)),
    "indices": (lambda: nn.MaxPool2d(2, return_indices=True), IMAGES, [
        "return_indices is True, expected False"], None),
    "average of padding": (lambda: nn.AvgPool2d(3, padding=1), IMAGES, [
        "count_include_pad is True, expected False", "count_include_pad=False"],
        lambda: nn.AvgPool2d(3, padding=1, count_include_pad=False)),
    "divisor": (lambda: nn.AvgPool2d(3, divisor_override=5), IMAGES, [
        "divisor_override is 5, expected None"], None),
    "several averages": (lambda: nn.AdaptiveAvgPool2d((2, 1)), IMAGES, [
        "output_size is (2, 1), expected 1"], lambda: nn.AdaptiveAvgPool2d(output_size=1)),
    "no statistics": (lambda: nn.BatchNorm1d(4, track_running_stats=False), 4, [
        "no running statistics", "nn.BatchNorm1d(4)"], lambda: nn.BatchNorm1d(4)),
    "mean of batches": (lambda: nn.BatchNorm1d(4, momentum=None), 4, [
        "momentum is None, expected a number", "module.momentum = 0.1"],
        lambda module: setattr(module, "momentum", 0.1)),
    "all dropped": (lambda: nn.Dropout(1.0), 4, [
        "A setting has no counterpart", "rate is 1.0, expected"], None),
    "flatten": (lambda: nn.Flatten(2), IMAGES, ["start_dim is 2, expected 1"], None),
    "unflatten": (lambda: nn.Unflatten(2, (1, 7)), IMAGES, ["expected axis 1 of (m, n)"],
        lambda: nn.Sequential(nn.Flatten(), nn.Unflatten(1, (3, 1, 7, 6)))),
    "log softmax": (lambda: nn.LogSoftmax(dim=1), 4, [
        "no counterpart", "nn.Softmax(dim=1)"], lambda: nn.Softmax(dim=1)),
    "softmax without an axis": (lambda: nn.Softmax(), 4, [
        "dim is None, expected the axis of the units"], lambda: nn.Softmax(dim=1)),
    "softmax over steps": (lambda: nn.Softmax(dim=-1), (4, 5), [
        "dim is -1 of (m, 4, 5), expected 1"], lambda: nn.Softmax(dim=1)),
    "softmax over examples": (lambda: nn.Softmax(dim=0), 4, ["dim is 0 of (m, 4)"], None),
    "softplus": (lambda: nn.Softplus(beta=2), 4, ["beta is 2, expected 1"],
        lambda: nn.Softplus(beta=1)),
    "early softplus": (lambda: nn.Softplus(threshold=3), 4, [
        "threshold is 3, expected at least 20"], lambda: nn.Softplus()),
    "hardtanh": (lambda: nn.Hardtanh(), 4, ["min_val is -1.0, expected 0"],
        lambda: nn.Hardtanh(min_val=0, max_val=6)),
    "linear at steps": (lambda: nn.Linear(5, 3), (4, 5), [
        "It works along the last axis of (m, 4, 5), expected (m, n)", "nn.Flatten()",
        "nn.Conv1d(5, 3, 1)"], lambda: nn.Sequential(nn.Flatten(), nn.Linear(20, 3))),
    "layer norm at steps": (lambda: nn.LayerNorm(5), (4, 5), [
        "It normalizes over (5,) of (m, 4, 5), expected all axes", "nn.LayerNorm((4, 5))"],
        lambda: nn.LayerNorm((4, 5))),
    "batch norm of other axes": (lambda: nn.BatchNorm2d(4), (4, 5), [
        "It gets (m, 4, 5), expected 4 axes"], lambda: nn.BatchNorm1d(4)),
    "dropout of other axes": (lambda: nn.Dropout1d(), 4, ["It gets (m, 4), expected 3 axes"],
        lambda: nn.Dropout()),
    "lstm": (lambda: nn.Sequential(nn.LSTM(3, 2)), (3, 5), [
        "Module 0 (LSTM): nn.LSTM has the features of sequences last", "with LSTM(2)"], None),
    "embedding": (lambda: nn.Embedding(3, 2), 5, [
        f"nn.Embedding {LAST}", "with Embedding(3, 2)"], None),
    "attention": (lambda: nn.MultiheadAttention(4, 2), (4, 5), [LAST, "SelfAttention(2)"], None),
    "other features": (lambda: nn.Linear(4, 3), 5, [
        "weight has shape (3, 4), expected (3, 5)", "inputs="], None),
    "deep": (lambda: nn.Sequential(nn.Sequential(nn.Sequential(linear(), nn.GLU()))), 4, [
        "Module 0.0.1 (GLU)"], None),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # PyTorch's own, about ways that are not the newest
@pytest.mark.parametrize("name", REFUSED)
def test_refused_modules(name):
    """A module that computes something else is refused by name; the remedy works as it is typed."""
    make, inputs, words, remedy = REFUSED[name]
    module = make()
    with raises(ConversionError, *words):
        from_torch(module, inputs)
    if remedy is not None:
        remedied = remedy(module) if remedy.__code__.co_argcount else remedy()
        if not isinstance(remedied, nn.Module) or remedy.__code__.co_argcount:
            remedied = module
        shape = inputs if isinstance(inputs, tuple) else (inputs,)
        dtype = next((p.dtype for p in remedied.parameters()), torch.float32)
        expect_same(remedied, shape, shape, 1e-6, dtype)


@pytest.mark.parametrize("layer", [
    tn.Residual([tn.Activate("relu"), Dense(3)]),
    tn.Branches([[Dense(3)], [tn.Activate("relu"), Dense(3)]], join="add"),
], ids=["residual", "branches"])  # fmt: skip
def test_modules_that_write_into_x(layer):
    """A module that changes X is refused where X is used again, and taken behind an nn.Linear."""
    module = tn.exchange.to_torch(Sequential([layer], inputs=3, seed=1))
    chain = module[0] if isinstance(layer, tn.Residual) else module[0][1]
    chain[0] = nn.ReLU(inplace=True)
    with raises(ConversionError, "Module 0", "ReLU(inplace=True) within it writes into X"):
        from_torch(module, 3)
    chain[0] = nn.ReLU(inplace=False)
    chain.append(nn.ReLU(inplace=True))
    expect_same(module, (3,), inputs=3)


def test_other_things():
    """What is no module or no model is refused, and the remedy fits it."""
    with raises(TypeError, "module is int, expected a torch.nn.Module"):
        tn.exchange.from_torch(3)
    with raises(TypeError, "module is OrderedDict, expected", "load_state_dict(model, module)"):
        tn.exchange.from_torch(linear().state_dict())
    with raises(TypeError, "model is Linear, expected a model of tinynet", "from_torch(model)"):
        tn.exchange.to_torch(linear())
    with raises(TypeError, "model is Dense, expected a model of tinynet"):
        tn.exchange.to_torch(Dense(3))
    with raises(NotBuiltError, "no parameters yet"):
        tn.exchange.to_torch(Sequential([Dense(3)]))


SEQUENCES = {  # a module of PyTorch, the layer, and the shape of an example
    "rnn": (lambda: nn.RNN(3, 2, batch_first=True), tn.SimpleRNN(2, sequences=True), (3, 5)),
    "lstm": (lambda: nn.LSTM(3, 2, batch_first=True), tn.LSTM(2, sequences=True), (3, 5)),
    "gru": (lambda: nn.GRU(3, 2, batch_first=True), tn.GRU(2, sequences=True), (3, 5)),
    "embedding": (lambda: nn.Embedding(7, 2), tn.Embedding(7, 2), (5,)),
    "attention": (
        lambda: nn.MultiheadAttention(4, 2, batch_first=True), tn.SelfAttention(2), (4, 5)),
}  # fmt: skip


@pytest.mark.parametrize("name", SEQUENCES)
def test_sequences_as_pytorch_has_them(name):
    """A module that has its features last is refused, and the model of the remedy is the same."""
    make, layer, inputs = SEQUENCES[name]
    module = nn.Sequential(drawn(make))
    with raises(ConversionError, "Module 0", LAST, "load_state_dict(model, module.state_dict())"):
        from_torch(module, inputs)
    model = Sequential([layer], inputs=inputs)
    tn.exchange.load_state_dict(model, module.state_dict())
    rng = np.random.default_rng(1)
    X = rng.integers(7, size=(5, 4)) if name == "embedding" else rng.normal(size=(*inputs, 4))
    last = torch.from_numpy(X.T.copy())  # (m, T, n), or indices (m, T)
    last = last if name == "embedding" else last.float()
    A = module[0](last, last, last) if name == "attention" else module[0](last)
    A = (A[0] if isinstance(A, tuple) else A).detach().numpy()
    np.testing.assert_allclose(model.predict(X), A.T, rtol=0, atol=1e-6)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_numbers_that_no_model_has(number):
    """NaN, infinity and a variance below 0 are refused by name."""
    module = nn.Sequential(linear(), nn.BatchNorm1d(3))
    module[0].weight.data[1, 2] = number
    with raises(NonFiniteError, f"Module 0 (Linear): W[1, 2] is {number}", "finite"):
        from_torch(module)
    module[0].weight.data[1, 2] = 1
    module[1].running_var[0] = -1
    with raises(ValueError, "Module 1 (BatchNorm1d): running_variance has the number -1"):
        from_torch(module)


def test_shapes_that_do_not_fit():
    """An error about a shape names the module."""
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 9))
    with raises(ShapeError, "Module 2 (Conv2d): The input has shape (4, 5, 4, m)", "kernel="):
        from_torch(module, IMAGES)
    with raises(ConversionError, "Module 0 (Conv2d): weight has shape (4, 3, 3, 3)", "inputs="):
        from_torch(module, (5, 20, 20))


# Subclasses here.


class Doubled(Dense):
    """A dense layer with another forward."""

    def forward(self, A_prev, cache):
        return 2 * super().forward(A_prev, cache)


class Bound(Dense):
    """A dense layer that binds another forward."""

    def bind_forward(self, cache):
        forward = super().bind_forward(cache)
        return lambda A_prev, _: 2 * forward(A_prev, _)


class Shifted(tn.activations.ReLU):
    """A ReLU with another forward."""

    def forward(self, Z, out=None):
        return super().forward(Z - 1, out=out)


class Twice(tn.activations.Identity):
    """No identity any more."""

    def forward(self, Z, out=None):
        return np.multiply(Z, 2, out=out)


class Centered(tn.BatchNorm):
    """A batch normalization with other statistics."""

    def normalize(self, A_prev, cache):
        super().normalize(A_prev, cache)
        cache.std[...] = 1


class Leaking(tn.LSTM):
    """An LSTM with another step."""

    def step(self, t, cache):
        super().step(t, cache)
        cache.h[t + 1] *= 0.5


class Noisy(tn.Activate):
    """An activation layer that does something itself."""

    def forward(self, A_prev, cache):
        return A_prev + 1


class Negated(tn.Residual):
    """A residual block that subtracts."""

    def forward(self, A_prev, cache):
        return A_prev - cache.chains[0].forward(A_prev)


OTHERWISE = {
    "forward": ([Doubled(3)], 2, "Layer 1 (Doubled)"), "bind": ([Bound(3)], 2, "Bound("),
    "normalize": ([tn.Dense(2), Centered()], 2, "Layer 2 (Centered)"),
    "step": ([Leaking(3)], (2, 4), "Layer 1 (Leaking)"),
    "activate": ([Noisy("relu")], 2, "Layer 1 (Noisy)"),
    "within": ([tn.Residual([Dense(2), Bound(2)])], 2, "Layer 1.2 (Bound)"),
    "composite": ([Negated([Dense(2)])], 2, "Layer 1 (Negated)"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERWISE)
def test_subclasses_that_compute_otherwise(name):
    """A subclass with another result never leaves as its parent."""
    layers, inputs, words = OTHERWISE[name]
    model = Sequential(layers, inputs=inputs, seed=1)
    with raises(ConversionError, words, "no counterpart in PyTorch", "Register a converter"):
        tn.exchange.to_torch(model)


@pytest.mark.parametrize("activation", [Shifted(), Twice()], ids=repr)
def test_activations_that_compute_otherwise(activation):
    """An activation with another forward leaves as what that computes, and not as its parent."""
    model = Sequential([Dense(3, activation)], inputs=2, seed=1)
    X = np.random.default_rng(1).standard_normal((2, 5)).astype(np.float32)
    A = tn.exchange.to_torch(model)(torch.from_numpy(X.T)).detach().numpy().T
    np.testing.assert_allclose(A, model.predict(X), rtol=0, atol=1e-6)


class Plain(Dense):
    """A dense layer by another name, with another start."""

    range = (0, 1)

    def penalty(self, cache):
        return 0.0


class Sloped(tn.activations.ReLU):
    """A ReLU with another slope for training."""

    def back(self, dZ, Z, A, out=None):
        return dZ


def test_subclasses_that_compute_the_same():
    """A subclass that changes nothing in its result is exported as its parent."""
    layers = [Plain(3, Sloped()), tn.Activate(type("Same", (tn.activations.Identity,), {})())]
    model = Sequential([*layers, Dense(2)], inputs=2, seed=1)
    X = np.random.default_rng(1).standard_normal((2, 5)).astype(np.float32)
    module = tn.exchange.to_torch(model)
    A = module(torch.from_numpy(X.T)).detach().numpy().T
    np.testing.assert_allclose(A, model.predict(X), rtol=0, atol=1e-6)
    kinds = [type(child) for child in module]
    assert kinds == [nn.Linear, nn.ReLU, nn.Identity, nn.Linear]


def test_too_many_axes():
    """A layer that PyTorch has for fewer axes is refused, and the remedy works."""
    shape = (2, 1, 2, 1, 2)
    with raises(ConversionError, "Layer 1 (BatchNorm)", "expected at most 4 axes", "Reshape"):
        tn.exchange.to_torch(Sequential([tn.BatchNorm()], inputs=shape))
    layers = [tn.Reshape((2, -1)), tn.BatchNorm(), tn.Reshape(shape)]
    tn.exchange.to_torch(Sequential(layers, inputs=shape))


# Converters that are wrong: planted faults.


class Missing(nn.Module):
    """A module without parameters."""


class Misshapen(nn.Module):
    """A module whose parameter has the shape of PyTorch's own."""

    def __init__(self):
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))


class More(nn.Module):
    """A module with one parameter too many."""

    def __init__(self):
        super().__init__()
        for name in ("scale", "shift", "more"):
            self.register_parameter(name, nn.Parameter(torch.ones(3, 1)))


WRONG = {
    "missing": (Missing, ["Missing has no scale, shift, expected", "scale (3, 1), shift (3, 1)"]),
    "misshapen": (Misshapen, ["Misshapen has scale of shape (3,), expected (3, 1)"]),
    "more": (More, ["More has more, expected"]),
    "none": (lambda: None, ["torch_layer returned NoneType, expected a torch.nn.Module"]),
    "a function": (lambda: torch.relu, ["returned builtin", "a module whose forward calls it"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_converters(name):
    """A converter whose module has other arrays is refused, and not half filled."""
    make, words = WRONG[name]

    @attrs.frozen
    class Other(Scale, name=f"other_{name}"):
        """A layer for this test."""

    tn.exchange.torch_layer.register(Other, lambda layer, placed, chains: make())
    model = Sequential([tn.Residual([Dense(3), Other()])], inputs=3, seed=1)
    with raises(ConversionError, "Layer 1.2 (Other)", *words):
        tn.exchange.to_torch(model)


def test_wrong_converters_of_modules():
    """A converter that returns no layer is refused."""
    tn.exchange.torch_module.register(Missing, lambda module, chains: "relu")
    with raises(ConversionError, "Module 0 (Missing)", "torch_module returned 'relu', expected a"):
        from_torch(nn.Sequential(Missing()), 3)


def test_a_composite_whose_chain_is_left_out():
    """A module of layers that lacks those within is refused."""

    @attrs.frozen(slots=False)
    class Kept(tn.Residual, name="kept"):
        """A block for this test."""

        def forward(self, A_prev, cache):
            return A_prev

    tn.exchange.torch_layer.register(Kept, lambda layer, placed, chains: nn.Identity())
    with raises(ConversionError, "Layer 1 (Kept)", "Identity has no 0.bias, 0.weight, expected"):
        tn.exchange.to_torch(Sequential([Kept([Dense(3)])], inputs=3, seed=1))
