"""What every activation must pass, and which mistake explains it where one does not."""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.blocks import with_out
from tinynet.activations import Activation
from tinynet.initializers import Initializer
from tinynet.testing._expect import (
    expect,
    expect_any_layout,
    expect_array,
    expect_dtype,
    expect_dtypes,
    times,
)

_STEPS = (1e-4, 1e-5, 1e-6, 1e-7)  # a smaller one does not cross the kink that a larger one did
_CORNERS = (-6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0)  # where kinks are likely
_quiet = np.errstate(all="ignore")  # the result shows whether a warning matters


def _points(scale: float = 2.0, shape: tuple[int, int] = (5, 8)) -> tuple[Array, Array]:
    """Return a Z with numbers of this size, and a dA."""
    rng = np.random.default_rng(0)
    return rng.standard_normal(shape) * scale, rng.standard_normal(shape)


def _calls(activation: Activation, Z: Array, dA: Array) -> Iterator[Any]:
    """Yield the name of each method, the method, and its arrays by name."""
    name = type(activation).__name__
    yield f"{name}.forward", activation.forward, {"Z": Z}
    A = np.asarray(activation.forward(Z), Z.dtype)
    yield f"{name}.back", activation.back, {"dA": dA, "Z": Z, "A": A}


def _near(one: Any, other: Array, rtol: float = 1e-12, atol: float = 1e-14) -> bool:
    return np.shape(one) == other.shape and np.allclose(one, other, rtol, atol, equal_nan=True)


def check_results(activation: Activation) -> None:
    """Check that the methods take their arrays and return new ones like Z; ``init``, ``range``."""
    _check_arguments(activation, "forward", ("Z",))
    _check_arguments(activation, "back", ("dA", "Z", "A"))
    Z, dA = _points()
    for what, method, arrays in _calls(activation, Z, dA):
        expect_array(what, method, Z, **arrays)
    check_dtypes = functools.partial(_check_dtypes, activation)
    expect_dtypes(check_dtypes, lambda: check_slopes(activation), "The slope is right, but ")
    try:
        Initializer.get(activation.init)
    except (LookupError, TypeError):
        found = f"{type(activation).__name__}.init is {activation.init!r}"
        known = ", ".join(Initializer.names())
        raise AssertionError(f"{found}, expected an initializer: {known}.") from None
    _check_range(activation)


def _check_range(activation: Activation) -> None:
    """Check that A is within ``range``, and sums to 1 if the class says so."""
    name, (Z, _) = type(activation).__name__, _points(scale=10.0)
    with np.errstate(all="ignore"):
        A = activation.forward(Z)
    if limits := activation.limits():
        least, most = float(A.min()), float(A.max())
        is_inside = not (least < limits[0] - 1e-6 or most > limits[1] + 1e-6)
        found = f"{name}.range is {limits}, but forward gives {least:.4g} to {most:.4g}"
        expect(is_inside, f"{found}. Let range be (low, high), with all A between.")
    if activation.gives_shares():
        message = f"{name}.sums_to_1 is True, but the columns of forward sum to other numbers."
        expect(_near(A.sum(axis=0), np.ones(Z.shape[1]), 1e-6), f"{message} Leave it out.")


def _check_dtypes(activation: Activation) -> None:
    """Check that results have the dtype of the first array that they are computed from."""
    for dtype in (np.float64, np.float32):
        Z, dA = (array.astype(dtype) for array in _points())
        for what, method, arrays in _calls(activation, Z, dA):
            name = next(iter(arrays))
            expect_dtype(what, method(*arrays.values()), name, arrays[name])


def _check_arguments(activation: Activation, method: str, expected: tuple[str, ...]) -> None:
    """Check that a method takes the arrays that it is called with, in this order."""
    function = inspect.getattr_static(type(activation), method)
    if isinstance(function, np.ufunc):  # has no signature before NumPy 2.4
        return
    signature = inspect.signature(getattr(activation, method))
    names = tuple(name for name in signature.parameters if name != "out")
    try:
        signature.bind(*expected)
        is_right = names == expected or set(names) != set(expected)
    except TypeError:
        is_right = False
    found = ", ".join(inspect.signature(getattr(function, "__func__", function)).parameters)
    message = f"{type(activation).__name__}.{method} takes ({found}), expected"
    right = f"(self, {', '.join(expected)})"
    expect(is_right, f"{message} {right}. Write def {method}{right}.")


def check_repeated(activation: Activation) -> None:
    """Check that nothing is stored from call to call, and nothing is random."""
    name, (Z, dA) = type(activation).__name__, _points()
    A = activation.forward(Z)
    first, dZ = A.copy(), activation.back(dA, Z, A).copy()
    same = _near(activation.forward(Z), first, 0, 0)
    expect(same, f"{name}.forward gives another A for the same Z. Draw and store nothing.")
    activation.forward(Z[:2] + 1)
    activation.forward(Z + 1)
    same = _near(A, first, 0, 0)
    expect(same, f"{name}.forward returns the same array for two Zs. Make a new one.")
    same = _near(activation.back(dA, Z, A), dZ, 0, 0)
    message = f"{name}.back gives another dZ for the same dA, Z and A after a forward of another Z."
    expect(same, f"{message} Store nothing between the calls.")


def check_out(activation: Activation) -> None:
    """Check that a result can be written into ``out``, and that float32 is as good as float64."""
    for what, method, arrays in _calls(activation, *_points()):
        result, out = method(*arrays.values()), np.full_like(arrays["Z"], np.nan)
        same = with_out(method)(*arrays.values(), out=out) is out and _near(out, result, 0, 0)
        expect(same, f"{what} with out= must write the same result there, and return it.")
        single = method(*(array.astype(np.float32) for array in arrays.values()))
        finite = np.isfinite(result)
        is_lost = not np.isfinite(single[finite]).all()
        expect(not is_lost, f"{what} is finite in float64, and not in float32. Limit its terms.")
        off = np.abs(single - result)[finite].max(initial=0)
        near, hint = _near(single, result, 1e-3, 1e-3), "such as a step of 1e-7"
        message = f"{what} in float32 is off by {off:.2g}. Look for something too small for"
        expect(near, f"{message} float32, {hint}.")


def check_examples_apart(activation: Activation) -> None:
    """Check that the A and dZ of an example do not depend on the others: for one, and for none."""
    name, (Z, dA) = type(activation).__name__, _points()
    A = activation.forward(Z)
    dZ = activation.back(dA, Z, A)
    hint = "An example must not depend on others: sum or compare along axis 0, with keepdims=True."
    for m in (1, 0):
        Z1, A1, dA1, dZ1 = (array[:, :m] for array in (Z, A, dA, dZ))
        try:
            A_alone, dZ_alone = activation.forward(Z1), activation.back(dA1, Z1, A1)
        except (ValueError, ArithmeticError) as error:
            message = f"{name} fails for m = {m} examples, Z of shape {Z1.shape}: {error}. {hint}"
            raise AssertionError(message) from error
        alone = f"for the first m = {m} examples alone. {hint}"
        expect(_near(A_alone, A1), f"{name}.forward gives another A {alone}")
        message = f"gives another dZ {alone}"
        if _near(dZ_alone, dZ1 * Z.shape[1]):
            message = "divides by m. dZ is for each example: the mean is taken in dW and db."
        expect(_near(dZ_alone, dZ1), f"{name}.back {message}")


def check_memory_order(activation: Activation) -> None:
    """Check that results depend on the numbers, not on how they lie in memory."""
    for what, method, arrays in _calls(activation, *_points()):
        expect_any_layout(what, method, *arrays.values())


@_quiet
def check_finite_far_out(activation: Activation) -> None:
    """Check that nothing overflows up to |Z| = 1e4, for one unit and for several that differ."""
    grid = np.linspace(-1e4, 1e4, 21)
    several = np.stack([grid, grid[::-1], np.roll(grid, 5)])
    for Z in (grid[np.newaxis], several, np.array([[60.0], [0.0], [-60.0]])):
        for far in (Z, Z.astype(np.float32)):
            for what, method, arrays in _calls(activation, far, np.ones_like(far)):
                _expect_finite(what, expect_array(what, method, far, **arrays), far)


def _expect_finite(what: str, result: Array, Z: Array) -> None:
    for k, i in np.argwhere(~np.isfinite(result))[:1]:
        units = f", for the units {Z[:, i]} of an example" if len(Z) > 1 else ""
        raise AssertionError(f"{what} is not finite at Z = {Z[k, i]:g} in {Z.dtype}{units}.")


@_quiet
def check_slopes(activation: Activation) -> None:
    """Compare back with differences of forward, also with other settings than the given ones."""
    _compare_slopes(activation, *_points())
    for field in attrs.fields(type(activation)):
        value = getattr(activation, field.name)
        if field.init and isinstance(value, float):  # in back it may be a constant
            with contextlib.suppress(ValueError):  # it may be at the end of its range
                other = attrs.evolve(activation, **{field.alias: 0.9 * value + 0.05})
                _compare_slopes(other, *_points())


@_quiet
def check_slopes_elsewhere(activation: Activation) -> None:
    """Compare back with differences of forward near 0, far out, and exactly at likely kinks."""
    for scale in (0.01, 8.0, 40.0, 300.0):
        _compare_slopes(activation, *_points(scale, (5, 30)))
    _check_corners(activation)


def _compare_slopes(activation: Activation, Z: Array, dA: Array) -> None:
    A = activation.forward(Z)
    dZ = activation.back(dA, Z, A)
    _expect_finite(f"{activation!r}: forward", A, Z)
    _expect_finite(f"{activation!r}: back", dZ, Z)
    slopes = _nearest_slopes(activation, Z, dA, dZ)
    far = max(1.0, 1e-3 * float(np.abs(A).max()))  # differences of a large A have fewer digits
    wrong = ~np.isclose(dZ, slopes, rtol=1e-6 if far == 1 else 1e-5, atol=1e-7 * far)
    if wrong.any():
        k = np.unravel_index(np.argmax(np.where(wrong, np.abs(slopes - dZ), 0)), Z.shape)
        at, expected = f"Z = {Z[k]:.6g} with dA = {dA[k]:.6g}", f"{slopes[k]:.6g}."
        fault = _no_match(activation, at, dZ[k], expected)
        raise AssertionError(f"{fault}{_likely_mistake(activation, Z, dA, dZ, slopes)}")


def _no_match(activation: Activation, at: str, dZ: float, expected: str) -> str:
    found = f"{activation!r}: back does not match forward. At {at} it gives dZ = {dZ:.6g}"
    return f"{found}, expected {expected}"


def _nearest_slopes(activation: Activation, Z: Array, dA: Array, dZ: Array) -> Array:
    """Return the vector-Jacobian product by central differences, with the step nearest to dZ."""
    slopes = np.full(Z.shape, np.inf)
    for k, h in itertools.product(range(len(Z)), _STEPS):
        slope = _slope(activation, Z, dA, k, -h, h)
        slopes[k] = np.where(np.abs(slope - dZ[k]) < np.abs(slopes[k] - dZ[k]), slope, slopes[k])
    return slopes


def _slope(activation: Activation, Z: Array, dA: Array, k: int, start: float, stop: float) -> Array:
    """Return the slope of dA * A, summed over the units, from Z[k] + start to Z[k] + stop."""
    before, after = Z.copy(), Z.copy()
    before[k] += start
    after[k] += stop
    change = activation.forward(after) - activation.forward(before)
    return np.sum(dA * change, axis=0) / (stop - start)


def _check_corners(activation: Activation) -> None:
    """Check that dZ at a kink is between the slopes on both sides, as where there is no kink."""
    h, Z = 1e-9, np.tile(_CORNERS, (2, 1))
    for k in range(len(Z)):
        dA = np.zeros_like(Z)
        dA[k] = 1
        dZ = activation.back(dA, Z, activation.forward(Z))[k]
        left, right = _slope(activation, Z, dA, k, -h, 0), _slope(activation, Z, dA, k, 0, h)
        near = 1e-4 * np.maximum(1, np.abs(dZ))
        outside = (dZ < np.minimum(left, right) - near) | (dZ > np.maximum(left, right) + near)
        for i in np.flatnonzero(outside)[:1]:
            sides = f"the slope, {left[i]:.4g} on the left and {right[i]:.4g} on the right."
            at = f"exactly Z = {Z[k, i]:g} with dA = 1"
            raise AssertionError(_no_match(activation, at, dZ[i], sides))


@_quiet  # a guess may be far off
def _likely_mistake(activation: Activation, Z: Array, dA: Array, dZ: Array, slopes: Array) -> str:
    """Return which of the usual mistakes explains a wrong dZ, or ""."""
    A, slope = activation.forward(Z), slopes / dA
    swapped = {
        "A in place of Z: this formula is for A": (dA, A, A),
        "Z in place of A: this formula is for Z": (dA, Z, Z),
        "Z and A swapped: back is called as back(dA, Z, A)": (dA, A, Z),
        "dA last: back is called as back(dA, Z, A)": (Z, A, dA),
    }
    guesses = {
        "It is dA itself: the slope is missing": dA,
        "dA is added to the slope: multiply": dA + slope,
        "dA is divided by the slope: multiply": dA / slope,
        "The slope is there twice": dA * slope**2,
        "It is dA * A: A stands in place of the slope": dA * A,
        "It is dA * Z: Z stands in place of the slope": dA * Z,
        "It is the slope: back returns dA times the slope, so it would be right times dA": slope,
        "Its sign is wrong": -slopes,
    }
    for hint, arrays in swapped.items():
        with contextlib.suppress(Exception):  # other arrays may raise anything
            if _near(activation.back(*arrays), slopes, 1e-5, 1e-7):
                return f" It would be right with {hint}."
    hints = [hint for hint, guess in guesses.items() if _near(dZ, guess, 1e-5, 1e-7)]
    hints += [_inherited_back(activation), _pattern(Z, dZ, slopes), _units(activation, Z, A)]
    return next((f" {hint}." for hint in hints if hint), "")


def _inherited_back(activation: Activation) -> str:
    kinds = type(activation).__mro__
    forward = next(c for c in kinds if vars(c).keys() & {"forward", "bind_forward"})
    back = next(c for c in kinds if vars(c).keys() & {"back", "bind_back"})
    if back in (Activation, forward) or not issubclass(forward, back):
        return ""
    hint = "write your own, or back = tn.Activation.back to differentiate forward"
    return f"back is that of {back.__name__}, for another forward: {hint}"


def _units(activation: Activation, Z: Array, A: Array) -> str:
    with_others = activation.forward(np.concatenate([Z[:1], Z[1:] + 1]))
    hint = (
        "A[k] depends on all units Z[j] of its example, so dZ is the whole Jacobian times dA, not "
        "its diagonal (sum over the units along axis 0)"
    )
    return "" if np.allclose(with_others[0], A[0]) else hint


def _pattern(Z: Array, dZ: Array, slopes: Array) -> str:
    """Return on which side of a number dZ is wrong, and how many times the slope it is there."""
    wrong, ratios = ~np.isclose(dZ, slopes, rtol=1e-5, atol=1e-6), dZ / slopes
    above, below, there = map(times, (ratios[Z > 0], ratios[Z <= 0], ratios[wrong]))
    for at, side, elsewhere in ((Z > 0, "Z > 0", "Z <= 0"), (Z <= 0, "Z <= 0", "Z > 0")):
        if wrong.all() and not slopes[at].any() and not dZ[~at].any():
            found = f"It is 0 where {elsewhere}, and the slope is 0 where {side}"
            return f"{found}: look whether the branches are swapped"
    if wrong.all():
        swapped = f"It is {above} the slope where Z > 0, and {below} elsewhere"
        if there:
            return f"It is {there} the slope everywhere: a factor too many or too few"
        return f"{swapped}: look whether the branches are swapped" if above and below else ""
    factor = f", {there} the slope there" if there else ""
    rest = f"{factor}, and right on the other side"
    for what, at in (("Z", Z), ("|Z|", np.abs(Z))) if wrong.any() else ():
        bad, good = at[wrong], at[~wrong]
        if good.max() < bad.min():
            return f"It is wrong from {what} = {bad.min():.3g}{rest}"
        if bad.max() < good.min():
            return f"It is wrong up to {what} = {bad.max():.3g}{rest}"
    return ""


CHECKS = (
    check_results, check_repeated, check_out, check_examples_apart, check_memory_order,
    check_slopes, check_finite_far_out, check_slopes_elsewhere,
)  # fmt: skip
