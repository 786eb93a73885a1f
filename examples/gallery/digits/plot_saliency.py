"""
Saliency: which pixels matter
=============================

``model.back(Y, input_gradient=True)`` goes back to the input: dA[0] says for each pixel how the
loss changes with its ink. Red pixels speak for the digit: more ink there lowers the loss. Blue
pixels speak against it: a stroke there would make it another digit. So the gradient shows what
the network looks at.
"""

import numpy as np
from matplotlib import pyplot as plt

import tinynet as tn

digits = tn.load_digits()
layers = [tn.Dense(64, "relu", l2=0.01), tn.Dense(10, "softmax")]
model = tn.Sequential(layers, loss="categorical_crossentropy", inputs=64, seed=1)
model.fit(digits.X_train, digits.y_train, tn.Adam(0.003), epochs=30)

shown = [np.flatnonzero(digits.y_test == k)[1] for k in range(10)]
X, y = digits.X_test[:, shown], digits.y_test[shown]
model.forward(X)
model.back(y, input_gradient=True)
for_digit = -model.dA[0]
for_digit /= np.abs(for_digit).max(axis=0)

figure, axes = plt.subplots(4, 5, figsize=(7, 6), layout="constrained")
for k in range(10):
    above, below = axes[k // 5 * 2, k % 5], axes[k // 5 * 2 + 1, k % 5]
    above.imshow(X[:, k].reshape(8, 8), cmap="gray_r")
    below.imshow(for_digit[:, k].reshape(8, 8), cmap="RdBu_r", vmin=-1, vmax=1)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
figure.suptitle("Pixels that speak for the digit (red) and against it (blue)")
