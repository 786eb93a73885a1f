"""How deep can a network be? Digits, read by networks with shortcuts and without.

Run it::

    python examples/residual.py
"""

import tinynet as tn

UNITS = 32


def network(blocks, shortcuts, seed=1):
    """Return a network with so many blocks of two layers, each with a shortcut past it or not.

    The second layer of a residual block begins at 0. So the block begins as the identity, and
    learns what to add to it.
    """
    layers = [tn.Dense(UNITS, "relu")]
    for _ in range(blocks):
        if shortcuts:
            inner = [tn.Dense(UNITS, "relu"), tn.Dense(UNITS, init="zeros")]
            layers.append(tn.Residual(inner, activation="relu"))
        else:
            layers += [tn.Dense(UNITS, "relu"), tn.Dense(UNITS, "relu")]
    layers.append(tn.Dense(10, "softmax"))
    return tn.Sequential(layers, loss="categorical_crossentropy", inputs=64, seed=seed)


def accuracy(model, digits):
    """Train a model, and return the share of the test digits that it reads."""
    optimizer = tn.Adam(0.002)
    model.fit(digits.X_train, digits.y_train, optimizer, epochs=8, batch_size=64)
    return model.evaluate(digits.X_test, digits.y_test, ["accuracy"])["accuracy"]


def main(seed=1):
    """Print the accuracy for several depths; return it by depth, without shortcuts and with."""
    digits, table = tn.load_digits(), {}
    print(network(blocks=2, shortcuts=True).summary())
    print("layers   without shortcuts   with shortcuts")
    for blocks in (1, 5, 15, 30):
        layers = 2 * blocks + 2
        both = [accuracy(network(blocks, shortcuts, seed), digits) for shortcuts in (False, True)]
        table[layers] = plain, residual = both
        print(f"{layers:6}   {plain:17.1%}   {residual:14.1%}")
    return table


if __name__ == "__main__":
    main()
