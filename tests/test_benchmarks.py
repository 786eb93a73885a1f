"""The benchmarks run, and write what they measured, whatever it is."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import output_of

import tinynet as tn

FOLDER = Path(__file__).parents[1] / "benchmarks"
RUN = FOLDER / "run.py"
OPTIONS = ["--few", "--rounds", "1", "--peers", "floor", "--match", "m=4 relu sgd", "--only"]
SVG = "{http://www.w3.org/2000/svg}"
MEASURED = {"date": "today", "machine": "M", "versions": {"tinynet": "1"}}
SYNTHETIC = {
    "tables": [
        MEASURED | {
            "name": "steps", "title": "T", "threads": "default", "unit": "seconds",
            "base": "tinynet", "rows": [
                {"name": "2-4-1 m=4 relu sgd",
                 "values": {"tinynet": 2e-6, "torch": 4e-6, "jax": 1e-6}},
                {"name": "4-16-3 m=32 relu sgd",
                 "values": {"tinynet": 1e-3, "torch": 8e-2, "floor": 1e-4}},
                {"name": "784-128-64-10 m=128 relu sgd", "values": {"tinynet": 1e-3}},
            ],
        },
        MEASURED | {
            "name": "contended", "title": "C", "threads": "default", "unit": "seconds",
            "base": "one thread", "rows": [
                {"name": "tinynet & co, batches of 32",
                 "values": {"one thread": 0.1, "default threads": 0.1, "slowest of 9": 12.0}},
            ],
        },
    ],
}  # fmt: skip


@pytest.fixture
def imported(monkeypatch):
    """Return a function that imports a module of the benchmark."""
    monkeypatch.syspath_prepend(FOLDER)
    return pytest.importorskip


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return the JSON and the text that a run of a few rows writes."""
    folder = tmp_path_factory.mktemp("results")
    output_of(RUN, *OPTIONS, "steps", "--output", folder)
    data, text = (folder / name for name in ("results.json", "results.txt"))
    return json.loads(data.read_text("utf-8")), text.read_text("utf-8")


def test_json(results):
    """There are tables for default and one thread, with numbers for tinynet and for the floor."""
    tables = {(table["name"], table["threads"]): table for table in results[0]["tables"]}
    assert {("steps", "default"), ("steps", "one")} == tables.keys()
    (row,) = tables["steps", "default"]["rows"]
    assert row["name"] == "2-4-1 m=4 relu sgd"
    assert min(row["values"]["tinynet"], row["values"]["floor"]) > 0
    assert "tinynet" in tables["steps", "one"]["versions"]


def test_text(results):
    """The text has a table that a person can read, with the ratio to tinynet in brackets."""
    for text in ("One training step (default threads)", "2-4-1 m=4 relu sgd", "(1.00)"):
        assert text in results[1]


@pytest.mark.parametrize(("name", "match", "columns"), [
    ("by_hand", "m=4 relu sgd", {"tinynet", "by hand"}),
    ("inference", "", {"tinynet"}),
    ("growth", "", {"tinynet"}),
    ("allocations", "", {"tinynet", "largest batch array"}),
    ("gelu", "", {"forward", "back"}),
    ("dead_units", "Adagrad", {"fresh", "dead units"}),
    ("normalization", "", {"tinynet"}),
    ("parts", "128-64-10 m=128", {"whole step", "products", "the rest"}),
    ("prediction", "", {"data", "X in rows", "X in columns"}),
    ("images", "LeNet-5 m=32", {"tinynet", "floor"}),
    ("image_prediction", "", {"tinynet"}),
    ("image_memory", "", {"data", "tinynet"}),
    ("recurrent", "LSTM", {"tinynet"}),
    ("scoring", "", {"tinynet", "NumPy"}),
    ("requests", "m=1000", {"1 thread", "2 threads"}),
])  # fmt: skip
def test_other_tables(name, match, columns, imported, monkeypatch):
    """What is measured has a value for each column, which can be written as JSON."""
    memory = imported("memory")
    if name == "prediction":  # image_memory still starts a process for its peak
        monkeypatch.setattr(memory, "_peak_of", memory.peak)
    options = SimpleNamespace(few=True, rounds=1, match=match, images=100)
    table = imported("contents").TABLES[name]
    measured = list(table.measure(imported("peers").installed(["tinynet"]), options))
    rows = json.loads(json.dumps(measured))
    assert rows or name in ("prediction", "image_memory")  # which only Linux can measure
    for row in rows:
        assert columns <= row["values"].keys()


def test_update(tmp_path):
    """With --update a table takes the place of the earlier one; others stay, with their date."""
    (tmp_path / "results.json").write_text(json.dumps(SYNTHETIC), "utf-8")
    output_of(RUN, *OPTIONS, "steps", "--update", "--threads", "default", "--output", tmp_path)
    steps, contended = json.loads((tmp_path / "results.json").read_text("utf-8"))["tables"]
    assert [1, "contended"] == [len(steps["rows"]), contended["name"]]
    text = (tmp_path / "results.txt").read_text("utf-8")
    assert "\n\ntoday; M; tinynet 1\n\nC (default threads)\n" in text


@pytest.mark.parametrize(("sizes", "dtype"), [((2, 4, 1), "float32"), ((4, 16, 3), "float64")])
def test_step_by_hand(imported, sizes, dtype):
    """The step that is written out by hand leads to tinynet's parameters."""
    network = imported("networks").Network(sizes, 32, dtype=dtype)
    steps = [
        imported(f"peers.{name}").step(network, *network.batch())
        for name in ("with_tinynet", "by_hand")
    ]
    for _ in range(20):
        for step in steps:
            step()
    for ours, others in zip(*(step.weights() for step in steps), strict=True):
        for one, other in zip(ours, others, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_other_steps_are_refused(imported):
    """A peer that takes another step is not timed."""
    measures, networks = imported("measures"), imported("networks")
    tinynet = imported("peers.with_tinynet")
    network = networks.Network((2, 4, 1), 4)
    others = networks.Network((2, 4, 1), 4, optimizer="adam")
    functions = {
        name: tinynet.step(which, *which.batch())
        for name, which in (("tinynet", network), ("torch", others))
    }
    with pytest.raises(AssertionError, match="torch"):
        measures.expect_equal_steps(network, functions)


def test_predictions_from_a_file(imported):
    """What is timed as NumPy alone predicts what the model predicts."""
    scoring, network = imported("scoring"), imported("networks").Network((8, 6, 5, 4), 20)
    model, X = scoring._model(network), network.batch()[0].T
    np.testing.assert_allclose(model.predict(X), scoring._with_numpy(model)(X), rtol=1e-5)


def test_contended_fits(imported, monkeypatch):
    """One fit beside busy processes gives a time for each number of threads and the slowest."""
    contended = imported("contended")
    monkeypatch.setattr(contended, "_in_a_process", lambda *arguments: 0.5)
    options = SimpleNamespace(rounds=2, match="of 32")
    (row,) = contended.fits({"tinynet": None}, options)
    assert {"one thread": 0.5, "default threads": 0.5, "slowest of 2": 0.5} == row["values"]
    monkeypatch.setattr(contended, "EPOCHS", 1)
    monkeypatch.setattr(contended, "LEAST", 1e-9)
    assert contended.seconds("tinynet", 32) > 0


def test_several_processes(imported, monkeypatch):
    """Every rank has a time for each column, of which the first rank alone has one process."""
    for name in imported("timing").ONE_THREAD:  # the module sets them when it is imported
        monkeypatch.setenv(name, "1")
    parallel, network = imported("parallel"), imported("networks").Network((4, 3, 2), 6)

    def measured(communicator):
        ranks = parallel.Ranks(communicator, lambda: communicator.sum(np.zeros(1)))
        rows = (
            parallel.fit(ranks, "6 for each process", network, rounds=1, steps=4),
            parallel.reduction(ranks, network, rounds=1),
        )
        return [row["values"] for row in rows]

    (fit, reduction), (of_second, _) = tn.parallel.Threads.run(2, measured)
    assert ["1 process", "2 processes"] == list(fit)
    assert ["2 processes"] == list(of_second)
    assert ["step", "passes", "update", "reduction"] == list(reduction)
    assert min(*fit.values(), *reduction.values()) > 0


def test_a_missing_value_is_a_dash(imported):
    """A peer that is not installed, or cannot do a row, does not break the table."""
    lines = imported("tables").text(SYNTHETIC).splitlines()
    assert [["2", "µs", "(1.00)", "4", "µs", "(2.00)"], ["-", "-", "-"]] == [
        lines[4].split()[4:10], lines[6].split()[-3:],
    ]  # fmt: skip


def test_summary(imported):
    """Each peer has the range of its ratios, and the number of rows in which it takes longer."""
    text = imported("tables").summary(SYNTHETIC, least=3)
    assert ["torch", "2.00", "41.00", "80.00", "2", "of", "2", "rows"] == text.split("\n")[
        2
    ].split()
    assert re.search(r"jax +0\.50 +0\.50 +0\.50 +0 of 1 rows", text)
    assert "slowest" not in text


def test_charts(imported, tmp_path):
    """A chart is well-formed XML with a bar for each value, on the right side of 1."""
    charts = imported("charts")
    charts.write(SYNTHETIC, tmp_path)
    assert {"steps.svg", "contended.svg"} == {path.name for path in tmp_path.iterdir()}
    expected = {"steps": {"torch: 2.00", "jax: 0.50", "torch: 80.00"},
                "contended": {"default threads: 1.00", "slowest of 9: 120.00"}}  # fmt: skip
    for name, bars in expected.items():
        root = ET.parse(tmp_path / f"{name}.svg").getroot()
        found = {bar.findtext(f"{SVG}title"): bar.attrib for bar in root.iter(f"{SVG}rect")}
        assert bars == found.keys()
        expect_inside(root)
        one = next(
            float(line.get("x1"))
            for line in root.iter(f"{SVG}line")
            if line.get("stroke-width") == "2"
        )
        for bar, place in found.items():
            start, width = float(place["x"]), float(place["width"])
            ends = (start + width, start) if float(bar.split(": ")[1]) < 1 else (start, one + width)
            assert abs(ends[0] - one) < 0.2, f"{bar} does not begin at 1"


def expect_inside(root):
    """Expect that no text leaves the chart, if a letter is at most 8.5 wide."""
    width = float(root.get("width"))
    for text in root.iter(f"{SVG}text"):
        x, length = float(text.get("x")), 8.5 * len(text.text)
        start = x - {"end": 1, "middle": 0.5}.get(text.get("class"), 0) * length
        assert -1 <= start, text.text
        assert start + length <= width + 25, text.text


def test_the_page_shows_all_charts(imported):
    """Each chart is in the repository, and on the page about speed with a text in its place."""
    page = (FOLDER.parent / "docs" / "speed.rst").read_text("utf-8")
    for name in imported("charts").CHARTS:
        assert (FOLDER / "svg" / f"{name}.svg").exists()
        figure = page.split(f".. figure:: ../benchmarks/svg/{name}.svg\n")[1]
        assert figure.lstrip().startswith(":alt: ")
