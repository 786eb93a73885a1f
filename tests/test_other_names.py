"""A name of another library, or a misspelt one, gets the error that says what it is called here."""

import numpy as np
import pytest
from messages import raises

import tinynet as tn
from tinynet import SGD, Dense, Sequential

X, Y = np.ones((3, 6)), np.ones((1, 6))


def network(inputs=3):
    return Sequential([Dense(1)], "mean_squared_error", inputs=inputs, seed=1)


MODEL_HAS = {
    "compile": "Sequential(..., loss=...) and fit(..., optimizer=", "backward": "model.back(Y)",
    "add": "[*model.layers, layer]", "predict_proba": "model.predict(X)",
    "predict_classes": "model.predict_labels(X)", "score": "model.evaluate(X, Y, metrics=",
    "train_on_batch": "optimizer.step(model)", "parameters": "model.params",
    "state_dict": "model.get_parameters()", "zero_grad": "model.back(Y) overwrites",
    "weights": "model.W[l]", "get_weights": "model.get_parameters()", "coefs_": "model.W[l]",
    "loss_curve_": 'history["loss"]', "set_weights": "model.set_parameters", "optimizer": "fit(",
    "input_shape": "model.inputs", "fti": "model.fit", "predcit": "model.predict", "to": "CPU",
    "W1": "use model.W[1].", "db12": "use model.db[12].",
    "step": "Use optimizer.step(model), after model.forward(X) and model.back(Y).",
}  # fmt: skip


@pytest.mark.parametrize("name", MODEL_HAS)
@pytest.mark.parametrize("inputs", [3, None])
def test_names_of_a_model(name, inputs):
    model = network(inputs=inputs)
    with raises(AttributeError, f"model has no attribute {name!r}", MODEL_HAS[name]):
        getattr(model, name)
    with raises(AttributeError, "'Sequential' object has no attribute '_compile'"):
        model._compile  # noqa: B018  a name of Python's, or of nobody


@pytest.mark.parametrize(("module", "name", "ours"), [
    (tn, "Model", "tn.Sequential"), (tn, "Input", "inputs=n_0"), (tn, "nn", "tn.layers"),
    (tn, "Linear", "tn.Dense"), (tn, "SGDOptimizer", "tn.SGD"), (tn, "Sequental", "tn.Sequential"),
    (tn, "optim", "tn.optimizers"), (tn.layers, "Linear", "tn.layers.Dense"),
    (tn.layers, "BatchNormalization", "tn.layers.BatchNorm"), (tn.metrics, "auc", "roc_auc"),
    (tn.optimizers, "Momentum", "tn.optimizers.SGD"),
    (tn.activations, "Hardswish", "tn.activations.HardSiLU"),
    (tn, "Add", 'join="add"'), (tn.layers, "Concatenate", "Branches([[...], [...]])"),
    (tn, "Dropout2d", 'per="channel"'), (tn.layers, "SpatialDropout2D", 'per="channel"'),
    (tn, "TimeDistributed", "Dense(units)"), (tn, "ZeroPadding2D", "padding="),
    (tn.schedules, "MultiStepLR", "tn.schedules.Piecewise"),
])  # fmt: skip
def test_names_of_a_module(module, name, ours):
    with raises(AttributeError, f"has no attribute {name!r}", ours):
        getattr(module, name)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: SGD(lr=0.1), ["SGD has no field 'lr'", "learning_rate, "]),
    (lambda: tn.Adam(eps=0.1), ["Adam has no field 'eps'", "are epsilon, "]),
    (lambda: Dense(3, activaton="relu"), ["'activaton'", "are activation, "]),
    (lambda: Dense(3, kernel_initializer="zeros"), ["'kernel_initializer'", "are init, "]),
    (lambda: Dense(10, input_shape=(3,)), ["'input_shape'", "Sequential(..., inputs=n_0)"]),
    (lambda: tn.activations.ReLU(slope=1), ["ReLU has no field 'slope'", "has none"]),
    (lambda: SGD().evolve(lr=1), ["'lr'", "learning_rate, "]),
])  # fmt: skip
def test_names_of_fields(call, words):
    """A constructor says what a field is called, as `get` does."""
    with raises(TypeError, *words):
        call()


@pytest.mark.parametrize(("argument", "words"), [
    ("nb_epoch", "use epochs"), ("learning_rate", "optimizer=SGD(learning_rate=0.1)"),
    ("bacth_size", "nearest name is batch_size"), ("loss", "Sequential(..., loss=...)"),
    ("frozen", "callbacks=[Freeze("), ("weights", "use sample_weight."),
    ("max_iter", "use epochs"), ("anything", "expected X, Y, optimizer, epochs"),
])  # fmt: skip
def test_names_of_arguments(argument, words):
    with raises(TypeError, "fit", repr(argument), words):
        network().fit(X, Y, **{argument: 3})


@pytest.mark.parametrize(("thing", "name", "words"), [
    (SGD(), "zero_grad", "model.back(Y) overwrites"), (SGD(), "lr", "optimizer.learning_rate"),
    (SGD(), "param_groups", "evolve"), (Dense(2), "weight", "model.W[l]"),
    (Dense(2), "out_features", "layer.units"), (SGD(), "anything", "no attribute"),
])  # fmt: skip
def test_names_of_a_description(thing, name, words):
    with raises(AttributeError, repr(name), words):
        getattr(thing, name)


def test_a_class_with_an_init_of_its_own():
    """Its arguments need not be fields."""

    class Scaled(tn.Activation):
        def __init__(self, factor=1.0, **others):
            object.__setattr__(self, "factor", factor)

        def forward(self, Z):
            return self.factor * Z

    assert Scaled(factor=2.0, more=1).factor == 2.0


@pytest.mark.parametrize(("name", "words"), [
    ("dtpye", "model.dtype"), ("learning_rate", "optimizer=SGD("), ("optimizer", "fit("),
    ("layer", "model.layers"), ("seed", "Sequential(..., seed=1)"), ("nparams", "model.n_params"),
    ("stop_training", "self.run.stop("), ("trainable", "callbacks=[Freeze("),
    ("dtype", "Sequential(..., dtype="), ("inputs", "Sequential(..., inputs="),
    ("W1", "use model.W[1] = M."), ("dW12", "use model.dW[12] = M."), ("b2", "use model.b[2] = M."),
    ("A2", "use model.A[2][:] = M."), ("dZ1", "use model.dZ[1][:] = M."),
])  # fmt: skip
def test_assignments_that_nothing_would_read(name, words):
    model = network()
    with raises(AttributeError, name, words):
        setattr(model, name, 1)
    assert name not in vars(model) or name in ("dtype", "inputs")


def test_attributes_of_your_own():
    """A model may carry a note, and other methods; and a subclass what it likes."""

    class Mine(Sequential):
        def __init__(self):
            self.optimizer, self.W1 = SGD(0.5), 3
            super().__init__([Dense(1)], "mean_squared_error")

    model = network()
    model.history, model.scale, model._lr = model.fit(X, Y), 3, 4
    model.predict, model.W1x, model.Q1 = max, 4, 5
    assert (model.scale, model._lr, model.predict) == (3, 4, max)
    assert (model.W1x, model.Q1) == (4, 5)
    assert (Mine().optimizer, Mine().W1) == (SGD(0.5), 3)
