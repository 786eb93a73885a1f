"""The documentation is built without a warning, and shows public names and readable text."""

import html
import importlib
import re
from pathlib import Path

import attrs
import pytest
from helpers import registered
from test_design import FLOORS, PACKAGE, calls_of, imported_by

import tinynet
from tinynet._support.registry import FAMILIES
from tinynet.training.step import Steps

ROOT = Path(__file__).parent.parent
TEXTS = [*ROOT.glob("*.rst"), *ROOT.glob("docs/**/*.rst")]
TEXTS = [path for path in TEXTS if not path.is_relative_to(ROOT / "docs" / "gallery")]  # built
DESIGN = (ROOT / "docs" / "design.rst").read_text("utf-8")
# Modules of the package that are an inside: what is public in them has a shorter name.
INSIDE = r"\btinynet\.(?:_\w+|data|files|model|sequential|training)\b"
PACKAGES = "activations|initializers|layers|losses|optimizers"
FILES_OF_CLASSES = rf"\btinynet\.(?:{PACKAGES})\.[a-z]\w*\.\w+"
PRIVATE = re.compile(rf"{INSIDE}|{FILES_OF_CLASSES}|\w\._(?!_)\w+")
PAGES = (
    "index", "notation", "layers", "optimizers", "metrics", "training", "data", "extending",
    "coming_from_sklearn", "coming_from_keras", "coming_from_pytorch", "scoring", "comparison",
    "design", "testing", "contributing", "changelog", "gallery/index", "reference/index",
    "reference/model", "reference/layers", "reference/optimizers", "reference/activations",
    "reference/callbacks",
)  # fmt: skip


@pytest.fixture(scope="module")
def built(site):
    """The pages by name, as HTML."""
    pages = {path: path.read_text("utf-8") for path in site.rglob("*.html")}
    return {str(path.relative_to(site).with_suffix("")): page for path, page in pages.items()}


def without(page, *elements):
    """Return a page without the elements of these names, and what is in them."""
    for element in elements:
        page = re.sub(rf"<{element}\b.*?</{element}>", "", page, flags=re.DOTALL)
    return page


def text(page):
    """Return what a reader sees of HTML."""
    return html.unescape(re.sub(r"<[^>]+>", "", page))


def signatures(page):
    """Return the signatures on a page, each on one line."""
    found = re.findall(r'<dt class="sig.*?</dt>', page, re.DOTALL)
    return [" ".join(text(without(signature, "a")).split()) for signature in found]


def lines_with(pattern, shown):
    """Return the lines of a text in which a pattern occurs."""
    return [line.strip() for line in shown.splitlines() if re.search(pattern, line)]


def test_pages(built):
    """Every page that a reader looks for is there."""
    assert set(PAGES) - built.keys() == set(), "these pages are missing"


def test_no_raw_markup(built):
    """No backtick is left in the text: it would be markup that was not understood."""
    for name, page in built.items():
        shown = text(without(page, "pre", "code", "script", "style", "svg"))
        assert lines_with("`", shown) == [], f"{name}: raw backticks"


def test_signatures(built):
    """Signatures are those that a user calls: no stand-ins for arguments, no private names."""
    found = 0
    for name, page in built.items():
        for signature in signatures(page):
            found += 1
            wrong = re.search(r"\*_|\*\*(?:fields|kwargs)\b|\bNOTHING\b|<", signature)
            assert not wrong, f"{name}: {signature}"
            assert not PRIVATE.search(signature), f"{name}: private name in {signature}"
    assert found > 150, "too few signatures: the reference is not complete"


@pytest.mark.parametrize("signature", [
    "tinynet.Dense(units, activation=Identity(), init='auto', l2=0.0)",
    "tinynet.SGD(learning_rate=0.01, momentum=0.0, dampening=0.0, nesterov=False",
    "tinynet.Sequential(layers, loss=None, inputs=None, dtype='float32', seed=None)",
    "tinynet.activations.LeakyReLU(slope=0.01)",
    "tinynet.EarlyStopping(monitor='val_loss', patience=5",
    "tinynet.datasets.load_digits()",
])  # fmt: skip
def test_public_signatures(built, signature):
    """What people use stands under the name that they import, with its arguments."""
    shown = [found for page in built.values() for found in signatures(page)]
    assert any(signature in found for found in shown), f"no signature is {signature}"


def test_no_private_names(built):
    """No page shows a private name, or a module that is not public."""
    for name, page in built.items():
        shown = text(without(page, "script", "style", "svg"))
        if name.startswith(("genindex", "py-modindex", "search")) or "reference" in name:
            assert lines_with(PRIVATE, shown) == [], f"{name}: private names"
        else:  # a page on how the package is built names its files, with a slash
            assert lines_with(INSIDE, shown) == [], f"{name}: private modules"


@pytest.mark.parametrize("method", ["Sequential.fit", "resume"])
def test_sections_of_methods(built, method):
    """Parameters, what is returned and what is raised are sections of a method's description."""
    page = built["reference/model"]
    start = page.index(f'id="tinynet.{method}"')
    end = page.find('<dl class="py', start)
    fields = re.findall(r'<dt class="field-\w+">(.*?)</dt>', page[start:end], re.DOTALL)
    expected = ["Parameters:", "Returns:", "Raises:"]
    assert expected == [text(field).strip() for field in fields], f"sections of {method}"


def test_gallery(built):
    """Each example has a page with a picture, each picture says what it shows, and none warns."""
    examples = {path.stem for path in (ROOT / "examples" / "gallery").rglob("plot_*.py")}
    pages = {name: page for name, page in built.items() if name.startswith("gallery/")}
    assert examples == {Path(name).name for name in pages if name != "gallery/index"}
    for name, page in pages.items():
        pictures = re.findall(r"<img\b[^>]*sphx_glr_[^>]*>", page)
        texts = [alt for picture in pictures for alt in re.findall(r'alt="([^"]*)"', picture)]
        assert len(texts) == (len(examples) if name == "gallery/index" else 1), name
        assert min(map(len, texts)) > 20, f"{name}: a picture without alternative text"
        assert "sphx-glr-script-out" not in page, f"{name}: the program prints, or warns"


def test_every_public_name_is_documented(built):
    """What ``import tinynet`` gives is in the reference: itself, or a page that has its members."""
    reference = "".join(page for name, page in built.items() if name.startswith("reference/"))
    ids = re.findall(r'id="(?:module-)?tinynet\.([\w.]+)"', reference)
    documented = {*ids, *[name.split(".")[0] for name in ids]}
    short = {"callbacks", "layers", "load_digits", "__version__"}  # shown under shorter names
    assert {*tinynet.__all__} - short - documented == set(), "names that no page shows"


@pytest.fixture
def validation(monkeypatch):
    """The part of the build that validates docstrings."""
    pytest.importorskip("numpydoc", reason="the extra docs is not installed")
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    monkeypatch.syspath_prepend(ROOT / "docs" / "ext")
    return importlib.import_module("validation")


@pytest.mark.usefixtures("library_alone")
def test_docstrings(validation):
    """numpydoc finds no fault in the docstring of a public name."""
    assert validation.all_faults() == []


def test_faults_of_docstrings(validation):
    """What is not described, has no type or no example is found, and what is inherited is known."""

    @attrs.frozen
    class Faulty(tinynet.optimizers.SGD):
        """do something

        Parameters
        ----------
        learning_rate
            The rate.
        """

        extra: float = attrs.field(default=1.0, kw_only=True)

    faults = "\n".join(validation.faults("Faulty", Faulty))
    for code in ("SS03", "PR01", "PR04", "EX01"):
        assert f"({code})" in faults, f"{code} is not in {faults}"
    assert "extra" in faults
    assert "momentum" not in faults, "SGD describes it"


@pytest.mark.parametrize("name", ["README.rst", "CHANGELOG.rst", "CONTRIBUTING.rst"])
def test_plain_restructuredtext(name):
    """A file that is read outside Sphinx has no warning or error of reStructuredText."""
    core = pytest.importorskip("docutils.core", reason="the extra docs is not installed")
    nodes = pytest.importorskip("docutils.nodes")
    settings = {"report_level": 2, "halt_level": 5, "warning_stream": False}
    source = (ROOT / name).read_text("utf-8")
    document = core.publish_doctree(source, name, settings_overrides=settings)
    messages = [message.astext() for message in document.findall(nodes.system_message)]
    assert messages == [], f"{name} has faults in its markup"


def test_every_registered_class_is_documented(built):
    """A class that a name stands for is in the reference, under the name that a user writes."""
    library = {
        cls.__name__ if cls.__name__ in tinynet.__all__ else f"{family.plural}.{cls.__name__}"
        for family in FAMILIES.values()
        for cls in registered(family).values()
    }
    reference = "".join(page for name, page in built.items() if name.startswith("reference/"))
    shown = set(re.findall(r'id="tinynet\.([\w.]+)"', reference))
    assert library - shown == set(), "classes that no page shows"


def test_tables_of_what_is_registered(built):
    """Each name is in the table of its family, and each activation with a curve has its picture."""
    for family, base in FAMILIES.items():
        page = built[f"reference/{base.plural}"]
        shown = set(re.findall(r'<span class="pre">"(\w+)"</span>', html.unescape(page)))
        assert registered(base).keys() - shown == set(), f"{family}: names that no table has"
    page = built["reference/activations"]
    for name, cls in registered(tinynet.Activation).items():
        pictures = re.findall(rf'<img alt="{name}: [^>]*activation_{name}_', page)
        assert len(pictures) == (0 if cls.sums_to_1 else 2), f"pictures of {name}"


def test_head_of_pages(built):
    """Every page has a description, and the picture in the tab of the browser."""
    for name, page in built.items():
        assert "favicon.svg" in page, f"{name}: no favicon"
        if name.split("-")[0] not in ("genindex", "py", "search"):
            description = re.search(r'<meta[^>]*name="description"[^>]*>', page)
            assert len(description[0] if description else "") > 60, f"{name}: no description"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_files_exist(path):
    """Every file of the repository that a page names is there."""
    folders = r"docs|examples|tests|benchmarks|tinynet|\.ci"
    named = set(re.findall(rf"``((?:{folders})/[\w./-]*)``", path.read_text("utf-8")))
    missing = {name for name in named if "_build" not in name and not (ROOT / name).exists()}
    assert missing == set(), f"{path.name} names files that do not exist"


# What the page on the design says


def test_floors_of_the_design():
    """The page has all floors, from top to bottom."""
    block = DESIGN.split("top to bottom::")[1].split("So a formula")[0]
    shown = re.findall(r"^    (\w+)(?:\.py|/)", block, re.MULTILINE)
    assert shown == [room for room in reversed(FLOORS) if room != "_version"]


def test_table_of_imports():
    """The page says of each room from which others it imports."""
    imports = {room: set() for room in FLOORS}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        imports[room] |= {parts[0] for parts in imported_by(path) if parts and parts[0] in FLOORS}
    expected = {room: imports[room] - {room, "_support", "errors"} for room in FLOORS}
    rows = re.findall(r"^``(\w+)(?:\.py|/)`` {2,}(.+(?:\n {9,}.+)*)$", DESIGN, re.MULTILINE)
    table = {room: {*re.findall(r"\w+", others)} & {*FLOORS} for room, others in rows}
    del expected["__init__"]
    assert {room: others for room, others in expected.items() if others} == table


def test_files_of_a_step(monkeypatch, ctrl_c):
    """The files that a training step enters are those that the page lists, in this order."""
    X, Y = tinynet.datasets.make_moons(64, seed=1)
    layers = [tinynet.Dense(4, "tanh"), tinynet.Dense(1, "sigmoid")]
    model = tinynet.Sequential(layers, "binary_crossentropy", inputs=2, seed=1)
    take, calls = Steps.take, []

    def profiled(*arguments):
        calls.append(calls_of(lambda: take(*arguments)))
        return 0.0

    monkeypatch.setattr(Steps, "take", profiled)
    model.fit(X, Y, tinynet.SGD(0.1), epochs=2, batch_size=None)
    files = [Path(name).relative_to(PACKAGE).as_posix() for name in calls[-1]]
    listed = re.findall(r"^\d\. ``tinynet/([\w/]+\.py)``:", DESIGN, re.MULTILINE)
    assert listed == list(dict.fromkeys(files))
    assert 20 <= len(files) <= 30, "the page says: some 25"
