"""Modules of PyTorch as people write them, custom classes, and what is refused with a remedy."""

import copy
import gc
import weakref
from collections import OrderedDict

import attrs
import numpy as np
import pytest
from formulas import FORMULAS_OF_USERS, formula
from messages import raises

import tinynet as tn
from tinynet import Dense, Sequential
from tinynet.errors import ConversionError, ShapeError

torch = pytest.importorskip("torch", reason="an extra is not installed")
nn = torch.nn
functional = nn.functional

M = 6  # examples


def drawn(make, seed=1):
    """Return a new module with random arrays, also those that start at 0 or 1."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = make()
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                changed = tensor + 0.2 * torch.randn(tensor.shape).to(tensor.dtype)
                tensor.copy_(changed.abs() if "running_var" in name else changed)
        return module


def rows_for(shape, dtype=torch.float32):
    """Return random examples as PyTorch has them."""
    return torch.from_numpy(np.random.default_rng(1).standard_normal((M, *shape))).to(dtype)


def expect_same(module, shape, inputs=None, tolerance=1e-6, dtype=torch.float32):
    """Expect the model of a module to compute what the module does, and return the model."""
    X = rows_for(shape, dtype)
    model = tn.exchange.from_torch(module, inputs=inputs)
    with torch.no_grad():
        A = copy.deepcopy(module).eval()(X.clone()).numpy()
    found = np.moveaxis(model.predict(np.moveaxis(X.numpy(), 0, -1)), -1, 0)
    assert found.shape == A.shape
    np.testing.assert_allclose(found, A, rtol=0, atol=tolerance * max(1, np.abs(A).max()))
    return model


def repeated():
    """Return a chain that has two modules twice."""
    linear, relu = nn.Linear(4, 4), nn.ReLU()
    return nn.Sequential(linear, relu, linear, relu)


class Block(nn.Sequential):
    """A chain with a name, as in many networks."""

    def __init__(self, n_prev, n):
        super().__init__(
            nn.Conv2d(n_prev, n, 3, padding=1), nn.BatchNorm2d(n), nn.ReLU(inplace=True)
        )


class Named(nn.Linear):
    """A linear module by another name."""


def convnet():
    """Return a small network for images."""
    return nn.Sequential(
        Block(3, 4), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding="same", dilation=2, groups=2, bias=False), nn.GELU(),
        nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Dropout(0.2), nn.Linear(6, 2),
    )  # fmt: skip


IMAGES = (3, 7, 6)
PLAIN = {  # what makes a module, the shape of an example, and whether inputs do not follow
    "one module": (lambda: nn.Linear(4, 3), (4,), False),
    "mlp": (lambda: nn.Sequential(
        nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2), nn.Softmax(dim=1)), (4,), False),
    "no bias": (lambda: nn.Sequential(nn.Linear(4, 3, bias=False), nn.Tanh()), (4,), False),
    "activation first": (lambda: nn.Sequential(nn.Tanh(), nn.Linear(4, 3)), (4,), False),
    "nested": (lambda: nn.Sequential(nn.Sequential(
        nn.Linear(4, 3), nn.Sequential(nn.ReLU())), nn.Sequential(), nn.Linear(3, 2)), (4,), False),
    "named": (lambda: nn.Sequential(OrderedDict(
        first=nn.Linear(4, 3), act=nn.SiLU(), last=nn.Linear(3, 2))), (4,), False),
    "used twice": (repeated, (4,), False),
    "subclass": (lambda: nn.Sequential(Named(4, 3), nn.ReLU()), (4,), False),
    "identity": (lambda: nn.Sequential(nn.Identity()), (4,), True),
    "convnet": (convnet, IMAGES, True),
    "conv": (lambda: nn.Conv2d(3, 4, (3, 2), (2, 1), (0, 1)), IMAGES, True),
    "conv valid": (lambda: nn.Conv2d(3, 6, 2, padding="valid", groups=3), IMAGES, True),
    "conv1d": (lambda: nn.Conv1d(3, 4, 3, 2, 1), (3, 7), True),
    "conv1d same": (lambda: nn.Conv1d(3, 4, 3, padding="same"), (3, 7), True),
    "average of images": (lambda: nn.AdaptiveAvgPool2d(1), IMAGES, True),
    "average in time": (lambda: nn.Sequential(
        nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(3, 2)), (3, 7), True),
    "averages in two chains": (lambda: nn.Sequential(
        nn.Sequential(nn.AdaptiveAvgPool2d(1)), nn.Flatten(1)), IMAGES, True),
    "averages with relu": (lambda: nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.ReLU(), nn.Flatten()), IMAGES, True),
    "batch norm": (lambda: nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2)), (4,), False),
    "batch norm in time": (lambda: nn.BatchNorm1d(4, 0.01, 0.2), (4, 5), True),
    "batch norm alone": (lambda: nn.BatchNorm2d(3, affine=False), IMAGES, True),
    "layer norm": (lambda: nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 2)), (4,), False),
    "layer norm alone": (lambda: nn.LayerNorm(4, elementwise_affine=False), (4,), False),
    "layer norm, no bias": (lambda: nn.LayerNorm(4, 0.01, bias=False), (4,), False),
    "layer norm of examples": (lambda: nn.LayerNorm([3, 7, 6]), IMAGES, False),
    "max": (lambda: nn.MaxPool2d((3, 2), (2, 1), (1, 0)), IMAGES, True),
    "average": (lambda: nn.AvgPool2d(2, 1), IMAGES, True),
    "average, padded": (lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False), IMAGES, True),
    "unflatten": (lambda: nn.Sequential(
        nn.Linear(4, 12), nn.Unflatten(1, (3, 2, 2)), nn.Conv2d(3, 2, 2)), (4,), False),
    "unflatten last": (lambda: nn.Unflatten(-1, (2, -1)), (4,), True),
    "dropout": (lambda: nn.Sequential(nn.Dropout(0.1), nn.Linear(4, 2)), (4,), False),
    "dropout of channels": (lambda: nn.Dropout2d(0.1), IMAGES, True),
    "prelu": (lambda: nn.Sequential(nn.Linear(4, 3), nn.PReLU()), (4,), False),
    "prelu of units": (lambda: nn.Sequential(nn.Linear(4, 3), nn.PReLU(3)), (4,), False),
    "softmax over channels": (lambda: nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.Softmax2d(), nn.Softmax(-3)), IMAGES, True),
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_plain_modules(name):
    """A model computes what a module does that somebody wrote."""
    make, shape, is_needed = PLAIN[name]
    module = drawn(make)
    expect_same(module, shape, shape)
    if is_needed:
        with raises(ShapeError, "shape of an example does not follow", "inputs=(3, 32, 32)"):
            tn.exchange.from_torch(module)
    else:
        expect_same(module, shape)
    if any(tensor.is_floating_point() for tensor in module.state_dict().values()):
        model = expect_same(module.double(), shape, shape, 1e-12, torch.float64)
        assert model.dtype == np.float64


ACTIVATIONS = [
    nn.ReLU(inplace=True), nn.LeakyReLU(0.3), nn.ELU(0.7), nn.SELU(), nn.CELU(1.5), nn.GELU(),
    nn.GELU("tanh"), nn.SiLU(), nn.Mish(), nn.Sigmoid(), nn.Tanh(), nn.Softplus(), nn.Softsign(),
    nn.Hardsigmoid(), nn.Hardswish(), nn.ReLU6(), nn.Hardtanh(0, 6), nn.Hardtanh(0.0, 6.0),
    nn.Softmax(dim=1), nn.Softmax(dim=-1), nn.Identity(),
]  # fmt: skip


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_plain_activations(activation):
    """An activation of PyTorch belongs to the layer before it."""
    model = expect_same(drawn(lambda: nn.Sequential(nn.Linear(4, 3), activation)), (4,))
    assert len(model.layers) == 1


def test_layers_of_a_convnet():
    """Layers have the settings that a person would write here."""
    g = tn.activations
    assert tn.exchange.from_torch(convnet(), inputs=IMAGES).layers == (
        tn.Conv2D(4, 3, padding=1), tn.BatchNorm(activation="relu"), tn.MaxPool2D(2),
        tn.Conv2D(6, 3, g.GELU(), padding="same", dilation=2, groups=2), tn.GlobalAveragePool(),
        tn.Dropout(0.2), Dense(2),
    )  # fmt: skip


def test_images_to_flatten():
    """Columns follow from a linear module behind nn.Flatten; images have to be asked for."""
    module = drawn(lambda: nn.Sequential(nn.Flatten(), nn.Linear(126, 2)))
    assert expect_same(module, IMAGES, IMAGES).inputs == IMAGES
    assert expect_same(module, (126,)).inputs == (126,)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    """Numbers of half precision become float32, and lose nothing."""
    module = drawn(PLAIN["mlp"][0]).to(dtype)
    model = tn.exchange.from_torch(module)
    assert model.dtype == np.float32
    expected = tn.exchange.from_torch(copy.deepcopy(module).float())
    np.testing.assert_array_equal(model.params, expected.params)


def test_a_model_to_train():
    """A model has its loss, and arrays of its own."""
    module = drawn(lambda: nn.Sequential(nn.Linear(4, 1), nn.Sigmoid()))
    model = tn.exchange.from_torch(module, loss="binary_crossentropy")
    assert model.loss == tn.Loss.get("binary_crossentropy")
    before = copy.deepcopy(module.state_dict())
    model.params[:] = 7
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def state_of_torch():
    """Return what a conversion must leave as it is."""
    return (
        torch.get_rng_state().tolist(), torch.get_default_dtype(), torch.get_num_threads(),
        torch.is_grad_enabled(), torch.get_default_device(),
    )  # fmt: skip


def test_nothing_changes():
    """Conversions change neither the module nor PyTorch's random numbers or settings."""
    module = drawn(convnet).train()
    module(rows_for(IMAGES)).sum().backward()
    arrays = copy.deepcopy(module.state_dict())
    grads = [p.grad.clone() for p in module.parameters()]
    before = state_of_torch()
    model = tn.exchange.from_torch(module, inputs=IMAGES)
    params = model.params.copy()
    tn.exchange.to_torch(model)
    assert before == state_of_torch()
    assert all(child.training for child in module.modules())
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, arrays[name]), name
    for p, grad in zip(module.parameters(), grads, strict=True):
        assert p.requires_grad, "a parameter is frozen"
        assert torch.equal(p.grad, grad)
    np.testing.assert_array_equal(params, model.params)


def test_other_defaults():
    """A model's dtype and the CPU count, and not what PyTorch makes modules with."""
    model = Sequential([Dense(3, "relu"), tn.BatchNorm()], inputs=2, dtype="float32")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        module = tn.exchange.to_torch(model)
    finally:
        torch.set_default_dtype(before)
        torch.set_default_device(None)
    kinds = {(p.dtype, p.device.type) for p in module.parameters()}
    assert kinds == {(torch.float32, "cpu")}


def test_training_goes_on():
    """In training mode a module has the gradients and the running statistics of its model."""
    layers = [Dense(4, "tanh"), tn.BatchNorm(activation="relu"), Dense(1, "sigmoid")]
    model = Sequential(layers, "binary_crossentropy", inputs=3, dtype="float64", seed=1)
    rng = np.random.default_rng(1)
    X, Y = rng.standard_normal((3, 8)), rng.integers(2, size=(1, 8)).astype(float)
    module = tn.exchange.to_torch(model).train()
    A = module(torch.from_numpy(X.T))
    functional.binary_cross_entropy(A, torch.from_numpy(Y.T)).backward()
    model.forward(X, training=True)
    model.back(Y)
    expected = [model.dW[1], model.db[1], *[model.caches[1].dgamma, model.caches[1].dbeta]]
    expected += [model.dW[3], model.db[3], model.caches[1].running_variance]
    found = [*[p.grad for p in module.parameters()], module[2].running_var]
    for theirs, ours in zip(found, expected, strict=True):
        np.testing.assert_allclose(theirs.numpy().ravel(), ours.ravel(), rtol=0, atol=1e-12)


# Custom classes.


class OwnSwish(tn.Activation):
    """An activation of three lines."""

    def forward(self, Z):
        return Z / (1 + np.exp(-Z))


class Doubling(tn.Activation):
    """An activation that has a converter."""

    def forward(self, Z):
        return 2 * Z


@attrs.frozen
class Scale(tn.Layer):
    """Z = scale · A_prev, with a parameter and a state."""

    def parameters(self, input_shape):
        return {"scale": tn.Parameter((input_shape[0], 1), tn.Initializer.get("normal"))}

    def state(self, input_shape):
        return {"shift": tn.Parameter((input_shape[0], 1), tn.Initializer.get("normal"))}

    def forward(self, A_prev, cache):
        return A_prev * cache.scale + cache.shift

    def back(self, dZ, cache):
        cache.dscale = (dZ * cache.A_prev).mean(axis=1, keepdims=True)
        return dZ * cache.scale


class TorchScale(nn.Module):
    """The module of `Scale`."""

    def __init__(self, shape):
        super().__init__()
        self.scale = nn.Parameter(torch.empty(shape))
        self.register_buffer("shift", torch.empty(shape))

    def forward(self, X):
        return X * self.scale[:, 0] + self.shift[:, 0]


@attrs.frozen(slots=False)
class Weighted(tn.layers.Composite):
    """Z = share · what a chain makes of A_prev."""

    def parameters(self, input_shape):
        return {"share": tn.Parameter((1, 1), tn.Initializer.get("normal"))}

    def output_shape(self, input_shape):
        return self.chain_output_shapes(input_shape)[0]

    def forward(self, A_prev, cache):
        return cache.share * cache.chains[0].forward(A_prev)

    def back(self, dZ, cache):
        raise NotImplementedError


class TorchWeighted(nn.Sequential):
    """The module of `Weighted`."""

    def __init__(self, *modules):
        super().__init__(*modules)
        self.share = nn.Parameter(torch.empty(1, 1))

    def forward(self, X):
        return self.share * super().forward(X)


@attrs.frozen(slots=False)
class Product(tn.Layer):
    """Z = the product of what two chains make of A_prev."""

    one: tuple = tn.layers.chain_field()
    other: tuple = tn.layers.chain_field()

    @property
    def chains(self):
        return self.one, self.other

    def output_shape(self, input_shape):
        return self.chain_output_shapes(input_shape)[0]

    def forward(self, A_prev, cache):
        return cache.chains[0].forward(A_prev) * cache.chains[1].forward(A_prev)

    def back(self, dZ, cache):
        raise NotImplementedError


class TorchProduct(nn.Sequential):
    """The module of `Product`."""

    def forward(self, X):
        one, other = self
        return one(X) * other(X)


@pytest.fixture
def converters():
    """Give the converters of custom classes to a test, and take them back."""
    registries = [
        tn.exchange.torch_layer, tn.exchange.torch_activation, tn.exchange.torch_module,
    ]  # fmt: skip

    @tn.exchange.torch_activation.register
    def _(activation: Doubling):
        return TorchDoubling()

    @tn.exchange.torch_module.register
    def _(module: TorchDoubling, chains):
        return Doubling()

    @tn.exchange.torch_layer.register
    def _(layer: Scale, placed, chains):
        return TorchScale(placed.arrays["scale"].shape)

    @tn.exchange.torch_module.register
    def _(module: TorchScale, chains):
        return Scale()

    @tn.exchange.torch_layer.register
    def _(layer: Weighted, placed, chains):
        return TorchWeighted(*chains[0])

    @tn.exchange.torch_module.register
    def _(module: TorchWeighted, chains):
        return Weighted(chains[0])

    @tn.exchange.torch_layer.register
    def _(layer: Product, placed, chains):
        return TorchProduct(*chains)

    @tn.exchange.torch_module.register
    def _(module: TorchProduct, chains):
        return Product(*chains)

    return registries


class TorchDoubling(nn.Module):
    """The module of `Doubling`."""

    def forward(self, X):
        return 2 * X


@pytest.mark.usefixtures("converters")
def test_custom_classes():
    """Three lines register a custom class, in both directions."""
    layers = [
        Scale(activation=Doubling()), Weighted([Dense(3, "relu"), Scale(), Dense(2)]),
        Product([Dense(3, Doubling())], [Scale(), Dense(3)], activation="tanh"), Dense(1),
    ]  # fmt: skip
    model = Sequential(layers, inputs=3, dtype="float64", seed=1)
    X = np.random.default_rng(1).standard_normal((3, M))
    module = tn.exchange.to_torch(model)
    A = module(torch.from_numpy(X.T)).detach().numpy().T
    np.testing.assert_allclose(A, model.predict(X), rtol=0, atol=1e-12)
    names = ["0.scale", "0.shift", "2.share", "2.0.weight", "2.2.scale", "3.1.1.weight"]
    assert [name for name in names if name not in module.state_dict()] == []
    back = tn.exchange.from_torch(module, inputs=3)
    assert back.layers == model.layers
    np.testing.assert_array_equal(back.predict(X), model.predict(X))


def test_a_custom_activation():
    """A custom activation is applied to tensors, unless it has a converter, and comes back."""
    model = Sequential([Dense(2), Dense(1, OwnSwish())], inputs=3, seed=1)
    X = np.ones((3, 1), np.float32)
    assert repr(tn.exchange.to_torch(model)[2]) == "Formula(OwnSwish())"
    assert tn.exchange.from_torch(tn.exchange.to_torch(model)).layers == model.layers

    @tn.exchange.torch_activation.register
    def convert(activation: OwnSwish):
        return nn.SiLU()

    module = tn.exchange.to_torch(model)
    assert repr(module[2]) == "SiLU()"
    assert module(torch.from_numpy(X.T)).item() == pytest.approx(model.predict(X).item(), abs=1e-6)


Z = np.concatenate([np.linspace(-30, 30, 601), np.linspace(-3, 3, 301), [0.0, -0.0, 1e-7]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMULAS_OF_USERS)
def test_formulas(name, dtype):
    """What a forward does to arrays, a module does to tensors."""
    layer = tn.Activate(formula(FORMULAS_OF_USERS[name]))
    model = Sequential([layer], inputs=3, dtype=dtype)
    X = np.stack([Z, Z[::-1], Z / 7]).astype(dtype)
    A = tn.exchange.to_torch(model)(torch.from_numpy(X.T.copy())).numpy().T
    assert A.dtype == X.dtype
    tolerance = 2e-6 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(A, model.predict(X), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["swish", "mish with logaddexp", "where", "logarithms", "angles"])
def test_slopes_of_formulas(name):
    """PyTorch differentiates the module as dual numbers differentiate the formula."""
    activation = formula(FORMULAS_OF_USERS[name])
    X = torch.linspace(-2.9, 3, 60, dtype=torch.float64)[:, None].requires_grad_()
    tn.exchange.to_torch(Sequential([tn.Activate(activation)], inputs=1, dtype="float64"))(
        X
    ).sum().backward()
    Z = X.detach().numpy().T
    dZ = activation.back(np.ones_like(Z), Z, activation.forward(Z))
    np.testing.assert_allclose(X.grad.numpy().T, dZ, rtol=0, atol=1e-12)


def test_a_formula_keeps_no_tensors():
    """What a formula makes is freed with its result, without a garbage collector."""
    module = tn.exchange.to_torch(Sequential([tn.Activate(formula(lambda Z: Z * 2))], inputs=3))
    X = torch.ones(4, 3)
    freed = weakref.ref(X)
    gc.disable()
    try:
        with torch.no_grad():
            A = module(X)
        del X
        assert freed() is None, "X is alive"
    finally:
        gc.enable()
    assert A.tolist() == [[2.0] * 3] * 4


def test_what_cannot_be_applied_to_tensors():
    """A forward that mixes units is refused with its line, and the remedy works."""

    class Centered(tn.Activation):
        def forward(self, Z):
            return Z - Z.mean(axis=0)

    model = Sequential([Dense(2), Dense(3, Centered())], inputs=3, seed=1)
    words = ["Layer 2 (Dense): Centered() has no counterpart", "its forward uses Z.mean", "in line"]
    words += ["@tn.exchange.torch_activation.register above def convert(activation: Centered)"]
    with raises(ConversionError, *words):
        tn.exchange.to_torch(model)


@pytest.mark.parametrize("shape", [(5,), (5, 2), (5, 2, 3)])
def test_a_formula_with_a_number_for_each_unit(shape):
    """An array in a formula fits the units of the layer, also where examples have positions."""
    slopes = np.arange(5.0).reshape(5, *[1] * len(shape))
    activation = formula(lambda Z: np.maximum(Z, slopes * Z))
    model = Sequential([tn.Activate(activation)], inputs=shape, dtype="float64")
    X = np.random.default_rng(1).standard_normal((*shape, 4))
    A = tn.exchange.to_torch(model)(torch.from_numpy(np.moveaxis(X, -1, 0).copy()))
    np.testing.assert_allclose(np.moveaxis(A.numpy(), 0, -1), model.predict(X), atol=1e-12)


def test_a_formula_that_looks_at_the_kind_of_its_input():
    """A planted fault: a formula whose result is another one for tensors is refused."""
    activation = formula(lambda Z: Z if type(Z) is np.ndarray else 2 * Z)
    model = Sequential([Dense(1, activation)], inputs=2)
    with raises(ConversionError, "Layer 1 (Dense)", "gives other numbers with tensors"):
        tn.exchange.to_torch(model)


def test_a_formula_of_no_array():
    """The line that is shown for a formula is never one of PyTorch."""
    model = Sequential([Dense(1, formula(lambda Z: 2.0))], inputs=2)
    with raises(ConversionError, "which does not have the shape of Z") as caught:
        tn.exchange.to_torch(model)
    assert "forward_call" not in str(caught.value)


def test_the_input_of_a_formula_stays():
    """A formula that writes into its input does not write into the tensor of a user."""

    def clipped(Z):
        Z[Z < 0] = 0
        return Z

    model = Sequential([tn.Activate(formula(clipped))], inputs=2)
    X = torch.tensor([[-1.0, 2.0]])
    assert tn.exchange.to_torch(model)(X).tolist() == [[0, 2]]
    assert X.tolist() == [[-1, 2]]
