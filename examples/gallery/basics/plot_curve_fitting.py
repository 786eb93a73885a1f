"""
Universal approximation: a network fits a curve
===============================================

A hidden layer of relu units before a linear output gives straight pieces, with a corner for each
unit. The dotted lines mark the corners, where the Z of a unit is 0. With few units the pieces
cannot follow the curve. With more they come as close as one likes.
"""

import numpy as np
from matplotlib import pyplot as plt

import tinynet as tn

plt.style.use("tableau-colorblind10")

x = np.linspace(-3, 3, 200).reshape(1, -1)
y = np.sin(2 * x) + 0.3 * x

figure, axes = plt.subplots(
    2, 2, figsize=(7, 5), layout="constrained", sharex=True, sharey=True
)
for units, ax in zip([2, 5, 10, 50], axes.flat, strict=True):
    layers = [tn.Dense(units, "relu"), tn.Dense(1)]
    model = tn.Sequential(layers, loss="mean_squared_error", inputs=1, seed=2)
    first_corners = np.linspace(-2.5, 2.5, units).reshape(-1, 1)
    model.b[1] = -model.W[1] * first_corners
    rate = tn.schedules.Cosine(0.05, period=1500, restart=False, by="epoch")
    model.fit(x, y, tn.Adam(rate), epochs=1500, batch_size=None)
    ax.plot(x[0], y[0], color="C1", linewidth=5, alpha=0.6, label="curve")
    ax.plot(x[0], model.predict(x)[0], color="C0", label="network")
    for corner in -model.b[1] / model.W[1]:
        ax.axvline(corner[0], color="gray", linestyle=":", linewidth=0.8, zorder=0)
    ax.set(title=f"{units} hidden units", xlim=(-3, 3))
axes[0, 0].legend(frameon=False)
figure.supxlabel("x")
figure.supylabel("y")
figure.suptitle("More relu units: more corners and a closer fit")
