"""The examples of the gallery: each says what it shows, is the same at each run, and is in order.

All of them run when the documentation is built, which fails if one does. Here the quickest run.
"""

import ast
import importlib.util
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GALLERY = ROOT / "examples" / "gallery"
EXAMPLES = {path.stem.removeprefix("plot_"): path for path in sorted(GALLERY.glob("*/plot_*.py"))}
QUICK = ["confusion_matrix", "gradients_through_time", "losses", "optimizers", "schedules"]


def order():
    """Return the module that orders the gallery."""
    path = ROOT / "docs" / "ext" / "gallery_pages.py"
    spec = importlib.util.spec_from_file_location("gallery_pages", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def calls(tree):
    """Return each call in a program: the name of what is called, and the call."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [(ast.unparse(call.func).split(".")[-1], call) for call in found]


@pytest.fixture(params=EXAMPLES)
def program(request):
    """An example as text and as a syntax tree."""
    text = EXAMPLES[request.param].read_text("utf-8")
    return text, ast.parse(text)


def test_order():
    """The gallery has every example once, in sections that are in order and have a heading."""
    module = order()
    assert sorted(EXAMPLES) == sorted(module.EXAMPLES), "docs/ext/gallery_pages.py lists others"
    assert {path.parent.name for path in EXAMPLES.values()} == set(module.SECTIONS)
    assert [
        section for section in module.SECTIONS if not (GALLERY / section / "README.rst").exists()
    ] == []
    places = [module.SECTIONS.index(EXAMPLES[name].parent.name) for name in module.EXAMPLES]
    assert places == sorted(places), "an example stands among those of another section"
    assert module.Order("")("plot_activations.py") < module.Order("")("plot_dead_relus.py")


def test_text(program):
    """A page has a title, and two to six sentences in one paragraph."""
    title, line, *paragraphs = ast.get_docstring(program[1]).split("\n")
    assert line == "=" * len(title), "the line below the title is as long as the title"
    text = " ".join(paragraphs).strip()
    sentences = re.findall(r"[.)](?= [A-Z`(]|$)", text)
    assert 2 <= len(sentences) <= 6, f"{len(sentences)} sentences: {text}"
    assert max(len(sentence.split()) for sentence in re.split(r"[.:] ", text)) <= 35, text


def test_alternative_text(program):
    """A figure has a title of its own that says what one sees: it is the alternative text."""
    named = dict(calls(program[1]))
    assert "suptitle" in named, "the figure has no suptitle"
    title = ast.unparse(named["suptitle"].args[0])
    assert len(title.split()) >= 6, f"{title} does not say what one sees"


def test_the_same_at_each_run(program):
    """Every model and generator has a seed, and NumPy's global generator is not used."""
    text, tree = program
    assert not re.search(r"np\.random\.(?!default_rng\()|import random", text), "a global generator"
    for name, call in calls(tree):
        if name == "Sequential":
            assert "seed" in {keyword.arg for keyword in call.keywords}, ast.unparse(call)
        if name == "default_rng" or name.startswith("make_"):
            assert call.args or call.keywords, ast.unparse(call)
        if name.startswith("make_"):
            assert "seed" in {keyword.arg for keyword in call.keywords}, ast.unparse(call)


def test_plain(program):
    """A program is short, shows no window and writes no file."""
    text, tree = program
    assert len(text.splitlines()) <= 60, "too long to copy"
    assert {"show", "savefig", "print", "open"} & {name for name, _ in calls(tree)} == set()


def test_thumbnails(tmp_path):
    """A thumbnail gets the alternative text of the first picture on the page of its example."""
    (tmp_path / "gallery" / "basics").mkdir(parents=True)
    page = ".. image-sg:: /x.png\n   :alt: A curve\n   :alt: Another\n"
    (tmp_path / "gallery" / "basics" / "plot_a.rst").write_text(page, "utf-8")
    image = "  .. image:: /gallery/basics/images/thumb/sphx_glr_plot_a_thumb.png\n    :alt:"
    source, app = [f"{image}\n\n  text"], type("App", (), {"srcdir": tmp_path})
    order().describe_thumbnails(app, "gallery/index", source)
    assert source == [f"{image} A curve\n\n  text"]


@pytest.mark.parametrize("name", QUICK)
def test_quick_examples(name):
    """An example draws one figure, and says nothing."""
    matplotlib = pytest.importorskip("matplotlib", reason="an extra is not installed")
    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    plt.close("all")
    with matplotlib.rc_context():
        runpy.run_path(str(EXAMPLES[name]))
    assert len(plt.get_fignums()) == 1
    assert plt.gcf().get_suptitle()
    plt.close("all")
