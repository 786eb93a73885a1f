"""
Dead ReLUs
==========

A ``relu`` unit is dead if its Z is below 0 for every example. Its slope is 0 then, so it gets no
gradient and never comes back. Steps that are too large do this to many units: the bars show how
many after ten epochs on the digits, with three learning rates. ``leaky_relu`` has a small slope
below 0, so every unit can recover.
"""

import numpy as np
from matplotlib import pyplot as plt

import tinynet as tn

plt.style.use("tableau-colorblind10")

digits = tn.load_digits()


def share_of_dead_units(activation, learning_rate):
    """Return the share of units in each hidden layer that no example gives a gradient."""
    layers = [tn.Dense(64, activation) for _ in range(5)] + [tn.Dense(10, "softmax")]
    model = tn.Sequential(layers, loss="categorical_crossentropy", inputs=64, seed=1)
    model.fit(digits.X_train, digits.y_train, tn.Adam(learning_rate), epochs=10)
    model.forward(digits.X_train)
    model.back(digits.y_train)
    return [np.mean((model.dZ[l] == 0).all(axis=1)) for l in range(1, 6)]


figure, axes = plt.subplots(1, 2, figsize=(7, 3.5), layout="constrained", sharey=True)
for activation, ax in zip(["relu", "leaky_relu"], axes, strict=True):
    for k, rate in enumerate([0.001, 0.01, 0.03]):
        shares = share_of_dead_units(activation, rate)
        label = f"Adam({rate})"
        place = np.arange(1, 6) + 0.27 * (k - 1)
        ax.bar(place, shares, 0.25, color=["C0", "C4", "C1"][k], label=label)
    ax.set(title=activation, xlabel="layer", xticks=range(1, 6), ylim=(0, 1))
    ax.yaxis.set_major_formatter("{x:.0%}")
axes[0].set(ylabel="dead units")
axes[0].legend(frameon=False)
axes[1].text(3, 0.5, "no unit is dead\nwith any of the three", ha="center")
figure.suptitle("The larger the learning rate, the more relu units die")
