"""
Activation functions and their slopes
=====================================

Every activation that the library knows by name, with its slope, which back-propagation multiplies
dA by. Where the slope is near 0, as at both ends of ``sigmoid``, ``tanh`` and ``hard_sigmoid``, a
unit hardly learns. (``softmax`` has no such curve, because each of its outputs depends on all
inputs.)
"""

from matplotlib import pyplot as plt

import tinynet as tn

plt.style.use("tableau-colorblind10")

names = [name for name in tn.Activation.names() if name != "softmax"]
figure, axes = plt.subplots(
    4, 4, figsize=(7.5, 7), layout="constrained", sharex=True, sharey=True
)
for name, ax in zip(names, axes.flat, strict=True):
    tn.plot.activation(name, ax=ax)
    ax.get_legend().remove()
    ax.set(xlabel="", ylabel="", xticks=[-3, 0, 3], ylim=(-2, 3))
figure.supxlabel("Z")
figure.suptitle("Activations (solid) and their slopes (dashed)")
