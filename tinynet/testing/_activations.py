"""What every activation must pass, and which mistake explains it where one does not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np

from tinynet._support.arrays import Array
from tinynet.activations import Activation
from tinynet.initializers import Initializer
from tinynet.testing._expect import expect, expect_array, kept

_STEPS = (1e-4, 1e-5, 1e-6, 1e-7)  # a smaller one does not cross the kink that a larger one did
_CORNERS = (-6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0)  # where kinks are likely


def points(scale: float = 2.0, shape: tuple[int, int] = (5, 8)) -> tuple[Array, Array]:
    """Return a Z with numbers of this size, and a dA."""
    rng = np.random.default_rng(0)
    return rng.standard_normal(shape) * scale, rng.standard_normal(shape)


def check_results(activation: Activation) -> None:
    """See that both methods return arrays of the shape and dtype of Z, and leave alone what they are handed."""
    name = type(activation).__name__
    for dtype in map(np.dtype, (np.float64, np.float32)):
        Z, dA = (array.astype(dtype) for array in points())
        A = kept(f"{name}.forward", activation.forward, Z=Z)
        expect_array(f"{name}.forward", A, Z.shape, dtype)
        dZ = kept(f"{name}.back", activation.back, dA=dA, Z=Z, A=A)
        expect_array(f"{name}.back", dZ, Z.shape, dtype)
    with contextlib.suppress(LookupError, TypeError):
        Initializer.get(activation.init)
        return
    raise AssertionError(
        f"{name}.init is {activation.init!r}, no initializer; known: {', '.join(Initializer.names())}"
    )


def check_repeated(activation: Activation) -> None:
    """See that nothing is kept from call to call, and nothing left to chance."""
    name, (Z, dA) = type(activation).__name__, points()
    A = activation.forward(Z)
    first, dZ = A.copy(), activation.back(dA, Z, A).copy()
    same = np.array_equal(activation.forward(Z), first, equal_nan=True)
    expect(
        same,
        f"{name}.forward gives another A for the same Z the second time; it must draw and remember nothing",
    )
    activation.forward(Z[:2] + 1)
    activation.forward(Z + 1)
    same = np.array_equal(A, first, equal_nan=True)
    expect(same, f"{name}.forward returns the same array for two Zs; make a new one")
    same = np.array_equal(activation.back(dA, Z, A), dZ, equal_nan=True)
    hint = "keep nothing between the calls, for back is handed Z and A"
    expect(
        same,
        f"{name}.back gives another dZ for the same dA, Z and A after a forward of another Z; {hint}",
    )


def check_out(activation: Activation) -> None:
    """See that a result goes where it is told, and that float32 is as good as float64."""
    name, (Z, dA) = type(activation).__name__, points()
    A = activation.forward(Z)
    for method, result, given in (
        ("forward", A, (Z,)),
        ("back", activation.back(dA, Z, A), (dA, Z, A)),
    ):
        call, out = getattr(activation, method), np.full_like(Z, np.nan)
        same = call(*given, out=out) is out and np.array_equal(out, result, equal_nan=True)
        expect(same, f"{name}.{method} with out= must put the same result there, and return it")
        single = call(*(array.astype(np.float32) for array in given))
        worst = np.abs(single - result).max()
        hint = "is something in it too small for float32, such as a step of 1e-7?"
        near = np.allclose(single, result, rtol=1e-3, atol=1e-3)
        expect(near or np.isnan(worst), f"{name}.{method} in float32 is off by {worst:.2g}; {hint}")


def check_examples_apart(activation: Activation) -> None:
    """See that an example's A and dZ do not depend on the others: for one example, and for none."""
    name, (Z, dA) = type(activation).__name__, points()
    A = activation.forward(Z)
    hint = "an example's {} must not depend on the others: add up or compare along axis 0, with keepdims=True"
    for m in (1, 0):
        some = f"{name}.{{}} differs for the first m = {m} examples alone; {hint}"
        try:
            A_of_some = activation.forward(Z[:, :m])
            dZ_of_some = activation.back(dA[:, :m], Z[:, :m], A[:, :m])
        except (ValueError, ArithmeticError) as error:
            told = f"{name} with m = {m} examples, Z of shape {Z[:, :m].shape}: {error}; use axis 0, keepdims=True"
            raise AssertionError(told) from error
        expect(_alike(A_of_some, A[:, :m]), some.format("forward", "A"))
        dZ = activation.back(dA, Z, A)
        if not _alike(dZ_of_some, dZ[:, :m]):
            by_m = m and _alike(dZ_of_some, dZ[:, :m] * Z.shape[1])
            hint = (
                f"{name}.back divides by m: dZ is for each example, the mean is taken in dW and db"
            )
            raise AssertionError(hint if by_m else some.format("back", "dZ"))


def _alike(one: Any, other: Array) -> bool:
    return np.shape(one) == other.shape and np.allclose(
        one, other, rtol=1e-12, atol=1e-14, equal_nan=True
    )


def check_memory_order(activation: Activation) -> None:
    """See that it is the numbers that count, not where they lie in memory."""
    name, (Z, dA) = type(activation).__name__, points()
    A = activation.forward(Z)
    dZ = activation.back(dA, Z, A)
    told = f"{name}.{{}} of the same numbers differs when they lie otherwise in memory"
    for laid_out in (np.asfortranarray, _strided):
        expect(_alike(activation.forward(laid_out(Z)), A), told.format("forward"))
        for given in (
            (laid_out(dA), Z, A),
            (dA, laid_out(Z), laid_out(A)),
            tuple(map(laid_out, (dA, Z, A))),
        ):
            expect(_alike(activation.back(*given), dZ), told.format("back"))


def _strided(array: Array) -> Array:
    return np.repeat(array, 2, axis=1)[:, ::2]


@np.errstate(all="ignore")  # whether a warning matters shows in the result
def check_finite_far_out(activation: Activation) -> None:
    """See that nothing overflows up to |Z| = 1e4, for one unit and for several that differ much."""
    grid = np.linspace(-1e4, 1e4, 21)
    for Z in (
        grid[np.newaxis],
        np.stack([grid, grid[::-1], np.roll(grid, 5)]),
        np.array([[60.0], [0.0], [-60.0]]),
    ):
        for far in (Z, Z.astype(np.float32)):
            A = activation.forward(far)
            for method, result in (
                ("forward", A),
                ("back", activation.back(np.ones_like(far), far, A)),
            ):
                what = f"{type(activation).__name__}.{method}"
                expect(
                    np.shape(result) == far.shape,
                    f"{what} turns shape {far.shape} into {np.shape(result)}",
                )
                for k, i in np.argwhere(~np.isfinite(result))[:1]:
                    others = f", for the units {far[:, i]} of an example" if len(far) > 1 else ""
                    raise AssertionError(
                        f"{what} is not finite at Z = {far[k, i]:g} in {far.dtype}{others}"
                    )


@np.errstate(all="ignore")
def check_slopes(activation: Activation) -> None:
    """Compare back with differences of forward, also with other settings than those given."""
    for other in _other_settings(activation):
        _check_slopes(other, *points())


@np.errstate(all="ignore")
def check_slopes_elsewhere(activation: Activation) -> None:
    """Compare back with differences of forward near 0, far out, and exactly where kinks are likely."""
    for scale in (0.01, 8.0, 40.0, 300.0):
        _check_slopes(activation, *points(scale, (5, 30)))
    _check_corners(activation)


def _other_settings(activation: Activation) -> Iterator[Activation]:
    """Yield it, and one a field that holds a float, in which this is another: back may have it as a number."""
    yield activation
    for field in attrs.fields(type(activation)):
        value = getattr(activation, field.name)
        if field.init and isinstance(value, float):
            with contextlib.suppress(ValueError):  # it may be at the end of its range
                yield attrs.evolve(activation, **{field.alias: 0.9 * value + 0.05})


def _check_slopes(activation: Activation, Z: Array, dA: Array) -> None:
    A = activation.forward(Z)
    dZ = activation.back(dA, Z, A)
    for method, result in (("forward", A), ("back", dZ)):
        for at in np.argwhere(~np.isfinite(result))[:1]:
            raise AssertionError(
                f"{activation!r}: {method} is not finite at Z = {Z[tuple(at)]:.6g}"
            )
    slopes = _nearest_slopes(activation, Z, dA, dZ)
    far = max(
        1.0, 1e-3 * float(np.abs(A).max())
    )  # of a large A, differences have lost their last digits
    wrong = ~np.isclose(dZ, slopes, rtol=1e-6 if far == 1 else 1e-5, atol=1e-7 * far)
    if wrong.any():
        at = np.unravel_index(np.argmax(np.where(wrong, np.abs(slopes - dZ), 0)), Z.shape)
        raise AssertionError(
            f"{activation!r}: back does not match forward: at Z = {Z[at]:.6g} with dA = {dA[at]:.6g} "
            f"it gives dZ = {dZ[at]:.6g}, the slope is {slopes[at]:.6g}{_likely_mistake(activation, Z, dA, dZ, slopes)}"
        )


def _nearest_slopes(activation: Activation, Z: Array, dA: Array, dZ: Array) -> Array:
    """Return the vector-Jacobian product by central differences: of several steps, the nearest to dZ."""
    slopes = np.full(Z.shape, np.inf)
    for k, h in ((k, h) for k in range(len(Z)) for h in _STEPS):
        step = np.zeros_like(Z)
        step[k] = h
        slope = np.sum(
            dA * (activation.forward(Z + step) - activation.forward(Z - step)), axis=0
        ) / (2 * h)
        slopes[k] = np.where(np.abs(slope - dZ[k]) < np.abs(slopes[k] - dZ[k]), slope, slopes[k])
    return slopes


def _check_corners(activation: Activation) -> None:
    """See that at a kink dZ is one of the two one-sided slopes or between, as it is where there is no kink."""
    h, Z = 1e-9, np.tile(_CORNERS, (2, 1))
    A = activation.forward(Z)
    for k in range(len(Z)):
        dA, step = np.zeros_like(Z), np.zeros_like(Z)
        dA[k], step[k] = 1, h
        right = (activation.forward(Z + step) - A)[k] / h
        left = (A - activation.forward(Z - step))[k] / h
        dZ = activation.back(dA, Z, A)[k]
        low, high = np.minimum(left, right), np.maximum(left, right)
        near = 1e-4 * np.maximum(1, np.abs(dZ))
        for i in np.flatnonzero((dZ < low - near) | (dZ > high + near))[:1]:
            raise AssertionError(
                f"{activation!r}: back does not match forward at exactly Z = {Z[k, i]:g}: with dA = 1 it gives "
                f"dZ = {dZ[i]:.6g}, the slope is {left[i]:.4g} on the left and {right[i]:.4g} on the right"
            )


@np.errstate(all="ignore")  # a guess may be far off
def _likely_mistake(activation: Activation, Z: Array, dA: Array, dZ: Array, slopes: Array) -> str:
    """Say which of the usual mistakes explains a wrong dZ, if one does."""
    A, slope = activation.forward(Z), slopes / dA
    guesses = {
        "it is dA itself: the slope is missing": dA,
        "dA is added to the slope: multiply": dA + slope,
        "dA is divided by the slope: multiply": dA / slope,
        "the slope is there twice": dA * slope**2,
        "it is dA * A: A stands in place of the slope": dA * A,
        "it is dA * Z: Z stands in place of the slope": dA * Z,
        "it is the slope: it would be right times dA: back returns dA times the slope, not the slope": slope,
        "its sign is wrong": -slopes,
    }
    swapped = {
        "it would be right with A in place of Z: this formula is for A": (dA, A, A),
        "it would be right with Z in place of A: this formula is for Z": (dA, Z, Z),
        "it would be right with Z and A in each other's place: back is called as back(dA, Z, A)": (
            dA,
            A,
            Z,
        ),
        "it would be right with dA last: back is called as back(dA, Z, A)": (Z, A, dA),
    }

    def right(dZ: Array) -> bool:
        return np.shape(dZ) == slopes.shape and np.allclose(dZ, slopes, rtol=1e-5, atol=1e-7)

    for told, given in swapped.items():
        with contextlib.suppress(Exception):  # of a guess, whatever it may be
            if right(activation.back(*given)):
                return f"; {told}"
    for told, guess in guesses.items():
        if np.allclose(dZ, guess, rtol=1e-5, atol=1e-7):
            return f"; {told}"
    told = _of_inherited_back(activation) or _of_a_factor(dZ / slopes)
    return told or _of_units(activation, Z, A) or _of_side(Z, dZ, slopes)


def _of_inherited_back(activation: Activation) -> str:
    def home(method: str) -> type:
        return next(cls for cls in type(activation).__mro__ if method in vars(cls))

    forward, back = home("forward"), home("back")
    if back is not Activation and back is not forward and issubclass(forward, back):
        hint = "write your own, or back = tn.Activation.back to have it found"
        return f"; back is that of {back.__name__}, made for another forward: {hint}"
    return ""


def _of_a_factor(ratios: Array) -> str:
    if np.allclose(ratios, ratios.flat[0], rtol=1e-5):
        return f"; it is {ratios.flat[0]:.6g} times the slope everywhere: look for a factor too many or too few"
    return ""


def _of_units(activation: Activation, Z: Array, A: Array) -> str:
    if np.allclose(activation.forward(np.concatenate([Z[:1], Z[1:] + 1]))[0], A[0]):
        return ""
    return (
        "; A[k] depends on all units Z[j] of its example, so dZ is the whole Jacobian times dA, not its diagonal "
        "(sums over the units are along axis 0)"
    )


def _of_side(Z: Array, dZ: Array, slopes: Array) -> str:
    """Say on which side of a number the slope is wrong, if it is right on the other."""
    wrong = ~np.isclose(dZ, slopes, rtol=1e-5, atol=1e-6)
    for what, at in (("Z", Z), ("|Z|", np.abs(Z))):
        bad, good = at[wrong], at[~wrong]
        if not good.size:
            return _of_both_sides(dZ / slopes, Z > 0)
        for above, below, side in ((bad, good, "from"), (good, bad, "up to")):
            if below.max() < above.min():
                edge = bad.min() if side == "from" else bad.max()
                ratios = (dZ / slopes)[wrong]
                factor = (
                    f", {ratios[0]:.4g} times the slope there"
                    if np.allclose(ratios, ratios[0], rtol=1e-4)
                    else ""
                )
                return (
                    f"; it is wrong {side} {what} = {edge:.3g}{factor}, and right on the other side"
                )
    return ""


def _of_both_sides(ratios: Array, above: Array) -> str:
    pairs = [ratios[side] for side in (above, ~above)]
    if not all(side.size and np.allclose(side, side[0], rtol=1e-4) for side in pairs):
        return ""
    above_0, below_0 = (f"{side[0]:.4g}" for side in pairs)
    return f"; it is {above_0} times the slope where Z > 0, and {below_0} times elsewhere: are the branches swapped?"


CHECKS = (
    check_results, check_repeated, check_out, check_examples_apart, check_memory_order, check_slopes,
    check_finite_far_out, check_slopes_elsewhere,
)  # fmt: skip
