"""The tutorials are complete, and what they show of other libraries is what happens."""

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


PAGES = sorted(path for path in TUTORIALS.glob("*.rst") if path.stem != "index")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_parts_of_a_tutorial(path):
    """A tutorial is on the index, has examples and pictures, and ends with what to read next."""
    text = path.read_text("utf-8")
    index = (TUTORIALS / "index.rst").read_text("utf-8")
    assert index.count(path.stem) >= 2, "in the table and in the toctree"
    assert len(doctest.DocTestParser().get_examples(text)) >= 20, "examples that run"
    assert "What next\n---------\n" in text
    assert text.split("What next")[1].count(":doc:") >= 4, "links at the end"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_pictures_have_words(path):
    """Every picture of a tutorial has a text for those who do not see it."""
    blocks = re.findall(
        r"\.\. (?:plot|image|figure)::.*\n((?:   .*\n|\n)+)", path.read_text("utf-8")
    )
    assert blocks, "a tutorial has a picture"
    for block in blocks:
        assert re.search(r":alt: \S.{20}", block), block
