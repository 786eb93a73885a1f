"""The values of the deep-learning course's exercises, through the functions and through the classes.

``course_values.json`` holds for each exercise what is given and what comes out: the
published values, recomputed in float64. Examples are columns. Where the given A or AL are
printed numbers (eight decimals), nothing may be computed from Z in their place.
"""

# ruff: noqa: SIM300 (asserts here say expected == actual)

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tinynet as tn
from tinynet import SGD, Activation, Adam, Dense, Dropout, Initializer, Loss, Sequential, functional
from tinynet.data.sources import training_batches as batches_of

RTOL = 1e-10

_VALUES = json.loads(Path(__file__).with_name("course_values.json").read_text(encoding="utf-8"))
CASES = {case["name"]: case for case in _VALUES["cases"]}


def arrays(value):
    """Turn every matrix in what was read into a float64 array."""
    if isinstance(value, dict):
        return {key: arrays(inner) for key, inner in value.items()}
    if isinstance(value, list) and isinstance((*value, None)[0], dict):
        return [arrays(inner) for inner in value]
    matrix = isinstance(value, list) and isinstance((*value, None)[0], list)
    return np.array(value, dtype=np.float64) if matrix else value


def exercises(*functions):
    """Return the exercises of these functions as pytest parameters."""
    return [
        pytest.param(case, id=name) for name, case in CASES.items() if case["function"] in functions
    ]


def outcome(case):
    """Return what must come out of an exercise, as arrays."""
    return arrays(case["expected"])


def assert_agree(expected, actual):
    """Compare number by number; a zero must be a zero."""
    assert expected.keys() <= actual.keys(), (
        f"not computed: {sorted(expected.keys() - actual.keys())}"
    )
    for name, value in expected.items():
        assert np.shape(value) == np.shape(actual[name]), f"shape of {name}"
        np.testing.assert_allclose(actual[name], value, rtol=RTOL, atol=0, err_msg=name)


def built(given, l2=0.0):
    """Return the float64 model of an exercise, with its parameters assigned layer by layer."""
    parameters, activations = given["parameters"], given["activations"]
    layers = [Dense(len(parameters[f"W{l}"]), name, l2=l2) for l, name in enumerate(activations, 1)]
    model = Sequential(
        layers, "binary_crossentropy", inputs=parameters["W1"].shape[1], dtype="float64"
    )
    for l in range(1, len(layers) + 1):
        model.W[l], model.b[l] = parameters[f"W{l}"], parameters[f"b{l}"]
    return model


def held(model, *kinds):
    """Return a model's arrays under the course's names: W1, b1 … WL, bL, and so on."""
    return {
        f"{kind}{l}": array.copy() for kind in kinds for l, array in getattr(model, kind).items()
    }


def _backward_from_caches(given, linear_back):
    """Go back through A1 … AL as printed; `linear_back` takes dZ, A_prev, W and l2."""
    names = given["activations"]
    A = [given["X"], *(given[f"A{l}"] for l in range(1, len(names) + 1))]
    l2, dZ, grads = given.get("lambd", 0.0) / given["Y"].shape[1], A[-1] - given["Y"], {}
    for l in range(len(names), 0, -1):
        W = given.get(
            f"W{l}", np.zeros((len(A[l]), len(A[l - 1])))
        )  # W1 is left out: only dA0 needs it
        dA, dW, db = linear_back(dZ, A[l - 1], W, l2)
        grads |= {f"dZ{l}": dZ, f"dA{l - 1}": dA, f"dW{l}": dW, f"db{l}": db}
        if l > 1:  # tanh needs no Z, and none is given for it
            dZ = Activation.get(names[l - 2]).back(dA, given.get(f"Z{l - 1}", A[l - 1]), A[l - 1])
    return grads


def _functional_back(dZ, A_prev, W, l2):
    """Return dA_prev, dW, db by the functions, which know no penalty."""
    dA_prev, dW, db = functional.linear_backward(dZ, (A_prev, W, np.zeros((len(W), 1))))
    return dA_prev, dW + l2 * W, db


class ByFunctions:
    """From what is given to what comes out, by ``tinynet.functional``."""

    @staticmethod
    def activation(given):
        """A = g(Z); the identity as W leaves Z as it is."""
        Z, name = given["Z"], given["activation"]
        if name == "sigmoid":
            A, same_Z = functional.sigmoid(Z)
            np.testing.assert_array_equal(same_Z, Z)
            return {"A": A}
        A, _ = functional.linear_activation_forward(Z, np.eye(len(Z)), np.zeros((len(Z), 1)), name)
        return {"A": A}

    @staticmethod
    def activation_derivative(given):
        """dZ where dA is 1."""
        assert "sigmoid" == given["activation"]
        return {"dZ": functional.sigmoid_backward(np.ones_like(given["Z"]), given["Z"])}

    @staticmethod
    def initialize_parameters(given):
        """W1, b1 … from NumPy's older generator."""
        rng = np.random.RandomState(given["seed"])
        return functional.initialize_parameters_deep(given["layer_dims"], rng, given["scale"])

    @staticmethod
    def linear_forward(given):
        """Z = W A_prev + b."""
        Z, cache = functional.linear_forward(given["A_prev"], given["W"], given["b"])
        for name, array in zip(("A_prev", "W", "b"), cache, strict=True):
            np.testing.assert_array_equal(array, given[name])
        return {"Z": Z}

    @staticmethod
    def linear_activation_forward(given):
        """A = g(W A_prev + b)."""
        A, (_, Z) = functional.linear_activation_forward(
            given["A_prev"], given["W"], given["b"], given["activation"]
        )
        return {"A": A, "Z": Z}

    @staticmethod
    def L_model_forward(given):
        """Z and A of every layer."""
        AL, caches = functional.L_model_forward(
            given["X"], given["parameters"], given["activations"]
        )
        passed = {f"Z{l}": Z for l, (_, Z) in enumerate(caches, 1)} | {f"A{len(caches)}": AL}
        return passed | {f"A{l}": A_prev for l, ((A_prev, _, _), _) in enumerate(caches)}

    @staticmethod
    def predict(given):
        """Classes, by a threshold."""
        AL, _ = functional.L_model_forward(given["X"], given["parameters"], given["activations"])
        return {"labels": (AL[0] > given["threshold"]).astype(int)}

    @staticmethod
    def compute_cost(given):
        """J of the AL that is given."""
        return {"cost": functional.compute_cost(given["AL"], given["Y"])}

    @staticmethod
    def linear_backward(given):
        """dA_prev, dW and db."""
        b = np.zeros((len(given["W"]), 1))
        back = functional.linear_backward(given["dZ"], (given["A_prev"], given["W"], b))
        return dict(zip(("dA_prev", "dW", "db"), back, strict=True))

    @staticmethod
    def linear_activation_backward(given):
        """dZ, dA_prev, dW and db; Z is given, and is not W A_prev + b."""
        dA, Z, name = given["dA"], given["Z"], given["activation"]
        cache = (given["A_prev"], given["W"], np.zeros((len(given["W"]), 1)))
        back = functional.linear_activation_backward(dA, (cache, Z), name)
        dZ = {"sigmoid": functional.sigmoid_backward, "relu": functional.relu_backward}[name](dA, Z)
        return dict(zip(("dA_prev", "dW", "db"), back, strict=True)) | {"dZ": dZ}

    @staticmethod
    def L_model_backward(given):
        """Gradients of all layers, from the AL and the caches that are given."""
        caches = [
            ((c["A_prev"], c["W"], np.zeros((len(c["W"]), 1))), c["Z"]) for c in given["layers"]
        ]
        names = [c["activation"] for c in given["layers"]]
        return functional.L_model_backward(given["AL"], given["Y"], caches, names)

    @staticmethod
    def gradients(given):
        """Cost, and dW, db of all layers."""
        AL, caches = functional.L_model_forward(
            given["X"], given["parameters"], given["activations"]
        )
        grads = functional.L_model_backward(AL, given["Y"], caches, given["activations"])
        return {"cost": functional.compute_cost(AL, given["Y"])} | grads

    @staticmethod
    def update_parameters(given):
        """A step of gradient descent; what is given stays as it is."""
        before = {name: array.copy() for name, array in given["parameters"].items()}
        updated = functional.update_parameters(
            given["parameters"], given["grads"], given["learning_rate"]
        )
        for name, array in before.items():
            np.testing.assert_array_equal(given["parameters"][name], array)
        return updated

    @staticmethod
    def train_full_batch(given):
        """Parameters after training, the last gradients, and the cost before some of the steps."""
        X, Y, parameters, names = given["X"], given["Y"], given["parameters"], given["activations"]
        grads, costs = {}, {}
        for i in range(given["num_iterations"]):
            AL, caches = functional.L_model_forward(X, parameters, names)
            if i in given.get("iterations", ()):
                costs[i] = functional.compute_cost(AL, Y)
            grads = functional.L_model_backward(AL, Y, caches, names)
            parameters = functional.update_parameters(parameters, grads, given["learning_rate"])
        return parameters | grads | {"costs": [costs[i] for i in given.get("iterations", ())]}

    @staticmethod
    def backward_from_caches(given):
        """All gradients from printed activations."""
        return _backward_from_caches(given, _functional_back)


def _dense_back(dZ, A_prev, W, l2=0.0):
    """Return dA_prev, dW, db of a layer alone, whose activation is the identity."""
    model = built(
        {"parameters": {"W1": W, "b1": np.zeros((len(W), 1))}, "activations": ["identity"]}, l2=l2
    )
    model.forward_layer(1, A_prev)
    return model.back_layer(1, dZ)


def _dropout_back(dA, mask, keep_prob):
    """Return dA_prev of dropout that has drawn this mask."""
    rng = SimpleNamespace(
        random=lambda size: 1.0 - mask.ravel()
    )  # below keep_prob where the mask is 1
    model = Sequential([Dropout(1 - keep_prob)], inputs=len(dA), dtype="float64")
    model.rng = rng
    model.forward_layer(1, np.zeros(dA.shape), training=True)
    (dA_prev,) = model.back_layer(1, dA)
    return dA_prev


def _stepped(given, l, optimizer):
    """Return a model of layer l alone, after a step with the given gradients: the exercise's layers make no network."""
    parameters, grads = given["parameters"], given["grads"]
    model = built(
        {
            "parameters": {"W1": parameters[f"W{l}"], "b1": parameters[f"b{l}"]},
            "activations": ["identity"],
        }
    )
    model.dW[1], model.db[1] = grads[f"dW{l}"], grads[f"db{l}"]
    optimizer.step(model)
    return model


class ByClasses:
    """From what is given to what comes out, by the classes."""

    @staticmethod
    def activation(given):
        """A = g(Z), and the same into an array of the caller's."""
        Z, out = given["Z"], np.empty_like(given["Z"])
        g = Activation.get(given["activation"])
        g.forward(Z, out=out)
        np.testing.assert_array_equal(out, g.forward(Z))
        return {"A": out}

    @staticmethod
    def activation_derivative(given):
        """dZ where dA is 1."""
        Z, g = given["Z"], Activation.get(given["activation"])
        return {"dZ": g.back(np.ones_like(Z), Z, g.forward(Z))}

    @staticmethod
    def initialize_parameters(given):
        """W1, b1 … of a new model, which are the initializer's own draws, layer after layer."""
        n_0, *units = given["layer_dims"]
        scale = given["scale"]
        init = (
            Initializer.get(scale)
            if isinstance(scale, str)
            else Initializer.get("normal", scale=scale)
        )
        seeds = [np.random.RandomState(given["seed"]) for _ in range(2)]
        model = Sequential(
            [Dense(n, init=init) for n in units], inputs=n_0, dtype="float64", seed=seeds[0]
        )
        for W in model.W.values():
            np.testing.assert_array_equal(W, init.draw(W.shape, seeds[1]))
        return held(model, "W", "b")

    @staticmethod
    def linear_forward(given):
        """Z = W A_prev + b, of a layer whose activation is the identity."""
        return ByClasses.linear_activation_forward(given | {"activation": "identity"})

    @staticmethod
    def linear_activation_forward(given):
        """A = g(W A_prev + b), of one layer taken forward alone."""
        model = built(
            {
                "parameters": {"W1": given["W"], "b1": given["b"]},
                "activations": [given["activation"]],
            }
        )
        return {"A": model.forward_layer(1, given["A_prev"]), "Z": model.Z[1]}

    @staticmethod
    def L_model_forward(given):
        """Z and A of every layer, by a pass forward and by one layer after the other."""
        model = built(given)
        A = given["X"]
        for l in range(1, len(model.layers) + 1):
            A = model.forward_layer(l, A).copy()
        np.testing.assert_array_equal(A, model.forward(given["X"]))
        return held(model, "Z", "A")

    @staticmethod
    def predict(given):
        """Classes, by a threshold."""
        return {"labels": built(given).predict_labels(given["X"], threshold=given["threshold"])}

    @staticmethod
    def compute_cost(given):
        """J of the AL that is given."""
        return {"cost": Loss.get("binary_crossentropy").value(given["AL"], given["Y"])}

    @staticmethod
    def compute_cost_l2(given):
        """J of the AL that is given, and the layers' penalties."""
        Y, names = given["Y"], ["sigmoid"] * (len(given["parameters"]) // 2)
        model, plain = (
            built(given | {"activations": names}, l2) for l2 in (given["lambd"] / Y.shape[1], 0.0)
        )
        for each in (model, plain):
            each.forward(np.zeros((*each.inputs, Y.shape[1])))
        penalty = sum(
            layer.penalty(cache) for layer, cache in zip(model.layers, model.caches, strict=True)
        )
        assert plain.cost(Y) + penalty == pytest.approx(model.cost(Y), rel=1e-14), (
            "the cost has the penalty in it"
        )
        return {"cost": ByClasses.compute_cost(given)["cost"] + penalty}

    @staticmethod
    def linear_backward(given):
        """dA_prev, dW and db, of one layer taken back alone."""
        back = _dense_back(given["dZ"], given["A_prev"], given["W"])
        return dict(zip(("dA_prev", "dW", "db"), back, strict=True))

    @staticmethod
    def linear_activation_backward(given):
        """dZ, dA_prev, dW and db; Z is given, and is not W A_prev + b."""
        g = Activation.get(given["activation"])
        dZ = g.back(given["dA"], given["Z"], g.forward(given["Z"]))
        return ByClasses.linear_backward(given | {"dZ": dZ}) | {"dZ": dZ}

    @staticmethod
    def L_model_backward(given):
        """Gradients of all layers, from the AL and the caches that are given."""
        dA, grads = Loss.get("binary_crossentropy").back(given["AL"], given["Y"]), {}
        for l in range(len(given["layers"]), 0, -1):
            back = ByClasses.linear_activation_backward(given["layers"][l - 1] | {"dA": dA})
            dA = back["dA_prev"]
            grads |= {f"dA{l - 1}": dA} | {f"{name}{l}": back[name] for name in ("dZ", "dW", "db")}
        return grads

    @staticmethod
    def gradients(given):
        """Cost, and the gradients of all layers."""
        model = built(given)
        model.forward(given["X"])
        model.back(given["Y"], input_gradient=True)
        return {"cost": model.cost(given["Y"])} | held(model, "dW", "db", "dZ", "dA")

    @staticmethod
    def update_parameters(given):
        """A step of gradient descent."""
        updated = {}
        for l in range(1, len(given["parameters"]) // 2 + 1):
            model = _stepped(given, l, SGD(given["learning_rate"]))
            updated |= {f"W{l}": model.W[1], f"b{l}": model.b[1]}
        return updated

    @staticmethod
    def update_momentum(given):
        """A step with the course's averaged momentum, from v = 0; and v after it."""
        beta, updated = given["beta"], {}
        for l in range(1, len(given["parameters"]) // 2 + 1):
            optimizer = SGD(given["learning_rate"], momentum=beta, dampening=beta)
            model = _stepped(given, l, optimizer)
            updated |= {f"W{l}": model.W[1].copy(), f"b{l}": model.b[1].copy()}
            (velocity,) = optimizer.memory.values()
            model.params[:] = velocity  # to see it as W and b
            updated |= {f"v_dW{l}": model.W[1], f"v_db{l}": model.b[1]}
        return updated

    @staticmethod
    def update_adam(given):
        """Step t of Adam, from v = s = 0; and v and s after it."""
        settings = {name: given[name] for name in ("learning_rate", "beta1", "beta2", "epsilon")}
        updated = {}
        for l in range(1, len(given["parameters"]) // 2 + 1):
            optimizer = Adam(**settings)
            optimizer.memory["t"] = np.array(given["t"] - 1)
            model = _stepped(given, l, optimizer)
            vectors = {
                "": model.params.copy(),
                "v_d": optimizer.memory["v"],
                "s_d": optimizer.memory["s"],
            }
            for d, vector in vectors.items():
                model.params[:] = vector  # to see it as W and b
                updated |= {f"{d}W{l}": model.W[1].copy(), f"{d}b{l}": model.b[1].copy()}
        return updated

    @staticmethod
    def train_full_batch(given):
        """Parameters after training, the last gradients, and the cost before some of the steps."""
        model, optimizer, costs = built(given), SGD(given["learning_rate"]), {}
        for i in range(given["num_iterations"]):
            model.forward(given["X"])
            if i in given.get("iterations", ()):
                costs[i] = model.cost(given["Y"])
            model.back(given["Y"])
            optimizer.step(model)
        return held(model, "W", "b", "dW", "db") | {
            "costs": [costs[i] for i in given.get("iterations", ())]
        }

    @staticmethod
    def backward_from_caches(given):
        """All gradients from printed activations."""
        return _backward_from_caches(given, _dense_back)

    @staticmethod
    def forward_dropout(given):
        """Z and A of every layer, A after dropout, with the masks that the course's seed draws."""
        parameters, layers = given["parameters"], []
        for l, name in enumerate(given["activations"], 1):
            layers += [
                Dense(len(parameters[f"W{l}"]), name, init="zeros"),
                Dropout(1 - given["keep_prob"]),
            ]
        seed = np.random.RandomState(given["seed"])
        model = Sequential(
            layers[:-1], "binary_crossentropy", parameters["W1"].shape[1], "float64", seed
        )
        for l, (at, W) in enumerate(model.W.items(), 1):
            W[:], model.b[at] = parameters[f"W{l}"], parameters[f"b{l}"]
        model.forward(given["X"], training=True)
        computed = {f"Z{l}": model.Z[at] for l, at in enumerate(model.W, 1)} | {"A3": model.A[5]}
        for l, at in ((1, 2), (2, 4)):
            computed |= {f"A{l}": model.A[at], f"mask{l}": model.caches[at - 1].mask > 0}
        return computed

    @staticmethod
    def backward_dropout(given):
        """All gradients from printed activations and masks; dA1 and dA2 have gone back through dropout."""
        dZ, grads = given["A3"] - given["Y"], {}
        for l in (3, 2, 1):
            A_prev = given[f"A{l - 1}"] if l > 1 else given["X"]
            dA, dW, db = _dense_back(dZ, A_prev, given[f"W{l}"])
            grads |= {f"dZ{l}": dZ, f"dW{l}": dW.copy(), f"db{l}": db.copy()}
            if l > 1:
                dA = _dropout_back(dA, given[f"mask{l - 1}"], given["keep_prob"])
                dZ = Activation.get("relu").back(dA, given[f"Z{l - 1}"], A_prev)
                grads[f"dA{l - 1}"] = dA
        return grads


@pytest.mark.parametrize("case", exercises(*vars(ByFunctions)))
def test_functions(case):
    """`tinynet.functional` gives the course's values."""
    assert_agree(outcome(case), getattr(ByFunctions, case["function"])(arrays(case["given"])))


@pytest.mark.parametrize("case", exercises(*vars(ByClasses)))
def test_classes(case):
    """Sequential, the layers, activations, losses, initializers and SGD give the course's values."""
    assert_agree(outcome(case), getattr(ByClasses, case["function"])(arrays(case["given"])))


@pytest.mark.parametrize("case", exercises("train_full_batch"))
def test_fit(case):
    """`fit` over the whole set gives the course's parameters, and its history the costs."""
    given = arrays(case["given"])
    model, n = built(given), given["num_iterations"]
    history = model.fit(
        given["X"], given["Y"], optimizer=SGD(given["learning_rate"]), epochs=n, batch_size=None
    )
    assert n == len(history["loss"])
    costs = [history["loss"][i] for i in given.get("iterations", ())]
    assert_agree(outcome(case), held(model, "W", "b", "dW", "db") | {"costs": costs})


@pytest.mark.parametrize("case", exercises("gradients"))
def test_back_layer_by_layer(case):
    """`forward_layer` and `back_layer`, one after the other, give what `forward` and `back` give."""
    given = arrays(case["given"])
    model = built(given)
    A = model.forward(given["X"])
    dA, grads = Loss.get("binary_crossentropy").back(A, given["Y"]), {}
    for l in range(len(model.layers), 0, -1):
        dA, dW, db = model.back_layer(l, dA)
        grads |= {f"dW{l}": dW.copy(), f"db{l}": db.copy()}
    expected = {name: value for name, value in outcome(case).items() if name != "cost"}
    assert_agree(expected, grads)


@pytest.mark.parametrize("case", exercises("gradient_check"))
def test_gradient_check(case):
    """The course's gradient check passes the gradients here, and finds its two planted errors."""
    given = arrays(case["given"])
    model, X, Y = built(given), given["X"], given["Y"]

    def difference():
        parameters, gradients = model.get_parameters(), held(model, "dW", "db")
        return functional.gradient_check_n(parameters, gradients, X, Y, given["activations"])

    model.grads[:] = np.nan
    model.forward(X)
    model.back(Y)
    assert difference() < 2e-7, "the gradients are right: what remains is round-off"
    assert tn.testing.check_gradients(model, X, Y) < 1e-6
    model.dW[2], model.db[1] = 2 * model.dW[2], 4 * model.db[1]
    assert case["expected"]["difference_buggy"] == pytest.approx(difference(), rel=1e-7)


def test_every_exercise_is_used():
    """No exercise of the file is passed over."""
    used = vars(ByFunctions).keys() | vars(ByClasses).keys() | {"gradient_check"}
    assert set() == {case["function"] for case in CASES.values()} - used


def course_moons():
    """Return the course's two moons: 300 points that scikit-learn draws after a seed of 3, with noise 0.2."""
    rng, half = np.random.RandomState(3), np.linspace(0, np.pi, 150)
    X = np.hstack([[np.cos(half), np.sin(half)], [1 - np.cos(half), 0.5 - np.sin(half)]])
    order = np.arange(300)
    rng.shuffle(order)
    X = X[:, order].T
    return (X + rng.normal(scale=0.2, size=X.shape)).T, (order >= 150).astype(int)[np.newaxis]


class CourseBatches:
    """The course's mini-batches of 64: in epoch e the permutation of the seed 10 + e."""

    def __init__(self, X, Y):
        self.X, self.Y, self.seed = X, Y, 10

    def __iter__(self):
        self.seed += 1
        order = np.random.RandomState(self.seed).permutation(self.X.shape[1])
        for start in range(0, order.size, 64):
            chosen = order[start : start + 64]
            yield self.X[:, chosen], self.Y[:, chosen]


@pytest.mark.parametrize(
    ("optimizer", "costs"),
    [
        (SGD(0.0007), {0: 0.7024046849828726, 1000: 0.66810064295887}),
        (
            Adam(0.0007),
            {0: 0.7021655222604548, 1000: 0.16784505282581158, 2000: 0.14131619792956462},
        ),
    ],
    ids=["gd", "adam"],
)
def test_moons(optimizer, costs):
    """`fit` gives the published costs of the course's optimization exercise, given its permutations."""
    layers = [
        Dense(5, "relu", "he_normal"),
        Dense(2, "relu", "he_normal"),
        Dense(1, "sigmoid", "he_normal"),
    ]
    model = Sequential(layers, "binary_crossentropy", 2, "float64", seed=np.random.RandomState(3))
    history = model.fit(CourseBatches(*course_moons()), optimizer=optimizer, epochs=max(costs) + 1)
    np.testing.assert_allclose(
        list(costs.values()), [history["loss"][epoch] for epoch in costs], rtol=1e-9
    )


def test_mini_batches():
    """A RandomState shuffles and cuts as the course's random_mini_batches does: batches of 64, 64 and 20."""
    X = np.random.RandomState(1).standard_normal((1, 148))
    model = Sequential(
        [Dense(1)], "mean_squared_error", 1, "float64", seed=np.random.RandomState(0)
    )
    batches = batches_of(model, X, X, batch_size=64)
    model.rng = np.random.RandomState(0)
    taken = [batch[0][0].copy() for batch in batches.epoch(model.rng)]
    assert [batch.size for batch in taken] == [64, 64, 20]
    np.testing.assert_allclose(
        [0.9008559492644118, -0.7612069008951028, 0.23441569781709215], taken[0][:3], rtol=1e-12
    )
