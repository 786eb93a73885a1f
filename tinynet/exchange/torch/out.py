"""A model as a module of PyTorch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tinynet._support.arrays import Array
from tinynet.errors import ConversionError
from tinynet.exchange.converters import converter, naming
from tinynet.exchange.entries import entries_of, written
from tinynet.exchange.given import expect_model
from tinynet.exchange.torch.activations import torch_activation
from tinynet.exchange.torch.formula import Formula, expect_same
from tinynet.exchange.torch.installed import nn, torch
from tinynet.exchange.torch.layers import torch_layer
from tinynet.exchange.torch.names import TORCH, has_module
from tinynet.model.network import Network
from tinynet.model.place import PlacedLayer


def to_torch(model: Network) -> Any:
    """Return a module of PyTorch that computes what a model does.

    PyTorch has the examples first, and the other axes in the order that they have here: columns
    (n, m) are rows (m, n), images are (m, C, H, W), sequences are (m, n, T). ``A`` likewise::

        module = tn.exchange.to_torch(model)
        A = module(torch.from_numpy(np.moveaxis(X, -1, 0))).detach().numpy()
        np.moveaxis(A, 0, -1)  # what model.predict(X) returns

    Each layer is one module of the nn.Sequential, and an activation other than the identity is one
    behind it. Plain modules of PyTorch stand for all that it has.

    Parameters
    ----------
    model : Sequential
        A model that has its parameters.

    Returns
    -------
    torch.nn.Sequential
        A module in evaluation mode, with copies of all arrays in the model's dtype. After
        ``module.train()`` its training can continue there.

    Raises
    ------
    ConversionError
        For a layer or an activation without a counterpart. The message names it, and says how to
        register one with `torch_layer` or `torch_activation`.
    NotBuiltError
        If the model has no parameters yet.
    ImportError
        Without PyTorch: ``pip install "tinynet[torch]"``.

    Examples
    --------
    Needs PyTorch::

        model = tn.Sequential([tn.Dense(3, "relu"), tn.Dense(1)], inputs=2)
        tn.exchange.to_torch(model)
        # Sequential(
        #   (0): Linear(in_features=2, out_features=3, bias=True)
        #   (1): ReLU()
        #   (2): Linear(in_features=3, out_features=1, bias=True)
        # )
    """
    expect_model(model)
    chain, dtype = model.storage.layers, getattr(torch, model.dtype.name)
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):  # a module draws its parameters
        return _sequential(chain, dtype).eval()


def _sequential(chain: Sequence[PlacedLayer], dtype: Any) -> Any:
    """Return layers and their activations as an nn.Sequential."""
    found = []
    for placed in chain:
        layer, activation = placed.layer, placed.layer.activation
        with naming(placed.title):
            if has_module(layer):
                found.append(_of_layer(placed, dtype))
            if has_module(activation):
                module = converter(torch_activation, activation)(activation)
                found.append(_as_module(module, torch_activation))
                if isinstance(module, Formula):
                    expect_same(module, placed.output_shape)
    return nn.Sequential(*found).to(dtype)


def _of_layer(placed: PlacedLayer, dtype: Any) -> Any:
    """Return the module of a layer, with its arrays and those of the layers within."""
    chains = [_sequential(chain, dtype) for chain in placed.chains]
    found = converter(torch_layer, placed.layer)(placed.layer, placed, chains)
    module = _as_module(found, torch_layer).to(dtype)
    ours = written(entries_of(TORCH, placed.layer, placed.arrays), placed.arrays)
    _expect_arrays(module, ours, _names_within(chains))
    module.load_state_dict({key: torch.from_numpy(ours[key]) for key in ours}, strict=False)
    return module


def _as_module(found: Any, converters: Any) -> Any:
    """Return what a converter returned, if it is a module."""
    if isinstance(found, nn.Module):
        return found
    raise ConversionError(
        f"The converter registered with {converters.__name__} returned {type(found).__name__}, "
        "expected a torch.nn.Module. For a function f, return a module whose forward calls it."
    )


def _names_within(chains: Sequence[Any]) -> list[str]:
    """Return the names of the arrays of the layers within a layer."""
    names = []
    for k, chain in enumerate(chains):
        names += [f"{k}.{name}" if len(chains) > 1 else name for name in chain.state_dict()]
    return names


def _expect_arrays(module: Any, ours: Mapping[str, Array], within: Collection[str]) -> None:
    """Refuse a module that does not have these arrays, in their shapes, and no others."""
    theirs = {name: tuple(array.shape) for name, array in module.state_dict().items()}
    missing = sorted({*ours, *within} - theirs.keys())
    unknown = sorted(theirs.keys() - {*ours, *within})
    expected = ", ".join([f"{name} {array.shape}" for name, array in ours.items()]) or "none"
    found = f"{type(module).__name__} has"
    if missing or unknown:
        lacks = f"{found} no {', '.join(missing)}" if missing else f"{found} {', '.join(unknown)}"
        raise ConversionError(
            f"{lacks}, expected these parameters and buffers of its own: {expected}. Name them so, "
            "and have the modules of the chains within as they come."
        )
    for name, array in ours.items():
        if theirs[name] != array.shape:
            raise ConversionError(
                f"{found} {name} of shape {theirs[name]}, expected {array.shape}. The shapes of "
                "our arrays are in placed.arrays."
            )
