"""MNIST's handwritten digits with convolutions: 99.3 % of the test images and more, in 8 epochs.

Run it with the path of the data, an ``.npz`` with the arrays x_train (60000, 28, 28),
y_train (60000,), x_test (10000, 28, 28) and y_test (10000,), or train_x and so on, with pixels
from 0 to 255::

    python examples/mnist_convolutions.py mnist.npz

An epoch takes about 20 seconds on one core. Without a path it reads the 1,797 digits of 8×8 pixels
that come with tinynet, in a few seconds.

An image is (1, 28, 28): one channel, rows, columns. A convolution moves small matrices of weights
over it, a pooling halves rows and columns, and batch normalization keeps the numbers near 0 and 1.
"""

import argparse
import time

import numpy as np

import tinynet as tn
from tinynet.schedules import Cosine, Warmup


def load(path=None):
    """Return images (1, H, W, m) with pixels from 0 to 1, and labels (m,), to train and to test."""
    if path is None:
        digits = tn.load_digits()
        X_train, X_test = (X.reshape(1, 8, 8, -1) for X in (digits.X_train, digits.X_test))
        return X_train, digits.y_train, X_test, digits.y_test
    with np.load(path) as data:
        named = {
            "_".join(sorted(name.split("_"))): data[name] for name in data.files
        }  # train_x, for x_train too
    # In memory an example follows another, as fit gathers its batches fastest; the view that it
    # takes has the examples last.
    X_train, X_test = (
        np.divide(named[f"{part}_x"], 255, dtype=np.float32).transpose(1, 2, 0)[np.newaxis]
        for part in ("train", "test")
    )
    return X_train, named["train_y"].astype(int), X_test, named["test_y"].astype(int)


def build(inputs, seed=1):
    """Return a network of two convolutions and two dense layers, for images of this shape."""
    kernel, padding = (5, "valid") if inputs[1] >= 28 else (3, "same")
    return tn.Sequential(
        [
            *block(20, kernel, padding),
            *block(50, kernel, padding),
            tn.Flatten(),
            tn.Dropout(0.2),
            tn.Dense(500, "relu"),
            tn.Dropout(0.4),
            tn.Dense(10, "softmax"),
        ],
        loss="categorical_crossentropy",
        inputs=inputs,
        seed=seed,
    )


def block(units, kernel, padding):
    """Return a convolution, a pooling, and a normalization with the activation.

    ReLU never changes which of several numbers is the largest. So it may come after the pooling,
    where there are a quarter as many numbers.
    """
    return [
        tn.Conv2D(units, kernel, padding=padding),
        tn.MaxPool2D(2),
        tn.BatchNorm(activation="relu"),
    ]


def train(model, X, y, epochs, batch_size=64):
    """Train with Adam, and a learning rate that warms up and then falls to 0 along a cosine."""
    steps = epochs * -(-len(y) // batch_size)
    rate = Warmup(steps // 20 + 1, then=Cosine(0.002, period=steps, restart=False))
    return model.fit(
        X, y, optimizer=tn.Adam(rate), epochs=epochs, batch_size=batch_size,
        metrics=["accuracy"], verbose=True,
    )  # fmt: skip


def main(path=None, epochs=8, seed=1):
    """Train, evaluate on the test images, and return the accuracy."""
    X_train, y_train, X_test, y_test = load(path)
    model = build(X_train.shape[:-1], seed)
    print(model.summary())
    start = time.perf_counter()
    train(model, X_train, y_train, epochs)
    print(f"Trained in {time.perf_counter() - start:.0f} s")
    accuracy = model.evaluate(X_test, y_test, metrics=["accuracy"])["accuracy"]
    print(f"Test accuracy: {accuracy:.2%}")
    return accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train a convolutional network to read digits.")
    parser.add_argument("path", nargs="?", help="the .npz file of the data")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument(
        "--seed", type=int, default=1, help="for the first parameters and the order of examples"
    )
    main(**vars(parser.parse_args()))
