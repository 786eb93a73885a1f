"""The values of the deep-learning course's exercises, by the functions and by the classes.

``course_values.json`` holds for each exercise what is given and what comes out: the
published values, recomputed in float64. Examples are columns. Where the given A or AL are
printed numbers (eight decimals), nothing may be computed from Z in their place.
"""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from messages import raises

import tinynet as tn
from tinynet import SGD, Activation, Adam, Dense, Dropout, Initializer, Loss, Sequential, functional
from tinynet.data.sources import training_batches

RTOL = 1e-10
equal, close = np.testing.assert_array_equal, np.testing.assert_allclose

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
    chosen = [case for case in CASES.values() if case["function"] in functions]
    return [pytest.param(case, id=case["name"]) for case in chosen]


def outcome(case):
    """Return what must come out of an exercise, as arrays."""
    return arrays(case["expected"])


def assert_agree(expected, actual):
    """Compare number by number; a zero must be a zero."""
    assert set() == expected.keys() - actual.keys(), "not computed"
    for name, value in expected.items():
        assert np.shape(value) == np.shape(actual[name]), f"shape of {name}"
        close(actual[name], value, rtol=RTOL, atol=0, err_msg=name)


def built(given, l2=0.0):
    """Return the float64 model of an exercise, with its parameters assigned layer by layer."""
    parameters, activations = given["parameters"], given["activations"]
    layers = [Dense(len(parameters[f"W{l}"]), name, l2=l2) for l, name in enumerate(activations, 1)]
    inputs = parameters["W1"].shape[1]
    model = Sequential(layers, "binary_crossentropy", inputs=inputs, dtype="float64")
    for l in model.W:
        model.W[l], model.b[l] = parameters[f"W{l}"], parameters[f"b{l}"]
    return model


def layer_of(W, b=None, activation="identity", l2=0.0):
    """Return a model of one layer."""
    parameters = {"W1": W, "b1": np.zeros((len(W), 1)) if b is None else b}
    return built({"parameters": parameters, "activations": [activation]}, l2)


def copies(model, *kinds):
    """Return a model's arrays under the course's names: W1, b1 … WL, bL, and so on."""
    return {f"{kind}{l}": a.copy() for kind in kinds for l, a in getattr(model, kind).items()}


def _backward_from_caches(given, linear_back):
    """Go back through A1 … AL as printed; `linear_back` takes dZ, A_prev, W and l2."""
    names = given["activations"]
    A = [given["X"], *(given[f"A{l}"] for l in range(1, len(names) + 1))]
    l2, dZ, grads = given.get("lambd", 0.0) / given["Y"].shape[1], A[-1] - given["Y"], {}
    for l in range(len(names), 0, -1):
        # W1 is left out where dA0 is: only that needs it.
        W = given.get(f"W{l}", np.zeros((len(A[l]), len(A[l - 1]))))
        dA, dW, db = linear_back(dZ, A[l - 1], W, l2)
        grads |= {f"dZ{l}": dZ, f"dA{l - 1}": dA, f"dW{l}": dW, f"db{l}": db}
        if l > 1:  # tanh needs no Z, and none is given for it
            dZ = Activation.get(names[l - 2]).back(dA, given.get(f"Z{l - 1}", A[l - 1]), A[l - 1])
    return grads


def _linear_cache(A_prev, W):
    """Return what `linear_forward` stores, without the b that `linear_backward` does not use."""
    return A_prev, W, np.zeros((len(W), 1))


def _functional_back(dZ, A_prev, W, l2):
    """Return dA_prev, dW, db by the functions, which know no penalty."""
    dA_prev, dW, db = functional.linear_backward(dZ, _linear_cache(A_prev, W))
    return dA_prev, dW + l2 * W, db


def _functional_forward(given):
    return functional.L_model_forward(given["X"], given["parameters"], given["activations"])


class ByFunctions:
    """From what is given to what comes out, by ``tinynet.functional``: a function an exercise."""

    def activation(given):
        """A = g(Z); the identity as W leaves Z as it is."""
        Z, name = given["Z"], given["activation"]
        if name == "sigmoid":
            A, same_Z = functional.sigmoid(Z)
            equal(same_Z, Z)
            return {"A": A}
        cache = _linear_cache(Z, np.eye(len(Z)))
        A, _ = functional.linear_activation_forward(*cache, name)
        return {"A": A}

    def activation_derivative(given):
        """dZ where dA is 1."""
        assert "sigmoid" == given["activation"]
        return {"dZ": functional.sigmoid_backward(np.ones_like(given["Z"]), given["Z"])}

    def initialize_parameters(given):
        """W1, b1 … from NumPy's older generator."""
        rng = np.random.RandomState(given["seed"])
        return functional.initialize_parameters_deep(given["layer_dims"], rng, given["scale"])

    def linear_forward(given):
        """Z = W A_prev + b."""
        Z, cache = functional.linear_forward(given["A_prev"], given["W"], given["b"])
        for name, array in zip(("A_prev", "W", "b"), cache, strict=True):
            equal(array, given[name])
        return {"Z": Z}

    def linear_activation_forward(given):
        """A = g(W A_prev + b)."""
        arguments = [given[name] for name in ("A_prev", "W", "b", "activation")]
        A, (_, Z) = functional.linear_activation_forward(*arguments)
        return {"A": A, "Z": Z}

    def L_model_forward(given):
        """Z and A of every layer."""
        AL, caches = _functional_forward(given)
        passed = {f"Z{l}": Z for l, (_, Z) in enumerate(caches, 1)} | {f"A{len(caches)}": AL}
        return passed | {f"A{l}": A_prev for l, ((A_prev, _, _), _) in enumerate(caches)}

    def predict(given):
        """Classes, by a threshold."""
        AL, _ = _functional_forward(given)
        return {"labels": (AL[0] > given["threshold"]).astype(int)}

    def compute_cost(given):
        """J of the AL that is given."""
        return {"cost": functional.compute_cost(given["AL"], given["Y"])}

    def linear_backward(given):
        """dA_prev, dW and db."""
        cache = _linear_cache(given["A_prev"], given["W"])
        back = functional.linear_backward(given["dZ"], cache)
        return dict(zip(("dA_prev", "dW", "db"), back, strict=True))

    def linear_activation_backward(given):
        """dZ, dA_prev, dW and db; Z is given, and is not W A_prev + b."""
        dA, Z, name = given["dA"], given["Z"], given["activation"]
        cache = _linear_cache(given["A_prev"], given["W"])
        back = functional.linear_activation_backward(dA, (cache, Z), name)
        dZ = {"sigmoid": functional.sigmoid_backward, "relu": functional.relu_backward}[name](dA, Z)
        return dict(zip(("dA_prev", "dW", "db"), back, strict=True)) | {"dZ": dZ}

    def L_model_backward(given):
        """Gradients of all layers, from the AL and the caches that are given."""
        caches = [(_linear_cache(c["A_prev"], c["W"]), c["Z"]) for c in given["layers"]]
        names = [c["activation"] for c in given["layers"]]
        return functional.L_model_backward(given["AL"], given["Y"], caches, names)

    def gradients(given):
        """Cost, and dW, db of all layers."""
        AL, caches = _functional_forward(given)
        grads = functional.L_model_backward(AL, given["Y"], caches, given["activations"])
        return {"cost": functional.compute_cost(AL, given["Y"])} | grads

    def update_parameters(given):
        """A step of gradient descent; what is given stays as it is."""
        parameters, grads = given["parameters"], given["grads"]
        before = {name: array.copy() for name, array in parameters.items()}
        updated = functional.update_parameters(parameters, grads, given["learning_rate"])
        for name, array in before.items():
            equal(parameters[name], array)
        return updated

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

    def backward_from_caches(given):
        """All gradients from printed activations."""
        return _backward_from_caches(given, _functional_back)


def _dense_back(dZ, A_prev, W, l2=0.0):
    """Return dA_prev, dW, db of a layer alone, whose activation is the identity."""
    model = layer_of(W, l2=l2)
    model.forward_layer(1, A_prev)
    return model.back_layer(1, dZ)


def _dropout_back(dA, mask, keep_prob):
    """Return dA_prev of dropout that has drawn this mask."""
    model = Sequential([Dropout(1 - keep_prob)], inputs=len(dA), dtype="float64")
    # A number below keep_prob where the mask is 1.
    model.rng = SimpleNamespace(random=lambda size: 1.0 - mask.ravel())
    model.forward_layer(1, np.zeros(dA.shape), training=True)
    (dA_prev,) = model.back_layer(1, dA)
    return dA_prev


def _stepped(given, make, **memory):
    """Return the parameters after a step with the given gradients, and the optimizers' memory.

    The layers of such an exercise make no network: each is a model. `memory` are the names of the
    vectors by the course's prefix.
    """
    updated = {}
    for l in range(1, len(given["parameters"]) // 2 + 1):
        parameters, optimizer = given["parameters"], make()
        model = layer_of(parameters[f"W{l}"], parameters[f"b{l}"])
        model.dW[1], model.db[1] = given["grads"][f"dW{l}"], given["grads"][f"db{l}"]
        optimizer.step(model)
        vectors = {"": model.params.copy()}
        vectors |= {prefix: optimizer.memory[name] for prefix, name in memory.items()}
        for prefix, vector in vectors.items():
            model.params[:] = vector  # to see it as W and b
            updated |= {f"{prefix}W{l}": model.W[1].copy(), f"{prefix}b{l}": model.b[1].copy()}
    return updated


class ByClasses:
    """The same by the classes: where a function has no docstring, it is the one above."""

    def activation(given):
        """A = g(Z), and the same into an array of the caller's."""
        Z, out = given["Z"], np.empty_like(given["Z"])
        g = Activation.get(given["activation"])
        g.forward(Z, out=out)
        equal(out, g.forward(Z))
        return {"A": out}

    def activation_derivative(given):
        Z, g = given["Z"], Activation.get(given["activation"])
        return {"dZ": g.back(np.ones_like(Z), Z, g.forward(Z))}

    def initialize_parameters(given):
        """W1, b1 … of a new model, which are the initializer's own draws, layer after layer."""
        (n_0, *units), scale = given["layer_dims"], given["scale"]
        named = isinstance(scale, str)
        init = Initializer.get(scale) if named else Initializer.get("normal", scale=scale)
        seed, again = (np.random.RandomState(given["seed"]) for _ in range(2))
        layers = [Dense(n, init=init) for n in units]
        model = Sequential(layers, inputs=n_0, dtype="float64", seed=seed)
        for W in model.W.values():
            equal(W, init.draw(W.shape, again))
        return copies(model, "W", "b")

    def linear_forward(given):
        """Z = W A_prev + b, of a layer whose activation is the identity."""
        return ByClasses.linear_activation_forward(given | {"activation": "identity"})

    def linear_activation_forward(given):
        """A = g(W A_prev + b), of one layer taken forward alone."""
        model = layer_of(given["W"], given["b"], given["activation"])
        return {"A": model.forward_layer(1, given["A_prev"]), "Z": model.Z[1]}

    def L_model_forward(given):
        """Z and A of every layer, by a pass forward and by one layer after the other."""
        model = built(given)
        A = given["X"]
        for l in range(1, len(model.layers) + 1):
            A = model.forward_layer(l, A).copy()
        equal(A, model.forward(given["X"]))
        return copies(model, "Z", "A")

    def predict(given):
        return {"labels": built(given).predict_labels(given["X"], threshold=given["threshold"])}

    def compute_cost(given):
        return {"cost": Loss.get("binary_crossentropy").value(given["AL"], given["Y"])}

    def compute_cost_l2(given):
        """J of the AL that is given, and the layers' penalties."""
        Y, names = given["Y"], ["sigmoid"] * (len(given["parameters"]) // 2)
        l2, given = given["lambd"] / Y.shape[1], given | {"activations": names}
        model, plain = built(given, l2), built(given)
        for each in (model, plain):
            each.forward(np.zeros((*each.inputs, Y.shape[1])))
        links = zip(model.layers, model.caches, strict=True)
        penalty = sum(layer.penalty(cache) for layer, cache in links)
        assert plain.cost(Y) + penalty == pytest.approx(model.cost(Y), rel=1e-14)
        return {"cost": ByClasses.compute_cost(given)["cost"] + penalty}

    def linear_backward(given):
        """dA_prev, dW and db, of one layer taken back alone."""
        back = _dense_back(given["dZ"], given["A_prev"], given["W"])
        return dict(zip(("dA_prev", "dW", "db"), back, strict=True))

    def linear_activation_backward(given):
        g = Activation.get(given["activation"])
        dZ = g.back(given["dA"], given["Z"], g.forward(given["Z"]))
        return ByClasses.linear_backward(given | {"dZ": dZ}) | {"dZ": dZ}

    def L_model_backward(given):
        dA, grads = Loss.get("binary_crossentropy").back(given["AL"], given["Y"]), {}
        for l in range(len(given["layers"]), 0, -1):
            back = ByClasses.linear_activation_backward(given["layers"][l - 1] | {"dA": dA})
            dA = back["dA_prev"]
            grads |= {f"dA{l - 1}": dA} | {f"{name}{l}": back[name] for name in ("dZ", "dW", "db")}
        return grads

    def gradients(given):
        """Cost, and the gradients of all layers."""
        model = built(given)
        model.forward(given["X"])
        model.back(given["Y"], input_gradient=True)
        return {"cost": model.cost(given["Y"])} | copies(model, "dW", "db", "dZ", "dA")

    def update_parameters(given):
        """A step of gradient descent."""
        return _stepped(given, lambda: SGD(given["learning_rate"]))

    def update_momentum(given):
        """A step with the course's averaged momentum, from v = 0; and v after it."""
        beta, rate = given["beta"], given["learning_rate"]
        return _stepped(given, lambda: SGD(rate, momentum=beta, dampening=beta), v_d="velocity")

    def update_adam(given):
        """Step t of Adam, from v = s = 0; and v and s after it."""

        def adam():
            names = ("learning_rate", "beta1", "beta2", "epsilon")
            optimizer = Adam(**{name: given[name] for name in names})
            optimizer.memory["t"] = np.array(given["t"] - 1)
            return optimizer

        return _stepped(given, adam, v_d="v", s_d="s")

    def train_full_batch(given):
        model, n, sgd = built(given), given["num_iterations"], SGD(given["learning_rate"])
        losses = model.fit(given["X"], given["Y"], sgd, epochs=n, batch_size=None)["loss"]
        assert n == len(losses)
        costs = {"costs": [losses[i] for i in given.get("iterations", ())]}
        return copies(model, "W", "b", "dW", "db") | costs

    def backward_from_caches(given):
        return _backward_from_caches(given, _dense_back)

    def forward_dropout(given):
        """Z and A of every layer, A after dropout, with the masks that the course's seed draws."""
        parameters, layers = given["parameters"], []
        for l, name in enumerate(given["activations"], 1):
            dense = Dense(len(parameters[f"W{l}"]), name, init="zeros")
            layers += [dense, Dropout(1 - given["keep_prob"])]
        inputs, seed = parameters["W1"].shape[1], np.random.RandomState(given["seed"])
        model = Sequential(layers[:-1], "binary_crossentropy", inputs, "float64", seed)
        for l, (at, W) in enumerate(model.W.items(), 1):
            W[:], model.b[at] = parameters[f"W{l}"], parameters[f"b{l}"]
        model.forward(given["X"], training=True)
        computed = {f"Z{l}": model.Z[at] for l, at in enumerate(model.W, 1)} | {"A3": model.A[5]}
        for l, at in ((1, 2), (2, 4)):
            computed |= {f"A{l}": model.A[at], f"mask{l}": model.caches[at - 1].mask > 0}
        return computed

    def backward_dropout(given):
        """All gradients from printed activations and masks; dA1 and dA2 are those of dropout."""
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


@pytest.mark.parametrize("m", [1, 2])
def test_functions_of_two_dtypes(m):
    """Arrays of several dtypes give what arrays of the widest give, for one example too."""
    A_prev, W, b = np.ones((3, m)), np.full((2, 3), 0.1), np.ones((2, 1), np.float32)
    Z, _ = functional.linear_forward(A_prev, W, b)
    np.testing.assert_array_equal(functional.linear_forward(A_prev, W, b.astype(float))[0], Z)
    assert np.float64 == Z.dtype


@pytest.mark.parametrize(("call", "words"), [
    (lambda: functional.linear_forward(np.ones((3, 0)), np.ones((2, 3)), np.ones((2, 1))),
     ["A_prev has shape (3, 0)", "at least one example"]),
    (lambda: functional.compute_cost(np.full((2, 3), 0.5), np.ones(6)),
     ["Y has shape (6,)", "(2, 3)"]),
])  # fmt: skip
def test_functions_refuse(call, words):
    """Arrays that do not fit together are refused in words."""
    with raises(tn.errors.ShapeError, *words):
        call()


@pytest.mark.parametrize("case", exercises(*vars(ByClasses)))
def test_classes(case):
    """The model, layers, activations, losses, initializers and SGD give the course's values."""
    assert_agree(outcome(case), getattr(ByClasses, case["function"])(arrays(case["given"])))


@pytest.mark.parametrize("case", exercises("gradient_check"))
def test_gradient_check(case):
    """The course's gradient check passes the gradients here, and finds its two planted errors."""
    given = arrays(case["given"])
    model, X, Y = built(given), given["X"], given["Y"]

    def difference():
        parameters, gradients = model.get_parameters(), copies(model, "dW", "db")
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
    """Return the course's two moons: scikit-learn's 300 points with seed 3 and noise 0.2."""
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


@pytest.mark.parametrize(("optimizer", "costs"), [
    (SGD(0.0007), {0: 0.7024046849828726, 1000: 0.66810064295887}),
    (Adam(0.0007), {0: 0.7021655222604548, 1000: 0.16784505282581158, 2000: 0.14131619792956462}),
], ids=["gd", "adam"])  # fmt: skip
def test_moons(optimizer, costs):
    """`fit` gives the published costs of the exercise on optimization, with its permutations."""
    sizes = ((5, "relu"), (2, "relu"), (1, "sigmoid"))
    layers = [Dense(units, name, "he_normal") for units, name in sizes]
    model = Sequential(layers, "binary_crossentropy", 2, "float64", seed=np.random.RandomState(3))
    history = model.fit(CourseBatches(*course_moons()), optimizer=optimizer, epochs=max(costs) + 1)
    close(list(costs.values()), [history["loss"][epoch] for epoch in costs], rtol=1e-9)


def test_mini_batches():
    """A RandomState shuffles and cuts as the course's random_mini_batches: 64, 64 and 20."""
    X, seed = np.random.RandomState(1).standard_normal((1, 148)), np.random.RandomState(0)
    model = Sequential([Dense(1)], "mean_squared_error", 1, "float64", seed=seed)
    batches = training_batches(model, X, X, batch_size=64).training
    model.rng = np.random.RandomState(0)
    taken = [batch[0][0].copy() for batch in batches.epoch(model.rng)]
    assert [batch.size for batch in taken] == [64, 64, 20]
    close([0.9008559492644118, -0.7612069008951028, 0.23441569781709215], taken[0][:3], rtol=1e-12)
