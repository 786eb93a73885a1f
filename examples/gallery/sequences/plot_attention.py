"""
Attention weights
=================

The task is to write a sequence of eight letters backwards, so the first output needs the last
input. Attention computes at each step how much it looks at each other step. Before training it
looks everywhere alike. Afterwards each row has its weight where the letter is that it needs: the
network has found the order by itself.
"""

import numpy as np
from matplotlib import pyplot as plt

import tinynet as tn

T, n_letters = 8, 5
rng = np.random.default_rng(1)
letters = rng.integers(n_letters, size=(T, 1000))
positions = np.broadcast_to(np.eye(T)[..., np.newaxis], (T, T, 1000))
X = np.concatenate([np.eye(n_letters)[:, letters], positions])  # (13, T, m)

layers = [tn.SelfAttention(heads=1), tn.Dense(n_letters, "softmax")]
model = tn.Sequential(layers, loss="categorical_crossentropy", inputs=X.shape[:2], seed=1)


def weights():
    """Return softmax(Kᵀ Q / sqrt(k)) of the first example: a column for each query."""
    n = len(X)
    Q, K, _ = np.split(model.W[1] @ X[:, :, 0] + model.b[1], 3)
    return tn.Activation.get("softmax").forward(K.T @ Q / np.sqrt(n))


figure, axes = plt.subplots(1, 2, figsize=(7.5, 4), layout="constrained")
for ax, epochs in zip(axes, (0, 30), strict=True):
    model.fit(X, letters[::-1], tn.Adam(0.01), epochs=epochs)
    accuracy = np.mean(model.predict(X).argmax(axis=0) == letters[::-1])
    image = ax.imshow(weights().T, cmap="viridis", vmin=0, vmax=1)
    names = [chr(ord("a") + k) for k in letters[:, 0]]
    ax.set(
        title=f"epoch {epochs}: {accuracy:.0%} right", xlabel="looks at", ylabel="writes"
    )
    ax.set_xticks(range(T), names)
    ax.set_yticks(range(T), names[::-1])
figure.colorbar(image, ax=axes, label="weight")
figure.suptitle("To write backwards, attention looks from the other end")
