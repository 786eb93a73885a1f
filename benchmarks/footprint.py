"""Measure what a library takes, each in its own process: import time, disk space, memory."""

import importlib.metadata
import re
import statistics
import subprocess
import sys
from pathlib import Path

import networks

HERE = Path(__file__).parent
LIBRARIES = {
    "tinynet": "tinynet",
    "torch": "torch",
    "jax": "jax",
    "sklearn": "scikit-learn",
    "numpy": "numpy",
}

# Linux resets the peak of resident memory to what is resident now, if told so.
_TRAIN = """
import importlib, re, sys
sys.path.insert(0, {here!r})
import networks
network = networks.FIT[0]
X, y = networks.examples({examples}, 784, 10)
train = importlib.import_module("peers.with_{peer}").trainers(network, X, y)[{kind!r}]
def status(name):
    return int(re.search(name + r":\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
train()
print(status("VmHWM") - before)
"""


def imports(peers, options):
    """Seconds to import each library, in an interpreter that has started."""
    times = {name: [] for name in LIBRARIES if _there(name, peers)}
    for _ in range(options.rounds):
        for name, held in times.items():
            held.append(_seconds_to_import(name))
    yield {"name": "", "values": {name: statistics.median(held) for name, held in times.items()}}


def installed(peers, _options):
    """Bytes on the disk of each library with all that it needs."""
    names = [name for name in LIBRARIES if _there(name, peers)]
    yield {
        "name": "",
        "values": {name: sum(map(_bytes, _needed(LIBRARIES[name], set()))) for name in names},
    }


def training(peers, options):
    """Return by how many bytes an epoch raises the peak of resident memory."""
    if not Path("/proc/self/clear_refs").exists():
        return
    kinds = {"tinynet": "fit", "torch": "by hand", "sklearn": "fit"}
    program = {name: _TRAIN.format(here=str(HERE), examples=options.examples, peer=name, kind=kind)
               for name, kind in kinds.items() if name in peers}  # fmt: skip
    yield {
        "name": str(networks.FIT[0]),
        "values": {name: int(_output_of(text)) for name, text in program.items()},
    }


def _there(name, peers):
    return name in peers or name == "numpy"


def _output_of(program):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout


def _seconds_to_import(name):
    program = (
        f"import time; start = time.perf_counter(); import {name}; "
        "print(time.perf_counter() - start)"
    )
    return float(_output_of(program))


def _needed(distribution, seen):
    """Return the names of a distribution and of all it requires."""
    try:
        required = importlib.metadata.requires(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return seen
    seen.add(distribution)
    for requirement in required:
        name = re.match(r"[\w.-]+", requirement)[0]
        if "extra ==" not in requirement and name.lower() not in {known.lower() for known in seen}:
            _needed(name, seen)
    return seen


def _bytes(distribution):
    files = importlib.metadata.files(distribution) or []
    return sum(
        path.stat().st_size
        for path in map(Path, (file.locate() for file in files))
        if path.is_file()
    )
