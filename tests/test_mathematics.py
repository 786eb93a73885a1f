"""The pages on the mathematics leave out nothing, and show numbers that are computed."""

import re
from pathlib import Path

import numpy as np
import pytest
from helpers import registered

import tinynet as tn
from tinynet._support.registry import FAMILIES

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "mathematics"
PAGES = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.rst"))}
MATH = re.compile(r"^\.\. math::\n(?:   :label: .*\n)?\n((?:(?:   .*)?\n)+)", re.MULTILINE)
PAGE_OF = {
    "activation": "activations", "loss": "losses", "optimizer": "optimizers",
    "schedule": "optimizers", "initializer": "initializers",
}  # fmt: skip


def equations(page):
    """Return the equations of a page that stand by themselves, and those within its text."""
    return MATH.findall(page), re.findall(r":math:`([^`]+)`", page)


def rows(page):
    """Return the cells of the tables of a page by the name in the first one."""
    found = re.split(r"^   \* - ``(\w+)``\n", page, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def in_dictionary(page, start):
    """Return the keys of a dictionary in an example of a page."""
    example = page.split(f">>> {start} = {{")[1].split("... }")[0]
    return {*re.findall(r'^\.\.\.     "(\w+)":', example, re.MULTILINE)}


@pytest.mark.parametrize("family", [*PAGE_OF, "layer"])
def test_nothing_is_left_out(family):
    """What is registered has a formula on its page: a row of a table, or a section."""
    classes, page = registered(FAMILIES[family]), PAGES[PAGE_OF.get(family, "layers")]
    if family in ("layer", "optimizer"):
        linked = {*re.findall(r"<tinynet\.(\w+)>`", page)}
        assert {kind.__name__ for kind in classes.values()} - linked == set(), "without a section"
        return
    table = rows(page)
    assert classes.keys() - table.keys() == set(), "without a row"
    without = {name for name in classes if ":math:" not in table[name]}
    assert without == set(), "rows without a formula"


@pytest.mark.parametrize(("page", "dictionary", "family"), [
    ("activations", "formulas", "activation"),
    ("losses", "formulas", "loss"),
    ("initializers", "variances", "initializer"),
    ("optimizers", "rules", "schedule"),
    ("optimizers", "steps", "optimizer"),
])  # fmt: skip
def test_every_formula_is_checked(page, dictionary, family):
    """The example at the end of a page compares every registered class with its formula."""
    assert in_dictionary(PAGES[page], dictionary) == registered(FAMILIES[family]).keys()


def test_every_layer_is_checked():
    """The example at the end of the page compares every layer's gradients with differences."""
    example = PAGES["layers"].split("All layers, checked\n")[1]
    used = {*re.findall(r"tn\.(\w+)\(", example)} | {*re.findall(r"import (.+)", example)}
    kinds = {kind.__name__ for kind in registered(tn.layers.Layer).values()}
    assert kinds - {name for names in used for name in names.split(", ")} == set()


def test_numbers_of_the_worked_example():
    """Every rounded number in the formulas is one that the model computes."""
    page = PAGES["worked_example"]
    layers = [tn.Dense(2, "tanh"), tn.Dense(1, "sigmoid")]
    model = tn.Sequential(layers, "binary_crossentropy", inputs=2, dtype="float64")
    first = {
        "W1": [[0.5, -0.5], [1, 0.25]], "b1": [[0.1], [-0.5]], "W2": [[1, -1.5]], "b2": [[0.2]],
    }  # fmt: skip
    X, Y = np.array([[1, -0.5], [0.4, 0.8]]), np.array([[1.0, 0.0]])
    computed = []
    for m in (1, 2):
        model.set_parameters({name: np.array(array, float) for name, array in first.items()})
        model.forward(X[:, :m])
        computed.append([model.cost(Y[:, :m])])
        model.back(Y[:, :m], input_gradient=True)
        arrays = (model.A, model.Z, model.dA, model.dZ, model.dW, model.db)
        computed += [array.flatten() for kind in arrays for array in kind.values()]
        if m == 1:
            tn.SGD(0.5).step(model)
            computed.append(model.params.copy())
    known = {f"{abs(number):.4f}" for number in np.concatenate(computed)}
    shown = {number for math in equations(page)[0] for number in re.findall(r"\d\.\d{4}", math)}
    assert len(shown) > 30, "the formulas have hardly any numbers"
    assert shown - known == set(), "numbers that no pass computes"


def test_many_equations():
    """The pages have the equations that readers come for, each next to its line of code."""
    displayed, within = (
        sum(map(len, kind)) for kind in zip(*map(equations, PAGES.values()), strict=True)
    )
    assert displayed > 120, "displayed equations"
    assert within > 150, "equations within the text"
    assert sum(page.count(".. literalinclude::") for page in PAGES.values()) > 60


@pytest.mark.parametrize("page", PAGES)
def test_lines_of_code_exist(page):
    """Each equation's line of code is in the source, within the object that is named."""
    for directive in re.split(r"^\.\. literalinclude:: ", PAGES[page], flags=re.MULTILINE)[1:]:
        path, *options = re.split(r"\n   (?=:)", directive.split("\n\n")[0])
        settings = dict(re.match(r":([\w-]+):\s*(.*)", option).groups() for option in options)
        source = (FOLDER / path.strip()).resolve().read_text("utf-8")
        for name in ("start-at", "end-at"):
            assert settings.get(name, "") in source, f"{page}: {settings[name]} is not in {path}"
        for name in settings.get("pyobject", "").split("."):
            assert re.search(rf"^ *(?:def|class) {name}\b", source, re.MULTILINE) or not name
        caption = settings.get("caption", "")
        assert caption.split(": ")[0] in ("", path.strip().removeprefix("../../")), caption


@pytest.mark.parametrize("name", ["backpropagation", "network-2-2-1", "unrolled"])
def test_diagrams(name):
    """A diagram has a description for people who do not see it, and the colors of the page."""
    svg = (ROOT / "docs" / "_static" / f"{name}.svg").read_text("utf-8")
    for part in ('role="img"', "<title ", "<desc ", 'fill="currentColor"', "viewBox="):
        assert part in svg, f"{name}.svg has no {part}"
    assert any(f"_static/{name}.svg" in page for page in PAGES.values()), "no page shows it"
