"""A package that is installed makes its classes known by name; the user need not import it."""

import os
import shutil
import textwrap
from pathlib import Path

import pytest
from helpers import TESTED, output_of

from tinynet._support.registry import FAMILIES

PLUGIN = Path(__file__).parent / "plugin"
# What the plugin calls its class of each family.
NAMES = {
    "activation": "ripple", "layer": "shift", "loss": "quartic", "optimizer": "heavy",
    "schedule": "halving", "initializer": "halves", "metric": "largest_error",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Install the plugin of tests/plugin; return what runs a program there for its output."""
    folder, source = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    shutil.copytree(PLUGIN, source, ignore=ignored, dirs_exist_ok=True)
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    output_of("-m", "pip", "install", "-q", *options, "--target", folder, source, env=os.environ)
    there = TESTED | {"PYTHONPATH": os.pathsep.join([str(folder), TESTED["PYTHONPATH"]])}

    def printed_by(program):
        imports = "import sys\nimport numpy as np\nimport tinynet as tn\n"
        program = imports + textwrap.dedent(program)
        return output_of("-W", "error", "-c", program, env=there).strip()

    return printed_by


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family(run, family):
    """A class of each family is found by name, in a process of its own, and passes its check."""
    arguments = "thing, 3" if family == "layer" else "thing"
    printed = run(f"""
        thing = tn.{FAMILIES[family].__name__}.get({NAMES[family]!r})
        tn.testing.check_{family}({arguments})
        print(type(thing).__module__)
    """)
    assert printed == "tinynet_ripple.classes"


def test_nothing_is_imported_before_it_is_used(run):
    """`import tinynet`, and known names, import neither plugins nor what finds them."""
    printed = run("""
        tn.Activation.get("relu")
        print({"tinynet_ripple", "importlib.metadata"} & set(sys.modules))
        print("ripple" in tn.Activation.names())
    """)
    assert printed == "set()\nFalse"


def test_a_saved_model_finds_its_plugin(run, tmp_path):
    """Names work in a model and in fit; a file holds the name alone, and loading finds it."""
    path = str(tmp_path / "net.npz")
    train = f"""
        layers = [tn.Dense(4, "ripple"), tn.Dense(1, init="halves")]
        model = tn.Sequential(layers, "quartic", seed=1)
        how = {{"optimizer": tn.SGD("halving"), "metrics": ["largest_error"]}}
        history = model.fit(np.ones((3, 8)), np.ones((1, 8)), **how)
        model.save({path!r})
        print(list(history))
    """
    assert run(train) == "['loss', 'largest_error']"
    printed = run(f"print(tn.load({path!r}).layers[0].activation)")
    assert printed == "Ripple(height=0.5)"
    assert b"tinynet_ripple" not in Path(path).read_bytes()


@pytest.mark.parametrize(("name", "expected"), [
    ("gone", ["ImportError", "'gone'", "tinynet-ripple", "not_there", "ModuleNotFoundError"]),
    ("misnamed", ["ImportError", "'misnamed'", "tinynet-ripple", "no activation of"]),
    ("rippel", ["UnknownNameError", "nearest first: ripple,"]),
])  # fmt: skip
def test_plugins_that_fail(run, name, expected):
    """A failure names the plugin and the cause, and other names still work."""
    printed = run(f"""
        try:
            tn.Activation.get({name!r})
        except Exception as error:
            print(type(error).__name__, error)
        print(tn.Activation.get("ripple"), tn.Activation.get("tanh"))
    """)
    assert printed.endswith("Ripple(height=0.5) Tanh()")
    assert [part for part in expected if part not in printed] == []
