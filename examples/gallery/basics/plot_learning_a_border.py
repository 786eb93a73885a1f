"""
A network learns, epoch by epoch
================================

At first the parameters are random, and so is the border. Gradient descent first finds a line that
is right for most points, then bends it. The colors become stronger as the network gets sure.
"""

from matplotlib import pyplot as plt

import tinynet as tn

plt.style.use("tableau-colorblind10")

X, Y = tn.datasets.make_moons(200, seed=1)
layers = [tn.Dense(16, "tanh"), tn.Dense(16, "tanh"), tn.Dense(1, "sigmoid")]
model = tn.Sequential(layers, loss="binary_crossentropy", inputs=2, seed=3)
optimizer = tn.SGD(0.1, momentum=0.9)

figure, axes = plt.subplots(
    2, 3, figsize=(7, 5), layout="constrained", sharex=True, sharey=True
)
epochs = 0
for until, ax in zip([0, 2, 10, 20, 40, 200], axes.flat, strict=True):
    model.fit(X, Y, optimizer, epochs=until - epochs, batch_size=50)
    epochs = until
    tn.plot.decision_boundary(model, X, Y, ax=ax)
    loss = model.evaluate(X, Y)["loss"]
    ax.set(title=f"epoch {epochs}: loss {loss:.2f}")
    ax.label_outer()
figure.suptitle("The border bends around the moons as the loss falls")
