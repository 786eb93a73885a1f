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
    return tn.Sequential(layers, loss, inputs=network.sizes[0], dtype=network.dtype, seed=1)


def step(network, X, y):
    """Forward, back, update; with columns."""
    model, optimizer = (
        _model(network),
        tn.Optimizer.get(network.optimizer, learning_rate=network.rate),
    )
    X, Y = np.ascontiguousarray(X.T), network.targets(y)

    def one_step():
        model.forward(X)
        model.back(Y)
        optimizer.step(model)

    one_step.model = model
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
