"""The benchmarks run, and write what they measured, whatever it is."""

import json
from pathlib import Path

import pytest
from helpers import output_of

RUN = Path(__file__).parents[1] / "benchmarks" / "run.py"
OPTIONS = ["--few", "--rounds", "1", "--peers", "floor", "--match", "m=4 relu sgd", "--only"]
TABLES = "steps,inference,growth,allocations"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return the JSON and the text that a run of a few rows writes."""
    folder = tmp_path_factory.mktemp("results")
    output_of(RUN, *OPTIONS, TABLES, "--output", folder)
    data, text = (folder / name for name in ("results.json", "results.txt"))
    return json.loads(data.read_text("utf-8")), text.read_text("utf-8")


def test_json(results):
    """There are tables for default and one thread, with numbers for tinynet and for the floor."""
    tables = {(table["name"], table["threads"]): table for table in results[0]["tables"]}
    made = {(name, "default") for name in ("steps", "growth", "allocations")} | {("steps", "one")}
    assert made <= tables.keys()
    (row,) = tables["steps", "default"]["rows"]
    assert row["name"] == "2-4-1 m=4 relu sgd"
    assert min(row["values"]["tinynet"], row["values"]["floor"]) > 0
    assert "tinynet" in results[0]["versions"]


def test_text(results):
    """The text has a table that a person can read, with the ratio to tinynet in brackets."""
    for text in ("One training step (default threads)", "2-4-1 m=4 relu sgd", "(1.00)"):
        assert text in results[1]


def test_a_missing_value_is_a_dash(monkeypatch):
    """A peer that is not installed, or cannot do a row, does not break the table."""
    monkeypatch.syspath_prepend(RUN.parent)
    import tables

    values = {"a": {"tinynet": 2e-6, "torch": 4e-6}, "b": {"tinynet": 1e-3}}
    rows = [{"name": name, "values": values[name]} for name in values]
    table = {"title": "T", "threads": "one", "unit": "seconds", "base": "tinynet", "rows": rows}
    results = {"date": "today", "machine": "M", "versions": {"tinynet": "1"}, "tables": [table]}
    text = tables.text(results)
    assert "2 µs (1.00)  4 µs (2.00)\n" in text
    assert text.splitlines()[-1].split() == ["b", "1", "ms", "(1.00)", "-"]
