"""Models that go to other libraries: every layer by itself, with numbers in all its arrays."""

import numpy as np

import tinynet as tn

# Layers, and the shape of an example
LAYERS = {
    "dense": (tn.Dense(3, "relu"), (2,)),
    "dense of sequences": (tn.Dense(3, "tanh"), (2, 4)),
    "dense of images": (tn.Dense(3), (2, 4, 5)),
    "conv": (tn.Conv2D(4, 3, "relu"), (3, 6, 5)),
    "conv with all": (
        tn.Conv2D(4, (2, 3), stride=(2, 1), padding="same", dilation=(1, 2), groups=2), (2, 7, 6),
    ),
    "conv with zeros": (tn.Conv2D(4, 3, padding=(2, 1)), (2, 4, 6)),
    "depthwise": (tn.Conv2D(6, 3, groups=3), (3, 5, 6)),
    "conv1d": (tn.Conv1D(4, 3, stride=2, padding="same"), (2, 8)),
    "conv1d in groups": (tn.Conv1D(4, 3, groups=2, dilation=2, padding=3), (2, 8)),
    "max pool": (tn.MaxPool2D(2), (3, 6, 7)),
    "max pool, same": (tn.MaxPool2D(3, 2, "same", activation="relu"), (3, 6, 7)),
    "max pool with padding": (tn.MaxPool2D(3, 1, (1, 0)), (3, 6, 7)),
    "average pool": (tn.AveragePool2D(2), (3, 6, 7)),
    "average pool, same": (tn.AveragePool2D(3, 2, "same"), (3, 6, 7)),
    "average pool with padding": (tn.AveragePool2D((3, 2), 1, 1), (3, 6, 7)),
    "global average pool": (tn.GlobalAveragePool(), (3, 6, 7)),
    "global average pool of sequences": (tn.GlobalAveragePool(), (3, 6)),
    "batch norm": (tn.BatchNorm(), (3,)),
    "batch norm of images": (tn.BatchNorm(epsilon=1e-3), (3, 4, 4)),
    "layer norm": (tn.LayerNorm(), (5,)),
    "layer norm of sequences": (tn.LayerNorm(), (3, 4)),
    "layer norm of images": (tn.LayerNorm(), (3, 4, 2)),
    "layer norm of examples": (tn.LayerNorm(over="example"), (3, 4)),
    "dropout": (tn.Dropout(0.5), (3,)),
    "flatten": (tn.Flatten(), (3, 4, 2)),
    "flatten columns": (tn.Flatten(), (3,)),
    "reshape": (tn.Reshape((4, -1)), (3, 8)),
    "activate": (tn.Activate("softmax"), (3, 4)),
    "prelu": (tn.PReLU(), (3,)),
    "prelu of images": (tn.PReLU(), (3, 4, 4)),
    "embedding": (tn.Embedding(5, 3), (4,)),
    "embedding of one": (tn.Embedding(5, 3), (1,)),
    "embedding of several": (tn.Embedding(5, 3), (2, 3)),
    "rnn": (tn.SimpleRNN(3), (2, 4)),
    "rnn of sequences": (tn.SimpleRNN(3, sequences=True), (2, 4)),
    "lstm": (tn.LSTM(3, activation="relu"), (2, 4)),
    "lstm of sequences": (tn.LSTM(3, sequences=True), (2, 4)),
    "gru": (tn.GRU(3), (2, 4)),
    "gru of sequences": (tn.GRU(3, sequences=True), (2, 4)),
    "attention": (tn.SelfAttention(2), (4, 3)),
    "causal attention": (tn.SelfAttention(2, causal=True), (4, 5)),
    "bidirectional": (tn.Bidirectional(tn.LSTM(3)), (2, 5)),
    "bidirectional sequences": (tn.Bidirectional(tn.GRU(3, sequences=True)), (2, 5)),
    "residual": (tn.Residual([tn.Dense(8, "relu"), tn.Dense(4)], activation="relu"), (4,)),
    "branches": (tn.Branches([[tn.Dense(3, "relu"), tn.Dense(2)], [tn.Dense(4)]]), (5,)),
    "sum of branches": (tn.Branches([[tn.Dense(2)]] * 3, join="add"), (5,)),
    "branches of one": (tn.Branches([[tn.Dense(2)]], join="add"), (5,)),
}  # fmt: skip


def filled(layers, inputs, dtype="float32", loss=None, seed=1):
    """Return a model with random numbers in all its arrays, biases and statistics too."""
    model = tn.Sequential(layers, loss, inputs, dtype, seed)
    rng = np.random.default_rng(seed)
    for at in model.storage.placed:
        for name, view in at.arrays.items():
            is_positive = name in ("gamma", "running_variance")
            low, high = (0.5, 1.5) if is_positive else (-0.5, 0.5)
            view[...] = rng.uniform(low, high, view.shape)
    return model


def examples(model, m, seed=1):
    """Return m examples for a model: numbers, or indices where it begins with an Embedding."""
    rng, shape = np.random.default_rng(seed), (*model.inputs, m)
    if model.takes.are_indices:
        return rng.integers(0, model.takes.n_indices, shape)
    return rng.normal(size=shape).astype(model.dtype)
