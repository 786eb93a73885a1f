"""
Learning rate: too low, right, too high
=======================================

With a learning rate that is too low, the loss falls slowly. With the right one it falls fast and
far. With one that is too high, steps jump over the valley, and the loss stays high. To find the
right one, try rates that differ by a factor of three or ten, as here.
"""

from matplotlib import pyplot as plt

import tinynet as tn

plt.style.use("tableau-colorblind10")

digits = tn.load_digits()

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
rates = {0.001: ("C3", ":"), 0.01: ("C4", "--"), 0.2: ("C0", "-"), 1.0: ("C1", "-.")}
for rate, (color, style) in rates.items():
    layers = [tn.Dense(64, "relu"), tn.Dense(64, "relu"), tn.Dense(10, "softmax")]
    model = tn.Sequential(layers, loss="categorical_crossentropy", inputs=64, seed=1)
    history = model.fit(digits.X_train, digits.y_train, tn.SGD(rate), epochs=20)
    ax.plot(range(1, 21), history["loss"], style, color=color, label=f"SGD({rate})")
ax.set(xlabel="epoch", ylabel="loss", yscale="log", xticks=range(0, 21, 5))
ax.legend(frameon=False)
figure.suptitle("A low learning rate is slow, and with a high one the loss stays high")
