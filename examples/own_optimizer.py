"""A custom optimizer with a memory.

Run it::

    python examples/own_optimizer.py
"""

import attrs
import numpy as np

import tinynet as tn


@attrs.frozen
class Lion(tn.Optimizer):
    """Steps of one size, against the sign of an average of the gradients (Chen and others 2023).

    With v the memory, from 0::

        params ← params - learning_rate · sign(beta1 · v + (1 - beta1) · grads)
        v      ← beta2 · v + (1 - beta2) · grads
    """

    learning_rate: float | tn.Schedule = tn.optimizers.rate_field(0.0001)
    beta1: float = 0.9
    beta2: float = 0.99

    def apply(self, params, grads):
        """Move params in place; `slot` is the same array at every step, zero at first."""
        v = self.slot("v", params)
        params -= self.rate() * np.sign(self.beta1 * v + (1 - self.beta1) * grads)
        v *= self.beta2
        v += (1 - self.beta2) * grads


def main():
    """Train on handwritten digits, and check the rule; return the accuracy on the test digits."""
    digits = tn.load_digits()
    model = tn.Sequential(
        [tn.Dense(64, "relu"), tn.Dense(10, "softmax")],
        loss="categorical_crossentropy",
        inputs=64,
        seed=1,
    )
    optimizer = Lion(0.001, clip_norm=10.0)  # clipping and schedules work with every optimizer
    model.fit(digits.X_train, digits.y_train, optimizer=optimizer, epochs=15)
    slower = optimizer.evolve(learning_rate=0.0002)  # another rate, the same memory
    model.fit(digits.X_train, digits.y_train, optimizer=slower, epochs=5)
    accuracy = model.evaluate(digits.X_test, digits.y_test, metrics=["accuracy"])["accuracy"]
    print(f"test accuracy {accuracy:.1%}")

    tn.testing.check_optimizer(Lion(0.01))
    print("check_optimizer finds nothing wrong")
    return accuracy


if __name__ == "__main__":
    main()
