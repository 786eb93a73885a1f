"""Measure tinynet and its peers side by side, and write the tables.

    python -m pip install ".[bench]"
    python benchmarks/run.py                      # all of it, in about half an hour
    python benchmarks/run.py --only steps --match 784-128
    python benchmarks/run.py --mnist mnist.npz    # also the time to 97.5 % of MNIST's test images

A peer that is not installed is a dash. Each table is made twice, in separate processes: with the
default number of threads of each library, and with one thread on one core. In brackets stands the
ratio to tinynet (above 1, tinynet is ahead), or to what has 1.00. Two files are written beside this
one, or where ``--output`` says: ``results.txt``, which the documentation includes, and the same
numbers as ``results.json``, which is not in the repository.
"""

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import footprint
import measures
import peers
import tables

HERE = Path(__file__).parent
TITLES = {
    "steps": "One training step",
    "floor": "One training step of tinynet and its matrix products alone",
    "epochs": "One epoch of fit, 60,000 examples",
    "columns": "One epoch of tinynet's fit, X in rows and in columns, and the same steps alone",
    "to_accuracy": "Training to 97.5 % of MNIST's test images",
    "inference": "One prediction",
    "growth": "Left behind by 10,000 steps",
    "allocations": "Held during a step and not before it",
    "imports": "Import",
    "installed": "Installed, with all it needs",
    "training": "Peak of memory, over data and parameters, of an epoch of 60,000 examples",
}
BYTES = ("growth", "allocations", "installed", "training")
BASES = {
    "floor": "floor",
    "columns": "bare steps",
    "epochs": "tinynet fit",
    "to_accuracy": "tinynet fit",
}
FOOTPRINT = ("imports", "installed", "training")
ONCE = ("growth", "allocations", *FOOTPRINT)  # threads make no difference
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main():
    """Measure in child processes, one for each number of threads, and write what they found."""
    options = _options()
    if options.measure:
        json.dump(_measured(options), sys.stdout)
        return
    names = options.only.split(",") if options.only else list(TITLES)
    if not options.mnist:
        names = [name for name in names if name != "to_accuracy"]
    results = {"date": str(dt.date.today()), "machine": _machine(), "versions": {}, "tables": []}
    for threads in options.threads.split(","):
        for name in names:
            if threads != "default" and name in ONCE:
                continue
            found = _in_a_process(name, threads, options)
            results["versions"] |= found["versions"]
            base = BASES.get(name, "tinynet")
            unit = "bytes" if name in BYTES else "seconds"
            table = {
                "name": name,
                "title": TITLES[name],
                "threads": threads,
                "unit": unit,
                "base": base,
            }
            results["tables"].append(table | {"rows": found["rows"]})
    _write(results, Path(options.output))


def _options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--only", help=f"some of the tables, with commas between: {', '.join(TITLES)}"
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
    parser.add_argument(
        "--output", default=str(HERE), help="the folder for results.json and results.txt"
    )
    parser.add_argument("--measure", choices=TITLES, help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_a_process(name, threads, options):
    arguments = [sys.executable, __file__, "--measure", name, "--rounds", str(options.rounds)]
    arguments += ["--match", options.match, "--peers", options.peers]
    arguments += ["--few"] * options.few + (["--mnist", options.mnist] if options.mnist else [])
    print(f"{TITLES[name]} ({threads} threads) ...", file=sys.stderr, flush=True)
    environment = os.environ | (ONE_THREAD if threads == "one" else {}) | {"JAX_PLATFORMS": "cpu"}
    done = subprocess.run(arguments, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def _measured(options):
    options.examples = 1_000 if options.few else 60_000
    one = os.environ.get("OMP_NUM_THREADS") == "1"
    if one and hasattr(os, "sched_setaffinity"):  # not all peers heed a variable
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found, name = (
        peers.installed(options.peers.split(",") if options.peers else peers.NAMES),
        options.measure,
    )
    if one and "torch" in found:
        found["torch"].torch.set_num_threads(1)
    rows = getattr(footprint if name in FOOTPRINT else measures, name)(found, options)
    versions = {"python": platform.python_version()} | {
        name: peer.VERSION for name, peer in found.items()
    }
    return {"versions": versions, "rows": list(rows)}


def _machine():
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor()
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def _write(results, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    (folder / "results.txt").write_text(tables.text(results), "utf-8")
    print(tables.text(results))


if __name__ == "__main__":
    main()
