"""Measure what a library takes before it does anything: import time and disk space."""

import compileall
import importlib.metadata
import re
import statistics
import subprocess
import sys
from pathlib import Path

import tinynet

LIBRARIES = {
    "tinynet": "tinynet",
    "torch": "torch",
    "jax": "jax",
    "sklearn": "scikit-learn",
    "onnxruntime": "onnxruntime",
    "numpy": "numpy",
}


def imports(peers, options):
    """Seconds to import each library, in an interpreter that has started."""
    times = {name: [] for name in LIBRARIES if _there(name, peers)}
    for _ in range(options.rounds):
        for name, held in times.items():
            held.append(_seconds_to_import(name))
    yield {"name": "", "values": {name: statistics.median(held) for name, held in times.items()}}


def beyond(_peers, options):
    """Seconds to import tinynet where numpy and attrs are imported already."""
    compileall.compile_dir(Path(tinynet.__file__).parent, quiet=2)
    names = {"tinynet": "numpy, attrs", "numpy and attrs": "time"}
    times = {name: [] for name in names}
    for _ in range(3 * options.rounds):
        for name, held in times.items():
            held.append(_seconds_to_import(name.replace(" and ", ", "), after=names[name]))
    yield {"name": "", "values": {name: statistics.median(held) for name, held in times.items()}}


def installed(peers, _options):
    """Bytes on the disk of each library with all that it needs."""
    names = [name for name in LIBRARIES if _there(name, peers)]
    yield {
        "name": "",
        "values": {name: sum(map(_bytes, _needed(LIBRARIES[name], set()))) for name in names},
    }


def _there(name, peers):
    return name in peers or name == "numpy"


def _seconds_to_import(names, after="time"):
    program = (
        f"import {after}; import time; start = time.perf_counter(); import {names}; "
        "print(time.perf_counter() - start)"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    return float(done.stdout)


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
