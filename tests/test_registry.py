"""Names for classes: what a subclass is called, how it is found, and what a description is."""

import copy
import pickle

import attrs
import numpy as np
import pytest

import tinynet as tn
from tinynet import SGD, Activation, Dense, Initializer, Layer, Loss, Optimizer, Schedule
from tinynet._support.registry import FAMILIES, snake_case
from tinynet.activations import ELU, LeakyReLU, ReLU, Sigmoid, Tanh
from tinynet.errors import UnknownNameError
from tinynet.initializers import HeNormal, Normal
from tinynet.losses import Huber, MeanSquaredError

NAMED = {
    Activation: "elu gelu hard_sigmoid identity leaky_relu mish relu selu sigmoid silu softmax softplus tanh",
    Layer: "dense",
    Loss: "binary_crossentropy categorical_crossentropy huber mean_absolute_error mean_squared_error poisson",
    Optimizer: "adagrad adam adamw nadam rmsprop sgd",
    Schedule: "constant cosine exponential inverse_time polynomial step warmup",
    Initializer: "constant glorot_normal glorot_uniform he_normal he_uniform lecun_normal normal orthogonal zeros",
}
# One of each family with its fields changed.
DESCRIPTIONS = [
    ReLU(),
    LeakyReLU(slope=0.3),
    Dense(3),
    Dense(3, LeakyReLU(slope=0.3), init=Normal(scale=0.5), l2=0.1),
    MeanSquaredError(),
    Huber(delta=2.0),
    SGD(0.1, momentum=0.9, nesterov=True),
    HeNormal(),
    Normal(scale=0.5),
]


def forward(self, Z):
    """Be the forward pass of an activation that only has a name to be tested."""
    return Z * 1


@pytest.mark.parametrize(
    ("class_name", "expected"),
    [
        ("ReLU", "relu"),
        ("LeakyReLU", "leaky_relu"),
        ("ELU", "elu"),
        ("SELU", "selu"),
        ("GELU", "gelu"),
        ("SiLU", "silu"),
        ("CReLU", "crelu"),
        ("Mish", "mish"),
        ("HardSigmoid", "hard_sigmoid"),
        ("SGD", "sgd"),
        ("SGDMomentum", "sgd_momentum"),
        ("Adam", "adam"),
        ("RMSProp", "rms_prop"),
        ("Dense", "dense"),
        ("Conv2D", "conv2d"),
        ("BatchNorm", "batch_norm"),
        ("MeanSquaredError", "mean_squared_error"),
        ("BinaryCrossentropy", "binary_crossentropy"),
        ("LecunNormal", "lecun_normal"),
        ("ReLU6", "relu6"),
    ],
)
def test_snake_case(class_name, expected):
    """A class name becomes words joined by underscores, and an acronym is one word."""
    assert expected == snake_case(class_name)


@pytest.mark.parametrize(
    ("family", "names"), NAMED.items(), ids=lambda value: getattr(value, "family", "")
)
def test_names(family, names):
    """The families know what the documentation names, sorted; every name finds the class that bears it."""
    assert set(names.split()) <= set(family.names())
    assert sorted(family.names()) == family.names()
    for name in family.names():
        assert name == family._classes[name].registered_name
        assert family is FAMILIES[family._classes[name].family]


def test_families_are_apart():
    """A name belongs to one family, and classes of two families may bear the same one."""

    class Sigmoid(Loss):
        def value(self, A, Y):
            return 0.0

        def back(self, A, Y):
            return 0 * A

    assert isinstance(Loss.get("sigmoid"), Sigmoid)
    assert not isinstance(Activation.get("sigmoid"), Sigmoid)


@pytest.mark.parametrize(
    ("family", "name", "fields", "expected"),
    [
        (Activation, "relu", {}, ReLU()),
        (Activation, "leaky_relu", {}, LeakyReLU(slope=0.01)),
        (Activation, "leaky_relu", {"slope": 0.1}, LeakyReLU(slope=0.1)),
        (Loss, "huber", {"delta": 3}, Huber(delta=3.0)),
        (Optimizer, "sgd", {"learning_rate": 0.5, "momentum": 0.5}, SGD(0.5, momentum=0.5)),
        (Initializer, "normal", {"scale": 0.01}, Normal(scale=0.01)),
        (Layer, "dense", {"units": 4, "activation": "tanh"}, Dense(4, Tanh())),
    ],
)
def test_get_by_name(family, name, fields, expected):
    """A name, with fields or without, gives an instance; a config of the same says the same."""
    assert expected == family.get(name, **fields)
    assert expected == family.get({"name": name, **fields})
    assert expected == family.get({"name": name}, **fields)


@pytest.mark.parametrize("thing", DESCRIPTIONS, ids=repr)
def test_get_by_instance_and_config(thing):
    """An instance is handed back as it is, and a config, plain data with the family in it, gives an equal one."""
    family = FAMILIES[thing.family]
    assert thing is family.get(thing)
    config = thing.config()
    assert (thing.family, thing.registered_name) == (config["family"], config["name"])
    assert thing == family.get(config)


def test_config_of_nested_descriptions():
    """A field that holds a description is a config in the config, and comes back as an instance."""
    dense = Dense(3, LeakyReLU(slope=0.3), init=Normal(scale=0.5), l2=0.1)
    expected = {
        "family": "layer",
        "name": "dense",
        "units": 3,
        "activation": {"family": "activation", "name": "leaky_relu", "slope": 0.3},
        "init": {"family": "initializer", "name": "normal", "scale": 0.5},
        "l2": 0.1,
    }
    assert expected == dense.config()
    assert LeakyReLU(slope=0.3) == Layer.get(expected).activation


def test_config_of_tuples_and_json():
    """Tuples of descriptions are encoded, too, and a list, as JSON makes of a tuple, comes back as a tuple."""

    @attrs.frozen
    class Chain(Activation):
        links: tuple[Activation, ...] = ()
        forward = forward

    chain = Chain((ReLU(), LeakyReLU(slope=0.5)))
    config = chain.config()
    assert [{"family": "activation", "name": "relu"}, LeakyReLU(slope=0.5).config()] == list(
        config["links"]
    )
    assert (
        chain
        == Activation.get(config)
        == Activation.get({**config, "links": list(config["links"])})
    )


@pytest.mark.parametrize(
    ("family", "spec", "fields", "message"),
    [
        (
            Activation,
            Huber(),
            {},
            r"Huber.* is not the name, config or instance of a tinynet activation",
        ),
        (Loss, ReLU(), {}, "loss"),
        (Layer, b"relu", {}, "layer"),
        (Activation, None, {}, "activation"),
        (Activation, 3, {}, "activation"),
        (Activation, {}, {}, "activation"),
        (Activation, {"name": 3}, {}, "activation"),
        (Activation, Huber().config(), {}, "activation"),
        (Activation, ReLU, {}, r"write ReLU\("),
        (Activation, LeakyReLU(), {"slope": 0.1}, "further fields"),
        (Activation, "relu", {"slope": 0.1}, "slope"),
        (Activation, {"name": "relu", "slope": 0.1}, {}, "slope"),
    ],
    ids=str,
)
def test_what_get_refuses(family, spec, fields, message):
    """What is none of the three, of another family, or has unknown fields, is a TypeError that says so."""
    with pytest.raises(TypeError, match=message):
        family.get(spec, **fields)


@pytest.mark.parametrize(
    ("family", "name", "nearest"),
    [
        (Activation, "leakyrelu", "leaky_relu"),
        (Activation, "Sigmoid", "sigmoid"),
        (Activation, "soft_max", "softmax"),
        (Activation, "swish", "mish"),
        (Loss, "mse", "mean_squared_error"),
        (Loss, "binary_cross_entropy", "binary_crossentropy"),
        (Initializer, "glorot", "glorot_normal"),
        (Layer, "Dens", "dense"),
    ],
)
def test_unknown_name(family, name, nearest):
    """An unknown name raises, and lists all known ones, the nearest first."""
    with pytest.raises(UnknownNameError, match=rf"no {family.family} is called '{name}'") as caught:
        family.get(name)
    listed = str(caught.value).rpartition(": ")[2].split(", ")
    assert family.names() == sorted(listed)
    if name not in ("mse", "swish"):  # of which nothing known has the letters
        assert nearest == listed[0]


def test_unknown_name_inside_a_config():
    """An unknown name is found wherever it stands; it is a LookupError, too."""
    for make in (
        lambda: Dense(3, "rleu"),
        lambda: Layer.get({"name": "dense", "units": 3, "activation": "rleu"}),
    ):
        with pytest.raises(LookupError, match=r"'rleu'.*nearest first: relu"):
            make()


def test_subclass_registers():
    """To subclass is to register: the name then works wherever a name does."""

    class Swish(Activation):
        def forward(self, Z):
            return Z / (1 + np.exp(-Z))

    assert "swish" in Activation.names()
    assert Swish() == Activation.get("swish") == Dense(3, "swish").activation


def test_second_class_under_a_taken_name():
    """Another class of the same name is refused, told who has it, and the first one stays."""
    with pytest.raises(
        ValueError, match=r"activation name 'relu' is taken by tinynet\.activations\.ReLU"
    ):

        class ReLU(Activation):
            forward = forward

    with pytest.raises(ValueError, match="'tanh' is taken"):

        class Other(Activation, name="tanh"):
            forward = forward

    assert tn.activations.ReLU is type(Activation.get("relu"))
    assert Tanh is type(Activation.get("tanh"))


@pytest.mark.parametrize("decorate", [lambda cls: cls, attrs.frozen, attrs.frozen(slots=False)])
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


@pytest.mark.parametrize("decorate", [lambda cls: cls, attrs.frozen, attrs.frozen(slots=False)])
def test_chosen_name(decorate):
    """``name=`` chooses the name, also where attrs makes the class a second time; the default is not taken."""

    class MyOwn(Activation, name="the_one"):
        forward = forward

    MyOwn = decorate(MyOwn)
    assert MyOwn is type(Activation.get("the_one"))
    assert "the_one" == MyOwn.registered_name == MyOwn().config()["name"]
    assert "my_own" not in Activation.names()


def test_chosen_name_is_not_inherited():
    """A subclass of a class with a chosen name has a name of its own."""

    class First(Activation, name="the_first"):
        forward = forward

    class Second(First):
        pass

    assert First is type(Activation.get("the_first"))
    assert Second is type(Activation.get("second"))


@pytest.mark.parametrize("decorate", [lambda cls: cls, attrs.frozen])
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

    @attrs.frozen
    class Labelled(Activation):
        name: str = "x"
        forward = forward

    with pytest.raises(TypeError, match=r"Labelled.*'name'.*rename"):
        Labelled().config()


@pytest.mark.parametrize("thing", DESCRIPTIONS, ids=repr)
def test_descriptions_are_values(thing):
    """Descriptions with the same fields are equal, hash and print alike, and survive copy and pickle."""
    for other in (
        FAMILIES[thing.family].get(thing.config()),
        copy.copy(thing),
        copy.deepcopy(thing),
        pickle.loads(pickle.dumps(thing)),
    ):
        assert thing == other
        assert hash(thing) == hash(other)
        assert repr(thing) == repr(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ReLU(), Sigmoid()),
        (LeakyReLU(slope=0.1), LeakyReLU(slope=0.2)),
        (ReLU(), "relu"),
        (ELU(1.0), LeakyReLU(1.0)),
        (Dense(3), Dense(4)),
        (Dense(3), Dense(3, "relu")),
        (SGD(0.1), SGD(0.2)),
        (MeanSquaredError(), ReLU()),
    ],
    ids=repr,
)
def test_different_descriptions_differ(one, other):
    """Another class or another field is another description."""
    assert one != other


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        (ReLU(), "ReLU()"),
        (LeakyReLU(slope=0.3), "LeakyReLU(slope=0.3)"),
        (Dense(3, "relu"), "Dense(units=3, activation=ReLU(), init='auto', l2=0.0)"),
        (SGD(0.1), "SGD(learning_rate=0.1, momentum=0.0, dampening=0.0, nesterov=False)"),
        (SGD(), "SGD(learning_rate=0.01, momentum=0.0, dampening=0.0, nesterov=False)"),
        (tn.Adam(), "Adam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08)"),
        (Huber(), "Huber(delta=1.0)"),
        (ELU(), "ELU(alpha=1.0)"),
    ],
)
def test_repr(thing, expected):
    """A description prints as what would make it, with the documented defaults."""
    assert expected == repr(thing)


@pytest.mark.parametrize(
    ("family", "name", "field", "others"),
    [
        (Activation, "leaky_relu", "slope", {}),
        (Activation, "elu", "alpha", {}),
        (Loss, "huber", "delta", {}),
        (Layer, "dense", "l2", {"units": 3}),
        (Optimizer, "sgd", "momentum", {}),
        (Optimizer, "sgd", "dampening", {}),
        (Optimizer, "adam", "beta1", {}),
        (Optimizer, "adam", "epsilon", {}),
    ],
)
@pytest.mark.parametrize("half", [np.float32(0.5), np.array(0.5), "0.5"])
def test_settings_become_plain_numbers(family, name, field, others, half):
    """A number of NumPy's is kept as a float, which a file can hold and every dtype takes for its own."""
    config = family.get(name, **{field: half}, **others).config()
    assert (float, 0.5) == (type(config[field]), config[field])


@pytest.mark.parametrize(
    ("thing", "field"),
    [
        (LeakyReLU(), "slope"),
        (Dense(3), "units"),
        (SGD(), "learning_rate"),
        (Huber(), "delta"),
        (ReLU(), "anything"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_descriptions_are_frozen(thing, field):
    """A description cannot be changed, only made anew."""
    before = repr(thing)
    with pytest.raises(AttributeError):
        setattr(thing, field, 0.5)
    assert before == repr(thing)


def test_memory_of_an_optimizer_is_no_part_of_it():
    """What an optimizer remembers does not show in equality, hash, repr or config."""
    used, fresh = SGD(0.1, momentum=0.9), SGD(0.1, momentum=0.9)
    used.update(np.ones(3), np.ones(3))
    assert list(used.memory) == ["velocity"]
    assert fresh == used
    assert (hash(fresh), repr(fresh), fresh.config()) == (hash(used), repr(used), used.config())


def test_super_in_an_attrs_class_without_out():
    """attrs makes the class again, and a method written without out still finds its parent."""

    @attrs.frozen
    class Louder(Tanh):
        k: float = 2.0

        def forward(self, Z):
            return self.k * super().forward(Z)

    np.testing.assert_allclose(2 * np.tanh(0.5), Louder().forward(np.array([[0.5]]))[0, 0])


def test_private_fields_come_back():
    """A field with an underscore goes into the config under the name that the class takes it by."""

    @attrs.frozen
    class Hidden(Tanh):
        _k: float = 2.0

    assert Hidden(3.0) == Hidden.get(Hidden(3.0).config())


@pytest.mark.parametrize("family", [Activation, Loss])
def test_backward_is_called_back(family):
    """A method under the name that other libraries have would never be called: the class is refused, with the name."""
    with pytest.raises(
        TypeError, match="Own defines backward, which nothing here calls; name it back"
    ):
        type("Own", (family,), {"backward": lambda self, dA, Z, A: dA})
    assert "own" not in family.names()
