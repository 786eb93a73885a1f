"""What every loss must pass."""

from __future__ import annotations

import math

import numpy as np

from tinynet._buffers import Array
from tinynet.losses import Loss
from tinynet.testing._expect import expect, expect_array, kept
from tinynet.testing._gradients import TOLERANCE, compare


def _loss_points(loss: Loss) -> tuple[Array, Array, Array]:
    """Return Z, an A within the loss's domain, and Y, of (3, 20)."""
    rng, (low, high) = np.random.default_rng(0), loss.domain
    Z = rng.standard_normal((3, 20)) * 2
    A = Z if np.isinf(low) else low + np.exp(Z) if np.isinf(high) else low + (high - low) / (1 + np.exp(-Z))
    one_hot = (rng.integers(3, size=20) == np.arange(3)[:, np.newaxis]).astype(float)
    return Z, A, rng.standard_normal(Z.shape) * 2 if np.isinf(low) else one_hot


def check_value_and_back(loss: Loss) -> None:
    """See that back is the derivative of value, for each example, and both keep their manners."""
    name, (_, A, Y) = type(loss).__name__, _loss_points(loss)
    dA = kept(f"{name}.back", loss.back, A=A, Y=Y)
    expect_array(f"{name}.back", dA, A.shape, np.dtype(np.float64))
    single = loss.back(A.astype(np.float32), Y.astype(np.float32))
    expect_array(f"{name}.back", single, A.shape, np.dtype(np.float32))
    J = kept(f"{name}.value", loss.value, A=A, Y=Y)
    expect(isinstance(J, (float, np.floating)), f"{name}.value must return a number; it gives {J!r}")
    error, told = compare(f"{name}.back / m", lambda: loss.value(A, Y), A, dA / A.shape[-1])
    expect(error <= TOLERANCE, told)


def check_mean(loss: Loss) -> None:
    """See that a loss is a mean over the examples, and of numbers alone, not of where they lie."""
    name, (_, A, Y) = type(loss).__name__, _loss_points(loss)
    J = loss.value(A, Y)
    ratio = loss.value(np.hstack([A, A]), np.hstack([Y, Y])) / J
    hint = "value is the mean over the examples of the sum over the outputs: divide by m = A.shape[-1]"
    expect(np.isclose(ratio, 1), f"{name}.value of the same examples twice is {ratio:.4g} times as much; {hint}")
    singles = np.mean([loss.value(A[:, i : i + 1], Y[:, i : i + 1]) for i in range(A.shape[1])])
    told = f"{name}.value is {J:.6g}, its mean over the examples one by one {singles:.6g}; {hint}"
    expect(np.isclose(singles, J), told)
    hint = "write value and each as one formula, or leave out each"
    expect(np.allclose(loss.each(A, Y).mean(), J), f"{name}.each has another mean than {name}.value; {hint}")
    same = np.isclose(loss.value(np.asfortranarray(A), np.asfortranarray(Y)), J)
    expect(same, f"{name}.value of the same numbers differs when they lie otherwise in memory")


@np.errstate(all="ignore")  # whether a warning matters shows in the result
def check_ends(loss: Loss) -> None:
    """See that a loss is finite where A is as far as it goes: a sigmoid is exactly 1 from Z = 37 on."""
    name, (_, A, Y) = type(loss).__name__, _loss_points(loss)
    for end in filter(math.isfinite, loss.domain):
        for dtype in (np.float64, np.float32):
            at_end, Y_at_end = np.full_like(A, end, dtype), Y.astype(dtype)
            hint = f"at A = {end:g}; keep A a little inside, as in np.clip(A, np.finfo(A.dtype).tiny, ...)"
            expect(math.isfinite(loss.value(at_end, Y_at_end)), f"{name}.value is not finite {hint}")
            expect(np.isfinite(loss.back(at_end, Y_at_end)).all(), f"{name}.back is not finite {hint}")


def check_partner(loss: Loss) -> None:
    """See that dZ[L] is A[L] - Y with the partner, and the value from Z the same."""
    name, (Z, _, Y) = type(loss).__name__, _loss_points(loss)
    if loss.partner is not None:
        A = loss.partner.forward(Z)
        dZ = loss.partner.back(loss.back(A, Y), Z, A)
        is_one = np.allclose(dZ, loss.partner_back(A, Y), rtol=1e-9, atol=1e-12)
        expect(is_one, f"{name}: with {loss.partner!r} dZ is not A - Y, so it is no partner; write partner = None")
        expect(np.isclose(loss.partner_value(Z, Y), loss.value(A, Y)), f"{name}: partner_value differs from value")


CHECKS = (check_value_and_back, check_mean, check_ends, check_partner)
