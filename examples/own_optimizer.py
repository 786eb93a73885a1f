"""A custom optimizer with a memory.

Run it::

    python examples/own_optimizer.py
"""

import attrs
import numpy as np

import tinynet as tn


@attrs.frozen
class AdaBelief(tn.Optimizer):
    """Adam with larger steps where the gradients are as expected (Zhuang and others 2020).

    With v and s the memory, from 0, and t the number of the step::

        v      ← beta1 · v + (1 - beta1) · grads
        s      ← beta2 · s + (1 - beta2) · (grads - v)² + epsilon
        params ← params - learning_rate · v / (1 - beta1ᵗ) / (√(s / (1 - beta2ᵗ)) + epsilon)
    """

    learning_rate: float | tn.Schedule = tn.optimizers.rate_field(0.001)
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def apply(self, params, grads):
        """Move params in place; `slot` is the same array at every step, zero at first."""
        v, s, t = self.slot("v", params), self.slot("s", params), self.number()
        v *= self.beta1
        v += (1 - self.beta1) * grads
        s *= self.beta2
        s += (1 - self.beta2) * (grads - v) ** 2 + self.epsilon
        size = np.sqrt(s / (1 - self.beta2**t)) + self.epsilon
        params -= self.rate() / (1 - self.beta1**t) * v / size


def main():
    """Train on handwritten digits, and check the rule; return the accuracy on the test digits."""
    digits = tn.load_digits()
    model = tn.Sequential(
        [tn.Dense(64, "relu"), tn.Dense(10, "softmax")],
        loss="categorical_crossentropy",
        inputs=64,
        seed=1,
    )
    optimizer = AdaBelief(0.001, clip_norm=10.0)  # clipping and schedules work with every optimizer
    model.fit(digits.X_train, digits.y_train, optimizer=optimizer, epochs=15)
    slower = optimizer.evolve(learning_rate=0.0002)  # another rate, the same memory
    model.fit(digits.X_train, digits.y_train, optimizer=slower, epochs=5)
    accuracy = model.evaluate(digits.X_test, digits.y_test, metrics=["accuracy"])["accuracy"]
    print(f"test accuracy {accuracy:.1%}")

    tn.testing.check_optimizer(AdaBelief(0.01))
    print("check_optimizer finds nothing wrong")
    return accuracy


if __name__ == "__main__":
    main()
