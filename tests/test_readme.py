"""What the README and the documentation's pages show is what happens."""

import doctest
import re
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.rst", *sorted(ROOT.glob("docs/**/*.rst"))]
EXTRAS = {"estimators": "sklearn"}  # what a page needs beside the package
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS | doctest.REPORT_NDIFF


@pytest.mark.usefixtures("library_alone")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page(page, monkeypatch, tmp_path):
    """Every example of a page gives the output that is shown below it."""
    if page.stem in EXTRAS and page.parent.name == "docs":
        pytest.importorskip(EXTRAS[page.stem], reason="an extra is not installed")
    monkeypatch.chdir(tmp_path)  # a page may save a file
    module = types.ModuleType(f"page_{page.stem}")  # so that a class in an example can be pickled
    monkeypatch.setitem(sys.modules, module.__name__, module)
    test = doctest.DocTestParser().get_doctest(page.read_text("utf-8"), {}, page.name, str(page), 0)
    test.globs = module.__dict__
    report = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    results = runner.run(test, out=report.append, clear_globs=False)
    assert not results.failed, "".join(report)


@pytest.mark.parametrize("name", [
    "index", "notation", "data", "optimizers", "metrics", "extending", "layers", "../README"
])  # fmt: skip
def test_page_has_examples(name):
    """The pages that should show something have examples, so that their test is not empty."""
    assert doctest.DocTestParser().get_examples((ROOT / "docs" / f"{name}.rst").read_text("utf-8"))


def test_readme_names_every_file():
    """The table "Files of the package" has all modules of the package, and no others."""
    text = (ROOT / "README.rst").read_text("utf-8")
    section = text.split("Files of the package")[1].split("Documentation\n---")[0]
    named = set(re.findall(r"``(\w+(?:\.py|/))``", section)) - {"tinynet/"}
    package = ROOT / "tinynet"
    modules = {path.name for path in package.glob("*.py")} - {"_version.py"}
    folders = {f"{path.parent.name}/" for path in package.glob("*/*.py")}
    assert named == modules | folders
