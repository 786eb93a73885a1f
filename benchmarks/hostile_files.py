"""Damaged and hostile files: each loads equal or is refused, in little time and memory, and runs nothing.

    python benchmarks/hostile_files.py --count 200000
    python benchmarks/hostile_files.py --count 200000 --runs

The files are models as `save` writes them, or runs as ``fit(..., checkpoint=...)`` does, which are
both loaded as a model and gone on with, for two steps.

A file is made from its number alone, so that one which was found wrong can be made again::

    python benchmarks/hostile_files.py --show 4711 > hostile.npz
"""

import argparse
import collections
import contextlib
import copy
import functools
import io
import json
import os
import pickle
import random
import re
import resource
import struct
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np

import tinynet as tn
from tinynet.errors import FileFormatError, NonFiniteError, UnknownNameError

MOST_SECONDS, MOST_MEMORY = 2.0, 200 << 20
ADDRESSES = (
    4 << 30
)  # bytes of address space: what would take more fails, and shows itself as a MemoryError


# Whole files


def _models():
    Dense, Sequential = tn.Dense, tn.Sequential
    leaky = tn.Activation.get("leaky_relu", slope=0.1)
    yield Sequential([Dense(2, leaky, l2=0.1)], "huber", inputs=2, seed=1)
    yield Sequential(
        [Dense(3, "relu"), Dense(2, "softmax")], "categorical_crossentropy", inputs=4, seed=2
    )
    yield Sequential(
        [Dense(5, "gelu"), Dense(4, "elu"), Dense(1)], inputs=3, dtype="float64", seed=3
    )
    yield Sequential(
        [Dense(16, "tanh", init="orthogonal")] * 3, "mean_squared_error", inputs=40, seed=4
    )


@functools.cache
def wholes():
    """Return files as `save` writes them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.npz")
        files = []
        for model in _models():
            model.save(path)
            files.append(path.read_bytes())
        return files


DATA = tn.datasets.make_moons(40, seed=1)


def stream():
    """Yield batches, very many: how long a run is, only its file can say, and so how many batches to go past."""
    for _ in range(1000):
        yield from ((DATA[0][:, at : at + 8], DATA[1][:, at : at + 8]) for at in range(0, 40, 8))
    raise ValueError("a run of over 5000 steps")


class Looks(tn.Callback):
    """Ends a run after so many steps, and keeps its file as it was when it was begun or taken up."""

    def __init__(self, path, steps):
        self.path, self.steps, self.found = path, steps, None

    def look(self, *_):
        """Read the file, the first time."""
        self.found = self.found or Path(self.path).read_bytes()

    on_epoch_begin = on_train_end = look

    def on_batch_end(self, batch, logs):
        self.steps -= 1
        if not self.steps:
            self.run.stop("enough")


def _of_runs():
    """Yield what is fitted, how, and what is given to resume; ``None`` is for a `ModelCheckpoint`."""
    optimizers, schedules, random = tn.optimizers, tn.schedules, np.random
    dropped = [tn.Dense(4, "relu"), tn.BatchNorm(), tn.Dropout(0.2), tn.Dense(1, "sigmoid")]
    plain = [tn.Dense(3, "tanh"), tn.Dense(1, "sigmoid")]
    warmed = schedules.Warmup(5, schedules.Cosine(0.05, 20))
    by_epoch = schedules.Exponential(0.1, 0.9, by="epoch")
    yield (
        dropped,
        random.default_rng(1),
        (
            {
                "optimizer": optimizers.AdamW(warmed),
                "batch_size": 8,
                "class_weight": {0: 1.0, 1: 2.0},
                "metrics": ["f1"],
            },
            {"X": DATA[0], "Y": DATA[1], "callbacks": [tn.LearningRateLogger()]},
        ),
    )
    yield (
        plain,
        random.RandomState(2),
        (
            {
                "optimizer": optimizers.SGD(by_epoch, momentum=0.9),
                "batch_size": 8,
                "validation_split": 0.25,
            },
            {"X": DATA[0], "Y": DATA[1], "callbacks": [tn.EarlyStopping("loss"), None]},
        ),
    )
    yield (
        plain,
        random.Generator(random.Philox(3)),
        (
            {"optimizer": optimizers.Nadam(), "steps_per_epoch": 5},
            {"X": stream, "Y": None, "validation_data": DATA, "callbacks": []},
        ),
    )
    yield (
        plain,
        random.Generator(random.SFC64(4)),
        (
            {
                "optimizer": optimizers.RMSprop(centered=True, clip_norm=1.0),
                "metrics": ["accuracy"],
                "batch_size": 16,
            },
            {"X": DATA[0], "Y": DATA[1], "callbacks": []},
        ),
    )


def _callbacks(given, path, steps):
    best = tn.ModelCheckpoint(path.with_name("best.npz"), "loss")
    return [*(callback or best for callback in given["callbacks"]), Looks(path, steps)]


@functools.cache
def _runs():
    """Return files as `fit` writes them, and what is given to go on with each."""
    found = {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        path = Path(folder, "run.npz")
        for layers, rng, (how, given) in _of_runs():
            model = tn.Sequential(layers, "binary_crossentropy", seed=rng)
            how |= given | {"callbacks": _callbacks(given, path, 12)}
            model.fit(**how, epochs=4, checkpoint=path, checkpoint_every=1)
            found[path.read_bytes()] = given
    return found


def runs():
    """Return files as `fit` writes them."""
    return list(_runs())


def given(whole, path):
    """Return what is given to go on with a run, which then ends after two steps."""
    others = _runs()[whole]
    return others | {"callbacks": _callbacks(others, path, 2)}


def members(whole, wanted=None):
    """Return the members of a file by name, of which not all may be wanted."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return {
            name: archive.read(name)
            for name in archive.namelist()
            if wanted is None or wanted(name)
        }


def described(whole):
    """Return what a file's description says."""
    description = members(whole, "description.npy".__eq__)["description.npy"]
    return json.loads(str(np.load(io.BytesIO(description))))


def npy(array, **how):
    """Return an array as NumPy saves it."""
    file = io.BytesIO()
    np.save(file, array, **how)
    return file.getvalue()


def text_member(text):
    """Return a description's member for any text, also for one that is no text."""
    data = text if isinstance(text, bytes) else text.encode("utf-32-le", "surrogatepass")
    return headed(f"{{'descr': '<U{len(data) // 4}', 'fortran_order': False, 'shape': (), }}", data)


def headed(header, data, version=(1, 0), length=None):
    """Return an ``.npy`` member with any header."""
    header = header.encode("latin-1") + b"\n"
    length = len(header) if length is None else length
    return b"\x93NUMPY" + bytes(version) + (length % 65536).to_bytes(2, "little") + header + data


def zipped(parts, lies=None, ends=None):
    """Return a zip archive of (name, data) pairs in which anything may be a lie.

    ``lies[i]`` are fields of part i: ``local_name``, ``local_size``, ``offset``, ``size``, ``packed``,
    ``crc``, ``method``, ``flags``, ``extra``, ``stored`` (the bytes that are there); `ends` are those of
    the table's end: ``count``, ``length``, ``start``, ``comment``.
    """
    lies, ends = lies or {}, ends or {}
    out, table = bytearray(), bytearray()
    for i, (name, data) in enumerate(parts):
        lie = lies.get(i, {})
        name = name if isinstance(name, bytes) else name.encode("utf-8", "surrogatepass")
        stored = lie.get("stored", data)
        crc, size = lie.get("crc", zlib.crc32(data)), lie.get("size", len(data))
        packed, method, flags = (
            lie.get("packed", len(stored)),
            lie.get("method", 0),
            lie.get("flags", 0x800),
        )
        local, extra, offset = (
            lie.get("local_name", name),
            lie.get("extra", b""),
            lie.get("offset", len(out)),
        )
        local_size = lie.get("local_size", size)
        if not lie.get("absent"):
            head = (20, flags, method, 0, 33, crc, packed, local_size, len(local), 0)
            out += struct.pack("<4s5H3L2H", b"PK\3\4", *(n % 2**32 for n in head)) + local + stored
        entry = (
            20,
            20,
            flags,
            method,
            0,
            33,
            crc,
            packed,
            size,
            len(name),
            len(extra),
            0,
            0,
            0,
            0,
            offset,
        )
        table += struct.pack("<4s6H3L5H2L", b"PK\1\2", *(n % 2**32 for n in entry)) + name + extra
    count, length = ends.get("count", len(parts)) % 65536, ends.get("length", len(table))
    start, comment = ends.get("start", len(out)), ends.get("comment", b"")
    end = struct.pack(
        "<4s4H2LH", b"PK\5\6", 0, 0, count, count, length % 2**32, start % 2**32, len(comment)
    )
    return bytes(out + table) + end + comment


# What is done to them: functions of a random.Random and a whole file


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
    piece = chance.choice(
        (bytes(length), b"\xff" * length, chance.randbytes(length), other[b : b + length])
    )
    return whole[:a] + piece + whole[a + chance.choice((0, len(piece))) :]


FIELDS = ("crc", "size", "packed", "offset", "local_size")
NUMBERS = (0, 1, 2, 30, 100, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
NAMES = (
    "../W1.npy", "/etc/passwd", "C:\\W1.npy", "a/W1.npy", "W1.npy/", "W1", "W1.pkl", "W1.npy\0.txt", "", ".npy",
    "W9.npy", "description.npy", "__init__.py", "W1.npy" * 2000, b"\xff\xfe.npy", "W\u0661.npy", "w1.npy",
    "W1.NPY", "..npy",
)  # fmt: skip


def lying(chance, whole):
    """Say another name, place, size, checksum or method of a member than is true."""
    parts = list(members(whole).items())
    i = chance.randrange(len(parts))
    data = parts[i][1]
    big = struct.pack("<2H3Q", 1, 24, *(chance.choice((0, 5, 2**47, 2**63)) for _ in "123"))
    number = chance.choice((*NUMBERS, len(data) - 1, len(data) + 1, chance.randrange(2**32)))
    lie = chance.choice((
        {chance.choice(FIELDS): number},
        {"local_name": chance.choice(parts)[0].encode()},
        {"method": chance.choice((8, 12, 14, 99, 65535))},
        {"flags": 1 << chance.randrange(16)},
        {"extra": chance.choice((big, big[:9], b"\1\0\0\0", chance.randbytes(20)))} | {"size": 2**32 - 1},
        {"absent": True, "offset": chance.choice((0, 7, len(whole)))},
    ))  # fmt: skip
    ends = chance.choice(
        ({}, {}, {chance.choice(("count", "length", "start")): chance.choice(NUMBERS)})
    )
    return zipped(parts, {i: lie}, ends)


def lain_over(chance, whole):
    """Have many members lie over each other, so that together they are larger than the file."""
    name, data = chance.choice(list(members(whole).items()))
    count = chance.choice((2, 3, 50))
    lies = {i: {"absent": True, "offset": 0, "local_name": name.encode()} for i in range(1, count)}
    return zipped([(chance.choice((name, f"W{i}.npy")), data) for i in range(count)], lies)


def shuffled(chance, whole):
    """Leave out, double, add, exchange or rename members, or put something before and behind them."""
    parts = list(members(whole).items())
    i, j = chance.randrange(len(parts)), chance.randrange(len(parts))
    what = chance.randrange(7)
    if what == 0:
        del parts[i]
    elif what == 1:
        parts.insert(j, (parts[i][0], chance.choice(parts)[1]))
    elif what == 2:
        parts.insert(j, (chance.choice((*NAMES, "W7.npy", "extra.npy")), chance.choice(parts)[1]))
    elif what == 3:
        parts[i], parts[j] = (parts[i][0], parts[j][1]), (parts[j][0], parts[i][1])
    elif what == 4:
        parts[i] = (chance.choice(NAMES), parts[i][1])
    elif what == 5:
        chance.shuffle(parts)
    ends = {"comment": chance.randbytes(20)} if chance.random() < 0.2 else {}
    return (b"#!/bin/sh\n" if chance.random() < 0.2 else b"") + zipped(parts, ends=ends)


@functools.cache
def bomb(megabytes):
    """Return so many megabytes of zeros, deflated: a flush makes every megabyte the same piece."""
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (
        pack.compress(bytes(1 << 20)) + pack.flush(zlib.Z_FULL_FLUSH)
    ) * megabytes + pack.flush()


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


HEADERS = (
    "{{'descr': '<f4', 'fortran_order': False, 'shape': ({n},), }}",
    "{{'descr': '<f4', 'fortran_order': False, 'shape': (2, {n}), }}",
    "{{'descr': '<f4', 'fortran_order': False, 'shape': ({n}, 2, 2), }}",
    "{{'descr': '<f4', 'fortran_order': False, 'shape': (2, -2), }}",
    "{{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }}",
    "{{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }}",
    "{{'descr': '<U{n}', 'fortran_order': False, 'shape': (), }}",
    "{{'descr': '<V{n}', 'fortran_order': False, 'shape': (2, 2), }}",
    "{{'descr': [('a', '<f4', ({n},))], 'fortran_order': False, 'shape': (2, 2), }}",
    "{{'descr': __import__('os').system('false'), 'fortran_order': False, 'shape': (2, 2), }}",
    "__import__('os').system('false')",
    "{{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), 'extra': {n}, }}",
    "",
)


def headed_wrong(chance, whole):
    """Give an array a header that claims another shape, dtype, order, version or length, or is a program."""
    parts = members(whole)
    name = chance.choice(list(parts))
    data = parts[name][128:]
    n = chance.choice(
        (0, 1, 4, 2**31, 2**45, 2**64, "9" * 400, "9" * 5000, "(" * 3000, "-" * 3000 + "1")
    )
    header = chance.choice(HEADERS).format(n=n)
    version = chance.choice(((1, 0), (1, 0), (1, 0), (2, 0), (3, 0), (9, 9)))
    length = chance.choice((None, None, 0, 65535, len(header) - 1))
    pickled = npy(np.array([[print, 1], [2, 3]], dtype=object), allow_pickle=True)
    parts[name] = chance.choice(
        (headed(header, data, version, length), headed(header, data), pickled, pickle.dumps(1))
    )
    return zipped(parts.items())


def other_numbers(chance, whole):
    """Give an array other numbers, also such as are not finite, or another dtype or shape."""
    parts = members(whole)
    name = chance.choice([name for name in parts if name != "description.npy"])
    array = np.load(io.BytesIO(parts[name])).copy()
    what = chance.randrange(4)
    if what == 0:
        number = chance.choice((np.nan, np.inf, -np.inf, -0.0, 1e-45, 7))
        array.flat[chance.randrange(array.size)] = number if array.dtype.kind == "f" else 7
    elif what == 1:
        array = array.astype(
            chance.choice(("f2", "f4", "f8", "i4", "i8", "?", "c8", "S4", "U4", ">f4", ">f8"))
        )
    elif what == 2:
        row = np.atleast_1d(array)
        array = chance.choice((array.T, array.ravel(), array[None], row[:0], row[0], array.sum()))
    else:
        data = bytearray(array.tobytes())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        array = np.frombuffer(bytes(data), array.dtype).reshape(array.shape)
    parts[name] = npy(array)
    return zipped(parts.items())


VALUES = (
    "null", "true", "false", "-1", "0", "1", "2", "3", "2.0", "0.5", "1e308", "1e999", "-1e999", "1e-400", "NaN",
    "Infinity", "-Infinity", "1000000000", "1000000000000", "9223372036854775808",
    "9" * 38, "9" * 50, "9" * 5000, "-" + "9" * 39, '""', '"2"', '"relu"', '"tanh"', '"dense"', '"object"', '"float16"',
    '"O"', '"float64"', '"f4"', '"../../etc/passwd"', '"__class__"', '"os.system"', '"tinynet.layers.Dense"',
    '"\\u0000"', '"\\ud800"', '"' + "x" * 10_000 + '"', "[]", "{}", "[2]", "[[2]]", '{"a": 1}', '{"a": 1, "a": 2}',
    "[" * 50 + "]" * 50, "[" * 5000 + "]" * 5000, '{"a":' * 5000 + "1" + "}" * 5000,
    '{"family": "activation", "name": "tanh"}', '{"family": "layer", "name": "dense", "units": 2}',
    '{"family": "loss", "name": "huber"}', '{"family": ["activation"], "name": "tanh"}', '{"family": "activation"}',
    '{"family": "activation", "name": 3}', '{"family": "activation", "name": "tan"}', '{"name": "relu", "__init__": 1}',
    '{"family": "optimizer", "name": "sgd"}', '{"name": "relu", "self": 1}', '{"name": "relu", "cls": 1}',
    "", "undefined", "+1", "01", "0x10", "1,", "'a'", "1 2", "//", '"', "[1,]", "\ufeff1",
)  # fmt: skip


def _places(told, so_far=()):
    """Return where something stands in a description, as ways through it."""
    inner = (
        told.items()
        if isinstance(told, dict)
        else enumerate(told)
        if isinstance(told, list)
        else ()
    )
    return [
        way for key, value in inner for way in ((*so_far, key), *_places(value, (*so_far, key)))
    ]


def told_otherwise(chance, whole):
    """Have the description say something else in one place, or leave it out, or say it under another name."""
    parts, told = members(whole), copy.deepcopy(described(whole))
    *way, last = chance.choice(_places(told))
    inner = functools.reduce(lambda held, key: held[key], way, told)
    what = chance.random()
    mark = "the place to be filled"
    if what < 0.7:
        inner[last] = mark
    elif what < 0.8:
        del inner[last]
    elif isinstance(inner, dict):
        inner[
            chance.choice(("name", "units", "colour", "", "__class__", "format", "family", "W"))
        ] = mark
    else:
        inner.insert(last, chance.choice((mark, inner[last])))
    text = json.dumps(told).replace(f'"{mark}"', chance.choice(VALUES))
    parts["description.npy"] = text_member(text)
    return zipped(parts.items())


def misspelt(chance, whole):
    """Change some characters of the description's text."""
    parts, text = members(whole), json.dumps(described(whole))
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(text))
        new = chance.choice((*'"{}[],:09-ex', "\0", "\ud800", "\U0010ffff", "", text))
        text = text[:at] + new + text[at + chance.choice((0, 1)) :]
    no_text = text.encode("utf-32-le", "surrogatepass") + chance.choice(
        (b"\xff" * 4, b"\0\0\x11\0", b"\0\xd8\0\0")
    )
    again = text.replace("{", '{"format": 1, ', 1)
    parts["description.npy"] = text_member(
        chance.choice((text, text, text, again, no_text, text[: len(text) // 2]))
    )
    return zipped(parts.items())


def very_large(chance, whole):
    """Fill a description of a million characters, or a table of twenty thousand members."""
    parts, told = members(whole), described(whole)
    size = chance.choice((1_000_000, 1_040_000, 3_000_000))
    layer = '{"family":"layer","name":"dense","units":1}'
    lists = [
        f"[{','.join([piece] * (size // (len(piece) + 1)))}]" for piece in (layer, "{}", "1", "1.5")
    ]
    values = (
        *lists,
        '"' + "x" * size + '"',
        '"' + "f4," * (size // 3) + 'f4"',
        "[" * size,
        "9" * size,
    )
    mark = "the place to be filled"
    place = chance.choice(("layers", "loss", "inputs", "dtype", "more", "units", "name"))
    (told["layers"][0] if place in ("units", "name") else told)[place] = mark
    parts["description.npy"] = text_member(
        json.dumps(told).replace(f'"{mark}"', chance.choice(values))
    )
    if chance.random() < 0.2:
        return zipped([*members(whole).items(), *((f"W{i}.npy", b"") for i in range(100, 20_000))])
    return zipped(parts.items())


RUN_VALUES = (
    '"MT19937"', '"PCG64"', '"RandomState"', '"Generator"', '"adam"', '"val_loss"', '"accuracy"', '"loss"',
    '"balanced"',
    '"int64"', '"complex128"', "[0, 2]", "[[0, 1.0], [0, 2.0]]", "[[0, 1.0], [1, -1.0]]", "[[0, NaN], [1, 1.0]]",
    "4294967296", "18446744073709551616", "340282366920938463463374607431768211456", "[0, 0, 0, 0]", "[-1, 1, 1, 1]",
    '{"family": "optimizer", "name": "adam", "learning_rate": "0.1"}', '{"name": "adam"}',
    '{"family": "schedule", "name": "constant", "rate": 0.1}', '{"family": "optimizer", "name": "adem"}',
    '{"kind": "Looks", "state": {"a": 1}}', '[{"kind": "Looks", "state": {}}]',
)  # fmt: skip


def _nearby(chance, value):
    """Return a value of the same kind, or one that is equal and of another."""
    if isinstance(value, bool):
        return chance.choice((not value, int(value), float(value)))
    if isinstance(value, (int, float)):
        return chance.choice(
            (value + 1, value - 1, -value, value * 10**9, float(value), str(value), bool(value), -1)
        )
    if isinstance(value, list):
        return chance.choice((value[:-1], value * 2, value[::-1], dict(enumerate(value)), [value]))
    if isinstance(value, dict):
        return chance.choice(
            (list(value), list(value.items()), {**value, "more": 1}, dict([*value.items()][1:]))
        )
    return f"{value}s" if value else chance.choice(("why", False, 0))


def run_told_otherwise(chance, whole):
    """Have the description of a run say something else somewhere: as likely in a small part of it as in a large."""
    parts, told = members(whole), copy.deepcopy(described(whole))
    inner, key = told, "run"
    while (
        isinstance(inner[key], (dict, list))
        and inner[key]
        and (inner is told or chance.random() < 0.75)
    ):
        inner = inner[key]
        key = chance.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
    mark, what = "the place to be filled", chance.random()
    if what < 0.4:
        inner[key] = mark
    elif what < 0.8:
        inner[key] = _nearby(chance, inner[key])
    elif what < 0.9:
        del inner[key]
    elif isinstance(inner, dict):
        inner[
            chance.choice(("name", "colour", "", "__class__", "W", "Y", "t", "start", "callback0"))
        ] = mark
    else:
        inner.insert(key, mark)
    text = json.dumps(told).replace(f'"{mark}"', chance.choice(VALUES + RUN_VALUES))
    parts["description.npy"] = text_member(text)
    return zipped(parts.items())


@np.errstate(all="ignore")
def other_arrays(chance, whole):
    """Change an array of a run, leave it out, name it otherwise or add another, and have the description say so."""
    parts, told = members(whole), copy.deepcopy(described(whole))
    whose, held = chance.choice([item for item in told["run"]["arrays"].items() if item[1]])
    name = chance.choice(list(held))
    array = np.load(io.BytesIO(parts.pop(f"{whose}.{name}.npy")))
    del held[name]
    row, what = np.atleast_1d(array), chance.randrange(10)
    dtypes = ("float16", "float32", "float64", "int64", "int8", "uint8", "bool", ">f8", "complex64")
    made = [
        array.astype(chance.choice(dtypes)),
        chance.choice((array.T, row, array[None], row[:0], row[0], row[:-1], np.concatenate([row, row]))),
        -array, array * 0, array * np.nan, array + 1, array * 1e300,
    ]  # fmt: skip
    if what < len(made):
        array = made[what]
    elif what == 8:
        name = chance.choice(("", "v", "s", "Y", "a b", "../W1", "loss", "val_loss", "x" * 300))
    elif what == 9:
        parts[f"{whose}.more.npy"] = npy(array)
        held["more"] = [list(array.shape), array.dtype.name]
    if what != 7:
        parts[f"{whose}.{name}.npy"], held[name] = npy(array), [list(array.shape), array.dtype.name]
    parts["description.npy"] = text_member(json.dumps(told))
    return zipped(parts.items())


def very_large_run(chance, whole):
    """Fill a run's description with a million characters, or have it tell of very many arrays."""
    parts, told = members(whole), copy.deepcopy(described(whole))
    run, count = told["run"], chance.choice((900, 20_000, 60_000))
    pieces = (
        {"kind": "Looks", "state": {}},
        [0, 1.0],
        "accuracy",
        1,
        copy.deepcopy(run["rng"]["now"]),
    )
    lists = [[piece] * (1_000_000 // len(json.dumps(piece))) for piece in pieces]
    what = chance.random()
    if what < 0.5:
        run[chance.choice(list(run))] = chance.choice(lists)
    elif what < 0.8:
        inner = chance.choice(
            (run["settings"], run["rng"]["now"]["state"], run["optimizer"], run["rng"])
        )
        inner[chance.choice(list(inner))] = chance.choice(lists)
    else:
        data = npy(np.zeros(1))
        run["arrays"][chance.choice(("history", "optimizer"))] |= {
            f"a{i}": [[1], "float64"] for i in range(count)
        }
        parts |= {f"history.a{i}.npy": data for i in range(count)}
    parts["description.npy"] = text_member(json.dumps(told))
    return zipped(parts.items())


DAMAGES = (flipped, truncated, overwritten)  # what they leave must be equal to what was there
MUTATIONS = {
    flipped: 20, truncated: 6, overwritten: 10, lying: 14, lain_over: 3, shuffled: 8, compressed: 3, headed_wrong: 10,
    other_numbers: 6, told_otherwise: 30, misspelt: 12, very_large: 0.5,
}  # fmt: skip


RUN_MUTATIONS = MUTATIONS | {
    run_told_otherwise: 60, other_arrays: 30, very_large: 0.1, very_large_run: 0.4,
}  # fmt: skip


def hostile(number, mutations=MUTATIONS, files=wholes):
    """Return the mutation, the whole file and the hostile file of this number."""
    chance = random.Random(number)
    (mutation,) = chance.choices(list(mutations), list(mutations.values()))
    whole = chance.choice(files())
    return mutation, whole, mutation(chance, whole)


# What comes of them


def outcome(path, mutation, whole, load=tn.load):
    """Return what comes of loading: ``equal``, the name of an error that is right, or what is wrong."""
    try:
        model = load(path)
    except FileFormatError:
        return "FileFormatError"
    except UnknownNameError as error:
        named = mutation in (told_otherwise, misspelt, very_large) and " is called " in str(error)
        return "UnknownNameError" if named else f"wrong: {error!r}"
    except BaseException as error:
        return f"wrong: {type(error).__name__}: {str(error)[:200]}"
    try:
        wrong = differs(model, whole if mutation in DAMAGES else path.read_bytes())
    except Exception as error:
        wrong = f"cannot be compared: {error!r}"
    return f"wrong: {wrong}" if wrong else "equal"


TELLS = (told_otherwise, misspelt, very_large, run_told_otherwise, other_arrays, very_large_run)
NOT_THIS_RUN = (
    r"the run was begun with|class_weight has no label|steps_per_epoch is for|with a function that gives batches|"
    r"(batch_size|class_weight|shuffle|batch_size and shuffle) cannot be chosen for|validation data is given, or split|"
    r"a run of over 5000 steps|"
    r".* leaves none for validation|only arrays in memory can be split|f1 takes|top_k_accuracy needs"
)


def outcome_of_run(path, mutation, whole, resume=tn.resume):
    """Return what comes of going on with a run: as `outcome`, and ``ValueError`` where the data are another run's."""
    before, others = path.read_bytes(), given(whole, path)
    looks = others["callbacks"][-1]
    try:
        resume(path, **others)
    except FileFormatError:
        came = "FileFormatError"
    except UnknownNameError as error:
        came = (
            "UnknownNameError"
            if mutation in TELLS and " is called " in str(error)
            else f"wrong: {error!r}"
        )
    except NonFiniteError as error:  # it was begun, with numbers from which training leads nowhere
        came = "" if looks.found else f"wrong: {error!r}"
    except BaseException as error:
        right = (
            type(error) is ValueError and mutation in TELLS and re.match(NOT_THIS_RUN, str(error))
        )
        came = "ValueError" if right else f"wrong: {type(error).__name__}: {str(error)[:300]}"
    else:
        came = ""
    if came:
        changed = not looks.found and path.read_bytes() != before
        return f"wrong: {came}, and the file has changed" if changed else came
    wrong = runs_differ(whole if mutation in DAMAGES else before, looks.found)
    return f"wrong: {wrong}" if wrong else "equal"


def runs_differ(data, written):
    """Return in what a run, as it is written when it is taken up, is not what its file says."""
    parts, others = members(data), members(written)
    told, made = described(data), described(written)
    for run in (told["run"], made["run"]):
        del run["stopped"]
    told = {key: value for key, value in told.items() if key in made} | {"format": made["format"]}
    if _said(told, made) != json.dumps(told, sort_keys=True):
        return f"the description says {json.dumps(told)}, and not {json.dumps(made)}"
    names = (parts.keys() | others) - {"description.npy"}
    wrong = [name for name in names if parts.get(name) != others.get(name)]
    return f"other arrays: {', '.join(wrong)}" if wrong else None


def differs(model, data):
    """Return in what a model is not what a file says, as NumPy and JSON read it."""
    told = described(data)
    # A model is loaded from a run's file without a look at the run's arrays, which have a dot in their name.
    parts = members(data, (lambda name: "." not in name[:-4]) if "run" in told else None)
    made = {
        "layers": [layer.config() for layer in model.layers],
        "loss": model.loss and model.loss.config(),
    }
    made |= {"inputs": list(model.inputs), "dtype": model.dtype.name}
    for key, value in json.loads(json.dumps(made)).items():
        if _said(told[key], value) != json.dumps(told[key], sort_keys=True):
            return f"{key} is {value!r}, not {told[key]!r}"
    arrays = {f"{name}.npy": view for name, view in model.named_arrays().items()}
    if {"description.npy", *arrays} != parts.keys():
        return f"the file has {list(parts)}, the model {list(arrays)}"
    wrong = [name for name, view in arrays.items() if not parts[name].endswith(view.tobytes())]
    return f"other numbers in {', '.join(wrong)}" if wrong else None


def _said(told, made):
    """Return as text what was made, without what was not told; a number as it was told, if it is equal."""

    def kept(told, made):
        if isinstance(told, dict) and isinstance(made, dict):
            return {key: kept(told[key], made.get(key)) for key in told}
        if isinstance(told, list) and isinstance(made, list) and len(told) == len(made):
            return [kept(*pair) for pair in zip(told, made, strict=True)]
        return told if {type(told), type(made)} == {int, float} and told == made else made

    return json.dumps(kept(told, made), sort_keys=True)


RUNS = {
    "compile", "exec", "import", "pickle.find_class", "marshal.loads", "code.__new__", "ctypes.dlopen",
    "socket.connect", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.remove", "os.rename", "os.mkdir",
    "os.chmod", "subprocess.Popen",
}  # fmt: skip
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Watch:
    """Loads files, and knows of the last one how long that took, in how much memory, and what it ran."""

    def __init__(self):
        self.seconds, self.memory, self.ran, self.on, self.folder = 0.0, 0, [], False, None
        sys.addaudithook(self.hear)

    def hear(self, event, arguments):
        """Note what Python says that it does."""
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES
        own = (
            self.folder
            and event in ("open", "os.rename", "os.remove")
            and str(arguments[0]).startswith(self.folder)
        )
        if self.on and (event in RUNS or writes) and not own:  # a run writes its own file
            self.ran.append(f"{event} {arguments!r}"[:200])

    def load(self, path):
        """Load a file, as it is said at `watched`."""
        self.folder = None
        return self.watched(tn.load, path)

    def resume(self, path, **given):
        """Go on with a run, which may write to its folder."""
        self.folder = str(path.parent)
        return self.watched(tn.resume, path, **given)

    def watched(self, load, *arguments, **given):
        """Load a file; Linux tells the most memory that the process had meanwhile."""
        Path("/proc/self/clear_refs").write_text("5", "ascii")
        self.ran, self.on, start = [], True, time.perf_counter()
        try:
            return load(*arguments, **given)
        finally:
            self.seconds, self.on = time.perf_counter() - start, False
            told = Path("/proc/self/status").read_text("ascii")
            self.memory = int(told.partition("VmHWM:")[2].split()[0]) << 10

    def faults(self):
        """Return what was too much."""
        slow = [f"took {self.seconds:.1f} s"] if self.seconds > MOST_SECONDS else []
        large = [f"took {self.memory >> 20} MB"] if self.memory > MOST_MEMORY else []
        return [*slow, *large, *(f"ran {what}" for what in self.ran)]


def work(numbers, out, of_runs=False):
    """Load the files of these numbers under limits, and write what came of them as JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    counts, wrong, slowest, largest = collections.Counter(), [], (0.0, 0), (0, 0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.npz")
        unknown = text_member('{"format": 1, "layers": [{"name": "unknown"}], "dtype": "float32"}')
        warnings.simplefilter("ignore")  # a run may tell of its doubts
        for data in (*wholes(), zipped([("description.npy", unknown)])):
            path.write_bytes(data)  # what is imported when it is first needed is imported now
            with contextlib.suppress(UnknownNameError):
                tn.load(path)
        for whole in runs() if of_runs else ():
            path.write_bytes(whole)
            outcome_of_run(path, flipped, whole)
        watch = Watch()
        ways = ((outcome, watch.load), *([(outcome_of_run, watch.resume)] if of_runs else []))
        for number in numbers:
            mutation, whole, data = hostile(number, *((RUN_MUTATIONS, runs) if of_runs else ()))
            path.write_bytes(data)
            del data
            for way, load in ways:
                came = way(path, mutation, whole, load)
                slowest, largest = (
                    max(slowest, (watch.seconds, number)),
                    max(largest, (watch.memory, number)),
                )
                rows = (mutation.__name__, "resumed" if way is outcome_of_run else "loaded", "all")
                counts.update(f"{row} {came.partition(':')[0]}" for row in rows)
                reasons = [*([came] if came.startswith("wrong") else []), *watch.faults()]
                wrong += [(number, mutation.__name__, reason) for reason in reasons]
    json.dump({"counts": counts, "wrong": wrong, "slowest": slowest, "largest": largest}, out)


def _start(*arguments):
    few_threads = os.environ | {
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "1",
    }
    return subprocess.Popen(
        [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, env=few_threads
    )


def run(count, workers, first=0, of_runs=False):
    """Share the files among processes, print what came of them, and return what is wrong."""
    numbers = [
        [str(first + part * count // workers) for part in (i, i + 1)] for i in range(workers)
    ]
    running = [_start("--part", *pair, *(["--runs"] if of_runs else [])) for pair in numbers]
    told = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        return [("", "", "a process did not come to its end")]
    parts = list(map(json.loads, told))
    counts = sum((collections.Counter(part["counts"]) for part in parts), collections.Counter())
    outcomes = (
        "equal",
        "FileFormatError",
        "UnknownNameError",
        *(["ValueError"] if of_runs else []),
        "wrong",
    )
    print(f"{'':18}" + "".join(f"{name:>18}" for name in outcomes))
    mutations = [mutation.__name__ for mutation in (RUN_MUTATIONS if of_runs else MUTATIONS)]
    for name in (*mutations, *(["loaded", "resumed"] if of_runs else []), "all"):
        print(f"{name:18}" + "".join(f"{counts[f'{name} {came}']:18,}" for came in outcomes))
    (seconds, slowest), (memory, largest) = (
        max(part[what] for part in parts) for what in ("slowest", "largest")
    )
    print(
        f"slowest: {seconds:.3f} s (file {slowest}); largest: {memory / 2**20:.0f} MB in all (file {largest})"
    )
    return [reason for part in parts for reason in part["wrong"]]


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first file")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--show", type=int, metavar="NUMBER", help="write this file to standard output"
    )
    parser.add_argument(
        "--runs", action="store_true", help="files of runs, each loaded and gone on with"
    )
    parser.add_argument("--part", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        return work(range(*options.part), sys.stdout, options.runs)
    if options.show is not None:
        sys.stdout.buffer.write(
            hostile(options.show, *((RUN_MUTATIONS, runs) if options.runs else ()))[2]
        )
        return None
    wrong = run(options.count, options.workers, options.first, options.runs)
    for number, mutation, reason in wrong[:20]:
        print(f"file {number} ({mutation}): {reason}")
    return f"{len(wrong)} wrong" if wrong else None


if __name__ == "__main__":
    sys.exit(main())
