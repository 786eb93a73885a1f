"""
Adversarial examples
====================

The gradient of the loss at the input says how to change each pixel so that the loss rises most.
A step along its sign (Goodfellow and others 2015) changes no pixel by more than a fifth of black,
and a person still reads the same digit. The network reads another one, and is sure of it.
"""

import numpy as np
from matplotlib import pyplot as plt

import tinynet as tn

digits = tn.load_digits()
layers = [tn.Dense(64, "relu"), tn.Dense(10, "softmax")]
model = tn.Sequential(layers, loss="categorical_crossentropy", inputs=64, seed=1)
model.fit(digits.X_train, digits.y_train, tn.Adam(0.003), epochs=30)

shown = [np.flatnonzero(digits.y_test == k)[0] for k in (0, 1, 4, 6, 8)]
X, y = digits.X_test[:, shown], digits.y_test[shown]
model.forward(X)
model.back(y, input_gradient=True)
direction = np.sign(model.dA[0])

figure, axes = plt.subplots(3, 5, figsize=(7, 5.2), layout="constrained")
for row, step in enumerate([0, 0.1, 0.2]):
    changed = np.clip(X + step * direction, 0, 1)
    A = model.predict(changed)
    for k, ax in enumerate(axes[row]):
        ax.imshow(changed[:, k].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[], title=f"{A[:, k].argmax()} ({A[:, k].max():.0%})")
    axes[row, 0].set_ylabel(f"step {step}")
figure.suptitle("A small step against the network, and it reads another digit")
