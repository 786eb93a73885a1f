"""A package that is installed makes its classes known by name, without being imported by the user."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import tinynet

PLUGIN = Path(__file__).parent / "plugin"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Install the plugin of tests/plugin into a folder, and return the environment of a Python that has it."""
    folder, source = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("source")
    for path in PLUGIN.rglob("*.*"):
        if path.suffix in (".py", ".cfg"):
            copy = source / path.relative_to(PLUGIN)
            copy.parent.mkdir(exist_ok=True)
            copy.write_text(path.read_text("utf-8"), "utf-8")
    options = [
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--quiet",
        "--disable-pip-version-check",
    ]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", folder, source]
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


def test_every_family(environment):
    """A class of each family is found by its name, with its settings, and passes its check."""
    told = run(
        environment,
        """
        tn.testing.check_activation(tn.Activation.get("ripple", height=0.25))
        tn.testing.check_layer(tn.Layer.get("shift"), 3)
        tn.testing.check_loss(tn.Loss.get("quartic"))
        tn.testing.check_optimizer(tn.Optimizer.get("signs"))
        tn.testing.check_initializer(tn.Initializer.get("halves"))
        model = tn.Sequential([tn.Dense(4, "ripple"), tn.Dense(1)], "quartic", inputs=3, seed=1)
        print(len(model.fit(np.ones((3, 8)), np.ones((1, 8)), optimizer="signs", epochs=2)["loss"]))
        """,
    )
    assert told == "2"


def test_nothing_is_imported_before_it_is_asked_for(environment):
    """`import tinynet`, and names that are known, leave plugins and their lookup alone."""
    told = run(
        environment,
        """
        tn.Activation.get("relu")
        print("tinynet_ripple" in sys.modules, "importlib.metadata" in sys.modules, "ripple" in tn.Activation.names())
        """,
    )
    assert told == "False False False"


def test_a_saved_model_finds_its_plugin(environment, tmp_path):
    """A file names the class by its registered name, and loading it finds the package that has it."""
    path = str(tmp_path / "net.npz")
    run(environment, f"tn.Sequential([tn.Dense(2, 'ripple')], inputs=3, seed=1).save({path!r})")
    told = run(environment, f"print(tn.load({path!r}).layers[0].activation)")
    assert told == "Ripple(height=0.5)"
    assert b"tinynet_ripple" not in Path(path).read_bytes()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "gone",
            [
                "ImportError",
                "'gone'",
                "tinynet-ripple",
                "tinynet_ripple.not_there",
                "ModuleNotFoundError",
            ],
        ),
        ("misnamed", ["ImportError", "'misnamed'", "tinynet-ripple", "no activation of that name"]),
        ("rippel", ["UnknownNameError", "nearest first: ripple,"]),
    ],
)
def test_what_a_plugin_does_not_keep(environment, name, expected):
    """A plugin that fails is named with the cause, other names work all the same, and misspelt ones find it."""
    told = run(
        environment,
        f"""
        try:
            tn.Activation.get({name!r})
        except Exception as error:
            print(type(error).__name__, error)
        print(tn.Activation.get("ripple"), tn.Activation.get("tanh"))
        """,
    )
    assert told.endswith("Ripple(height=0.5) Tanh()")
    missing = [part for part in expected if part not in told]
    assert not missing, f"the message lacks {missing}: {told}"
