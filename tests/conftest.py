"""What all tests share."""

import gc
import os
import signal
import warnings
from pathlib import Path

import pytest
from helpers import output_of

from tinynet._support.registry import FAMILIES

for family in FAMILIES.values():
    family.names()  # imports what is imported later, so that no test is the first to do so


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Let no later collection of garbage go through the tests themselves, which stay to the end."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _registries():
    """Forget every class that a test defines, so that none of it is seen by another test."""
    kept = {family: dict(family._classes) for family in FAMILIES.values()}
    yield
    for family, classes in kept.items():
        family._classes.clear()
        family._classes.update(classes)


@pytest.fixture
def library_alone():
    """Forget for a test the classes of test modules, whose names it may use for its own."""
    for family in FAMILIES.values():
        for name, kind in list(family._classes.items()):
            if not kind.__module__.startswith("tinynet."):
                del family._classes[name]


@pytest.fixture(scope="session", autouse=True)
def _no_fsync():
    """Do not wait for the disk: only a power cut needs that. Other processes still wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session")
def torch():
    """PyTorch, if it is there, which may warn when it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("torch")


@pytest.fixture
def ctrl_c():
    """Let SIGINT do what it does in a terminal, also in the background, where it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_addoption(parser):
    """Take the folder of pages that are built already, so that no test builds them again."""
    parser.addoption("--site", metavar="FOLDER", help="the built documentation; built by default")


@pytest.fixture(scope="session")
def site(request, tmp_path_factory):
    """The folder of the built documentation. It is built once; a warning is an error."""
    if folder := request.config.getoption("--site"):
        return Path(folder)
    for library in ("sphinx", "furo", "matplotlib", "numpydoc"):
        pytest.importorskip(library, reason="the extra docs is not installed")
    folder, root = tmp_path_factory.mktemp("site"), Path(__file__).parent.parent
    options = ["-q", "-n", "-W", "--keep-going", "-E", "-d", folder / "doctrees"]
    output_of("-m", "sphinx", *options, "-b", "html", root / "docs", folder / "html", cwd=root)
    return folder / "html"


# A package that test_plugins.py installs, and programs that tests import or run.
collect_ignore = ["plugin", "fuzz", "mpi", "typed.py"]
