"""Annotated programs of users pass a strict type checker, and run."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = ROOT / "tests" / "typed.py"


def test_the_program_runs():
    """The annotated classes pass their checks, and a model trains with them."""
    runpy.run_path(str(PROGRAM))


def test_mypy_strict(tmp_path):
    """A class of each family and the arrays of a model have types that mypy --strict accepts."""
    pytest.importorskip("mypy", reason="the extra dev is not installed")
    cache = os.environ.get("MYPY_CACHE_DIR", str(tmp_path))
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", cache]
    found = subprocess.run(
        [*command, str(PROGRAM)], cwd=tmp_path, env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
