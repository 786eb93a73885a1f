"""The estimators of tinynet.sklearn do in scikit-learn what its own estimators do."""

import pickle
import threading
from functools import partial

import numpy as np
import pytest
from helpers import output_of
from messages import missing, raises, warns

import tinynet as tn

sklearn = pytest.importorskip("sklearn", reason="the extra sklearn is not installed")

from sklearn import datasets  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.calibration import CalibratedClassifierCV  # noqa: E402
from sklearn.compose import TransformedTargetRegressor  # noqa: E402
from sklearn.ensemble import BaggingClassifier, StackingRegressor  # noqa: E402
from sklearn.exceptions import DataConversionWarning, NotFittedError  # noqa: E402
from sklearn.inspection import partial_dependence, permutation_importance  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402

from tinynet.sklearn import NetworkClassifier, NetworkRegressor  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::tinynet.errors.TrainingWarning")
Classifier = partial(NetworkClassifier, random_state=0)
Regressor = partial(NetworkRegressor, random_state=0)


@pytest.fixture(scope="module")
def iris():
    """Rows of four features, scaled, and three classes."""
    X, y = datasets.load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def numbers():
    """Rows of four features, and two numbers for each."""
    X = np.random.default_rng(0).standard_normal((120, 4))
    return X, np.stack([X[:, 0] - X[:, 1] ** 2, 3 + X[:, 2]], axis=1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("estimator", [NetworkClassifier(), NetworkRegressor()], ids=str)
def test_check_estimator(estimator):
    """Every check of scikit-learn passes with default settings."""
    results = check_estimator(estimator, on_fail=None, on_skip=None)
    assert [] == [each["check_name"] for each in results if each["status"] == "failed"]
    assert len([each for each in results if each["status"] == "passed"]) > 50


# What y says


@pytest.mark.parametrize(("y_of", "classes", "units", "loss"), [
    (lambda y: np.where(y == 1, "yes", "no"), ["no", "yes"], 1, "binary_crossentropy"),
    (lambda y: y == 1, [False, True], 1, "binary_crossentropy"),
    (lambda y: np.array(["rose", "lily", "iris"])[y], ["iris", "lily", "rose"], 3,
     "categorical_crossentropy"),
    (lambda y: y * 10 - 7, [-7, 3, 13], 3, "categorical_crossentropy"),
    (lambda y: np.array(["rose", "lily", "iris"], object)[y], ["iris", "lily", "rose"], 3,
     "categorical_crossentropy"),
    (lambda y: (np.array([[0, 1], [1, 0], [1, 1]])[y]), [0, 1], 2, "binary_crossentropy"),
], ids=["words", "bool", "three words", "numbers", "objects", "multilabel"])  # fmt: skip
def test_classes(iris, y_of, classes, units, loss):
    """y may be words or numbers, of two classes or of several, or several labels an example."""
    X, y = iris[0], y_of(iris[1])
    network = Classifier([16], epochs=60, optimizer=tn.Adam(0.02)).fit(X, y)
    assert classes == network.classes_.tolist()
    assert (units, loss) == (network.model_.outputs[0], network.model_.loss.registered_name)
    assert network.score(X, y) > 0.9
    predicted, P, Z = network.predict(X), network.predict_proba(X), network.decision_function(X)
    assert predicted.shape == y.shape
    assert predicted.dtype.kind == (y.dtype.kind if y.ndim == 1 else "i")
    assert np.log(P) == pytest.approx(network.predict_log_proba(X))
    if y.ndim == 2:
        assert (len(X), 2) == P.shape == Z.shape
        assert np.array_equal(predicted, P > 0.5)
    else:
        assert (len(X), len(classes)) == P.shape
        assert np.ones(len(X)) == pytest.approx(P.sum(axis=1))
        assert np.array_equal(predicted, network.classes_[P.argmax(axis=1)])
        assert Z.shape == ((len(X),) if units == 1 else P.shape)
        decided = Z > 0 if units == 1 else Z.argmax(axis=1)
        assert np.array_equal(predicted, network.classes_[decided.astype(int)])


@pytest.mark.parametrize(("settings", "units", "last", "loss", "has_proba"), [
    ({}, 1, "sigmoid", "binary_crossentropy", True),
    ({"output": "softmax"}, 2, "softmax", "categorical_crossentropy", True),
    ({"loss": "categorical_crossentropy"}, 2, "softmax", "categorical_crossentropy", True),
    ({"loss": "hinge"}, 1, "identity", "hinge", False),
    ({"output": "tanh"}, 1, "tanh", "hinge", False),
    ({"loss": "mean_squared_error"}, 1, "sigmoid", "mean_squared_error", True),
    ({"loss": tn.losses.BinaryCrossentropy(label_smoothing=0.1)}, 1, "sigmoid",
     "binary_crossentropy", True),
])  # fmt: skip
def test_outputs_for_two_classes(iris, settings, units, last, loss, has_proba):
    """Output and loss follow from one another, and probabilities are there where they are."""
    X, y = iris[0][:100], np.where(iris[1][:100] == 1, "b", "a")
    network = Classifier([8], epochs=40, optimizer=tn.Adam(0.02), **settings)
    assert has_proba == hasattr(network, "predict_proba"), "before the fit"
    model = network.fit(X, y).model_
    assert (units, last, loss) == (
        model.outputs[0], model.layers[-1].activation.registered_name, model.loss.registered_name
    )  # fmt: skip
    assert has_proba == hasattr(network, "predict_proba")
    assert network.score(X, y) > 0.95
    assert (100,) == network.decision_function(X).shape


@pytest.mark.parametrize("settings", [{"output": "sigmoid"}, {"loss": "hinge"}], ids=str)
def test_one_against_the_rest(iris, settings):
    """Several classes may have an output each that is a yes or no by itself."""
    X, y = iris
    network = Classifier([16], epochs=60, optimizer=tn.Adam(0.02), **settings).fit(X, y)
    assert network.score(X, y) > 0.9
    if hasattr(network, "predict_proba"):
        assert np.ones(len(X)) == pytest.approx(network.predict_proba(X).sum(axis=1))


def test_numbers(numbers):
    """A regressor predicts y of its shape: (m,), (m, 1) or (m, 2)."""
    X, y = numbers
    for targets in (y[:, 0], y[:, :1], y):
        network = Regressor(epochs=60, optimizer=tn.Adam(0.01)).fit(X, targets)
        assert targets.shape == network.predict(X).shape
        assert network.score(X, targets) > 0.9


def test_far_targets(numbers):
    """The mean of y, with its weights, is where a regressor starts."""
    X, y, w = numbers[0], 1e4 + numbers[1], np.arange(120.0)
    network = Regressor([4], epochs=1, optimizer=tn.SGD(0.0)).fit(X, y, sample_weight=w)
    assert np.average(y, axis=0, weights=w) == pytest.approx(network.model_.b[2][:, 0])


# Parameters


def test_nested_parameters():
    """The settings of an optimizer, of activations and others are parameters of the estimator."""
    network = NetworkClassifier(activation="leaky_relu")
    params = network.get_params()
    assert (0.001, 0.01) == (params["optimizer__learning_rate"], params["activation__slope"])
    assert "output__slope" not in params
    network.set_params(optimizer="sgd", optimizer__momentum=0.9, activation__slope=0.2)
    assert tn.SGD(momentum=0.9) == network.optimizer
    assert tn.activations.LeakyReLU(0.2) == network.activation
    copied = clone(network)
    assert network.get_params() == copied.get_params()
    with raises(ValueError, "Invalid parameter 'rate' for optimizer", "momentum"):
        network.set_params(optimizer__rate=1)
    with raises(ValueError, "Invalid parameter 'nonsense'"):
        network.set_params(nonsense=1)


@pytest.mark.parametrize("value", [None, 3, "", object(), [], {}, {"name": 3}, np.nan, tn.Dense])
@pytest.mark.parametrize("name", ["activation", "loss", "optimizer", "init", "output", "metrics"])
def test_nonsense_is_refused_by_fit(iris, name, value):
    """Nonsense may be set, shown and read; fit raises a ValueError that names the parameter."""
    network = Classifier([2], epochs=1, **{name: value})
    assert value is network.get_params()[name]
    assert repr(network)
    clone(network)
    if name == "metrics" and value == []:
        return
    with raises(ValueError, f"{name!r} parameter of NetworkClassifier"):
        network.fit(*iris)


@pytest.mark.parametrize(("settings", "words"), [
    ({"layers": [4, "8"]}, ["'layers' parameter", "Got '8'"]),
    ({"layers": [0]}, ["'layers' parameter", "Got 0"]),
    ({"layers": "relu"}, ["'layers' parameter", "Got 'relu'"]),
    ({"epochs": 0}, ["'epochs' parameter", "Got 0"]),
    ({"batch_size": 0}, ["'batch_size' parameter", "Got 0"]),
    ({"l2": -1.0}, ["'l2' parameter", "Got -1.0"]),
    ({"validation_fraction": 1.0}, ["'validation_fraction' parameter", "Got 1.0"]),
    ({"tol": -1}, ["'tol' parameter", "Got -1"]),
    ({"dtype": "float16"}, ["'dtype' parameter", "float16"]),
    ({"class_weight": "even"}, ["'class_weight' parameter", "Got 'even'"]),
    ({"activation": "rellu"}, ["'activation' parameter", "rellu", "relu"]),
    ({"optimizer": "adamm"}, ["'optimizer' parameter", "adamm", "adam"]),
    ({"metrics": ["acc"]}, ["acc", "accuracy"]),
    ({"layers": [tn.Reshape((1, 3, 3))]}, ["4 numbers", "expected 9"]),
])  # fmt: skip
def test_bad_parameters(iris, settings, words):
    """Wrong parameters are refused by fit, with a ValueError in scikit-learn's words."""
    network = Classifier(**settings)
    with pytest.raises((ValueError, LookupError)) as caught:
        network.fit(*iris)
    assert not missing(str(caught.value), words), str(caught.value)
    assert isinstance(caught.value, ValueError) or "metrics" in settings


def test_optimizer_is_never_changed(iris):
    """An optimizer that is passed keeps its memory, and a fit does not depend on it."""
    used = tn.Adam(0.01)
    model = tn.Sequential([tn.Dense(1)], "mean_squared_error", inputs=4, seed=0)
    model.fit(iris[0].T, iris[1], used)
    memory = {name: array.copy() for name, array in used.memory.items()}
    network = Classifier([4], epochs=3, optimizer=used).fit(*iris)
    other = clone(network).set_params(optimizer=tn.Adam(0.01)).fit(*iris)
    assert used is network.optimizer
    assert all(np.array_equal(array, used.memory[name]) for name, array in memory.items())
    assert np.array_equal(other.model_.params, network.model_.params)


# Layers


@pytest.mark.parametrize(("layers", "settings", "kinds"), [
    (8, {}, "Dense Dense"),
    ([], {}, "Dense"),
    ([8, tn.Dropout(0.2), tn.Dense(4, "tanh")], {}, "Dense Dropout Dense Dense"),
    ([np.int64(8), tn.BatchNorm(), tn.LayerNorm()], {}, "Dense BatchNorm LayerNorm Dense"),
    ([tn.Reshape((1, 2, 2)), tn.Conv2D(3, 2, "relu"), 5], {},
     "Reshape Conv2D Flatten Dense Dense"),
    ([tn.Conv2D(3, 2, "relu")], {"inputs": (1, 2, 2)}, "Reshape Conv2D Flatten Dense"),
    ([tn.LSTM(3)], {"inputs": (2, 2)}, "Reshape LSTM Dense"),
    (tn.Residual([tn.Dense(4, "relu")]), {}, "Residual Dense"),
])  # fmt: skip
def test_layers(iris, layers, settings, kinds):
    """Layers are numbers of units or layers, and are flattened where columns are needed."""
    network = Classifier(layers, epochs=2, **settings).fit(*iris)
    assert kinds == " ".join(type(layer).__name__ for layer in network.model_.layers)
    assert (150, 3) == network.predict_proba(iris[0]).shape
    assert pickle.loads(pickle.dumps(network)).predict(iris[0]).tolist() == (
        network.predict(iris[0]).tolist()
    )


def test_indices():
    """An embedding takes whole numbers in rows."""
    X = np.random.default_rng(0).integers(0, 5, (60, 3))
    network = Classifier([tn.Embedding(5, 4), tn.GlobalAveragePool()], epochs=40,
                         optimizer=tn.Adam(0.05))  # fmt: skip
    assert network.fit(X, X[:, 0] > 2).score(X, X[:, 0] > 2) > 0.7


def test_settings_of_layers(iris):
    """activation, init and l2 are those of layers given as numbers, and l2 of the last too."""
    network = Classifier([3], "tanh", init="he_normal", l2=0.5, epochs=1).fit(*iris)
    init = tn.Initializer.get("he_normal")
    expected = (tn.Dense(3, "tanh", init, 0.5), tn.Dense(3, "softmax", init, 0.5))
    assert expected == network.model_.layers


@pytest.mark.parametrize("m", [201, 399, 7, 401])
def test_last_batch_is_large_enough(m):
    """A layer that needs two examples has them in the last batch too."""
    X = np.random.default_rng(0).standard_normal((m, 2))
    network = Regressor([4, tn.BatchNorm()], epochs=1).fit(X, X[:, 0])
    assert 1 == network.n_iter_


# Fitting


def test_same_seed_same_network(iris):
    """A fit depends on random_state alone, and a second one begins anew."""
    network = Classifier([4], epochs=3)
    first = network.fit(*iris).model_.params.copy()
    assert np.array_equal(first, network.fit(*iris).model_.params)
    assert np.array_equal(first, clone(network).fit(*iris).model_.params)
    assert not np.array_equal(first, network.set_params(random_state=1).fit(*iris).model_.params)


def test_warm_start_and_partial_fit(iris):
    """warm_start and partial_fit continue with the same weights and memory of the optimizer."""
    X, y = iris
    network = Classifier([4], epochs=2, tol=None, warm_start=True).fit(X, y)
    model = network.model_
    network.fit(X, y)
    assert network.model_ is model
    assert (4, 4) == (network.n_iter_, len(network.loss_curve_))
    assert network.loss_curve_[-1] == network.loss_ < network.loss_curve_[0]
    part = Classifier([4]).partial_fit(X[:40], y[:40], classes=[0, 1, 2])
    part.partial_fit(X, y)
    assert ([0, 1, 2], 2) == (part.classes_.tolist(), part.n_iter_)
    assert int(part.optimizer_.memory["t"]) == 2
    assert Regressor([4]).partial_fit(X, y).partial_fit(X, y).n_iter_ == 2


@pytest.mark.parametrize("is_continued", [True, False])
def test_pickles_are_small(iris, is_continued):
    """A pickle is not much larger than the parameters, and holds memory to continue with."""
    X, y = iris
    network = Classifier([500], epochs=2, warm_start=is_continued).fit(X, y)
    data = pickle.dumps(network)
    size = network.model_.params.nbytes
    assert len(data) < size * (3 if is_continued else 1) + 6000
    again = pickle.loads(data)
    assert np.array_equal(network.predict_proba(X), again.predict_proba(X))
    assert is_continued == bool(again.optimizer_.memory)
    assert network.optimizer_.memory, "pickling has changed the estimator"
    if is_continued:
        assert np.array_equal(network.fit(X, y).model_.params, again.fit(X, y).model_.params)


def test_early_stopping(iris):
    """With a share, or with data of one's own, the best parameters are restored."""
    X, y = iris
    settings = {"epochs": 100, "n_iter_no_change": 3, "tol": 0.01, "early_stopping": True}
    settings["optimizer"] = tn.Adam(0.05)
    share = Classifier([8], validation_fraction=0.3, **settings).fit(X, y)
    settings |= {"tol": 0.0, "epochs": 300}
    own = Classifier([8], **settings).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    for network in (share, own):
        assert network.n_iter_ < network.epochs
        assert "val_loss was best" in network.history_.stopped
    best = min(own.history_["val_loss"])
    P = own.predict_proba(X[1::2])
    assert best == pytest.approx(-np.mean(np.log(P[np.arange(75), y[1::2]])), rel=1e-6)
    watched = Classifier([8], epochs=2).fit(X, y, X_val=X, y_val=y, sample_weight_val=y + 1)
    assert 2 == len(watched.history_["val_loss"])


def test_tol_ends_the_training(iris):
    """Without progress the training ends; with tol=None it goes on."""
    settings = {"epochs": 40, "optimizer": tn.SGD(0.0), "n_iter_no_change": 3}
    assert 6 == Classifier([8], **settings).fit(*iris).n_iter_
    assert 40 == Classifier([8], tol=None, **settings).fit(*iris).n_iter_


def test_weights(iris):
    """Weights of examples and of classes do what repeated examples do."""
    X, y = iris[0], np.array(["a", "b", "c"])[iris[1]]
    repeated = np.repeat(np.arange(150), np.where(y == "c", 3, 1))
    settings = {"layers": [4], "epochs": 20, "batch_size": None, "tol": None}
    expected = Classifier(**settings).fit(X[repeated], y[repeated]).predict_proba(X)
    by_example = Classifier(**settings).fit(X, y, sample_weight=np.where(y == "c", 3, 1))
    by_class = Classifier(class_weight={"a": 1, "b": 1, "c": 3}, **settings).fit(X, y)
    few = np.r_[0:50, 50:60, 100:150]
    balanced = Classifier(class_weight="balanced", **settings).fit(X[few], y[few])
    w = np.array([1, 5, 1])[iris[1][few]]
    as_balanced = Classifier(**settings).fit(X[few], y[few], sample_weight=w)
    assert expected == pytest.approx(by_example.predict_proba(X), abs=1e-9)
    assert expected == pytest.approx(by_class.predict_proba(X), abs=1e-9)
    assert as_balanced.predict_proba(X) == pytest.approx(balanced.predict_proba(X), abs=1e-9)


@pytest.mark.parametrize("batch_size", [None, 32])
def test_sparse_rows(iris, batch_size):
    """Sparse rows train and predict as dense ones do, batch by batch."""
    sparse = pytest.importorskip("scipy.sparse")
    X, y, w = iris[0] * (iris[0] > 0), iris[1], 1.0 + iris[1]
    settings = {"layers": [8], "epochs": 5, "batch_size": batch_size, "shuffle": False}
    dense = Classifier(**settings).fit(X, y, sample_weight=w)
    for kind in (sparse.csr_matrix, sparse.csc_array):
        network = Classifier(**settings).fit(kind(X), y, sample_weight=w)
        assert dense.predict_proba(X) == pytest.approx(network.predict_proba(kind(X)), abs=1e-9)
        assert dense.decision_function(X) == pytest.approx(
            network.decision_function(kind(X)), abs=1e-9
        )
    stops = Classifier([8], epochs=5, early_stopping=True).fit(sparse.csr_array(X), y)
    assert 5 == len(stops.history_["val_loss"])


def test_history_metrics_and_callbacks(iris):
    """Metrics and callbacks are those of fit; callbacks are copied."""

    class Count(tn.Callback):
        seen = 0

        def on_epoch_end(self, epoch, logs):
            self.seen += 1
            logs["twice"] = 2 * logs["loss"]

    count = Count()
    network = Classifier([4], epochs=3, metrics=["accuracy"], callbacks=[count]).fit(*iris)
    assert {"loss", "accuracy", "twice"} == network.history_.keys()
    assert (0, 3) == (count.seen, network.callbacks_[0].seen)
    assert "model" not in vars(network.callbacks_[0])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of older versions of scikit-learn
def test_lbfgs(iris, numbers):
    """L-BFGS reaches what scikit-learn's does, in few iterations, without steps."""
    X, y = iris
    linear = LogisticRegression(C=1 / (150 * 0.01), tol=1e-8, max_iter=1000).fit(X, y)
    network = Classifier([], optimizer="lbfgs", l2=0.01, tol=1e-8).fit(X, y)
    assert linear.predict_proba(X) == pytest.approx(network.predict_proba(X), abs=1e-4)
    assert network.n_iter_ == len(network.loss_curve_) < 200
    assert Regressor([20], optimizer="lbfgs").fit(*numbers).score(*numbers) > 0.99
    assert not hasattr(network, "partial_fit")
    pickle.loads(pickle.dumps(network)).predict(X)
    for settings in ({"callbacks": [tn.Callback()]}, {"early_stopping": True},
                     {"layers": [4, tn.Dropout(0.5)]}):  # fmt: skip
        with raises(ValueError, "optimizer='lbfgs' got", "Use" if "layers" in settings else "use"):
            Classifier(optimizer="lbfgs", **settings).fit(X, y)


@pytest.mark.parametrize(("dtype", "given", "expected"), [
    ("auto", "float32", "float32"), ("auto", "float64", "float64"), ("auto", "int64", "float64"),
    ("float32", "float64", "float32"), ("float64", "float32", "float64"),
])  # fmt: skip
def test_dtypes(iris, dtype, given, expected):
    """dtype="auto" is that of X, where X has floats."""
    X, y = iris[0].astype(given), iris[1]
    network = Classifier([4], epochs=1, dtype=dtype).fit(X, y)
    assert np.dtype(expected) == network.model_.dtype == network.predict_proba(X).dtype


def test_mapped_arrays(iris, tmp_path):
    """An array that joblib has mapped trains as the array itself does."""
    X, y = iris
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    networks = [Classifier([4], epochs=3, batch_size=16).fit(each, y) for each in (X, mapped)]
    assert np.array_equal(*[network.model_.params for network in networks])
    networks = [Regressor([4], epochs=3, batch_size=16).fit(X, each) for each in (X, mapped)]
    assert np.array_equal(*[network.model_.params for network in networks])


# Bad input


@pytest.mark.parametrize(("change", "error", "words"), [
    (lambda X, y: (X * np.nan, y), ValueError, ["Input X contains NaN"]),
    (lambda X, y: (X.astype(str).astype(object) + "x", y), ValueError, ["could not convert"]),
    (lambda X, y: (X, np.zeros(150)), ValueError, ["at least 2 classes", "only one class"]),
    (lambda X, y: (X, y[:9]), ValueError, ["inconsistent numbers of samples"]),
    (lambda X, y: (X, X[:, 0]), ValueError, ["Unknown label type", "continuous"]),
    (lambda X, y: (X[:, 0], y), ValueError, ["Expected 2D array"]),
    (lambda X, y: (X[:0], y[:0]), ValueError, ["0 sample(s)"]),
    (lambda X, y: (X, np.stack([y, y], 1)), ValueError, ["multiclass-multioutput"]),
    (lambda X, y: (X, None), ValueError, ["requires y to be passed"]),
])  # fmt: skip
def test_bad_data(iris, change, error, words):
    """Data that cannot be used are refused in scikit-learn's words."""
    with raises(error, *words):
        Classifier([4], epochs=1).fit(*change(*iris))


def test_bad_use(iris, numbers):
    """What comes at the wrong time, or in another form than before, is refused as elsewhere."""
    X, y = iris
    network = Classifier([4], epochs=1)
    with raises(NotFittedError, "This NetworkClassifier instance is not fitted yet"):
        network.predict(X)
    with raises(ValueError, "classes must be passed on the first call to partial_fit"):
        network.partial_fit(X, y)
    network.partial_fit(X, y, classes=[0, 1, 2])
    with raises(ValueError, "not the same as on last call to partial_fit"):
        network.partial_fit(X, y, classes=[0, 1])
    with raises(ValueError, "`y` has classes not in `self.classes_`", "7"):
        network.partial_fit(X, y + 7)
    with raises(ValueError, "X has 3 features, but NetworkClassifier is expecting 4"):
        network.predict(X[:, :3])
    with raises(ValueError, "class_weight 'balanced' is not supported for partial_fit"):
        network.set_params(class_weight="balanced").partial_fit(X, y)
    regressor = Regressor([4], epochs=1, warm_start=True).fit(*numbers)
    with raises(ValueError, "y has 1 targets, but NetworkRegressor is expecting 2"):
        regressor.fit(numbers[0], numbers[1][:, 0])
    with pytest.warns(DataConversionWarning, match="column-vector"):
        Classifier([4], epochs=1).fit(X, y[:, np.newaxis])


@pytest.mark.filterwarnings("default")
def test_warnings_speak_of_columns(iris, numbers):
    """A warning of data that should be scaled has columns, and a remedy that works here."""
    X = iris[0] * [1, 1e4, 1, 1]
    with warns("Column 1 of X goes from … Scale X first: make_pipeline(StandardScaler(), est"):
        Classifier([4], epochs=1).fit(X, iris[1])
    y = 1e4 * numbers[1]
    with warns("Column 1 of y goes from … TransformedTargetRegressor(estimator, transformer="):
        Regressor([4], epochs=1, optimizer="sgd").fit(numbers[0], y)
    remedy = TransformedTargetRegressor(Regressor([4], epochs=1), transformer=StandardScaler())
    assert (120, 2) == remedy.fit(numbers[0], y).predict(numbers[0]).shape


# In scikit-learn


@pytest.mark.filterwarnings("ignore")
def test_other_tools(iris, numbers):
    """Calibration, bagging, stacking, importance and dependence take the estimators."""
    X, y = iris
    network = Classifier([8], epochs=20, optimizer=tn.Adam(0.03))
    assert CalibratedClassifierCV(network, cv=2).fit(X, y).score(X, y) > 0.8
    assert BaggingClassifier(network, 2).fit(X, y).score(X, y) > 0.8
    fitted = network.fit(X, y)
    assert permutation_importance(fitted, X, y, n_repeats=2).importances_mean.max() > 0
    assert partial_dependence(fitted, X, [0], grid_resolution=4)["average"].shape == (3, 4)
    targets = numbers[1][:, 0]
    regressor = Regressor([8], epochs=20, optimizer=tn.Adam(0.03))
    stack = StackingRegressor([("a", regressor), ("b", regressor)], cv=2)
    assert stack.fit(numbers[0], targets).predict(numbers[0]).shape == targets.shape


def test_metadata_routing(iris):
    """Weights find their way through a pipeline."""
    w = 1.0 + iris[1]
    expected = Classifier([4], epochs=2).fit(*iris, sample_weight=w).model_.params
    with sklearn.config_context(enable_metadata_routing=True):
        network = Classifier([4], epochs=2).set_fit_request(sample_weight=True)
        pipeline = make_pipeline("passthrough", network).fit(*iris, sample_weight=w)
    assert np.array_equal(expected, pipeline[-1].model_.params)


def test_frames(iris):
    """Frames give names to the features, and other names are refused."""
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(iris[0], columns=list("abcd"))
    y = pandas.Series(np.array(["x", "y", "z"])[iris[1]])
    network = Classifier([4], epochs=2).fit(X, y)
    assert list("abcd") == network.feature_names_in_.tolist()
    with raises(ValueError, "feature names should match"):
        network.predict(X[list("bacd")])
    nullable = X.convert_dtypes()
    assert np.array_equal(network.predict(X), network.predict(nullable))


def test_html(iris):
    """A notebook shows an estimator as HTML, fitted or not."""
    assert "NetworkClassifier" in Classifier()._repr_html_()
    assert "NetworkClassifier" in Classifier([4], epochs=1).fit(*iris)._repr_html_()


PROGRAM = """
import attrs, numpy as np, tinynet as tn
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tinynet.sklearn import NetworkClassifier

class Bent(tn.Activation):
    def forward(self, Z):
        return np.where(Z > 0, Z, 0.1 * Z)

@attrs.frozen
class Signum(tn.Optimizer):
    learning_rate: float = 0.01
    def apply(self, params, grads):
        params -= self.rate() * np.sign(grads)

if __name__ == "__main__":
    X = np.random.default_rng(0).standard_normal((80, 3))
    network = NetworkClassifier([4], "bent", optimizer="signum", epochs=20, random_state=0)
    grid = {
        "networkclassifier__layers": [[4], [tn.Dense(4, "bent"), tn.Dropout(0.1)]],
        "networkclassifier__optimizer__learning_rate": [1e-9, 0.02],
    }
    pipeline = make_pipeline(StandardScaler(), network)
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2, error_score="raise")
    search.fit(X, X[:, 0] > 0)
    best = search.best_estimator_[-1]
    print(best.model_.layers[0].activation, best.optimizer_, search.score(X, X[:, 0] > 0) > 0.8)
"""


def test_search_in_other_processes(tmp_path):
    """A search with two processes knows a program's own classes, and settings within settings."""
    (tmp_path / "program.py").write_text(PROGRAM)
    printed = output_of("-W", "ignore", tmp_path / "program.py")
    assert "Bent() Signum(learning_rate=0.02) True\n" == printed


def test_threads_are_restored(iris):
    """Fits in several threads leave the threads of BLAS as they were."""
    from threadpoolctl import threadpool_info

    def numbers_of_threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = numbers_of_threads()
    fits = [threading.Thread(target=Classifier([4], epochs=n).fit, args=iris) for n in (3, 9, 6)]
    for fit in fits:
        fit.start()
    for fit in fits:
        fit.join()
    assert before == numbers_of_threads()


def test_import():
    """`import tinynet` imports neither the estimators nor scikit-learn."""
    names = "[n for n in sys.modules if n.startswith(('sklearn', 'scipy', 'tinynet.sklearn'))]"
    assert "[]\n" == output_of("-c", f"import sys, tinynet; print({names})")
