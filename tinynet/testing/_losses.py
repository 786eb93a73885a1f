"""What every loss must pass."""

from __future__ import annotations

import math

import numpy as np

from tinynet._support.arrays import Array
from tinynet.losses import Loss
from tinynet.testing._expect import expect, expect_array, kept
from tinynet.testing._gradients import TOLERANCE, compare


def _loss_points(loss: Loss) -> tuple[Array, Array, Array]:
    """Return Z, an A within the loss's domain, and Y, of (3, 20)."""
    rng, (low, high) = np.random.default_rng(0), loss.domain
    Z = rng.standard_normal((3, 20)) * 2
    A = (
        Z
        if np.isinf(low)
        else low + np.exp(Z)
        if np.isinf(high)
        else low + (high - low) / (1 + np.exp(-Z))
    )
    one_hot = (rng.integers(3, size=20) == np.arange(3)[:, np.newaxis]).astype(float)
    return Z, A, rng.standard_normal(Z.shape) * 2 if np.isinf(low) else one_hot


def check_value_and_back(loss: Loss) -> None:
    """See that back is the derivative of value, for each example, and both keep their manners."""
    name, (_, A, Y) = type(loss).__name__, _loss_points(loss)
    dA = kept(f"{name}.back", loss.back, A=A, Y=Y)
    expect_array(f"{name}.back", dA, A.shape, np.dtype(np.float64))
    single = loss.back(A.astype(np.float32), Y.astype(np.float32))
    expect_array(f"{name}.back", single, A.shape, np.dtype(np.float32))
    error, told = compare(f"{name}.back / m", lambda: loss.value(A, Y), A, dA / A.shape[-1])
    expect(error <= TOLERANCE, told + _likely_fault(loss, A, Y, dA))


def _likely_fault(loss: Loss, A: Array, Y: Array, dA: Array) -> str:
    """Say which of the usual mistakes explains a wrong derivative, if one does."""
    h, right = 1e-6, np.empty_like(A)
    for at in np.ndindex(A.shape):
        step = np.zeros_like(A)
        step[at] = h
        right[at] = (loss.value(A + step, Y) - loss.value(A - step, Y)) / (2 * h) * A.shape[-1]
    for factor, told in (
        (A.shape[-1], "back is divided by m: it is for each example, so leave out the 1/m"),
        (1 / A.shape[-1], "back is m times too much: it is for each example"),
        (-1, "its sign is wrong"),
    ):
        if np.allclose(dA * factor, right, rtol=1e-4, atol=1e-6):
            return f"; {told}"
    if np.allclose(dA, A - Y, rtol=1e-6):
        return "; A - Y is dZ[L], in which the slope of the partner is; back returns dA[L]"
    ratios = dA / np.where(right == 0, np.nan, right)
    if np.nanmax(ratios) - np.nanmin(ratios) < 1e-4:
        return f"; it is {np.nanmean(ratios):.4g} times the slope everywhere: look for a factor too many or too few"
    return ""


def check_mean(loss: Loss) -> None:
    """See that a loss is a mean over the examples, and of numbers alone, not of where they lie."""
    name, (_, A, Y) = type(loss).__name__, _loss_points(loss)
    J = kept(f"{name}.value", loss.value, A=A, Y=Y)
    what = f"an array of shape {J.shape}" if isinstance(J, np.ndarray) else repr(J)
    is_number = isinstance(J, (float, np.floating))
    expect(
        is_number, f"{name}.value must return a number, a mean over the examples; it gives {what}"
    )
    ratio = loss.value(np.hstack([A, A]), np.hstack([Y, Y])) / J
    hint = (
        "value is the mean over the examples of the sum over the outputs: divide by m = A.shape[-1]"
    )
    expect(
        np.isclose(ratio, 1),
        f"{name}.value of the same examples twice is {ratio:.4g} times as much; {hint}",
    )
    singles = np.mean([loss.value(A[:, i : i + 1], Y[:, i : i + 1]) for i in range(A.shape[1])])
    told = f"{name}.value is {J:.6g}, its mean over the examples one by one {singles:.6g}; {hint}"
    expect(np.isclose(singles, J), told)
    hint = "write value and each as one formula, or leave out each"
    expect(
        np.allclose(loss.each(A, Y).mean(), J),
        f"{name}.each has another mean than {name}.value; {hint}",
    )
    same = np.isclose(loss.value(np.asfortranarray(A), np.asfortranarray(Y)), J)
    expect(same, f"{name}.value of the same numbers differs when they lie otherwise in memory")


@np.errstate(all="ignore")  # whether a warning matters shows in the result
def check_ends(loss: Loss) -> None:
    """See that a loss is finite where A is as far as it goes: a sigmoid is exactly 1 from Z = 37 on."""
    name, (_, A, Y) = type(loss).__name__, _loss_points(loss)
    for end in filter(math.isfinite, loss.domain):
        for dtype in (np.float64, np.float32):
            at_end, Y_at_end = np.full_like(A, end, dtype), Y.astype(dtype)
            inside = (
                "np.maximum(A, np.finfo(A.dtype).tiny)"
                if end == 0
                else "np.minimum(A, 1 - np.finfo(A.dtype).eps)"
            )
            hint = f"at A = {end:g}; keep A a little inside, as in {inside}"
            expect(
                math.isfinite(loss.value(at_end, Y_at_end)), f"{name}.value is not finite {hint}"
            )
            expect(
                np.isfinite(loss.back(at_end, Y_at_end)).all(), f"{name}.back is not finite {hint}"
            )


def check_partner(loss: Loss) -> None:
    """See that dZ[L] is A[L] - Y with the partner, and the value from Z the same."""
    name, (Z, _, Y) = type(loss).__name__, _loss_points(loss)
    if loss.partner is not None:
        A = loss.partner.forward(Z)
        dZ = loss.partner.back(loss.back(A, Y), Z, A)
        is_one = np.allclose(dZ, loss.partner_back(A, Y), rtol=1e-9, atol=1e-12)
        expect(
            is_one,
            f"{name}: with {loss.partner!r} dZ is not A - Y, so it is no partner; write partner = None",
        )
        expect(
            np.isclose(loss.partner_value(Z, Y), loss.value(A, Y)),
            f"{name}: partner_value differs from value",
        )


CHECKS = (check_mean, check_value_and_back, check_ends, check_partner)
