"""Checks that every class of a family must pass: the library's and a user's.

A check returns quietly or raises an AssertionError that says what is wrong. Gradients are
compared with central differences in float64, whatever precision is used elsewhere.

>>> import tinynet as tn
>>> tn.testing.check_activation(tn.Activation.get("tanh"))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
from attrs.exceptions import FrozenInstanceError

from tinynet._support.checks import example_shape
from tinynet._support.quiet import quiet
from tinynet._support.registry import Registered
from tinynet.activations import Activation
from tinynet.initializers import Initializer
from tinynet.layers import Layer
from tinynet.losses import Loss
from tinynet.metrics import Metric
from tinynet.optimizers import Optimizer
from tinynet.schedules import Schedule
from tinynet.testing import _activations, _layers, _losses, _metrics, _optimizers
from tinynet.testing._by_hand import compare_gradients
from tinynet.testing._expect import check_description
from tinynet.testing._gradients import check_gradients

__all__ = [
    "Grade", "check_activation", "check_gradients", "check_initializer", "check_layer",
    "check_loss", "check_metric", "check_optimizer", "check_schedule", "checks",
    "compare_gradients", "grade",
]  # fmt: skip

_CHECKS: dict[type[Any], tuple[Callable[..., None], ...]] = {
    Activation: _activations.CHECKS,
    Layer: _layers.CHECKS,
    Loss: _losses.CHECKS,
    Optimizer: _optimizers.OPTIMIZER_CHECKS,
    Schedule: _optimizers.SCHEDULE_CHECKS,
    Initializer: _optimizers.INITIALIZER_CHECKS,
    Metric: _metrics.CHECKS,
}
# What Python and NumPy say of code for single numbers.
_OF_SINGLE_NUMBERS = (
    "truth value of an array", "only length-1 arrays", "only 0-dimensional", "must be real number",
)  # fmt: skip


def check_activation(activation: Activation) -> None:
    """Check shapes, dtypes, that |Z| = 1e4 gives finite numbers, and back against forward.

    Parameters
    ----------
    activation : Activation
        An instance.

    >>> import tinynet as tn
    >>> tn.testing.check_activation(tn.activations.LeakyReLU(slope=0.3))
    """
    _run(activation, Activation)


def check_layer(layer: Layer, input_shape: int | tuple[int, ...]) -> None:
    """Check a layer on examples of a shape, in training and outside: gradients, dtypes, state.

    Parameters
    ----------
    layer : Layer
        An instance.
    input_shape : int or tuple of int
        The shape of an example.

    >>> import tinynet as tn
    >>> tn.testing.check_layer(tn.Dense(3, "tanh"), 4)
    """
    _run(layer, Layer, input_shape)


def check_loss(loss: Loss) -> None:
    """Check back against the value, that it is a mean, finite at the ends, and its partner.

    Parameters
    ----------
    loss : Loss
        An instance.

    >>> import tinynet as tn
    >>> tn.testing.check_loss(tn.losses.Huber(delta=2.0))
    """
    _run(loss, Loss)


def check_optimizer(optimizer: Optimizer) -> None:
    """Check that it moves parameters downhill, in place, and keeps its memory to itself.

    Parameters
    ----------
    optimizer : Optimizer
        An instance.

    >>> import tinynet as tn
    >>> tn.testing.check_optimizer(tn.SGD(0.1, momentum=0.9))
    """
    _run(optimizer, Optimizer)


def check_schedule(schedule: Schedule) -> None:
    """Check that it gives finite numbers of at least 0, which depend on t alone.

    Parameters
    ----------
    schedule : Schedule
        An instance.

    >>> import tinynet as tn
    >>> tn.testing.check_schedule(tn.schedules.Cosine(0.1, period=10))
    """
    _run(schedule, Schedule)


def check_initializer(init: Initializer) -> None:
    """Check the shape and finiteness of what it draws, from its generator alone.

    Parameters
    ----------
    init : Initializer
        An instance.

    >>> import tinynet as tn
    >>> tn.testing.check_initializer(tn.initializers.Normal(0.5))
    """
    _run(init, Initializer)


def check_metric(metric: Metric) -> None:
    """Check that it is a finite number, of Y and A alone, better in the direction it states.

    Parameters
    ----------
    metric : Metric
        An instance.

    >>> import tinynet as tn
    >>> tn.testing.check_metric(tn.metrics.TopKAccuracy(k=2))
    """
    _run(metric, Metric)


def checks(thing: Registered, *arguments: Any) -> list[Callable[[], None]]:
    """Return the checks of an instance as functions without arguments, each with a name.

    They are what `check_activation` and so on run; so each can be a test of its own. A layer also
    needs the shape of its input.

    Parameters
    ----------
    thing : Activation, Layer, Loss, Optimizer, Schedule, Initializer or Metric
        An instance.
    *arguments
        For a layer, the shape of its input.

    >>> import tinynet as tn
    >>> " ".join([check.__name__ for check in tn.testing.checks(tn.Dense(3), 4)])
    'description passes examples gradients training chance input_probe copies'

    With pytest::

        @pytest.mark.parametrize("check", tn.testing.checks(Swish()))
        def test_swish(check):
            check()
    """
    family = _family_of(thing, _CHECKS)
    if family is Layer and not arguments:
        raise TypeError(f"A layer needs the shape of its input: checks({thing!r}, 4).")
    if family is Layer:
        example_shape(arguments[0])
    elif arguments:
        message = f"Got {arguments[0]!r} beside {thing!r}, expected it alone: only a layer needs"
        raise TypeError(f"{message} the shape of its input.")
    of_family = [_check_of(check, thing, *arguments) for check in _CHECKS[family]]
    return [_check_of(check_description, thing), *of_family]


class Grade(dict[str, str]):
    """What is wrong with a thing, by check; an empty string is a check that passed."""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return not any(self.values())

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        lines = {name: " ".join(why.split()) for name, why in self.items()}  # a line for each
        results = {name: f"failed: {why}" if why else "passed" for name, why in lines.items()}
        rows = [f"{name:{width}}  {result}" for name, result in results.items()]
        return "\n".join(rows)


def grade(thing: Any, *arguments: Any) -> Grade:
    """Return the checks of an instance as a table: passed or failed, and why.

    A dictionary or list of things gives one table of all their checks. In it, what cannot be
    checked is a line that failed. Layers need the shape of their input, which is one for all of
    them: ``grade([Dense(3), Dropout(0.5)], 4)``.

    Parameters
    ----------
    thing : Activation, Layer, Loss, Optimizer, Schedule, Initializer or Metric
        An instance, or a dictionary or list of them.
    *arguments
        For a layer, the shape of its input.

    >>> import tinynet as tn
    >>> grade(tn.Loss.get("huber"))
    description     passed
    mean            passed
    value_and_back  passed
    ends            passed
    partner         passed
    """
    if isinstance(thing, Mapping):
        return _grade_of_several(thing, *arguments)
    if isinstance(thing, (list, tuple)):
        names = [f"{number} {_name_of(one)}" for number, one in enumerate(thing, 1)]
        return _grade_of_several(dict(zip(names, thing, strict=True)), *arguments)
    results = Grade()
    for check in checks(thing, *arguments):
        try:
            check()
            results[check.__name__] = ""
        except AssertionError as error:
            results[check.__name__] = str(error)
    return results


def _name_of(thing: Any) -> str:
    return thing.__name__ if isinstance(thing, type) else type(thing).__name__


def _grade_of_several(things: Mapping[Any, Any], *arguments: Any) -> Grade:
    """Return the checks of all things, each under the name of the thing and its own."""
    results = Grade()
    for name, thing in things.items():
        needed = arguments if isinstance(thing, Layer) else ()
        try:
            results |= {f"{name}: {check}": why for check, why in grade(thing, *needed).items()}
        except TypeError as error:
            results[str(name)] = str(error)
    return results


def _check_of(check: Callable[..., None], thing: Registered, *arguments: Any) -> Callable[[], None]:
    """Return a check of a thing as a function in which every error is a failure of the thing."""

    @quiet  # the results show whether a warning matters
    def run() -> None:
        try:
            check(thing, *arguments)
        except AssertionError as error:
            if not str(error):  # an assert in the thing's own code
                raise AssertionError(_explained(type(thing).__name__, error)) from error
            raise
        except (Exception, SystemExit) as error:
            raise AssertionError(_explained(type(thing).__name__, error)) from error

    run.__name__, run.__doc__ = check.__name__.removeprefix("check_"), check.__doc__
    return run


def _explained(name: str, error: BaseException) -> str:
    message = f"{name} raises {type(error).__name__}: {error}".removesuffix(": ")
    if isinstance(error, FrozenInstanceError):
        message = (
            f"{name} is a description, so nothing can be set in it. A setting is a field: write "
            "@attrs.frozen above the class, slope: float = 0.1 in it, and no __init__. What is "
            "computed is not stored."
        )
    if any(words in str(error) for words in _OF_SINGLE_NUMBERS):
        message += ". It gets arrays of all units and examples: use np.where, np.maximum and np.exp"
        message += " in place of if, max and math.exp."
    return message


def _run(thing: Registered, family: type[Any], *arguments: Any) -> None:
    _family_of(thing, [family])
    for check in checks(thing, *arguments):
        check()


def _family_of(thing: Any, families: Iterable[type[Any]]) -> type[Any]:
    """Return which of the families a thing is an instance of."""
    names = ", ".join(family.family for family in families)
    expected = f"expected an instance of a tinynet {names}."
    if isinstance(thing, str):
        known = [family for family in families if thing in family.names()]
        written = " or ".join(f"tn.{family.__name__}.get({thing!r})" for family in known)
        expected = f"expected an instance: {written}." if written else expected
        raise TypeError(f"Got the name {thing!r}, {expected}")
    if isinstance(thing, type):
        needed = attrs.fields(thing) if attrs.has(thing) else ()
        arguments = [f"{f.alias}=..." for f in needed if f.init and f.default is attrs.NOTHING]
        written = f"{thing.__name__}({', '.join(arguments)})"
        raise TypeError(f"Got the class {thing.__name__}, expected an instance: {written}.")
    for family in families:
        if isinstance(thing, family):
            return family
    raise TypeError(f"Got {thing!r}, {expected}")
