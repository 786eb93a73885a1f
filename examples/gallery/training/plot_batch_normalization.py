"""
What batch normalization changes
================================

The weights of this network begin too large. Without batch normalization the Z of later layers
spread far into the flat ends of tanh, and training is slow. With it each unit has mean 0 and
deviation 1 over the batch, whatever the weights, and the same training gets far. The gray band is
where tanh is not flat.
"""

from matplotlib import pyplot as plt

import tinynet as tn

plt.style.use("tableau-colorblind10")

digits = tn.load_digits()
large, tanh = tn.initializers.Normal(1.0), tn.activations.Tanh()
plain, normalized = [], []
for _ in range(5):
    plain.append(tn.Dense(50, tanh, large))
    normalized += [tn.Dense(50, init=large), tn.BatchNorm(activation=tanh)]

figure, axes = plt.subplot_mosaic(
    [["without", "with"], ["loss", "loss"]], figsize=(7, 6), layout="constrained"
)
for name, hidden in (("without", plain), ("with", normalized)):
    layers = [*hidden, tn.Dense(10, "softmax")]
    model = tn.Sequential(layers, loss="categorical_crossentropy", inputs=64, seed=1)
    model.forward(digits.X_train[:, :200], training=True)
    before_tanh = [
        model.Z[l].ravel() for l, layer in enumerate(layers, 1) if layer.activation == tanh
    ]
    axes[name].violinplot(before_tanh, showextrema=False, widths=0.8)
    axes[name].axhspan(-2, 2, color="gray", alpha=0.2)
    axes[name].set(
        title=f"{name} BatchNorm: Z before tanh", xlabel="hidden layer", ylim=(-20, 20)
    )
    history = model.fit(digits.X_train, digits.y_train, tn.SGD(0.1), epochs=15)
    axes["loss"].plot(range(1, 16), history["loss"], label=f"{name} BatchNorm")
axes["loss"].set(xlabel="epoch", ylabel="loss")
axes["loss"].legend(frameon=False)
figure.suptitle("Batch normalization keeps Z where tanh is not flat")
