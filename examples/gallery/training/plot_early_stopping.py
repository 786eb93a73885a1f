"""
Overfitting and early stopping
==============================

A network that is large for its data learns the examples by heart. The training loss keeps
falling, but the validation loss, on examples that it does not learn from, rises again. Early
stopping ends the training when the validation loss has not improved for a number of epochs, and
restores the best parameters.
"""

from matplotlib import pyplot as plt

import tinynet as tn

plt.style.use("tableau-colorblind10")

X, Y = tn.datasets.make_moons(80, noise=0.35, seed=1)
validation = tn.datasets.make_moons(400, noise=0.35, seed=2)


def train(epochs, callbacks=()):
    """Return a network of two large layers, and the history of its training."""
    layers = [tn.Dense(64, "relu"), tn.Dense(64, "relu"), tn.Dense(1, "sigmoid")]
    model = tn.Sequential(layers, loss="binary_crossentropy", inputs=2, seed=1)
    history = model.fit(
        X, Y, tn.Adam(0.01), epochs, 20, validation_data=validation, callbacks=callbacks
    )
    return model, history


figure, axes = plt.subplot_mosaic(
    [["loss", "loss"], ["long", "early"]], figsize=(7, 6.5), layout="constrained"
)
overfitted, history = train(150)
tn.plot.history(history, "loss", ax=axes["loss"])
tn.plot.decision_boundary(overfitted, X, Y, ax=axes["long"])
axes["long"].set(title=f"after 150 epochs: val_loss {history['val_loss'][-1]:.2f}")

stopped, history = train(150, [tn.EarlyStopping(patience=10)])
loss = stopped.evaluate(*validation)["loss"]
tn.plot.decision_boundary(stopped, X, Y, ax=axes["early"])
axes["early"].set(title=f"stopped early: val_loss {loss:.2f}")
figure.suptitle("The validation loss rises while the training loss falls")
