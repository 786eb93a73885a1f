"""The networks that are measured, and data for them."""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class Network:
    """A network, the optimizer that trains it, and the number of examples in a step.

    One output is a sigmoid with binary cross-entropy; several are a softmax with categorical
    cross-entropy. Inside, every layer has the activation `hidden`.
    """

    sizes: tuple[int, ...]
    m: int
    hidden: str = "relu"
    optimizer: str = "sgd"
    dtype: str = "float32"

    def __str__(self):
        deep = self.sizes[1:-1]
        hidden = [f"{len(deep)}x{deep[0]}"] if len(deep) > 3 and len(set(deep)) == 1 else deep
        sizes = "-".join(map(str, (self.sizes[0], *hidden, self.sizes[-1])))
        precision = " float64" if self.dtype == "float64" else ""
        return f"{sizes} m={self.m}{precision} {self.hidden} {self.optimizer}"

    @property
    def classes(self):
        """How many labels there are."""
        return max(2, self.sizes[-1])

    @property
    def rate(self):
        """A learning rate at which the network trains."""
        return 0.001 if self.optimizer == "adam" else 0.05

    def batch(self, m=None):
        """Return rows X and integer labels y, always the same ones."""
        return examples(m or self.m, self.sizes[0], self.classes, self.dtype)

    def targets(self, y):
        """Return labels as columns: one-hot, or 0 and 1 for a single output."""
        return (
            y[np.newaxis, :]
            == (np.arange(self.classes)[:, np.newaxis] if self.sizes[-1] > 1 else 1)
        ).astype(self.dtype)

    def weights(self):
        """Return (W, b) of each layer, drawn at the He scale."""
        rng = np.random.default_rng(1)
        pairs = zip(self.sizes[:-1], self.sizes[1:], strict=True)
        return [
            (
                (rng.standard_normal((n, k)) * math.sqrt(2 / k)).astype(self.dtype),
                np.zeros((n, 1), self.dtype),
            )
            for k, n in pairs
        ]


@dataclasses.dataclass(frozen=True)
class Images:
    """A network for images of 28x28 and ten classes, trained by plain SGD.

    It has two convolutions with kernels of 5x5, each with a maximum over 2x2 and ReLU behind it,
    then fully connected layers, with a softmax and categorical cross-entropy at the end.
    """

    name: str
    units: tuple[int, int]
    padding: tuple[str, str]
    dense: tuple[int, ...]
    m: int
    rate = 0.05
    classes = 10

    def __str__(self):
        return f"{self.name} m={self.m}"

    @property
    def convolutions(self):
        """(channels, units, rows of the output, padding) of each convolution."""
        found, channels, rows = [], 1, 28
        for units, padding in zip(self.units, self.padding, strict=True):
            rows = rows if padding == "same" else rows - 4
            found.append((channels, units, rows, padding))
            channels, rows = units, rows // 2
        return found

    @property
    def sizes(self):
        """What the fully connected layers take and return."""
        _, units, rows, _ = self.convolutions[-1]
        return (units * (rows // 2) ** 2, *self.dense, self.classes)

    def batch(self, m=None):
        """Return images (m, 1, 28, 28) and integer labels y, always the same ones."""
        X, y = examples(m or self.m, 784, self.classes)
        return X.reshape(-1, 1, 28, 28), y

    def targets(self, y):
        """Return labels as one-hot columns."""
        return (y == np.arange(self.classes)[:, np.newaxis]).astype(np.float32)

    def weights(self):
        """Return (W, b) of each layer, drawn at the He scale."""
        rng = np.random.default_rng(1)
        shapes = [(units, channels, 5, 5) for channels, units, _, _ in self.convolutions]
        shapes += [(n, k) for k, n in zip(self.sizes[:-1], self.sizes[1:], strict=True)]
        return [
            (
                rng.standard_normal(shape, np.float32) * math.sqrt(2 / math.prod(shape[1:])),
                np.zeros((shape[0], 1), np.float32),
            )
            for shape in shapes
        ]


@dataclasses.dataclass(frozen=True)
class Recurrent:
    """A recurrent layer, for sequences of `steps` times `inputs` numbers."""

    kind: str
    units: int
    inputs: int
    steps: int
    m: int
    sequences: bool = False  # whether it returns all steps, or the last

    def __str__(self):
        returned = "all steps" if self.sequences else "last step"
        return f"{self.kind} {self.inputs}-{self.units}, {self.steps} steps, m={self.m}, {returned}"

    def arrays(self):
        """Return the sequences X (inputs, steps, m), and dA of what the layer returns."""
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.inputs, self.steps, self.m), np.float32)
        steps = (self.steps,) if self.sequences else ()
        return X, rng.standard_normal((self.units, *steps, self.m), np.float32)


def examples(m, n, classes, dtype="float32", seed=0):
    """Return m rows of n numbers between 0 and 1, and labels that can be learned from them."""
    rng = np.random.default_rng(seed)
    X = rng.random((m, n), np.float32).astype(dtype)
    y = ((X - 0.5) @ np.random.default_rng(7).standard_normal((n, classes)).astype(dtype)).argmax(
        axis=1
    )
    return X, y


def chosen(table, options):
    """Return the networks of a table that the options ask for."""
    found = [network for network in table if options.match in str(network)]
    return found[:2] if options.few else found


_MNIST = (784, 128, 64, 10)
_SHAPES = (
    Network((2, 4, 1), 4),
    Network((4, 16, 3), 32),
    Network(_MNIST, 32),
    Network(_MNIST, 128),
    Network(_MNIST, 512),
    Network((784, *[64] * 10, 10), 128),
    Network((784, 1024, 1024, 10), 256),
    Network((12288, 20, 7, 5, 1), 209),
    Network((12288, 20, 7, 5, 1), 209, dtype="float64"),
)

STEPS = tuple(
    dataclasses.replace(shape, hidden=hidden, optimizer=optimizer)
    for hidden in ("relu", "tanh", "gelu", "sigmoid")
    for optimizer in ("sgd", "adam")
    for shape in _SHAPES
)
FIT = (Network(_MNIST, 128), Network(_MNIST, 32))
INFERENCE = (
    Network((2, 4, 1), 1),
    Network((4, 16, 3), 1),
    Network(_MNIST, 1),
    Network(_MNIST, 10_000),
)
SCORING = (Network(_MNIST, 1), Network(_MNIST, 1000))
_LENET = Images("LeNet-5", (6, 16), ("same", "valid"), (120, 84), 32)
_WIDE = Images("20-50-500-10", (20, 50), ("valid", "valid"), (500,), 32)
IMAGES = tuple(
    dataclasses.replace(network, m=m) for network in (_LENET, _WIDE) for m in (32, 64, 128)
)
IMAGE_PREDICTION = (dataclasses.replace(_WIDE, m=10_000),)
RECURRENT = tuple(
    Recurrent(kind, 128, 64, 32, 32, sequences)
    for kind in ("LSTM", "GRU")
    for sequences in (False, True)
)
WITH_PARTS = (
    "784-128-64-10 m=128 relu sgd",
    "784-128-64-10 m=512 relu sgd",
    "784-1024-1024-10 m=256 relu sgd",
)
