"""An optimizer of your own, with a memory.

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

    learning_rate: float = attrs.field(
        default=0.0001, converter=float, validator=attrs.validators.ge(0)
    )
    beta1: float = attrs.field(default=0.9, converter=float)
    beta2: float = attrs.field(default=0.99, converter=float)

    def update(self, params, grads):
        """Move params in place; `recall` keeps v from step to step."""
        v = self.recall("v", params)
        params -= self.learning_rate * np.sign(self.beta1 * v + (1 - self.beta1) * grads)
        v *= self.beta2
        v += (1 - self.beta2) * grads


def main():
    """Train with it on handwritten digits, and check it; return the accuracy on the test digits."""
    digits = tn.load_digits()
    model = tn.Sequential(
        [tn.Dense(64, "relu"), tn.Dense(10, "softmax")],
        loss="categorical_crossentropy",
        inputs=64,
        seed=1,
    )
    model.fit(digits.X_train, digits.y_train, optimizer=Lion(0.001), epochs=20)
    accuracy = model.evaluate(digits.X_test, digits.y_test, metrics=["accuracy"])["accuracy"]
    print(f"test accuracy {accuracy:.1%}")

    tn.testing.check_optimizer(Lion(0.01))
    print("check_optimizer finds nothing wrong")
    return accuracy


if __name__ == "__main__":
    main()
