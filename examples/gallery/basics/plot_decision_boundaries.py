"""
Decision boundaries by activation
=================================

The same network learns to separate two spirals, each time with another activation. With
``identity`` all layers together are one linear function, and the border is a straight line. With
``relu`` and ``leaky_relu`` the border has corners, because the network is linear in pieces. With
``tanh`` and ``gelu`` it is smooth. ``sigmoid``, whose slope is small, needs more than 100 epochs.
"""

from matplotlib import pyplot as plt

import tinynet as tn

plt.style.use("tableau-colorblind10")

X, Y = tn.datasets.make_spirals(400, seed=1)

figure, axes = plt.subplots(
    2, 3, figsize=(7, 5), layout="constrained", sharex=True, sharey=True
)
names = ["identity", "relu", "leaky_relu", "sigmoid", "tanh", "gelu"]
for name, ax in zip(names, axes.flat, strict=True):
    layers = [tn.Dense(16, name), tn.Dense(16, name), tn.Dense(1, "sigmoid")]
    model = tn.Sequential(layers, loss="binary_crossentropy", inputs=2, seed=1)
    model.fit(X, Y, tn.Adam(0.02), epochs=100, batch_size=40)
    accuracy = model.evaluate(X, Y, metrics=["accuracy"])["accuracy"]
    tn.plot.decision_boundary(model, X, Y, ax=ax)
    ax.set(title=f"{name}: {accuracy:.0%} right")
    ax.label_outer()
figure.suptitle("The border is a line without an activation, and bent with one")
