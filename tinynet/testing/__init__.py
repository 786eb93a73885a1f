"""What every activation, layer, loss, optimizer, schedule and initializer must pass: ours and yours.

A check returns quietly or raises an AssertionError that says what is wrong. Gradients are
compared with central differences in float64, whatever precision is used elsewhere.

>>> import tinynet as tn
>>> tn.testing.check_activation(tn.Activation.get("tanh"))
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tinynet._support.registry import Registered
from tinynet.activations import Activation
from tinynet.initializers import Initializer
from tinynet.layers import Layer
from tinynet.losses import Loss
from tinynet.optimizers import Optimizer
from tinynet.schedules import Schedule
from tinynet.testing import _activations, _layers, _losses, _optimizers
from tinynet.testing._expect import check_description
from tinynet.testing._gradients import check_gradients

__all__ = [
    "check_activation", "check_gradients", "check_initializer", "check_layer", "check_loss", "check_optimizer",
    "check_schedule", "checks",
]  # fmt: skip

_CHECKS: dict[type[Any], tuple[Callable[..., None], ...]] = {
    Activation: _activations.CHECKS,
    Layer: _layers.CHECKS,
    Loss: _losses.CHECKS,
    Optimizer: _optimizers.OPTIMIZER_CHECKS,
    Schedule: _optimizers.SCHEDULE_CHECKS,
    Initializer: _optimizers.INITIALIZER_CHECKS,
}
# What Python and NumPy say of code for single numbers.
_OF_SINGLE_NUMBERS = (
    "truth value of an array",
    "only length-1 arrays",
    "only 0-dimensional",
    "must be real number",
)


def check_activation(activation: Activation) -> None:
    """Check an activation: shapes, dtypes, manners, finite up to |Z| = 1e4, and back against forward."""
    _run(activation, Activation)


def check_layer(layer: Layer, input_shape: int | tuple[int, ...]) -> None:
    """Check a layer on examples of a shape, in training and outside: gradients, shapes, dtypes, state, manners."""
    _run(layer, Layer, input_shape)


def check_loss(loss: Loss) -> None:
    """Check a loss: back against value, a mean, finite at the ends, manners, and that its partner is one."""
    _run(loss, Loss)


def check_optimizer(optimizer: Optimizer) -> None:
    """Check an optimizer: down a slope it goes, in place, with its memory to itself."""
    _run(optimizer, Optimizer)


def check_schedule(schedule: Schedule) -> None:
    """Check a schedule: finite numbers of at least 0, by t and by nothing else."""
    _run(schedule, Schedule)


def check_initializer(init: Initializer) -> None:
    """Check an initializer: shape, finite numbers, drawn from its generator alone."""
    _run(init, Initializer)


def checks(thing: Registered, *arguments: Any) -> list[Callable[[], None]]:
    """Return the checks of an activation, layer, loss, optimizer, schedule or initializer, each with a name.

    They are what `check_activation` and so on run, as functions of no arguments, so that each can be a
    test of its own. A layer needs the shape of its input besides.

    >>> import tinynet as tn
    >>> [check.__name__ for check in tn.testing.checks(tn.Dense(3), 4)]
    ['description', 'passes', 'examples', 'gradients', 'training', 'chance', 'copies']

    With pytest::

        @pytest.mark.parametrize("check", tn.testing.checks(Swish()))
        def test_swish(check):
            check()
    """
    if isinstance(thing, type):
        raise TypeError(f"a check takes an instance, not a class; write {thing.__name__}()")
    families = [family for family in _CHECKS if isinstance(thing, family)]
    if not families:
        raise TypeError(
            f"{thing!r} is no activation, layer, loss, optimizer, schedule or initializer of tinynet"
        )
    if families[0] is Layer and not arguments:
        raise TypeError(f"a layer is checked with an input of a shape: write checks({thing!r}, 4)")
    return [
        _named(check_description, thing),
        *(_named(check, thing, *arguments) for check in _CHECKS[families[0]]),
    ]


def _named(check: Callable[..., None], thing: Registered, *arguments: Any) -> Callable[[], None]:
    """Return a check of a thing as a function of its own, in which every error is a failure of the thing."""

    @functools.wraps(check)
    def run() -> None:
        try:
            check(thing, *arguments)
        except AssertionError:
            raise
        except Exception as error:
            message = f"{type(thing).__name__} raises {type(error).__name__}: {error}"
            if any(words in str(error) for words in _OF_SINGLE_NUMBERS):
                message += (
                    "; it is handed whole arrays, of all units and examples: use np.where, np.maximum and np.exp "
                    "in place of if, max and math.exp"
                )
            raise AssertionError(message) from error

    run.__name__ = check.__name__.removeprefix("check_")
    del run.__wrapped__  # pytest would ask it for its arguments
    return run


def _run(thing: Registered, family: type[Any], *arguments: Any) -> None:
    if not isinstance(thing, (family, type)):
        raise TypeError(f"{thing!r} is no {family.family}")
    for check in checks(thing, *arguments):
        check()
