"""Measure memory: what steps hold and leave behind, and the peaks of `fit` and of predictions.

python benchmarks/memory.py fit tinynet columns float32 60000     # one peak, in bytes (Linux)
"""

import ctypes
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import networks
import numpy as np
import peers as all_peers

_RESET = Path("/proc/self/clear_refs")  # Linux has it
_LIBRARIES = {"tinynet": "fit", "torch": "by hand", "sklearn": "fit"}


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
    yield {"name": str(network), "values": {"tinynet": left}}


def allocations(peers, options):
    """Most bytes that are held at one time during a step and not before it, by tracemalloc."""
    some = [
        network
        for network in networks.STEPS
        if network.optimizer == "sgd" and network.hidden in ("relu", "gelu")
    ]
    for network in networks.chosen(some, options):
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
        values = {"tinynet": peak - before, "largest batch array": largest}
        yield {"name": str(network), "values": values}


def training(peers, options):
    """By how many bytes an epoch raises the peak of resident memory, X in rows and in columns."""
    if not _RESET.exists():
        return
    values = {}
    for library in (library for library in _LIBRARIES if library in peers):
        values[library] = _peak_of("fit", library, "rows", "float32", options.examples)
        if library == "tinynet":
            name = "tinynet, X in columns"
            values[name] = _peak_of("fit", library, "columns", "float32", options.examples)
    yield {"name": str(networks.FIT[0]), "values": values}


def prediction(_peers, options):
    """By how many bytes `predict` and `evaluate` raise the peak of resident memory."""
    if not _RESET.exists():
        return
    count = 1_000 if options.few else 100_000
    for what in ("predict", "evaluate"):
        for dtype in ("float32", "float64"):
            values = {"data": count * 784 * np.dtype(dtype).itemsize}
            for order in ("rows", "columns"):
                values[f"X in {order}"] = _peak_of(what, "tinynet", order, dtype, count)
            yield {"name": f"{what}, X of {dtype}", "values": values}


def images(peers, options):
    """By how many bytes a prediction of many images raises the peak of resident memory."""
    if not _RESET.exists():
        return
    values = {"data": options.images * 784 * 4}
    for library in (library for library in ("tinynet", "torch", "jax") if library in peers):
        values[library] = _peak_of("images", library, "rows", "float32", options.images)
    yield {"name": str(networks.IMAGE_PREDICTION[0]), "values": values}


def _peak_of(*arguments):
    command = [sys.executable, __file__, *map(str, arguments)]
    return int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def peak(what, library, order, dtype, count):
    """Return by how many bytes one call raises the peak of this process's resident memory."""
    network, peer = networks.FIT[0], all_peers.installed([library])[library]
    if what == "images":
        network = networks.IMAGE_PREDICTION[0]
        few, many = (peer.image_predictor(network, network.batch(m)[0]) for m in (1, count))
        few()  # a library loads some of itself when it is first used
        return _rise(many)
    X, y = networks.examples(count, 784, 10, dtype)
    if order == "columns":
        X = np.asfortranarray(X)  # X.T, which tinynet is given, has its rows in C order
    if what == "fit":
        call = peer.trainers(network, X, y)[_LIBRARIES[library]]
    else:
        model = peer.step(network, *network.batch()).model
        method = {"predict": model.predict, "evaluate": lambda X: model.evaluate(X, y)}[what]
        call = lambda: method(X.T)  # noqa: E731
    return _rise(call)


def _rise(call):
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # what was freed before must not serve the call
        libc.malloc_trim(0)
    # Linux resets the peak of resident memory to what is resident now, if told so.
    _RESET.write_text("5")
    before = _status("VmRSS")
    call()
    return _status("VmHWM") - before


def _status(name):
    lines = Path("/proc/self/status").read_text("utf-8")
    return int(re.search(name + r":\s+(\d+) kB", lines)[1]) * 1024


if __name__ == "__main__":
    print(peak(*sys.argv[1:5], int(sys.argv[5])))
