"""What makes a module of PyTorch compute something else than its class and settings say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tinynet.errors import ConversionError
from tinynet.exchange.torch.installed import nn, torch

# Hooks that compute a parameter, by the name of their class, and what puts it in their place.
_FOLDING = {
    "WeightNorm": "torch.nn.utils.remove_weight_norm({module}, {name!r})",
    "SpectralNorm": "torch.nn.utils.remove_spectral_norm({module}, {name!r})",
}
# Classes of modules that call another one, and the name under which they have it.
_WRAPPERS = {
    "DataParallel": "module", "DistributedDataParallel": "module", "OptimizedModule": "_orig_mod",
}  # fmt: skip
_PRUNING = "torch.nn.utils.prune.remove({module}, {name!r})"


def expect_unchanged(module: Any, path: str) -> None:
    """Refuse a module that computes otherwise than its class, or that has no numbers yet.

    `path` is the place of the module in the one that came in.
    """
    here = f'module.get_submodule("{path}")' if path else "module"
    found = next(_findings(module, here), None)
    if found is not None:
        raise ConversionError(found)


def _findings(module: Any, here: str) -> Iterator[str]:
    """Yield what is wrong with a module, and what to do."""
    kind = type(module)
    if not isinstance(module, nn.Module):
        yield f"It is {module!r}, expected a torch.nn.Module. Leave it out."
    if kind.__name__ in _WRAPPERS:
        yield f"It calls another module. Use {here}.{_WRAPPERS[kind.__name__]} in its place."
    if kind.__module__.startswith("torch.") and "quantized" in kind.__module__:
        yield "It is quantized. Use the module that it was made of."
    if isinstance(module, torch.jit.ScriptModule):
        yield "It is compiled by TorchScript. Pass the module that it was made of."
    arrays = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    if any(nn.parameter.is_lazy(array) for array in arrays):
        yield "It is lazy, and has no parameters yet. Call the module once with an X first."
    if any(array.is_meta for array in arrays):
        yield 'Its arrays are on the device "meta", and have no numbers. Load them first.'
    if nn.utils.parametrize.is_parametrized(module):
        name = next(iter(module.parametrizations))
        remedy = f"torch.nn.utils.parametrize.remove_parametrizations({here}, {name!r})"
        yield f"Its {name} is computed by a parametrization. Replace it by its value: {remedy}."
    for hook in (*module._forward_pre_hooks.values(), *module._forward_hooks.values()):
        yield _about_hook(hook, here)
    if "forward" in vars(module):
        yield f"Its forward was replaced. Restore that of its class: del {here}.forward."
    if kind.__call__ is not nn.Module.__call__:
        yield "Its class defines __call__, expected forward in its place. Rename it."


def _about_hook(hook: Any, here: str) -> str:
    kinds = {kind.__name__ for kind in type(hook).__mro__}
    name = getattr(hook, "name", None) or getattr(hook, "_tensor_name", None)
    for kind, call in (*_FOLDING.items(), ("BasePruningMethod", _PRUNING)):
        if kind in kinds:
            remedy = call.format(module=here, name=name)
            return f"Its {name} is computed by a hook, {kind}. Replace it by its value: {remedy}."
    return (
        "It has a forward hook, which may change what it computes. Call remove() of the handle "
        "that register_forward_hook or register_forward_pre_hook returned."
    )
