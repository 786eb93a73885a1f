"""What several files of tests need beside messages.py."""

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import tinynet

# The environment of another process, which imports the package that is tested.
TESTED = os.environ | {"PYTHONPATH": str(Path(tinynet.__file__).parents[1])}
if sys.dont_write_bytecode:  # or each process would compile the package again
    COMPILED = tempfile.TemporaryDirectory()
    TESTED |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": COMPILED.name}


def registered(family):
    """Return the library's own classes of a family by name, without those that tests define."""
    classes = {name: family._classes[name] for name in family.names()}
    return {name: cls for name, cls in classes.items() if cls.__module__.startswith("tinynet.")}


@contextlib.contextmanager
def unchanged(model):
    """Expect that the parameters are to the bit what they were before."""
    before = model.params.tobytes()
    yield
    assert before == model.params.tobytes(), "the parameters have changed"


def output_of(*arguments, env=TESTED, **how):
    """Run Python in another process, which must not fail, and return what it prints."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False, **how)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
