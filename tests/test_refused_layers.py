"""What layers refuse: settings and shapes that cannot be meant."""

import re

import numpy as np
import pytest
from messages import raises

from tinynet import (
    GRU,
    LSTM,
    Activate,
    AveragePool2D,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePool,
    LayerNorm,
    MaxPool2D,
    Reshape,
    SelfAttention,
    Sequential,
    SimpleRNN,
)
from tinynet.errors import ShapeError, UnknownNameError


def build(*layers, inputs):
    return lambda: Sequential(layers, inputs=inputs, seed=1)


REFUSED = [
    # Layers beside Dense
    (lambda: Dropout(1), ValueError, "rate is 1.0, expected … at least 0 and below 1"),
    (lambda: Dropout(-0.1), ValueError, "rate is -0.1, expected … at least 0 and below 1"),
    (lambda: BatchNorm(momentum=1.0), ValueError, "momentum is 1.0, expected … below 1"),
    (lambda: BatchNorm(epsilon=0), ValueError, "epsilon is 0.0, expected … above 0"),
    (lambda: LayerNorm(epsilon=np.inf), ValueError, "epsilon is inf, expected a finite number"),
    (lambda: Reshape((-1, -1)), ValueError, "shape is (-1, -1), expected … one of … may be -1"),
    (lambda: Reshape((2, 0)), ValueError, "shape is (2, 0), expected whole numbers of at least 1"),
    (lambda: Reshape(()), ValueError,
     "shape is (), expected … without the examples: Reshape((8, 8))."),
    (lambda: Reshape(2.5), TypeError, "shape is 2.5, expected whole numbers"),
    (lambda: Activate("rellu"), UnknownNameError, "no activation is called 'rellu' … : relu"),
    (build(Dense(12), Reshape((5, 2)), inputs=3), ShapeError,
     "layer 2 (Reshape): … shape (12,) has 12 numbers, expected 10 for Reshape(shape=(5, 2))"),
    (build(Reshape((5, -1)), inputs=(3, 4)), ShapeError,
     "layer 1 (Reshape): … shape (3, 4) has 12 numbers, expected a multiple of 5"),
    (lambda: Sequential([Dense(2)], "huber").fit(np.ones((3, 4, 5)), np.ones((2, 5))), ShapeError,
     "Y has shape (2, 5), expected that of A[L], (2, 4, 5). Put Flatten() before the last Dense"),
    # Convolutions
    (lambda: Conv2D(0), ValueError, "units is 0, expected a whole number of at least 1"),
    (lambda: Conv2D(3, 0), ValueError, "Conv2D: kernel is 0, expected … at least 1"),
    (lambda: Conv2D(3, (3, 3, 3)), ValueError,
     "Conv2D: kernel is (3, 3, 3), expected … a pair of them, (rows, columns)."),
    (lambda: Conv2D(3, 2.5), TypeError, "Conv2D: kernel is 2.5, expected a whole number"),
    (lambda: Conv2D(3, "relu"), TypeError,
     "Conv2D: kernel is 'relu', expected … For an activation, write activation='relu'."),
    (lambda: Conv2D(3, stride=0), ValueError, "Conv2D: stride is 0, expected … at least 1"),
    (lambda: Conv2D(3, stride=(1, 0)), ValueError, "stride is (1, 0), expected … at least 1"),
    (lambda: Conv2D(3, stride=None), TypeError, "Conv2D: stride is None, expected … at least 1"),
    (lambda: Conv2D(3, dilation=-1), ValueError, "Conv2D: dilation is -1, expected … at least 1"),
    (lambda: Conv2D(3, padding=-1), ValueError,
     "Conv2D: padding is -1, expected 'valid', 'same', a whole number of at least 0, or a pair"),
    (lambda: Conv2D(3, padding="full"), ValueError,
     "Conv2D: padding is 'full', expected 'valid', 'same', a whole number"),
    (lambda: Conv2D(3, padding=True), ValueError, "Conv2D: padding is True, expected 'valid'"),
    (lambda: Conv1D(3, (3,)), TypeError, "Conv1D: kernel is (3,), … number of at least 1."),
    (lambda: Conv1D(3, padding="SAME"), ValueError, "Conv1D: padding is 'SAME', expected … 'same'"),
    (lambda: Conv2D(4, groups=3), ValueError,
     "Conv2D: units is 4, expected a multiple of groups, which is 3. Use units=6, or groups=1."),
    (lambda: Conv2D(4, groups=0), ValueError, "groups is 0, expected … at least 1"),
    (lambda: Conv2D(4, l2=-1), ValueError, "Conv2D: l2 is -1"),
    (build(Conv2D(3), inputs=(28, 28)), ShapeError,
     "layer 1 (Conv2D): … (28, 28, m), expected images (C, H, W, m). … pass X[np.newaxis]"),
    (build(Conv2D(3), inputs=(28, 28)), ShapeError,
     "X[np.newaxis] and inputs=(1, 28, 28), or put Reshape((1, 28, 28)) before this layer."),
    (build(Conv2D(3), inputs=784), ShapeError,
     "layer 1 (Conv2D): … (784, m), expected images (C, H, W, m). Put Reshape((C, H, W)) before"),
    (build(Conv2D(3), Conv1D(3), inputs=(1, 5, 5)), ShapeError,
     "layer 2 (Conv1D): … (3, 3, 3, m), expected sequences (C, T, m)."),
    (build(Conv2D(3), Conv1D(3), inputs=(1, 5, 5)), ShapeError,
     "sequences (C, T, m). An example has its channels first; the last axis is the examples."),
    (build(Conv1D(3), inputs=20), ShapeError,
     "layer 1 (Conv1D): … (20, m), expected sequences (C, T, m). … Reshape((1, 20))"),
    (build(Conv2D(3, (3, 5)), inputs=(1, 4, 4)), ShapeError,
     "layer 1 (Conv2D): The input has shape (1, 4, 4, m), and a window spans 3 x 5 entries"),
    (build(Conv2D(3, (3, 5)), inputs=(1, 4, 4)), ShapeError,
     'expected at most 4 x 4, padding included. Use kernel=(3, 4), or padding="same".'),
    (build(Conv2D(3, 7, padding=1), inputs=(1, 4, 4)), ShapeError,
     "spans 7 x 7 entries, expected at most 6 x 6, … Use kernel=(6, 6), or"),
    (build(Conv2D(3, 3, dilation=3), inputs=(1, 4, 9)), ShapeError,
     "spans 7 x 7 entries, expected at most 4 x 9, … Use kernel=(2, 3), or"),
    (build(Conv1D(3, 5), inputs=(1, 4)), ShapeError, "at most 4, … Use kernel=4, or"),
    (build(Conv2D(3), inputs=(10, 1, 28)), ShapeError,
     'or padding="same". If X holds images (m, C, H, W), pass np.moveaxis(X, 0, -1).'),
    (build(Conv2D(3, 5), inputs=(10, 3, 4)), ShapeError, "If X holds images (m, C, H, W), pass"),
    (build(Conv2D(3, 5), inputs=(10, 3, 3)), ShapeError, re.compile('at most 3 x 3, .*="same".$')),
    (build(Conv2D(3, 5), inputs=(10, 4, 28)), ShapeError, re.compile('most 4 x 28, .*="same".$')),
    (build(Conv2D(4, groups=2), inputs=(3, 8, 8)), ShapeError,
     "layer 1 (Conv2D): … (3, 8, 8, m), … channels that is a multiple of groups, which is 2."),
    (build(Conv2D(4, groups=2), inputs=(3, 8, 8)), ShapeError, "Use groups=1."),
    (build(Conv2D(12, groups=4), inputs=(6, 8, 8)), ShapeError, "Use groups=1 or 2 or 3 or 6."),
    # Pooling
    (lambda: MaxPool2D(0), ValueError, "MaxPool2D: size is 0, expected … at least 1, or a pair"),
    (lambda: MaxPool2D(2, stride=0), ValueError, "MaxPool2D: stride is 0, expected … at least 1"),
    (lambda: AveragePool2D(2.0), TypeError, "AveragePool2D: size is 2.0, expected a whole number"),
    (lambda: MaxPool2D(2, padding="full"), ValueError,
     "MaxPool2D: padding is 'full', expected 'valid', 'same', a whole number of at least 0"),
    (lambda: MaxPool2D(2, padding=2), ValueError,
     "MaxPool2D: padding is 2, expected less than size, 2, so that each window has an entry"),
    (lambda: AveragePool2D((3, 2), padding=(2, 2)), ValueError,
     'AveragePool2D: padding is 2, … size, (3, 2), … Use a larger size, or padding="same".'),
    (build(MaxPool2D(), inputs=(28, 28)), ShapeError,
     "layer 1 (MaxPool2D): … (28, 28, m), expected images (C, H, W, m). … X[np.newaxis]"),
    (build(Flatten(), MaxPool2D(), inputs=(1, 8, 8)), ShapeError,
     "layer 2 (MaxPool2D): … (64, m), expected images … Put Reshape((C, H, W)) before"),
    (build(MaxPool2D(3), inputs=(1, 2, 5)), ShapeError,
     "layer 1 (MaxPool2D): The input has shape (1, 2, 5, m), and a window spans 3 x 3 entries"),
    (build(MaxPool2D(3), inputs=(1, 2, 5)), ShapeError,
     'expected at most 2 x 5, padding included. Use size=(2, 3), or padding="same".'),
    (build(Dense(4), GlobalAveragePool(), inputs=3), ShapeError,
     "layer 2 (GlobalAveragePool): The input has shape (4, m), expected channels with positions"),
    (build(Dense(4), GlobalAveragePool(), inputs=3), ShapeError,
     "positions, such as (C, H, W, m) or (C, T, m). Put … before Flatten(), or leave it out."),
    # Sequences
    (lambda: SelfAttention(2, 1), ValueError, "causal is 1, expected True or False."),
    (build(LSTM(3), inputs=4), ShapeError,
     "layer 1 (LSTM): … (4, m), expected (n, T, m): n features at each of T steps. A recurrent"),
    (build(LSTM(3), inputs=4), ShapeError,
     "of one feature, pass X[np.newaxis]. If it holds tokens, put Embedding(tokens, units) first"),
    (build(LSTM(3), GRU(2), inputs=(4, 5)), ShapeError,
     "layer 2 (GRU): … (3, m), expected (n, T, m) … needs sequences=True"),
    (build(SimpleRNN(3), inputs=(4, 5, 6)), ShapeError,
     "(4, 5, 6, m), expected (n, T, m) … Put Reshape((4, -1)) before this layer."),
    (build(SelfAttention(1), inputs=4), ShapeError, "layer 1 (SelfAttention): … (4, m), expected"),
    (build(SelfAttention(4), inputs=(6, 5)), ShapeError,
     "n = 6 features, expected a multiple of heads=4. Choose heads from 1, 2, 3, 6"),
    (lambda: SelfAttention(0), ValueError, "heads is 0, expected a whole number of at least 1"),
    (lambda: SelfAttention(2, causal="no"), ValueError, "causal is 'no', expected True or False"),
    (lambda: LSTM(0), ValueError, "units is 0, expected a whole number of at least 1"),
    (lambda: GRU(3, 5), ValueError, "GRU: sequences is 5, expected True or False"),
    (lambda: Embedding(0, 3), ValueError, "tokens is 0, expected a whole number of at least 1"),
    (lambda: Embedding(5, 2.5), TypeError, "units is 2.5, expected a whole number"),
    (build(Dense(3), Embedding(5, 2), inputs=3), ValueError, "layer 2 (Embedding) … first"),
]  # fmt: skip
IDS = [getattr(message, "pattern", message).replace("…", "...") for _, _, message in REFUSED]


@pytest.mark.parametrize(("make", "error", "message"), REFUSED, ids=IDS)
def test_what_is_refused(make, error, message):
    """The error has the kind and the words of the table."""
    with raises(error, message):
        make()
