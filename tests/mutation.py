"""What lets mutmut's copies of functions and methods run as the originals; a plugin of pytest, for `mutmut run` alone.

mutmut puts in each method's place a function of ``*args, **kwargs`` that calls the method or a mutated copy. The
package looks at a method's arguments to see whether it takes ``out``, and would otherwise give it another one:
what a method does with its own ``out`` would never be run.

And mutmut forks when all has been imported: what runs while classes and the tests' tables are made, such as the
functions that make fields, would never be run again with a mutant. Where the mutant is one of a function, or of a
method such as ``__init_subclass__``, all is imported anew.
"""

import functools
import importlib
import inspect
import os
import sys

import pytest
from mutmut.mutation import trampoline
from mutmut.state import state

_wrap_in_trampoline = trampoline.wrap_in_trampoline
_while_importing = set()  # mutmut's names of what ran then


def naming_out(mutants, is_classmethod=False):
    """Return mutmut's decorator, whose function has an argument called ``out`` where the decorated one has it."""
    decorate = _wrap_in_trampoline(mutants, is_classmethod)

    def decorated(function):
        chosen = decorate(function)
        if "out" not in inspect.signature(function).parameters:
            return chosen

        @functools.wraps(function)
        def with_out(*args, out=None, **kwargs):
            return chosen(*args, **kwargs) if out is None else chosen(*args, out=out, **kwargs)

        return with_out

    return decorated


trampoline.wrap_in_trampoline = naming_out


def _runs_while_importing():
    mutant = os.environ.get("MUTANT_UNDER_TEST", "")
    return ".x_" in mutant or "ǁ__" in mutant


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests():
    """Import the package, and then the tests, with the mutant; if that fails, it is killed."""
    if _runs_while_importing():
        ours = ("conftest", "fuzz", "helpers", "messages", "tinynet")
        for name in list(sys.modules):
            if name.split(".")[0] in ours or name.startswith("test_"):
                del sys.modules[name]
        try:
            importlib.import_module("tinynet")
        except Exception:
            os._exit(1)


def pytest_collectreport(report):
    """Take tests that cannot be imported with a mutant for tests that fail."""
    if report.failed and _runs_while_importing():
        os._exit(1)


def pytest_collection_finish():
    """Keep what has been called up to here, while mutmut counts who calls what."""
    _while_importing.update(state()._stats)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item):
    """Count what ran while importing as called by each test of the file that is named after its module."""
    stem = item.path.stem.removeprefix("test_")
    state()._stats.update(name for name in _while_importing if stem in name.split("."))
