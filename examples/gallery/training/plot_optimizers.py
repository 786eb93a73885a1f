"""
Optimizers race down a valley: SGD, momentum, Adam, RMSprop, Lion
=================================================================

The Rosenbrock function has a bent valley: its walls are steep, its floor is nearly flat. Plain
gradient descent reaches the floor at once and then crawls. Momentum gains speed along the floor.
Adam, RMSprop and Lion divide the gradient by its size, so they also move where the slope is small.
An optimizer only needs a vector of parameters and one of gradients, as here, and no network.
"""

import numpy as np
from matplotlib import pyplot as plt

import tinynet as tn

plt.style.use("tableau-colorblind10")


def height(x, y):
    """Return the Rosenbrock function, which is 0 at its lowest point, (1, 1)."""
    return (1 - x) ** 2 + 20 * (y - x**2) ** 2


def slope(x, y):
    """Return its gradient."""
    return np.array([-2 * (1 - x) - 80 * x * (y - x**2), 40 * (y - x**2)])


def path(optimizer, steps=150):
    """Return the points that an optimizer visits."""
    point = np.array([-1.5, 1.6])
    points = [point.copy()]
    for _ in range(steps):
        optimizer.update(point, slope(*point))
        points.append(point.copy())
    return np.transpose(points)


optimizers = {
    "SGD": tn.SGD(0.005),
    "SGD, momentum": tn.SGD(0.005, momentum=0.9),
    "RMSprop": tn.RMSprop(0.05),
    "Adam": tn.Adam(0.2),
    "Lion": tn.Lion(0.03),
}
x, y = np.meshgrid(np.linspace(-2, 2, 200), np.linspace(-1, 2.5, 200))
styles = ["C0:", "C1-", "C5--", "k-", "C4-."]
figure, axes = plt.subplots(2, 3, figsize=(7.5, 6), layout="constrained")
for (name, optimizer), style, ax in zip(
    optimizers.items(), styles, axes.flat, strict=False
):
    points = path(optimizer)
    ax.contourf(x, y, np.log10(height(x, y) + 0.1), levels=20, cmap="Greys_r")
    ax.plot(*points, ".-", color="C1", linewidth=1, markersize=3)
    ax.plot(1, 1, "*", color="C0", markeredgecolor="white", markersize=14)
    ax.set(title=name, xticks=[], yticks=[])
    axes[1, 2].semilogy(height(*points), style, label=name)
axes[1, 2].set(title="height", xlabel="step")
figure.legend(loc="outside lower center", ncols=5, frameon=False)
figure.suptitle("150 steps of five optimizers towards the star")
