"""A package that is installed makes its classes known by name; the user need not import it."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import tinynet
from tinynet._support.registry import FAMILIES

PLUGIN = Path(__file__).parent / "plugin"
# What the plugin calls its class of each family.
NAMES = {
    "activation": "ripple", "layer": "shift", "loss": "quartic", "optimizer": "heavy",
    "schedule": "halving", "initializer": "halves", "metric": "largest_error",
}  # fmt: skip


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Install the plugin of tests/plugin into a folder, and return an environment that has it."""
    folder, source = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    shutil.copytree(PLUGIN, source, ignore=ignored, dirs_exist_ok=True)
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", "-q", *options, "--target", folder, source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    paths = [str(folder), str(Path(tinynet.__file__).parents[1])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def run(environment, program):
    """Run a program in that environment, and return what it prints."""
    program = "import sys\nimport numpy as np\nimport tinynet as tn\n" + textwrap.dedent(program)
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family(environment, family):
    """A class of each family is found by name, in a process of its own, and passes its check."""
    arguments = "thing, 3" if family == "layer" else "thing"
    printed = run(
        environment,
        f"""
        thing = tn.{FAMILIES[family].__name__}.get({NAMES[family]!r})
        tn.testing.check_{family}({arguments})
        print(type(thing).__module__)
        """,
    )
    assert printed == "tinynet_ripple.classes"


def test_nothing_is_imported_before_it_is_used(environment):
    """`import tinynet`, and known names, import neither plugins nor what finds them."""
    printed = run(
        environment,
        """
        tn.Activation.get("relu")
        print({"tinynet_ripple", "importlib.metadata"} & set(sys.modules))
        print("ripple" in tn.Activation.names())
        """,
    )
    assert printed == "set()\nFalse"


def test_a_saved_model_finds_its_plugin(environment, tmp_path):
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
    assert run(environment, train) == "['loss', 'largest_error']"
    printed = run(environment, f"print(tn.load({path!r}).layers[0].activation)")
    assert printed == "Ripple(height=0.5)"
    assert b"tinynet_ripple" not in Path(path).read_bytes()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gone", ["ImportError", "'gone'", "tinynet-ripple", "not_there", "ModuleNotFoundError"]),
        ("misnamed", ["ImportError", "'misnamed'", "tinynet-ripple", "no activation of"]),
        ("rippel", ["UnknownNameError", "nearest first: ripple,"]),
    ],
)  # fmt: skip
def test_plugins_that_fail(environment, name, expected):
    """A failure names the plugin and the cause, and other names still work."""
    printed = run(
        environment,
        f"""
        try:
            tn.Activation.get({name!r})
        except Exception as error:
            print(type(error).__name__, error)
        print(tn.Activation.get("ripple"), tn.Activation.get("tanh"))
        """,
    )
    assert printed.endswith("Ripple(height=0.5) Tanh()")
    assert [part for part in expected if part not in printed] == []
