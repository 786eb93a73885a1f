"""
The digits that a network gets wrong
====================================

A small network is trained with 1,433 digits and tested with 364 others. These are the test digits
that it is most wrong about, the lowest probability of the true digit first. Above each stands what
the network read, how sure it was, and what is true. Some would make a person hesitate too.
"""

import numpy as np
from matplotlib import pyplot as plt

import tinynet as tn

digits = tn.load_digits()
layers = [tn.Dense(16, "relu"), tn.Dense(10, "softmax")]
model = tn.Sequential(layers, loss="categorical_crossentropy", inputs=64, seed=1)
model.fit(digits.X_train, digits.y_train, tn.Adam(0.003), epochs=20)

A = model.predict(digits.X_test)
read, true = A.argmax(axis=0), digits.y_test
n_wrong = np.sum(read != true)
of_true = A[true, np.arange(true.size)]  # the probability of the true digit
worst = np.argsort(of_true)[:8]

figure, axes = plt.subplots(2, 4, figsize=(7, 4.5), layout="constrained")
for i, ax in zip(worst, axes.flat, strict=True):
    ax.imshow(digits.X_test[:, i].reshape(8, 8), cmap="gray_r")
    ax.set(xticks=[], yticks=[])
    ax.set_title(f"read {read[i]} ({A[read[i], i]:.0%})\ntrue {true[i]} ({of_true[i]:.0%})")
figure.suptitle(f"{n_wrong} of {true.size} test digits are read wrong: the eight worst")
