"""Damaged and hostile files: each loads equal or is refused, in little time and memory, and runs nothing.

    python benchmarks/hostile_files.py --count 200000

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
import resource
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np

import tinynet as tn
from tinynet.errors import FileFormatError, UnknownNameError

MOST_SECONDS, MOST_MEMORY = 2.0, 200 << 20
ADDRESSES = 4 << 30  # bytes of address space: what would take more fails, and shows itself as a MemoryError


# Whole files


def _models():
    Dense, Sequential = tn.Dense, tn.Sequential
    leaky = tn.Activation.get("leaky_relu", slope=0.1)
    yield Sequential([Dense(2, leaky, l2=0.1)], "huber", inputs=2, seed=1)
    yield Sequential([Dense(3, "relu"), Dense(2, "softmax")], "categorical_crossentropy", inputs=4, seed=2)
    yield Sequential([Dense(5, "gelu"), Dense(4, "elu"), Dense(1)], inputs=3, dtype="float64", seed=3)
    yield Sequential([Dense(16, "tanh", init="orthogonal")] * 3, "mean_squared_error", inputs=40, seed=4)


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


def members(whole):
    """Return the members of a file by name."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def described(whole):
    """Return what a file's description says."""
    return json.loads(str(np.load(io.BytesIO(members(whole)["description.npy"]))))


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
        packed, method, flags = lie.get("packed", len(stored)), lie.get("method", 0), lie.get("flags", 0x800)
        local, extra, offset = lie.get("local_name", name), lie.get("extra", b""), lie.get("offset", len(out))
        local_size = lie.get("local_size", size)
        if not lie.get("absent"):
            head = (20, flags, method, 0, 33, crc, packed, local_size, len(local), 0)
            out += struct.pack("<4s5H3L2H", b"PK\3\4", *(n % 2**32 for n in head)) + local + stored
        entry = (20, 20, flags, method, 0, 33, crc, packed, size, len(name), len(extra), 0, 0, 0, 0, offset)
        table += struct.pack("<4s6H3L5H2L", b"PK\1\2", *(n % 2**32 for n in entry)) + name + extra
    count, length = ends.get("count", len(parts)) % 65536, ends.get("length", len(table))
    start, comment = ends.get("start", len(out)), ends.get("comment", b"")
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, length % 2**32, start % 2**32, len(comment))
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
    other = chance.choice(wholes())
    b = chance.randrange(len(other))
    piece = chance.choice((bytes(length), b"\xff" * length, chance.randbytes(length), other[b : b + length]))
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
    ends = chance.choice(({}, {}, {chance.choice(("count", "length", "start")): chance.choice(NUMBERS)}))
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
    return (pack.compress(bytes(1 << 20)) + pack.flush(zlib.Z_FULL_FLUSH)) * megabytes + pack.flush()


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
    n = chance.choice((0, 1, 4, 2**31, 2**45, 2**64, "9" * 400, "9" * 5000, "(" * 3000, "-" * 3000 + "1"))
    header = chance.choice(HEADERS).format(n=n)
    version = chance.choice(((1, 0), (1, 0), (1, 0), (2, 0), (3, 0), (9, 9)))
    length = chance.choice((None, None, 0, 65535, len(header) - 1))
    pickled = npy(np.array([[print, 1], [2, 3]], dtype=object), allow_pickle=True)
    parts[name] = chance.choice((headed(header, data, version, length), headed(header, data), pickled, pickle.dumps(1)))
    return zipped(parts.items())


def other_numbers(chance, whole):
    """Give an array other numbers, also such as are not finite, or another dtype or shape."""
    parts = members(whole)
    name = chance.choice([name for name in parts if name != "description.npy"])
    array = np.load(io.BytesIO(parts[name])).copy()
    what = chance.randrange(4)
    if what == 0:
        array.flat[chance.randrange(array.size)] = chance.choice((np.nan, np.inf, -np.inf, -0.0, 1e-45, 7))
    elif what == 1:
        array = array.astype(chance.choice(("f2", "f4", "f8", "i4", "i8", "?", "c8", "S4", "U4", ">f4", ">f8")))
    elif what == 2:
        array = chance.choice((array.T, array.ravel(), array[None], array[:0], array[0], array.sum()))
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
    inner = told.items() if isinstance(told, dict) else enumerate(told) if isinstance(told, list) else ()
    return [way for key, value in inner for way in ((*so_far, key), *_places(value, (*so_far, key)))]


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
        inner[chance.choice(("name", "units", "colour", "", "__class__", "format", "family", "W"))] = mark
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
    no_text = text.encode("utf-32-le", "surrogatepass") + chance.choice((b"\xff" * 4, b"\0\0\x11\0", b"\0\xd8\0\0"))
    again = text.replace("{", '{"format": 1, ', 1)
    parts["description.npy"] = text_member(chance.choice((text, text, text, again, no_text, text[: len(text) // 2])))
    return zipped(parts.items())


def very_large(chance, whole):
    """Fill a description of a million characters, or a table of twenty thousand members."""
    parts, told = members(whole), described(whole)
    size = chance.choice((1_000_000, 1_040_000, 3_000_000))
    layer = '{"family":"layer","name":"dense","units":1}'
    lists = [f"[{','.join([piece] * (size // (len(piece) + 1)))}]" for piece in (layer, "{}", "1", "1.5")]
    values = (*lists, '"' + "x" * size + '"', '"' + "f4," * (size // 3) + 'f4"', "[" * size, "9" * size)
    mark = "the place to be filled"
    place = chance.choice(("layers", "loss", "inputs", "dtype", "more", "units", "name"))
    (told["layers"][0] if place in ("units", "name") else told)[place] = mark
    parts["description.npy"] = text_member(json.dumps(told).replace(f'"{mark}"', chance.choice(values)))
    if chance.random() < 0.2:
        return zipped([*members(whole).items(), *((f"W{i}.npy", b"") for i in range(100, 20_000))])
    return zipped(parts.items())


DAMAGES = (flipped, truncated, overwritten)  # what they leave must be equal to what was there
MUTATIONS = {
    flipped: 20, truncated: 6, overwritten: 10, lying: 14, lain_over: 3, shuffled: 8, compressed: 3, headed_wrong: 10,
    other_numbers: 6, told_otherwise: 30, misspelt: 12, very_large: 0.5,
}  # fmt: skip


def hostile(number, mutations=MUTATIONS):
    """Return the mutation, the whole file and the hostile file of this number."""
    chance = random.Random(number)
    (mutation,) = chance.choices(list(mutations), list(mutations.values()))
    whole = chance.choice(wholes())
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


def differs(model, data):
    """Return in what a model is not what a file says, as NumPy and JSON read it."""
    parts = members(data)
    told = described(data)
    made = {"layers": [layer.config() for layer in model.layers], "loss": model.loss and model.loss.config()}
    made |= {"inputs": list(model.inputs), "dtype": model.dtype.name}
    for key, value in json.loads(json.dumps(made)).items():
        if _said(told[key], value) != json.dumps(told[key], sort_keys=True):
            return f"{key} is {value!r}, not {told[key]!r}"
    arrays = {f"{name}{l}.npy": view for l, views in enumerate(model.parameters, 1) for name, view in views.items()}
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
        self.seconds, self.memory, self.ran, self.on = 0.0, 0, [], False
        sys.addaudithook(self.hear)

    def hear(self, event, arguments):
        """Note what Python says that it does."""
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES
        if self.on and (event in RUNS or writes):
            self.ran.append(f"{event} {arguments!r}"[:200])

    def load(self, path):
        """Load a file; Linux tells the most memory that the process had meanwhile."""
        Path("/proc/self/clear_refs").write_text("5", "ascii")
        self.ran, self.on, start = [], True, time.perf_counter()
        try:
            return tn.load(path)
        finally:
            self.seconds, self.on = time.perf_counter() - start, False
            told = Path("/proc/self/status").read_text("ascii")
            self.memory = int(told.partition("VmHWM:")[2].split()[0]) << 10

    def faults(self):
        """Return what was too much."""
        slow = [f"took {self.seconds:.1f} s"] if self.seconds > MOST_SECONDS else []
        large = [f"took {self.memory >> 20} MB"] if self.memory > MOST_MEMORY else []
        return [*slow, *large, *(f"ran {what}" for what in self.ran)]


def work(numbers, out):
    """Load the files of these numbers under limits, and write what came of them as JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    counts, wrong, slowest, largest = collections.Counter(), [], (0.0, 0), (0, 0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.npz")
        unknown = text_member('{"format": 1, "layers": [{"name": "unknown"}], "dtype": "float32"}')
        for data in (*wholes(), zipped([("description.npy", unknown)])):
            path.write_bytes(data)  # what is imported when it is first needed is imported now
            with contextlib.suppress(UnknownNameError):
                tn.load(path)
        watch = Watch()
        for number in numbers:
            mutation, whole, data = hostile(number)
            path.write_bytes(data)
            del data
            came = outcome(path, mutation, whole, watch.load)
            slowest, largest = max(slowest, (watch.seconds, number)), max(largest, (watch.memory, number))
            counts[f"{mutation.__name__} {came.partition(':')[0]}"] += 1
            reasons = [*([came] if came.startswith("wrong") else []), *watch.faults()]
            wrong += [(number, mutation.__name__, reason) for reason in reasons]
    json.dump({"counts": counts, "wrong": wrong, "slowest": slowest, "largest": largest}, out)


def _start(*arguments):
    few_threads = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    return subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, env=few_threads)


def run(count, workers, first=0):
    """Share the files among processes, print what came of them, and return what is wrong."""
    numbers = [[str(first + part * count // workers) for part in (i, i + 1)] for i in range(workers)]
    running = [_start("--part", *pair) for pair in numbers]
    told = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        return [("", "", "a process did not come to its end")]
    parts = list(map(json.loads, told))
    counts = sum((collections.Counter(part["counts"]) for part in parts), collections.Counter())
    outcomes = ("equal", "FileFormatError", "UnknownNameError", "wrong")
    print(f"{'':16}" + "".join(f"{name:>18}" for name in outcomes))
    for name in (*(mutation.__name__ for mutation in MUTATIONS), ""):
        row = [sum(n for key, n in counts.items() if key.startswith(name) and key.endswith(f" {o}")) for o in outcomes]
        print(f"{name or 'all':16}" + "".join(f"{n:18,}" for n in row))
    (seconds, slowest), (memory, largest) = (max(part[what] for part in parts) for what in ("slowest", "largest"))
    print(f"slowest: {seconds:.3f} s (file {slowest}); largest: {memory / 2**20:.0f} MB in all (file {largest})")
    return [reason for part in parts for reason in part["wrong"]]


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first file")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--show", type=int, metavar="NUMBER", help="write this file to standard output")
    parser.add_argument("--part", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        return work(range(*options.part), sys.stdout)
    if options.show is not None:
        sys.stdout.buffer.write(hostile(options.show)[2])
        return None
    wrong = run(options.count, options.workers, options.first)
    for number, mutation, reason in wrong[:20]:
        print(f"file {number} ({mutation}): {reason}")
    return f"{len(wrong)} wrong" if wrong else None


if __name__ == "__main__":
    sys.exit(main())
