"""A character model: an LSTM learns to write like a text, one character at a time.

Run it with the path of a text, or without, on the documentation that ships with Python::

    python examples/characters.py                     # or: characters.py my_text.txt --units 256

The network reads a character and gives a probability to each character that may follow. It learns
from the text itself: the target at each step is the next character. The loss is shown in nats per
character, -log of the probability of the right one. It is log(80) = 4.4 before the first step if
the text has 80 different characters. Below 1.6, most words are words: that takes about a minute.
At the end the network writes at three temperatures: a low one repeats itself, a high one misspells.
"""

import argparse
import time
from pydoc_data.topics import topics

import numpy as np

import tinynet as tn

LENGTH = 64  # characters in an example


def read(path=None, size=100_000):
    """Return a text of at most `size` characters."""
    if path is None:
        return "\n".join(topics.values())[:size]
    with open(path, encoding="utf-8") as file:
        return file.read(size)


def examples_of(indices, length=LENGTH):
    """Return X and Y (T, m): the text cut into pieces of T characters, and what follows each."""
    m = (len(indices) - 1) // length
    pieces = indices[: m * length].reshape(m, length)
    next_ones = indices[1 : m * length + 1].reshape(m, length)
    return pieces.T, next_ones.T


def build(n_characters, units, length=LENGTH, seed=1):
    """Return the network: character → vector → what came before → probability of each character."""
    return tn.Sequential(
        [
            tn.Embedding(n_characters, 32),
            tn.LSTM(units, sequences=True),
            tn.Dense(n_characters, "softmax"),
        ],
        loss="categorical_crossentropy",
        inputs=length,
        seed=seed,
    )


def train(model, X, Y, epochs, batch_size=32):
    """Train with Adam, and gradients that are clipped: a long sequence can make them large."""
    rate = tn.schedules.Cosine(0.01, period=epochs, lowest=0.0005, restart=False, by="epoch")
    progress = PerCharacter(len(X))
    return model.fit(
        X, Y, optimizer=tn.Adam(rate, clip_norm=5.0), epochs=epochs, batch_size=batch_size,
        callbacks=[progress],
    )  # fmt: skip


class PerCharacter(tn.Callback):
    """Print the loss of an epoch for each character: the model's is a sum over the steps."""

    def __init__(self, length):
        self.length, self.start = length, time.perf_counter()

    def on_epoch_end(self, epoch, logs):
        """Print a line."""
        nats, seconds = logs["loss"] / self.length, time.perf_counter() - self.start
        print(f"epoch {epoch + 1:3}  {nats:.3f} nats a character  {seconds:.0f} s")


def write(model, characters, beginning, n, temperature, rng):
    """Return `beginning` and n more characters, each drawn with the probabilities of the network.

    A temperature of 1 takes the probabilities p as they are; others take p^(1 / temperature),
    divided by its sum.
    """
    length = model.inputs[0]
    number = {character: i for i, character in enumerate(characters)}
    text = [number[character] for character in beginning]
    for _ in range(n):
        context = text[-length:]
        X = np.zeros((length, 1), int)
        X[: len(context), 0] = context
        p = model.predict(X)[:, len(context) - 1, 0].astype(float) ** (1 / temperature)
        text.append(int(rng.choice(len(p), p=p / p.sum())))
    return "".join(characters[i] for i in text)


def main(path=None, units=192, epochs=20, size=100_000, seed=1):
    """Train, write, and return the last loss in nats a character."""
    text = read(path, size)
    characters, indices = np.unique(list(text), return_inverse=True)
    X, Y = examples_of(indices)
    print(f"{len(text):,} characters, {len(characters)} different ones, {X.shape[1]:,} examples")
    model = build(len(characters), units, seed=seed)
    print(model.summary())
    history = train(model, X, Y, epochs)
    rng = np.random.default_rng(seed)
    for temperature in (0.3, 0.7, 1.0):
        print(f"\n--- temperature {temperature}")
        print(write(model, characters, text[:10], 300, temperature, rng))
    return history["loss"][-1] / len(X)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train a network to write like a text.")
    parser.add_argument("path", nargs="?", help="a text file in UTF-8")
    parser.add_argument("--units", type=int, default=192, help="of the LSTM")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--size", type=int, default=100_000, help="the most characters to read")
    parser.add_argument("--seed", type=int, default=1)
    main(**vars(parser.parse_args()))
