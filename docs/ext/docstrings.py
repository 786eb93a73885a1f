"""Docstrings on their way to the pages: what every entry of the reference has.

`complete` works on the lines of a docstring. The pages show what it makes of them, and the
validation in ``validation.py`` reads the same.
"""

import inspect
import re
from itertools import chain
from pathlib import Path

import attrs

import tinynet
from tinynet._support.registry import FAMILIES

PACKAGE = Path(tinynet.__file__).parent
# Words of the types in docstrings that become links.
LINKS = {
    "ndarray": "numpy.ndarray", "numpy.random.Generator": "numpy.random.Generator",
    "numpy.random.RandomState": "numpy.random.RandomState", "History": "tinynet.History",
    "Sequential": "tinynet.Sequential", "Callback": "tinynet.Callback",
    **{base.__name__: f"tinynet.{base.__name__}" for base in FAMILIES.values()},
}  # fmt: skip
LINKED = re.compile(rf"(?<![\w.`])(?:{'|'.join(map(re.escape, LINKS))})(?![\w`])")


def sections(lines):
    """Return the lines of each section by its heading; those before the first have ''."""
    found, heading = {"": []}, ""
    for n, line in enumerate(lines):
        if n + 1 < len(lines) and line and re.fullmatch(r"-{3,}", lines[n + 1]):
            heading = line
            found[heading] = []
        found[heading].append(line)
    return found


def with_heading(lines):
    """Return the lines with a heading above the first example, or a section would take it in."""
    first = next((n for n, line in enumerate(lines) if line.startswith(">>>")), len(lines))
    if first < len(lines) and "Examples" not in lines:
        return [*lines[:first], "Examples", "--------", *lines[first:]]
    return lines


def described(lines):
    """Return the descriptions of a docstring's parameters: lines, by the names they are of."""
    entries, names = {}, ()
    for line in sections(lines).get("Parameters", [])[2:]:
        if line and not line.startswith(" "):
            names = tuple(line.split(" : ")[0].split(", "))
            entries[names] = []
        if line.strip():
            entries[names].append(line)
    return entries


def of_all_fields(cls, lines):
    """Return the descriptions of the fields of a class, in their order, also what bases have."""
    found = {}
    for base in cls.__mro__[:-1]:
        own = lines if base is cls else inspect.cleandoc(base.__doc__ or "").splitlines()
        for names, entry in described(with_heading(own)).items():
            if not any(known in names for group in found for known in group):
                found[names] = entry
    order = [*inspect.signature(cls).parameters]
    found = {names: entry for names, entry in found.items() if {*names} & {*order}}
    return [found[names] for names in sorted(found, key=lambda names: order.index(names[0]))]


def complete(thing, lines):
    """Return the lines of a docstring with what a class inherits, and a heading for examples."""
    lines = with_heading(lines)
    parts = sections(lines)
    entries = of_all_fields(thing, lines) if inspect.isclass(thing) and attrs.has(thing) else []
    if entries:
        parts["Parameters"] = ["Parameters", "----------", *chain(*entries), ""]
        parts = {heading: parts[heading] for heading in dict.fromkeys(["", "Parameters", *parts])}
    return [line for part in parts.values() for line in part]


def source(thing):
    """Return the line that names the file of a class or function of the package."""
    thing = inspect.unwrap(thing)
    if not thing.__module__.startswith("tinynet."):
        return []
    path = inspect.getsourcefile(thing)
    return ["", f"Source: ``tinynet/{Path(path).relative_to(PACKAGE).as_posix()}``"]


def readable(lines):
    """Return the lines with bars escaped: |Z| is an absolute value, not a substitution."""
    found, in_example = [], False
    for line in lines:
        in_example = bool(line.strip()) and (in_example or line.lstrip().startswith(">>>"))
        found.append(line if in_example else line.replace("|", r"\|"))
    return found


def linked(lines):
    """Return the lines with links in the types of what is passed and returned."""
    parts = sections(lines)
    for heading in ("Parameters", "Attributes", "Returns"):
        for n, line in enumerate(parts.get(heading, [])[2:], 2):
            if line and not line.startswith(" "):
                names, colon, kind = line.rpartition(" : ")
                kind = LINKED.sub(lambda word: f"`{word[0]} <{LINKS[word[0]]}>`", kind)
                parts[heading][n] = f"{names}{colon}{kind}"
    return [line for part in parts.values() for line in part]


def prepare(app, what, name, thing, options, lines):
    """Make a docstring ready for napoleon, in its place."""
    lines[:] = readable(linked(complete(thing, lines)))


def finish(app, what, name, thing, options, lines):
    """Add the file of a class or function to its entry, after napoleon has read the sections."""
    if what in ("class", "function", "exception"):
        lines += source(thing)


def setup(app):
    """Have `prepare` run before napoleon, and `finish` after it."""
    app.connect("autodoc-process-docstring", prepare, priority=400)
    app.connect("autodoc-process-docstring", finish, priority=600)
    return {"parallel_read_safe": True}
