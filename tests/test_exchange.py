"""Networks from and to other libraries: what needs none of them, and scikit-learn's MLPs."""

import functools

import numpy as np
import pytest
from helpers import output_of
from messages import raises

import tinynet as tn
from tinynet._support.library import library
from tinynet.exchange.converters import converter
from tinynet.exchange.entries import entries_of, read, written
from tinynet.exchange.onnx.names import ONNX
from tinynet.exchange.torch.names import TORCH

LAYERS_WITH_ARRAYS = {
    "dense": (tn.Dense(3, "relu"), (2,)),
    "one input": (tn.Dense(3), (1,)),
    "conv": (tn.Conv2D(4, (2, 3), groups=2), (2, 5, 6)),
    "conv1d": (tn.Conv1D(4, 3), (2, 5)),
    "batch norm": (tn.BatchNorm(), (3, 4, 4)),
    "layer norm": (tn.LayerNorm(), (3, 4)),
    "layer norm of examples": (tn.LayerNorm(over="example"), (3, 4)),
    "prelu": (tn.PReLU(), (3, 4)),
    "embedding": (tn.Embedding(5, 3), (4,)),
    "rnn": (tn.SimpleRNN(3), (2, 4)),
    "lstm": (tn.LSTM(3), (2, 4)),
    "gru": (tn.GRU(3), (2, 4)),
    "attention": (tn.SelfAttention(2), (4, 3)),
}


@pytest.mark.parametrize("table", [TORCH, ONNX], ids=["torch", "onnx"])
@pytest.mark.parametrize("name", LAYERS_WITH_ARRAYS)
def test_arrays_come_back(table, name):
    """What is written in another library's layout is read as it was, and is contiguous."""
    layer, inputs = LAYERS_WITH_ARRAYS[name]
    (placed,) = tn.Sequential([layer], inputs=inputs, seed=1).storage.placed
    rng = np.random.default_rng(1)
    ours = {key: rng.normal(size=view.shape) for key, view in placed.arrays.items()}
    entries = entries_of(table, layer, ours)
    theirs = written(entries, ours)
    assert all(array.flags.c_contiguous for array in theirs.values()), "strided arrays"
    back = read(entries, theirs, {key: array.shape for key, array in ours.items()})
    assert back.keys() == ours.keys()
    for key, array in ours.items():
        np.testing.assert_array_equal(array, back[key], err_msg=key)


def two_biases(kind):
    """Return PyTorch's arrays for a recurrent layer of 2 units, with numbers in both biases."""
    (placed,) = tn.Sequential([kind(2)], inputs=(1, 3), seed=1).storage.placed
    entries = entries_of(TORCH, placed.layer, placed.arrays)
    theirs = written(entries, placed.arrays)
    for name, start in (("bias_ih_l0", 1), ("bias_hh_l0", 10)):
        theirs[name] = np.arange(start, start + len(theirs[name]), dtype=float)
    return read(entries, theirs, {key: view.shape for key, view in placed.arrays.items()})


def test_two_biases_of_torch_are_one():
    """Two biases of i, f, g and o in PyTorch are one bias of i, f, o and g here."""
    assert two_biases(tn.LSTM)["b"].ravel().tolist() == [11, 13, 15, 17, 23, 25, 19, 21]
    assert two_biases(tn.SimpleRNN)["b"].ravel().tolist() == [11, 13]


def test_without_pytorch():
    """Without PyTorch an error says what to install, and the rest of the exchange works."""
    code = """
import sys
sys.modules["torch"] = None
import tinynet as tn
tn.exchange.state_dict(tn.Sequential([tn.Dense(1)], inputs=2))
try:
    tn.exchange.to_torch
except ImportError as error:
    print(error)
"""
    message = output_of("-c", code)
    assert "needs the library torch" in message
    assert 'pip install "tinynet[torch]"' in message


def test_a_converter_of_a_parent():
    """A subclass has the converter of its parent if what it defines changes no result."""

    @functools.singledispatch
    def name(layer):
        return "none"

    name.register(tn.Dense, lambda layer: "dense")
    name.register(tn.Activation, lambda activation: "activation")
    pass_through = tn.activations.Identity

    class Same(tn.Dense, name="same_dense"):
        """Nothing else."""

    class SameWithPenalty(tn.Dense, name="dense_with_penalty"):
        """Another cost, and the same result."""

        def penalty(self, cache):
            return 1.0

    class Other(tn.Dense, name="other_dense"):
        """Another result."""

        def bind_forward(self, cache):
            return super().bind_forward(cache)

    class OtherInTurn(Other, name="other_in_turn"):
        """The result of its parent, which is another one."""

    things = [tn.Dense(1), Same(1), SameWithPenalty(1), Other(1), OtherInTurn(1), pass_through()]
    found = [converter(name, thing)(thing) for thing in things]
    assert found == ["dense", "dense", "dense", "none", "none", "none"]


# scikit-learn

MLPS = {
    "binary": ("MLPClassifier", "log_loss", lambda y: y % 2),
    "classes": ("MLPClassifier", "log_loss", lambda y: y),
    "labels": ("MLPClassifier", "log_loss", lambda y: np.stack([y % 2, y > 1], axis=1)),
    "number": ("MLPRegressor", "squared_error", lambda y: y * 1.5),
    "numbers": ("MLPRegressor", "squared_error", lambda y: np.stack([y, -y], axis=1)),
}


def fitted(kind, activation, dtype):
    """Return a fitted MLP of scikit-learn, and its rows."""
    neural_network = pytest.importorskip("sklearn.neural_network", reason="an extra")
    name, _, targets = MLPS[kind]
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(40, 5)).astype(dtype), np.arange(40) % 4
    settings = {"hidden_layer_sizes": (4, 3), "solver": "lbfgs", "max_iter": 3}
    mlp = getattr(neural_network, name)(activation=activation, random_state=1, **settings)
    return mlp.fit(X, targets(y)), X


@pytest.mark.filterwarnings("ignore")  # three iterations do not converge
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("kind", MLPS)
def test_from_sklearn(kind, activation, dtype):
    """A model computes what an MLP of scikit-learn does, in its dtype."""
    mlp, X = fitted(kind, activation, dtype)
    model = tn.exchange.from_sklearn(mlp)
    is_classifier = MLPS[kind][0] == "MLPClassifier"
    expected = mlp.predict_proba(X) if is_classifier else mlp.predict(X).reshape(len(X), -1)
    expected = expected[:, 1:] if kind == "binary" else expected
    tolerance = 1e-6 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(model.predict(X.T).T, expected, rtol=0, atol=tolerance)
    assert model.dtype == mlp.coefs_[0].dtype


def test_what_is_no_mlp():
    """What is not an MLP, or is not fitted, is refused."""
    neural_network = pytest.importorskip("sklearn.neural_network", reason="an extra")
    with raises(TypeError, "mlp is dict, expected a fitted MLPClassifier"):
        tn.exchange.from_sklearn({})
    with raises(TypeError, "MLPRegressor is not fitted", "mlp.fit(X, y)"):
        tn.exchange.from_sklearn(neural_network.MLPRegressor())


@pytest.mark.filterwarnings("ignore")  # three iterations do not converge
def test_an_mlp_within_another_estimator():
    """Of a pipeline and a search, the message says where the MLP is."""
    mlp, X = fitted("number", "relu", "float64")
    pipeline = pytest.importorskip("sklearn.pipeline").make_pipeline(mlp)
    with raises(TypeError, "mlp is Pipeline", "mlp[-1]"):
        tn.exchange.from_sklearn(pipeline)
    search = pytest.importorskip("sklearn.model_selection").GridSearchCV(mlp, {"alpha": [1.0]})
    search.fit(X, X[:, 0])
    with raises(TypeError, "mlp is GridSearchCV", "mlp.best_estimator_"):
        tn.exchange.from_sklearn(search)
    assert tn.exchange.from_sklearn(pipeline[-1]).inputs == (5,)
    assert tn.exchange.from_sklearn(search.best_estimator_).inputs == (5,)


def test_a_library_that_is_missing():
    """What is not installed is named, with the command that installs it."""
    with raises(ModuleNotFoundError, "no_such_library", 'pip install "tinynet[torch]"'):
        library("no_such_library.numpy", "torch")
