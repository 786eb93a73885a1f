"""Handwritten digits, from the first array to a saved network.

Run it::

    python examples/digits.py             # or with --seed 7, for other first parameters

1,797 digits were written by hand, each as an image of 8×8 numbers between 0 (white) and 1
(black). The network is trained with 1,433 of them, and tested with the other 364.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

import tinynet as tn
from tinynet import SGD, Dense, Sequential


def build_model(seed):
    """Return the network: 64 pixels → 256 hidden units → a probability for each of the 10 digits.

    `l2` keeps the weights small: it adds l2/2 times the sum of their squares to the cost,
    which is why the loss does not go to zero where the accuracy goes to 1.
    """
    return Sequential(
        [Dense(256, "relu", l2=0.0003), Dense(10, "softmax", l2=0.0003)],
        loss="categorical_crossentropy",
        inputs=64,
        seed=seed,
    )


def train(model, X, y, verbose=True):
    """Train in two rounds: large steps to get there fast, then small ones to settle."""
    for learning_rate, epochs in ((0.1, 15), (0.01, 5)):
        if verbose:
            print(f"{epochs} epochs at learning rate {learning_rate}")
        optimizer = SGD(learning_rate, momentum=0.9)
        model.fit(
            X,
            y,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=16,
            metrics=["accuracy"],
            verbose=verbose,
        )


def confusion_matrix(y, predicted):
    """Count how often the digit in row y was read as the digit in column `predicted`."""
    counts = np.zeros((10, 10), dtype=int)
    np.add.at(counts, (y, predicted), 1)
    return counts


def print_confusion_matrix(counts):
    """Print the counts with a dot for each zero, so that the mistakes stand out."""
    print("Confusion matrix (row: the digit; column: what the network read)")
    print("     " + "".join(f"{digit:4}" for digit in range(10)))
    for digit, row in enumerate(counts):
        print(f"{digit:4} " + "".join(f"{count or '.':>4}" for count in row))


def check_back_propagation(X, y, seed):
    """Return the largest relative error of the gradients of a small network of the same kind.

    Every gradient that `back` computes is compared with the slope of the cost, measured by
    moving the parameters a little. An error near 1e-8 is rounding; a wrong formula is near 1.
    """
    small = Sequential(
        [Dense(8, "relu", l2=0.0003), Dense(10, "softmax", l2=0.0003)],
        loss="categorical_crossentropy",
        inputs=64,
        seed=seed,
    )
    return tn.testing.check_gradients(small, X[:, :20], y[:20])


def save_and_load(model):
    """Write the network to a file in a temporary folder, and return what the file gives back."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.npz"
        model.save(path)
        print(f"Saved to {path.name}: {path.stat().st_size / 1024:.0f} kB")
        return tn.load(path)


def main(seed=1):
    """Train, evaluate, check, save, load and predict; return the accuracy on the test digits."""
    digits = tn.load_digits()
    print(
        f"{digits.X_train.shape[1]:,} digits to train on, {digits.X_test.shape[1]} held out to test"
    )

    model = build_model(seed)
    print(model.summary())

    start = time.perf_counter()
    train(model, digits.X_train, digits.y_train)
    print(f"Trained in {time.perf_counter() - start:.1f} s")

    # The network has not seen the test digits: this is what it makes of new ones.
    predicted = model.predict_labels(digits.X_test)
    accuracy = float(np.mean(predicted == digits.y_test))
    wrong = int(np.sum(predicted != digits.y_test))
    print(f"Test accuracy: {accuracy:.2%} ({wrong} of {len(predicted)} wrong)")
    print_confusion_matrix(confusion_matrix(digits.y_test, predicted))

    error = check_back_propagation(digits.X_train, digits.y_train, seed)
    print(f"Gradient check of a small network: largest relative error {error:.1e}")

    loaded = save_and_load(model)
    assert np.array_equal(loaded.predict(digits.X_test), model.predict(digits.X_test))
    print("The loaded network predicts the same, to the last digit.")
    return accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Train a small network to read handwritten digits."
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="for the first parameters and the order of examples"
    )
    main(parser.parse_args().seed)
