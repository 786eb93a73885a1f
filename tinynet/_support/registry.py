"""Names for classes: to subclass a family's abstract base is to register.

A family (activation, layer, loss, initializer, optimizer, schedule) is a direct subclass of
`Registered` with a class attribute ``family``. Every class below it that leaves no
method abstract gets a name, and from then on the name works wherever the class does.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import attrs
import numpy as np

from tinynet.errors import UnknownNameError

_MISNOMERS = {"backward", "backwards", "Back", "backprop", "back_prop", "backpropagate"}

FAMILIES: dict[str, type[Registered]] = {}

# A word of a class name: an acronym in -LU (ReLU, SiLU), another acronym, or a capitalized word.
_WORD = re.compile(
    r"[A-Z]+[a-z]?LU(?![a-z])\d*|[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+(?:\d+[A-Z]?(?![a-z]))?|\d+"
)


def snake_case(class_name: str) -> str:
    """Turn a class name into a registered name: LeakyReLU into leaky_relu, SGD into sgd."""
    return "_".join(word.lower() for word in _WORD.findall(class_name))


@attrs.frozen(slots=False)
class Registered:
    """A description: frozen, comparable, printable, and known by name within its family.

    Its attrs fields are its config (``@attrs.frozen``; without fields, no decorator). The name
    is the class name in snake_case, unless ``class Swish(Activation, name="silu")`` chooses it.
    """

    family: ClassVar[str]
    registered_name: ClassVar[str]
    _classes: ClassVar[dict[str, type[Any]]]

    def __init_subclass__(cls, name: str | None = None, **kwargs: Any) -> None:
        if kwargs:
            hint = f"settings are fields: @attrs.frozen above the class, and {next(iter(kwargs))}: float = 0.1 in it"
            raise TypeError(
                f"class {cls.__name__}(..., {', '.join(kwargs)}=...): a class takes only name=; {hint}"
            )
        super().__init_subclass__()
        for method in _MISNOMERS & vars(cls).keys():
            if "back" not in vars(cls):
                raise TypeError(
                    f"{cls.__name__} defines {method}, which nothing here calls; name it back"
                )
        if "__init__" in vars(cls) and "__attrs_attrs__" not in vars(cls):
            cls.__init__ = _explained(cls.__init__)  # type: ignore[method-assign]
        if "__repr__" not in vars(cls):
            cls.__repr__ = cls.__repr__  # type: ignore[method-assign]  # attrs keeps what a class itself has
        if Registered in cls.__bases__:
            cls._classes = {}
            FAMILIES[cls.family] = cls
        elif not _has_abstract_methods(cls):
            # attrs makes a slotted class twice, the second time without our keyword:
            # the name chosen the first time is in the class's own dictionary.
            cls._register(name or cls.__dict__.get("registered_name") or snake_case(cls.__name__))

    def __new__(cls, *_: Any, **fields: Any) -> Self:
        for name in _undecorated(cls):
            raise TypeError(
                f"{cls.__name__} has the field {name}, but no @attrs.frozen above the class: write that"
            )
        known = [f.alias for f in attrs.fields(cls) if f.init]
        for name in sorted(fields.keys() - set(known)) if _made_by_attrs(cls) else ():
            nearest = ", ".join(_nearest_first(name, dict.fromkeys(known)))
            has = f"its fields are {nearest}" if known else "it has no fields"
            hint = f"; to declare one write {name}: float = 0.1 in the class, under @attrs.frozen"
            ours = cls.__module__.startswith("tinynet.")
            raise TypeError(f"{cls.__name__} has no field {name!r}; {has}{'' if ours else hint}")
        return super().__new__(cls)

    def __repr__(self) -> str:
        """Return what would make it; what goes by keyword only comes last, and only where it is not the default."""
        fields = sorted((f for f in attrs.fields(type(self)) if f.repr), key=lambda f: f.kw_only)
        values = [(f, getattr(self, f.name)) for f in fields]
        told = [(f, value) for f, value in values if not (f.kw_only and value == f.default)]
        shown = [
            f"{f.name}={f.repr(value) if callable(f.repr) else repr(value)}" for f, value in told
        ]
        return f"{type(self).__qualname__.rsplit('>.', 1)[-1]}({', '.join(shown)})"

    @classmethod
    def _register(cls, name: str) -> None:
        taken = cls._classes.get(name)
        if taken is not None and _address(taken) != _address(cls):
            hint = f'class {cls.__name__}(..., name="my_{name}")'
            raise ValueError(
                f"the {cls.family} name {name!r} is taken by {_address(taken)}; choose another: {hint}"
            )
        cls.registered_name = name
        cls._classes[name] = cls

    @classmethod
    def names(cls) -> list[str]:
        """Return the family's registered names, sorted."""
        return sorted(cls._classes)

    @classmethod
    def get(cls, spec: str | Mapping[str, Any] | Registered, /, **fields: Any) -> Self:
        """Return an instance from a registered name with `fields`, a config, or an instance.

        Raises `UnknownNameError` for a name that is not registered; it lists the known ones, nearest first.
        """
        if isinstance(spec, cls) and not fields:
            return spec
        if isinstance(spec, str):
            return cls._named(spec)(**fields)
        if isinstance(spec, Mapping) and isinstance(spec.get("name"), str):
            given = {
                key: _decode(value) for key, value in spec.items() if key not in ("name", "family")
            }
            if spec.get("family", cls.family) == cls.family:
                return cls._named(spec["name"])(**given, **fields)
        hint = (
            f"; write {spec.__name__}()" if isinstance(spec, type) and issubclass(spec, cls) else ""
        )
        if callable(spec) and not hint:
            hint = f'; give a name, such as "{cls.names()[0]}", or make it one: class Own(tn.{cls.__name__})'
        if isinstance(spec, Registered) and not isinstance(spec, cls):
            hint = f"; it is of the family {spec.family}"
        hint = "; an instance takes no further fields" if isinstance(spec, cls) else hint
        raise TypeError(
            f"{spec!r} is not the name, config or instance of a tinynet {cls.family}{hint}"
        )

    @classmethod
    def _named(cls, name: str) -> type[Self]:
        if name not in cls._classes:
            _import_plugin(cls, name)
        return cls._classes[name]

    def config(self) -> dict[str, Any]:
        """Return the description as plain data: family, name, and each field; `get` takes it back."""
        fields = {
            f.alias: _encode(getattr(self, f.name)) for f in attrs.fields(type(self)) if f.init
        }
        if fields.keys() & {"family", "name"}:
            raise TypeError(
                f"{type(self).__name__}: a field cannot be called 'family' or 'name'; rename it"
            )
        return {"family": self.family, "name": self.registered_name, **fields}


def _undecorated(cls: type) -> list[str]:
    """Return the fields of a class that attrs has not seen."""
    if "__attrs_attrs__" in vars(cls):
        return []
    return [name for name, value in vars(cls).items() if type(value).__name__ == "_CountingAttr"]


def _made_by_attrs(cls: type) -> bool:
    """Tell whether a class takes its fields by an __init__ that attrs has written."""
    owner = next(base for base in cls.__mro__ if "__init__" in vars(base))
    return "__attrs_attrs__" in vars(owner)


class FrozenError(attrs.exceptions.FrozenInstanceError):
    """As attrs' own, and says what to do instead."""

    def __init__(self, thing: Any) -> None:
        self.msg = (
            f"{type(thing).__name__} is a description, and nothing can be set in it. A setting is a field: "
            "@attrs.frozen above the class, slope: float = 0.1 in it, and no __init__; what is computed is not kept"
        )
        AttributeError.__init__(self, self.msg)


def _explained(init: Callable[..., None]) -> Callable[..., None]:
    """Return an __init__ that a user wrote, with an error that says more."""

    @functools.wraps(init)
    def explained(self: Any, *args: Any, **fields: Any) -> None:
        try:
            init(self, *args, **fields)
        except attrs.exceptions.FrozenInstanceError:
            raise FrozenError(self) from None

    return explained


def _address(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _has_abstract_methods(cls: type) -> bool:
    # inspect.isabstract cannot be asked: the class is still being made.
    inherited = {
        name for base in cls.__bases__ for name in getattr(base, "__abstractmethods__", ())
    }
    return any(
        getattr(getattr(cls, name), "__isabstractmethod__", False)
        for name in inherited | vars(cls).keys()
    )


def _import_plugin(family: type[Registered], name: str) -> None:
    """Import the installed package that says it has a class of this name; the class then registers itself.

    It says so by an entry point, ``name = module:Class``, in the group ``tinynet.activations`` (or
    ``tinynet.layers``, and so on).
    """
    from importlib.metadata import entry_points  # costs 10 ms, and only an unknown name needs it

    points = entry_points(group=f"tinynet.{family.family}s")
    for point in points.select(name=name):
        plugin = f"the {family.family} {name!r} is promised by the plugin {point.dist.name if point.dist else '?'}"
        try:
            point.load()
        except Exception as error:
            raise ImportError(
                f"{plugin} ({point.value}), which cannot be imported: {error!r}"
            ) from error
        if name not in family._classes:
            raise ImportError(
                f"{plugin} ({point.value}), but no {family.family} of that name is registered by it"
            )
        return
    known = ", ".join(_nearest_first(name, dict.fromkeys([*family._classes, *points.names])))
    raise UnknownNameError(f"no {family.family} is called {name!r}; known, nearest first: {known}")


def _nearest_first(name: str, known: Mapping[str, Any]) -> list[str]:
    from difflib import SequenceMatcher  # costs 3 ms, and only an error needs it

    name = name.lower()[:100]  # a file may ask for one of a million letters
    return sorted(sorted(known), key=lambda other: -SequenceMatcher(None, name, other).ratio())


def one_of(*options: str) -> Callable[[Any, Any, Any], None]:
    """Return a validator for a field that holds one of these words."""

    def check(thing: Any, field: attrs.Attribute[Any], value: Any) -> None:
        if value not in options:
            known = " or ".join(repr(option) for option in options)
            raise ValueError(f"{type(thing).__name__}: {field.name} must be {known}; got {value!r}")

    return check


def _encode(value: Any) -> Any:
    if isinstance(value, Registered):
        return value.config()
    if isinstance(value, (tuple, list)):
        return tuple(map(_encode, value))
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(
        f"{value!r} cannot be saved: a field may be a number, a string, a tuple or a registered object"
    )


def _decode(value: Any) -> Any:
    """Undo `_encode`; a list, as JSON returns it, was a tuple, for descriptions are hashable."""
    if isinstance(value, Mapping) and value.get("family") in FAMILIES:
        return FAMILIES[value["family"]].get(value)
    return tuple(map(_decode, value)) if isinstance(value, (tuple, list)) else value
