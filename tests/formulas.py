"""Formulas as users write them in `forward`: functions, masks, pieces, and arrays in place."""

import copy

import numpy as np

import tinynet as tn


def formula(forward):
    """Return an activation that is not registered, for a function of Z."""
    return type("Formula", (tn.Activation,), {"forward": lambda self, Z: forward(Z)})()


def in_pieces(Z):
    """Fill an array mask by mask."""
    A = np.empty_like(Z)
    A[Z > 0] = np.sqrt(Z[Z > 0])
    A[Z <= 0] = -0.5
    A[Z < -2] *= 3
    return A


def in_place(Z):
    """Compute in arrays that are there."""
    A = Z.copy()
    np.multiply(A, 0.5, out=A)
    A += 1
    A[A < 0] = 0
    B = np.zeros_like(A)
    np.add(A, B, out=B)
    np.copyto(B, 7, where=A > 3)
    B.fill(2) if B is A else None
    return B


def with_masks(Z):
    """Compute with masks in place."""
    mask, low = Z > 1, np.zeros_like(Z, dtype=bool)
    mask |= Z < -1
    np.copyto(low, Z < -2)
    low[Z < -3] = False
    np.logical_not(mask, out=mask)
    return np.where(mask, Z, 0.5) + low + mask.astype(bool) * np.logical_or(mask, Z)


def another_name(Z):
    """Write into an array under another name, which astype may or may not give."""
    A = Z.copy()
    same, copied = A.astype(A.dtype, copy=False), A.astype(A.dtype)
    same += 1
    copied *= 2
    return A * copied


FORMULAS_OF_USERS = {
    "masks in place": with_masks,
    "swish": lambda Z: Z / (1 + np.exp(-Z)),
    "of the library's own": lambda Z: (
        tn.activations.Sigmoid().forward(Z) * np.tanh(Z)
        - (tn.activations.ReLU().forward(Z - 1) + tn.activations.Tanh().forward(Z))
    ),
    "numbers": lambda Z: 3 - 2 * Z + 0.25 * Z**2,
    "mish with logaddexp": lambda Z: Z * np.tanh(np.logaddexp(0, Z)),
    "where": lambda Z: np.where(Z > 0, Z, 0.1 * Z),
    "where of numbers": lambda Z: np.where(Z > 1, 1.0, -1.0),
    "where of a number": lambda Z: np.where(np.maximum(Z, 0), 2.0, Z),
    "clip": lambda Z: np.clip(Z, -1, 2) * Z.clip(None, 5) + np.clip(Z, a_min=0, a_max=None),
    "select": lambda Z: np.select([Z < -1, Z < 1], [-1, Z**3], default=Z),
    "piecewise": lambda Z: np.piecewise(Z, [Z < 0, Z >= 2], [lambda z: -z, 4.0, np.sin]),
    "masks": lambda Z: (Z > 0) * Z + 0.5 * ((Z > -1) & (Z < 1)) - (~(Z > 3) | (Z == 0)),
    "sums of masks": lambda Z: ((Z > 0) + (Z > 1)) * 1.0 + ((Z > 0) * (Z < 4)) * Z,
    "masks as numbers": lambda Z: (Z > 0).astype(Z.dtype) - (Z > 0).astype(float) / 2 + 1 * (Z > 2),
    "logical": lambda Z: np.logical_and(Z, Z > -3) * 1.0 + np.logical_xor(Z > 0, Z > 1),
    "pieces": in_pieces,
    "in place": in_place,
    "another name": another_name,
    "masks by masks": lambda Z: np.where(np.where(Z > 0, Z > 1, True), Z, np.float64(2) * Z),
    "a mask like": lambda Z: np.where(np.zeros_like(Z, bool) | (Z > 0), Z, np.zeros_like(Z > 0)),
    "copies": lambda Z: np.add(copy.deepcopy(Z), 1, out=copy.copy(Z)) + Z,
    "like": lambda Z: np.ones_like(Z) + np.full_like(Z, 2.5) * np.copy(Z),
    "constant": lambda Z: np.zeros_like(Z),
    "limits": lambda Z: np.minimum(Z, np.finfo(Z.dtype).max) * np.float64(0.1),
    "powers": lambda Z: np.abs(Z) ** 1.5 + 2.0 ** -np.abs(Z) + np.exp2(-np.abs(Z)),
    "roots": lambda Z: np.sqrt(np.abs(Z)) + np.cbrt(Z) + np.hypot(Z, 1),
    "logarithms": lambda Z: np.log1p(Z**2) + np.log2(np.abs(Z) + 1) - np.log10(Z * Z + 2),
    "near zero": lambda Z: np.expm1(-np.abs(Z)) + np.log1p(np.exp(-np.abs(Z))),
    "angles": lambda Z: np.arctan(Z) + np.arctan2(Z, 1 - Z) + np.sin(Z / 9) * np.cos(Z / 9),
    "quadrants": lambda Z: np.arctan2(np.sign(Z), -np.round(Z)) + np.arctan2(0.0 * Z, -1.0),
    "arcs": lambda Z: np.arcsin(np.clip(Z, -1, 1)) - np.arccos(np.tanh(Z) / 2) + np.tan(np.tanh(Z)),
    "hyperbolic": lambda Z: np.sinh(np.tanh(Z)) + 1 / np.cosh(Z) + np.arcsinh(Z),
    "of hyperbolic": lambda Z: np.arccosh(1 + np.abs(Z)) + np.arctanh(np.tanh(Z) / 2),
    "degrees": lambda Z: np.deg2rad(Z) + np.radians(Z) + np.degrees(Z) / 100,
    "signs": lambda Z: np.sign(Z) + np.heaviside(Z, 0.5) + np.copysign(2, Z) + np.signbit(Z),
    "steps": lambda Z: np.floor(Z) + np.ceil(Z) - np.rint(Z) + np.trunc(Z) + np.round(Z, 1),
    "remainders": lambda Z: np.fmod(Z, 1.75) + np.remainder(Z, 1.75) + Z % -0.75 + Z // 1.75,
    "largest": lambda Z: np.fmax(Z, -1) + np.fmin(Z, 1) + np.maximum(Z, -Z) - np.minimum(Z, 2),
    "tests": lambda Z: np.isfinite(Z) * Z + np.isnan(Z) + np.isinf(Z / 2) + (Z != 0),
    "sinc": lambda Z: np.sinc(Z / 10) + np.square(np.tanh(Z)) + np.reciprocal(2 + np.abs(Z)),
    "for each unit": lambda Z: Z * np.array([[1.0], [2.0], [-1.0]]),
    "a row": lambda Z: Z + np.array([3.0]),
    "in parts": lambda Z: np.positive(Z)[...] + -Z[:] * 2,
    "log of two sums": lambda Z: np.logaddexp2(Z / 9, 1) + np.float_power(np.abs(Z), 0.5),
}
