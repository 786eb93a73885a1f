"""What all tests share."""

import pytest

from tinynet._registry import FAMILIES


@pytest.fixture(autouse=True)
def _registries():
    """Forget every class that a test defines, so that none of it is seen by another test."""
    kept = {family: dict(family._classes) for family in FAMILIES.values()}
    yield
    for family, classes in kept.items():
        family._classes.clear()
        family._classes.update(classes)

collect_ignore = ["plugin"]  # a package of its own, which test_plugins.py installs
