"""Measure tinynet and its peers side by side, and write the tables and charts.

    python -m pip install ".[bench]"
    python benchmarks/run.py                      # all of it, in about half an hour
    python benchmarks/run.py --rounds 5           # in a quarter of an hour, with more noise
    python benchmarks/run.py --only steps --match 784-128
    python benchmarks/run.py --update --only gelu # one table again; the others stay
    python benchmarks/run.py --mnist mnist.npz    # also the time to 97.5 % of MNIST's test images

A peer that is not installed is a dash. Each table is made in a process of its own: with the
default number of threads of each library, and with one thread on one core, or with one of them
where the other says no more. In brackets stands the ratio to tinynet (above 1, tinynet is ahead),
or to what has 1.00. Beside this file, or where ``--output`` says, are written: ``results.txt`` and
``summary.txt`` and the charts in ``svg/``, which the documentation includes, and the same numbers
as ``results.json``, which is not in the repository.
"""

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import charts
import numpy as np
import peers
import tables
import timing
from contents import TABLES

HERE = Path(__file__).parent


def main():
    """Measure in child processes, one for each table and number of threads; write the results."""
    options = _options()
    if options.measure:
        json.dump(_measured(options), sys.stdout)
        return
    names = options.only.split(",") if options.only else list(TABLES)
    if not options.mnist:
        names = [name for name in names if name != "to_accuracy"]
    folder = Path(options.output)
    results = _earlier(folder) if options.update else {"tables": []}
    for threads in options.threads.split(","):
        for name in names:
            if threads in TABLES[name].threads:
                found = _in_a_process(name, threads, options)
                _replace(results["tables"], _about(name, threads) | found)
                _write(results, folder)
    print(tables.text(results))


def _options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--only", help=f"some of the tables, with commas between: {', '.join(TABLES)}"
    )
    parser.add_argument(
        "--peers", default="", help="only these, with commas between; tinynet is always there"
    )
    parser.add_argument("--match", default="", help="only rows in whose name this stands")
    parser.add_argument("--threads", default="default,one", help="the tables with as many threads")
    parser.add_argument("--rounds", type=int, default=9, help="how often everything is timed")
    parser.add_argument(
        "--few", action="store_true", help="the first rows and little data, to see that it runs"
    )
    parser.add_argument("--mnist", help="an .npz file with train_x, train_y, test_x and test_y")
    parser.add_argument("--output", default=str(HERE), help="the folder for all that is written")
    parser.add_argument(
        "--update", action="store_true", help="leave the other tables of results.json as they are"
    )
    parser.add_argument("--measure", choices=TABLES, help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_a_process(name, threads, options):
    arguments = [sys.executable, __file__, "--measure", name, "--rounds", str(options.rounds)]
    arguments += ["--match", options.match, "--peers", options.peers]
    arguments += ["--few"] * options.few + (["--mnist", options.mnist] if options.mnist else [])
    print(f"{tables.heading(_about(name, threads))} ...", file=sys.stderr, flush=True)
    settings = (timing.ONE_THREAD if threads == "one" else {}) | {"JAX_PLATFORMS": "cpu"}
    environment = os.environ | settings
    done = subprocess.run(arguments, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def _measured(options):
    options.examples, options.images = (1_000, 100) if options.few else (60_000, 10_000)
    one = os.environ.get("OMP_NUM_THREADS") == "1"
    if one and hasattr(os, "sched_setaffinity"):  # not all peers heed a variable
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found = peers.installed(options.peers.split(",") if options.peers else peers.NAMES)
    if one and "torch" in found:
        found["torch"].torch.set_num_threads(1)
    rows = list(TABLES[options.measure].measure(found, options))
    versions = {name: peer.VERSION for name, peer in found.items() if hasattr(peer, "VERSION")}
    return {
        "date": str(dt.date.today()),
        "machine": machine(),
        "versions": {"python": platform.python_version(), "numpy": np.__version__} | versions,
        "rows": rows,
    }


def _about(name, threads):
    table = TABLES[name]
    about = {"name": name, "title": table.title, "threads": threads}
    return about | {"unit": table.unit, "base": table.base}


def _earlier(folder):
    return json.loads((folder / "results.json").read_text("utf-8"))


def _replace(held, table):
    """Put a table in the place of the earlier one, or where it belongs."""
    numbers = {"default": 0, "one": 1}

    def place(table):
        return numbers.get(table["threads"], 2), list(TABLES).index(table["name"])

    held[:] = sorted([table, *(other for other in held if place(other) != place(table))], key=place)


def machine():
    """Return what measures: the processor, its cores, the system, and what is set for BLAS."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor()
    # What a user's shell sets for BLAS changes the products of NumPy, and not those of others.
    ours = timing.ONE_THREAD if timing.ONE_THREAD.items() <= os.environ.items() else {}
    names = (name for name in os.environ if name.startswith(("OPENBLAS_", "OMP_", "MKL_")))
    found = sorted(name for name in names if name not in ours)
    parts = [model, f"{os.cpu_count()} cores", f"{platform.system()} {platform.machine()}"]
    return ", ".join([*parts, *(f"{name}={os.environ[name]}" for name in found)])


def _write(results, folder):
    """Write all files; after each table, so that a long run that is stopped is not lost."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    (folder / "results.txt").write_text(tables.text(results), "utf-8")
    (folder / "summary.txt").write_text(tables.summary(results), "utf-8")
    charts.write(results, folder / "svg")


if __name__ == "__main__":
    main()
