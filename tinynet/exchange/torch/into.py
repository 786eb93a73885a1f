"""A module of PyTorch as a model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from tinynet._support.arrays import Array, Shape, check_finite
from tinynet._support.checks import example_shape
from tinynet.activations import Activation
from tinynet.errors import ConversionError, NonFiniteError, ShapeError
from tinynet.exchange.assemble import Part, assembled, joined
from tinynet.exchange.converters import converter, naming
from tinynet.exchange.state import expect_least
from tinynet.exchange.torch import modules
from tinynet.exchange.torch.accepted import expect_unchanged
from tinynet.exchange.torch.arrays import arrays_of, dtype_of
from tinynet.exchange.torch.installed import nn
from tinynet.exchange.torch.ours import torch_module
from tinynet.exchange.torch.shapes import expect_examples
from tinynet.layers import (
    Activate,
    BatchNorm,
    Branches,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    Reshape,
    Residual,
)
from tinynet.losses import Loss
from tinynet.sequential import Sequential


def from_torch(
    module: Any, loss: str | Loss | None = None, inputs: int | tuple[int, ...] | None = None
) -> Sequential:
    """Return a model that computes what a module of PyTorch does, in evaluation mode.

    PyTorch has the examples first, and the other axes in the order that they have here::

        model = tn.exchange.from_torch(module)
        A = model.predict(np.moveaxis(X.numpy(), 0, -1))
        np.moveaxis(A, -1, 0)  # what module(X) returns

    Parameters
    ----------
    module : torch.nn.Module
        An nn.Sequential, with others within it too, or one module, such as an nn.Linear. It stays
        as it is. A module that is used twice becomes two layers.
    loss : str, Loss or config, optional
        The loss of the model, to train it further. A module that ends with logits, the input of
        nn.CrossEntropyLoss, needs its softmax: ``nn.Sequential(*module, nn.Softmax(dim=1))``.
    inputs : int or tuple of int, optional
        The shape of an example without the examples, such as (3, 32, 32) for images. If the first
        module is an nn.Linear, it follows from that.

    Returns
    -------
    Sequential
        A model with copies of all arrays, in float64 if they are, and otherwise in float32.

    Raises
    ------
    ConversionError
        For a module without a counterpart, or one with a setting, a hook or a ``forward`` that no
        layer has. The message names it and says what to do, such as to register a converter with
        `torch_module`.
    ShapeError
        If `inputs` do not follow from the first module, or do not fit.
    NonFiniteError
        For NaN or infinity among the numbers of the module.
    ImportError
        Without PyTorch: ``pip install "tinynet[torch]"``.

    Examples
    --------
    Needs PyTorch::

        module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1), nn.Sigmoid())
        tn.exchange.from_torch(module, loss="binary_crossentropy").layers
        # (Dense(units=3, activation=ReLU(), init='auto', l2=0.0),
        #  Dense(units=1, activation=Sigmoid(), init='auto', l2=0.0))
    """
    if not isinstance(module, nn.Module):
        found = f"module is {type(module).__name__}, expected a torch.nn.Module"
        remedy = "Pass a module, such as an nn.Sequential"
        if isinstance(module, Mapping):
            remedy = "Use tn.exchange.load_state_dict(model, module)"
        raise TypeError(f"{found}. {remedy}.")
    steps = _steps({"": module})
    shape = _inputs(steps) if inputs is None else example_shape(inputs)
    return assembled(_parts(steps, shape), loss, shape, dtype_of(module))


# First, what each module is here.


@attrs.frozen
class _Step:
    """A layer or activation, and the steps of the chains within a layer.

    `module` is None for the second of two layers that one module is.
    """

    title: str
    module: Any
    found: Layer | Activation
    chains: tuple[tuple[_Step, ...], ...] = ()


def _steps(named: Mapping[str, Any]) -> tuple[_Step, ...]:
    """Return the steps of modules one after the other, by their paths."""
    steps: list[_Step] = []
    for path, module in named.items():
        steps += _steps_of(path, module)
    return _without_ones(steps)


def _steps_of(path: str, module: Any) -> Sequence[_Step]:
    """Return the steps of a module, which may be a chain of modules."""
    kind = nn.utils.parametrize.type_before_parametrizations(module).__name__
    title = f"Module {path} ({kind})" if path else f"The module ({kind})"
    with naming(title):
        expect_unchanged(module, path)
        convert = converter(torch_module, module)
        if convert is torch_module.registry[object] and _is_sequential(module):
            return _steps(_children(path, module))
        chains = tuple(map(_steps, _chains(path, module)))
        found = _converted(module, convert, tuple(map(_layers, chains)))
        first = [_Step(title, module, each, chains) for each in found[:1]]
        return first + [_Step(title, None, each) for each in found[1:]]


def _is_sequential(module: Any) -> bool:
    """Return whether a module does nothing but call its modules one after the other."""
    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward


def _children(path: str, module: Any) -> dict[str, Any]:
    """Return the modules of an nn.Sequential by their paths; one may be there twice."""
    before = f"{path}." if path else ""
    return {f"{before}{name}": child for name, child in module._modules.items()}


def _chains(path: str, module: Any) -> list[dict[str, Any]]:
    """Return the modules of each chain within a module, by their paths."""
    if not isinstance(module, nn.Sequential):
        return []
    children = _children(path, module)
    known = isinstance(module, (modules.Residual, modules.OneBranch))
    are_chains = len(children) > 1 and all(type(each) is nn.Sequential for each in module)
    if isinstance(module, modules.SideBySide) or (are_chains and not known):
        return [{name: child} for name, child in children.items()]
    return [children]


def _converted(module: Any, convert: Any, chains: tuple[tuple[Layer, ...], ...]) -> tuple[Any, ...]:
    """Return what a converter returns, as a tuple."""
    try:
        found = convert(module, chains)
    except ValueError as error:  # of a field: a number that no layer may have
        raise ConversionError(f"A setting has no counterpart in tinynet. {error}") from error
    several = found if isinstance(found, tuple) else () if found is None else (found,)
    for each in several:
        if not isinstance(each, (Layer, Activation)):
            raise ConversionError(
                f"The converter registered with torch_module returned {each!r}, expected a Layer, "
                "an Activation or None."
            )
    return several


def _without_ones(steps: Sequence[_Step]) -> tuple[_Step, ...]:
    """Leave out a reshape of the averages of channels to (C, 1, 1) that a Flatten undoes."""
    left: list[_Step] = []
    for step in steps:
        is_undone = [type(before.found) for before in left[-2:]] == [GlobalAveragePool, Reshape]
        if type(step.found) is Flatten and is_undone:
            left.pop()
        else:
            left.append(step)
    return tuple(left)


def _layers(steps: Sequence[_Step]) -> tuple[Layer, ...]:
    """Return steps as the layers of a chain."""
    parts = [s.found if isinstance(s.found, Activation) else Part(s.found) for s in steps]
    return tuple([part.layer for part in joined(parts)])


# Then, with the shape of an example at each place, the arrays.


def _parts(steps: Sequence[_Step], shape: Shape) -> tuple[Part, ...]:
    """Return the layers of a chain with their arrays, for examples of a shape."""
    parts: list[Part | Activation] = []
    for step in steps:
        with naming(step.title):
            expect_examples(step.module, shape)
            if isinstance(step.found, Activation):
                parts.append(step.found)
                continue
            part, shape = _part(step, step.found, shape)
            parts.append(part)
    return joined(parts)


def _part(step: _Step, layer: Layer, shape: Shape) -> tuple[Part, Shape]:
    """Return a layer with its arrays, and the shape of what it returns."""
    arrays: dict[str, Array] = {}
    with _about_numbers_of(step.title):
        declared = layer.parameters(shape) | layer.state(shape)
        if step.module is not None:
            arrays = arrays_of(step.module, layer, {name: p.shape for name, p in declared.items()})
        for name, array in arrays.items():
            check_finite(name, array)
            expect_least(name, array, declared[name].least)
        inner = layer.chain_input_shape(shape) if step.chains else ()
    chains = tuple([_parts(chain, inner) for chain in step.chains])
    with _about_numbers_of(step.title):
        return Part(layer, arrays, chains, step.title), tuple(layer.output_shape(shape))


@contextlib.contextmanager
def _about_numbers_of(title: str) -> Iterator[None]:
    """Have an error about shapes or numbers begin with the module that it is about."""
    try:
        yield
    except (ValueError, NonFiniteError) as error:
        raise type(error)(f"{title}: {error}") from error


def _inputs(steps: Sequence[_Step]) -> Shape:
    """Return the shape of an example, if it follows from the first modules."""
    title = "The module"
    for step in steps:
        title, module, found = step.title, step.module, step.found
        if type(found) in (Residual, Branches):
            return _inputs(step.chains[0])
        if isinstance(module, nn.Linear) and not isinstance(module, modules.OfPositions):
            return (module.weight.shape[1],)
        if isinstance(module, nn.LayerNorm) and not isinstance(module, modules.OfPositions):
            return tuple(module.normalized_shape)
        if not isinstance(found, (Activation, Activate, BatchNorm, Dropout, Flatten)):
            break
    raise ShapeError(
        f"{title}: the shape of an example does not follow from it. Pass it without the examples, "
        "such as inputs=(3, 32, 32) for images."
    )
