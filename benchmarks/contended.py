"""Measure `fit` while other programs keep all cores busy, with one thread of BLAS and with all.

python benchmarks/contended.py tinynet 32     # the seconds of one fit, in batches of 32
"""

import contextlib
import os
import statistics
import subprocess
import sys
import time
import warnings

import networks
import timing

NETWORK = networks.Network((30, 100, 1), 569, optimizer="adam")
EPOCHS = 30
# Seconds of fits in a process. The system gives a core to another program for several milliseconds
# at a time, so whether a single fit of ten was stopped once or twice would be chance.
LEAST = 0.5
# It ends with the process that started it, even if that one is killed.
_BUSY = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


def fits(peers, options):
    """Time `fit` in processes of their own: in turn with one thread and with the default."""
    kinds = {"one thread": os.environ | timing.ONE_THREAD, "default threads": dict(os.environ)}
    for library in (name for name in ("tinynet", "sklearn") if name in peers):
        for batch_size in (32, NETWORK.m):
            name = f"{library}, batches of {batch_size}"
            if options.match not in name:
                continue
            times = {kind: [] for kind in kinds}
            with _all_cores_busy():
                for _ in range(options.rounds):
                    for kind, environment in kinds.items():
                        times[kind].append(_in_a_process(library, batch_size, environment))
            values = {kind: statistics.median(held) for kind, held in times.items()}
            slowest = f"slowest of {options.rounds}"
            yield {"name": name, "values": values | {slowest: max(times["default threads"])}}


@contextlib.contextmanager
def _all_cores_busy():
    processes = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(os.cpu_count())]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _in_a_process(library, batch_size, environment):
    command = [sys.executable, __file__, library, str(batch_size)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return float(done.stdout)


def seconds(library, batch_size):
    """Return the mean time of one `fit`; imports and data are not timed."""
    X, y = NETWORK.batch()
    train = {"tinynet": _with_tinynet, "sklearn": _with_sklearn}[library](X, y, batch_size)
    start, fits, elapsed = time.perf_counter(), 0, 0.0
    while elapsed < LEAST:
        train()
        fits += 1
        elapsed = time.perf_counter() - start
    return elapsed / fits


def _with_tinynet(X, y, batch_size):
    import tinynet as tn

    layers = [tn.Dense(NETWORK.sizes[1], "relu"), tn.Dense(1, "sigmoid")]
    model = tn.Sequential(layers, "binary_crossentropy", inputs=len(X.T), seed=1)
    Y, adam = NETWORK.targets(y), tn.Adam(NETWORK.rate)
    return lambda: model.fit(X.T, Y, adam, epochs=EPOCHS, batch_size=batch_size)


def _with_sklearn(X, y, batch_size):
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")  # it warns that it has not converged
    classifier = MLPClassifier(
        NETWORK.sizes[1:-1],
        alpha=0,
        batch_size=batch_size,
        learning_rate_init=NETWORK.rate,
        max_iter=EPOCHS,
        n_iter_no_change=EPOCHS,
        random_state=1,
    )
    return lambda: classifier.fit(X, y)


if __name__ == "__main__":
    print(seconds(sys.argv[1], int(sys.argv[2])))
