"""
Learning rate schedules
=======================

Large steps at the beginning bring the cost down fast. Small steps at the end let it settle. A
schedule gives the learning rate of each step, or of each epoch. Pass it in place of a number:
``tn.SGD(tn.schedules.Cosine(0.1, period=100))``.
"""

from matplotlib import pyplot as plt

import tinynet as tn
from tinynet.schedules import Cosine

plt.style.use("tableau-colorblind10")

settings = {
    "constant": {"rate": 0.1},
    "step": {"rate": 0.1, "drop": 0.5, "every": 25},
    "exponential": {"rate": 0.1, "decay": 0.5, "interval": 25},
    "inverse_time": {"rate": 0.1, "decay": 1, "interval": 25, "floor": False},
    "polynomial": {"rate": 0.1, "end": 0.001, "steps": 80, "power": 2},
    "piecewise": {"values": (0.1, 0.03, 0.01), "boundaries": (40, 70)},
    "cosine": {"rate": 0.1, "period": 40},
    "one_cycle": {"rate": 0.1, "steps": 100},
    "warmup": {"steps": 15, "then": Cosine(0.1, period=85, restart=False)},
}

figure, axes = plt.subplots(
    3, 3, figsize=(7, 6), layout="constrained", sharex=True, sharey=True
)
for (name, options), ax in zip(settings.items(), axes.flat, strict=True):
    schedule = tn.Schedule.get(name, **options)
    ax.plot([schedule.at(t) for t in range(101)], linewidth=2)
    ax.set(title=name)
figure.supxlabel("step")
figure.supylabel("learning rate")
figure.suptitle("The learning rate over 100 steps, by each schedule")
