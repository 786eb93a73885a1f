"""What every loss must pass."""

from __future__ import annotations

import math

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.blocks import with_out
from tinynet.losses import Loss
from tinynet.testing._expect import expect, expect_any_layout, expect_array, expect_dtype, unchanged
from tinynet.testing._gradients import TOLERANCE, compare

# What a loss may need: probabilities, numbers above 0, and what tanh gives.
_DOMAINS = {"(0, 1)": (0.0, 1.0), "(0, np.inf)": (0.0, math.inf), "(-1, 1)": (-1.0, 1.0)}


def _points(loss: Loss) -> tuple[Array, Array, Array]:
    """Return Z, an A within the loss's domain, and Y, of (3, 20)."""
    return _points_in(loss.domain)


def _points_in(domain: tuple[float, float]) -> tuple[Array, Array, Array]:
    rng, (low, high) = np.random.default_rng(0), domain
    Z = rng.standard_normal((3, 20)) * 2
    if np.isinf(low):
        return Z, Z.copy(), rng.standard_normal(Z.shape) * 2
    A = low + (np.exp(Z) if np.isinf(high) else (high - low) / (1 + np.exp(-Z)))
    return Z, A, (rng.integers(3, size=20) == np.arange(3)[:, np.newaxis]).astype(float)


@np.errstate(all="ignore")  # whether a warning matters shows in the result
def _expect_finite(loss: Loss, A: Array, Y: Array) -> None:
    """Check that value and back are finite; if not, say for which A, and in which domain they are.

    A ratio of numbers that are not finite would say nothing.
    """
    for method, call in (("value", loss.value), ("back", loss.back)):
        for i in range(A.shape[-1]):
            a, y = A[:, i : i + 1], Y[:, i : i + 1]
            result = call(a.copy(), y.copy())
            if result is not None and not np.isfinite(result).all():
                result = np.asarray(result)
                number = result[~np.isfinite(result)].flat[0]
                found = f"{type(loss).__name__}.{method} is {number} for A = {a[:, 0].round(3)}"
                raise AssertionError(f"{found} and Y = {y[:, 0].round(3)}. {_remedy(loss)}")


def _remedy(loss: Loss) -> str:
    """Return what to write where a loss is not finite within its domain."""
    low, high = loss.domain
    if _is_finite_in(loss, (low, high), soft=True):
        return "It is finite where no Y is 0 or 1: use np.where(Y > 0, Y, 1) in a logarithm of Y."
    if math.isfinite(low) and math.isfinite(high):
        return f"domain is ({low:g}, {high:g}), so it must be finite for every A between."
    for written, domain in _DOMAINS.items():
        if any(_is_finite_in(loss, domain, soft) for soft in (False, True)):
            wider = _is_finite_in(loss, (0.0, math.inf), soft=False)
            also = ", or (0, np.inf) if any A above 0 will do" if wider else ""
            return (
                f"It is finite for A in {written}, and the class gives no domain that says so: "
                f"write domain = {written} in it{also}."
            )
    return "Look for a logarithm, a root or a division of numbers that it does not take."


def _is_finite_in(loss: Loss, domain: tuple[float, float], soft: bool) -> bool:
    """Return whether a loss is finite in a domain, for a Y of zeros and ones or one between."""
    _, A, Y = _points_in(domain)
    targets = 0.1 + 0.8 * np.abs(np.tanh(Y)) if soft else Y
    return bool(np.isfinite(loss.value(A, targets)) and np.isfinite(loss.back(A, targets)).all())


def check_value_and_back(loss: Loss) -> None:
    """Check that back is the derivative of value for each example, and changes neither A nor Y."""
    back, (_, A, Y), m = f"{type(loss).__name__}.back", _points(loss), 20
    _expect_finite(loss, A, Y)
    dA = expect_array(back, loss.back, A, A=A, Y=Y)
    error, message = compare(f"{back} / m", lambda: loss.value(A, Y), A, dA / m, m, is_mean=False)
    if np.allclose(dA, A - Y, rtol=1e-6):
        message += " A - Y is dZ[L], which includes the slope of the partner; back returns dA[L]."
    expect(error <= TOLERANCE, message)
    for dtype in (np.float64, np.float32):
        outputs, targets = A.astype(dtype), Y.astype(dtype)
        dA = loss.back(outputs, targets)
        expect_dtype(f"The derivative is right, but {back}", dA, "A", outputs)


def check_mean(loss: Loss) -> None:
    """Check that a loss is a mean over the examples, and the same in every memory order."""
    name, (_, A, Y) = type(loss).__name__, _points(loss)
    _expect_finite(loss, A, Y)
    value = f"{name}.value"
    J = unchanged(value, loss.value, A=A, Y=Y)
    found = f"an array of shape {J.shape}" if isinstance(J, np.ndarray) else repr(J)
    is_number = isinstance(J, (float, np.floating))
    expect(is_number, f"{value} gives {found}, expected a number, a mean over the examples.")
    hint = "It is the mean over the examples of the sum over outputs: divide by m = A.shape[-1]."
    ratio = loss.value(np.hstack([A, A]), np.hstack([Y, Y])) / J
    message = f"{value} of the same examples twice is {ratio:.4g} times as much. {hint}"
    expect(np.isclose(ratio, 1), message)
    singles = np.mean([loss.value(A[:, i : i + 1], Y[:, i : i + 1]) for i in range(A.shape[1])])
    message = f"{value} is {J:.6g}, its mean over the examples one by one {singles:.6g}. {hint}"
    expect(np.isclose(singles, J), message)
    same = np.isclose(loss.mean(loss.each(A, Y)), J)
    expect(same, f"{name}.each has another mean than {value}. Write one of them.")
    expect_any_layout(value, loss.value, A, Y)


@np.errstate(all="ignore")  # whether a warning matters shows in the result
def check_ends(loss: Loss) -> None:
    """Check that a loss is finite where A is at an end: a sigmoid is exactly 1 from Z = 37 on."""
    name, (_, A, Y) = type(loss).__name__, _points(loss)
    for end in filter(math.isfinite, loss.domain):
        limit = "np.maximum(A, np.finfo(A.dtype).tiny)"
        if end != 0:
            limit = "np.minimum(A, 1 - np.finfo(A.dtype).eps)"
        hint = f"at A = {end:g}. Keep A a little inside: {limit}."
        for dtype in (np.float64, np.float32):
            at_end, targets = np.full_like(A, end, dtype), Y.astype(dtype)
            value, dA = loss.value(at_end, targets), loss.back(at_end, targets)
            expect(math.isfinite(value), f"{name}.value is not finite {hint}")
            expect(np.isfinite(dA).all(), f"{name}.back is not finite {hint}")


def check_partner(loss: Loss) -> None:
    """Check `back_from_Z`, which is A - Y if it is not defined, and that the value from Z is J."""
    name, (Z, _, Y), partner = type(loss).__name__, _points(loss), loss.partner
    if partner is None or not loss.is_partner(partner):
        return
    A = partner.forward(Z)
    back_from_Z = f"{name}.back_from_Z"
    dZ = expect_array(back_from_Z, loss.back_from_Z, A, A=A, Y=Y)
    expected = partner.back(loss.back(A, Y), Z, A)
    if type(loss).back_from_Z is Loss.back_from_Z:
        message = f"{name}: behind {partner!r} dZ is not A - Y. Write partner = None."
    else:
        message = f"{back_from_Z} gives another dZ than back and then {partner!r}."
    expect(np.allclose(expected, dZ, rtol=1e-9, atol=1e-12), message)
    same = not loss.subtracts or np.array_equal(dZ, A - Y)
    expect(same, f"{name}.subtracts is True, but {back_from_Z} is not A - Y. Let it be False.")
    with_out(loss.back_from_Z)(A, Y, out=(out := np.empty_like(A)))
    expect(np.array_equal(dZ, out), f"{back_from_Z} must give the same dZ with out=.")
    from_Z = loss.mean(loss.each_from_Z(Z, Y))
    expect(np.isclose(from_Z, loss.value(A, Y)), f"{name}: each_from_Z differs from each.")


CHECKS = (check_mean, check_value_and_back, check_ends, check_partner)
