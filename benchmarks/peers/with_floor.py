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
