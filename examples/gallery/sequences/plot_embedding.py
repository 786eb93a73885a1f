"""
Embedding: letters in two dimensions
====================================

A network learns to predict a letter from the two before it, and gives each letter a vector of two
numbers. It does not know what a vowel is. But vowels stand in similar places, so it gives them
similar vectors. The text is the documentation that ships with Python.
"""

from pydoc_data.topics import topics

import numpy as np
from matplotlib import pyplot as plt

import tinynet as tn

plt.style.use("tableau-colorblind10")

alphabet = " abcdefghijklmnopqrstuvwxyz"
text = " ".join(topics.values()).lower()
words = "".join(c if c in alphabet else " " for c in text).split()
numbers = np.array([alphabet.index(c) for c in " ".join(words)[:40_000]])
X, y = np.stack([numbers[:-2], numbers[1:-1]]), numbers[2:]

layers = [
    tn.Embedding(len(alphabet), 2),
    tn.Flatten(),
    tn.Dense(64, "tanh"),
    tn.Dense(len(alphabet), "softmax"),
]
model = tn.Sequential(layers, loss="categorical_crossentropy", inputs=2, seed=1)
model.fit(X, y, tn.Adam(0.01), epochs=10, batch_size=200)

figure, ax = plt.subplots(figsize=(6, 5), layout="constrained")
for letter, (x0, x1) in zip(alphabet, model.W[1].T, strict=True):
    color = "C1" if letter in "aeiou" else "C0"
    ax.plot(x0, x1, "o", color=color, markersize=18, alpha=0.3)
    ax.text(x0, x1, letter.replace(" ", "space"), ha="center", va="center", weight="bold")
ax.set(xlabel="W[1][0]", ylabel="W[1][1]")
figure.suptitle("Vowels (orange) lie together: the network has found them")
