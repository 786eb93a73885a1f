"""
Autoencoder: digits in two dimensions
=====================================

An autoencoder learns to give back its input, through a layer of two units. These two numbers are
all that the second half knows of a digit, so digits that look alike come to lie close together.
The network has never seen a label: they are drawn in afterwards.
"""

from matplotlib import pyplot as plt

import tinynet as tn

plt.style.use("tableau-colorblind10")

X, y = tn.load_digits()
layers = [
    tn.Dense(64, "silu"),
    tn.Dense(32, "silu"),
    tn.Dense(2, "tanh"),  # 64 pixels have become 2 numbers
    tn.Dense(32, "silu"),
    tn.Dense(64, "silu"),
    tn.Dense(64, "sigmoid"),
]
model = tn.Sequential(layers, loss="mean_squared_error", inputs=64, seed=1)
model.fit(X, X, tn.Adam(0.005), epochs=40)

model.forward(X)
code, output = model.A[3], model.A[6]

figure, axes = plt.subplot_mosaic(
    [["codes"] * 6, [*"abcdef"], [*"ghijkl"]],
    height_ratios=[5, 1, 1],
    figsize=(7, 8),
    layout="constrained",
)
for digit in range(10):
    points = code[:, y == digit][:, :60]
    color = plt.get_cmap("viridis")(digit / 10)
    axes["codes"].plot(
        *points, marker=f"${digit}$", linestyle="", color=color, markersize=7
    )
axes["codes"].set(xlabel="A[3][0]", ylabel="A[3][1]")
for i, above, below in zip(range(6), "abcdef", "ghijkl", strict=True):
    for name, image in ((above, X[:, i]), (below, output[:, i])):
        axes[name].imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        axes[name].set(xticks=[], yticks=[])
axes["a"].set_ylabel("input")
axes["g"].set_ylabel("output")
figure.suptitle("Digits that look alike lie together, found without labels")
