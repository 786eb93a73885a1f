"""A training step written out in NumPy for one kind of network: Python can hardly do less.

The network has one hidden layer with ReLU, and plain SGD. All arrays are there before the first
step, every result goes into one of them, all names are local, and the parameters are one vector.
"""

import numpy as np


def can(network):
    """Return whether the step here is that of this network."""
    return len(network.sizes) == 3 and (network.hidden, network.optimizer) == ("relu", "sgd")


def step(network, X, y):
    """Forward, back, update; with columns."""
    X, Y = np.ascontiguousarray(X.T), network.targets(y)
    params = np.concatenate([np.ravel(array) for pair in network.weights() for array in pair])
    grads, change = np.empty_like(params), np.empty_like(params)
    (W1, b1), (W2, b2) = weights = _views(params, network)
    (dW1, db1), (dW2, db2) = _views(grads, network)
    (Z1, A1, dZ1, slope), (Z2, A2, dZ2) = (
        [np.empty((len(W), network.m), network.dtype) for _ in range(count)]
        for W, count in ((W1, 4), (W2, 3))
    )
    XT, A1T, W2T = X.T, A1.T, W2.T
    zero, one, part, rate = (
        np.array(number, network.dtype) for number in (0, 1, 1 / network.m, network.rate)
    )
    column = np.full((network.m, 1), part)
    output = _softmax(Z2, A2) if len(W2) > 1 else _sigmoid(Z2, A2, one)
    add, subtract, multiply = np.add, np.subtract, np.multiply
    maximum, sign = np.maximum, np.sign

    def one_step():
        W1.dot(X, Z1)
        add(Z1, b1, Z1)
        maximum(Z1, zero, out=A1)
        W2.dot(A1, Z2)
        add(Z2, b2, Z2)
        output()
        subtract(A2, Y, dZ2)
        dZ2.dot(A1T, dW2)
        multiply(dW2, part, dW2)
        dZ2.dot(column, db2)
        W2T.dot(dZ2, dZ1)
        sign(A1, slope)
        multiply(dZ1, slope, dZ1)
        dZ1.dot(XT, dW1)
        multiply(dW1, part, dW1)
        dZ1.dot(column, db1)
        multiply(grads, rate, change)
        subtract(params, change, params)

    one_step.weights = lambda: weights
    return one_step


def _views(vector, network):
    """Return [(W, b), ...] of each layer as views into a vector."""
    views, start = [], 0
    for k, n in zip(network.sizes[:-1], network.sizes[1:], strict=True):
        W, b = vector[start : (end := start + n * k)], vector[end : end + n]
        views.append((W.reshape(n, k), b.reshape(n, 1)))
        start = end + n
    return views


def _softmax(Z, A):
    highest, total = np.maximum.reduce, np.add.reduce
    subtract, divide, exp = np.subtract, np.divide, np.exp

    def softmax():
        subtract(Z, highest(Z), A)
        exp(A, A)
        divide(A, total(A), A)

    return softmax


def _sigmoid(Z, A, one):
    negative, exp, add, reciprocal = np.negative, np.exp, np.add, np.reciprocal

    def sigmoid():
        negative(Z, A)
        exp(A, A)
        add(A, one, A)
        reciprocal(A, A)

    return sigmoid
