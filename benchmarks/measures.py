"""What is measured: each function yields rows, a name and seconds or bytes by peer."""

import time
import tracemalloc

import networks
import numpy as np
import timing


def steps(peers, options, match=""):
    """One training step."""
    for network in (
        network for network in _chosen(networks.STEPS, options) if match in f"{network}"
    ):
        X, y = network.batch()
        functions = {
            name: peer.step(network, X, y) for name, peer in peers.items() if hasattr(peer, "step")
        }
        yield _row(
            network, timing.medians({name: f for name, f in functions.items() if f}, options.rounds)
        )


def floor(peers, options):
    """Time one training step of tinynet, and the matrix products of that step alone."""
    yield from steps(
        {name: peers[name] for name in ("tinynet", "floor")}, options, match="relu sgd"
    )


def inference(peers, options):
    """One prediction, of one example and of many."""
    for network in _chosen(networks.INFERENCE, options):
        X, _ = network.batch()
        functions = {
            name: peer.predictor(network, X)
            for name, peer in peers.items()
            if hasattr(peer, "predictor")
        }
        yield _row(network, timing.medians(functions, options.rounds))


def epochs(peers, options):
    """One epoch of `fit`."""
    for network in _chosen(networks.FIT, options):
        X, y = networks.examples(options.examples, network.sizes[0], network.classes)
        functions = _trainers(peers, network, X, y)
        yield _row(network, timing.medians(functions, max(1, options.rounds // 3), least=0))


def columns(peers, options):
    """Time the steps of an epoch on one batch, and `fit` on X.T of rows and on columns."""
    for network in _chosen(networks.FIT, options):
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
        yield _row(network, timing.medians(functions, max(1, options.rounds // 3), least=0))


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


def growth(peers, _options, count=10_000):
    """Bytes that 10,000 steps leave behind, by tracemalloc: none is wanted."""
    network = networks.STEPS[1]
    step = peers["tinynet"].step(network, *network.batch())
    for _ in range(100):
        step()
    tracemalloc.start()
    step()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(count):
        step()
    left = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    yield _row(network, {"tinynet": left})


def allocations(peers, options):
    """Most bytes that are held at one time during a step and not before it, by tracemalloc."""
    some = [
        network
        for network in networks.STEPS
        if network.optimizer == "sgd" and network.hidden in ("relu", "gelu")
    ]
    for network in _chosen(some, options):
        step = peers["tinynet"].step(network, *network.batch())
        step()
        tracemalloc.start()
        step()
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        step()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        largest = max(n * network.m for n in network.sizes[1:]) * np.dtype(network.dtype).itemsize
        yield _row(network, {"tinynet": peak - before, "largest batch array": largest})


def _chosen(table, options):
    chosen = [network for network in table if options.match in f"{network}"]
    return chosen[:2] if options.few else chosen


def _trainers(peers, network, X, y):
    found = {}
    for name, peer in peers.items():
        if hasattr(peer, "trainers"):
            for kind, function in peer.trainers(network, X, y).items():
                found[f"{name} {kind}"] = function
    return found


def _row(network, values):
    return {"name": str(network), "values": values}
