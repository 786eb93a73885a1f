"""Which mistake explains a gradient by hand that is wrong.

A mistake is made on purpose in a backward pass of the model. Where that gives the wrong gradient,
the mistake is found: also in the layers below, to which it is passed on.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from tinynet._support.arrays import Array
from tinynet._support.cache import Cache
from tinynet.activations import Activation
from tinynet.layers import Dense
from tinynet.model.chain import ModelChain
from tinynet.model.network import Network
from tinynet.model.place import PlacedLayer, depth_first

_SIMILAR = 0.7  # the cosine from which an array is near another
_STEPS_OF_NEWTON = 12


class Step(NamedTuple):
    """A layer on the way back, from dA and the right dZ of it."""

    layer: PlacedLayer
    cache: Cache
    dA: Array
    dZ: Array


class Mistake(NamedTuple):
    """What is wrong in the layers of these numbers: their dZ, or the dA_prev computed from it."""

    text: str
    layers: frozenset[int]
    dZ: Callable[[Step], Array] | None = None
    dA_prev: Callable[[Step], Array] | None = None


def parts(name: str) -> tuple[str, str]:
    """Return the quantity and the label of a gradient: dW and 2.3 of dW2.3."""
    quantity = name.rstrip("0123456789.")
    return quantity, name[len(quantity) :]


def _number(name: str) -> int:
    """Return the number of the layer that a gradient's name has."""
    return int(parts(name)[1].split(".")[0])


def same(found: Array, right: Array) -> bool:
    """Return whether two arrays are equal, to about four digits of the largest entry."""
    if found.shape != right.shape or not right.any():
        return False
    return bool(np.abs(found - right).max() <= 1e-4 * np.abs(right).max())


def gradients(model: Network, Y: Array, mistake: Mistake | None = None) -> dict[str, Array]:
    """Return all gradients of the last forward pass by name, computed with a mistake or without."""
    chain = model.chain
    assert chain is not None, "there was a forward pass"
    last = len(chain.links)
    found = {f"dA{last}": model.needed_loss().back(chain.last.A, Y)}
    for _, of_layer in _layers_back(chain, Y, found[f"dA{last}"], last, mistake):
        found |= of_layer
    return found


def _layers_back(
    chain: ModelChain, Y: Array, dA: Array, top: int, mistake: Mistake | None, to_dA0: bool = True
) -> Iterator[tuple[int, dict[str, Array]]]:
    """Yield the layers from `top` to the first, with their gradients by name, from the top's dA.

    dA[0] costs as much as the other gradients of the first layer, so it may be left out.
    """
    for l in range(top, 0, -1):
        layer, cache = chain.links[l - 1]
        step = Step(layer, cache, dA, _right_dZ(chain, l, dA, Y))
        wrong = mistake if mistake and l in mistake.layers else None
        step = step._replace(dZ=wrong.dZ(step)) if wrong and wrong.dZ else step
        dA = _layer_back(step, step.dZ, with_dA_prev=l > 1 or to_dA0)
        found = {
            f"d{name}{placed.label}": view.copy()
            for placed in depth_first([layer])
            for name, view in placed.grads.items()
        }
        if l > 1 or to_dA0:
            dA = wrong.dA_prev(step) if wrong and wrong.dA_prev else dA
            found[f"dA{l - 1}"] = dA
        yield l, found | {f"dZ{l}": step.dZ}


def _right_dZ(chain: ModelChain, l: int, dA: Array, Y: Array) -> Array:
    layer, cache = chain.links[l - 1]
    if l == len(chain.links) and chain.output.is_partner:
        return np.asarray(chain.output.back_from_Z(cache.A, Y, np.empty_like(cache.A)))
    return layer.layer.activation.back(dA, cache.Z, cache.A)


def _layer_back(step: Step, dZ: Array, with_dA_prev: bool = True) -> Array:
    """Return dA_prev for a dZ, and fill the gradients of the layer."""
    step.cache.dA_prev = np.empty_like(step.cache.A_prev, order="C") if with_dA_prev else None
    return np.array(step.layer.layer.back(dZ, step.cache))


def _back(step: Step, dA: Array, Z: Array, A: Array) -> Array:
    return step.layer.layer.activation.back(dA, Z, A)


# How dZ is computed wrongly in a layer.
_WRONG_SLOPES: dict[str, Callable[[Step], Array]] = {
    "The derivative of the activation is missing: it is computed from dA in place of dZ": (
        lambda s: s.dA
    ),
    "The derivative of the activation is there twice": (
        lambda s: _back(s, s.dZ, s.cache.Z, s.cache.A)
    ),
    "The derivative is taken at A, with a formula for Z": (
        lambda s: _back(s, s.dA, s.cache.A, s.cache.A)
    ),
    "The derivative is taken at Z, with a formula for A": (
        lambda s: _back(s, s.dA, s.cache.Z, s.cache.Z)
    ),
    "dZ is the derivative of the activation alone: multiply it by dA": (
        lambda s: _back(s, np.ones_like(s.dA), s.cache.Z, s.cache.A)
    ),
    "The sign of dZ is wrong": lambda s: -s.dZ,
    "dZ is divided by m, and the mean over the examples divides again": (
        lambda s: s.dZ / s.dZ.shape[-1]
    ),
    "dZ is multiplied by m": lambda s: s.dZ * s.dZ.shape[-1],
}


def _slopes_of_others() -> Iterator[tuple[str, Callable[[Step], Array]]]:
    """Yield dZ with the derivative of another activation, at its own A and at that of the layer."""

    def of(name: str, of_its_own_A: bool) -> Callable[[Step], Array]:
        other = Activation.get(name)

        def dZ(s: Step) -> Array:
            A = other.forward(s.cache.Z) if of_its_own_A else s.cache.A
            return other.back(s.dA, s.cache.Z, A)

        return dZ

    for name in ("sigmoid", "tanh", "relu"):
        text = f"dZ has the derivative of {name}, which is not the activation"
        yield text, of(name, of_its_own_A=False)
        yield text, of(name, of_its_own_A=True)


def _mistakes(model: Network) -> Iterator[Mistake]:
    """Yield mistakes in one layer, in all hidden layers, and in all layers."""
    last = len(model.layers)
    one_by_one = [frozenset([l]) for l in range(last, 0, -1)]
    several = [frozenset(range(1, last)), frozenset(range(1, last + 1))] if last > 2 else []
    several += [frozenset([1, 2])] if last == 2 else []
    for layers in [*one_by_one, *several]:
        for text, dZ in [*_WRONG_SLOPES.items(), *_slopes_of_others()]:
            yield Mistake(text, layers, dZ=dZ)
        text = "The dA of the layer below is computed from dA in place of dZ"
        yield Mistake(text, layers, dA_prev=lambda s: _layer_back(s, s.dA))
        text = "The dA of the layer below is computed with W in place of W.T"
        yield Mistake(text, layers, dA_prev=lambda s: s.cache.W.dot(s.dZ))
    text = "Y is missing in dZ of the last layer, which is A - Y"
    yield Mistake(text, frozenset([last]), dZ=lambda s: s.cache.A)


def explanations(
    model: Network, Y: Array, wrong: Mapping[str, Array], right: Mapping[str, Array]
) -> dict[str, str]:
    """Return, for each wrong gradient that a mistake explains, what the mistake is."""
    results = [*_tried(model, Y, wrong, right), *_with_changed_W(model, Y, wrong, right)]
    # What explains most is most likely, and one mistake more so than two.
    results.sort(key=lambda result: sum(map(bool, result[1].values())) - 2 * len(result[1]))
    found: dict[str, str] = {}
    for mistake, names in results:
        for name, also in names.items():
            found.setdefault(name, _said(mistake, name) + also)
    gradients(model, Y)  # leaves the right ones in the model
    return found


def _tried(
    model: Network, Y: Array, wrong: Mapping[str, Array], right: Mapping[str, Array]
) -> Iterator[tuple[Mistake, dict[str, str]]]:
    """Yield each mistake with the wrong gradients that it explains, and what else is wrong."""
    chain = model.chain
    assert chain is not None, "there was a forward pass"
    for mistake in _mistakes(model):
        top, names = max(mistake.layers), dict[str, str]()
        layers = _layers_back(chain, Y, right[f"dA{top}"], top, mistake, "dA0" in wrong)
        # A mistake that raises an error in this network is not the one that was made.
        with contextlib.suppress(Exception), np.errstate(all="ignore"):
            for l, of_layer in layers:
                there = {name: array for name, array in wrong.items() if name in of_layer}
                names |= _explained(there, of_layer, chain.m)
                if there and not names and (mistake.dZ or l < top):
                    break  # what does not explain its own layer explains none below
        yield mistake, names


def _explained(
    wrong: Mapping[str, Array], simulated: Mapping[str, Array], m: int
) -> dict[str, str]:
    """Return the names of the wrong gradients that a simulation gives, also m times or 1/m."""
    found = {}
    for name, array in wrong.items():
        if same(array, simulated[name]):
            found[name] = ""
        elif m > 1 and same(array, m * simulated[name]):
            found[name] = f". Besides, it is m = {m} times too large: divide by m"
        elif m > 1 and same(array, simulated[name] / m):
            found[name] = f". Besides, it is divided by m = {m} once too often"
    return found


def _with_changed_W(
    model: Network, Y: Array, wrong: Mapping[str, Array], right: Mapping[str, Array]
) -> Iterator[tuple[Mistake, dict[str, str]]]:
    """Yield where W was updated before dA of the layer below was computed from it."""
    with_W = frozenset(l for l, layer in enumerate(model.layers, 1) if isinstance(layer, Dense))
    text = "W was updated before dA of the layer below was computed: use the W of the forward pass"

    def changed(layers: frozenset[int], rate: float) -> Mistake:
        def dA_prev(s: Step) -> Array:
            return np.asarray((s.cache.W - rate * s.layer.grads["W"]).T.dot(s.dZ))

        return Mistake(text, layers, dA_prev=dA_prev)

    for l in sorted(with_W - {1}, reverse=True):
        unit = gradients(model, Y, changed(frozenset([l]), 1.0))
        rates = [multiple(array - right[name], unit[name] - right[name])
                 for name, array in wrong.items()]  # fmt: skip
        for rate in {round(rate, 9) for rate in rates if rate}:
            for layers in (with_W, frozenset([l])):
                simulated = gradients(model, Y, changed(layers, rate))
                yield changed(layers, rate), _explained(wrong, simulated, Y.shape[-1])


def multiple(found: Array, direction: Array) -> float:
    """Return the number that a direction is multiplied by, or 0 if there is none."""
    size = float(np.vdot(direction, direction))
    factor = float(np.vdot(found, direction)) / size if size else 0.0
    return factor if same(found, factor * direction) else 0.0


def _said(mistake: Mistake, name: str) -> str:
    """Return what is said of a gradient that a mistake explains."""
    number = _number(name) + (parts(name)[0] == "dA")  # dA is computed in the layer above
    nearest = min((l for l in mistake.layers if l >= number), default=number)
    where = "" if nearest == number else f"It follows from layer {nearest}. "
    return f"{where}{mistake.text}"


def of_one(model: Network, name: str, found: Array, right: Mapping[str, Array]) -> str:
    """Return what explains a single array: the penalty, another array, or ""."""
    quantity, label = parts(name)
    l, chain = _number(name), model.chain
    assert chain is not None, "there was a forward pass"
    placed = next((p for p in model.storage.placed if p.label == label), model.storage.placed[0])
    penalty = getattr(placed.layer, "l2", 0.0)
    if quantity == "dW" and penalty:
        said = _of_penalty(found, right[name], penalty, placed.params["W"], chain.m)
        if said:
            return said
    for other, array in right.items():
        other_quantity, other_label = parts(other)
        if other != name and other_quantity == quantity and same(found, array):
            return f"It is that of layer {other_label}"
    if quantity == "dA" and f"dZ{l}" in right and same(found, right[f"dZ{l}"]):
        return "It is dZ of this layer, which has the derivative of the activation"
    if quantity in ("dW", "db") and isinstance(placed.layer, Dense) and len(placed.path) == 1:
        return _of_sums(chain, l, quantity, found, right)
    return ""


def _of_penalty(found: Array, right: Array, l2: float, W: Array, m: int) -> str:
    """Return what is wrong with the l2 term of a dW."""
    term, without = l2 * W, right - l2 * W
    guesses = {
        f"The l2 term is missing: add l2 * W, l2 = {l2:g}": without,
        "The l2 term is there twice": without + 2 * term,
        "The sign of the l2 term is wrong: add it": without - term,
        "The l2 term is divided by m, but l2 is lambda / m: add l2 * W": without + term / m,
        "The l2 term is m times too large": without + term * m,
        f"dZ A_prev.T is not divided by m = {m}, only the l2 term is right": without * m + term,
        f"dZ A_prev.T is divided by m = {m} twice, only the l2 term is right": without / m + term,
        "The sign of dZ A_prev.T is wrong, only the l2 term is right": term - without,
        "It is the l2 term alone: dZ A_prev.T / m is missing": term,
    }
    return next((hint for hint, guess in guesses.items() if same(found, guess)), "")


def _of_sums(
    chain: ModelChain, l: int, quantity: str, found: Array, right: Mapping[str, Array]
) -> str:
    """Return which other arrays the products and sums of a Dense were taken of."""
    cache, dZ, m = chain.caches[l - 1], right[f"dZ{l}"], chain.m
    if quantity == "db":
        over_units = np.add.reduce(dZ, axis=0).reshape(-1, 1)
        if same(found, over_units) or same(found, over_units / m):
            return "It is a sum over the units: sum over the examples, axis=1, keepdims=True"
        one = dZ[:, :1]
        return "It is dZ of the first example: sum over the examples" if same(found, one) else ""
    penalty = right[f"dW{l}"] - dZ.dot(cache.A_prev.T) / m
    others = {"A of this layer in place of": cache.A}
    if l > 1:
        others["Z in place of A of"] = chain.caches[l - 2].Z
    for what, array in others.items():
        if array.shape == cache.A_prev.shape and same(found, dZ.dot(array.T) / m + penalty):
            return f"It is computed with {what} the layer below"
    return ""


def follows(model: Network, name: str, wrong: Mapping[str, Array]) -> str:
    """Return the name of the wrong array from which another wrong one follows, or ""."""
    chain = model.chain
    assert chain is not None, "there was a forward pass"
    quantity, label = parts(name)
    if not label.isdigit():
        return ""
    l = int(label) + (quantity == "dA")
    source = f"dA{l}" if quantity == "dZ" else f"dZ{l}"
    if source not in wrong or l > len(chain.links) or source == name:
        return ""
    layer, cache = chain.links[l - 1]
    if quantity == "dZ":
        expected = layer.layer.activation.back(wrong[source], cache.Z, cache.A)
    else:
        dA_prev = _layer_back(Step(layer, cache, wrong[source], wrong[source]), wrong[source])
        expected = dA_prev if quantity == "dA" else layer.grads[quantity[1:]]
    return source if same(wrong[name], np.asarray(expected)) else ""


def of_other_parameters(model: Network, X: Array, Y: Array, grads: Mapping[str, Array]) -> str:
    """Return whether gradients are those before or after a step of gradient descent, or ""."""
    named = [f"d{name}{p.label}" for p in model.storage.placed for name in p.params]
    if any(name not in grads for name in named):
        return ""
    given = np.concatenate([grads[name].ravel() for name in named])
    start, right = model.params.copy(), model.grads.copy()
    if given.size != start.size or not np.isfinite(given).all():
        return ""

    def at(rate: float, direction: Array) -> Array:
        model.params[:] = start + rate * direction
        model.forward(X)
        model.back(Y)
        return model.grads.copy()

    said = ""
    for direction, when in ((given, "before"), (-right, "after")):
        rate = _rate_by_newton(lambda rate, d=direction: at(rate, d), given)  # type: ignore[misc]
        if not said and rate > 1e-6 and same(at(rate, direction), given):
            said = (
                f"All gradients are those of the parameters {when} a step of gradient descent with "
                f"learning rate {rate:.3g}: compute them with the parameters of the model"
            )
    at(0.0, right)
    return said


def _rate_by_newton(gradient: Callable[[float], Array], wanted: Array) -> float:
    """Return the rate at which the gradient is nearest to the wanted one."""
    rate, small, off = 0.0, 1e-5, math.inf
    with np.errstate(all="ignore"):
        for _ in range(_STEPS_OF_NEWTON):
            here = gradient(rate)
            off, off_before = float(np.linalg.norm(wanted - here)), off
            if not off < 0.9 * off_before:  # it has arrived, or goes nowhere
                break
            change = (gradient(rate + small) - here) / small
            size = float(np.vdot(change, change))
            rate += float(np.vdot(wanted - here, change)) / size if size else 0.0
            if not math.isfinite(rate) or abs(rate) > 1e3:
                return 0.0
    return rate


def is_near(found: Array, right: Array) -> bool:
    """Return whether an array points about the way of the right one."""
    sizes = float(np.linalg.norm(found) * np.linalg.norm(right))
    return found.size > 1 and sizes > 0 and float(np.vdot(found, right)) > _SIMILAR * sizes
