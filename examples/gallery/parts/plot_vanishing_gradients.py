"""
Vanishing and exploding gradients, by depth and initializer
===========================================================

The gradient passes 30 layers on its way from the output back to layer 1. A field shows the size
of dZ in a layer as a power of ten of that in the last one. White means that it stays as it is:
nearly so with ``lecun_normal`` for tanh and the identity, and with ``he_normal`` for relu. With
weights that are too small it vanishes (brown), with large ones it explodes (violet). With sigmoid
it vanishes with all of these initializers, because the slope of sigmoid is at most 1/4.
"""

import numpy as np
from matplotlib import pyplot as plt

import tinynet as tn

plt.style.use("tableau-colorblind10")

depth, units = 30, 64
rng = np.random.default_rng(1)
X, Y = rng.standard_normal((units, 100)), rng.standard_normal((1, 100))
initializers = {
    "normal, 0.05": tn.initializers.Normal(0.05),
    "lecun_normal": "lecun_normal",
    "glorot_normal": "glorot_normal",
    "he_normal": "he_normal",
    "orthogonal": "orthogonal",
    "normal, 0.3": tn.initializers.Normal(0.3),
}


def sizes(activation, init):
    """Return the size of dZ in each layer, as a power of ten of that of the last one."""
    layers = [tn.Dense(units, activation, init) for _ in range(depth)]
    layers.append(tn.Dense(1, init="lecun_normal"))
    model = tn.Sequential(layers, loss="mean_squared_error", dtype="float64", seed=1)
    model.forward(X)
    model.back(Y)
    norms = np.array([np.linalg.norm(model.dZ[l]) for l in range(1, depth + 1)])
    return np.log10(norms / norms[-1])


figure, axes = plt.subplots(
    2, 2, figsize=(7, 5), layout="constrained", sharex=True, sharey=True
)
for activation, ax in zip(["identity", "sigmoid", "tanh", "relu"], axes.flat, strict=True):
    powers = [sizes(activation, init) for init in initializers.values()]
    image = ax.imshow(
        powers,
        cmap="PuOr",
        vmin=-6,
        vmax=6,
        aspect="auto",
        extent=(0.5, depth + 0.5, 5.5, -0.5),
    )
    ax.set(title=activation, yticks=range(len(initializers)))
    ax.set_yticklabels(initializers)
figure.colorbar(image, ax=axes, label="size of dZ, power of ten", extend="both")
figure.supxlabel("layer")
figure.suptitle("Gradients vanish or explode unless the initializer fits the activation")
