"""
Loss functions: mean squared error, Huber, cross-entropy, hinge
===============================================================

On the left, losses for numbers, by how far the prediction is from the target. The square makes
one outlier count as much as many other points. The absolute value does not, and ``huber`` and
``log_cosh`` are smooth at 0 too. On the right, losses for two classes, where the true class is 1,
by Z of the output. All but the squared error punish a prediction the more, the surer it is of the
wrong class.
"""

import numpy as np
from matplotlib import pyplot as plt

import tinynet as tn

plt.style.use("tableau-colorblind10")

Z = np.linspace(-4, 4, 201).reshape(1, -1)
sigmoid = tn.Activation.get("sigmoid").forward(Z)
styles = ["C0-", "C1--", "C3-.", "k:"]

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.6), layout="constrained")
for name, style in zip(
    ["mean_squared_error", "mean_absolute_error", "huber", "log_cosh"], styles, strict=True
):
    left.plot(Z[0], tn.Loss.get(name).each(Z, 0 * Z).ravel(), style, label=name)
left.set(
    title="numbers: the target is 0", xlabel="prediction A", ylabel="loss", ylim=(0, 9)
)
left.legend(frameon=False)

outputs = {"binary_crossentropy": sigmoid, "mean_squared_error": sigmoid, "hinge": Z}
for (name, A), style in zip(outputs.items(), styles, strict=False):
    right.plot(Z[0], tn.Loss.get(name).each(A, np.ones_like(A)).ravel(), style, label=name)
right.set(title="classes: the target is 1", xlabel="Z of the output", ylim=(0, 5))
right.legend(frameon=False)
figure.suptitle("What a loss charges for a wrong prediction")
