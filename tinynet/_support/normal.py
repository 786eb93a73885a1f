r"""The standard normal distribution, which NumPy does not have.

For x = |z|, Φ(-x) = exp(-x²/2) · Q(t) / (1 + x) with t = (x - 4)/(x + 4). Q is nearly constant
(Shepherd and Laframboise 1981), so a polynomial is enough. This one interpolates Q, computed to
60 digits, at Chebyshev nodes over the x where Φ(-x) is not yet zero.
"""

import math

import numpy as np

from tinynet._support.arrays import Array

# Coefficients of Q, lowest power first.
_DOUBLE = (
    0.47205320650984467, -0.09670347732652593, 0.013999634724427472, 0.028600364053555594,
    -0.03219783742822351, 0.017936097479707987, -0.005002378587636007, -0.00028562310044514215,
    0.0006948970622209957, -9.443022406266223e-05, -8.78528790989041e-05, 2.1249886753065626e-05,
    1.3625505787564054e-05, -3.4317585948087605e-06, -2.60898287673991e-06, 4.040392044262432e-07,
    5.447320554120519e-07, 8.963382592902105e-10, -1.0262759082749593e-07, -1.784092052380041e-08,
    1.2183731448226301e-08, 4.107631350253858e-09,
)  # fmt: skip
_SINGLE = (
    0.4720531859, -0.09670311647, 0.01400082916, 0.02859139135, -0.03221132763,
    0.01799361922, -0.004937925432, -0.0004160260904, 0.0005611698989,
)  # fmt: skip


def normal_density(z: Array) -> Array:
    """Return exp(-z²/2)/√(2π)."""
    E = _exp_half_square(z)
    E *= 1 / math.sqrt(2 * math.pi)
    return E


def normal_tail(x: Array) -> Array:
    """Return Φ(-x) for x ≥ 0, with full relative precision except that of exp(-x²/2)."""
    above = x + 4
    t = x - 4
    t /= above
    lowest_last = (_SINGLE if t.dtype == np.float32 else _DOUBLE)[::-1]
    Q = t * lowest_last[0]
    for coefficient in lowest_last[1:-1]:
        Q += coefficient
        Q *= t
    Q += lowest_last[-1]
    Q /= np.subtract(above, 3, out=above)
    Q *= _exp_half_square(x)
    return Q


@np.errstate(over="ignore")  # x² overflows where the result is 0
def _exp_half_square(x: Array) -> Array:
    # x² is rounded, so the result is off by up to x²/4 units in the last place. The largest x that
    # matters is 38.
    E = np.square(x)
    E *= -0.5
    return np.exp(E, out=E)
