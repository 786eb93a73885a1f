"""What users write with annotations: it passes ``mypy --strict``."""

from collections.abc import Mapping, Sequence
from typing import Any, assert_type

import attrs
import numpy as np
from numpy.typing import NDArray

import tinynet as tn


class Swish(tn.Activation):
    def forward(self, Z: tn.Array) -> tn.Array:
        return Z / (1 + np.exp(-Z))


class Cubed(tn.Activation):
    def forward(self, Z: NDArray[Any]) -> NDArray[Any]:
        A: NDArray[Any] = Z**3
        return A

    def back(self, dA: NDArray[Any], Z: NDArray[Any], A: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(3 * Z**2 * dA)


@attrs.frozen
class Signum(tn.Optimizer):
    learning_rate: float | tn.Schedule = tn.optimizers.rate_field(0.01)
    decay: float = 0.9

    def apply(self, params: tn.Array, grads: tn.Array) -> None:
        v = self.slot("mean", params)
        v *= self.decay
        v += (1 - self.decay) * grads
        params -= self.rate() * np.sign(v)


@attrs.frozen
class Scale(tn.Layer):
    start: float = 1.0

    def parameters(self, input_shape: tuple[int, ...]) -> dict[str, tn.Parameter]:
        init = tn.Initializer.get("constant", value=self.start)
        return {"g": tn.Parameter((*input_shape, 1), init)}

    def forward(self, A_prev: tn.Array, cache: tn.Cache) -> tn.Array:
        return cache.g * A_prev

    def back(self, dZ: tn.Array, cache: tn.Cache) -> tn.Array:
        cache.dg = np.mean(dZ * cache.A_prev, axis=1, keepdims=True)
        return cache.g * dZ


class Valve(tn.layers.Composite):
    def forward(self, A_prev: tn.Array, cache: tn.Cache) -> tn.Array:
        cache.gate = cache.chains[0].forward(A_prev)
        return A_prev * cache.gate

    def back(self, dZ: tn.Array, cache: tn.Cache) -> tn.Array:
        return dZ * cache.gate + cache.chains[0].back(dZ * cache.A_prev)


@attrs.frozen
class ProductOfTwo(tn.Layer):
    one: Sequence[tn.Layer] = tn.layers.chain_field()
    other: Sequence[tn.Layer] = tn.layers.chain_field()

    @property
    def chains(self) -> tuple[tuple[tn.Layer, ...], ...]:
        return tuple(self.one), tuple(self.other)

    def forward(self, A_prev: tn.Array, cache: tn.Cache) -> tn.Array:
        cache.factors = [chain.forward(A_prev) for chain in cache.chains]
        return cache.factors[0] * cache.factors[1]

    def back(self, dZ: tn.Array, cache: tn.Cache) -> tn.Array:
        (one, other), (A_one, A_other) = cache.chains, cache.factors
        return one.back(dZ * A_other) + other.back(dZ * A_one)


class Squared(tn.Loss):
    def each(self, A: tn.Array, Y: tn.Array) -> tn.Array:
        return (A - Y) ** 2

    def back(self, A: tn.Array, Y: tn.Array) -> tn.Array:
        return 2 * (A - Y)


class WithinOne(tn.Metric):
    larger_is_better = True

    def measure(self, Y: tn.Array, A: tn.Array) -> float:
        return float(np.mean(np.abs(Y - A) <= 1))


class Halving(tn.Schedule):
    def at(self, t: int) -> float:
        return float(0.5**t)


class Ones(tn.Initializer):
    def draw(self, shape: tuple[int, ...], rng: Any) -> tn.Array:
        return np.ones(shape)


class Last(tn.Callback):
    loss = 0.0

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        self.loss = logs["loss"]


for thing in (Swish(), Cubed(), Signum(), Squared(), WithinOne(), Halving(), Ones()):
    assert tn.testing.grade(thing).passed, thing
assert tn.testing.grade(Scale(), 3).passed
assert tn.testing.grade(Valve([Scale(), tn.Dense(3, "sigmoid")], activation="relu"), 3).passed
assert tn.testing.grade(ProductOfTwo([tn.Dense(3)], [tn.Dense(3, "tanh")]), 3).passed
for block in (tn.Residual([tn.Dense(3), "dropout"]), tn.Branches([[tn.Dense(2)], [Scale()]])):
    assert tn.testing.grade(block, 3).passed

model = tn.Sequential([Scale(), tn.Dense(1, "swish", init="ones")], loss="squared", inputs=2)
X, Y = np.ones((2, 5)), np.ones(5)
last = Last()
history = model.fit(X, Y, optimizer=Signum(0.1), metrics=["r2", WithinOne()], callbacks=[last])
assert_type(history, tn.History)
assert_type(model.forward(X), NDArray[Any])
assert_type(model.cost(Y), float)
model.back(Y, input_gradient=True)
for array in (model.W[2], model.Z[1], model.A[0], model.dA[0], model.dW[2], model.db[2]):
    assert_type(array, NDArray[Any])
model.W[2] = np.ones((1, 2))
assert_type(model.params, NDArray[Any])
assert_type(model.get_parameters(), dict[str, NDArray[Any]])
assert_type(model.predict(X), NDArray[Any])
assert_type(model.evaluate(X, Y), dict[str, float])
assert_type(model.back_layer(2, np.ones((1, 5)))[0], NDArray[Any])
assert_type(tn.Activation.get("relu"), tn.Activation)
assert_type(tn.testing.check_gradients(model, X, Y), float)
assert_type(tn.functional.sigmoid(X)[0], NDArray[Any])
