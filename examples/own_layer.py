"""A custom layer with two parameters: it scales and shifts each input by learned numbers.

Run it::

    python examples/own_layer.py
"""

import attrs
import numpy as np

import tinynet as tn


@attrs.frozen
class Affine(tn.Layer):
    """Z = w · A_prev + c, with a factor w and a shift c for each input.

    In reverse, with m examples::

        dw      = sum of dZ · A_prev over the examples / m
        dc      = sum of dZ over the examples / m
        dA_prev = w · dZ
    """

    def parameters(self, input_shape):
        """Declare w and c; the model allocates them, and they are cache.w and cache.c."""
        (n,) = input_shape
        return {
            "w": tn.Parameter((n, 1), tn.Initializer.get("constant", value=1.0)),
            "c": tn.Parameter((n, 1), tn.Initializer.get("zeros")),
        }

    def forward(self, A_prev, cache):
        """Return Z; the activation is applied by the model."""
        return cache.w * A_prev + cache.c

    def back(self, dZ, cache):
        """Fill dw and dc, which are means over the examples, and return dA_prev, which is not."""
        cache.dw = np.mean(dZ * cache.A_prev, axis=1, keepdims=True)
        cache.dc = np.mean(dZ, axis=1, keepdims=True)
        return cache.w * dZ


def main():
    """Learn from inputs of very different sizes, and check the layer; return the last loss."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((3, 200)) * [[0.01], [1.0], [10.0]]
    Y = np.tanh(100 * X[:1] - X[1:2] + 0.1 * X[2:])
    model = tn.Sequential(
        [Affine(), tn.Dense(16, "tanh"), tn.Dense(1)], loss="mean_squared_error", inputs=3, seed=1
    )
    print(model.summary())
    history = model.fit(X, Y, optimizer=tn.Adam(0.03), epochs=100)
    print(f"loss {history['loss'][0]:.4f} at first, {history['loss'][-1]:.4f} at last")
    print("the factors it has learned:", model.caches[0].w.ravel().round(2))

    tn.testing.check_layer(Affine(activation="tanh"), 3)
    print("check_layer finds nothing wrong")
    return history["loss"][-1]


if __name__ == "__main__":
    main()
