"""
First-layer weights as pictures
===============================

Each unit of the first layer has a weight for every pixel, so its row of W[1] is a picture of what
it looks for: ink on the red pixels and none on the blue ones makes its Z large. Before training
the weights are noise. Afterwards they are strokes, curves and edges.
"""

from matplotlib import pyplot as plt

import tinynet as tn

digits = tn.load_digits()
layers = [tn.Dense(16, "tanh", l2=0.003), tn.Dense(10, "softmax")]
model = tn.Sequential(layers, loss="categorical_crossentropy", inputs=64, seed=1)

figure, axes = plt.subplots(1, 2, figsize=(7.5, 3.6), layout="constrained")
tn.plot.weights(model, 1, shape=(8, 8), ax=axes[0])
model.fit(digits.X_train, digits.y_train, tn.Adam(0.01), epochs=60)
tn.plot.weights(model, 1, shape=(8, 8), ax=axes[1])
axes[0].set(title="before training", xlabel="16 units")
axes[1].set(title="after training", xlabel="16 units")
figure.suptitle("The weights of each unit turn from noise into strokes")
