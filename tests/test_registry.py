"""Names for classes: what a subclass is called, how it is found, and what a description is."""

import copy
import pickle
import sys
import threading
import types

import attrs
import numpy as np
import pytest
from helpers import output_of

import tinynet as tn
from tinynet import SGD, Activation, Dense, Initializer, Layer, Loss, Metric, Optimizer, Schedule
from tinynet._support.registry import FAMILIES, snake_case
from tinynet.activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, Tanh
from tinynet.errors import UnknownNameError
from tinynet.initializers import HeNormal, Normal
from tinynet.losses import Huber, MeanSquaredError

NAMED = {
    Activation: "celu elu gelu hard_sigmoid hard_silu identity leaky_relu mish relu relu6 selu "
                "sigmoid silu softmax softplus softsign tanh",
    Layer: "dense",
    Loss: "binary_crossentropy categorical_crossentropy hinge huber kl_divergence log_cosh "
          "mean_absolute_error mean_squared_error poisson",
    Optimizer: "adagrad adam adamw lion nadam rmsprop sgd",
    Schedule: "constant cosine exponential inverse_time one_cycle piecewise polynomial step "
              "warmup",
    Initializer: "constant glorot_normal glorot_uniform he_average he_normal he_uniform "
                 "lecun_normal normal orthogonal truncated_normal uniform zeros",
    Metric: "accuracy f1 r2",
}  # fmt: skip
# How they print, with the documented defaults; no two of them are equal.
DESCRIPTIONS = {
    ReLU(): "ReLU()", Sigmoid(): "Sigmoid()", LeakyReLU(slope=0.3): "LeakyReLU(slope=0.3)",
    LeakyReLU(1): "LeakyReLU(slope=1.0)", ELU(): "ELU(alpha=1.0)", Huber(): "Huber(delta=1.0)",
    Huber(delta=2.0): "Huber(delta=2.0)", MeanSquaredError(): "MeanSquaredError()",
    GELU(): "GELU()", GELU(approximate=True): "GELU(approximate=True)",
    HeNormal(): "HeNormal()", Normal(scale=0.5): "Normal(scale=0.5)",
    Dense(3): "Dense(units=3, activation=Identity(), init='auto', l2=0.0)",
    Dense(4): "Dense(units=4, activation=Identity(), init='auto', l2=0.0)",
    Dense(3, "relu"): "Dense(units=3, activation=ReLU(), init='auto', l2=0.0)",
    Dense(3, LeakyReLU(slope=0.3), init=Normal(scale=0.5), l2=0.1):
        "Dense(units=3, activation=LeakyReLU(slope=0.3), init=Normal(scale=0.5), l2=0.1)",
    SGD(): "SGD(learning_rate=0.01, momentum=0.0, dampening=0.0, nesterov=False)",
    SGD(0.1, momentum=0.9, nesterov=True):
        "SGD(learning_rate=0.1, momentum=0.9, dampening=0.0, nesterov=True)",
    tn.Adam(): "Adam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08)",
}  # fmt: skip


def forward(self, Z):
    """Be the forward pass of an activation that only has a name to be tested."""
    return Z * 1


WORDS = {  # beside the names of the library's own classes, which are in NAMED
    "CReLU": "crelu", "SGDMomentum": "sgd_momentum", "RMSProp": "rms_prop", "Conv2D": "conv2d",
    "ReLU6": "relu6", "MyLeakyReLU": "my_leaky_relu",
}  # fmt: skip


@pytest.mark.parametrize(("class_name", "expected"), WORDS.items())
def test_snake_case(class_name, expected):
    """A class name becomes words joined by underscores, and an acronym is one word."""
    assert expected == snake_case(class_name)


@pytest.mark.parametrize(("family", "names"), NAMED.items(), ids=[f.family for f in NAMED])
def test_names(family, names):
    """The families have the documented names, sorted, and every name is that of its class."""
    assert set(names.split()) <= set(family.names())
    assert sorted(family.names()) == family.names()
    for name in family.names():
        assert name == family._classes[name].registered_name
        assert family is FAMILIES[family._classes[name].family]


def test_families_are_apart():
    """A name belongs to one family, and classes of two families may have the same one."""
    members = {"value": lambda self, A, Y: 0.0, "back": lambda self, A, Y: 0 * A}
    loss = type("Sigmoid", (Loss,), members)
    assert loss is type(Loss.get("sigmoid"))
    assert loss is not type(Activation.get("sigmoid"))


@pytest.mark.parametrize(("family", "name", "fields", "expected"), [
    (Activation, "relu", {}, ReLU()), (Activation, "leaky_relu", {}, LeakyReLU(slope=0.01)),
    (Activation, "leaky_relu", {"slope": 0.1}, LeakyReLU(slope=0.1)),
    (Loss, "huber", {"delta": 3}, Huber(delta=3.0)),
    (Optimizer, "sgd", {"learning_rate": 0.5, "momentum": 0.5}, SGD(0.5, momentum=0.5)),
    (Initializer, "normal", {"scale": 0.01}, Normal(scale=0.01)),
    (Layer, "dense", {"units": 4, "activation": "tanh"}, Dense(4, Tanh())),
])  # fmt: skip
def test_get_by_name(family, name, fields, expected):
    """A name, with fields or without, gives an instance; a config of the same says the same."""
    assert expected == family.get(name, **fields)
    assert expected == family.get({"name": name, **fields})
    assert expected == family.get({"name": name}, **fields)


@pytest.mark.parametrize(("thing", "shown"), DESCRIPTIONS.items(), ids=repr)
def test_descriptions_are_values(thing, shown):
    """`get` returns an instance as it is. Its config, a copy and a pickle give an equal one."""
    family, config = FAMILIES[thing.family], thing.config()
    assert thing is family.get(thing)
    for field in (*(field.name for field in attrs.fields(type(thing))), "anything"):
        with pytest.raises(AttributeError):
            setattr(thing, field, 0.5)
    assert shown == repr(thing)
    assert [thing] == [other for other in [*DESCRIPTIONS, thing.registered_name] if thing == other]
    assert (thing.family, thing.registered_name) == (config["family"], config["name"])
    pickled = pickle.loads(pickle.dumps(thing))
    for other in (family.get(config), copy.copy(thing), copy.deepcopy(thing), pickled):
        assert thing == other
        assert (hash(thing), repr(thing)) == (hash(other), repr(other))


def test_config_of_nested_descriptions():
    """A field that holds a description is a config in the config, and an instance again."""
    dense = Dense(3, LeakyReLU(slope=0.3), init=Normal(scale=0.5), l2=0.1)
    expected = {
        "family": "layer", "name": "dense", "units": 3, "l2": 0.1,
        "activation": {"family": "activation", "name": "leaky_relu", "slope": 0.3},
        "init": {"family": "initializer", "name": "normal", "scale": 0.5},
    }  # fmt: skip
    assert expected == dense.config()
    assert LeakyReLU(slope=0.3) == Layer.get(expected).activation


def test_config_of_tuples_and_json():
    """Tuples of descriptions are encoded; a list, which JSON makes of one, is a tuple again."""

    @attrs.frozen
    class Chain(Activation):
        links: tuple[Activation, ...] = ()
        forward = forward

    chain = Chain((ReLU(), LeakyReLU(slope=0.5)))
    config = chain.config()
    links = list(config["links"])
    assert [{"family": "activation", "name": "relu"}, LeakyReLU(slope=0.5).config()] == links
    assert chain == Activation.get(config) == Activation.get({**config, "links": links})


REFUSED = [
    (Activation, Huber(), {}, "^Huber.* is not the name, config or instance .* activation.*loss"),
    (Loss, ReLU(), {}, "loss"), (Layer, b"relu", {}, "layer"), (Activation, None, {}, "activation"),
    (Activation, 3, {}, "activation"), (Activation, {}, {}, "activation"),
    (Activation, {"name": 3}, {}, "activation"), (Activation, Huber().config(), {}, "activation"),
    (Activation, np.tanh, {}, r'Pass a name such as "celu".*class MyActivation\('),
    (Activation, ReLU, {}, r"Pass an instance: ReLU\(\)\."),
    (Layer, Dense, {}, r"Pass an instance: Dense\(units=\.\.\.\)\."),
    (Activation, LeakyReLU(), {"slope": 0.1}, "further fields"),
    (Activation, "relu", {"slope": 0.1}, "slope"),
    (Activation, {"name": "relu", "slope": 0.1}, {}, "slope"),
    # What other libraries call a field:
    (Optimizer, "sgd", {"lr": 0.1}, "SGD has no field 'lr'.* learning_rate, "),
    (Optimizer, "adam", {"eps": 0.1}, "fields are epsilon, "),
    (Layer, "dense", {"out_features": 3}, "fields are units, "),
]  # fmt: skip


@pytest.mark.parametrize(
    ("family", "spec", "fields", "message"), REFUSED, ids=[str(n) for n in range(len(REFUSED))]
)
def test_get_refuses(family, spec, fields, message):
    """What is none of the three, of another family, or has unknown fields, is a TypeError."""
    with pytest.raises(TypeError, match=message):
        family.get(spec, **fields)


class Loose(Activation):
    """What somebody writes who does not know attrs yet."""

    slope = 0.5
    shift: float = 1.0
    forward = forward


DECLARE = "write @attrs.frozen above the class, and "
NOT_DECLARED = [
    (lambda: Loose(slope=2.0), r"has no field 'slope'\. .*" + DECLARE + "slope: float = 0.5 in it"),
    (lambda: Loose(shift=2.0), r"has no field 'shift'\. .*" + DECLARE + "shift: float = 1.0 in it"),
    (lambda: Loose(2.0), r"Loose takes no values: got 1\. .*shift: float = 1.0"),
    (lambda: ReLU(1), r"ReLU takes no values: got 1\.$"),
    (lambda: SGD(1, 2, 3, True, 5), "SGD takes at most 4 values, learning_rate, .*nesterov: got 5"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), NOT_DECLARED)
def test_settings_that_are_not_declared(make, message):
    """An attribute of a class is no field yet: the error says how it becomes one."""
    with pytest.raises(TypeError, match=message):
        make()


UNKNOWN = [
    (Activation, "leakyrelu", "leaky_relu"), (Activation, "Sigmoid", "sigmoid"),
    (Activation, "soft_max", "softmax"), (Loss, "binary_cross_entropy", "binary_crossentropy"),
    (Initializer, "glorot", "glorot_normal"), (Layer, "Dens", "dense"),
    # What other libraries call it:
    (Activation, "swish", "silu"), (Activation, "linear", "identity"),
    (Activation, "logistic", "sigmoid"), (Loss, "mse", "mean_squared_error"),
    (Loss, "MSE", "mean_squared_error"), (Loss, "mae", "mean_absolute_error"),
    (Loss, "bce", "binary_crossentropy"), (Loss, "nll", "categorical_crossentropy"),
    (Metric, "acc", "accuracy"), (Metric, "f1_score", "f1"), (Metric, "r2_score", "r2"),
    (Initializer, "xavier", "glorot_uniform"), (Initializer, "kaiming", "he_normal"),
]  # fmt: skip


@pytest.mark.parametrize(("family", "name", "nearest"), UNKNOWN)
def test_unknown_name(family, name, nearest):
    """An unknown name raises an error that lists all known ones, the nearest first."""
    with pytest.raises(UnknownNameError, match=f"^No {family.family} is called '{name}'") as caught:
        family.get(name)
    listed = str(caught.value).rpartition(": ")[2].rstrip(".").split(", ")
    assert family.names() == sorted(listed)
    assert nearest == listed[0]


def test_unknown_name_inside_a_config():
    """An unknown name is found wherever it stands; it is a LookupError, too."""
    for spec, fields in (("dense", {"activation": "rleu"}), ({"name": "dense"}, {"init": "norml"})):
        with pytest.raises(LookupError, match=r"'rleu'.* first: relu|'norml'.* first: normal"):
            Layer.get(spec, units=3, **fields)


def test_second_class_under_a_taken_name():
    """Another class of the same name is refused with the owner of the name, which stays."""
    message = r"'relu' already belongs to tinynet\.activations\.relu\.ReLU.*name=\"my_relu\""
    with pytest.raises(ValueError, match=message):
        type("ReLU", (Activation,), {"forward": forward})
    with pytest.raises(ValueError, match="'tanh' already belongs"):

        class Other(Activation, name="tanh"):
            forward = forward

    assert tn.activations.ReLU is type(Activation.get("relu"))
    assert Tanh is type(Activation.get("tanh"))


DECORATORS = [lambda cls: cls, attrs.frozen, attrs.frozen(slots=False)]
undecorated_too = pytest.mark.parametrize("decorate", DECORATORS)


@undecorated_too
def test_redefinition_replaces(decorate):
    """The same class defined again, as when a notebook cell is run twice, replaces itself."""

    def cell(value):
        class Again(Activation):
            constant = value
            forward = forward

        return decorate(Again)

    first, second = cell(1), cell(2)
    assert first is not second
    assert second is type(Activation.get("again"))
    assert Activation.names().count("again") == 1


@undecorated_too
def test_chosen_name(decorate):
    """``name=`` chooses the name, also where attrs makes a class again; a subclass has its own."""

    class MyOwn(Activation, name="the_one"):
        forward = forward

    MyOwn = decorate(MyOwn)
    assert MyOwn is type(Activation.get("the_one"))
    assert "the_one" == MyOwn.registered_name == MyOwn().config()["name"]
    assert "my_own" not in Activation.names()
    below = decorate(type("Below", (MyOwn,), {}))
    assert MyOwn is type(Activation.get("the_one"))
    assert below is type(Activation.get("below"))


@undecorated_too
def test_abstract_intermediate_is_not_registered(decorate):
    """A class that leaves a method abstract has no name; a class below that fills it in has one."""

    @decorate
    class HalfDone(Loss):
        def value(self, A, Y):
            return 0.0

    assert "half_done" not in Loss.names()

    @decorate
    class Done(HalfDone):
        def back(self, A, Y):
            return 0 * A

    assert Done is type(Loss.get("done"))


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_bases_are_abstract(family):
    """The base of a family is not registered, and cannot be made."""
    assert family not in family._classes.values()
    with pytest.raises(TypeError, match="abstract"):
        family()


def test_fields_called_family_or_name():
    """A field that would hide the name in the config is refused with what to do."""
    labelled = attrs.make_class("Labelled", {"name": attrs.field(default="x")}, (Activation,),
                                {"forward": forward}, frozen=True)  # fmt: skip
    with pytest.raises(TypeError, match=r"Labelled.*'name'.*Rename"):
        labelled().config()


def test_a_field_says_how_it_is_compared():
    """``eq`` of a field counts, as does a class's own ``__eq__``, in its subclasses too."""

    @attrs.frozen
    class Named(ReLU):
        slope: float = attrs.field(default=1.0, eq=abs)
        note: str = attrs.field(default="", eq=False)

    class Any_(ReLU):
        def __eq__(self, other):
            return isinstance(other, ReLU)

    class Other(Any_):
        pass

    assert Named(1.0, "a") == Named(-1.0, "b")
    assert hash(Named(1.0, "a")) == hash(Named(-1.0, "b"))
    assert Named(1.0) != Named(2.0)
    assert Other() == ReLU()
    with pytest.raises(TypeError, match="unhashable"):
        hash(Other())


FIELDS = {
    Activation: ["leaky_relu slope", "elu alpha"], Loss: ["huber delta"],
    Layer: ["dense l2", "batch_norm momentum", "batch_norm epsilon", "layer_norm epsilon",
            "dropout rate"],
    Initializer: ["normal scale", "orthogonal gain", "constant value"],
    Optimizer: ["sgd momentum", "sgd dampening", "adam beta1", "adam epsilon"],
}  # fmt: skip


@pytest.mark.parametrize("half", [np.float32(0.5), np.array(0.5), "0.5"])
@pytest.mark.parametrize("family", FIELDS)
def test_settings_become_plain_numbers(family, half):
    """A number of NumPy's becomes a float, which a file can hold and which raises no dtype."""
    for name, field in map(str.split, FIELDS[family]):
        others = {"units": 3} if name == "dense" else {}
        config = family.get(name, **{field: half}, **others).config()
        assert (float, 0.5) == (type(config[field]), config[field])


def test_super_and_private_fields():
    """`super` works in a class that attrs makes again, and a private field in a config."""

    @attrs.frozen
    class Louder(Tanh):
        _k: float = 2.0

        def forward(self, Z):
            return self._k * super().forward(Z)

    np.testing.assert_allclose(2 * np.tanh(0.5), Louder().forward(np.array([[0.5]]))[0, 0])
    assert Louder(3.0) == Louder.get(Louder(3.0).config())


LATER = {"testing", "functional", "datasets"}
IMPORTS = f"""
import sys, numpy, attrs
before = {{*sys.modules}}
import tinynet as tn
loaded = sys.modules.keys() - before
by_methods = {{"tinynet.data.sources", "tinynet.files.archive", "tinynet.training.fit"}}
assert not by_methods & loaded, by_methods & loaded
import tinynet.training.fit
loaded = sys.modules.keys() - before
assert by_methods <= loaded, by_methods - loaded
only_files_need = {{"json", "zipfile", "tempfile", "zlib", "random"}}
assert not only_files_need & loaded, only_files_need & loaded
of_rules = {{"tinynet.schedules.rules", "tinynet.optimizers.adam", "csv"}}
assert not of_rules & loaded, of_rules & loaded
names = ["tinynet.testing", "tinynet.functional", "tinynet.data.datasets"]
assert not {{*names}} & loaded, {{*names}} & loaded
modules = [getattr(tn, name) for name in {sorted(LATER, reverse=True)}]
assert [module.__name__ for module in modules] == names, modules
from tinynet import load_digits
assert load_digits is tn.datasets.load_digits
"""


def test_what_is_imported_later():
    """What few programs, or some methods, need is imported at first use; `dir` names it at once."""
    assert set(dir(tn)) >= {*LATER, "load_digits", "Sequential"}
    output_of("-c", IMPORTS)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = tn.nothing


HALF_IMPORTED = """
import halfway
from tinynet import Activation

class Late(Activation):
    def forward(self, Z):
        return helper(Z)

halfway.defined.set()
halfway.found.wait(0.2)

def helper(Z):
    return 2 * Z
"""


def test_a_class_is_found_once_its_module_is_imported(tmp_path, monkeypatch):
    """A thread that asks for a class waits while another imports the module of it."""
    halfway = types.ModuleType("halfway")
    halfway.defined, halfway.found = threading.Event(), threading.Event()
    monkeypatch.setitem(sys.modules, "halfway", halfway)
    (tmp_path / "late.py").write_text(HALF_IMPORTED)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(Activation, "_classes", dict(Activation._classes))
    monkeypatch.setattr(Activation, "modules", (*Activation.modules, "late"))
    other = threading.Thread(target=Activation.get, args=["late"])
    other.start()
    assert halfway.defined.wait(10)
    late = Activation.get("late")
    halfway.found.set()
    assert 6.0 == late.forward(3.0)
    other.join()
    del sys.modules["late"]


@pytest.mark.parametrize(
    ("activation", "name", "variance"),
    [
        ("relu", "he_average", 4 / (300 + 100)), ("leaky_relu", "he_average", 4 / (300 + 100)),
        ("gelu", "he_normal", 2 / 300), ("selu", "lecun_normal", 1 / 300),
        ("tanh", "glorot_uniform", 2 / (300 + 100)), ("softmax", "glorot_uniform", 2 / (300 + 100)),
    ],
)  # fmt: skip
def test_auto(activation, name, variance):
    """``init="auto"`` draws W with the activation's initializer, of the documented variance."""
    one, same = (
        tn.Sequential([Dense(100, activation, init)], inputs=300, seed=1) for init in ("auto", name)
    )
    assert same.W[1].tolist() == one.W[1].tolist()
    assert one.W[1].var() == pytest.approx(variance, rel=0.03)


@pytest.mark.parametrize(("expression", "expected"), [
    ("tn.Optimizer.get('nadam')", repr(tn.Nadam())),
    ("tn.Schedule.get('step', rate=0.1, drop=0.5, every=2)", repr(tn.schedules.Step(0.1, 0.5, 2))),
    ("tn.Optimizer.names()", "['adagrad', 'adam', 'adamw', 'lion', 'nadam', 'rmsprop', 'sgd']"),
    ("tn.Schedule.names()", "['constant', 'cosine', 'exponential', 'inverse_time', "),
    ("tn.callbacks.EarlyStopping.__name__ + tn.AdamW.__name__", "EarlyStoppingAdamW"),
    ("sorted(dir(tn)) == sorted(tn.__all__)", "True"),
    ("type('Adam', (tn.Optimizer,), {'apply': print})", "name 'adam' already belongs"),
    ("tn.optimizers.adam.Adam is tn.Adam and tn.callbacks.logs.__name__",
     "tinynet.training.callbacks.logs"),
    ("tn.callbacks.Callback is tn.Callback and tn.History.__module__", "tinynet.training.history"),
    ("tn.Rows is tn.data.rows.Rows", "True"),
    ("tn.optimizers.Adamm", "The nearest name is tn.optimizers.Adam."),
])  # fmt: skip
def test_what_is_imported_later_is_found(expression, expected):
    """In a new process some modules are not imported yet, but all of their names are known."""
    program = f"import tinynet as tn\ntry: print({expression})\nexcept Exception as e: print(e)"
    assert expected in output_of("-c", program)
