"""
Uncertainty by an ensemble
==========================

Ten networks of different seeds are trained on the same points. Where there are points, all agree.
Between the two groups and outside them each guesses in its own way: the spread of the ensemble
shows where a prediction cannot be trusted. A single network does not show that.
"""

import numpy as np
from matplotlib import pyplot as plt

import tinynet as tn

plt.style.use("tableau-colorblind10")

rng = np.random.default_rng(1)
x = np.concatenate([rng.uniform(-2.5, -1, 40), rng.uniform(0.5, 2, 40)]).reshape(1, -1)
y = np.sin(2 * x) + 0.1 * rng.standard_normal(x.shape)

grid = np.linspace(-4, 4, 300).reshape(1, -1)
predictions = []
for seed in range(10):
    layers = [tn.Dense(32, "relu"), tn.Dense(32, "relu"), tn.Dense(1)]
    model = tn.Sequential(layers, loss="mean_squared_error", inputs=1, seed=seed)
    model.fit(x, y, tn.Adam(0.01), epochs=150, batch_size=20)
    predictions.append(model.predict(grid)[0])
mean, spread = np.mean(predictions, axis=0), np.std(predictions, axis=0)

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.fill_between(grid[0], mean - 2 * spread, mean + 2 * spread, color="C0", alpha=0.2)
ax.plot(grid[0], np.transpose(predictions), color="C0", linewidth=0.6, alpha=0.6)
ax.plot(
    grid[0], mean, color="C0", linewidth=2.5, label="mean of ten networks, ± 2 deviations"
)
ax.plot(x[0], y[0], "o", color="C1", markeredgecolor="white", label="points to learn from")
ax.set(xlabel="x", ylabel="y", ylim=(-3, 3))
ax.legend(frameon=False, loc="lower left")
figure.suptitle("Ten networks agree where there are points, and nowhere else")
