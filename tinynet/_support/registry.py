"""Names for classes: to subclass the abstract base of a family is to register.

A family (activation, layer, loss, ...) is a direct subclass of `Registered` with a class
attribute ``family``. Every class below it that leaves no method abstract gets a name. From then
on the name works wherever an instance of the class does.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs
import numpy as np

from tinynet._support import elsewhere
from tinynet._support.checks import shown
from tinynet._support.elsewhere import nearest_first
from tinynet.errors import UnknownNameError

FAMILIES: dict[str, type[Registered]] = {}

_WRONG_NAMES = {"backward", "backwards", "Back", "backprop", "back_prop", "backpropagate"}
# In a class without these attrs would compile its own, which is most of the time an import takes.
_SHARED = {"__repr__", "__eq__", "__hash__"}
_NAMING = ("family", "name")  # what a config holds beside the fields
# A word of a class name: an acronym in -LU (ReLU, SiLU), another acronym, or a capitalized word.
_WORD = re.compile(
    r"[A-Z]+[a-z]?LU(?![a-z])\d*|[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+(?:\d+[A-Z]?(?![a-z]))?|\d+"
)


def snake_case(class_name: str) -> str:
    """Return the registered name of a class: leaky_relu for LeakyReLU, sgd for SGD."""
    return "_".join(word.lower() for word in _WORD.findall(class_name))


class _SignatureOfInit:
    """The signature of a class is that of `__init__`, which attrs writes, and not of `__new__`."""

    def __get__(self, instance: object, owner: type) -> inspect.Signature:
        if instance is not None:
            raise AttributeError("__signature__")
        signature = inspect.signature(owner.__init__)  # type: ignore[misc]
        return signature.replace(parameters=list(signature.parameters.values())[1:])


@attrs.frozen(slots=False)
class Registered:
    """A description: frozen, comparable, printable, and known by name within its family.

    Its attrs fields are its config. A class with fields has ``@attrs.frozen`` above it. The name
    is the class name in snake_case, unless ``class Swish(Activation, name="silu")`` chooses it.
    """

    __signature__ = _SignatureOfInit()
    family: ClassVar[str]
    plural: ClassVar[str]  # of the family, as entry points of plugins name it
    # Of the library, imported one after the other until a name is known.
    modules: ClassVar[tuple[str, ...]] = ()
    # The methods with the mathematics. A subclass that defines one declares anew what it promises.
    _formulas: ClassVar[frozenset[str]] = frozenset()
    registered_name: ClassVar[str]
    # What to write in place of a number that stands where one of the family belongs.
    _of_numbers: ClassVar[Mapping[type, str]] = {}
    _classes: ClassVar[dict[str, type[Any]]]

    def __init_subclass__(cls, name: str | None = None, **kwargs: Any) -> None:
        for setting in kwargs:
            found = f"class {cls.__name__}(..., {setting}=...) got {setting}, expected only name=."
            hint = f"write @attrs.frozen above the class and {setting}: float = 0.1 in it"
            raise TypeError(f"{found} A setting is a field: {hint}.")
        super().__init_subclass__()
        for method in _SHARED - vars(cls).keys():
            setattr(cls, method, getattr(cls, method))
        if Registered in cls.__bases__:
            cls._classes = {}
            cls.plural = vars(cls).get("plural", f"{cls.family}s")
            FAMILIES[cls.family] = cls
            return
        for method in _WRONG_NAMES & vars(cls).keys():
            if "back" not in vars(cls):
                raise TypeError(f"{cls.__name__} defines {method}, expected back. Rename it.")
        if _has_abstract_methods(cls):
            return
        if not cls.__module__.startswith("tinynet."):
            cls._import_modules()  # no class may take a name of theirs
        # attrs makes a slotted class twice, the second time without the keyword `name`.
        name = name or vars(cls).get("registered_name") or snake_case(cls.__name__)
        if not isinstance(name, str):
            found = f"The name of {cls.__name__} is {name!r}"
            raise TypeError(f'{found}, expected a string such as "my_name".')
        other = cls._classes.get(name, cls)
        if _address(other) != _address(cls):
            found = f"The {cls.family} name {name!r} already belongs to {_address(other)}."
            hint = f'class {cls.__name__}(..., name="my_{name}")'
            raise ValueError(f"{found} Choose another name: {hint}.")
        cls.registered_name = name
        cls._classes[name] = cls

    def __new__(cls, *values: Any, **fields: Any) -> Self:
        """Return an instance, which `__init__` fills; refuse fields that the class has not."""
        if len(values) > len(cls.__match_args__):  # which attrs makes of the fields
            cls._expect_fewer(values)
        if fields and not fields.keys() <= {f.alias for f in attrs.fields(cls) if f.init}:
            parameters = inspect.signature(cls).parameters  # a class may have its own __init__
            if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
                cls._known({name: fields[name] for name in fields.keys() - parameters.keys()})
        return super().__new__(cls)

    def declares(self, name: str) -> bool:
        """Return whether the class has an attribute that is declared for its `_formulas`.

        A subclass with a formula of its own does not inherit it.
        """
        for kind in type(self).__mro__:
            if name in vars(kind):
                return True
            if vars(kind).keys() & self._formulas:
                return False
        return False

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Raise the error that says what others' names are called here."""
            fields = [f.name for f in attrs.fields(type(self))]
            if not hasattr(type(self), name) and elsewhere.is_known(name, fields):
                raise elsewhere.missing(type(self).__name__, name, fields, f"{self.family}.")
            return object.__getattribute__(self, name)  # raises the error that led here

    def __repr__(self) -> str:
        """Return the call that makes it; a keyword-only field shows where it is not the default."""
        shown = []
        for f in sorted((f for f in attrs.fields(type(self)) if f.repr), key=lambda f: f.kw_only):
            value = getattr(self, f.name)
            if not (f.kw_only and value == f.default):
                shown.append(f"{f.name}={f.repr(value) if callable(f.repr) else repr(value)}")
        return f"{type(self).__qualname__.rsplit('>.', 1)[-1]}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        """Return whether class and fields are the same."""
        if type(self) is not type(other):
            return NotImplemented
        return _compared(self) == _compared(other)

    def __hash__(self) -> int:
        return hash((type(self), *_compared(self)))

    @classmethod
    def names(cls) -> list[str]:
        """Return the family's registered names, sorted."""
        cls._import_modules()
        return sorted(cls._classes)

    @classmethod
    def _import_modules(cls) -> None:
        for module in cls.modules:
            importlib.import_module(module)

    @classmethod
    def get(cls, spec: str | Mapping[str, Any] | Registered, /, **fields: Any) -> Self:
        """Return an instance from a registered name with `fields`, a config, or an instance.

        Raises `UnknownNameError` for an unknown name; it lists the known names, nearest first.
        """
        if isinstance(spec, cls) and not fields:
            return spec
        name: Any = spec
        if isinstance(spec, Mapping) and spec.get("family", cls.family) == cls.family:
            name = spec.get("name")
            described = {key: _decode(spec[key]) for key in spec if key not in _NAMING}
            fields = described | fields
        if isinstance(name, str):
            kind = _class_of(cls, name)
            return kind(**kind._known(fields)) if fields else kind()
        expected = f"the name, config or instance of a tinynet {cls.family}"
        raise TypeError(f"{shown(spec)} is not {expected}.{cls._hint(spec)}")

    @classmethod
    def _hint(cls, spec: Any) -> str:
        """Return what to write in place of a spec that is none of this family's."""
        if isinstance(spec, type) and issubclass(spec, cls):
            needed = [f for f in attrs.fields(spec) if f.init and f.default is attrs.NOTHING]
            arguments = ", ".join([f"{f.alias}=..." for f in needed])
            return f" Pass an instance: {spec.__name__}({arguments})."
        if type(spec) in cls._of_numbers:
            return f" Use {cls._of_numbers[type(spec)].format(spec)}."
        if isinstance(spec, cls):
            return " An instance takes no further fields."
        if isinstance(spec, Registered):
            return f" It belongs to the family {spec.family}."
        if callable(spec):
            subclass = f"class My{cls.__name__}(tn.{cls.__name__})"
            return f' Pass a name such as "{cls.names()[0]}", or write a class: {subclass}.'
        return ""

    @classmethod
    def _known(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Return these fields, if the class has them."""
        known = [f.alias for f in attrs.fields(cls) if f.init]
        for name in sorted(fields.keys() - set(known)):
            nearest = ", ".join(nearest_first(name, known))
            has = f"Its fields are {nearest}." if known else "It has none."
            hint = elsewhere.instead(f"{name}=") or elsewhere.instead(name)
            hint = "" if elsewhere.ours(name, known) else hint
            hint = cls._how_to_declare(name) or hint
            raise TypeError(f"{cls.__name__} has no field {name!r}. {has}{hint}")
        return fields

    @classmethod
    def _expect_fewer(cls, values: tuple[Any, ...]) -> None:
        """Refuse more values than the class takes; the error of `__init__` would name a base."""
        known = [f.alias for f in attrs.fields(cls) if f.init and not f.kw_only]
        try:
            inspect.signature(cls).bind_partial(*values)  # a class may have its own __init__
        except TypeError:
            most = f"at most {len(known)} values, {', '.join(known)}" if known else "no values"
            found = f"{cls.__name__} takes {most}: got {len(values)}."
            fields = {f.name for f in attrs.fields(cls)}
            undeclared = [name for name in inspect.get_annotations(cls) if name not in fields]
            hint = cls._how_to_declare(undeclared[0]) if undeclared else ""
            if "activation" in fields and isinstance(values[-1], (str, Registered)):
                hint = f" For an activation, write activation={values[-1]!r}."
            raise TypeError(f"{found}{hint}") from None

    @classmethod
    def _how_to_declare(cls, name: str) -> str:
        """Return how to make a field of what is only an attribute of the class, or nothing."""
        types = inspect.get_annotations(cls)
        if name not in vars(cls) and name not in types:
            return ""
        default = vars(cls).get(name, attrs.NOTHING)
        kind = types.get(name, type(default))
        line = f"{name}: {getattr(kind, '__name__', kind)}"
        line += "" if default is attrs.NOTHING else f" = {default!r}"
        return f" To make it a field, write @attrs.frozen above the class, and {line} in it."

    def config(self) -> dict[str, Any]:
        """Return the description as plain data: family, name and each field; `get` reads it."""
        fields = {f.alias: f.name for f in attrs.fields(type(self)) if f.init}
        if not fields.keys().isdisjoint(_NAMING):
            found = f"{type(self).__name__} has a field 'family' or 'name'"
            raise TypeError(f"{found}, which a config needs for itself. Rename the field.")
        values = {alias: _encode(getattr(self, name)) for alias, name in fields.items()}
        return {"family": self.family, "name": self.registered_name, **values}


def _compared(thing: Any) -> list[Any]:
    """Return the values by which attrs compares two instances of a class."""
    values = []
    for field in attrs.fields(type(thing)):
        if field.eq:
            value = getattr(thing, field.name)
            values.append(value if field.eq_key is None else field.eq_key(value))
    return values


def _address(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _has_abstract_methods(cls: type) -> bool:
    # inspect.isabstract gives the wrong answer: the class is not complete yet.
    names = set(vars(cls))
    names.update(*[getattr(base, "__abstractmethods__", ()) for base in cls.__bases__])
    return any(getattr(getattr(cls, name), "__isabstractmethod__", False) for name in names)


def _class_of(family: type[Registered], name: str) -> type[Any]:
    """Return the class of this name, from a module of the library, or else from a plugin."""
    for module in family.modules:
        if name in family._classes:
            break
        importlib.import_module(module)
    kind = family._classes.get(name)
    if kind is None:
        return _import_plugin(family, name)
    if kind.__module__ in family.modules:
        importlib.import_module(kind.__module__)  # waits for a thread that is importing it
    return kind


def _import_plugin(family: type[Registered], name: str) -> type[Any]:
    """Return the class of this name from the installed package that offers it.

    The package has an entry point ``name = module:Class`` in the group ``tinynet.activations``,
    ``tinynet.layers`` and so on.
    """
    from importlib.metadata import entry_points  # costs 10 ms; only an unknown name needs it

    points = entry_points(group=f"tinynet.{family.plural}")
    for point in points.select(name=name):
        package = point.dist.name if point.dist else "?"
        promise = f"The plugin {package} offers the {family.family} {name!r} as {point.value}"
        try:
            point.load()
        except Exception as error:
            raise ImportError(f"{promise}, which cannot be imported: {error!r}.") from error
        if name not in family._classes:  # a class registers itself when it is imported
            raise ImportError(f"{promise}, but that registers no {family.family} of this name.")
        return family._classes[name]
    known = ", ".join(nearest_first(name, [*family._classes, *points.names]))
    found = f"No {family.family} is called {shown(name)}"  # a file may hold a name of any length
    hint = elsewhere.instead(name) or family._hint(name)
    raise UnknownNameError(f"{found}. The known names, nearest first: {known}.{hint}")


def _encode(value: Any) -> Any:
    if isinstance(value, Registered):
        return value.config()
    if isinstance(value, (tuple, list)):
        return tuple(map(_encode, value))
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    expected = "A field may hold a number, a string, a tuple of these or a registered object."
    raise TypeError(f"{value!r} cannot be saved. {expected}")


def _decode(value: Any) -> Any:
    """Undo `_encode`; a list, which JSON makes of a tuple, becomes a tuple again."""
    if isinstance(value, Mapping) and value.get("family") in FAMILIES:
        return FAMILIES[value["family"]].get(value)
    return tuple(map(_decode, value)) if isinstance(value, (tuple, list)) else value
