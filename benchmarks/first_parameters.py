"""Measure how fast small networks train from each initializer, and print one table.

    python benchmarks/first_parameters.py                   # takes some minutes
    python benchmarks/first_parameters.py --activation gelu --depths 2,5 --seeds 5

A column is a rule: the initializer of the hidden layers, and that of the last layer. A number is
the mean over ten data sets, for the best learning rate of each rule. Training is done when a loss
is within a twentieth of the way from the loss of a constant prediction to the lowest loss that any
rule reaches. With scikit-learn, which ``.[bench]`` installs, four of the data sets are real.
"""

import argparse
import math
import warnings

import numpy as np

import tinynet as tn

try:
    from sklearn import datasets as real
except ImportError:
    real = None

RATES = {"Adam": (0.001, 0.003, 0.01), "SGD": (0.01, 0.03, 0.1, 0.3)}
MSE, BINARY, CLASSES = "mean_squared_error", "binary_crossentropy", "categorical_crossentropy"
LOSSES = {"identity": MSE, "sigmoid": BINARY, "softmax": CLASSES}
DIVERGED = 1e9  # stands for a loss that is larger, or not finite
ROWS = ("epochs", "epochs, held out", "% above the best", "% above, held out", "% failed")


class LecunUniform(tn.Initializer):
    """Uniform with variance 1/n_in."""

    def draw(self, shape, rng):
        return rng.uniform(-1, 1, shape) * math.sqrt(3 / shape[1])


RULES = {
    "auto": ("auto", "auto"),
    "he": ("he_normal", "glorot_uniform"),
    "he_n": ("he_normal", "he_normal"),
    "he_u": ("he_uniform", "he_uniform"),
    "glorot_n": ("glorot_normal", "glorot_normal"),
    "glorot_u": ("glorot_uniform", "glorot_uniform"),
    "lecun_n": ("lecun_normal", "lecun_normal"),
    "lecun_u": (LecunUniform(), LecunUniform()),
    "he+small": ("he_normal", tn.Initializer.get("normal", scale=0.01)),
}


def data_sets():
    """Yield X, Y and the activation of the last layer of ten data sets."""
    yield *tn.load_digits(), "softmax"
    yield *tn.datasets.make_circles(400, 0.15, seed=1), "sigmoid"
    yield *tn.datasets.make_moons(400, 0.2, seed=1), "sigmoid"
    yield *tn.datasets.make_spirals(400, 0.03, seed=1), "sigmoid"
    rng = np.random.default_rng(1)
    if real:
        for load in (real.load_iris, real.load_wine, real.load_breast_cancer, real.load_diabetes):
            X, y = load(return_X_y=True)
            last = {1: "sigmoid", 2: "softmax"}.get(y.max(), "identity")
            yield X.T, y if last == "softmax" else y[np.newaxis], last
    else:  # as many numbers, examples and classes, and as much noise
        for n, m, classes in ((4, 150, 3), (13, 178, 3), (30, 569, 2)):
            y = rng.integers(0, classes, m)
            X = rng.standard_normal((n, m)) + rng.standard_normal((n, classes))[:, y]
            yield X, *((y, "softmax") if classes > 2 else (y[np.newaxis], "sigmoid"))
        X = rng.standard_normal((10, 4)) @ rng.standard_normal((4, 442))
        X += rng.standard_normal(X.shape)
        Y = rng.standard_normal((1, 10)) @ X
        yield X, Y + Y.std() * rng.standard_normal(Y.shape), "identity"
    X = rng.uniform(-1, 1, (1, 300))
    yield X, np.sin(6 * X) + 0.1 * rng.standard_normal(X.shape), "identity"
    X = rng.uniform(0, 1, (10, 400))  # Friedman's first function (1991)
    Y = 10 * np.sin(np.pi * X[0] * X[1]) + 20 * (X[2] - 0.5) ** 2 + 10 * X[3] + 5 * X[4]
    yield X, Y[np.newaxis] + rng.standard_normal((1, 400)), "identity"


def train(parts, last, rule, depth, optimizer, seed, options):
    """Return the losses: one row an epoch, one column a part."""
    X, Y = parts[0]
    outputs = len(Y) if Y.ndim == 2 else Y.max() + 1
    layers = [tn.Dense(options.width, options.activation, rule[0])] * depth
    layers.append(tn.Dense(outputs, last, rule[1]))
    model = tn.Sequential(layers, LOSSES[last], inputs=len(X), seed=seed)
    losses = np.full((options.epochs, len(parts)), DIVERGED)
    try:
        for row in losses:
            model.fit(X, Y, optimizer, batch_size=32)
            row[:] = [model.evaluate(*part)["loss"] for part in parts]
    except tn.errors.NonFiniteError:
        pass
    return np.nan_to_num(np.minimum(losses, DIVERGED), nan=DIVERGED)


def measure(X, Y, last, depth, optimizer, options):
    """Return an array with a row for each of ROWS and a column for each of RULES."""
    X = (X - X.mean(axis=1, keepdims=True)) / (X.std(axis=1, keepdims=True) + 1e-9)
    Y = (Y - Y.mean()) / Y.std() if last == "identity" else Y
    order = np.random.default_rng(2).permutation(X.shape[1])[:450]
    third = len(order) // 3  # is held out
    parts = [(X[:, part], Y[..., part]) for part in (order[third:], order[:third])]
    runs = np.array([[[train(parts, last, rule, depth, getattr(tn, optimizer)(rate), seed, options)
                       for seed in range(options.seeds)]
                      for rate in RATES[optimizer]] for rule in RULES.values()])  # fmt: skip
    constant = np.array([loss_of_constant(part[1], last) for part in parts])
    lowest = np.median(runs.min(axis=3), axis=2)  # by rule, rate and part
    best = lowest.min(axis=(0, 1))
    reached = runs <= best + (constant - best) / 20
    epochs = np.where(reached.any(axis=3), reached.argmax(axis=3) + 1, 2 * options.epochs)
    above = np.minimum((lowest - best) / (constant - best), 1).min(axis=1)
    failed = (runs[..., -1, 0] > constant[0]).mean(axis=(1, 2))
    return np.vstack([np.mean(epochs, axis=2).min(axis=1).T, 100 * above.T, 100 * failed])


def loss_of_constant(Y, last):
    """Return the lowest loss of a prediction that is the same for all examples."""
    if last == "identity":
        return Y.var() / 2  # mean_squared_error has the factor 1/2
    share = np.bincount(Y.ravel()) / Y.size
    return -np.sum(share * np.log(share))


def main():
    """Train everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--activation", default="relu", help="of the hidden layers")
    parser.add_argument("--width", type=int, default=64, help="units of a hidden layer")
    parser.add_argument("--depths", default="1,3,10", help="numbers of hidden layers")
    parser.add_argument("--seeds", type=int, default=2, help="how often each network is trained")
    parser.add_argument("--epochs", type=int, default=30, help="the length of each training")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # diverging networks are among what is measured
    if not real:
        print("scikit-learn is missing: its four data sets are replaced by random numbers.")
    print(" " * 36 + "".join(f"{name:>10}" for name in RULES))
    for optimizer in RATES:
        for depth in map(int, options.depths.split(",")):
            found = [measure(*data, depth, optimizer, options) for data in data_sets()]
            for name, row in zip(ROWS, np.mean(found, axis=0), strict=True):
                title = f"{optimizer}, {depth} hidden: {name}"
                print(f"{title:36}" + "".join(f"{value:10.1f}" for value in row), flush=True)


if __name__ == "__main__":
    main()
