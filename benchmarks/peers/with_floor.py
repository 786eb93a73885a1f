"""The floor: the matrix products of a step and nothing else, through NumPy."""

import numpy as np


def step(network, X, _y):
    """Compute Z = W A, dW = dZ Aᵀ and dA = Wᵀ dZ of every layer in place (no dA of the input)."""
    Ws = [W for W, _ in network.weights()]
    A = [
        np.ascontiguousarray(X.T),
        *(np.ones((n, network.m), network.dtype) for n in network.sizes[1:]),
    ]
    Z, dA, dW = (
        [np.empty_like(a) for a in A],
        [np.empty_like(a) for a in A],
        [np.empty_like(W) for W in Ws],
    )

    def products():
        for l, W in enumerate(Ws):
            W.dot(A[l], out=Z[l + 1])
        for l in range(len(Ws) - 1, -1, -1):
            A[l + 1].dot(A[l].T, out=dW[l])
            if l:
                Ws[l].T.dot(A[l + 1], out=dA[l])

    return products


def image_step(network, X, _y):
    """Compute the products of every layer, a convolution's as those of its matrix of windows."""
    m = len(X)
    shapes = [
        (units, channels * 25, rows * rows * m) for channels, units, rows, _ in network.convolutions
    ]
    shapes += [(n, k, m) for k, n in zip(network.sizes[:-1], network.sizes[1:], strict=True)]
    work = []
    for l, (n, k, N) in enumerate(shapes):
        W, A, Z = (np.ones(shape, np.float32) for shape in ((n, k), (k, N), (n, N)))
        work += [(W, A, np.empty_like(Z)), (Z, A.T, np.empty_like(W))]
        work += [(W.T, Z, np.empty_like(A))] if l else []

    def products():
        for one, other, to in work:
            np.matmul(one, other, out=to)

    return products


def predictor(network, X):
    """Z = W A of every layer."""
    Ws = [W for W, _ in network.weights()]
    A = [
        np.ascontiguousarray(X.T),
        *(np.ones((n, network.m), network.dtype) for n in network.sizes[1:]),
    ]

    def products():
        for l, W in enumerate(Ws):
            W.dot(A[l])

    return products
