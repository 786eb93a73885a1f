"""
Loss landscape, and the path of gradient descent
================================================

All parameters of a network together are one point in a space of many dimensions. Here is a plane
through that space, in the two directions in which training moved most. The color is the loss at
each point of the plane, and the line is the way of the parameters from epoch to epoch. They cross
a plateau, where little changes for some epochs, and then go down into a valley.
"""

import numpy as np
from matplotlib import pyplot as plt

import tinynet as tn

X, Y = tn.datasets.make_moons(200, seed=1)
layers = [tn.Dense(16, "tanh"), tn.Dense(16, "tanh"), tn.Dense(1, "sigmoid")]
model = tn.Sequential(layers, loss="binary_crossentropy", inputs=2, seed=1)
optimizer = tn.SGD(0.1, momentum=0.9)

points = [model.params.copy()]
for _ in range(60):
    model.fit(X, Y, optimizer)
    points.append(model.params.copy())
points = np.array(points)

last = points[-1].copy()
directions = np.linalg.svd(points - last, full_matrices=False)[2][:2]
path = (points - last) @ directions.T
margin = 0.3 * np.ptp(path, axis=0)
x, y = np.linspace(path.min(axis=0) - margin, path.max(axis=0) + margin, 50).T
losses = np.empty((50, 50))
for (row, column), _ in np.ndenumerate(losses):
    model.params[:] = last + x[column] * directions[0] + y[row] * directions[1]
    losses[row, column] = model.evaluate(X, Y)["loss"]
model.params[:] = last

figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
levels = np.geomspace(losses.min(), losses.max(), 20)
drawn = ax.contourf(x, y, losses, levels, norm="log", cmap="viridis")
ax.plot(*path.T, ".-", color="white", markersize=6)
ax.plot(*path[0], "o", color="white", label="start")
ax.plot(*path[-1], "*", color="white", markersize=14, label="end")
figure.colorbar(drawn, label="loss", format="%.2g")
ax.set(xlabel="first direction", ylabel="second direction")
figure.suptitle("The parameters cross a plateau of the loss, then go down into a valley")
