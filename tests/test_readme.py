"""What the README and the documentation's pages show is what happens."""

import doctest
import re
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.rst", *sorted(ROOT.glob("docs/**/*.rst"))]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS | doctest.REPORT_NDIFF


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page(page, monkeypatch, tmp_path):
    """Every example of a page gives the output that stands below it."""
    monkeypatch.chdir(tmp_path)  # a page may save a file
    module = types.ModuleType(f"page_{page.stem}")  # so that a class in an example can be pickled
    monkeypatch.setitem(sys.modules, module.__name__, module)
    test = doctest.DocTestParser().get_doctest(page.read_text("utf-8"), {}, page.name, str(page), 0)
    test.globs = module.__dict__
    told = []
    results = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=told.append, clear_globs=False)
    assert not results.failed, "".join(told)


@pytest.mark.parametrize(
    "name",
    [
        "README.rst",
        "docs/index.rst",
        "docs/notation.rst",
        "docs/data.rst",
        "docs/optimizers.rst",
        "docs/metrics.rst",
        "docs/extending.rst",
        "docs/layers.rst",
    ],
)
def test_page_has_examples(name):
    """The pages that ought to show something do, and are not passed because nothing was found."""
    assert doctest.DocTestParser().get_examples((ROOT / name).read_text("utf-8"))


def test_readme_names_every_file():
    """The table "What's where" has all modules of the package, and none that is gone."""
    section = (
        (ROOT / "README.rst")
        .read_text("utf-8")
        .split("What's where")[1]
        .split("Documentation\n---")[0]
    )
    named = set(re.findall(r"``(\w+(?:\.py|/))``", section)) - {"tinynet/"}
    package = ROOT / "tinynet"
    modules = {path.name for path in package.glob("*.py")} - {"_version.py"}
    folders = {
        f"{path.name}/"
        for path in package.iterdir()
        if path.is_dir() and path.name != "__pycache__"
    }
    assert named == modules | folders
