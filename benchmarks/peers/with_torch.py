"""PyTorch on the processor, eager."""

import numpy as np
import torch

VERSION = torch.__version__
_HIDDEN = {
    "relu": torch.nn.ReLU,
    "tanh": torch.nn.Tanh,
    "gelu": torch.nn.GELU,
    "sigmoid": torch.nn.Sigmoid,
}
_OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}


def _model(network):
    modules = []
    for k, n in zip(network.sizes[:-1], network.sizes[1:], strict=True):
        modules += [torch.nn.Linear(k, n), _HIDDEN[network.hidden]()]
    model = torch.nn.Sequential(*modules[:-1]).to(getattr(torch, network.dtype))
    with torch.no_grad():
        for linear, (W, b) in zip(model[::2], network.weights(), strict=True):
            linear.weight.copy_(torch.tensor(W))
            linear.bias.copy_(torch.tensor(b[:, 0]))
    return model


def _targets(network, y):
    return (
        torch.tensor(y)
        if network.sizes[-1] > 1
        else torch.tensor(y.astype(network.dtype)[:, np.newaxis])
    )


def _training(network):
    model = _model(network)
    optimizer = _OPTIMIZERS[network.optimizer](model.parameters(), lr=network.rate)
    several = network.sizes[-1] > 1
    loss = (
        torch.nn.functional.cross_entropy
        if several
        else torch.nn.functional.binary_cross_entropy_with_logits
    )

    def one_step(X, Y):
        optimizer.zero_grad()
        loss(model(X), Y).backward()
        optimizer.step()

    return model, one_step


def step(network, X, y):
    """Forward, backward, step."""
    model, train = _training(network)
    X, Y = torch.tensor(X), _targets(network, y)

    def one_step():
        train(X, Y)

    one_step.weights = lambda: [
        (linear.weight.detach().numpy(), linear.bias.detach().numpy()) for linear in model[::2]
    ]
    return one_step


def trainers(network, X, y):
    """Train with a DataLoader, and with batches made by hand."""
    return {"DataLoader": _with_loader(network, X, y), "by hand": _by_hand(network, X, y)}


def _reads_labels(function, model):
    def labels(X):
        with torch.inference_mode():
            return model(torch.tensor(X)).argmax(dim=1).numpy()

    function.labels = labels
    return function


def _with_loader(network, X, y):
    model, one_step = _training(network)
    data = torch.utils.data.TensorDataset(torch.tensor(X), _targets(network, y))
    loader = torch.utils.data.DataLoader(data, batch_size=network.m, shuffle=True)

    def epoch():
        for batch in loader:
            one_step(*batch)

    return _reads_labels(epoch, model)


def _by_hand(network, X, y):
    model, one_step = _training(network)
    X, Y = torch.tensor(X), _targets(network, y)

    def epoch():
        for chosen in torch.randperm(len(X)).split(network.m):
            one_step(X[chosen], Y[chosen])

    return _reads_labels(epoch, model)


def predictor(network, X):
    """Go forward in inference mode, with the output activation."""
    model, X = _model(network), torch.tensor(X)

    def predict():
        with torch.inference_mode():
            Z = model(X)
            return torch.softmax(Z, dim=1) if network.sizes[-1] > 1 else torch.sigmoid(Z)

    return predict


def normalization(kind, n, m):
    """Take the passes of one module, with the gradients of its parameters and of X."""
    rng = np.random.default_rng(0)
    X, dA = (torch.tensor(rng.standard_normal((m, n), np.float32)) for _ in range(2))
    module = {"BatchNorm": torch.nn.BatchNorm1d, "LayerNorm": torch.nn.LayerNorm}[kind](n)
    X.requires_grad_()
    A, wanted = module(X), (X, *module.parameters())
    return {
        "forward": lambda: module(X),
        "back": lambda: torch.autograd.grad(A, wanted, dA, retain_graph=True),
    }


def _image_model(network):
    modules = []
    for channels, units, _, padding in network.convolutions:
        convolution = torch.nn.Conv2d(channels, units, 5, padding=padding)
        modules += [convolution, torch.nn.MaxPool2d(2), torch.nn.ReLU()]
    modules.append(torch.nn.Flatten())
    for k, n in zip(network.sizes[:-1], network.sizes[1:], strict=True):
        modules += [torch.nn.Linear(k, n), torch.nn.ReLU()]
    model = torch.nn.Sequential(*modules[:-1])
    layers = [module for module in model if hasattr(module, "weight")]
    with torch.no_grad():
        for layer, (W, b) in zip(layers, network.weights(), strict=True):
            layer.weight.copy_(torch.tensor(W))
            layer.bias.copy_(torch.tensor(b[:, 0]))
    return model, layers


def image_step(network, X, y):
    """Forward, backward, step."""
    model, layers = _image_model(network)
    optimizer = torch.optim.SGD(model.parameters(), lr=network.rate)
    X, y = torch.tensor(X), torch.tensor(y)

    def one_step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(X), y).backward()
        optimizer.step()

    one_step.weights = lambda: [
        (layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in layers
    ]
    return one_step


def image_predictor(network, X):
    """Go forward in inference mode, with softmax."""
    (model, _), X = _image_model(network), torch.tensor(X)

    def predict():
        with torch.inference_mode():
            return torch.softmax(model(X), dim=1)

    return predict


def recurrent(layer):
    """Take the passes of one module, with the gradients of its parameters and of X."""
    X, dA = (torch.tensor(np.moveaxis(array, 0, -1)) for array in layer.arrays())
    X.requires_grad_()
    module = getattr(torch.nn, layer.kind)(layer.inputs, layer.units)
    wanted = (X, *module.parameters())

    def passes():
        steps = module(X)[0]
        torch.autograd.grad(steps if layer.sequences else steps[-1], wanted, dA)

    return passes
