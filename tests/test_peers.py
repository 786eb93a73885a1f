"""What the pages "Coming from PyTorch" and "Coming from scikit-learn" say of losses and steps."""

import numpy as np
import pytest

import tinynet as tn

N, M = 3, 7
RNG = np.random.default_rng(1)
NUMBERS, PREDICTED = RNG.standard_normal((2, N, M))
Z, LABELS, W = RNG.standard_normal((N, M)), RNG.integers(0, N, M), RNG.random(M) + 0.1
SHARES = RNG.dirichlet(np.ones(N), M).T
YES, COUNTS = RNG.integers(0, 2, (N, M)) * 1.0, RNG.integers(0, 5, (N, M)) * 1.0

# Our loss, the activation before it, Y, PyTorch's function of (Z or A, Y), and the factor.
LOSSES = {
    "mean_squared_error": ("identity", NUMBERS, lambda F, A, Y: F.mse_loss(A, Y), N / 2),
    "mean_absolute_error": ("identity", NUMBERS, lambda F, A, Y: F.l1_loss(A, Y), N),
    "huber": ("identity", NUMBERS, lambda F, A, Y: F.huber_loss(A, Y), N),
    "binary_crossentropy": (
        "sigmoid", YES, lambda F, A, Y: F.binary_cross_entropy_with_logits(A, Y), N),
    "categorical_crossentropy": (
        "softmax", LABELS, lambda F, A, Y: F.cross_entropy(A.T, Y), 1),
    "poisson": (
        "softplus", COUNTS, lambda F, A, Y: F.poisson_nll_loss(
            F.softplus(A), Y, log_input=False, eps=0), N),
    "kl_divergence": (
        "softmax", SHARES, lambda F, A, Y: F.kl_div(
            F.log_softmax(A.T, dim=1), Y.T, reduction="batchmean"), 1),
}  # fmt: skip


def network(loss, activation):
    """Return a model of one layer that passes its inputs on to an activation."""
    layer = tn.Dense(N, activation, init="zeros")
    model = tn.Sequential([layer], loss, inputs=N, dtype="float64")
    model.W[1] = np.eye(N)
    return model


@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_pytorch(torch, name):
    """The cost is PyTorch's times the factor on the page, and so are the gradients of X."""
    activation, Y, theirs, factor = LOSSES[name]
    model, logits = network(name, activation), torch.tensor(Z, requires_grad=True)
    J = theirs(torch.nn.functional, logits, torch.tensor(Y))
    J.backward()
    model.forward(Z)
    np.testing.assert_allclose(factor * J.item(), model.cost(Y), rtol=1e-12)
    model.back(Y, input_gradient=True)
    np.testing.assert_allclose(factor * M * logits.grad.numpy(), model.dA[0], rtol=1e-9, atol=1e-12)


def test_smooth_l1_of_pytorch():
    """SmoothL1Loss is Huber / delta."""
    torch, model = pytest.importorskip("torch"), network(tn.losses.Huber(delta=0.5), "identity")
    model.forward(Z)
    J = torch.nn.functional.smooth_l1_loss(torch.tensor(Z), torch.tensor(NUMBERS), beta=0.5)
    assert N * J.item() == pytest.approx(model.cost(NUMBERS) / 0.5)


def test_weights_of_examples(torch):
    """The loss of `evaluate` is the weighted mean, as with PyTorch's class weights."""
    of_classes = np.array([0.5, 2.0, 3.0])
    model = network("categorical_crossentropy", "softmax")
    theirs = torch.nn.functional.cross_entropy(
        torch.tensor(Z.T), torch.tensor(LABELS), weight=torch.tensor(of_classes)
    )
    ours = model.evaluate(Z, LABELS, sample_weight=of_classes[LABELS])["loss"]
    np.testing.assert_allclose(theirs.item(), ours, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "activation"),
    [("binary_crossentropy", "sigmoid"), ("categorical_crossentropy", "softmax")],
)
def test_log_loss_of_scikit_learn(name, activation):
    """Cross-entropy is scikit-learn's log_loss: for several outputs, their sum."""
    log_loss = pytest.importorskip("sklearn.metrics").log_loss
    model = network(name, activation)
    A = model.predict(Z)
    if activation == "softmax":
        expected, Y = log_loss(LABELS, A.T, sample_weight=W), LABELS
    else:
        expected, Y = sum(log_loss(Y, A, sample_weight=W) for Y, A in zip(YES, A, strict=True)), YES
    np.testing.assert_allclose(expected, model.evaluate(Z, Y, sample_weight=W)["loss"], rtol=1e-9)


@pytest.fixture
def regressor():
    """Return a function for an MLPRegressor that has begun, without momentum, and its model."""
    neural_network = pytest.importorskip("sklearn.neural_network")

    def begun(Y, l2=0.0, **settings):
        mlp = neural_network.MLPRegressor(
            hidden_layer_sizes=(4,), activation="tanh", solver="sgd", alpha=l2 * M, batch_size=M,
            max_iter=1, learning_rate_init=0.1, random_state=1, shuffle=False, **settings,
        )  # fmt: skip
        mlp.partial_fit(NUMBERS.T, Y.T)
        mlp._optimizer.velocities = [0 * v for v in mlp._optimizer.velocities]
        layers = [tn.Dense(4, "tanh", l2=l2), tn.Dense(Y.size // M, l2=l2)]
        model = tn.Sequential(layers, "mean_squared_error", inputs=N, dtype="float64")
        for l in (1, 2):
            model.W[l], model.b[l] = mlp.coefs_[l - 1].T, mlp.intercepts_[l - 1][:, np.newaxis]
        return mlp, model

    return begun


def expect_equal_parameters(mlp, model):
    """Expect that an MLPRegressor has the parameters of a model."""
    for l in (1, 2):
        np.testing.assert_allclose(mlp.coefs_[l - 1].T, model.W[l], rtol=1e-9)
        np.testing.assert_allclose(mlp.intercepts_[l - 1], model.b[l][:, 0], rtol=1e-9)


def test_penalty_of_scikit_learn(regressor):
    """alpha of MLPRegressor is l2 times the examples of the batch, which its loss divides by."""
    mlp, model = regressor(PREDICTED[0], l2=0.04, momentum=0.0)
    mlp.partial_fit(NUMBERS.T, PREDICTED[0])
    model.fit(NUMBERS, PREDICTED[0], tn.SGD(0.1), batch_size=None)
    expect_equal_parameters(mlp, model)


def test_squared_error_of_scikit_learn(regressor):
    """With n outputs the loss is n times that of MLPRegressor, and the steps are the same."""
    mlp, model = regressor(PREDICTED)
    optimizer = tn.SGD(0.1, momentum=0.9, nesterov=True)  # the defaults of MLPRegressor
    for _ in range(3):
        mlp.partial_fit(NUMBERS.T, PREDICTED.T)
        history = model.fit(NUMBERS, PREDICTED, optimizer, batch_size=None)
        assert N * mlp.loss_ == pytest.approx(history["loss"][0])
    expect_equal_parameters(mlp, model)
