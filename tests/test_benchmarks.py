"""The benchmarks run, and say what they measured; what they measure is no matter here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinynet

RUN = Path(__file__).parent.parent / "benchmarks" / "run.py"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What a run of a few rows writes: the JSON and the text."""
    folder = tmp_path_factory.mktemp("results")
    arguments = [
        "--only",
        "steps,inference,growth,allocations",
        "--match",
        "m=4 relu sgd",
        "--few",
        "--rounds",
        "1",
    ]
    arguments += ["--peers", "floor"]  # however much is installed
    tested = os.environ | {"PYTHONPATH": str(Path(tinynet.__file__).parents[1])}
    command = [sys.executable, RUN, *arguments, "--output", folder]
    done = subprocess.run(command, capture_output=True, text=True, env=tested, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "results.json").read_text("utf-8")), (
        folder / "results.txt"
    ).read_text("utf-8")


def test_json(results):
    """Tables for default and one thread, with a number for tinynet and for the floor."""
    tables = {(table["name"], table["threads"]): table for table in results[0]["tables"]}
    assert {
        ("steps", "default"),
        ("steps", "one"),
        ("growth", "default"),
        ("allocations", "default"),
    } <= tables.keys()
    (row,) = tables["steps", "default"]["rows"]
    assert row["name"] == "2-4-1 m=4 relu sgd"
    assert row["values"]["tinynet"] > 0
    assert row["values"]["floor"] > 0
    assert "tinynet" in results[0]["versions"]


def test_text(results):
    """A table a person can read, with the ratio to tinynet in brackets."""
    assert "One training step (default threads)" in results[1]
    assert "2-4-1 m=4 relu sgd" in results[1]
    assert "(1.00)" in results[1]


def test_a_missing_value_is_a_dash():
    """A peer that is not installed, or cannot do a row, does not break the table."""
    sys.path.insert(0, str(RUN.parent))
    try:
        import tables
    finally:
        sys.path.remove(str(RUN.parent))
    rows = [
        {"name": "a", "values": {"tinynet": 2e-6, "torch": 4e-6}},
        {"name": "b", "values": {"tinynet": 1e-3}},
    ]
    table = {"title": "T", "threads": "one", "unit": "seconds", "base": "tinynet", "rows": rows}
    told = tables.text(
        {"date": "today", "machine": "M", "versions": {"tinynet": "1"}, "tables": [table]}
    )
    assert "2 µs (1.00)  4 µs (2.00)\n" in told
    assert told.splitlines()[-1].split() == ["b", "1", "ms", "(1.00)", "-"]
