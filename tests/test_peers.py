"""What the page "Coming from Keras, PyTorch or scikit-learn" says of PyTorch and scikit-learn."""

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
    "huber": ("identity", NUMBERS, lambda F, A, Y: F.smooth_l1_loss(A, Y), N),
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
def test_losses_of_pytorch(name):
    """The cost is PyTorch's times the factor on the page, and so are the gradients of X."""
    torch = pytest.importorskip("torch")
    activation, Y, theirs, factor = LOSSES[name]
    model, logits = network(name, activation), torch.tensor(Z, requires_grad=True)
    J = theirs(torch.nn.functional, logits, torch.tensor(Y))
    J.backward()
    model.forward(Z)
    np.testing.assert_allclose(factor * J.item(), model.cost(Y), rtol=1e-12)
    model.back(Y, input_gradient=True)
    np.testing.assert_allclose(factor * M * logits.grad.numpy(), model.dA[0], rtol=1e-9, atol=1e-12)


def test_weights_of_examples():
    """The loss of `evaluate` is the weighted mean, as with PyTorch's class weights."""
    torch = pytest.importorskip("torch")
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


def test_penalty_of_scikit_learn():
    """alpha of MLPRegressor is l2 times the examples of the batch, which its loss divides by."""
    neural_network = pytest.importorskip("sklearn.neural_network")
    X, y, alpha = NUMBERS, PREDICTED[0], 0.3
    mlp = neural_network.MLPRegressor(
        hidden_layer_sizes=(4,), activation="tanh", solver="sgd", alpha=alpha, batch_size=M,
        momentum=0.0, max_iter=1, learning_rate_init=0.1, random_state=1, shuffle=False,
    )  # fmt: skip
    mlp.partial_fit(X.T, y)
    before = [coefficients.copy() for coefficients in (*mlp.coefs_, *mlp.intercepts_)]
    mlp.partial_fit(X.T, y)
    layers = [tn.Dense(4, "tanh", l2=alpha / M), tn.Dense(1, l2=alpha / M)]
    model = tn.Sequential(layers, "mean_squared_error", inputs=N, dtype="float64")
    for l in (1, 2):
        model.W[l], model.b[l] = before[l - 1].T, before[l + 1][:, np.newaxis]
    model.fit(X, y, tn.SGD(0.1), batch_size=None)
    for l in (1, 2):
        np.testing.assert_allclose(mlp.coefs_[l - 1].T, model.W[l], rtol=1e-9)
        np.testing.assert_allclose(mlp.intercepts_[l - 1], model.b[l][:, 0], rtol=1e-9)
