"""Files: data only, whole or refused, and the last good one is kept whatever happens."""

import contextlib
import errno
import functools
import gzip
import io
import json
import os
import pickle
import random
import re
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import attrs
import numpy as np
import pytest
from fuzz import hostile_files as hostile
from helpers import TESTED, output_of
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import raises

import tinynet as tn
from tinynet import Dense, Sequential
from tinynet._support.registry import FAMILIES
from tinynet.errors import FileFormatError, NonFiniteError, ShapeError, UnknownNameError
from tinynet.files import replace
from tinynet.files.archive import expect_same, opened, write_file

DATA = Path(__file__).parent / "data"
X = np.array([[0.5, -1.0, 2.0], [1.0, 0.0, -0.5]])


def network(*layers, inputs=2):
    layers = layers or (Dense(2, "leaky_relu", l2=0.1), Dense(2, "sigmoid"))
    return Sequential(layers, "huber", inputs, seed=1)


def content(model):
    return model.layers, model.loss, model.inputs, model.dtype, model.params.tobytes()


def written_by(write, *args, **kwargs):
    """Return the bytes that a function writes to an open file."""
    file = io.BytesIO()
    write(file, *args, **kwargs)
    return file.getvalue()


WHOLE = written_by(network().save)
npz = partial(written_by, np.savez)


# Damaged files


def cut_off():
    for length in sorted({*range(0, len(WHOLE), 9), *range(len(WHOLE) - 40, len(WHOLE))}):
        yield length, WHOLE, WHOLE[:length]


def with_a_flipped_bit():
    table = WHOLE.rindex(b"PK\x01\x02")  # from here on: where the last array is, and all of them
    bits = [(at, at // 7 % 8) for at in range(0, table, 7)]
    for at, bit in bits + [(at, bit) for at in range(table, len(WHOLE)) for bit in range(8)]:
        yield (at, bit), WHOLE, WHOLE[:at] + bytes([WHOLE[at] ^ 1 << bit]) + WHOLE[at + 1 :]


def mutated(mutation, count, files):
    """Yield files that are made at random; tests/fuzz/hostile_files.py has more of them."""
    for number in range(3 if mutation is hostile.very_large else count):
        name = f"{mutation.__name__} {number}"
        yield name, *hostile.hostile(name, {mutation: 1}, files)[1:]


LOAD, RESUME = hostile.outcome, hostile.outcome_of_run
DAMAGED = {  # what makes the files, what made them so, what is done with each, and its outcome
    "cut off": (cut_off, hostile.truncated, [LOAD], "FileFormatError"),
    "a flipped bit": (with_a_flipped_bit, hostile.flipped, [LOAD], "FileFormatError|equal"),
    "nothing": (
        lambda: [("", r, r) for r in hostile.runs()], hostile.flipped, [LOAD, RESUME], "equal"),
    **{
        f"{files.__name__} {mutation.__name__}": (
            partial(mutated, mutation, count, files), mutation, ways, "(?!wrong)")
        for files, count, ways, mutations in (
            (hostile.wholes, 100, [LOAD], hostile.MUTATIONS),
            (hostile.runs, 40, [LOAD, RESUME], hostile.RUN_MUTATIONS))
        for mutation in mutations
    },
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_files(tmp_path, what):
    """A file is refused, or the damage meant nothing and the model, or run, is the same."""
    files, mutation, ways, expected = DAMAGED[what]
    path, wrong, cases = tmp_path / "net.npz", [], list(files())
    for which, whole, data in cases:
        path.write_bytes(data)
        came = [way(path, mutation, whole) for way in ways]
        wrong += [(which, one) for one in came if not re.match(expected, one)]
    assert [] == wrong, f"{len(wrong)} of {len(cases)}"


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells memory")
@pytest.mark.parametrize("runs", [[], ["--runs"]], ids=["models", "runs"])
def test_hostile_files_within_limits(runs):
    """The program that loads very many of them finds none that is slow, large, or runs anything."""
    printed = output_of(hostile.__file__, "--count", "100", "--workers", "1", *runs)
    assert re.search(r"all( +\d+)+ +0\n", printed)


# Hostile files: each is a function of the members of a good one, and what is said of it


class Trap:
    """What a file must not be able to run."""

    sprung = False

    def __reduce__(self):
        return setattr, (Trap, "sprung", True)


def within(*way, **said):
    """Return an edit of what is said at the end of a way; what is ... is left out."""

    def edit(held, parts=None):
        held = functools.reduce(lambda held, key: held[key], way, held)
        for key, value in said.items():
            held[key] = value
            if value is ...:
                del held[key]

    return edit


def described(text):
    member = {"description.npy": hostile.text_member(text)}
    return lambda parts: hostile.zipped((parts | member).items())


def told(*way, **said):
    """Return what makes a file with another description."""

    def make(parts):
        description = hostile.described(WHOLE)
        within(*way, **said)(description)
        return described(json.dumps(description))(parts)

    return make


layer, layer_2 = partial(told, "layers", 0), partial(told, "layers", 1)


def W1(member):
    """Return what puts a member, or an array, in the place of W1."""
    member = member if isinstance(member, bytes) else hostile.npy(member)
    return lambda parts: hostile.zipped((parts | {"W1.npy": member}).items())


def lying(name, **lie):
    return lambda parts: hostile.zipped(parts.items(), {list(parts).index(name): lie})


def more(name):
    return lambda parts: hostile.zipped([*parts.items(), (name, parts["W1.npy"])])


def many(parts):
    data = bytes(1 << 17)
    lies = {i: {"absent": True, "offset": 0, "local_name": b"W0.npy"} for i in range(1, 4000)}
    return hostile.zipped([(f"W{i}.npy", data) for i in range(4000)], lies)


def header(data=bytes(16), old="", new="", **how):
    whole = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"
    return W1(hostile.headed(whole.replace(old, new), data, **how))


def nested(depth):
    relu = {"family": "activation", "name": "relu"}
    return functools.reduce(lambda inner, _: relu | {"a": inner}, range(depth), None)


DENSE = {"family": "layer", "name": "dense", "units": 2}
DEFINE, NOT_OURS = "Define or import its class first", "not an array that tinynet wrote"
WHOLE_NUMBER = "expected a whole number"
NO_VERSION, DTYPES, NAN = "no format version", "float32 or float64", float("nan")
BOMB = {"stored": hostile.bomb(1024), "method": 8}
FOREIGN = [  # nothing, zeros, a text, a picture, a pickle, arrays of others, archives of others
    b"", bytes(1000), b"W1 = [[1, 2], [3, 4]]\n", b"\x89PNG\r\n\x1a\n" + bytes(100),
    pickle.dumps({"W1": [1.0]}), hostile.npy(X), npz(W1=X, b1=X), npz(description=X),
    *(npz(description=np.array(text)) for text in ("a fine network", "[1, 2]", "[" * 100_000)),
    hostile.zipped([]), hostile.zipped([("description", b"{}")]),
    hostile.zipped([("description.npy", b"{}")]),
]  # fmt: skip
REFUSED = {f"foreign {i}": (data,) for i, data in enumerate(FOREIGN)} | {
    # The description
    "no format": (told(format=...), NO_VERSION),
    "format true": (described('{"format": true}'), NO_VERSION),
    "format 0": (described('{"format": 0}'), NO_VERSION),
    "format 1.0": (described('{"format": 1.0}'), NO_VERSION),
    "format NaN": (described('{"format": NaN}'), NO_VERSION),
    "format 3": (described('{"format": 3}'), "3, newer than 2. Update tinynet"),
    "deeply nested": (described('{"format": 1, "a": ' + "[" * 100_000), "recursion"),
    "a million characters": (described('{"format": 1}' + " " * (1 << 20)), "characters"),
    "a huge integer": (described('{"format": 1, "a": ' + "9" * 5000 + "}"), "5000 digits"),
    "something said twice": (described('{"format": 1, "format": 1}'), "twice"),
    "half a character": (described(b"\0\xd8\0\0" * 4), "utf-32"),
    "a character beyond all": (described(b"\xff" * 16), "utf-32"),
    "no layers": (told(layers=...), "layers"),
    "layers a number": (told(layers=3), "int"),
    "layers a text": (told(layers="dense"), "layer 1 is 'd'"),
    "an empty list of layers": (told(layers=[]), "layer"),
    "a layer a number": (told(layers=[DENSE, 3]), "layer 2 is 3"),
    "a layer a name": (told(layers=["dense"]), "layer 1 is 'dense'"),
    "one layer more": (told(layers=[DENSE] * 3), "W3"),
    "units true": (layer(units=True), "units"),
    **{f"units {n!r}": (layer(units=n), WHOLE_NUMBER) for n in (-1, "2", 2.0)},
    "units 10**12": (layer(units=10**12), "W1 … 1000000000000"),
    "l2 as text": (layer(l2="0.1"), "layers … '0.1'"),
    "l2 false": (layer(l2=False), "layers"),
    "l2 NaN": (layer(l2=NAN), "l2"),
    "an unknown field": (layer(colour="red"), "colour"),
    "an activation a name": (layer(activation="leaky_relu"), "layers"),
    "an activation for a layer": (told(layers=[nested(1)]), "not the name"),
    "nested for ever": (layer(activation=nested(200)), "no field"),
    **{f"a name {name}": (layer(name=name), "not the name") for name in (3, ["dense"])},
    "a family a list": (layer(family=["layer"]), "family"),
    "a loss a list": (told(loss=["huber"]), "not the name"),
    "no inputs": (told(inputs=None), "inputs"),
    "inputs 0": (told(inputs=[0]), "inputs", "is 0"),
    "inputs a number": (told(inputs=2), "inputs"),
    "inputs of 100 dimensions": (told(inputs=[1] * 100), "100 dimensions"),
    "inputs too many": (told(inputs=[10**12]), "W1", "1000000000000"),
    **{f"dtype {dtype}": (told(dtype=dtype), DTYPES) for dtype in ("object", "f4", [2])},
    "dtype float64": (told(dtype="float64"), "W1", "float32", "float64"),
    # An array
    "W1 left out": (
        lambda parts: hostile.zipped([part for part in parts.items() if part[0] != "W1.npy"]),
        "it has no W1"),
    "W1 of another shape": (W1(np.zeros((2, 3), "f4")), "W1 … (2, 3) … (2, 2)"),
    "W1 in float64": (W1(np.zeros((2, 2))), "W1 … float64 … float32"),
    "W1 with the last byte first": (W1(np.zeros((2, 2), ">f4")), "W1 … >f4 … float32"),
    "W1 of text": (W1(np.full((2, 2), "one")), "W1"),
    "W1 with NaN": (W1(np.full((2, 2), np.nan, "f4")), "W1 … not finite"),
    "W1 with Inf": (W1(np.full((2, 2), np.inf, "f4")), "W1 … not finite"),
    "W1 of pickled objects": (W1(np.array([[Trap(), 1], [2, 3]], object)), "W1 … object"),
    "a header of 128 TiB": (header(old="2, 2", new=f"{2**45},"), f"W1 … {2**45}"),
    "a negative shape": (header(old="2, 2", new="-2, -2"), NOT_OURS),
    "a header that is a program": (W1(hostile.headed("__import__('os').abort()", b"")), NOT_OURS),
    "a nested header": (W1(hostile.headed("(" * 9000, bytes(16))), NOT_OURS),
    "a header by columns": (header(old="False", new="True"), NOT_OURS),
    "a header of version 2": (header(version=(2, 0)), NOT_OURS),
    "a header beyond its member": (header(length=60_000), NOT_OURS),
    "an array with more behind it": (header(bytes(17)), "does not have the 16 bytes"),
    "an array cut off": (header(bytes(15)), "does not have the 16 bytes"),
    # Files of another kind
    "a file of safetensors": (b"\2" + bytes(7) + b"{}", "tn.exchange.load_safetensors reads"),
    "a file of ONNX": (b"\x08\x08\x12\x07tinynet:\0", "ONNX. tn.exchange.from_onnx reads"),
    "an archive cut off": (
        lambda parts: hostile.zipped(parts.items())[:-30], "tinynet file: File is not a zip file"),
    # The archive
    "a gigabyte of zeros": (lying("W1.npy", **BOMB, size=1 << 30), "compressed"),
    "a gigabyte that is said to be small": (lying("W1.npy", **BOMB), "compressed"),
    "4000 times one array": (many, "lies over another"),
    "a wrong checksum": (lying("W1.npy", crc=1), "CRC"),
    "another name before the data": (lying("W1.npy", local_name=b"b1.npy"), "differ"),
    "an array beyond the end": (lying("b1.npy", offset=10**6), "its members have"),
    "a locked member": (lying("W1.npy", flags=1), "encrypted"),
    "a member in a folder": (more("../../W1.npy"), "expected arrays"),
    "a member that is no array": (more("setup.py"), "expected arrays"),
    "two members of one name": (more("W1.npy"), "two members called W1"),
    "an array too many": (more("W3.npy"), "an array 'W3'"),
    # Names that are not known here
    "unknown layer": (layer_2(name="dens"), "Layer 2", "'dens'", "dense", DEFINE),
    "unknown activation": (
        told("layers", 1, "activation", name="siggmoid"),
        "Layer 2", "'siggmoid'", "sigmoid", DEFINE),
    "unknown initializer": (
        layer(init={"family": "initializer", "name": "mine"}), "Layer 1", "'mine'", DEFINE),
    "unknown loss": (told("loss", name="hubert"), "'hubert'", "huber"),
    "unknown layer of a million letters": (layer(name="x" * 1_000_000), "Layer 1 of the file"),
    "unknown layer that clears the screen": (layer(name="\x1b[2J\0\ud800"), "x1b[2J"),
    "a layer of a million letters": (told(layers=["x" * 1_000_000]), "layer 1 is 'xxx"),
    "a field that clears the screen": (layer(**{"\x1b[2J\0\ud800": 1}), "x1b[2J"),
    "inputs of long numbers": (told(inputs=[10**39] * 9), "inputs"),
    "inputs with many divisors to look for": (
        told(layers=[tn.SelfAttention(2).config()], inputs=[10**15 + 1, 3], loss=None),
        "expected a multiple of heads=2"),
    "channels with many divisors to look for": (
        told(layers=[tn.Conv2D(2, groups=2).config()], inputs=[10**15 + 1, 3, 3], loss=None),
        "a multiple of groups"),
}  # fmt: skip


def length_of_own_names(message):
    """Return how long a list of known names is by the classes of all tests, which no file has."""
    listed = set(message.partition("nearest first: ")[2].partition(".")[0].split(", "))
    kinds = [kind for family in FAMILIES.values() for kind in family._classes.values()]
    own = {each.registered_name for each in kinds if not each.__module__.startswith("tinynet.")}
    return sum(len(f", {name}") for name in listed & own)


@contextlib.contextmanager
def refusing(what, *words):
    """Expect an error in words, soon, not as long as a file likes, and nothing of the file run."""
    error = UnknownNameError if what.startswith("unknown") else FileFormatError
    known, start = {name: family.names() for name, family in FAMILIES.items()}, time.perf_counter()
    if error is FileFormatError:
        words += "is not a whole tinynet file", "Pass a file that", "wrote."
    with raises(error, *words) as caught:
        yield
    assert time.perf_counter() - start < 2
    message = str(caught.value)
    assert message.isprintable(), "a terminal would obey it"
    assert len(message) - length_of_own_names(message) < 800
    assert caught.value.__cause__ is None or len(str(caught.value.__cause__)) <= 300
    assert known == {name: family.names() for name, family in FAMILIES.items()}
    assert not Trap.sprung


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_that_is_refused(tmp_path, what):
    """It is refused by name, whether it is on disk, open or in memory, and no model is changed."""
    data, *words = REFUSED[what]
    path, model = tmp_path / "hostile.npz", network()
    data = data if isinstance(data, bytes) else data(hostile.members(WHOLE))
    path.write_bytes(data)
    with open(path, "rb") as file:
        sources = (tn.load, path), (model.load, path), (tn.load, io.BytesIO(data)), (tn.load, file)
        for load, source in sources:
            named = [repr(str(path))] * (source is path and not what.startswith("unknown"))
            with refusing(what, *words, *named):
                load(source)
    assert content(network()) == content(model)


# Hostile runs: each is an edit of what a file says of its run, and of its members


says, sets = partial(within), partial(within, "settings")
draws = partial(within, "rng", "now", "state")  # of the generator as it is now
remembers = partial(within, "callbacks", 0, "state")
shaped = partial(within, "arrays", "optimizer")


def holds(whose, name, change):
    """Return an edit of an array, of which the description says what is true."""

    def edit(run, parts):
        member = f"{whose}.{name}.npy"
        array = np.asarray(change(np.load(io.BytesIO(parts[member]))))
        parts[member] = hostile.npy(array)
        run["arrays"][whose][name] = [list(array.shape), array.dtype.name]

    return edit


def without(whose, name):
    return lambda run, parts: (parts.pop(f"{whose}.{name}.npy"), run["arrays"][whose].pop(name))


memory, rates = partial(holds, "optimizer"), partial(holds, "history", "learning_rate")


def many_arrays(run, parts):
    run["arrays"]["history"] |= {f"a{i}": [[1], "float64"] for i in range(20_000)}
    parts |= {f"history.a{i}.npy": hostile.npy(np.zeros(1)) for i in range(20_000)}


ADAMW, STOPS, STREAM, SFC = range(4)  # the runs of hostile_files
NO_STEP, NO_MEMORY = "no step is finite", "memory 'v' has shape"
OTHER_LOSS, NO_LIST = "another history of loss", "not a list of numbers"
NOT_RESTORED = "EarlyStopping cannot be restored"
HOSTILE_RUNS = {
    "a run a list": (ADAMW, lambda run, parts: run.clear(), "a run that has"),
    "more than a run": (ADAMW, says(more=1), "a run that has … more"),
    "epochs as text": (ADAMW, sets(epochs="4"), WHOLE_NUMBER),
    "epochs below 0": (ADAMW, sets(epochs=-1), "expected a whole number of at least 0"),
    "a batch size of 0": (ADAMW, sets(batch_size=0), "batch_size is … expected"),
    "a batch size of True": (ADAMW, sets(batch_size=True), "batch_size is … expected"),
    "verbose a text": (ADAMW, sets(verbose="yes"), "settings is"),
    "verbose, and nothing to be seen": (ADAMW, sets(verbose=True), "no progress bar"),
    "shuffle a number": (ADAMW, sets(shuffle=7), "shuffle is"),
    "a setting too many": (ADAMW, sets(colour=1), "colour"),
    "a setting too few": (ADAMW, sets(epochs=...), "epochs"),
    "all of the data split off": (STOPS, sets(validation_split=1.0), "between 0 and 1"),
    "split off, and not told how": (ADAMW, sets(validation_split=0.2), "generator of its start"),
    "steps beyond counting": (STREAM, sets(steps_per_epoch=2**70), "steps_per_epoch is … at most"),
    "steps of 0": (STREAM, sets(steps_per_epoch=0), "steps_per_epoch"),
    "a weight below 0": (ADAMW, sets(class_weight=[[0, -1.0], [1, 1.0]]), "at least 0"),
    "a weight NaN": (ADAMW, sets(class_weight=[[0, NAN], [1, 1.0]]), "finite"),
    "a label twice": (ADAMW, sets(class_weight=[[0, 1.0], [0, 2.0]]), "settings is"),
    "a label 7": (ADAMW, sets(class_weight=[[7, 1.0]]), "has the label 7"),
    "a label 0.0": (ADAMW, sets(class_weight=[[0.0, 1.0], [1, 1.0]]), "label is … expected"),
    "weights a number": (ADAMW, sets(class_weight=3), "int"),
    "an optimizer a name": (ADAMW, says(optimizer="adamw"), "optimizer is"),
    "a rate a list": (SFC, within("optimizer", learning_rate=[1]), "float"),
    "memory of another size": (ADAMW, memory("v", lambda v: v[:-1]), NO_MEMORY),
    "memory that broadcasts": (ADAMW, memory("v", lambda v: v[0]), NO_MEMORY),
    "memory in float64": (ADAMW, memory("v", np.float64), "dtype float64"),
    "memory of complex numbers": (ADAMW, memory("v", np.complex128), "dtype 'complex128'"),
    "memory NaN": (ADAMW, memory("v", lambda v: v * np.nan), NO_STEP),
    "squares below 0": (ADAMW, memory("s", lambda s: -s - 1), NO_STEP),
    "a step number below 0": (ADAMW, memory("t", np.negative), "a count below 0"),
    "a step number at the end": (ADAMW, memory("t", lambda t: np.int64(2**63 - 1)), "too large"),
    "a shape of text": (ADAMW, shaped(t=["", "int64"]), "shape of optimizer.t is ''"),
    "a shape by name": (ADAMW, shaped(t=[{}, "int64"]), "shape of optimizer.t is {}"),
    "memory left out": (ADAMW, without("optimizer", "s"), "no s in its optimizer"),
    "a needed count left out": (ADAMW, without("optimizer", "t"), "no t in its optimizer"),
    "epoch a fraction": (ADAMW, says(epoch=1.0), "epoch is … expected"),
    "an epoch that never was": (ADAMW, says(epoch=10**9), OTHER_LOSS),
    "an epoch below 0": (ADAMW, says(epoch=-1), "epoch is … expected"),
    "a step beyond the last": (ADAMW, says(step=6), "a step 6 of 5"),
    "a step beyond the stream": (STREAM, says(step=6), "a step 6 of 5"),
    "another step": (ADAMW, says(step=1), "examples in 1 step"),
    "stopped true": (ADAMW, says(stopped=True), "stopped is"),
    "costs infinite": (ADAMW, says(measured=[float("inf"), 16]), "a sum of costs"),
    "costs of no example": (ADAMW, says(measured=[1.0, 0]), "m is … expected"),
    "predictions left out": (ADAMW, without("so_far", "A"), "other predictions"),
    "a progress bar with a state": (
        ADAMW,
        lambda run, parts: (
            run["settings"].update(verbose=True),
            run["callbacks"].append({"kind": "ProgressBar", "state": {"x": 1}}),
            run["arrays"].update({f"callback{len(run['callbacks']) - 1}": {}}),
        ),
        "a state of ProgressBar, which has none",
    ),
    "predictions too few": (ADAMW, holds("so_far", "A", lambda A: A[:, 1:]), "another shape"),
    "targets that are none": (ADAMW, holds("so_far", "Y", lambda Y: Y + 5), "expects 0 and 1"),
    "a history too long": (ADAMW, holds("history", "loss", lambda x: x.repeat(2)), OTHER_LOSS),
    "a history of integers": (ADAMW, holds("history", "f1", np.int64), "another history of f1"),
    "a history by columns": (ADAMW, rates(lambda rate: rate[None]), NO_LIST),
    "a history in half precision": (ADAMW, rates(np.float16), NO_LIST),
    "a metric twice": (ADAMW, says(metrics=["f1", "f1"]), "metrics is"),
    "metrics a text": (ADAMW, says(metrics="f1"), "metrics is"),
    "a metric that is the loss": (ADAMW, says(metrics=["loss"]), "a metric called loss"),
    "callbacks a number": (ADAMW, says(callbacks=2), "int"),
    "a callback a number": (ADAMW, says(callbacks=[2, 2]), "int"),
    "a state a list": (STOPS, within("callbacks", 0, state=[]), "callback 0"),
    "a callback with more": (STOPS, within("callbacks", 0, more=1), "more"),
    "another state": (ADAMW, remembers(best=1.0), "LearningRateLogger cannot be restored"),
    "a best value as text": (STOPS, remembers(best="0.1"), f"{NOT_RESTORED} … best … str"),
    "a best epoch to come": (STOPS, remembers(best_epoch=9), f"{NOT_RESTORED} … best epoch is 9"),
    "a state with more": (STOPS, remembers(more=1), NOT_RESTORED),
    "best values too few": (STOPS, holds("callback0", "values", lambda v: v[:1]), NOT_RESTORED),
    "best values NaN": (STOPS, holds("callback0", "values", lambda v: v * np.nan), "finite"),
    "a place beyond the state": (STOPS, draws("state", pos=10**9), "A generator's pos"),
    "a place before the state": (STOPS, draws("state", pos=-1), "A generator's pos"),
    "a state of zeros": (STOPS, draws("state", key=[1] + [0] * 623), "all zeros"),
    "a state of 3 numbers": (STOPS, draws("state", key=[1, 2, 3]), "reshape"),
    "a state of fractions": (STOPS, draws("state", key=[1.5] * 624), "generator (now) is"),
    "a Gaussian NaN": (STOPS, draws(gauss=NAN), "gauss"),
    "a buffer's place": (STREAM, draws(buffer_pos=-1), "A generator's buffer_pos"),
    "an even increment": (ADAMW, draws("state", inc=2), "inc is 2, expected an odd number"),
    "a number of 129 bits": (ADAMW, draws("state", state=2**128), "large"),
    "half of 32 bits": (ADAMW, draws(has_uint32=7), "has_uint32 is 7"),
    "a counter too many": (SFC, draws("state", state=[1] * 5), "reshape"),
    "another generator": (ADAMW, draws(bit_generator="Xoshiro"), "The bit generator is 'Xoshiro'"),
    "another kind": (ADAMW, within("rng", "now", kind="object"), "The generator is a 'object'"),
    "two kinds": (ADAMW, within("rng", "epoch", kind="RandomState"), "gauss"),
    "no generator of the epoch": (ADAMW, within("rng", epoch=None), "no generator of its epoch"),
    "one generator more": (ADAMW, within("rng", more=None), "states of a generator"),
    "data of another shape": (ADAMW, says(data=[40, [3]]), "data is"),
    "no data": (ADAMW, says(data=[0, [2]]), "m is … expected"),
    "validated a number": (ADAMW, says(validated=0), "validated is"),
    "20,000 arrays": (ADAMW, many_arrays, "over 1000 arrays"),
    "arrays of something else": (ADAMW, within("arrays", more={}), "arrays of others"),
    "unknown optimizer": (
        ADAMW, within("optimizer", name="adem"), "No optimizer … 'adem' … nearest first: adam"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE_RUNS)
def test_a_run_that_is_refused(tmp_path, what):
    """The file stays as it is."""
    which, edit, *words = HOSTILE_RUNS[what]
    whole, path = hostile.runs()[which], tmp_path / "run.npz"
    parts, description = hostile.members(whole), hostile.described(whole)
    edit(description["run"], parts)
    before = described(json.dumps(description))(parts)
    path.write_bytes(before)
    with refusing(what, *words):
        tn.resume(path, **hostile.given(whole, path))
    assert before == path.read_bytes()


def test_a_message_is_bounded_where_the_run_is_another(tmp_path):
    """What is refused because of other callbacks does not repeat a million letters of the file."""
    whole, path = hostile.runs()[ADAMW], tmp_path / "run.npz"
    description = hostile.described(whole)
    description["run"]["callbacks"][0]["kind"] = "\x1b[2J" + "x" * 900_000
    path.write_bytes(described(json.dumps(description))(hostile.members(whole)))
    with raises(ValueError, "The run began with callbacks ['\\x1b[2Jxxx") as caught:
        tn.resume(path, **hostile.given(whole, path))
    assert len(str(caught.value)) < 1000


def test_an_x_without_features():
    """It builds no model: a file could not hold one."""
    model = network(inputs=None)
    with raises(ShapeError, "X has shape (0, 3), expected at least one number"):
        model.forward(X[:0])
    assert not model.is_built


@pytest.mark.parametrize("behind", [b"", b"#!/bin/sh\n"], ids=["at the start", "behind a line"])
@pytest.mark.parametrize("kind", ["in memory", "on disk"])
def test_an_open_file(tmp_path, kind, behind):
    """It holds what a path would, is read from any place of its own, and stays open."""
    with io.BytesIO() if kind == "in memory" else open(tmp_path / "net", "w+b") as file:
        file.write(behind)
        network().save(file)
        for place in (len(behind), 0, file.seek(0, io.SEEK_END)):
            file.seek(place)
            assert content(network()) == content(tn.load(file))
        file.seek(0)
        assert behind == file.read(len(behind))


class Few(io.BytesIO):
    """A file that takes a few bytes at a time, as one without a buffer may."""

    def write(self, data):
        return super().write(bytes(data)[:100])


def test_open_files_of_other_kinds(tmp_path):
    """A model goes into any file that can be written to, and comes from any that can seek."""
    few = Few()
    network().save(few)
    assert WHOLE == few.getvalue()
    with gzip.open(tmp_path / "net.gz", "wb") as file:
        network().save(file)
    with gzip.open(tmp_path / "net.gz", "rb") as file:
        assert content(network()) == content(tn.load(file))
    with raises(ValueError, "The file is closed", "Open it again"):
        tn.load(file)
    receiver, sender = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), "rw", strict=True))
    with receiver, sender, raises(ValueError, "cannot seek", "io.BytesIO(file.read())"):
        tn.load(receiver.buffer)
    with raises(TypeError, "open as text", 'open(path, "wb")'):
        network().save(io.StringIO())


def test_the_same_content_is_the_same_file(tmp_path, monkeypatch):
    """Nothing of the time or the machine is in a file; so versions of a model can be compared."""
    monkeypatch.setattr(time, "time", lambda: 1e9)
    network().save(tmp_path / "net.npz")
    assert WHOLE == (tmp_path / "net.npz").read_bytes()


V = np.arange(6.0).reshape(2, 3)
WRITTEN = written_by(write_file, {"a": [1, "b"]}, {"v": V, "n": np.int64(7), "i": [1, np.inf]})


def test_what_is_written_is_read():
    """It comes back, and cannot be written to; what was neither read nor named is refused."""
    with opened(io.BytesIO(WRITTEN)) as file:
        assert {"a": [1, "b"], "format": 2} == file.description
        v, n = file.array("v", (2, 3), np.dtype("f8")), file.array("n", [], np.dtype("i8"))
        with raises(FileFormatError, "an array 'i'"):
            file.expect_no_more()
        file.expect_no_more(known=["i", "w"])
        i = file.array("i", (2,), np.dtype("f8"), finite=False)
        file.expect_no_more()
    np.testing.assert_array_equal(V, v, strict=True)
    assert (7, (), np.inf, False) == (n[()], n.shape, i[1], v.flags.writeable)


texts, short = st.text(st.characters(codec=None)), st.text(max_size=5)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**38), 10**38), st.floats(), texts),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(short, inner, max_size=4),
    max_leaves=10,
)
keys = short.filter(lambda key: key != "format")
descriptions = st.dictionaries(keys, json_values, max_size=4)
array_names = st.from_regex(r"\A[\w.-]{1,8}\Z").filter(lambda name: name != "description")
shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
kinds = ["f4", "f8", "f2", "i1", "i4", "i8", "u1", "u2", "u8", "?", ">f4", ">i8"]
dtypes = st.sampled_from(kinds).map(np.dtype)


@st.composite
def some_arrays(draw):
    """Arrays of any bytes, by rows, by columns and of every second number."""
    shape, dtype = draw(shapes), draw(dtypes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    array = np.frombuffer(rng.bytes(2 * dtype.itemsize * int(np.prod(shape))), "u1").copy()
    array = (array % 2 if dtype.kind == "b" else array).view(dtype)[::2].reshape(shape)
    return draw(st.sampled_from([array, np.asfortranarray(array), array.T, array.copy()]))


@settings(deadline=None, max_examples=100)
@given(descriptions, st.dictionaries(array_names, some_arrays(), max_size=4))
def test_anything_comes_back(tmp_path_factory, description, arrays):
    """Any description and any arrays come back to the bit."""
    path = tmp_path_factory.getbasetemp() / "anything.npz"
    write_file(path, description, arrays)
    with opened(path) as file:
        assert json.dumps({**description, "format": 2}) == json.dumps(file.description)
        for name, array in arrays.items():
            native = array.dtype.newbyteorder("=")
            found = file.array(name, array.shape, native, finite=False)
            assert (array.shape, native) == (found.shape, found.dtype)
            assert array.astype(native).tobytes() == found.tobytes()
        file.expect_no_more()
    with np.load(path, allow_pickle=False) as file:
        assert {"description", *arrays} == set(file.files)


def save_one_name_twice(target):
    class Odd(Dense):  # its W1 in layer 1 has the name of W in layer 11
        def parameters(self, input_shape):
            return {f"{name}1": p for name, p in super().parameters(input_shape).items()}

    network(Odd(2), *[Dense(2)] * 10).save(target)


class Passing(tn.Layer):
    """A layer that passes everything on."""

    def forward(self, A_prev, cache):
        return A_prev

    def back(self, dZ, cache):
        return dZ


def save_doubled(target):
    @attrs.frozen
    class Doubled(Passing):
        n: int = attrs.field(default=1, converter=lambda n: 2 * n)

    network(Doubled()).save(target)


def save_own_init(target):
    class Bare(Passing):
        def __init__(self):
            object.__setattr__(self, "activation", tn.Activation.get("relu"))

    network(Bare()).save(target)


def save_of_nobody(target):
    class Nobody(Passing):
        pass

    model = network(Nobody())
    del tn.Layer._classes["nobody"]
    model.save(target)


def saves(layer, **numbers):
    """Return what saves a model with other numbers in an array of its own."""

    def save(target):
        model = network(layer)
        for name, number in numbers.items():
            getattr(model, name)[:] = number
        model.save(target)

    return save


def writes(description=None, **arrays):
    return partial(write_file, description=description or {}, arrays=arrays.pop("all", arrays))


UNWRITABLE = {
    "objects": (writes(v=np.array([None])), TypeError, "'v' … object … numbers or bool"),
    "text": (writes(v="a"), TypeError, "'v' … <U1"),
    "complex numbers": (writes(v=1j), TypeError, "'v' … complex"),
    "a name with a folder": (writes(**{"../v": 1.0}), ValueError, "'../v'"),
    "no name": (writes(**{"": 1.0}), ValueError, "''"),
    "a second description": (writes(all={"description": 1.0}), ValueError, "'description'"),
    "what JSON has not": (writes({"a": {1}}), TypeError, "set"),
    "a key that comes twice": (writes({"a": {1: 2, "1": 3}}), ValueError, "twice"),
    "a long description": (writes({"a": "x" * 2**20}), ValueError, "1048 … characters … in arrays"),
    "a long integer": (writes({"a": 10**45}), ValueError, "46 digits"),
    "nested for ever": (writes(nested(9999)), RecursionError, "depth"),
    "parameters of one name": (
        save_one_name_twice, ValueError,
        "Two … same name … behind it. Choose parameter names … digit."),
    "a long double": (writes(v=np.longdouble(1)), TypeError, "'v' has dtype … at most 8 bytes"),
    "a very long name": (writes(**{"v" * 70_000: 1.0}), ValueError, "70000 characters … shorter"),
    **{
        f"a parameter {number}": (
            saves(tn.Dense(2), params=number), NonFiniteError, f"W1 has the number {number}")
        for number in (NAN, np.inf, -np.inf)
    },
    "a running mean NaN": (
        saves(tn.BatchNorm(), state=NAN), NonFiniteError, "running_mean1 has the number nan"),
    "a variance below 0": (
        saves(tn.BatchNorm(), state=-1), ValueError, "running_variance1 … -1, expected at least 0"),
    "a converter that doubles": (save_doubled, ValueError, "could not be read again: its layers"),
    "an __init__ without fields": (save_own_init, ValueError, "keyword argument 'activation'"),
    "a class that is gone": (save_of_nobody, ValueError, "No layer is called 'nobody'"),
}  # fmt: skip


@pytest.mark.parametrize("what", UNWRITABLE)
def test_what_cannot_be_read_is_not_written(tmp_path, what):
    """What could not be read again is refused before there is a file, and an earlier one stays."""
    write, error, *words = UNWRITABLE[what]
    path, memory = tmp_path / "net.npz", io.BytesIO()
    for target, files in ((path, []), (memory, []), (path, [path])):
        for file in files:
            file.write_bytes(WHOLE)
        with raises(error, *words):
            write(target)
        assert files == list(tmp_path.iterdir()), "something is left behind"
    assert WHOLE == path.read_bytes()
    assert b"" == memory.getvalue()


ASKED = [  # name, shape and dtype, and what is said of them
    ("v", (3, 2), "f8", "v has shape (2, 3) … (3, 2)"), ("v", (2, 3), "f4", "float64 … float32"),
    ("v", (10**15, 10**15), "f8", "v has shape"), ("n", (), "u8", "int64 … uint64"),
    ("v", 6, "f8", "int"), ("v", "23", "f8", "whole number"), ("v", (-2, -3), "f8", "whole number"),
    ("v", (2.0, 3.0), "f8", "whole number"), ("v", (True,), "f8", "whole number"),
    ("w", (2, 3), "f8", "it has no w"), ("i", (2,), "f8", "i is not finite"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "shape", "dtype", "word"), ASKED)
def test_an_array_that_is_not_as_asked(name, shape, dtype, word):
    """The shape that is asked for may come from the file itself, and is no better than it."""
    with raises(FileFormatError, word), opened(io.BytesIO(WRITTEN)) as file:
        file.array(name, shape, np.dtype(dtype))


SAME = [([1, {"b": None}], (1.0, {"b": None})), ({}, {"b": 1}), (NAN, float("nan"))]
OTHER = [({"b": 1}, {}), ("1", 1), (True, 1.0), ([1], [1, 2]), (["b"], "b")]


@pytest.mark.parametrize(("said", "made"), [*SAME, *OTHER])
def test_a_description_is_what_was_made_of_it(said, made):
    """What was made of a description says the same again, or the description is refused."""
    same = any(said is read for read, _ in SAME)
    with contextlib.nullcontext() if same else raises(FileFormatError, "its a is", repr(made)):
        expect_same("a", said, made)


# Files of older versions


def test_a_file_of_format_1():
    """A file of the first version: three layers of 4, 3 and 2 units, with b = 0, 1/8, 2/8 …."""
    model = tn.load(DATA / "format-1.npz")
    dense, tanh, _ = model.layers
    layers = "3 -> 4 leaky_relu -> 3 tanh -> 2 softmax"
    assert f"<Sequential {layers}; categorical_crossentropy; float32; 39 parameters>" == repr(model)
    assert (0.1, 0.01, 0.5) == (dense.activation.slope, dense.l2, tanh.init.scale)
    assert [0, 0.125, 0.25, 0.375] == model.b[1].ravel().tolist()
    np.testing.assert_allclose([0.28216830, 0.67084843, 0.26980075], model.W[1][0], rtol=1e-6)
    A = model.predict(np.array([[1, 0.5], [2, -1], [3, 0]]))
    np.testing.assert_allclose([[0.04825706, 0.46218312], [0.95174294, 0.53781688]], A, rtol=1e-5)


def test_a_file_of_format_2():
    """A model with state predicts what it predicted where the version of commit 08e92d3 wrote it.

    It had been trained by fit(X, Y, epochs=5, batch_size=8); test_checkpoints.py describes it.
    """
    model, X = tn.load(DATA / "format-2.npz"), np.random.default_rng(7).standard_normal((3, 40))
    layers = "3 -> 4 tanh -> 4 identity -> 4 identity -> 4 relu -> 1 sigmoid"
    assert f"<Sequential {layers}; binary_crossentropy; float64; 37 parameters>" == repr(model)
    assert 0.2 == model.layers[2].rate
    with np.load(DATA / "format-2-expected.npz") as expected:
        # Exact where it was written; another BLAS may add in another order.
        np.testing.assert_allclose(expected["A"], model.predict(X), rtol=1e-12)


# Where a file is written


def write_text(path, text="new"):
    write_file(path, {"text": text}, {"v": np.zeros(3000)})


def read_text(path):
    with opened(path) as file:
        file.array("v", (3000,), np.dtype("f8"))
        return file.description["text"]


def names(folder):
    return sorted(os.listdir(folder))


def write_new(folder, *others):
    """Write net.npz, and see that it can be read and that these others are left beside it."""
    write_text(folder / "net.npz")
    assert "new" == read_text(folder / "net.npz")
    assert sorted(["net.npz", *others]) == names(folder)


def fail(number):
    """Return what fails with an error of the system."""
    return Mock(side_effect=OSError(number, os.strerror(number)))


posix = pytest.mark.skipif(os.name != "posix", reason="permissions, links and locks of POSIX")


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions(tmp_path, umask):
    """A new file has those that the umask leaves; one that is replaced keeps its own."""
    old, new = tmp_path / "old.npz", tmp_path / "new.npz"
    before = os.umask(umask)
    try:
        write_text(new)
        old.touch()
        old.chmod(0o664)
        write_text(old)
    finally:
        os.umask(before)
    assert [0o666 & ~umask, 0o664] == [stat.S_IMODE(path.stat().st_mode) for path in (new, old)]


@posix
@pytest.mark.parametrize("there", [True, False])
def test_a_link(tmp_path, there):
    """What a link points to is replaced, or made; the link stays."""
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "target.npz", tmp_path / "link.npz"
    link.symlink_to("far/target.npz")
    if there:
        write_text(target, "old")
    write_text(link)
    assert (True, False) == (link.is_symlink(), target.is_symlink())
    assert "new" == read_text(target) == read_text(link)
    assert ["far", "link.npz"] == names(tmp_path)


def test_a_path_of_any_kind(tmp_path, monkeypatch):
    """A str or a Path, relative or not; no suffix is added."""
    monkeypatch.chdir(tmp_path)
    for path in ("net", Path("model"), tmp_path / "very.npz.good", str(tmp_path / "[x] *.npz")):
        write_text(path)
        assert "new" == read_text(path)
    assert ["[x] *.npz", "model", "net", "very.npz.good"] == names(tmp_path)


def test_the_folder_that_the_message_makes(tmp_path):
    """The call in the message makes the folder, and the file can be saved in it."""
    folder = os.path.join(os.path.realpath(tmp_path), "it's new", "two")
    path, model = os.path.join(folder, "net.npz"), network()
    with raises(FileNotFoundError, f"with os.makedirs({folder!r}, exist_ok=True)"):
        model.save(path)
    os.makedirs(folder, exist_ok=True)
    model.save(path)
    assert model.params.tobytes() == tn.load(path).params.tobytes()


NO_PLACE = {
    "text in memory": (io.StringIO(), TypeError, "open as text"),
    "no folder": ("absent/net.npz", FileNotFoundError, "absent", "with os.makedirs"),
    "a pipe": ("pipe", OSError, "Save elsewhere"),
    "a loop": ("loop", OSError, "Save elsewhere"),
    "a folder": (".", IsADirectoryError, "name of a file"),
    "a device": (os.devnull, OSError, "not a regular file", "/dev/null"),
}


@posix
@pytest.mark.parametrize("what", NO_PLACE)
def test_what_is_no_file(tmp_path, monkeypatch, what):
    """It is not replaced by a file, and nothing is made."""
    place, error, *words = NO_PLACE[what]
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    os.symlink("loop", "loop")
    with raises(error, *words):
        network().save(place)
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)
    assert ["loop", "pipe"] == names(".")


def test_what_cannot_be_loaded(tmp_path):
    """What is not there, or a folder, is Python's own error; text and other things are refused."""
    for source in (None, 3):  # not as a file that is damaged; nor can it be saved to
        for method in (tn.load, network().save):
            words = f"The path is {source!r}, expected a path or an open binary file"
            with raises(TypeError, words):
                method(source)
    with raises(FileNotFoundError, "absent.npz"):
        tn.load(tmp_path / "absent.npz")
    with raises(IsADirectoryError, str(tmp_path)):
        tn.load(tmp_path)
    (tmp_path / "net.npz").write_bytes(WHOLE)
    refused = raises(TypeError, "The file is open as text", 'Use open(path, "rb").')
    with open(tmp_path / "net.npz", encoding="latin-1") as text, refused:
        tn.load(text)


ERRORS = {
    errno.ENOSPC: "Make room", errno.EDQUOT: "Make room", errno.EROFS: "that can be written to",
    errno.EACCES: "that you may write to", errno.EIO: "Save elsewhere",
}  # fmt: skip


@pytest.mark.parametrize("there", [True, False], ids=["replaced", "new"])
@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
@pytest.mark.parametrize("number", ERRORS, ids=errno.errorcode.get)
def test_an_error_of_the_system(tmp_path, monkeypatch, number, call, there):
    """It is of the same kind, names the path, and says what became of a file and what to do."""
    path, kept = tmp_path / "net.npz", "The earlier file is as" if there else "No file was made"
    if there:
        write_text(path, "old")
    error, words = PermissionError if number == errno.EACCES else OSError, (kept, ERRORS[number])
    with monkeypatch.context() as patch, raises(error, *words, repr(str(path))) as caught:
        patch.setattr(os, call, fail(number))
        write_text(path)
    assert os.strerror(number) in str(caught.value)
    assert (number, os.fspath(path)) == (caught.value.errno, caught.value.filename)
    assert ["net.npz"] * there == names(tmp_path)
    assert not there or "old" == read_text(path)


def orphan(folder, number="0" * 16):
    """Return what would be the temporary file of a writer to net.npz that was killed."""
    return folder / f"net.npz.{number}.tmp"


def shell(command, folder):
    return subprocess.run(command, shell=True, cwd=folder, capture_output=True).returncode


DISKS = {  # what harms one, what repairs it, and words
    "full": ("head -c 24576 /dev/zero > ballast", "rm ballast", "No space left", "Make room"),
    "read-only, with an orphan": (
        "touch net.npz.0000000000000000.tmp; mount -o remount,ro .", "mount -o remount,rw .",
        "Read-only", "can be written to"),
}  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root may mount")
@pytest.mark.parametrize("what", DISKS)
def test_a_disk_that_is_full_or_read_only(tmp_path, what):
    """The earlier file is as it was, and can be read; when all is well again, saving goes on."""
    harm, repair, *words = DISKS[what]
    if shell("mount -t tmpfs -o size=64k tmpfs .", tmp_path):
        pytest.skip("only root may mount a file system")
    try:
        write_text(tmp_path / "net.npz", "old")
        assert 0 == shell(harm, tmp_path)
        before = names(tmp_path)
        with raises(OSError, *words, "The earlier file is as it was", "net.npz"):
            write_text(tmp_path / "net.npz")
        assert (before, "old") == (names(tmp_path), read_text(tmp_path / "net.npz"))
        assert 0 == shell(repair, tmp_path)
        write_new(tmp_path)
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_orphans_are_swept(tmp_path):
    """A temporary file of this very target goes; everything else stays."""
    a, folder = "0123456789abcdef", orphan(tmp_path)
    others = [
        f"net.npy.{a}.tmp", f"my-net.npz.{a}.tmp", "net.npz.tmp", f"net.npz.{a}",
        f"net.npz.{a[:8]}.tmp", f"net.npz.{a.upper()}.tmp", f"netxnpz.{a}.tmp",
        f"net.npz.{a}.tmp.npz",
    ]  # fmt: skip
    for path in (*map(tmp_path.joinpath, others), orphan(tmp_path, a), orphan(tmp_path, "f" * 16)):
        path.write_text("half")
    folder.mkdir()
    write_new(tmp_path, *others, folder.name)


@posix
def test_another_writer_is_left_alone(tmp_path):
    """A temporary file that somebody holds is no orphan."""
    path = tmp_path / "net.npz"
    with replace.replacing(path) as file:
        file.write(b"slow")
        write_text(path)
        assert 2 == len(names(tmp_path))
        assert "new" == read_text(path)
    assert b"slow" == path.read_bytes()
    assert ["net.npz"] == names(tmp_path)


@posix
def test_swept_before_it_was_locked(tmp_path, monkeypatch):
    """A writer whose file is taken for an orphan, just before it is locked, begins again."""
    lock, swept = replace._lock, []

    def late(file, *how):
        if not swept:
            swept.append(file.name)
            os.unlink(file.name)
        lock(file, *how)

    monkeypatch.setattr(replace, "_lock", late)
    write_new(tmp_path)


@posix
@pytest.mark.parametrize("error", [errno.ENOLCK, errno.ENOTSUP, None])
def test_without_locks(tmp_path, monkeypatch, error):
    """Where there are no locks, nobody can tell an orphan: files are written, and none is swept."""
    where = "fcntl.flock" if error else "tinynet.files.replace.fcntl"
    monkeypatch.setattr(where, error and fail(error))
    orphan(tmp_path).touch()
    write_new(tmp_path, orphan(tmp_path).name)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO])
def test_a_folder_that_is_not_synced(tmp_path, monkeypatch, number):
    """Some systems cannot, which is no error; a disk that fails is one, but the file is there."""
    fsync = os.fsync

    def fails(descriptor):
        (fail(number) if stat.S_ISDIR(os.fstat(descriptor).st_mode) else fsync)(descriptor)

    monkeypatch.setattr(os, "fsync", fails)
    told = raises(OSError, "is written, but may not survive a power cut")
    with told if number == errno.EIO else contextlib.nullcontext():
        write_new(tmp_path)
    assert "new" == read_text(tmp_path / "net.npz")


def test_several_writers(tmp_path):
    """Threads that write to one path and read from it find a whole file, and leave nothing."""
    write_text(tmp_path / "net.npz", "first")

    def work(name):
        for i in range(15):
            write_text(tmp_path / "net.npz", f"{name} {i}")
            read_text(tmp_path / "net.npz")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, "abcd"))
    assert ["net.npz"] == names(tmp_path)


SAVING = """
import sys, tinynet as tn
model = tn.Sequential([tn.Dense(100)], inputs=300, seed=1)
for i in range(10**9):
    model.params[:] = i
    model.save(sys.argv[1])
    i or print("saved", flush=True)
"""


@posix
def test_killed_at_a_random_moment(tmp_path):
    """After a kill the file is whole; the next save leaves nothing of the one that was killed."""
    path, chance, one_thread = tmp_path / "net.npz", random.Random(1), {"OPENBLAS_NUM_THREADS": "1"}
    model = Sequential([Dense(100)], inputs=300, seed=1)
    for _ in range(5):
        command = [sys.executable, "-c", SAVING, path]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=TESTED | one_thread) as process:
            process.stdout.readline()
            time.sleep(0.05 * chance.random())
            process.send_signal(signal.SIGKILL)
        assert 1 == np.unique(tn.load(path).params).size, "half of one file and half of another"
        model.params[:] = 3
        model.save(path)
        assert ["net.npz"] == names(tmp_path)
