"""What is registered, as tables and entries: ``.. registered:: activation``.

The names, classes and formulas come from the registry when the pages are built. So a new class is
on its page without a change of the page.
"""

import inspect
import math
import re

from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

import tinynet
from tinynet._support.registry import FAMILIES

# The authors and year of a source, which the entry of the class has.
REFERENCE = re.compile(r" \([A-Z][\w ,.&-]*? \d{4}(?:, [^()]+)?\)")


def classes_of(family):
    """Return the library's own classes of a family by their names."""
    found = {name: FAMILIES[family]._classes[name] for name in FAMILIES[family].names()}
    return {name: cls for name, cls in found.items() if cls.__module__.startswith("tinynet.")}


def public_name(family, cls):
    """Return the name under which a user imports a class."""
    short = cls.__name__ in tinynet.__all__
    return f"tinynet.{'' if short else FAMILIES[family].plural + '.'}{cls.__name__}"


def summary(cls):
    """Return the first sentence of a docstring, on one line, without its source."""
    paragraph = " ".join(inspect.getdoc(cls).split("\n\n")[0].split())
    sentence = REFERENCE.sub("", paragraph).split(". ")[0].removesuffix(".")
    return sentence.replace("|", r"\|")


def number(value):
    """Return a limit of a range as a reader writes it."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.3g}".replace("-", "−")


def range_of(cls):
    """Return the limits of A, of an activation with its default settings."""
    low, high = cls().range
    return f"{number(low)}\u00a0…\u00a0{number(high)}"


def partner_of(cls):
    """Return the activation with which the gradient of a loss begins at dZ = A - Y."""
    partners = [name for name in classes_of("activation") if _begins_at_difference(cls, name)]
    return ", ".join(f"``{name}``" for name in partners) or "–"


def _begins_at_difference(cls, name):
    return cls().is_partner(tinynet.Activation.get(name))


COLUMNS = {
    "activation": {"range of A": range_of, "init": lambda cls: f"``{cls.init}``"},
    "loss": {"partner": partner_of},
}


class RegisteredTable(SphinxDirective):
    """A table of a family: the name as a string, the class, its formula, and what it declares."""

    required_arguments = 1
    option_spec = {"entries": directives.flag, "except": directives.unchanged}

    def run(self):
        """Return the table, and the entries of all classes if they are asked for."""
        family = self.arguments[0]
        columns = COLUMNS.get(family, {})
        lines = [".. list-table::", "   :header-rows: 1", "   :class: registered", ""]
        lines += self._row("name", "class", "what it is", *columns)
        found = classes_of(family)
        for name, cls in found.items():
            link = f":py:obj:`{cls.__name__} <{public_name(family, cls)}>`"
            declared = [column(cls) for column in columns.values()]
            lines += self._row(f'``"{name}"``', link, summary(cls), *declared)
        lines.append("")
        if "entries" in self.options:
            for cls in found.values():
                lines += [f".. autoclass:: {public_name(family, cls)}", ""]
        return self.parse_text_to_nodes("\n".join(lines))

    def _row(self, *cells):
        marks = ["   * - ", *["     - "] * (len(cells) - 1)]
        return [mark + cell for mark, cell in zip(marks, cells, strict=True)]


def setup(app):
    """Add the directive."""
    app.add_directive("registered", RegisteredTable)
    return {"parallel_read_safe": True}
