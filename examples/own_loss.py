"""A custom loss: a value that is too small costs more than one that is too large.

Run it::

    python examples/own_loss.py
"""

import attrs
import numpy as np

import tinynet as tn


@attrs.frozen
class Quantile(tn.Loss):
    """J = 1/m Σ max(q (Y - A), (q - 1) (Y - A)): it is least where A is the q-quantile of Y.

    It has no partner among the activations, so back-propagation begins at dA[L] (Koenker and
    Bassett 1978).
    """

    q: float = attrs.field(
        default=0.5, converter=float, validator=[attrs.validators.gt(0), attrs.validators.lt(1)]
    )

    def each(self, A, Y):
        """Return the loss of each output of each example."""
        return np.maximum(self.q * (Y - A), (self.q - 1) * (Y - A))

    def back(self, A, Y):
        """Return dA for each example: -q where A is too small, 1 - q where it is too large."""
        return (A > Y) - np.full_like(A, self.q)


def main():
    """Learn the 90 % quantile with a checked loss; return the share of examples below it."""
    rng = np.random.default_rng(1)
    X = rng.uniform(-1, 1, (1, 2000))
    Y = X**2 + rng.exponential(0.3, X.shape)
    model = tn.Sequential([tn.Dense(16, "tanh"), tn.Dense(1)], loss=Quantile(0.9), inputs=1, seed=1)
    model.fit(X, Y, optimizer=tn.Adam(0.01), epochs=60)
    below = float(np.mean(model.predict(X) > Y))
    print(f"{below:.1%} of the examples lie below the prediction, expected 90 %")

    tn.testing.check_loss(Quantile(0.9))
    print("check_loss finds nothing wrong")
    return below


if __name__ == "__main__":
    main()
