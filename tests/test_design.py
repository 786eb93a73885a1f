"""The house: every import goes down, and a pass makes few calls in few files."""

import ast
import pkgutil
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from helpers import output_of

import tinynet as tn

PACKAGE = Path(tn.__file__).parent
# From the ground up. A room imports from the rooms before it, and from itself.
FLOORS = (
    "_version", "errors", "_support", "schedules", "initializers", "metrics", "activations",
    "losses", "layers", "optimizers", "functional", "model", "files", "data", "training",
    "testing", "sequential", "sklearn", "exchange", "plot", "parallel",
    "__init__",
)  # fmt: skip


@cache
def imported_by(path):
    """Return the modules of the package that a file imports, also for annotations."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = {tuple(name.split(".")) for name in modules}
    return {name[1:] for name in parts if name[0] == "tinynet"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_imports_go_down(path):
    """No file imports from a room above its own, at run time or for an annotation."""
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    names = {parts[0] if parts else "__init__" for parts in imported_by(path)}
    rooms = {name if name in FLOORS else "__init__" for name in names}
    above = {other for other in rooms if FLOORS.index(other) > FLOORS.index(room)}
    assert above == set(), f"{path.name} in {room} imports from above"


def test_no_circle_of_files():
    """Within a room, too, no file imports itself by way of others."""
    graph = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        graph[parts[:-1] if parts[-1] == "__init__" else parts] = imported_by(path)
    edges = {
        name: {other if other in graph else other[:-1] for other in others} & graph.keys() - {name}
        for name, others in graph.items()
    }

    def reachable(start):
        seen, todo = set(), [start]
        while todo:
            for other in edges[todo.pop()] - seen:
                seen.add(other)
                todo.append(other)
        return seen

    assert [name for name in edges if name in reachable(name)] == []


def calls_of(function):
    """Return the files of the package's own functions that a call enters, one for each call."""
    files = []

    def profile(frame, event, _):
        if event == "call" and frame.f_code.co_filename.startswith(str(PACKAGE)):
            files.append(frame.f_code.co_filename)

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return files


def small_model():
    """Return a model of two layers."""
    layers = [tn.Dense(4, "tanh"), tn.Dense(1, "sigmoid")]
    return tn.Sequential(layers, "binary_crossentropy", inputs=2, seed=1)


@pytest.fixture(scope="module")
def trained():
    """A small model that has gone through a pass, its data, and an optimizer."""
    X, Y = tn.datasets.make_moons(64, seed=1)
    X, Y = X.astype(np.float32), Y.astype(np.float32)
    model = small_model()
    model.forward(X)
    model.back(Y)
    return model, X, Y, tn.SGD(0.1)


@pytest.mark.parametrize(("does", "most"), [
    (lambda model, X, Y, sgd: model.forward(X), 14),
    (lambda model, X, Y, sgd: model.cost(Y), 8),
    (lambda model, X, Y, sgd: model.back(Y), 12),
    (lambda model, X, Y, sgd: sgd.step(model), 6),
    (lambda model, X, Y, sgd: model.predict(X), 20),
    (lambda model, X, Y, sgd: model.fit(X, Y, epochs=0), 101),
    (lambda *_: small_model(), 120),
], ids=["forward", "cost", "back", "step", "predict", "start of fit", "build"])  # fmt: skip
def test_a_pass_makes_few_calls(trained, does, most):
    """What has been checked once is trusted: a pass is the mathematics and little else."""
    does(*trained)
    files = calls_of(lambda: does(*trained))
    assert len(files) <= most, files


def test_what_is_rarely_used_is_imported_later():
    """`import tinynet` imports none of the modules that a family imports when a name needs them."""
    families = "from tinynet._support.registry import FAMILIES"
    early = "[name for f in FAMILIES.values() for name in f.modules if name in sys.modules]"
    assert output_of("-c", f"import sys, tinynet; {families}; print({early})") == "[]\n"


@pytest.mark.parametrize("room", [tn.data, tn.files, tn.training], ids=lambda room: room.__name__)
def test_a_room_names_its_modules(room):
    """Modules that are imported later are attributes of their room, and `dir` names them."""
    assert [module.name for module in pkgutil.iter_modules(room.__path__)] == dir(room)


def test_ids_are_the_same_in_every_run(request):
    """No id of a test has the address of an object: mutmut finds tests by their ids."""
    ids = [item.nodeid for item in request.session.items]
    assert [name for name in ids if " at 0x" in name] == []
