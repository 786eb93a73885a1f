"""
Decision boundaries by activation
=================================

The same network draws another border between two classes with each activation. With relu it has
corners, because the network is then linear in pieces; with tanh it is smooth. With the identity
all layers together are one linear function, and the border is a line.
"""

from matplotlib import pyplot as plt

import tinynet as tn

X, Y = tn.datasets.make_moons(300, seed=1)
activations = ("identity", "relu", "tanh", "gelu")
figure, axes = plt.subplots(1, len(activations), figsize=(12, 3.2), layout="constrained")
for name, ax in zip(activations, axes, strict=True):
    model = tn.Sequential(
        [tn.Dense(8, name), tn.Dense(8, name), tn.Dense(1, "sigmoid")],
        loss="binary_crossentropy", inputs=2, seed=1,
    )  # fmt: skip
    model.fit(X, Y, tn.Adam(0.02), epochs=100, batch_size=32)
    tn.plot.decision_boundary(model, X, Y, ax=ax)
    accuracy = model.evaluate(X, Y, metrics=["accuracy"])["accuracy"]
    ax.set(title=f"{name}: accuracy {accuracy:.2f}")
