"""Measure predictions of a saved model: with tinynet, NumPy alone and onnxruntime, and in threads.

python benchmarks/scoring.py 2 1000     # the seconds of a request of 1,000 examples, by 2 threads
"""

import io
import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import networks
import numpy as np
import timing
from peers import with_tinynet

import tinynet as tn


def predictions(peers, options):
    """One prediction: with tinynet, with NumPy alone from the file, with onnxruntime."""
    for network in networks.chosen(networks.SCORING, options):
        model, X = _model(network), network.batch()[0]
        functions = {"tinynet": _call(model.predict, X.T), "NumPy": _call(_with_numpy(model), X.T)}
        if "onnxruntime" in peers:
            functions["onnxruntime"] = _call(_with_onnxruntime(model), X)
        yield {"name": str(network), "values": timing.medians(functions, options.rounds)}


def requests(_peers, options):
    """One request of several to threads that share a model, in processes of their own, in turn."""
    for network in networks.chosen(networks.SCORING, options):
        times = {"1 thread": [], "2 threads": []}
        for _ in range(options.rounds):
            for name, held in times.items():
                held.append(_in_a_process(name[0], network.m))
        values = {name: statistics.median(held) for name, held in times.items()}
        yield {"name": str(network), "values": values}


def seconds(workers, m):
    """Return the time of a request of m examples, if each thread has many of them to do."""
    network = networks.Network(networks.SCORING[0].sizes, m)
    model, X = _model(network), np.ascontiguousarray(network.batch()[0].T)
    several = [X] * (20_000 // (m + 20))
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(model.predict, several))
        start = time.perf_counter()
        list(pool.map(model.predict, several))
        return (time.perf_counter() - start) / len(several)


def _in_a_process(*arguments):
    command = [sys.executable, __file__, *map(str, arguments)]
    environment = os.environ | timing.ONE_THREAD
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return float(done.stdout)


def _model(network):
    return with_tinynet.step(network, *network.batch()).model


def _call(predict, X):
    X = np.ascontiguousarray(X)
    return lambda: predict(X)


def _with_numpy(model):
    """Return the function on the page "Deployment" that predicts from a file, without tinynet."""
    model.save(file := io.BytesIO())
    file.seek(0)
    with np.load(file) as members:
        arrays = {name: members[name] for name in members.files}
    L = len(json.loads(str(arrays["description"]))["layers"])

    def predict(A):
        for l in range(1, L + 1):
            Z = arrays[f"W{l}"] @ A + arrays[f"b{l}"]
            A = np.maximum(Z, 0) if l < L else np.exp(Z - Z.max(axis=0))
        return A / A.sum(axis=0)

    return predict


def _with_onnxruntime(model):
    """Return the function that predicts rows with one thread of onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    graph = tn.exchange.to_onnx(model).SerializeToString()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return lambda X: session.run(None, {"X": X})


if __name__ == "__main__":
    print(seconds(int(sys.argv[1]), int(sys.argv[2])))
