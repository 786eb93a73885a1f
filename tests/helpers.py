"""What several files of tests need beside messages.py."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import attrs
import numpy as np

import tinynet as tn

# The environment of another process, which imports the package that is tested.
TESTED = os.environ | {"PYTHONPATH": str(Path(tn.__file__).parents[1])}


def registered(family):
    """Return the library's own classes of a family by name, without those that tests define."""
    classes = {name: family._classes[name] for name in family.names()}
    return {name: cls for name, cls in classes.items() if cls.__module__.startswith("tinynet.")}


@contextlib.contextmanager
def unchanged(model):
    """Expect that the parameters are to the bit what they were before."""
    before = model.params.tobytes()
    yield
    assert before == model.params.tobytes(), "the parameters have changed"


def output_of(*arguments, env=TESTED, **how):
    """Run Python in another process, which must not fail, and return what it prints."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False, **how)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@attrs.frozen
class Trace(tn.Layer):
    """Z[:, t] = W · A_prev[:, t] + r · Z[:, t-1]: the smallest layer that takes time in order."""

    sequences: bool = True

    def parameters(self, input_shape):
        shape = (input_shape[0], 1)
        return {"W": tn.Parameter(shape, "normal"), "r": tn.Parameter(shape, "normal")}

    def output_shape(self, input_shape):
        return input_shape if self.sequences else input_shape[:1]

    def forward(self, A_prev, cache):
        cache.steps = np.zeros_like(A_prev)
        for t in range(A_prev.shape[1]):
            cache.steps[:, t] = cache.W * A_prev[:, t] + (
                cache.r * cache.steps[:, t - 1] if t else 0
            )
        return cache.steps if self.sequences else cache.steps[:, -1]

    def back(self, dZ, cache):
        d, dW, dr, dA_prev = 0, 0, 0, np.empty_like(cache.steps)
        for t in reversed(range(dA_prev.shape[1])):
            is_last = t == dA_prev.shape[1] - 1
            d = cache.r * d + (dZ[:, t] if self.sequences else dZ if is_last else 0)
            dW = dW + np.mean(d * cache.A_prev[:, t], axis=1, keepdims=True)
            dr = dr + (np.mean(d * cache.steps[:, t - 1], axis=1, keepdims=True) if t else 0)
            dA_prev[:, t] = cache.W * d
        cache.dW, cache.dr = dW, dr + np.zeros_like(dW)
        return dA_prev
