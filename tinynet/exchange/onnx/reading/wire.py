"""How many items a protobuf message holds, counted before it is parsed.

An item of two bytes becomes an object of a hundred: a small file could fill the memory. The count
reads the wire format, whose description is
https://protobuf.dev/programming-guides/encoding, and skips all payloads.
"""

from __future__ import annotations

import functools
from typing import Any

from tinynet.errors import FileFormatError

# A network of a thousand layers has some thousand nodes, with a few dozen items each. So many are
# counted in a tenth of a second, and take some 15 MB when they are parsed.
MOST_ITEMS = 100_000
_LONGEST_VARINT = 10  # bytes: a number of 64 bits
_VARINT, _EIGHT_BYTES, _WITH_LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_SIZES = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}


def check_items(data: bytes, descriptor: Any) -> None:
    """Refuse data with too many items, or which is not a message at all."""
    left, todo = MOST_ITEMS, [(0, len(data), descriptor)]
    while todo:
        at, end, message = todo.pop()
        inner = _inner_messages(message)
        while at < end:
            left -= 1
            tag, at = _varint(data, at)
            kind = tag & 7
            if kind in (_VARINT, _WITH_LENGTH):
                number, at = _varint(data, at)
            if kind == _WITH_LENGTH:
                if tag >> 3 in inner:
                    todo.append((at, at + number, inner[tag >> 3]))
                at += number
            elif kind != _VARINT:
                at += _SIZES.get(kind, len(data))
            if at > end:
                raise FileFormatError("it is truncated, or its lengths are wrong")
            if left < 0:
                found = f"it has over {MOST_ITEMS} nodes, attributes and other items"
                raise FileFormatError(f"{found}, more than a network of layers has")


@functools.cache
def _inner_messages(descriptor: Any) -> dict[int, Any]:
    """Return the messages that a message may hold, by the number of their field."""
    fields = descriptor.fields
    return {field.number: field.message_type for field in fields if field.message_type}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number of variable length at a place, and the place behind it."""
    byte = data[at] if at < len(data) else 128
    if byte < 128:  # as most are
        return byte, at + 1
    number = 0
    for k, byte in enumerate(data[at : at + _LONGEST_VARINT]):
        number |= (byte & 127) << 7 * k
        if byte < 128:
            return number, at + k + 1
    raise FileFormatError("it is truncated, or not a message of protobuf")
