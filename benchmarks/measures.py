"""Measure steps, epochs and predictions: each function yields rows, values by peer."""

import time

import networks
import numpy as np
import timing
from peers import by_hand as hand
from peers import with_floor


def steps(peers, options):
    """One training step of each library."""
    for network in networks.chosen(networks.STEPS, options):
        yield _step(network, peers, options)


def floor(peers, options):
    """One training step of tinynet, and the matrix products of that step alone."""
    some = [network for network in networks.STEPS if "relu sgd" in str(network)]
    for network in networks.chosen(some, options):
        yield _step(network, {"tinynet": peers["tinynet"], "floor": with_floor}, options)


def by_hand(peers, options):
    """One training step of tinynet, and the same written out in NumPy for this network alone."""
    some = [network for network in networks.STEPS if hand.can(network)]
    for network in networks.chosen(some, options):
        yield _step(network, {"tinynet": peers["tinynet"], "by hand": hand}, options)


def images(peers, options):
    """One training step of networks with convolutions, and its matrix products alone."""
    chosen = {name: peers[name] for name in ("tinynet", "torch", "jax") if name in peers}
    for network in networks.chosen(networks.IMAGES, options):
        yield _step(network, chosen | {"floor": with_floor}, options, "image_step")


def recurrent(peers, options):
    """One pass forward and one back of a recurrent layer, with the gradient of its input."""
    for layer in networks.chosen(networks.RECURRENT, options):
        functions = {
            name: peer.recurrent(layer)
            for name, peer in peers.items()
            if hasattr(peer, "recurrent")
        }
        yield _row(layer, timing.medians(functions, options.rounds))


def image_prediction(peers, options):
    """Predictions of ten thousand images."""
    for network in networks.chosen(networks.IMAGE_PREDICTION, options):
        X, _ = network.batch(options.images)
        functions = {
            name: peer.image_predictor(network, X)
            for name, peer in peers.items()
            if hasattr(peer, "image_predictor")
        }
        yield _row(network, timing.medians(functions, (options.rounds + 1) // 2, least=0))


def inference(peers, options):
    """One prediction, of one example and of many."""
    for network in networks.chosen(networks.INFERENCE, options):
        X, _ = network.batch()
        functions = {
            name: peer.predictor(network, X)
            for name, peer in peers.items()
            if hasattr(peer, "predictor")
        }
        yield _row(network, timing.medians(functions, options.rounds))


def epochs(peers, options):
    """One epoch of `fit`."""
    for network in networks.chosen(networks.FIT, options):
        X, y = networks.examples(options.examples, network.sizes[0], network.classes)
        functions = _trainers(peers, network, X, y)
        yield _row(network, timing.medians(functions, (options.rounds + 1) // 2, least=0))


def columns(peers, options):
    """Time the steps of an epoch on one batch, and `fit` on X.T of rows and on columns."""
    for network in networks.chosen(networks.FIT, options):
        X, y = networks.examples(options.examples, network.sizes[0], network.classes)
        columns = np.ascontiguousarray(X.T)
        step, count = (
            peers["tinynet"].step(network, *network.batch()),
            -(-options.examples // network.m),
        )
        functions = {
            "bare steps": lambda step=step, count=count: [step() for _ in range(count)],
            "rows": peers["tinynet"].trainers(network, X, y)["fit"],
            "columns": peers["tinynet"].trainers(network, columns.T, y)["fit"],
        }
        yield _row(network, timing.medians(functions, (options.rounds + 1) // 2, least=0))


def to_accuracy(peers, options, goal=0.975, most=20):
    """Train on MNIST until `goal` of the test images are read; only training is timed."""
    with np.load(options.mnist) as file:
        X, test = (
            file[name].reshape(-1, 784).astype(np.float32) / 255 for name in ("train_x", "test_x")
        )
        y, labels = file["train_y"].astype(int), file["test_y"]
    network = networks.Network((784, 128, 64, 10), 128, optimizer="adam")
    seconds = {}
    for name, epoch in _trainers(peers, network, X, y).items():
        taken = 0.0
        for _ in range(most):
            start = time.perf_counter()
            epoch()
            taken += time.perf_counter() - start
            if np.mean(epoch.labels(test) == labels) >= goal:
                seconds[name] = taken
                break
    yield _row(network, seconds)


def _step(network, peers, options, kind="step"):
    """Return a row: the time of a step by each peer, after a check that they do the same."""
    X, y = network.batch()
    functions = {
        name: getattr(peer, kind)(network, X, y)
        for name, peer in peers.items()
        if hasattr(peer, kind)
    }
    functions = {name: function for name, function in functions.items() if function}
    expect_equal_steps(network, functions)
    return _row(network, timing.medians(functions, options.rounds))


def expect_equal_steps(network, functions, count=3):
    """Expect that a few steps lead all peers that show their weights to the same ones."""
    start = _flat(network.weights())
    ends = {}
    for name, function in functions.items():
        if hasattr(function, "weights"):
            for _ in range(count):
                function()
            ends[name] = _flat(function.weights())
    moved = np.abs(ends["tinynet"] - start).mean()
    for name, end in ends.items():
        if not np.abs(end - ends["tinynet"]).mean() < 0.01 * moved:
            raise AssertionError(f"{network}: {name} takes other steps than tinynet.")


def _flat(weights):
    return np.concatenate([np.ravel(array) for pair in weights for array in pair])


def _trainers(peers, network, X, y):
    found = {}
    for name, peer in peers.items():
        if hasattr(peer, "trainers"):
            for kind, function in peer.trainers(network, X, y).items():
                found[f"{name} {kind}"] = function
    return found


def _row(network, values):
    return {"name": str(network), "values": values}
