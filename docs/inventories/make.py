"""Write the inventories of Python and NumPy: only the names to which these pages link.

A build reads them from here and downloads nothing. Add a name below, and run this file::

    python docs/inventories/make.py
"""

import zlib
from pathlib import Path

EXCEPTIONS = (
    "ArithmeticError", "AssertionError", "KeyboardInterrupt", "KeyError", "LookupError",
    "ModuleNotFoundError", "OSError", "RuntimeError", "TypeError", "UserWarning", "ValueError",
)  # fmt: skip
PYTHON = {
    **{name: ("exception", f"library/exceptions.html#{name}") for name in EXCEPTIONS},
    **{name: ("class", f"library/functions.html#{name}") for name in ("bool", "float", "int")},
    **{name: ("class", f"library/stdtypes.html#{name}") for name in ("dict", "list", "str")},
    "copy.deepcopy": ("function", "library/copy.html#copy.deepcopy"),
    "pickle": ("module", "library/pickle.html#module-pickle"),
}
NUMPY = {
    **{
        f"numpy.{name}": ("class", f"reference/generated/numpy.{name}.html#numpy.{name}")
        for name in ("dtype", "memmap", "ndarray")
    },
    **{
        f"numpy.{name}": ("function", f"reference/generated/numpy.{name}.html#numpy.{name}")
        for name in ("load", "loadtxt", "save", "savez", "unique")
    },
    "numpy.random.Generator": (
        "class", "reference/random/generator.html#numpy.random.Generator"),
    "numpy.random.RandomState": (
        "class", "reference/random/legacy.html#numpy.random.RandomState"),
    "numpy.random.default_rng": (
        "function", "reference/random/generator.html#numpy.random.default_rng"),
}  # fmt: skip


def inventory(project, names):
    """Return an inventory in version 2 of Sphinx's format."""
    head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
    head += "# The remainder of this file is compressed using zlib.\n"
    lines = [f"{name} py:{kind} 1 {uri} -\n" for name, (kind, uri) in sorted(names.items())]
    return head.encode() + zlib.compress("".join(lines).encode(), 9)


if __name__ == "__main__":
    for project, names in (("python", PYTHON), ("numpy", NUMPY)):
        path = Path(__file__).with_name(f"{project}.inv")
        path.write_bytes(inventory(project, names))
