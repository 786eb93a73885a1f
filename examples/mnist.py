"""MNIST's handwritten digits: 98.3 % of the test images and more, with dense layers alone.

Run it with the path of the data, an ``.npz`` with the arrays x_train (60000, 28, 28),
y_train (60000,), x_test (10000, 28, 28) and y_test (10000,), or train_x and so on, with pixels
from 0 to 255::

    python examples/mnist.py mnist.npz

It takes some minutes on two cores. With ``--checkpoint FILE`` a run that was stopped continues when
the program is started again.
"""

import argparse
import os
import time

import numpy as np

import tinynet as tn
from tinynet.schedules import Cosine, Warmup


def load(path):
    """Return X_train (784, m), y_train (m,), X_test and y_test, pixels from 0 to 1."""
    with np.load(path) as data:
        named = {
            "_".join(sorted(name.split("_"))): data[name] for name in data.files
        }  # train_x, for x_train too
    # An example is a row in memory, and a column of the transposed view that fit takes.
    X_train, X_test = (
        np.divide(named[f"{part}_x"].reshape(-1, 784), 255, dtype=np.float32).T
        for part in ("train", "test")
    )
    return X_train, named["train_y"].astype(int), X_test, named["test_y"].astype(int)


def build(seed, units=512):
    """Return a model with two hidden layers, each with dropout."""
    return tn.Sequential(
        [
            tn.Dropout(0.1),
            tn.Dense(units, "relu"),
            tn.Dropout(0.3),
            tn.Dense(units, "relu"),
            tn.Dropout(0.3),
            tn.Dense(10, "softmax"),
        ],
        loss="categorical_crossentropy",
        inputs=784,
        seed=seed,
    )


def train(model, X, y, epochs, batch_size=128, checkpoint=None):
    """Train with Adam, and a learning rate that warms up and then falls to 0 along a cosine."""
    if checkpoint and os.path.exists(checkpoint):
        return tn.resume(checkpoint, X, y)
    steps = epochs * -(-X.shape[1] // batch_size)
    rate = Warmup(steps // 20 + 1, then=Cosine(0.0015, period=steps, restart=False))
    history = model.fit(
        X, y, optimizer=tn.Adam(rate), epochs=epochs, batch_size=batch_size,
        metrics=["accuracy"], verbose=True, checkpoint=checkpoint,
    )  # fmt: skip
    return model, history


def main(path, seed=1, epochs=20, checkpoint=None):
    """Train, evaluate on the test images, and return the accuracy."""
    X_train, y_train, X_test, y_test = load(path)
    model = build(seed)
    print(model.summary())
    start = time.perf_counter()
    model, _ = train(model, X_train, y_train, epochs, checkpoint=checkpoint)
    print(f"Trained in {time.perf_counter() - start:.0f} s")
    measured = model.evaluate(X_test, y_test, metrics=["accuracy"])
    print(f"Test accuracy: {measured['accuracy']:.2%}")
    return measured["accuracy"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train dense layers to read MNIST's digits.")
    parser.add_argument("path", help="the .npz file with MNIST")
    parser.add_argument("--seed", type=int, default=1, help="for parameters, order and dropout")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--checkpoint", help="a file from which an interrupted run continues")
    given = parser.parse_args()
    main(given.path, given.seed, given.epochs, given.checkpoint)
