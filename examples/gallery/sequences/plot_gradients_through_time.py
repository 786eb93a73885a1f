"""
Vanishing gradients through time: RNN, LSTM, GRU
================================================

A recurrent layer reads 60 steps, and the loss depends on its last output alone. The curves show
how much of the gradient arrives at each earlier step: so much can be learned about it. In a plain
recurrent layer it shrinks by the same factor at each step. LSTM and GRU carry a state from step to
step, and a gate decides how much of it stays.
"""

import numpy as np
from matplotlib import pyplot as plt

import tinynet as tn

plt.style.use("tableau-colorblind10")

T = 60
rng = np.random.default_rng(1)
X, Y = rng.standard_normal((4, T, 50)), rng.standard_normal((1, 50))

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
layers = {"SimpleRNN": tn.SimpleRNN(32), "GRU": tn.GRU(32), "LSTM": tn.LSTM(32)}
for (name, layer), style in zip(layers.items(), ["-", "--", "-."], strict=True):
    model = tn.Sequential([layer, tn.Dense(1)], loss="mean_squared_error", dtype="float64", seed=1)
    model.forward(X)
    model.back(Y, input_gradient=True)
    size = np.sqrt(np.mean(model.dA[0] ** 2, axis=(0, 2)))
    ax.plot(range(1, T + 1), size / size[-1], style, label=name)
ax.set(xlabel="step", ylabel="size of the gradient", yscale="log")
ax.legend(frameon=False)
figure.suptitle("The further back a step, the less gradient arrives")
