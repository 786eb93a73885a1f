"""
Convolution: filters and feature maps
=====================================

A convolution slides a small filter over the image. Where the image looks like the filter, the
feature map is bright. The first row shows eight filters of 3×3 that a network has learned from the
digits. Below them is what each of them sees in four digits: edges of one direction, corners, ends
of strokes.
"""

from matplotlib import pyplot as plt

import tinynet as tn

digits = tn.load_digits()
images = digits.X_train.reshape(1, 8, 8, -1)  # (channels, rows, columns, examples)

layers = [
    tn.Conv2D(8, 3, "relu", padding="same"),
    tn.MaxPool2D(2),
    tn.Conv2D(16, 3, "relu"),
    tn.Flatten(),
    tn.Dense(10, "softmax"),
]
model = tn.Sequential(layers, loss="categorical_crossentropy", inputs=(1, 8, 8), seed=1)
model.fit(images, digits.y_train, tn.Adam(0.003), epochs=10)

shown = [0, 3, 4, 17]
model.forward(images[..., shown])
filters, maps = model.W[1], model.A[1]  # (8, 1, 3, 3) and (8, 8, 8, 4)

figure, axes = plt.subplots(5, 9, figsize=(7.5, 4.6), layout="constrained")
for k in range(8):
    axes[0, k + 1].imshow(filters[k, 0], cmap="RdBu_r", vmin=-1, vmax=1)
    for row in range(4):
        axes[row + 1, k + 1].imshow(maps[k, :, :, row], cmap="viridis")
for row, i in enumerate(shown):
    axes[row + 1, 0].imshow(images[0, :, :, i], cmap="gray_r")
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
axes[0, 0].axis("off")
axes[0, 1].set_ylabel("filters")
figure.suptitle("Eight learned filters, and where each responds in four digits")
