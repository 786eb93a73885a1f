"""Measure training on several processes: how it scales, and what the reduction costs.

    mpiexec -n 2 python -m mpi4py benchmarks/parallel.py
    mpiexec -n 2 python -m mpi4py benchmarks/parallel.py --rounds 5 --only reductions
    mpiexec -n 2 python -m mpi4py benchmarks/parallel.py --output benchmarks/parallel.txt

Each process has one thread of BLAS, whatever the environment says. What stands in one row is
measured in turn, and the tables show medians. While one process is measured alone, the others
sleep. In brackets stands the ratio to what has 1.00. ``--output`` also writes the tables to a
file, which the documentation includes.
"""

import os

import timing

os.environ.update(timing.ONE_THREAD)  # before the first import of NumPy

import argparse
import dataclasses
import datetime as dt
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import run
import tables
from networks import Network
from peers import with_tinynet

import tinynet as tn

_LARGE = (784, 1024, 1024, 10)
# The batch of a fit is that of all processes together, unless its name says otherwise.
FITS = {
    "batches of 512, SGD": Network(_LARGE, 512),
    "batches of 512, Adam": Network(_LARGE, 512, optimizer="adam"),
    "512 for each process, SGD": Network(_LARGE, 512),
}
# The examples of a step are those of one process.
STEPS = (
    Network((2, 4, 1), 4),
    Network((784, 128, 10), 256),
    Network((784, 680, 680, 10), 256),
    Network((784, 2800, 2800, 10), 256),
)
EPOCHS = 3


@dataclasses.dataclass(frozen=True)
class Ranks:
    """The processes that measure together; `wait` returns when all have called it."""

    communicator: tn.parallel.Communicator
    wait: Callable[[], None]

    @property
    def first(self):
        """Whether this process measures what one does alone."""
        return self.communicator.rank == 0

    def slowest(self, seconds):
        """Return the times of the slowest rank, one by one."""
        return self.communicator.gather(np.array(seconds)).max(axis=0)


class Clock(tn.Callback):
    """The seconds of each epoch but the last, with all that comes between two epochs."""

    def on_train_begin(self, logs):
        self.begins = []

    def on_epoch_begin(self, epoch, logs):
        self.begins.append(time.perf_counter())

    @property
    def seconds(self):
        """A time for each epoch but the last."""
        return np.diff(self.begins)


def main():
    """Measure on all ranks; print the tables on the first."""
    options = _options()
    ranks = Ranks(parallel := tn.parallel.MPI(), lambda: _wait(parallel.comm))
    if parallel.size == 1:
        raise SystemExit("Start several processes: mpiexec -n 2 python -m mpi4py " + __file__)
    text = tables.text({"tables": [table | _about() for table in _tables(ranks, options)]})
    if ranks.first:
        print(text)
    if ranks.first and options.output:
        Path(options.output).write_text(text, "utf-8")


def _options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=("fits", "reductions"), help="one of the tables")
    parser.add_argument("--rounds", type=int, default=9, help="how often everything is timed")
    parser.add_argument("--output", help="a file for the tables")
    return parser.parse_args()


def _wait(comm):
    """Wait for all ranks, asleep: a barrier of MPI would keep a core busy."""
    request = comm.Ibarrier()
    while not request.Test():
        time.sleep(0.001)


def _tables(ranks, options):
    several = f"{ranks.communicator.size} processes"
    if options.only != "reductions":
        rows = [fit(ranks, name, network, options.rounds) for name, network in FITS.items()]
        yield {"title": "One epoch of fit, 784-1024-1024-10", "base": several, "rows": rows}
    if options.only != "fits":
        rows = [reduction(ranks, network, options.rounds) for network in STEPS]
        yield {"title": f"One step of each of {several}", "base": "step", "rows": rows}


def _about():
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    about = {"date": str(dt.date.today()), "machine": run.machine(), "versions": versions}
    return about | {"unit": "seconds", "threads": "one"}


def fit(ranks, name, network, rounds, steps=10):
    """Time an epoch of `fit` by one process, while the others sleep, and by all of them."""
    size = ranks.communicator.size
    batch_size = network.m * (size if "each" in name else 1)
    alone, together = [], []
    for _ in range(rounds):
        if ranks.first:
            alone.extend(_epochs(network, network.m, steps * network.m, None))
        ranks.wait()
        together.extend(_epochs(network, batch_size, steps * network.m, ranks.communicator))
        ranks.wait()
    values = {f"{size} processes": np.median(ranks.slowest(together))}
    if ranks.first:
        values = {"1 process": np.median(alone)} | values
    return {"name": name, "values": values}


def _epochs(network, batch_size, m, communicator):
    """Return the seconds of each epoch but the last of a fit."""
    X, y = network.batch(m)
    model = with_tinynet.step(network, X[:1], y[:1]).model
    clock = Clock()
    model.fit(
        X.T, y, _optimizer(network), EPOCHS, batch_size, callbacks=[clock], parallel=communicator
    )
    return clock.seconds


def _optimizer(network):
    return tn.Optimizer.get(network.optimizer, learning_rate=network.rate)


def reduction(ranks, network, rounds):
    """Time a step of each rank, and the sum of the gradients over all of them."""
    X, y = network.batch()
    model = with_tinynet.step(network, X, y).model
    X, Y, optimizer = np.ascontiguousarray(X.T), network.targets(y), _optimizer(network)
    vector = np.zeros(model.n_params + 3, np.float32)  # as many numbers as fit adds up

    def passes():
        model.forward(X)
        model.back(Y)

    functions = {
        "passes": passes,
        "update": lambda: optimizer.step(model),
        "reduction": lambda: ranks.communicator.sum(vector),
    }
    values = _medians(ranks, functions, rounds)
    name = f"{network}, {model.n_params:,} parameters"
    return {"name": name, "values": {"step": sum(values.values())} | values}


def _medians(ranks, functions, rounds, least=0.1):
    """Return the median time of a call of each function, on the slowest rank.

    Each call is timed by itself: if another program takes a core away, one of many is longer.
    """
    once = {name: np.median(_times(ranks, function, 5)) for name, function in functions.items()}
    times = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            calls = max(5, min(1000, round(least / once[name])))
            times[name].extend(_times(ranks, function, calls))
    return {name: np.median(held) for name, held in times.items()}


def _times(ranks, function, calls):
    """Return the seconds of each call on the slowest rank, after a call that is not timed."""
    times = []
    for _ in range(1 + calls):
        ranks.communicator.sum(np.zeros(1))
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return ranks.slowest(times[1:])


if __name__ == "__main__":
    main()
