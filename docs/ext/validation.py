"""The docstrings of public names pass numpydoc's validation, or the build has a warning.

``python docs/ext/validation.py`` prints what is wrong without a build.
"""

import inspect
import re
import sys
from importlib import import_module
from importlib.util import find_spec

from docstrings import complete
from families import classes_of, public_name
from numpydoc.docscrape import get_doc_object
from numpydoc.validate import Validator, validate
from sphinx.util import logging

import tinynet
from tinynet._support.registry import FAMILIES

# Of what numpydoc can find: a summary that is a sentence, sections that numpydoc knows, in their
# order, and each parameter described with its type.
CHECKS = {
    "GL03", "GL05", "GL06", "GL07", "GL08", "SS01", "SS03", "SS04", "SS05", "PR01", "PR02", "PR04",
    "PR05", "PR06", "PR07", "PR09", "PR10", "RT02", "RT03", "RT04", "RT05", "YD01", "SA02", "SA03",
    "SA04",
}  # fmt: skip
# Their module describes the arguments once, which the functions of the course share.
TOGETHER = "tinynet.functional."
REFUSED = "{'**unknown'}"  # what fit takes only to say what it should have been
# Doctests, a block, or a call in the text.
EXAMPLE = re.compile(r">>>|::$|``[^`]*\w\([^`]*``", re.MULTILINE)
MODULES = ("datasets", "exchange", "functional", "plot", "testing")
METHODS = (  # those on the page of the model
    "forward", "cost", "back", "forward_layer", "back_layer", "fit", "evaluate", "predict",
    "predict_labels", "summary", "get_parameters", "set_parameters", "save",
)  # fmt: skip
ESTIMATORS = ("NetworkClassifier", "NetworkRegressor")
NO_OBJECTS = {"Array", "__version__"}


class Completed(Validator):
    """A docstring as the pages show it, with the parameters that a class inherits."""

    def __init__(self, obj_name, thing):
        text = "\n".join(complete(thing, (inspect.getdoc(thing) or "").splitlines()))
        super().__init__(get_doc_object(thing, doc=text))


def public_things():
    """Yield each public class, function and method of `Sequential` with its name."""
    for name in sorted({*tinynet.__all__} - NO_OBJECTS):
        thing = getattr(tinynet, name)
        if not inspect.ismodule(thing):
            yield f"tinynet.{name}", thing
    for family in FAMILIES:
        for cls in classes_of(family).values():
            yield public_name(family, cls), cls
    for room in MODULES:
        module = getattr(tinynet, room)
        for name in getattr(module, "__all__", vars(module)):
            try:
                thing = getattr(module, name)
            except ModuleNotFoundError:  # the library of an extra that is not installed
                continue
            own = getattr(thing, "__module__", "").startswith(module.__name__)
            if inspect.isroutine(thing) and own and not name.startswith("_"):
                yield f"tinynet.{room}.{name}", thing
    if find_spec("sklearn"):
        for name in ESTIMATORS:
            yield f"tinynet.sklearn.{name}", getattr(import_module("tinynet.sklearn"), name)
    for name in METHODS:
        yield f"tinynet.Sequential.{name}", getattr(tinynet.Sequential, name)


def faults(name, thing):
    """Return what numpydoc finds wrong with a docstring, as sentences."""
    found = validate(name, Completed, thing=thing)["errors"]
    checks = CHECKS - {"PR01"} if name.startswith(TOGETHER) else CHECKS
    wrong = [f"{name}: {message} ({code})" for code, message in found if code in checks
             and REFUSED not in message]  # fmt: skip
    alone = not name.startswith(TOGETHER) and Completed(name, thing).signature_parameters
    if alone and not EXAMPLE.search(inspect.getdoc(thing) or ""):
        wrong.append(f"{name}: no example (EX01)")
    return wrong


def all_faults():
    """Return what is wrong with the docstrings of all public names."""
    return [fault for name, thing in dict(public_things()).items() for fault in faults(name, thing)]


def warn(app):
    """Have the build warn of each fault."""
    for fault in all_faults():
        logging.getLogger(__name__).warning("%s", fault, type="numpydoc")


def setup(app):
    """Validate before the pages are read."""
    app.connect("builder-inited", warn)
    return {"parallel_read_safe": True}


if __name__ == "__main__":
    sys.exit("\n".join(all_faults()))
