"""Windows on an image or a sequence: kernel, stride, dilation and padding along each axis.

Convolution and pooling share this. An image (C, H, W, m) has two axes that windows move along,
and a sequence (C, T, m) has one.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple, TypeAlias

import attrs

from tinynet._support import checks
from tinynet._support.arrays import Shape
from tinynet._support.checks import written
from tinynet.errors import ShapeError

PerAxis: TypeAlias = int | tuple[int, int]  # a number, or (rows, columns)
_KINDS = {("T",): "sequences", ("H", "W"): "images"}


class Tap(NamedTuple):
    """Where one entry of the kernel meets the input, and not the padding.

    >>> taps(Axis(n=4, kernel=3, stride=1, dilation=1, before=1, after=1))[0]
    Tap(outputs=slice(1, 4, None), inputs=slice(0, 3, 1))
    """

    outputs: slice  # the windows in which it does
    inputs: slice  # what it meets in these, one entry a window


class Axis(NamedTuple):
    """Windows along one axis: `n` entries with `before` and `after` entries of padding.

    >>> axis = Axis(n=5, kernel=3, stride=2, dilation=1, before=0, after=0)
    >>> axis.reach, axis.windows
    (3, 2)
    """

    n: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def reach(self) -> int:
        """How many entries a window spans."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def windows(self) -> int:
        """How many windows there are; below 1 if the kernel does not fit."""
        return (self.n + self.before + self.after - self.reach) // self.stride + 1

    @property
    def is_padded(self) -> bool:
        return self.before > 0 or self.after > 0


@functools.lru_cache(maxsize=256)
def taps(axis: Axis) -> tuple[Tap, ...]:
    """Return where each entry of the kernel meets the input: window w at w · stride + offset."""
    found = []
    for k in range(axis.kernel):
        offset = k * axis.dilation - axis.before
        first = max(0, -(offset // axis.stride))
        stop = min(axis.windows, (axis.n - 1 - offset) // axis.stride + 1)
        if first >= stop:  # it meets nothing but padding
            found.append(Tap(slice(0, 0), slice(0, 0)))
            continue
        start = first * axis.stride + offset
        last = (stop - 1) * axis.stride + offset
        found.append(Tap(slice(first, stop), slice(start, last + 1, axis.stride)))
    return tuple(found)


def padded_axis(n: int, kernel: int, stride: int, dilation: int, padding: int | str) -> Axis:
    """Return the windows on n entries; "same" gives ceil(n / stride), the odd zero after."""
    before = after = 0
    if padding == "same":
        reach = (kernel - 1) * dilation + 1
        total = max((-(-n // stride) - 1) * stride + reach - n, 0)
        before, after = total // 2, total - total // 2
    elif not isinstance(padding, str):
        before = after = padding
    return Axis(n, kernel, stride, dilation, before, after)


def _expected(layer: Any, least: int) -> str:
    pair = ", or a pair of them, (rows, columns)" if len(layer.axes) > 1 else ""
    return f"a whole number of at least {least}{pair}"


def _numbers(layer: Any, name: str, value: Any, least: int, expected: str) -> PerAxis:
    """Return a number for each axis, or one for both, if they are whole and not too small."""
    n = len(layer.axes)
    values = tuple(value) if isinstance(value, (tuple, list)) and n > 1 else (value,) * n
    message = f"{type(layer).__name__}: {name} is {value!r}, expected {expected}."
    if isinstance(value, str):
        message += f" For an activation, write activation={value!r}."
    try:
        whole = [checks.integer(name, number, least) for number in values]
    except TypeError:
        raise TypeError(message) from None
    except ValueError:
        raise ValueError(message) from None
    if len(whole) != n:
        raise ValueError(message)
    return whole[0] if len(set(whole)) == 1 else (whole[0], whole[1])


def per_axis(default: Any, optional: bool = False, **options: Any) -> Any:
    """Return a field for a number of at least 1 for each axis; `optional` takes None too."""

    def convert(value: Any, layer: Any, field: attrs.Attribute[Any]) -> PerAxis | None:
        if optional and value is None:
            return None
        return _numbers(layer, field.name, value, 1, _expected(layer, 1))

    converter = attrs.Converter(convert, takes_self=True, takes_field=True)
    return attrs.field(default=default, converter=converter, **options)


def padding_field(**options: Any) -> Any:
    """Return a field for "valid", "same", or how many zeros there are at each side."""

    def convert(value: Any, layer: Any) -> PerAxis | str:
        if isinstance(value, str) and value in ("valid", "same"):
            return value
        expected = f"'valid', 'same', {_expected(layer, 0)}"
        if isinstance(value, str):
            name = type(layer).__name__
            raise ValueError(f"{name}: padding is {value!r}, expected {expected}.")
        return _numbers(layer, "padding", value, 0, expected)

    converter = attrs.Converter(convert, takes_self=True)
    return attrs.field(default="valid", converter=converter, **options)


def as_pair(value: Any) -> tuple[Any, Any]:
    """Return what a field says of rows and of columns, which may be the same."""
    return value if isinstance(value, tuple) else (value, value)


@functools.lru_cache(maxsize=256)
def windows_on(
    input_shape: Shape,
    names: tuple[str, ...],
    word: str,
    kernel: Any,
    stride: Any,
    dilation: Any,
    padding: Any,
) -> tuple[Axis, ...]:
    """Return the windows along each axis of an input, if they fit; settings are as in fields.

    `names` are those of the axes, and `word` is what the layer calls the kernel.
    """
    _check_axes(input_shape, names)
    settings = map(as_pair, (kernel, stride, dilation, padding))
    axes = tuple(map(padded_axis, input_shape[1:], *settings))
    _check_fit(input_shape, axes, word)
    return axes


def _check_axes(input_shape: Shape, axes: tuple[str, ...]) -> None:
    """Refuse an input that is not channels of images, or of sequences."""
    if len(input_shape) == 1 + len(axes):
        return
    expected = f"{_KINDS[axes]} {written(('C', *axes))}"
    if len(input_shape) == len(axes):
        one = (1, *input_shape)
        hint = (
            f"With one channel, pass X[np.newaxis] and inputs={one}, or put Reshape({one}) before "
            "this layer."
        )
    elif len(input_shape) == 1:
        hint = f"Put Reshape({written(('C',), ', '.join(axes))}) before this layer."
    else:
        hint = "An example has its channels first; the last axis is the examples."
    raise ShapeError(f"The input has shape {written(input_shape)}, expected {expected}. {hint}")


def _check_fit(input_shape: Shape, axes: tuple[Axis, ...], word: str) -> None:
    """Refuse windows that are larger than the input with its padding."""
    if all(axis.windows >= 1 for axis in axes):
        return
    room = [axis.n + axis.before + axis.after for axis in axes]
    fit = [
        min(axis.kernel, (n - 1) // axis.dilation + 1) for axis, n in zip(axes, room, strict=True)
    ]
    reach = " x ".join(str(axis.reach) for axis in axes)
    size = f"({', '.join(map(str, fit))})" if len(fit) > 1 else str(fit[0])
    fits = f'{word}={size}, or padding="same".'
    remedy = f"Use {fits}"
    *others, last = input_shape
    if len(axes) > 1 and last in (1, 3) and min(others) > 3:  # (H, W, C)?
        channels_first = (last, *others)
        remedy = f"Is an example (H, W, C)? Write inputs={channels_first}. Else use {fits}"
    _, *positions = input_shape
    if positions[0] in (1, 3) and positions[-1] > 3:  # (m, C, H, W)?
        remedy += " If X holds images (m, C, H, W), pass np.moveaxis(X, 0, -1)."
    raise ShapeError(
        f"The input has shape {written(input_shape)}, and a window spans {reach} entries, expected "
        f"at most {' x '.join(map(str, room))}, padding included. {remedy}"
    )
