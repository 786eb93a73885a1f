"""
The digits that a network gets wrong
====================================

A network is trained with 1,433 digits and tested with 364 others. These are the test digits that
it is least right about: the ones with the lowest probability of the true digit. Above each stands
what it read, how sure it was, and what is true. Many would make a person hesitate too.
"""

import numpy as np
from matplotlib import pyplot as plt

import tinynet as tn

digits = tn.load_digits()
layers = [tn.Dense(64, "relu"), tn.Dense(10, "softmax")]
model = tn.Sequential(layers, loss="categorical_crossentropy", inputs=64, seed=1)
model.fit(digits.X_train, digits.y_train, tn.Adam(0.003), epochs=30)

A = model.predict(digits.X_test)
read, true = A.argmax(axis=0), digits.y_test
n_wrong = np.sum(read != true)
of_true = A[true, np.arange(true.size)]  # the probability of the true digit
worst = np.argsort(of_true)[:12]

figure, axes = plt.subplots(3, 4, figsize=(7, 6.5), layout="constrained")
for i, ax in zip(worst, axes.flat, strict=True):
    ax.imshow(digits.X_test[:, i].reshape(8, 8), cmap="gray_r")
    ax.set(xticks=[], yticks=[])
    ax.set_title(f"read {read[i]} ({A[read[i], i]:.0%})\ntrue {true[i]} ({of_true[i]:.0%})")
figure.suptitle(f"{n_wrong} of {true.size} test digits are read wrong: the twelve hardest")
