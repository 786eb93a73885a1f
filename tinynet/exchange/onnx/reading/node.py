"""A node of an ONNX graph: its operator, its values, and attributes that are read one by one."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from tinynet._support.checks import shown
from tinynet._support.library import library
from tinynet.errors import ConversionError, FileFormatError

AttributeProto: Any = library("onnx").AttributeProto

_STANDARD = ("", "ai.onnx")  # both are the domain of ONNX's own operators


@attrs.define(eq=False)
class Node:
    """A node, and which of its attributes have been read."""

    op: str  # of another domain with its name: ai.onnx.ml.Scaler
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    title: str
    opset: int
    _attributes: dict[str, Any]
    _unread: set[str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._unread = set(self._attributes)

    def number(self, name: str, default: float | None = None) -> float:
        return float(self._value(name, AttributeProto.FLOAT, "f", default))

    def integer(self, name: str, default: int | None = None) -> int:
        return int(self._value(name, AttributeProto.INT, "i", default))

    def integers(self, name: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        return tuple(self._value(name, AttributeProto.INTS, "ints", default))

    def numbers(self, name: str, default: tuple[float, ...] | None = None) -> tuple[float, ...]:
        return tuple(self._value(name, AttributeProto.FLOATS, "floats", default))

    def text(self, name: str, default: str) -> str:
        value = self._value(name, AttributeProto.STRING, "s", default.encode())
        return str(value, "utf-8", "replace")

    def tensor(self, name: str) -> Any:
        return self._value(name, AttributeProto.TENSOR, "t", None)

    def has(self, name: str) -> bool:
        return name in self._attributes

    def expect(self, name: str, value: Any, *same: Any) -> None:
        """Refuse an attribute that is neither this, which is its default, nor means the same."""
        kinds = {int: self.integer, float: self.number, str: self.text}
        found = kinds[type(value)](name, value)  # type: ignore[operator]
        if found not in (value, *same):
            raise ConversionError(f"It has {name}={shown(found)}, expected {value!r}.")

    def expect_no_more(self) -> None:
        """Refuse attributes that nothing has read: they might change the result."""
        if self._unread:
            name = min(self._unread)
            raise ConversionError(f"It has an attribute {shown(name)}, which is not read here.")

    def _value(self, name: str, kind: int, field: str, default: Any) -> Any:
        if name not in self._attributes:
            if default is None:
                raise FileFormatError(f"{self.title} has no attribute {name}")
            return default
        attribute = self._attributes[name]
        if attribute.type != kind or attribute.ref_attr_name:
            expected = AttributeProto.AttributeType.Name(kind)
            raise FileFormatError(f"The attribute {name} of {self.title} is not an {expected}")
        self._unread.discard(name)
        return getattr(attribute, field)


def node_of(proto: Any, opset: int) -> Node:
    """Return the node of a NodeProto, named in messages by its name, or by what it computes."""
    op = proto.op_type if proto.domain in _STANDARD else f"{proto.domain}.{proto.op_type}"
    outputs = tuple(proto.output)
    name = shown(proto.name or next(filter(None, outputs), ""))
    attributes = {attribute.name: attribute for attribute in proto.attribute}
    if len(attributes) != len(proto.attribute):
        raise FileFormatError(f"Node {name} has an attribute twice")
    title = f"node {name} ({shown(op)[1:-1]})"
    return Node(op, tuple(proto.input), outputs, title, opset, attributes)


def setting(value: float, dtype: np.dtype[Any]) -> float:
    """Return an attribute, a float32, as it was written: 0.2 and not 0.20000000298.

    A network in float64 computes with all the digits that the attribute has.
    """
    return float(str(np.float32(value))) if dtype == np.float32 else float(value)
