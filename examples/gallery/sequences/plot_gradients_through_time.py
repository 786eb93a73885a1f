"""
Vanishing gradients through time: RNN and LSTM
==============================================

A recurrent layer reads 60 steps, and the loss depends on its last output alone. The curves show
how much of the gradient arrives at each earlier step. In a plain recurrent layer it shrinks at
every step, so what came first can hardly be learned. An LSTM has a forget gate that decides how
much of its memory stays. The larger the bias of the gate, the further back the gradient reaches.
"""

import numpy as np
from matplotlib import pyplot as plt

import tinynet as tn

plt.style.use("tableau-colorblind10")

n, T = 32, 60
rng = np.random.default_rng(1)
X, Y = rng.standard_normal((4, T, 50)), rng.standard_normal((1, 50))


def sizes(layer, forget_bias=None):
    """Return the size of the gradient of the loss at each step of the input."""
    model = tn.Sequential(
        [layer, tn.Dense(1)],
        loss="mean_squared_error",
        inputs=(4, T),
        dtype="float64",
        seed=1,
    )
    if forget_bias is not None:
        model.b[1][n : 2 * n] = forget_bias
    model.forward(X)
    model.back(Y, input_gradient=True)
    return np.sqrt(np.mean(model.dA[0] ** 2, axis=(0, 2)))


steps = range(1, T + 1)
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.plot(steps, sizes(tn.SimpleRNN(n)), "C1-", label="SimpleRNN")
for bias, style in ((0, "C0:"), (1, "C0--"), (4, "C0-")):
    ax.plot(steps, sizes(tn.LSTM(n), bias), style, label=f"LSTM, forget bias {bias}")
ax.set(xlabel="step", ylabel="size of the gradient", yscale="log")
ax.legend(frameon=False)
figure.suptitle("An LSTM that forgets little carries the gradient far back")
