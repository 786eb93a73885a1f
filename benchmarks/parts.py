"""Measure parts of the library alone: of a step, normalization, GELU, and updates."""

from functools import partial

import networks
import numpy as np
import timing
from peers import with_floor, with_tinynet

import tinynet as tn

# Each keeps arrays from step to step, which must not die away to subnormal numbers.
WITH_MEMORY = {
    "SGD, momentum": tn.SGD(0.01, momentum=0.9),
    "SGD, Nesterov": tn.SGD(0.01, momentum=0.9, nesterov=True),
    "Adam": tn.Adam(),
    "AdamW": tn.AdamW(),
    "Nadam": tn.Nadam(),
    "RMSprop": tn.RMSprop(),
    "RMSprop, momentum, centered": tn.RMSprop(momentum=0.9, centered=True),
    "Adagrad": tn.Adagrad(),
}


def step(_peers, options):
    """Time the parts of a step on arrays of the same shapes; the rest is mostly Python."""
    some = [network for network in networks.STEPS if str(network) in networks.WITH_PARTS]
    for network in networks.chosen(some, options):
        X, y = network.batch()
        functions = {
            "whole step": with_tinynet.step(network, X, y),
            "products": with_floor.step(network, X, y),
            **_parts(network),
        }
        values = timing.medians(functions, options.rounds)
        values["the rest"] = 2 * values["whole step"] - sum(values.values())
        yield {"name": str(network), "values": values}


def _parts(network):
    """Return functions of no arguments, one for each part of a step beside the products."""
    rng, m = np.random.default_rng(0), network.m
    Z = [rng.standard_normal((n, m), np.float32) for n in network.sizes[1:]]
    A, dZ = ([np.empty_like(Z_l) for Z_l in Z] for _ in range(2))
    dW = [np.zeros_like(W) for W, _ in network.weights()]
    b = [b_l for _, b_l in network.weights()]
    db = [np.empty_like(b_l) for b_l in b]
    params = np.zeros(sum(map(np.size, dW + b)), np.float32)
    grads, rule = np.ones_like(params), tn.SGD(network.rate)
    relu, softmax = tn.Activation.get("relu"), tn.Activation.get("softmax")
    one, column = np.array(1 / m, np.float32), np.full((m, 1), 1 / m, np.float32)

    def relus():
        for Z_l, A_l, dZ_l in zip(Z[:-1], A[:-1], dZ[:-1], strict=True):
            relu.forward(Z_l, out=A_l)
            relu.back(Z_l, Z_l, A_l, out=dZ_l)

    def add_b():
        for Z_l, b_l, A_l in zip(Z, b, A, strict=True):
            np.add(Z_l, b_l, out=A_l)

    def means():
        for Z_l, dW_l, db_l in zip(Z, dW, db, strict=True):
            np.multiply(dW_l, one, out=dW_l)
            Z_l.dot(column, out=db_l)

    return {
        "update": lambda: rule.update(params, grads),
        "ReLU": relus,
        "+ b": add_b,
        "softmax": lambda: softmax.forward(Z[-1], out=A[-1]),
        "1/m and db": means,
    }


def normalization(peers, options):
    """Time BatchNorm and LayerNorm in training, forward and back."""
    n, m = 1024, 256
    for kind in ("BatchNorm", "LayerNorm"):
        found = {
            name: peer.normalization(kind, n, m)
            for name, peer in peers.items()
            if hasattr(peer, "normalization")
        }
        for direction in ("forward", "back"):
            functions = {name: passes[direction] for name, passes in found.items()}
            values = timing.medians(functions, options.rounds)
            yield {"name": f"{kind} {direction}", "values": values}


def gelu(_peers, options):
    """Time GELU forward and back, as a model calls it and without `out`."""
    function, rng = tn.Activation.get("gelu"), np.random.default_rng(0)
    for shape in ((128, 128), (1024, 256)):
        Z, dA = (rng.standard_normal(shape, np.float32) for _ in range(2))
        A, dZ = function.forward(Z), np.empty_like(Z)
        name = "x".join(map(str, shape))
        in_a_model = {
            "forward": partial(function.forward, Z, out=A),
            "back": partial(function.back, dA, Z, A, out=dZ),
        }
        alone = {"forward": partial(function.forward, Z), "back": partial(function.back, dA, Z, A)}
        yield {"name": name, "values": timing.medians(in_a_model, options.rounds)}
        yield {"name": f"{name} new array", "values": timing.medians(alone, options.rounds)}


def dead_units(_peers, options, steps=1_500):
    """Time an update where all gradients have been exactly 0 for long, and by a fresh rule."""
    rng = np.random.default_rng(0)
    for name, rule in WITH_MEMORY.items():
        if options.match not in name:
            continue
        params = rng.standard_normal(100_000, np.float32)
        grads = np.zeros_like(params)
        old, fresh = rule.fresh(), rule.fresh()
        for _ in range(20):
            old.update(params, rng.standard_normal(len(params), np.float32))
        for _ in range(steps):
            old.update(params, grads)
        # Not every processor is slow with subnormal numbers, so they are counted too.
        name += f", {sum(map(_subnormal, old.memory.values()))} subnormal"
        functions = {
            "fresh": partial(fresh.update, params.copy(), grads),
            "dead units": partial(old.update, params, grads),
        }
        # A short time: many steps more would change the state that is measured.
        values = timing.medians(functions, options.rounds, least=0.002)
        yield {"name": name, "values": values}


def _subnormal(array):
    tiny = np.finfo(np.float32).tiny
    return int(np.count_nonzero((array != 0) & (np.abs(array) < tiny)))
