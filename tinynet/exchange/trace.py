"""Formulas written in NumPy, as a list of operations: `forward` runs on what stands for Z.

What it does there is written down for another library, operation by operation, as dual numbers
differentiate it. So an activation of three lines has a counterpart elsewhere.

Of masks, such as Z > 0, arithmetic takes 1 and 0, as NumPy does. Z[mask] is traced as all of Z, of
which only the numbers at the mask are used: it can be computed with, and put back at that mask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from tinynet._support.dual import line_of_formula
from tinynet.exchange.formulas import FORMULAS, FUNCTIONS, ON_MASKS


class Target(Protocol):
    """Another library. A handle is what it calls an array, such as the name of an output."""

    dtype: np.dtype[Any]
    functions: Mapping[np.ufunc, Callable[..., Any]]  # what it computes itself, from handles

    def constant(self, value: Any) -> Any:
        """Return the handle of a number or of True or False, or raise `Untraceable`."""

    def where(self, mask: Any, x: Any, y: Any) -> Any:
        """Return x where a mask holds, and y elsewhere."""

    def as_number(self, mask: Any) -> Any:
        """Return 1 where a mask holds, and 0 elsewhere."""

    def filled(self, like: Any, number: Any) -> Any:
        """Return an array of the shape of `like` in which each number is this one."""


class Untraceable(TypeError):
    """What a formula uses that cannot be traced; its cause is another error that it raised."""

    @property
    def line(self) -> str:
        """Return the line of the formula, if its source can be read."""
        return line_of_formula(self.__cause__ or self)


def of_examples_first(value: Any, ndim: int) -> Any:
    """Return a constant of a formula for arrays of `ndim` axes, of which the first is the examples.

    It is a number, or an array that is the same for each example, such as (n, 1).
    """
    if value.size == 1:
        return value.reshape(())
    if value.ndim > ndim or value.shape[-1] != 1:
        raise Untraceable(f"an array of shape {value.shape} that does not come from Z")
    return np.moveaxis(value.reshape((1,) * (ndim - value.ndim) + value.shape), -1, 0)


def traced(forward: Callable[[Any], Any], Z: Any, target: Target) -> Any:
    """Return the handle of what a formula computes from the handle of Z."""
    try:
        with np.errstate(all="ignore"):
            A = forward(Traced(Z, target))
    except Untraceable:
        raise
    except Exception as error:  # of what expects an array with numbers in it
        raise Untraceable(f"what raises {type(error).__name__}: {error},") from error
    if not isinstance(A, Traced) or A.at is not None:
        kind = "the numbers at a mask" if isinstance(A, Traced) else f"a {type(A).__name__}"
        raise Untraceable(f"{kind} as its result, which does not have the shape of Z")
    return A.number


class Traced(NDArrayOperatorsMixin):
    """An array of which only the operations are known that it comes from.

    `at` is the handle of the mask that it was taken at, as Z[mask], or None.
    """

    __slots__ = ("at", "handle", "is_mask", "target")

    def __init__(self, handle: Any, target: Target, is_mask: bool = False, at: Any = None) -> None:
        self.handle, self.target, self.is_mask, self.at = handle, target, is_mask, at

    @property
    def number(self) -> Any:
        """The handle of the array as numbers."""
        return self.target.as_number(self.handle) if self.is_mask else self.handle

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(bool) if self.is_mask else self.target.dtype

    def new(self, handle: Any, is_mask: bool = False) -> Traced:
        """Return an array with another handle, at the same mask."""
        return Traced(handle, self.target, is_mask, self.at)

    def become(self, other: Traced) -> Traced:
        """Be another array from now on, as after ``out=`` or ``+=``."""
        _common_mask([self, other])
        if self.is_mask and not other.is_mask:
            raise Untraceable("numbers that are written into a mask")
        self.handle = other.handle if self.is_mask else other.number
        return self

    # What a formula may use of an array:

    def copy(self) -> Traced:
        return self.new(self.handle, self.is_mask)

    def __copy__(self) -> Traced:
        return self.copy()

    def __deepcopy__(self, _: Any) -> Traced:
        return self.copy()

    def fill(self, number: float) -> None:
        self[...] = number

    def clip(self, *limits: Any, **named: Any) -> Any:
        return np.clip(self, *limits, **named)

    def astype(self, dtype: Any, *, copy: bool = True, **_: Any) -> Traced:
        """Return numbers for a dtype of numbers: there is one such dtype, that of the model."""
        dtype = np.dtype(dtype)
        if not copy and dtype == self.dtype:
            return self
        if dtype.kind == "b":
            return self.copy() if self.is_mask else self._applied(np.not_equal, (self, 0))
        if dtype.kind == "f" and dtype.itemsize >= 4:
            return self.new(self.number)
        raise Untraceable(f"Z.astype({dtype.name!r})")

    def __getitem__(self, key: Any) -> Traced:
        if _is_all(key):
            return self
        _expect_mask(key, self)
        return Traced(self.handle, self.target, self.is_mask, key.handle)

    def __setitem__(self, key: Any, value: Any) -> None:
        if _is_all(key):
            self.become(value if isinstance(value, Traced) else _full_like(self, value))
            return
        _expect_mask(key, self)
        if isinstance(value, Traced):
            if value.at != key.handle:
                raise Untraceable("Z[mask] = an array that was not taken at this mask")
            value = Traced(value.handle, self.target, value.is_mask)
        self.become(_where(key, value, self))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python or NumPy asks, not a formula
            raise AttributeError(name)
        raise Untraceable(f"Z.{name}")

    def __len__(self) -> int:
        raise Untraceable("len(Z), because there are any number of examples")

    def __iter__(self) -> Any:
        raise Untraceable("a loop over Z")

    def __bool__(self) -> bool:
        raise Untraceable(
            "`if`, min or max on numbers of Z, in place of np.where, np.minimum or np.maximum,"
        )

    def __float__(self) -> float:
        raise Untraceable("a function of a single number (math.exp, float)")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise Untraceable(
            "a plain array (np.asarray, np.vectorize, or np.zeros in place of np.zeros_like(Z))"
        )

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any
    ) -> Any:
        name = title(ufunc)
        if method != "__call__" or options:
            how = f" with {', '.join(options)}=" if options else ""
            raise Untraceable(f"{name}{how if method == '__call__' else f'.{method}'}")
        result = self._applied(ufunc, inputs)
        if out is None:
            return result
        if not isinstance(out[0], Traced):
            raise Untraceable(f"{name} with out= an array that does not come from Z")
        return out[0].become(result)

    def _applied(self, ufunc: np.ufunc, inputs: Any) -> Traced:
        if all(_is_mask(x) for x in inputs) and ufunc in ON_MASKS:
            ufunc = ON_MASKS[ufunc]
        elif ufunc in LOGICAL:
            inputs = [x if _is_mask(x) else np.not_equal(x, 0) for x in inputs]
        if ufunc not in self.target.functions:
            if ufunc not in FORMULAS:
                raise Untraceable(title(ufunc))
            return FORMULAS[ufunc](*inputs)
        handles = [self._handle(x, as_mask=ufunc in LOGICAL) for x in inputs]
        arrays = [x for x in inputs if isinstance(x, Traced)]
        result = self.target.functions[ufunc](*handles)
        return Traced(result, self.target, ufunc in MASKS, _common_mask(arrays))

    def _handle(self, x: Any, as_mask: bool = False) -> Any:
        """Return the handle of an array that was traced, or of a number."""
        if isinstance(x, Traced):
            return x.handle if as_mask else x.number
        array = np.asarray(x)
        if array.dtype.kind not in "biuf":
            raise Untraceable(f"a {type(x).__name__}")
        return self.target.constant(array if as_mask else array.astype(self.target.dtype))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function not in _FUNCTIONS:
            raise Untraceable(title(function))
        return _FUNCTIONS[function](*args, **kwargs)


LOGICAL = (np.logical_and, np.logical_or, np.logical_xor, np.logical_not)
MASKS = (
    *LOGICAL, np.equal, np.greater, np.greater_equal, np.less, np.less_equal, np.isnan, np.isinf,
)  # fmt: skip


def title(function: Any) -> str:
    """Return the name of a function, for messages."""
    name = function.__name__
    return f"np.{name}" if getattr(np, name, None) is function else name


def _is_mask(x: Any) -> bool:
    return x.is_mask if isinstance(x, Traced) else np.asarray(x).dtype == bool


def _is_all(key: Any) -> bool:
    return key is Ellipsis or (isinstance(key, slice) and key == slice(None))


def _expect_mask(key: Any, array: Traced) -> None:
    if not isinstance(key, Traced) or not key.is_mask:
        raise Untraceable("an index other than a mask, as in Z[Z > 0]")
    if key.at is not None or array.at is not None:
        raise Untraceable("a mask of what was taken at a mask")


def _common_mask(arrays: list[Traced]) -> Any:
    """Return the mask that all arrays were taken at, or None."""
    masks = {array.at for array in arrays}
    if len(masks) > 1:
        raise Untraceable("numbers at a mask together with those at another, or with all of Z")
    return masks.pop()


def _where(condition: Any, x: Any, y: Any) -> Traced:
    arrays = [array for array in (condition, x, y) if isinstance(array, Traced)]
    at, (first, *_) = _common_mask(arrays), arrays
    condition = condition if _is_mask(condition) else np.not_equal(condition, 0)
    if _is_mask(x) and _is_mask(y):
        otherwise = np.logical_and(np.logical_not(condition), y)
        chosen: Traced = np.logical_or(np.logical_and(condition, x), otherwise)
        return chosen
    handles = [first._handle(condition, as_mask=True), first._handle(x), first._handle(y)]
    return Traced(first.target.where(*handles), first.target, at=at)


def _full_like(x: Traced, number: Any, dtype: Any = None, **_: Any) -> Traced:
    array = x.new(x.target.filled(x.handle, x._handle(number)))
    return array.astype(x.dtype if dtype is None else dtype)


def _copyto(to: Traced, value: Any, casting: str = "same_kind", where: Any = True) -> None:
    to.become(_where(where, value, to))


_SHAPE = object()  # of every traced array: formulas may compare shapes, and use them no further
_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    **FUNCTIONS, np.where: _where, np.full_like: _full_like, np.copyto: _copyto,
    np.copy: lambda x, **_: x.copy(), np.shape: lambda x: _SHAPE,
}  # fmt: skip
