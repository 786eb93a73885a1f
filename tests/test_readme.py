"""What the README and the documentation's pages show is what happens."""

import ast
import configparser
import doctest
import io
import re
import sys
import tokenize
import types
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.rst", *sorted(ROOT.glob("docs/**/*.rst"))]
PAGES = [page for page in PAGES if not page.is_relative_to(ROOT / "docs" / "gallery")]  # built
# A name in an example, and the module that it needs beside NumPy and attrs.
EXTRAS = {
    "sklearn": "sklearn", "joblib": "joblib", "keras": "keras", "onnxruntime": "onnxruntime",
    "torch": "torch", "to_torch": "torch", "to_onnx": "onnx", "from_onnx": "onnx",
    "save_safetensors": "safetensors", "load_safetensors": "safetensors",
}  # fmt: skip
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS | doctest.REPORT_NDIFF


def split(examples, missing):
    """Return the examples that need none of the missing modules, and those that do.

    An example needs what EXTRAS says, and what an example that defines one of its names needs.
    """
    runs, left_out, unknown = [], [], set()
    for example in examples:
        tokens = tokenize.generate_tokens(io.StringIO(example.source).readline)
        needed = {EXTRAS.get(token.string) for token in tokens if token.type == tokenize.NAME}
        read, defined = names(example.source)
        if missing & needed or read & unknown:
            left_out.append(example)
            unknown |= defined
        else:
            runs.append(example)
            unknown -= defined
    return runs, left_out


def names(source):
    """Return the names that a statement reads from before it, and those that it defines."""
    statement = ast.parse(source).body[0]
    read, defined = set(), set()
    for node in ast.walk(statement):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                read.add(name)
            case ast.Name(id=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                defined.add(name)
            case ast.alias(name=name, asname=short):
                defined.add(short or name)
    return read if isinstance(statement, ast.Assign) else read - defined, defined


@pytest.mark.usefixtures("library_alone")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page(page, monkeypatch, tmp_path):
    """Every example of a page gives the output that is shown below it."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # Keras reads it when it is imported
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # so does PyTorch, whose threads wait for busy cores
    monkeypatch.chdir(tmp_path)  # a page may save a file
    module = types.ModuleType(f"page_{page.stem}")  # so that a class in an example can be pickled
    monkeypatch.setitem(sys.modules, module.__name__, module)
    test = doctest.DocTestParser().get_doctest(page.read_text("utf-8"), {}, page.name, str(page), 0)
    test.globs = module.__dict__
    missing = {name for name in EXTRAS.values() if not find_spec(name)}
    test.examples, left_out = split(test.examples, missing)
    report = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    results = runner.run(test, out=report.append, clear_globs=False)
    assert not results.failed, "".join(report)
    if left_out:
        pytest.skip(f"an extra is not installed: {len(left_out)} examples of this page need it")


def test_examples_that_need_an_extra():
    """What an example without its module would define is unknown, until another defines it."""
    text = """
    >>> import torch
    >>> from torch import nn
    >>> net, array = nn.Linear(2, 3), np.ones(3)
    >>> for row in net.parameters():
    ...     array = array + row
    >>> array.shape
    >>> array = np.ones(3)
    >>> array.shape
    >>> total = array + row
    >>> for row in array: print(row)
    >>> array = net = row
    >>> array, net
    >>> print("torch")  # torch
    >>> net = tn.exchange.to_torch(array)
    >>> net = tn.exchange.to_onnx(array)
    >>> print(net)
    """
    examples = doctest.DocTestParser().get_examples(text)
    assert (examples, []) == split(examples, {"keras"})
    runs, left_out = split(examples, {"torch"})
    assert [examples[k] for k in (5, 6, 8, 9, 10, 11, 13, 14)] == runs
    assert [examples[k] for k in (0, 1, 2, 3, 4, 7, 12)] == left_out
    assert examples[-2:] == split(examples, {"onnx"})[1]


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


def test_readme_names_every_extra():
    """The table of extras has all of ``setup.cfg``, and no others."""
    section = (ROOT / "README.rst").read_text("utf-8").split("is an extra;")[1].split("Notation")[0]
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    expected = {*settings["options.extras_require"]}
    assert expected == {*re.findall(r"^``(\w+)`` ", section, re.MULTILINE)}


def test_pictures_of_the_readme():
    """Each picture is a small file of the repository, and has a text that says what it shows."""
    text = (ROOT / "README.rst").read_text("utf-8")
    pictures = re.findall(r"^\.\. image:: (\S+)\n   :alt: (.+)$", text, re.MULTILINE)
    assert pictures, "no picture"
    for path, words in pictures:
        assert 0 < (ROOT / path).stat().st_size < 50_000, path
        assert len(words.split()) > 5, f"{path} has no text that says what it shows"
