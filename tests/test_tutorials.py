"""What the tutorials show of other libraries is what happens, where these are installed."""

import doctest
import re
from pathlib import Path

import numpy as np
import pytest
from test_readme import FLAGS

TUTORIALS = Path(__file__).parent.parent / "docs" / "tutorials"


@pytest.fixture
def namespace(monkeypatch, tmp_path):
    """Return a function that runs the examples of a page up to some words, and gives its names."""
    monkeypatch.chdir(tmp_path)

    def run(page, stop):
        text = (TUTORIALS / page).read_text("utf-8").split(stop)[0]
        test = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
        runner = doctest.DocTestRunner(optionflags=FLAGS)
        assert not runner.run(test, clear_globs=False).failed, f"{page} fails"
        return test.globs

    return run


def code_block(page, name):
    """Return the code of a block of a page by its name."""
    text = (TUTORIALS / page).read_text("utf-8")
    lines = text.split(f"   :name: {name}\n\n")[1]
    return re.sub("(?m)^   ", "", re.match(r"(?:   .*\n|\n)+", lines)[0])


@pytest.mark.usefixtures("library_alone")
def test_a_csv_file_with_pandas(namespace):
    """It gives the same arrays as NumPy does."""
    pytest.importorskip("pandas", reason="pandas is not installed")
    names = namespace("own_csv.rst", "The same with pandas")
    X, y = names["X"], names["y"]
    exec(code_block("own_csv.rst", "with-pandas"), names)
    np.testing.assert_array_equal(names["X"], X)
    np.testing.assert_array_equal(names["y"], y)
    assert list(names["classes"]) == ["apple", "lemon", "orange", "pear"]
