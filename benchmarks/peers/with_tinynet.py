"""tinynet."""

import numpy as np

import tinynet as tn

VERSION = tn.__version__


def _model(network):
    *hidden, outputs = network.sizes[1:]
    kind, loss = (
        ("sigmoid", "binary_crossentropy")
        if outputs == 1
        else ("softmax", "categorical_crossentropy")
    )
    layers = [*(tn.Dense(n, network.hidden) for n in hidden), tn.Dense(outputs, kind)]
    model = tn.Sequential(layers, loss, inputs=network.sizes[0], dtype=network.dtype, seed=1)
    for l, (W, b) in enumerate(network.weights(), 1):
        model.W[l], model.b[l] = W, b
    return model


def step(network, X, y):
    """Forward, back, update; with columns."""
    optimizer = tn.Optimizer.get(network.optimizer, learning_rate=network.rate)
    return _steps(_model(network), optimizer, np.ascontiguousarray(X.T), network.targets(y))


def _steps(model, optimizer, X, Y):
    def one_step():
        model.forward(X)
        model.back(Y)
        optimizer.step(model)

    one_step.model = model
    one_step.weights = lambda: list(zip(model.W.values(), model.b.values(), strict=True))
    return one_step


def trainers(network, X, y):
    """`fit`, an epoch at a time."""
    model, optimizer = (
        _model(network),
        tn.Optimizer.get(network.optimizer, learning_rate=network.rate),
    )
    Y = network.targets(y)

    def fit():
        model.fit(X.T, Y, optimizer=optimizer, batch_size=network.m)

    fit.labels = lambda X: model.predict_labels(X.T)
    return {"fit": fit}


def predictor(network, X):
    """`predict`."""
    model, columns = _model(network), np.ascontiguousarray(X.T)
    return lambda: model.predict(columns)


def _image_model(network):
    layers = []
    for _, units, _, padding in network.convolutions:
        layers += [tn.Conv2D(units, 5, padding=padding), tn.MaxPool2D(2, activation="relu")]
    layers += [tn.Flatten(), *(tn.Dense(n, "relu") for n in network.dense)]
    layers.append(tn.Dense(network.classes, "softmax"))
    model = tn.Sequential(layers, "categorical_crossentropy", inputs=(1, 28, 28), seed=1)
    for l, (W, b) in zip(model.W, network.weights(), strict=True):
        model.W[l], model.b[l] = W, b
    return model


def image_step(network, X, y):
    """Forward, back, update; with the examples last."""
    X = np.ascontiguousarray(np.moveaxis(X, 0, -1))
    return _steps(_image_model(network), tn.SGD(network.rate), X, network.targets(y))


def image_predictor(network, X):
    """`predict`."""
    model, X = _image_model(network), np.moveaxis(X, 0, -1)
    return lambda: model.predict(X)


class GivenGradient(tn.Loss):
    """The targets are dA[L]: for the backward pass of a layer alone."""

    def each(self, A, Y):
        return np.zeros_like(A)

    def back(self, A, Y):
        return Y


def normalization(kind, n, m):
    """Take the passes of a model of one layer, with the gradient of X."""
    rng = np.random.default_rng(0)
    X, dA = (rng.standard_normal((n, m), np.float32) for _ in range(2))
    model = tn.Sequential([getattr(tn, kind)()], GivenGradient(), inputs=n, seed=1)
    model.forward(X, training=True)
    model.back(dA)
    dA = model.dA[1]  # where the layer above would have computed it: nothing is copied, as in torch
    return {
        "forward": lambda: model.forward(X, training=True),
        "back": lambda: model.back(dA, input_gradient=True),
    }


def recurrent(layer):
    """Take the passes of a model of one layer, with the gradient of X."""
    X, dA = layer.arrays()
    kind = getattr(tn, layer.kind)(layer.units, sequences=layer.sequences)
    model = tn.Sequential([kind], GivenGradient(), inputs=X.shape[:-1], seed=1)

    def passes():
        model.forward(X, training=True)
        model.back(dA, input_gradient=True)

    return passes
