"""A custom layer made of layers: a highway, with a gate that decides what passes unchanged.

Run it::

    python examples/own_composite.py
"""

import attrs

import tinynet as tn


@attrs.frozen
class Highway(tn.Layer):
    """Z = g · H + (1 - g) · A_prev, with H and g from two chains of layers.

    Where the gate g is 0, A_prev passes unchanged (Srivastava, Greff and Schmidhuber, "Highway
    networks", 2015, https://arxiv.org/abs/1505.00387). In reverse::

        dH = g · dZ        dg = (H - A_prev) · dZ
        dA_prev = dA_prev of both chains + (1 - g) · dZ
    """

    layers: tuple = tn.layers.chain_field()
    gate: tuple = tn.layers.chain_field()

    @property
    def chains(self):
        """Name the chains; the model allocates their arrays, and they are cache.chains."""
        return self.layers, self.gate

    def forward(self, A_prev, cache):
        """Return Z; the cache holds what back needs."""
        cache.H, cache.g = (chain.forward(A_prev) for chain in cache.chains)
        return cache.g * cache.H + (1 - cache.g) * A_prev

    def back(self, dZ, cache):
        """Take both chains back, which fills their gradients, and return dA_prev."""
        layers, gate = cache.chains
        through_H = layers.back(dZ * cache.g)
        through_g = gate.back(dZ * (cache.H - cache.A_prev))
        return through_H + through_g + (1 - cache.g) * dZ


def main(blocks=6):
    """Train highways, one after the other, on two spirals; check the layer; return the accuracy."""
    X, Y = tn.datasets.make_spirals(400, seed=1, turns=1.5)
    highway = Highway([tn.Dense(8, "tanh")], [tn.Dense(8, "sigmoid")])
    layers = [tn.Dense(8, "tanh"), *[highway] * blocks, tn.Dense(1, "sigmoid")]
    model = tn.Sequential(layers, loss="binary_crossentropy", inputs=2, seed=1)
    for l in range(2, blocks + 2):
        model.b[l, 2, 1] -= 2  # b of the gate, the second chain: it begins nearly shut
    print(model.summary())
    model.fit(X, Y, optimizer=tn.Adam(0.01), epochs=100)
    accuracy = model.evaluate(X, Y, metrics=["accuracy"])["accuracy"]
    print(f"accuracy {accuracy:.1%} after {blocks} highways")

    tn.testing.check_layer(highway, 8)
    print("check_layer finds nothing wrong")
    return accuracy


if __name__ == "__main__":
    main()
