"""
Dropout against overfitting
===========================

Dropout removes each hidden unit with a probability, anew for each example in training, so that no
unit can rely on another one. The network trains on 200 digits, and the labels of some are wrong.
Without dropout it learns even these by heart: the training loss goes to 0, and the validation loss
rises. With dropout it cannot, and it reads more of the other digits right.
"""

from matplotlib import pyplot as plt

import tinynet as tn

plt.style.use("tableau-colorblind10")

digits = tn.load_digits()
X, y = digits.X_train[:, :200], digits.y_train[:200].copy()
y[::5] = (y[::5] + 1) % 10  # one label in five is wrong
validation = (digits.X_test, digits.y_test)

figure, axes = plt.subplots(1, 2, figsize=(7, 3.8), layout="constrained", sharey=True)
for rate, ax in zip([0.0, 0.5], axes, strict=True):
    layers = [
        tn.Dense(256, "relu"),
        tn.Dropout(rate),
        tn.Dense(256, "relu"),
        tn.Dropout(rate),
        tn.Dense(10, "softmax"),
    ]
    model = tn.Sequential(layers, loss="categorical_crossentropy", inputs=64, seed=1)
    history = model.fit(
        X, y, tn.Adam(0.001), epochs=60, batch_size=20, validation_data=validation
    )
    accuracy = model.evaluate(*validation, metrics=["accuracy"])["accuracy"]
    tn.plot.history(history, "loss", ax=ax)
    ax.set(title=f"Dropout({rate}): {accuracy:.1%} right")
figure.suptitle("With dropout the validation loss rises later and less")
