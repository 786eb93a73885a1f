"""What a notebook shows of a model, its summary and a history; the notebooks in examples/ run."""

import copy
import json
import pickle
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import tinynet as tn

LAYERS = [tn.Dense(5, "relu"), tn.Residual([tn.Dense(5, "tanh")]), tn.Dense(1, "sigmoid")]


def parsed(text):
    """Return the table of a piece of HTML as rows of text, and check that it is well formed."""
    root = ET.fromstring(f"<div>{text}</div>")
    return [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")], root


@pytest.fixture
def model():
    """A model with layers within a layer."""
    return tn.Sequential(LAYERS, "binary_crossentropy", inputs=2, seed=1)


def test_model(model):
    """A model is shown as the table of its summary."""
    rows, root = parsed(model._repr_html_())
    assert rows[0] == ["l", "layer", "activation", "Z, A", "parameters"]
    assert [row[0] for row in rows[1:]] == ["1", "2", "2.1", "3"]
    assert rows[3][1:] == ["\u2003Dense", "tanh", "(5, m)", "W 25 + b 5"]
    assert "51 parameters" in "".join(root.itertext())
    assert model.summary()._repr_html_() == model._repr_html_()


def test_model_that_is_not_built():
    """A model without shapes has no table, so that a notebook shows its repr."""
    assert tn.Sequential(LAYERS)._repr_html_() is None


def test_summary_is_a_string(model):
    """A summary is the same string after a copy and a pickle, with its table."""
    summary = model.summary()
    for other in (copy.deepcopy(summary), pickle.loads(pickle.dumps(summary))):
        assert other == summary
        assert other._repr_html_() == summary._repr_html_()


def test_history():
    """A history has a curve for each name, and a dashed one for its validation."""
    history = tn.History(loss=[2.0, 1.0], val_loss=[3.0, float("nan")], lr=[0.1, 0.1])
    history.stopped = "a <reason>"
    rows, root = parsed(history._repr_html_())
    assert [row[:5] for row in rows[1:]] == [
        ["loss", "2", "1", "3", "nan"], ["lr", "0.1", "0.1", "", ""],
    ]  # fmt: skip
    paths = [path.get("d") for path in root.iter("path")]
    assert paths == ["M0.0 14.0L160.0 26.0", "M0.0 2.0", "M0.0 14.0L160.0 14.0"]
    assert "stopped: a <reason>" in "".join(root.itertext())


@pytest.mark.parametrize("history", [tn.History(), tn.History(loss=[]), tn.History(loss=[1.0])])
def test_short_histories(history):
    """A history of no or one epoch is shown too."""
    rows, _ = parsed(history._repr_html_())
    assert len(rows) == 1 + sum(map(bool, history.values()))


def test_small_and_without_scripts(model):
    """It is about 2 kB, runs nothing and loads nothing, however long the training was."""
    histories = [tn.History(loss=[1 / (1 + k) for k in range(n)]) for n in (300, 639, 10_000)]
    for shown in (model, *histories):
        text = shown._repr_html_()
        assert "<script" not in text
        assert "http" not in text
        assert len(text) < 2700, f"{shown!r:.30}"


# The notebooks in examples/.

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


@pytest.fixture
def executed(monkeypatch, tmp_path):
    """Return a function that runs a notebook in a kernel, and returns it with its outputs."""
    for extra in ("nbclient", "nbformat", "ipykernel", "ipywidgets", "matplotlib", "tqdm"):
        pytest.importorskip(extra, reason="the extra notebooks is not installed")
    import nbclient
    import nbformat

    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(path):
        notebook = nbformat.read(path, as_version=4)
        resources = {"metadata": {"path": tmp_path}}
        return nbclient.NotebookClient(notebook, timeout=120, resources=resources).execute()

    return run


def outputs(notebook):
    """Return the kinds of data that the cells of a notebook show, and what they print."""
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = [kind for output in shown for kind in output.get("data", {})]
    return kinds, "".join(output.get("text", "") for output in shown)


@pytest.mark.filterwarnings("ignore")  # those of other libraries
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path, executed):
    """Every cell runs, and there are tables, pictures, a progress bar and a line for each epoch."""
    kinds, printed = outputs(executed(path))
    assert kinds.count("text/html") >= 2, "a model and a history"
    assert kinds.count("image/png") >= 5, "pictures"
    assert kinds.count("application/vnd.jupyter.widget-view+json") == 1, "a progress bar"
    assert len(re.findall(r"epoch +\d+/\d+  loss .* s$", printed, re.MULTILINE)) >= 10, printed
    assert "Warning" not in printed, printed


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_clean(path):
    """A notebook is committed without outputs, numbers of cells and settings of an editor."""
    text = path.read_text("utf-8")
    notebook = json.loads(text)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["outputs"] for cell in code] == [[]] * len(code), "outputs"
    assert {cell["execution_count"] for cell in code} == {None}, "numbers of cells"
    assert all(cell["metadata"] == {} for cell in notebook["cells"]), "settings of cells"
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert len(text) < 10_000, "too large"


def test_two_notebooks():
    """The tests find the notebooks."""
    assert [path.stem for path in NOTEBOOKS] == ["decision_boundaries", "first_network"]
