"""What a notebook shows of a model, of its summary and of a history."""

import copy
import pickle
import xml.etree.ElementTree as ET

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
    history = tn.History(loss=[1 / (1 + k) for k in range(10_000)])
    for text in (model._repr_html_(), history._repr_html_()):
        assert "<script" not in text
        assert "http" not in text
    assert len(model._repr_html_()) < 2500
    assert len(history._repr_html_()) < 6000
