"""Damaged and hostile files: each loads equal or is refused, fast, and nothing in it is run.

    python tests/fuzz/hostile_files.py --count 200000
    python tests/fuzz/hostile_files.py --count 200000 --runs

The files are models as `save` writes them, or runs as ``fit(..., checkpoint=...)`` does. A run is
loaded as a model, and resumed for two steps. A file follows from its number alone::

    python tests/fuzz/hostile_files.py --show 4711 > hostile.npz
"""

import argparse
import collections
import concurrent.futures
import contextlib
import functools
import io
import itertools
import json
import multiprocessing
import os
import pickle
import random
import re
import resource
import struct
import sys
import tempfile
import time
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np

import tinynet as tn
from tinynet import Dense, Sequential, optimizers, schedules
from tinynet._support.registry import FAMILIES
from tinynet.errors import FileFormatError, NonFiniteError, TrainingWarning, UnknownNameError

MOST_SECONDS, MOST_MEMORY = 2.0, 200 << 20
ADDRESSES = 4 << 30  # bytes of address space: to take more is a MemoryError, which is seen


# Whole files


@functools.cache
def wholes():
    """Return files as `save` writes them."""
    leaky = tn.Activation.get("leaky_relu", slope=0.1)
    classes = [Dense(3, "relu"), Dense(2, "softmax")]
    models = (
        Sequential([Dense(2, leaky, l2=0.1)], "huber", inputs=2, seed=1),
        Sequential(classes, "categorical_crossentropy", inputs=4, seed=2),
        Sequential([Dense(5, "gelu"), Dense(4, "elu"), Dense(1)], None, 3, "float64", seed=3),
        Sequential([Dense(16, "tanh", "orthogonal")] * 3, "mean_squared_error", 40, seed=4),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.npz")
        return [(model.save(path), path.read_bytes())[1] for model in models]


class Looks(tn.Callback):
    """Ends a run after some steps, and holds its file as it was when the run began."""

    def __init__(self, path, steps):
        self.path, self.steps, self.found = path, steps, None

    def on_epoch_begin(self, *_):
        self.found = self.found or Path(self.path).read_bytes()

    on_train_end = on_epoch_begin

    def on_batch_end(self, *_):
        self.steps -= 1
        if not self.steps:
            self.run.stop("enough")


X, Y = tn.datasets.make_moons(40, seed=1)


def stream():
    """Yield very many batches: only the file says how many of them a run has used."""
    for _ in range(1000):
        yield from ((X[:, at : at + 8], Y[:, at : at + 8]) for at in range(0, 40, 8))
    raise ValueError("a run of over 5000 steps")


def _monitors(path):
    return [tn.EarlyStopping("loss"), tn.ModelCheckpoint(path.with_name("best.npz"), "loss")]


IN_MEMORY, PLAIN = {"X": X, "Y": Y}, [Dense(3, "tanh"), Dense(1, "sigmoid")]
DROPPED = [Dense(4, "relu"), tn.BatchNorm(), tn.Dropout(0.2), Dense(1, "sigmoid")]
WARMED = schedules.Warmup(5, schedules.Cosine(0.05, 20))
BY_EPOCH = optimizers.SGD(schedules.Exponential(0.1, 0.9, by="epoch"), momentum=0.9)
RUNS = [  # layers, generator, settings of fit, what resume gets too, callbacks
    (DROPPED, np.random.default_rng(1),
     {"optimizer": optimizers.AdamW(WARMED), "batch_size": 8, "class_weight": {0: 1.0, 1: 2.0},
      "metrics": ["f1"]}, IN_MEMORY, lambda path: [tn.LearningRateLogger()]),
    (PLAIN, np.random.RandomState(2),
     {"optimizer": BY_EPOCH, "batch_size": 8, "validation_split": 0.25}, IN_MEMORY, _monitors),
    (PLAIN, np.random.Generator(np.random.Philox(3)),
     {"optimizer": optimizers.Nadam(), "steps_per_epoch": 5},
     {"X": stream, "Y": None, "validation_data": (X, Y)}, lambda path: []),
    (PLAIN, np.random.Generator(np.random.SFC64(4)),
     {"optimizer": optimizers.RMSprop(centered=True, clip_norm=1.0), "batch_size": 16,
      "metrics": ["accuracy"]}, IN_MEMORY, lambda path: []),
]  # fmt: skip


@functools.cache
def _trained():
    """Return files as `fit` writes them, and what resume gets for each."""
    files = {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        path = Path(folder, "run.npz")
        for layers, rng, settings, data, callbacks in RUNS:
            settings = settings | data | {"callbacks": [*callbacks(path), Looks(path, 12)]}
            model = Sequential(layers, "binary_crossentropy", seed=rng)
            model.fit(**settings, epochs=4, checkpoint=path, checkpoint_every=1)
            files[path.read_bytes()] = data, callbacks
    return files


def runs():
    """Return files as `fit` writes them."""
    return list(_trained())


def given(whole, path):
    """Return what `resume` gets with a run, which then ends after two steps."""
    data, callbacks = _trained()[whole]
    return data | {"callbacks": [*callbacks(path), Looks(path, 2)]}


# Parts of files


def members(whole, wanted=lambda name: True):
    """Return those members of a file by name that are wanted."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return {name: archive.read(name) for name in archive.namelist() if wanted(name)}


def described(whole):
    """Return a file's description."""
    (description,) = members(whole, "description.npy".__eq__).values()
    return json.loads(str(np.load(io.BytesIO(description))))


def npy(array, **settings):
    """Return an array as NumPy saves it."""
    file = io.BytesIO()
    np.save(file, array, **settings)
    return file.getvalue()


def text_member(text):
    """Return a description's member for any text, also for bytes that are not a text."""
    data = text if isinstance(text, bytes) else text.encode("utf-32-le", "surrogatepass")
    return headed(f"{{'descr': '<U{len(data) // 4}', 'fortran_order': False, 'shape': (), }}", data)


def headed(header, data, version=(1, 0), length=None):
    """Return an ``.npy`` member with any header."""
    header = header.encode("latin-1") + b"\n"
    length = len(header) if length is None else length
    return b"\x93NUMPY" + bytes(version) + (length % 65536).to_bytes(2, "little") + header + data


def _pack(form, *fields):
    """Return fields of an archive; of a number that is too large, the last 32 bits."""
    return struct.pack(form, *(f if isinstance(f, bytes) else f % 2**32 for f in fields))


def zipped(parts, lies=None, ends=None):
    """Return a zip archive of (name, data) pairs in which anything may be a lie.

    ``lies[i]`` are fields of part i: ``local_name``, ``local_size``, ``offset``, ``size``,
    ``packed``, ``crc``, ``method``, ``flags``, ``extra``, ``stored`` (the bytes that are there),
    ``absent``; `ends` are those of the table's end: ``count``, ``length``, ``start``, ``comment``.
    """
    out, table = bytearray(), bytearray()
    for i, (name, data) in enumerate(parts):
        name = name if isinstance(name, bytes) else name.encode("utf-8", "surrogatepass")
        fields = {"stored": data, "crc": zlib.crc32(data), "size": len(data), "offset": len(out)}
        fields |= {"method": 0, "flags": 0x800, "local_name": name, "extra": b""}
        fields |= (lies or {}).get(i, {})
        size, local, extra = fields["size"], fields["local_name"], fields["extra"]
        local_size, packed = fields.get("local_size", size), len(fields["stored"])
        known = fields["flags"], fields["method"], 0, 33, fields["crc"]
        known = *known, fields.get("packed", packed)
        if "absent" not in fields:
            out += _pack("<4s5H3L2H", b"PK\3\4", 20, *known, local_size, len(local), 0)
            out += local + fields["stored"]
        lengths = len(name), len(extra), 0, 0, 0, 0
        table += _pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, *known, size, *lengths, fields["offset"])
        table += name + extra
    end = {"count": len(parts), "length": len(table), "start": len(out), "comment": b""}
    count, length, start, comment = (end | (ends or {})).values()
    count %= 65536
    end = _pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, length, start, len(comment))
    return bytes(out + table) + end + comment


# Mutations: functions of a random.Random and a whole file


def flipped(chance, whole):
    """Flip some bits."""
    damaged = bytearray(whole)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def truncated(chance, whole):
    """Leave out the end, the beginning or a piece."""
    a, b = sorted(chance.randrange(len(whole) + 1) for _ in range(2))
    return chance.choice((whole[:a], whole[b:], whole[:a] + whole[b:]))


def overwritten(chance, whole):
    """Put zeros, noise, a piece of the same or of another file in some place."""
    a, length = chance.randrange(len(whole)), chance.choice((1, 4, 16, 64, 512))
    other = chance.choice([*wholes(), whole])
    b = chance.randrange(len(other))
    noise = chance.randbytes(length)
    piece = chance.choice((bytes(length), b"\xff" * length, noise, other[b : b + length]))
    return whole[:a] + piece + whole[a + chance.choice((0, len(piece))) :]


FIELDS = ("crc", "size", "packed", "offset", "local_size")
NUMBERS = (0, 1, 2, 30, 100, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
NAMES = (
    "../W1.npy", "/etc/passwd", "C:\\W1.npy", "a/W1.npy", "W1.npy/", "W1", "W1.pkl", "W1.npy\0.txt",
    "", ".npy", "W9.npy", "description.npy", "__init__.py", "W1.npy" * 2000, b"\xff\xfe.npy",
    "W\u0661.npy", "w1.npy", "W1.NPY", "..npy",
)  # fmt: skip


def lying(chance, whole):
    """Give a member another name, place, size, checksum or method than is true."""
    parts = list(members(whole).items())
    i = chance.randrange(len(parts))
    size = len(parts[i][1])
    big = struct.pack("<2H3Q", 1, 24, *(chance.choice((0, 5, 2**47, 2**63)) for _ in "123"))
    number = chance.choice((*NUMBERS, size - 1, size + 1, chance.randrange(2**32)))
    lie = chance.choice((
        {chance.choice(FIELDS): number},
        {"local_name": chance.choice(parts)[0].encode()},
        {"method": chance.choice((8, 12, 14, 99, 65535))},
        {"flags": 1 << chance.randrange(16)},
        {"extra": chance.choice((big, big[:9], b"\1\0\0\0", chance.randbytes(20))), "size": -1},
        {"absent": True, "offset": chance.choice((0, 7, len(whole)))},
    ))  # fmt: skip
    end = {chance.choice(("count", "length", "start")): chance.choice(NUMBERS)}
    return zipped(parts, {i: lie}, chance.choice(({}, {}, end)))


def overlapping(chance, whole):
    """Put many members in one place, so that together they are larger than the file."""
    name, data = chance.choice(list(members(whole).items()))
    count = chance.choice((2, 3, 50))
    lies = {i: {"absent": True, "offset": 0, "local_name": name.encode()} for i in range(1, count)}
    return zipped([(chance.choice((name, f"W{i}.npy")), data) for i in range(count)], lies)


def rearranged(chance, whole):
    """Leave out, double, add, exchange or rename members, or put bytes before and behind them."""
    parts = list(members(whole).items())
    i, j = chance.randrange(len(parts)), chance.randrange(len(parts))
    (name, data), (other, other_data) = parts[i], parts[j]
    exchanged = {i: (name, other_data), j: (other, data)}
    more = chance.choice((*NAMES, "W7.npy", "extra.npy")), other_data
    parts = chance.choice((
        parts,
        parts[:i] + parts[i + 1 :],
        [*parts[:j], (name, other_data), *parts[j:]],
        [*parts[:j], more, *parts[j:]],
        [*parts[:i], (chance.choice(NAMES), data), *parts[i + 1 :]],
        [exchanged.get(k, part) for k, part in enumerate(parts)],
        chance.sample(parts, len(parts)),
    ))  # fmt: skip
    ends = {"comment": chance.randbytes(20)} if chance.random() < 0.2 else {}
    return (b"#!/bin/sh\n" if chance.random() < 0.2 else b"") + zipped(parts, ends=ends)


@functools.cache
def bomb(megabytes):
    """Return megabytes of zeros, deflated: a flush makes every megabyte the same piece."""
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    megabyte = pack.compress(bytes(1 << 20)) + pack.flush(zlib.Z_FULL_FLUSH)
    return megabyte * megabytes + pack.flush()


def compressed(chance, whole):
    """Deflate a member, or say that it is a gigabyte of deflated zeros."""
    parts = list(members(whole).items())
    i = chance.randrange(len(parts))
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    stored = chance.choice((pack.compress(parts[i][1]) + pack.flush(), bomb(1024)))
    lie = {"stored": stored, "method": 8}
    if chance.random() < 0.7:
        lie["size"] = chance.choice((1 << 30, 2**32 - 2, len(stored)))
    return zipped(parts, {i: lie})


def _like(descr="'<f4'", order=False, shape="(2, 2)", more=""):
    """Return a template for a header like NumPy's, in which n may stand."""
    return f"{{{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, {more}}}}}"


HEADERS = (
    _like(shape="({n},)"), _like(shape="(2, {n})"), _like(shape="({n}, 2, 2)"),
    _like(shape="(2, -2)"), _like(order=True), _like("'|O'"), _like("'<U{n}'", shape="()"),
    _like("'<V{n}'"), _like("[('a', '<f4', ({n},))]"), _like("__import__('os').system('false')"),
    _like(more="'extra': {n}, "), "__import__('os').system('false')", "",
)  # fmt: skip
COUNTS = (0, 1, 4, 2**31, 2**45, 2**64, "9" * 400, "9" * 5000, "(" * 3000, "-" * 3000 + "1")


def wrong_header(chance, whole):
    """Give an array a header of another shape, dtype, order, version or length, or a program."""
    parts = members(whole)
    name = chance.choice(list(parts))
    data, n = parts[name][128:], chance.choice(COUNTS)
    header = chance.choice(HEADERS).format(n=n)
    version = chance.choice(((1, 0), (1, 0), (1, 0), (2, 0), (3, 0), (9, 9)))
    length = chance.choice((None, None, 0, 65535, len(header) - 1))
    pickled = npy(np.array([[print, 1], [2, 3]], dtype=object), allow_pickle=True)
    made = headed(header, data, version, length), headed(header, data), pickled, pickle.dumps(1)
    parts[name] = chance.choice(made)
    return zipped(parts.items())


def _changed(chance, array):
    """Return an array of other numbers, dtype or shape."""
    other, row, bits = array.copy(), np.atleast_1d(array), bytearray(array.tobytes())
    number = chance.choice((np.nan, np.inf, -np.inf, -0.0, 1e-45, 7))
    other.flat[chance.randrange(array.size)] = number if array.dtype.kind == "f" else 7
    bits[chance.randrange(len(bits))] ^= 1 << chance.randrange(8)
    shapes = array.T, row, array[None], row[:0], row[0], row[:-1], array.sum()
    return chance.choice((
        lambda: other,
        lambda: np.frombuffer(bytes(bits), array.dtype).reshape(array.shape),
        lambda: array.astype(chance.choice(DTYPES)),
        lambda: chance.choice((*shapes, array.ravel(), np.concatenate([row, row]))),
        lambda: chance.choice((-array, array * 0, array * np.nan, array + 1, array * 1e300)),
    ))()  # fmt: skip


DTYPES = (
    "f2", "f4", "f8", "g", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "c8", "S4", "U4",
    "M8[s]", "m8[s]", ">f4", ">f8", ">u8",
)  # fmt: skip


@np.errstate(all="ignore")
def other_numbers(chance, whole):
    """Give an array other numbers, also such as are not finite, or another dtype or shape."""
    parts = members(whole)
    name = chance.choice([name for name in parts if name != "description.npy"])
    parts[name] = npy(_changed(chance, np.load(io.BytesIO(parts[name]))))
    return zipped(parts.items())


# Mutations of the description: PLACE stands in it where one of the values is put, as JSON

PLACE = "the place to be filled"
VALUES = (
    "null", "true", "false", "-1", "0", "1", "2", "3", "2.0", "0.5", "1e308", "1e999", "-1e999",
    "1e-400", "NaN", "Infinity", "-Infinity", "1000000000", "1000000000000", "9223372036854775808",
    "9" * 38, "9" * 50, "9" * 5000, "-" + "9" * 39, '""', '"2"', '"relu"', '"tanh"', '"dense"',
    '"object"', '"float16"', '"O"', '"float64"', '"f4"', '"../../etc/passwd"', '"__class__"',
    '"os.system"', '"tinynet.layers.Dense"', '"\\u0000"', '"\\ud800"', '"' + "x" * 10_000 + '"',
    "[]", "{}", "[2]", "[[2]]", '{"a": 1}', '{"a": 1, "a": 2}', "[" * 50 + "]" * 50,
    "[" * 5000 + "]" * 5000, '{"a":' * 5000 + "1" + "}" * 5000,
    '{"family": "activation", "name": "tanh"}', '{"family": "layer", "name": "dense", "units": 2}',
    '{"family": "loss", "name": "huber"}', '{"family": ["activation"], "name": "tanh"}',
    '{"family": "activation"}', '{"family": "activation", "name": 3}',
    '{"family": "activation", "name": "tan"}', '{"name": "relu", "__init__": 1}',
    '{"family": "optimizer", "name": "sgd"}', '{"name": "relu", "self": 1}',
    '{"name": "relu", "cls": 1}', "", "undefined", "+1", "01", "0x10", "1,", "'a'", "1 2", "//",
    '"', "[1,]", "\ufeff1",
    '"MT19937"', '"PCG64"', '"RandomState"', '"Generator"', '"adam"', '"val_loss"', '"accuracy"',
    '"loss"', '"balanced"', '"int64"', '"complex128"', "[0, 2]", "[[0, 1.0], [0, 2.0]]",
    "[[0, 1.0], [1, -1.0]]", "[[0, NaN], [1, 1.0]]", "4294967296", "18446744073709551616",
    "340282366920938463463374607431768211456", "[0, 0, 0, 0]", "[-1, 1, 1, 1]",
    '{"family": "optimizer", "name": "adam", "learning_rate": "0.1"}', '{"name": "adam"}',
    '{"family": "schedule", "name": "constant", "rate": 0.1}',
    '{"family": "optimizer", "name": "adem"}', '{"kind": "Looks", "state": {"a": 1}}',
    '[{"kind": "Looks", "state": {}}]', '"\\u001b[2J\\u0000\\ud800"', '"' + "\\u0007" * 1000 + '"',
)  # fmt: skip
KEYS = (
    "name", "units", "colour", "", "__class__", "format", "family", "W", "Y", "t", "start",
    "callback0",
)  # fmt: skip


def _described_as(description, parts, value=""):
    """Return a file with another description, or text of one, with a value in its place."""
    if isinstance(description, dict):
        description = json.dumps(description).replace(f'"{PLACE}"', value)
    return zipped((parts | {"description.npy": text_member(description)}).items())


def _nearby(chance, value):
    """Return a value of the same kind, or one that is equal and of another."""
    if isinstance(value, (bool, int, float)):
        numbers = value + 1, value - 1, -value, value * 10**9, -1, not value
        return chance.choice((*numbers, int(value), float(value), str(value), bool(value)))
    if isinstance(value, list):
        return chance.choice((value[:-1], value * 2, value[::-1], dict(enumerate(value)), [value]))
    if isinstance(value, dict):
        items = list(value.items())
        return chance.choice((list(value), items, {**value, "more": 1}, dict(items[1:])))
    return f"{value}s" if value else chance.choice(("why", False, 0))


def edited(chance, whole):
    """Put another value in a place of the description, leave it out, or add one.

    A small part of the description is as likely as a large one.
    """
    description = inner = described(whole)
    key = chance.choice([*description, *["run"] * 9 * ("run" in description)])
    while isinstance(inner[key], (dict, list)) and inner[key] and chance.random() < 0.8:
        inner = inner[key]
        key = chance.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
    what = chance.random()
    if what < 0.4:
        inner[key] = PLACE
    elif what < 0.8:
        inner[key] = _nearby(chance, inner[key])
    elif what < 0.9:
        del inner[key]
    elif isinstance(inner, dict):
        inner[chance.choice(KEYS)] = PLACE
    else:
        inner.insert(key, chance.choice((PLACE, inner[key])))
    return _described_as(description, members(whole), chance.choice(VALUES))


def misspelled(chance, whole):
    """Change some characters of the description's text."""
    text = json.dumps(described(whole))
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(text))
        new = chance.choice((*'"{}[],:09-ex', "\0", "\ud800", "\U0010ffff", "", text))
        text = text[:at] + new + text[at + chance.choice((0, 1)) :]
    not_text = chance.choice((b"\xff" * 4, b"\0\0\x11\0", b"\0\xd8\0\0"))
    again = text.replace("{", '{"format": 1, ', 1)
    not_text = text.encode("utf-32-le", "surrogatepass") + not_text
    text = chance.choice((text, text, text, again, not_text, text[: len(text) // 2]))
    return _described_as(text, members(whole))


def very_large(chance, whole):
    """Give the description a million characters, or the archive twenty thousand members."""
    parts, description = members(whole), described(whole)
    size = chance.choice((1_000_000, 1_040_000, 3_000_000))
    layer, looks = '{"family":"layer","name":"dense","units":1}', '{"kind":"Looks","state":{}}'
    run = description.get("run", {})
    pieces = layer, looks, "{}", "1", "1.5", "[0,1.0]", '"accuracy"', json.dumps(run.get("rng"))
    values = [f"[{','.join([piece] * (size // (len(piece) + 1)))}]" for piece in pieces]
    values += ['"' + "x" * size + '"', '"' + "f4," * (size // 3) + 'f4"', "[" * size, "9" * size]
    inner, key = chance.choice([
        *((description, key) for key in ("layers", "loss", "inputs", "dtype", "more")),
        *((description["layers"][0], key) for key in ("units", "name")),
        *((run, key) for key in run),
        *((part, key) for part in run.values() if isinstance(part, dict) for key in part),
    ])  # fmt: skip
    if chance.random() < 0.2:
        shapes = {f"a{i}": [[1], "float64"] for i in range(chance.choice((900, 20_000, 60_000)))}
        owner = "history." if run else ""
        parts |= dict.fromkeys((f"{owner}{name}.npy" for name in shapes), npy(np.zeros(1)))
        run.get("arrays", {}).get(chance.choice(("history", "optimizer")), {}).update(shapes)
    else:
        inner[key] = PLACE
    return _described_as(description, parts, chance.choice(values))


@np.errstate(all="ignore")
def other_arrays(chance, whole):
    """Change, leave out, rename or add an array of a run, and have the description say so."""
    parts, description = members(whole), described(whole)
    arrays = description["run"]["arrays"]
    owner = chance.choice([owner for owner, shapes in arrays.items() if shapes])
    name = chance.choice(list(arrays[owner]))
    array = np.load(io.BytesIO(parts.pop(f"{owner}.{name}.npy")))
    del arrays[owner][name]
    other = chance.choice(("", "v", "s", "Y", "a b", "../W1", "loss", "val_loss", "x" * 300))
    renamed, doubled = {other: array}, {name: array, "more": array}
    changed = {name: _changed(chance, array)}
    for name, array in chance.choice((*[changed] * 7, renamed, doubled, {})).items():
        parts[f"{owner}.{name}.npy"] = npy(array)
        arrays[owner][name] = [list(array.shape), array.dtype.name]
    return _described_as(description, parts)


NUMBERS_OF_STATES = (
    -1, 0, 1, 4, 5, 623, 624, 625, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, 2**127, 2**128, -(2**63),
    10**39, 10**40, 10**41, 0.5, -0.0, 1e308, float("nan"), float("inf"), True, None, "1", [], {},
)  # fmt: skip


def _leaves(inner):
    """Return the places of all values in a part of a description that hold no others."""
    pairs = inner.items() if isinstance(inner, dict) else enumerate(inner)
    leaves = []
    for key, value in pairs:
        whole = isinstance(value, (dict, list)) and value
        leaves += _leaves(value) if whole else [(inner, key)]
    return leaves


def other_states(chance, whole):
    """Put other numbers in settings, generators, the optimizer or callbacks of a run.

    Each name is as likely as another, for a generator's key has hundreds of numbers.
    """
    description = described(whole)
    run = description["run"]
    rng = [state for state in run["rng"].values() if state]
    part = chance.choice((run["settings"], *rng, run["optimizer"], run["callbacks"], run["data"]))
    places = {str(key): (inner, key) for inner, key in _leaves(part)}
    for _ in range(chance.choice((1, 1, 2))):
        if places:
            inner, key = chance.choice(list(places.values()))
            inner[key] = chance.choice((*NUMBERS_OF_STATES, inner[key], PLACE))
    return _described_as(description, members(whole), chance.choice(VALUES))


DAMAGES = (flipped, truncated, overwritten)  # what they leave must be equal to what was there
EDITS = (edited, misspelled, very_large, other_arrays, other_states)
MUTATIONS = {
    flipped: 20, truncated: 6, overwritten: 10, lying: 14, overlapping: 3, rearranged: 8,
    compressed: 3, wrong_header: 10, other_numbers: 6, edited: 30, misspelled: 12, very_large: 0.5,
}  # fmt: skip
RUN_MUTATIONS = MUTATIONS | {edited: 90, other_arrays: 30, other_states: 60}


def hostile(number, mutations=MUTATIONS, files=wholes):
    """Return the mutation, the whole file and the hostile file of this number."""
    chance = random.Random(number)
    (mutation,) = chance.choices(list(mutations), list(mutations.values()))
    whole = chance.choice(files())
    return mutation, whole, mutation(chance, whole)


def of_models_or_runs(number, of_runs):
    """Return what `hostile` returns for files of models, or of runs."""
    return hostile(number, *((RUN_MUTATIONS, runs) if of_runs else ()))


# Outcomes

LONGEST_MESSAGE = 2000  # with the known names; of the file itself it has at most 300


def _refusal(error, mutation, of_run=False):
    """Return the name of an error that is right, or what is wrong with it."""
    message = str(error)
    causes = [str(cause) for cause in (error.__cause__,) if cause]
    if max(map(len, (message, *causes))) > LONGEST_MESSAGE or not message.isprintable():
        return f"wrong: a message of {len(message)} characters: {message[:300]!r}"
    if isinstance(error, FileFormatError):
        return "FileFormatError"
    if mutation in EDITS and isinstance(error, UnknownNameError) and "called" in str(error):
        return "UnknownNameError"
    not_this_run = of_run and mutation in EDITS and NOT_THIS_RUN.search(str(error))
    if not_this_run and type(error) is ValueError:
        return "ValueError"
    return f"wrong: {type(error).__name__}: {str(error)[:300]}"


NOT_THIS_RUN = re.compile(  # what a run may say of data and settings that do not go with its file
    r"\brun\b|class_weight|steps_per_epoch|batch_size|shuffle|validation|5000 steps|f1|top_k_"
)


def outcome(path, mutation, whole, load=tn.load):
    """Return what comes of loading: ``equal``, the name of an error that is right, or a fault."""
    try:
        model = load(path)
    except BaseException as error:
        return _refusal(error, mutation)
    again = path.with_name("again.npz")
    model.save(again)
    data, written = whole if mutation in DAMAGES else path.read_bytes(), again.read_bytes()
    # The arrays of a run, whose names have a dot, are not read where it is loaded as a model.
    in_model = (lambda name: "." not in name[:-4]) if "run" in described(data) else (lambda _: True)
    return _difference(data, members(data, in_model), written)


def outcome_of_run(path, mutation, whole, resume=tn.resume):
    """Return what comes of resuming: as `outcome`, or ``ValueError`` where the data do not fit."""
    before, arguments = path.read_bytes(), given(whole, path)
    look, refusal = arguments["callbacks"][-1], ""
    try:
        resume(path, **arguments)
    except BaseException as error:
        if not (isinstance(error, NonFiniteError) and look.found):  # numbers that lead nowhere
            refusal = _refusal(error, mutation, of_run=True)
    if refusal:
        changed = not look.found and path.read_bytes() != before
        return f"wrong: {refusal}, and the file has changed" if changed else refusal
    data = whole if mutation in DAMAGES else before
    return _difference(data, members(data), look.found)


def _difference(data, parts, written):
    """Return ``equal``, or in what a file is not what is written again of what was read from it."""
    description, made, arrays = described(data), described(written), members(written)
    description.get("run", {}).pop("stopped", None)
    del made["format"]
    for key, value in made.items():
        said = description.get(key)
        is_now, was = (json.dumps(v, sort_keys=True) for v in (_restricted(value, said), said))
        if is_now != was:  # as texts, where 1 is not true, and NaN is NaN
            return f"wrong: {key} is {is_now[:300]}, not {was[:300]}"
    names = (parts.keys() | arrays) - {"description.npy"}
    wrong = [name for name in names if _unpadded(parts.get(name)) != _unpadded(arrays.get(name))]
    return f"wrong: other arrays: {', '.join(wrong)}" if wrong else "equal"


def _unpadded(member):
    """Return header and data of a member; behind a header may be any number of spaces."""
    header, _, data = (member or b"").partition(b"\n")
    return header[:8] + header[10:].rstrip(b" "), data  # without the length of the header


def _restricted(made, said):
    """Return what was made, without what is not said; an equal number as it is said."""
    if isinstance(said, dict) and isinstance(made, dict):
        return {key: _restricted(made.get(key), said[key]) for key in said}
    if isinstance(said, list) and isinstance(made, list) and len(said) == len(made):
        return list(map(_restricted, made, said))
    return said if {type(said), type(made)} == {int, float} and said == made else made


FORBIDDEN = {
    "compile", "exec", "import", "pickle.find_class", "marshal.loads", "code.__new__",
    "ctypes.dlopen", "socket.connect", "os.system", "os.exec", "os.fork", "os.posix_spawn",
    "os.remove", "os.rename", "os.mkdir", "os.chmod", "subprocess.Popen",
}  # fmt: skip
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Watch:
    """Calls functions, and knows of the last call its time, its memory and what it ran."""

    def __init__(self):
        self.seconds, self.memory, self.ran, self.on, self.folder = 0.0, 0, [], False, None
        sys.addaudithook(self.hear)

    def hear(self, event, arguments):
        """Note what Python reports; a run may write in its own folder."""
        if not self.on:
            return
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES
        own = event in ("open", "os.rename", "os.remove") and self.folder
        if (event in FORBIDDEN or writes) and not (own and str(arguments[0]).startswith(own)):
            self.ran.append(f"{event} {arguments!r}"[:200])

    def call(self, function, folder, path, **arguments):
        """Call a function; Linux reports the most memory that the process has had meanwhile."""
        Path("/proc/self/clear_refs").write_text("5", "ascii")
        self.folder, self.ran, self.on, start = folder, [], True, time.perf_counter()
        try:
            return function(path, **arguments)
        finally:
            self.seconds, self.on = time.perf_counter() - start, False
            status = Path("/proc/self/status").read_text("ascii")
            self.memory = int(status.partition("VmHWM:")[2].split()[0]) << 10

    def faults(self):
        """Return what was too much."""
        slow = [f"took {self.seconds:.1f} s"] if self.seconds > MOST_SECONDS else []
        large = [f"took {self.memory >> 20} MB"] if self.memory > MOST_MEMORY else []
        return [*slow, *large, *(f"ran {what}" for what in self.ran)]


# Very many files


def work(numbers, of_runs=False):
    """Load the files of these numbers under limits; return outcomes, faults and the extremes."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    counts, wrong, slowest, largest = collections.Counter(), [], (0.0, 0), (0, 0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.npz")
        unknown = text_member('{"format": 1, "layers": [{"name": "unknown"}], "dtype": "float32"}')
        # Only what a run itself says of its training is no fault of the file.
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", TrainingWarning)
        # What is imported when it is first needed is imported now.
        for family in FAMILIES.values():
            family.names()
        for data in (*wholes(), zipped([("description.npy", unknown)])):
            path.write_bytes(data)
            with contextlib.suppress(UnknownNameError):
                tn.load(path)
        for whole in runs() if of_runs else ():
            path.write_bytes(whole)
            outcome_of_run(path, flipped, whole)
        watch = Watch()
        ways = {"loaded": (outcome, functools.partial(watch.call, tn.load, None))}
        if of_runs:
            ways["resumed"] = outcome_of_run, functools.partial(watch.call, tn.resume, folder)
        for number in numbers:
            mutation, whole, data = of_models_or_runs(number, of_runs)
            path.write_bytes(data)
            del data
            for way, (outcome_of, call) in ways.items():
                came = outcome_of(path, mutation, whole, call)
                slowest = max(slowest, (watch.seconds, number))
                largest = max(largest, (watch.memory, number))
                kind = came.partition(":")[0]
                counts.update((row, kind) for row in (mutation.__name__, way, "all"))
                faults = [*([came] if kind == "wrong" else []), *watch.faults()]
                wrong += [f"file {number} ({mutation.__name__}): {fault}" for fault in faults]
    return counts, wrong, slowest, largest


def run(work, count, workers, first, option):
    """Share the files among processes, print what came of them, and return what is wrong.

    `work` reads the files of some numbers, with an option, and returns what `run` sums up.
    """
    one = "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MALLOC_ARENA_MAX"
    os.environ |= dict.fromkeys(one, "1")
    shares = [range(first + i, first + count, workers) for i in range(workers)]
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, spawn) as pool:
        parts = list(pool.map(work, shares, [option] * workers))
    all_counts, wrong, slowest, largest = zip(*parts, strict=True)
    counts = sum(all_counts, collections.Counter())
    outcomes = [*sorted({kind for _, kind in counts} - {"wrong"}), "wrong"]
    print(f"{'':18}" + "".join(f"{kind:>18}" for kind in outcomes))
    for name in [*sorted({name for name, _ in counts} - {"all"}), "all"]:
        print(f"{name:18}" + "".join(f"{counts[name, kind]:18,}" for kind in outcomes))
    print("slowest: {:.3f} s (file {})".format(*max(slowest)))
    print("largest: {:,} bytes in all (file {})".format(*max(largest)))
    return list(itertools.chain.from_iterable(wrong))


def main(about, work, made, count, option, meaning):
    """Do what the command line says with `work`, and with `made`, which makes a file of its number.

    Both also get whether the option is there.
    """
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("--count", type=int, default=count)
    parser.add_argument("--first", type=int, default=0, help="the number of the first file")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--show", type=int, metavar="NUMBER", help="print this file, as bytes")
    parser.add_argument(option, action="store_true", help=meaning, dest="option")
    options = parser.parse_args()
    if options.show is not None:
        sys.stdout.buffer.write(made(options.show, options.option)[2])
        return None
    wrong = run(work, options.count, options.workers, options.first, options.option)
    print(*wrong[:20], sep="\n")
    return f"{len(wrong)} wrong" if wrong else None


if __name__ == "__main__":
    meaning = "files of runs, which are resumed"
    sys.exit(main(__doc__, work, of_models_or_runs, 200_000, "--runs", meaning))
