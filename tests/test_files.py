"""Files: data only, whole or refused, and the last good one is kept whatever happens."""

# ruff: noqa: SIM300 (asserts here say expected == actual)

import contextlib
import errno
import functools
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
import threading
import time
import zipfile
from pathlib import Path

import attrs
import numpy as np
import pytest
from fuzz import hostile_files as hostile
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynet as tn
from tinynet import Activation, Dense, Initializer, Loss, Sequential
from tinynet.errors import FileFormatError, UnknownNameError
from tinynet.files.archive import expect_same, opened, write_file

X = np.array([[0.5, -1.0, 2.0], [1.0, 0.0, -0.5]])
Y = np.array([[1.0, 2.0, 3.0]])


def _network():
    return Sequential([Dense(3, "relu"), Dense(1)], "mean_squared_error", inputs=2, seed=1)


def _saved(tmp_path, layers=None):
    model = Sequential(layers or [Dense(2, "leaky_relu", l2=0.1)], "huber", inputs=2, seed=1)
    path = tmp_path / "net.npz"
    model.save(path)
    return model, path


def _equal(model, other):
    what = [(m.layers, m.loss, m.inputs, m.dtype, m.params.tobytes()) for m in (model, other)]
    return what[0] == what[1]


def _npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _zip(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return file.getvalue()


def _npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


FOREIGN = {
    "empty": b"",
    "zeros": bytes(1000),
    "text": b"W1 = [[1, 2], [3, 4]]\n",
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "pickle": pickle.dumps({"W1": [1.0]}),
    "npy": _npy(X),
    "npz of another program": _npz(W1=X, b1=Y),
    "npz whose description is numbers": _npz(description=X),
    "npz whose description is text, not JSON": _npz(description=np.array("a fine network")),
    "npz whose description is a list": _npz(description=np.array("[1, 2]")),
    "npz whose description is nested without end": _npz(description=np.array("[" * 100_000)),
    "empty zip": _zip(),
    "zip of text": _zip(description="{}"),
    "zip with a text as array": _zip(**{"description.npy": "{}"}),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_foreign_file(tmp_path, what):
    """A file that `save` did not write is refused by name."""
    path = tmp_path / "foreign.npz"
    path.write_bytes(FOREIGN[what])
    model = _network()
    before = model.params.tobytes()
    for load in (tn.load, model.load):
        with pytest.raises(
            FileFormatError, match=r"foreign\.npz.*is not a whole tinynet file.*model\.save"
        ):
            load(path)
    assert before == model.params.tobytes(), "half-changed"


def test_no_file(tmp_path):
    """A file that is not there is Python's own error."""
    with pytest.raises(FileNotFoundError, match=r"absent\.npz"):
        tn.load(tmp_path / "absent.npz")


def _refusals(path, model, damaged):
    """Return which of the damaged files are neither refused nor loaded whole."""
    wrong = []
    for what, data in damaged:
        path.write_bytes(data)
        try:
            if not _equal(model, tn.load(path)):
                wrong.append(f"{what}: loaded, with other content")
        except FileFormatError:
            pass
        except Exception as error:
            wrong.append(f"{what}: {type(error).__name__}: {error}")
    return wrong


def test_a_truncated_file(tmp_path):
    """A file cut off anywhere is refused."""
    model, path = _saved(tmp_path)
    whole = path.read_bytes()
    assert [] == _refusals(path, model, [("whole", whole)])
    lengths = {*range(0, len(whole), 9), *range(len(whole) - 40, len(whole))}
    wrong = _refusals(
        path, None, [(f"{length} bytes", whole[:length]) for length in sorted(lengths)]
    )
    assert [] == wrong, f"{len(wrong)} of {len(lengths)}"


def test_a_file_with_a_flipped_bit(tmp_path):
    """One wrong bit anywhere: the file is refused, or the bit meant nothing and the model is the same."""
    model, path = _saved(tmp_path)
    whole = path.read_bytes()
    contents = whole.rindex(
        b"PK\x01\x02"
    )  # from here on it says where the last array is, and the whole table
    bits = [(at, at // 3 % 8) for at in range(0, contents, 3)]
    bits += [(at, bit) for at in range(contents, len(whole)) for bit in range(8)]
    damaged = ((f"byte {at}, bit {bit}", _with_bit_flipped(whole, at, bit)) for at, bit in bits)
    wrong = _refusals(path, model, damaged)
    assert [] == wrong, f"{len(wrong)} of {len(bits)}"


def _with_bit_flipped(data, at, bit):
    flipped = bytearray(data)
    flipped[at] ^= 1 << bit
    return bytes(flipped)


def test_a_file_with_garbage_in_it(tmp_path):
    """Several wrong bytes at once: the file is refused."""
    model, path = _saved(tmp_path)
    whole, rng = np.frombuffer(path.read_bytes(), np.uint8), np.random.default_rng(3)
    places = [rng.integers(whole.size, size=rng.integers(2, 40)) for _ in range(300)]
    damaged = (
        (f"bytes {at}", _overwritten(whole, at, rng.integers(256, size=at.size)).tobytes())
        for at in places
    )
    assert [] == _refusals(path, model, damaged)


def _overwritten(data, at, values):
    data = data.copy()
    data[at] = values
    return data


EDITS = {
    "no format": (lambda told: told.pop("format"), FileFormatError, "format version"),
    "format of the future": (lambda told: told.update(format=99), FileFormatError, "99", "newer", "Update tinynet"),
    "no layers": (lambda told: told.pop("layers"), FileFormatError, "layers"),
    "layers a number": (lambda told: told.update(layers=3), FileFormatError, "layers|int"),
    "an empty list of layers": (lambda told: told.update(layers=[]), FileFormatError, "layer"),
    "a layer a number": (lambda told: told["layers"].append(3), FileFormatError, "layer"),
    "units -1": (lambda told: told["layers"][0].update(units=-1), FileFormatError, "units", "-1"),
    "units too many": (lambda told: told["layers"][0].update(units=10**12), FileFormatError, "W1", "1000000000000"),
    "an unknown field": (lambda told: told["layers"][0].update(colour="red"), FileFormatError, "colour"),
    "inputs 0": (lambda told: told.update(inputs=[0]), FileFormatError, "inputs", "is 0"),
    "no inputs": (lambda told: told.update(inputs=None), FileFormatError, "inputs"),
    "inputs too many": (lambda told: told.update(inputs=[10**12]), FileFormatError, "W1", "1000000000000"),
    "dtype of objects": (lambda told: told.update(dtype="object"), FileFormatError, "float32", "float64"),
    "dtype float64": (lambda told: told.update(dtype="float64"), FileFormatError, "W1", "float32", "float64"),
    "one layer more": (lambda told: told["layers"].append(told["layers"][1]), FileFormatError, "W3"),
    "activation unknown": (lambda told: told["layers"][1]["activation"].update(name="siggmoid"), UnknownNameError,
                           "Layer 2", "'siggmoid'", "sigmoid", "Define or import"),
    "initializer unknown": (lambda told: told["layers"][0].update(init={"family": "initializer", "name": "mine"}),
                            UnknownNameError, "Layer 1", "'mine'", "Define or import"),
    "layer unknown": (lambda told: told["layers"][1].update(name="dens"), UnknownNameError, "Layer 2", "'dens'",
                      "dense"),
    "loss unknown": (lambda told: told["loss"].update(name="hubert"), UnknownNameError, "'hubert'", "huber"),
}  # fmt: skip


@pytest.mark.parametrize("what", EDITS)
def test_a_file_with_another_description(tmp_path, what):
    """A description that does not hold is refused, and a name that is not known is named with its layer."""
    edit, error, *fragments = EDITS[what]
    _, path = _saved(tmp_path, [Dense(3, "relu"), Dense(2, "sigmoid")])
    with np.load(path) as file:
        arrays = dict(file)
    told = json.loads(str(arrays.pop("description")))
    edit(told)
    path.write_bytes(_npz(description=np.array(json.dumps(told)), **arrays))
    known = {family: family.names() for family in (Activation, Initializer, Loss, tn.Layer)}
    with pytest.raises(error) as caught:
        tn.load(path)
    for fragment in fragments:
        assert re.search(fragment, str(caught.value)), (
            f"{fragment!r} is not in {str(caught.value)!r}"
        )
    assert known == {family: family.names() for family in known}


class _Trap:
    """What a file must not be able to run."""

    sprung = False

    def __reduce__(self):
        return setattr, (_Trap, "sprung", True)


ARRAYS = {
    "W1 left out": (None, "W1"),
    "W1 of another shape": (np.zeros((2, 3), np.float32), r"W1.*\(2, 3\).*\(2, 2\)"),
    "W1 transposed in memory": (np.asfortranarray(np.zeros((2, 2), np.float32)), "array"),
    "W1 in float64": (np.zeros((2, 2)), "W1.*float64.*float32"),
    "W1 of text": (np.full((2, 2), "one"), "W1"),
    "W1 with NaN": (np.full((2, 2), np.nan, np.float32), "W1.*not finite"),
    "W1 with Inf": (np.full((2, 2), np.inf, np.float32), "W1.*not finite"),
    "W1 of pickled objects": (np.array([[_Trap(), 1], [2, 3]], dtype=object), "W1.*object"),
}


@pytest.mark.parametrize("what", ARRAYS)
def test_a_file_with_another_array(tmp_path, what):
    """An array that does not fit the description is refused, and nothing in a file is run."""
    array, named = ARRAYS[what]
    _, path = _saved(tmp_path)
    with np.load(path) as file:
        arrays = dict(file) | {"W1": array}
    path.write_bytes(_npz(**{name: held for name, held in arrays.items() if held is not None}))
    with pytest.raises(FileFormatError, match=named):
        tn.load(path)
    assert not _Trap.sprung


def _full(*args):
    raise OSError(errno.ENOSPC, "No space left on device")


@attrs.frozen
class _Holding(Activation):
    """An activation with a field that no file can hold."""

    field: object = None

    def forward(self, Z):
        return Z


FAILING_SAVES = {
    "a field that cannot be saved": (TypeError, None),
    "a full disk": (OSError, "fsync"),
    "a file that cannot be replaced": (OSError, "replace"),
}


@pytest.mark.parametrize("why", FAILING_SAVES)
def test_a_save_that_fails(tmp_path, monkeypatch, why):
    """The earlier file stays whole, and nothing else is left behind."""
    error, broken = FAILING_SAVES[why]
    earlier, path = _saved(tmp_path)
    before = path.read_bytes()
    activation = "relu" if broken else _Holding(object())
    model = Sequential([Dense(4, activation)], inputs=3, seed=2)
    if broken:
        monkeypatch.setattr(os, broken, _full)
    with pytest.raises(error):
        model.save(path)
    assert before == path.read_bytes()
    assert [path.name] == [file.name for file in tmp_path.iterdir()], "something is left behind"
    assert _equal(earlier, tn.load(path))


def test_a_save_into_no_directory(tmp_path):
    """A directory that is not there is Python's own error."""
    with pytest.raises(FileNotFoundError, match="absent"):
        _network().save(tmp_path / "absent" / "net.npz")


# What a file holds


@pytest.fixture
def written(tmp_path):
    """A file of a description and two arrays."""
    path = tmp_path / "some.npz"
    write_file(path, {"a": [1, "b"]}, {"v": np.arange(6.0).reshape(2, 3), "n": np.int64(7)})
    return path


def test_what_is_written_is_read(written):
    """Description and arrays come back; the arrays cannot be written to, for they are the file's bytes."""
    with opened(written) as file:
        assert {"a": [1, "b"], "format": 2} == file.description
        v, n = file.array("v", (2, 3), np.dtype("f8")), file.array("n", [], np.dtype("i8"))
        file.expect_no_more()
    np.testing.assert_array_equal(np.arange(6.0).reshape(2, 3), v, strict=True)
    assert (7, ()) == (n[()], n.shape)
    assert not v.flags.writeable


def test_the_same_content_is_the_same_file(written):
    """Nothing of the time or the machine is in a file; so versions of a model can be compared."""
    before = written.read_bytes()
    time.sleep(0.01)
    write_file(written, {"a": [1, "b"]}, {"v": np.arange(6.0).reshape(2, 3), "n": np.int64(7)})
    assert before == written.read_bytes()


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**38), 10**38)
    | st.floats()
    | st.text(st.characters(codec=None)),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)
shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
dtypes = st.sampled_from(
    ["f4", "f8", "f2", "i1", "i4", "i8", "u1", "u2", "u8", "?", ">f4", ">i8"]
).map(np.dtype)


@st.composite
def some_arrays(draw):
    """Arrays of any bytes, by rows, by columns and of every second number."""
    shape, dtype = draw(shapes), draw(dtypes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    array = np.frombuffer(rng.bytes(2 * dtype.itemsize * int(np.prod(shape))), "u1").copy()
    array = (array % 2 if dtype.kind == "b" else array).view(dtype)[::2].reshape(shape)
    return draw(st.sampled_from([array, np.asfortranarray(array), array.T, array.copy()]))


names = st.from_regex(r"\A[\w.-]{1,8}\Z").filter(lambda name: name != "description")


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(st.text(max_size=5).filter(lambda key: key != "format"), json_values, max_size=4),
       st.dictionaries(names, some_arrays(), max_size=4))  # fmt: skip
def test_anything_comes_back(tmp_path_factory, description, arrays):
    """Any description and any arrays come back to the bit."""
    path = tmp_path_factory.getbasetemp() / "anything.npz"
    write_file(path, description, arrays)
    with opened(path) as file:
        assert json.dumps({**description, "format": 2}) == json.dumps(file.description)
        for name, array in arrays.items():
            native = array.dtype.newbyteorder("=")
            found = file.array(name, array.shape, native, finite=False)
            assert (array.astype(native).tobytes(), array.shape, native) == (
                found.tobytes(),
                found.shape,
                found.dtype,
            )
        file.expect_no_more()
    with np.load(path, allow_pickle=False) as file:
        assert {"description", *arrays} == set(file.files)


UNWRITABLE = {
    "objects": ({}, {"v": np.array([None])}, TypeError, "'v'.*object.*numbers or bool"),
    "text": ({}, {"v": "a"}, TypeError, "'v'.*<U1"),
    "complex numbers": ({}, {"v": 1j}, TypeError, "'v'.*complex"),
    "a name with a folder": ({}, {"../v": 1.0}, ValueError, r"'\.\./v'"),
    "no name": ({}, {"": 1.0}, ValueError, "''"),
    "a second description": ({}, {"description": 1.0}, ValueError, "'description'"),
    "what JSON has not": ({"a": {1}}, {}, TypeError, "set"),
    "a key that comes twice": ({"a": {1: 2, "1": 3}}, {}, ValueError, "twice"),
    "a long description": ({"a": "x" * (1 << 20)}, {}, ValueError, "1048.*characters.*in arrays"),
    "a long integer": ({"a": 10**45}, {}, ValueError, "46 digits"),
    "nested for ever": (
        {"a": functools.reduce(lambda held, _: [held], range(9999), 1)},
        {},
        RecursionError,
        "depth",
    ),
}


@pytest.mark.parametrize("what", UNWRITABLE)
def test_what_cannot_be_read_is_not_written(tmp_path, what):
    """What could not be read again is refused before there is a file."""
    description, arrays, error, told = UNWRITABLE[what]
    with pytest.raises(error, match=told):
        write_file(tmp_path / "some.npz", description, arrays)
    assert [] == list(tmp_path.iterdir())


def test_parameters_of_one_name(tmp_path):
    """The parameter W1 of layer 1 and W of layer 11 would be one array."""

    class Odd(Dense):
        def parameters(self, input_shape):
            return {f"{name}1": p for name, p in super().parameters(input_shape).items()}

    model = Sequential([Odd(2), *[Dense(2)] * 10], inputs=2)
    with pytest.raises(ValueError, match=r"same name.*digit"):
        model.save(tmp_path / "net.npz")


ASKED = {
    "another shape": (("v", (3, 2), "f8"), r"v has shape \(2, 3\).*\(3, 2\)"),
    "a shape of more numbers than there are": (("v", (10**15, 10**15), "f8"), "v has shape"),
    "a shape that is a number": (("v", 6, "f8"), "int"),
    "a shape of text": (("v", "23", "f8"), "whole number"),
    "a negative shape": (("v", (-2, -3), "f8"), "whole number"),
    "a shape of fractions": (("v", (2.0, 3.0), "f8"), "whole number"),
    "a shape of bools": (("v", (True,), "f8"), "whole number"),
    "another dtype": (("v", (2, 3), "f4"), "float64.*float32"),
    "signed for unsigned": (("n", (), "u8"), "int64.*uint64"),
    "what is not there": (("w", (2, 3), "f8"), "it has no w"),
}


@pytest.mark.parametrize("what", ASKED)
def test_an_array_that_is_not_as_asked(written, what):
    """The shape that is asked for may come from the file itself, and is no better than it."""
    (name, shape, dtype), told = ASKED[what]
    with pytest.raises(FileFormatError, match=told), opened(written) as file:
        file.array(name, shape, np.dtype(dtype))


def test_infinite_where_that_may_be(tmp_path):
    """Finite numbers are required unless it is said otherwise."""
    write_file(tmp_path / "some.npz", {}, {"v": np.array([1, np.inf])})
    with opened(tmp_path / "some.npz") as file:
        assert np.inf == file.array("v", (2,), np.dtype("f8"), finite=False)[1]
    with (
        pytest.raises(FileFormatError, match="v is not finite"),
        opened(tmp_path / "some.npz") as file,
    ):
        file.array("v", (2,), np.dtype("f8"))


def test_arrays_that_nobody_asked_for(written):
    """`done` refuses what was neither read nor named."""
    with opened(written) as file:
        file.array("v", (2, 3), np.dtype("f8"))
        with pytest.raises(FileFormatError, match="an array 'n'"):
            file.expect_no_more()
        file.expect_no_more(known=["n"])
    with opened(written) as file:
        file.expect_no_more(known=["n", "v", "w"])


SAID = {
    "the same": ({"a": [1, {"b": None}]}, {"a": (1.0, {"b": None})}, True),
    "less": ({"a": {}}, {"a": {"b": 1}}, True),
    "NaN": ({"a": float("nan")}, {"a": float("nan")}, True),
    "more": ({"a": {"b": 1}}, {"a": {}}, False),
    "text for a number": ({"a": "1"}, {"a": 1}, False),
    "true for 1": ({"a": True}, {"a": 1.0}, False),
    "a shorter list": ({"a": [1]}, {"a": [1, 2]}, False),
    "a list for text": ({"a": ["b"]}, {"a": "b"}, False),
    "nothing": ({}, {"a": 1}, False),
}


@pytest.mark.parametrize("what", SAID)
def test_a_description_is_what_was_made_of_it(tmp_path, what):
    """What was made of a description says the same again, or the description is refused."""
    told, made, agree = SAID[what]
    write_file(tmp_path / "some.npz", told, {})
    with (
        contextlib.nullcontext() if agree else pytest.raises(FileFormatError),
        opened(tmp_path / "some.npz") as file,
    ):
        for name, described in made.items():
            expect_same(name, file.description[name], described)


# Hostile files: each is made of the members of a good one


def _described(text):
    return lambda parts: hostile.zipped(
        (parts | {"description.npy": hostile.text_member(text)}).items()
    )


def _W1(member):
    return lambda parts: hostile.zipped((parts | {"W1.npy": member}).items())


def _lying(name, **lie):
    return lambda parts: hostile.zipped(parts.items(), {list(parts).index(name): lie})


def _more(name):
    return lambda parts: hostile.zipped([*parts.items(), (name, parts["W1.npy"])])


def _many(parts):
    data = bytes(1 << 17)
    lies = {i: {"absent": True, "offset": 0, "local_name": b"W0.npy"} for i in range(1, 4000)}
    return hostile.zipped([(f"W{i}.npy", data) for i in range(4000)], lies)


HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"
HOSTILE = {
    "a gigabyte of zeros": (_lying("W1.npy", stored=hostile.bomb(1024), method=8, size=1 << 30), "compressed"),
    "a gigabyte that is said to be small": (_lying("W1.npy", stored=hostile.bomb(1024), method=8), "compressed"),
    "4000 times one array": (_many, "lies over another"),
    "a header of 128 TiB": (_W1(hostile.headed(HEADER.replace("2, 2", f"{2**45},"), bytes(16))), f"W1.*{2**45}"),
    "a negative shape": (_W1(hostile.headed(HEADER.replace("2, 2", "-2, -2"), bytes(16))), "not an array that tinynet"),
    "a header that is a program": (_W1(hostile.headed("__import__('os').abort()", bytes(16))), "not an array that tinynet"),
    "a nested header": (_W1(hostile.headed("(" * 9000, bytes(16))), "not an array that tinynet"),
    "a header by columns": (_W1(hostile.headed(HEADER.replace("False", "True"), bytes(16))), "not an array that tinynet"),
    "a header of version 2": (_W1(hostile.headed(HEADER, bytes(16), (2, 0))), "not an array that tinynet"),
    "a header beyond its member": (_W1(hostile.headed(HEADER, bytes(16), length=60_000)), "not an array that tinynet"),
    "an array with more behind it": (_W1(hostile.headed(HEADER, bytes(17))), "does not have the 16 bytes"),
    "an array cut off": (_W1(hostile.headed(HEADER, bytes(15))), "does not have the 16 bytes"),
    "a wrong checksum": (_lying("W1.npy", crc=1), "CRC"),
    "another name before the data": (_lying("W1.npy", local_name=b"b1.npy"), "differ"),
    "an array beyond the end": (_lying("b1.npy", offset=10**6), "its members have"),
    "a locked member": (_lying("W1.npy", flags=1), "encrypted"),
    "a member in a folder": (_more("../../W1.npy"), "expected arrays"),
    "a member that is no array": (_more("setup.py"), "expected arrays"),
    "two members of one name": (_more("W1.npy"), "two members called W1"),
    "an array too many": (_more("W2.npy"), "an array 'W2'"),
    "a description nested deeply": (_described('{"format": 1, "a": ' + "[" * 100_000), "recursion"),
    "a description of a million characters": (_described('{"format": 1}' + " " * (1 << 20)), "characters"),
    "a huge integer": (_described('{"format": 1, "a": ' + "9" * 5000 + "}"), "5000 digits"),
    "something said twice": (_described('{"format": 1, "format": 1}'), "twice"),
    "half a character": (_described(b"\0\xd8\0\0" * 4), "utf-32"),
    "a character beyond all": (_described(b"\xff" * 16), "utf-32"),
    "format true": (_described('{"format": true}'), "no format version"),
    "format 0": (_described('{"format": 0}'), "no format version"),
    "format 1.0": (_described('{"format": 1.0}'), "no format version"),
    "format NaN": (_described('{"format": NaN}'), "no format version"),
    "format 3": (_described('{"format": 3}'), r"3, newer than 2\. Update tinynet"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file(tmp_path, what):
    """Each is refused in words, soon, and its message is not as long as the file likes."""
    make, told = HOSTILE[what]
    _, path = _saved(tmp_path)
    path.write_bytes(make(hostile.members(path.read_bytes())))
    start = time.perf_counter()
    with pytest.raises(FileFormatError, match=told) as caught:
        tn.load(path)
    assert time.perf_counter() - start < 2
    assert len(str(caught.value)) < 1000


def _cycle(depth):
    return functools.reduce(
        lambda inner, _: {"family": "activation", "name": "relu", "a": inner}, range(depth), None
    )


WRONG_TYPES = {
    "units as text": (lambda told: told["layers"][0].update(units="2"), "whole number"),
    "units a fraction": (lambda told: told["layers"][0].update(units=2.0), "whole number"),
    "units true": (lambda told: told["layers"][0].update(units=True), "units"),
    "l2 as text": (lambda told: told["layers"][0].update(l2="0.1"), r"layers.*'0\.1'"),
    "l2 false": (lambda told: told["layers"][0].update(l2=False), "layers"),
    "l2 NaN": (lambda told: told["layers"][0].update(l2=float("nan")), "l2"),
    "a layer a name": (lambda told: told.update(layers=["dense"]), "layer 1 is 'dense'"),
    "layers a text": (lambda told: told.update(layers="dense"), "layer 1 is 'd'"),
    "an activation a name": (
        lambda told: told["layers"][0].update(activation="leaky_relu"),
        "layers",
    ),
    "a name a number": (lambda told: told["layers"][0].update(name=3), "not the name"),
    "a name a list": (lambda told: told["layers"][0].update(name=["dense"]), "not the name"),
    "a family a list": (lambda told: told["layers"][0].update(family=["layer"]), "family|layer"),
    "an activation for a layer": (lambda told: told.update(layers=[_cycle(1)]), "not the name"),
    "nested for ever": (lambda told: told["layers"][0].update(activation=_cycle(200)), "no field"),
    "a loss a list": (lambda told: told.update(loss=["huber"]), "not the name"),
    "inputs a number": (lambda told: told.update(inputs=2), "inputs"),
    "inputs of 100 dimensions": (lambda told: told.update(inputs=[1] * 100), "100 dimensions"),
    "a dtype by its short name": (lambda told: told.update(dtype="f4"), "float32 or float64"),
    "a dtype a list": (lambda told: told.update(dtype=[2]), "float32 or float64"),
    "units 10**9": (lambda told: told["layers"][0].update(units=10**9), "W1.*1000000000"),
}


@pytest.mark.parametrize("what", WRONG_TYPES)
def test_a_field_of_wrong_type(tmp_path, what):
    """What a class would take from a person, such as "0.1" for a number, is refused in a file."""
    edit, told = WRONG_TYPES[what]
    _, path = _saved(tmp_path)
    description = hostile.described(path.read_bytes())
    edit(description)
    path.write_bytes(_described(json.dumps(description))(hostile.members(path.read_bytes())))
    with pytest.raises(FileFormatError, match=told):
        tn.load(path)


def test_an_unknown_name_of_a_million_letters(tmp_path):
    """To find the nearest known names takes no longer for a long one."""
    _, path = _saved(tmp_path)
    description = hostile.described(path.read_bytes())
    description["layers"][0]["name"] = "x" * 1_000_000
    path.write_bytes(_described(json.dumps(description))(hostile.members(path.read_bytes())))
    start = time.perf_counter()
    with pytest.raises(UnknownNameError, match="Layer 1 of the file"):
        tn.load(path)
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize("mutation", hostile.MUTATIONS)
def test_some_mutations(tmp_path, mutation):
    """Files that are made at random load equal or are refused; tests/fuzz/hostile_files.py has more of them."""
    count = 5 if mutation is hostile.very_large else 200
    path, wrong = tmp_path / "net.npz", []
    for number in range(count):
        _, whole, data = hostile.hostile(f"{mutation.__name__} {number}", {mutation: 1})
        path.write_bytes(data)
        came = hostile.outcome(path, mutation, whole)
        wrong += [(number, came)] if came.startswith("wrong") else []
    assert [] == wrong, f"{len(wrong)} of {count}"


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the memory of a while"
)
@pytest.mark.parametrize("runs", [[], ["--runs"]], ids=["models", "runs"])
def test_hostile_files_within_limits(runs):
    """The program that loads very many of them finds none that is slow or large, or runs anything."""
    command = [sys.executable, hostile.__file__, "--count", "200", "--workers", "1", *runs]
    tested = os.environ | {"PYTHONPATH": str(Path(tn.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, env=tested, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"all( +\d+)+ +0\n", done.stdout)


# Files of runs


def _told(**said):
    """Return an edit by which a run says something else at the top."""
    return lambda run, parts: run.update(said)


def _setting(**said):
    return lambda run, parts: run["settings"].update(said)


def _drawing(*way, **said):
    """Return an edit of the generator's state as it is now."""
    return lambda run, parts: functools.reduce(dict.get, way, run["rng"]["now"]["state"]).update(
        said
    )


def _held(whose, name, change):
    """Return an edit of an array, of which the description says what is true."""

    def edit(run, parts):
        member = f"{whose}.{name}.npy"
        array = np.asarray(change(np.load(io.BytesIO(parts[member]))))
        parts[member] = hostile.npy(array)
        run["arrays"][whose][name] = [list(array.shape), array.dtype.name]

    return edit


def _shaped(whose, name, shape):
    return lambda run, parts: run["arrays"][whose][name].__setitem__(0, shape)


def _without(whose, name):
    def edit(run, parts):
        del parts[f"{whose}.{name}.npy"], run["arrays"][whose][name]

    return edit


def _of_callback(**said):
    return lambda run, parts: run["callbacks"][0]["state"].update(said)


def _many_arrays(run, parts):
    run["arrays"]["history"] |= {f"a{i}": [[1], "float64"] for i in range(20_000)}
    parts |= {f"history.a{i}.npy": hostile.npy(np.zeros(1)) for i in range(20_000)}


ADAMW, STOPS, STREAM, SFC = range(4)  # the runs of hostile_files
HOSTILE_RUNS = {
    "a run a list": (ADAMW, lambda run, parts: run.clear(), "a run that has"),
    "more than a run": (ADAMW, _told(more=1), "a run that has .*more"),
    "epochs as text": (ADAMW, _setting(epochs="4"), "expected a whole number"),
    "epochs below 0": (ADAMW, _setting(epochs=-1), "expected a whole number of at least 0"),
    "a batch size of 0": (ADAMW, _setting(batch_size=0), "batch_size is .* expected"),
    "a batch size true": (ADAMW, _setting(batch_size=True), "batch_size is .* expected"),
    "verbose a text": (ADAMW, _setting(verbose="yes"), "settings is"),
    "verbose, and nothing to be seen": (ADAMW, _setting(verbose=True), "no progress bar"),
    "shuffle a number": (ADAMW, _setting(shuffle=7), "shuffle is"),
    "a setting too many": (ADAMW, _setting(colour=1), "colour"),
    "a setting too few": (ADAMW, lambda run, parts: run["settings"].pop("epochs"), "epochs"),
    "all of the data split off": (STOPS, _setting(validation_split=1.0), "between 0 and 1"),
    "split off, and not told how": (
        ADAMW,
        _setting(validation_split=0.2),
        "generator of its start",
    ),
    "steps beyond counting": (
        STREAM,
        _setting(steps_per_epoch=2**70),
        "steps_per_epoch is .* at most",
    ),
    "steps of 0": (STREAM, _setting(steps_per_epoch=0), "steps_per_epoch"),
    "a weight below 0": (ADAMW, _setting(class_weight=[[0, -1.0], [1, 1.0]]), "at least 0"),
    "a weight NaN": (ADAMW, _setting(class_weight=[[0, float("nan")], [1, 1.0]]), "finite"),
    "a label twice": (ADAMW, _setting(class_weight=[[0, 1.0], [0, 2.0]]), "settings is"),
    "a label 7": (ADAMW, _setting(class_weight=[[7, 1.0]]), "has the label 7"),
    "a label 0.0": (ADAMW, _setting(class_weight=[[0.0, 1.0], [1, 1.0]]), "label is .* expected"),
    "weights a number": (ADAMW, _setting(class_weight=3), "int"),
    "an optimizer a name": (ADAMW, _told(optimizer="adamw"), "optimizer is"),
    "a rate a list": (SFC, lambda run, parts: run["optimizer"].update(learning_rate=[1]), "float"),
    "memory of another size": (
        ADAMW,
        _held("optimizer", "v", lambda v: v[:-1]),
        "The memory 'v' has shape",
    ),
    "memory that broadcasts": (
        ADAMW,
        _held("optimizer", "v", lambda v: v[0]),
        "The memory 'v' has shape|count",
    ),
    "memory in float64": (
        ADAMW,
        _held("optimizer", "v", lambda v: v.astype(float)),
        "dtype float64",
    ),
    "memory of complex numbers": (
        ADAMW,
        _held("optimizer", "v", lambda v: v.astype(complex)),
        "dtype 'complex128'",
    ),
    "memory NaN": (ADAMW, _held("optimizer", "v", lambda v: v * np.nan), "no step is finite"),
    "squares below 0": (ADAMW, _held("optimizer", "s", lambda s: -s - 1), "no step is finite"),
    "a step number below 0": (ADAMW, _held("optimizer", "t", lambda t: -t), "a count below 0"),
    "a step number at the end of all": (
        ADAMW,
        _held("optimizer", "t", lambda t: np.int64(2**63 - 1)),
        "too large",
    ),
    "a shape of text": (ADAMW, _shaped("optimizer", "t", ""), "shape of optimizer.t is ''"),
    "a shape by name": (ADAMW, _shaped("optimizer", "t", {}), "shape of optimizer.t is {}"),
    "memory left out": (ADAMW, _without("optimizer", "s"), "no s in its optimizer"),
    "epoch a fraction": (ADAMW, _told(epoch=1.0), "epoch is .* expected"),
    "an epoch that never was": (ADAMW, _told(epoch=10**9), "another history of loss"),
    "an epoch below 0": (ADAMW, _told(epoch=-1), "epoch is .* expected"),
    "a step beyond the last": (ADAMW, _told(step=6), "a step 6 of 5"),
    "a step beyond the stream": (STREAM, _told(step=6), "a step 6 of 5"),
    "another step": (ADAMW, _told(step=1), "examples in 1 step"),
    "stopped true": (ADAMW, _told(stopped=True), "stopped is"),
    "costs infinite": (ADAMW, _told(measured=[float("inf"), 16]), "a sum of costs"),
    "costs of no example": (ADAMW, _told(measured=[1.0, 0]), "m is .* expected|examples in"),
    "predictions left out": (ADAMW, _without("so_far", "A"), "other predictions"),
    "predictions too few": (
        ADAMW,
        _held("so_far", "A", lambda A: A[:, 1:]),
        "another shape or dtype",
    ),
    "targets that are none": (ADAMW, _held("so_far", "Y", lambda Y: Y + 5), "expects 0 and 1"),
    "a history too long": (
        ADAMW,
        _held("history", "loss", lambda loss: loss.repeat(2)),
        "another history of loss",
    ),
    "a history of integers": (
        ADAMW,
        _held("history", "f1", lambda f1: f1.astype(int)),
        "another history of f1",
    ),
    "a history by columns": (
        ADAMW,
        _held("history", "learning_rate", lambda rate: rate[None]),
        "not a list of numbers",
    ),
    "a history in half precision": (
        ADAMW,
        _held("history", "learning_rate", np.float16),
        "not a list of numbers",
    ),
    "a metric twice": (ADAMW, _told(metrics=["f1", "f1"]), "metrics is"),
    "metrics a text": (ADAMW, _told(metrics="f1"), "metrics is"),
    "a metric that is the loss": (ADAMW, _told(metrics=["loss"]), "a metric called loss"),
    "callbacks a number": (ADAMW, _told(callbacks=2), "int"),
    "a callback a number": (ADAMW, _told(callbacks=[2, 2]), "int"),
    "a state a list": (
        STOPS,
        lambda run, parts: run["callbacks"][0].update(state=[]),
        "callback 0",
    ),
    "a callback with more": (STOPS, lambda run, parts: run["callbacks"][0].update(more=1), "more"),
    "another state": (ADAMW, _of_callback(best=1.0), "LearningRateLogger cannot be restored"),
    "a best value as text": (
        STOPS,
        _of_callback(best="0.1"),
        "EarlyStopping cannot be restored.*best.*str",
    ),
    "a best epoch that never was": (
        STOPS,
        _of_callback(best_epoch=9),
        "EarlyStopping cannot be restored.*best epoch is 9",
    ),
    "a state with more": (STOPS, _of_callback(more=1), "EarlyStopping cannot be restored"),
    "best values too few": (
        STOPS,
        _held("callback0", "values", lambda v: v[:1]),
        "EarlyStopping cannot be restored",
    ),
    "best values NaN": (
        STOPS,
        _held("callback0", "values", lambda v: v * np.nan),
        "finite numbers",
    ),
    "a place beyond the state": (STOPS, _drawing("state", pos=10**9), "A generator's pos"),
    "a place before the state": (STOPS, _drawing("state", pos=-1), "A generator's pos"),
    "a state of zeros": (STOPS, _drawing("state", key=[1] + [0] * 623), "all zeros"),
    "a state of 3 numbers": (STOPS, _drawing("state", key=[1, 2, 3]), "reshape"),
    "a state of fractions": (STOPS, _drawing("state", key=[1.5] * 624), "generator .now. is"),
    "a Gaussian NaN": (STOPS, _drawing(gauss=float("nan")), "gauss"),
    "a buffer's place": (STREAM, _drawing(buffer_pos=-1), "A generator's buffer_pos"),
    "an even increment": (ADAMW, _drawing("state", inc=2), "inc is 2, expected an odd number"),
    "a number of 129 bits": (ADAMW, _drawing("state", state=2**128), "rng is|large|big"),
    "half of 32 bits": (ADAMW, _drawing(has_uint32=7), "has_uint32 is 7"),
    "a counter too many": (SFC, _drawing("state", state=[1] * 5), "reshape"),
    "another generator": (
        ADAMW,
        _drawing(bit_generator="Xoshiro"),
        "The bit generator is 'Xoshiro'",
    ),
    "another kind": (
        ADAMW,
        lambda run, parts: run["rng"]["now"].update(kind="object"),
        "The generator is a 'object'",
    ),
    "two kinds": (
        ADAMW,
        lambda run, parts: run["rng"]["epoch"].update(kind="RandomState"),
        "rng|gauss|kinds",
    ),
    "no generator of the epoch": (
        ADAMW,
        lambda run, parts: run["rng"].update(epoch=None),
        "no generator of its epoch",
    ),
    "one generator more": (
        ADAMW,
        lambda run, parts: run["rng"].update(more=None),
        "states of a generator",
    ),
    "data of another shape": (ADAMW, _told(data=[40, [3]]), "data is"),
    "no data": (ADAMW, _told(data=[0, [2]]), "m is .* expected"),
    "validated a number": (ADAMW, _told(validated=0), "validated is"),
    "20,000 arrays": (ADAMW, _many_arrays, "over 1000 arrays"),
    "arrays of something else": (
        ADAMW,
        lambda run, parts: run["arrays"].update(more={}),
        "arrays of others",
    ),
}


@pytest.mark.parametrize("what", HOSTILE_RUNS)
def test_a_hostile_run(tmp_path, what):
    """Each is refused in words, soon, and the file stays as it is."""
    which, edit, told = HOSTILE_RUNS[what]
    whole, path = hostile.runs()[which], tmp_path / "run.npz"
    parts, description = hostile.members(whole), hostile.described(whole)
    edit(description["run"], parts)
    before = _described(json.dumps(description))(parts)
    path.write_bytes(before)
    start = time.perf_counter()
    with pytest.raises(FileFormatError, match=told) as caught:
        tn.resume(path, **hostile.given(whole, path))
    assert time.perf_counter() - start < 2
    assert path.read_bytes() == before
    assert len(str(caught.value)) < 1000


def test_a_run_with_an_unknown_optimizer(tmp_path):
    """A name that is not known here is no fault of the file."""
    whole, path = hostile.runs()[ADAMW], tmp_path / "run.npz"
    description = hostile.described(whole)
    description["run"]["optimizer"]["name"] = "adem"
    path.write_bytes(_described(json.dumps(description))(hostile.members(whole)))
    with pytest.raises(
        UnknownNameError, match=r"No optimizer is called 'adem'.* nearest first: adam"
    ):
        tn.resume(path, **hostile.given(whole, path))


@pytest.mark.parametrize("which", range(4))
def test_a_whole_run(tmp_path, which):
    """What the hostile runs are made from goes on."""
    whole, path = hostile.runs()[which], tmp_path / "run.npz"
    path.write_bytes(whole)
    assert hostile.outcome_of_run(path, hostile.flipped, whole) == "equal"


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("mutation", hostile.RUN_MUTATIONS)
def test_some_mutations_of_runs(tmp_path, mutation):
    """Files of runs that are made at random go on equal or are refused, as a run and as a model."""
    count = 5 if mutation is hostile.very_large else 75
    path, wrong = tmp_path / "run.npz", []
    for number in range(count):
        _, whole, data = hostile.hostile(
            f"{mutation.__name__} {number}", {mutation: 1}, hostile.runs
        )
        path.write_bytes(data)
        came = [way(path, mutation, whole) for way in (hostile.outcome, hostile.outcome_of_run)]
        wrong += [(number, one) for one in came if one.startswith("wrong")]
    assert [] == wrong, f"{len(wrong)} of {count}"


# Files of older versions


def test_a_file_of_format_1():
    """A file of the first version: three layers of 4, 3 and 2 units, with b = 0, 1/8, 2/8 …."""
    model = tn.load(Path(__file__).parent / "data" / "format-1.npz")
    told = "<Sequential 3 → 4 leaky_relu → 3 tanh → 2 softmax; categorical_crossentropy; float32; 39 parameters>"
    assert told == repr(model)
    assert (0.1, 0.01, 0.5) == (
        model.layers[0].activation.slope,
        model.layers[0].l2,
        model.layers[1].init.scale,
    )
    assert [0, 0.125, 0.25, 0.375] == model.b[1].ravel().tolist()
    np.testing.assert_allclose([0.28216830, 0.67084843, 0.26980075], model.W[1][0], rtol=1e-6)
    A = model.predict(np.array([[1, 0.5], [2, -1], [3, 0]]))
    np.testing.assert_allclose([[0.04825706, 0.46218312], [0.95174294, 0.53781688]], A, rtol=1e-5)


# Where a file is written


def _text(path, text="new"):
    write_file(path, {"text": text}, {"v": np.zeros(3000)})


def _read(path):
    with opened(path) as file:
        file.array("v", (3000,), np.dtype("f8"))
        return file.description["text"]


def _leftovers(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.endswith(".tmp"))


posix = pytest.mark.skipif(os.name != "posix", reason="permissions, links and locks of POSIX")


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions(tmp_path, umask):
    """A new file has those that the umask leaves; one that is replaced keeps its own."""
    before = os.umask(umask)
    try:
        _text(tmp_path / "new.npz")
        (tmp_path / "old.npz").touch()
        (tmp_path / "old.npz").chmod(0o664)
        _text(tmp_path / "old.npz")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new.npz", "old.npz")]
    assert [0o666 & ~umask, 0o664] == modes


@posix
@pytest.mark.parametrize("there", [True, False])
def test_a_link(tmp_path, there):
    """What a link points to is replaced, or made; the link stays."""
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "target.npz", tmp_path / "link.npz"
    link.symlink_to("far/target.npz")
    if there:
        _text(target, "old")
    _text(link)
    assert link.is_symlink()
    assert not target.is_symlink()
    assert "new" == _read(target) == _read(link)
    assert ["far", "link.npz"] == sorted(os.listdir(tmp_path))


def test_a_path_of_any_kind(tmp_path, monkeypatch):
    """A str or a Path, relative or not; no suffix is added."""
    monkeypatch.chdir(tmp_path)
    for path in ("net", Path("model"), tmp_path / "very.npz.good", str(tmp_path / "[x] *.npz")):
        _text(path)
        assert "new" == _read(path)
    assert ["[x] *.npz", "model", "net", "very.npz.good"] == sorted(os.listdir(tmp_path))


def test_no_path():
    """What is no path at all is Python's own error."""
    with pytest.raises(TypeError, match="path"):
        _text(None)


@posix
def test_what_is_no_file(tmp_path):
    """A pipe, a device or a folder is not replaced by a file."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path, error in (("pipe", OSError), ("loop", OSError), (".", IsADirectoryError)):
        with pytest.raises(error, match=r"[Ss]ave elsewhere|name of a file"):
            _text(tmp_path / path)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    with pytest.raises(OSError, match=r"not a regular file.*/dev/null"):
        _text(os.devnull)
    assert ["loop", "pipe"] == sorted(os.listdir(tmp_path))


ERRORS = {
    errno.ENOSPC: (OSError, "Make room"),
    errno.EDQUOT: (OSError, "Make room"),
    errno.EROFS: (OSError, "that can be written to"),
    errno.EACCES: (PermissionError, "that you may write to"),
    errno.EIO: (OSError, "Save elsewhere"),
}


@pytest.mark.parametrize("there", [True, False], ids=["replaced", "new"])
@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
@pytest.mark.parametrize("number", ERRORS, ids=errno.errorcode.get)
def test_an_error_of_the_system(tmp_path, monkeypatch, number, call, there):
    """It is of the same kind, names the path, says what became of the earlier file, and what to do."""
    error, hint = ERRORS[number]
    path = tmp_path / "net.npz"
    if there:
        _text(path, "old")

    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(error, match=hint) as caught:
        _text(path)
    monkeypatch.undo()
    assert (number, os.fspath(path)) == (caught.value.errno, caught.value.filename)
    kept = "The earlier file is as it was" if there else "No file was made"
    for fragment in (os.strerror(number), kept, repr(str(path))):
        assert fragment in str(caught.value)
    assert ["net.npz"] * there == os.listdir(tmp_path)
    assert not there or "old" == _read(path)


@contextlib.contextmanager
def _mounted(folder, size):
    """A file system of its own, of some bytes."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def _mounts():
    return sys.platform == "linux" and os.geteuid() == 0


@pytest.mark.skipif(not _mounts(), reason="only root may mount a file system")
def test_a_disk_that_is_full(tmp_path):
    """The earlier file is as it was, and can be read; with room again, saving goes on."""
    disk = tmp_path / "disk"
    with _mounted(disk, 64 << 10):
        _text(disk / "net.npz", "old")
        (disk / "ballast").write_bytes(bytes(24 << 10))
        with pytest.raises(
            OSError, match=r"No space left.*The earlier file is as it was.*Make room.*net\.npz"
        ):
            _text(disk / "net.npz")
        assert ["ballast", "net.npz"] == sorted(os.listdir(disk))
        assert "old" == _read(disk / "net.npz")
        (disk / "ballast").unlink()
        _text(disk / "net.npz")
        assert "new" == _read(disk / "net.npz")


@pytest.mark.skipif(not _mounts(), reason="only root may mount a file system")
def test_a_disk_that_is_read_only(tmp_path):
    """Also orphans on it are no reason for another error."""
    disk = tmp_path / "disk"
    with _mounted(disk, 1 << 20):
        _text(disk / "net.npz", "old")
        orphan = disk / f"net.npz.{'0' * 16}.tmp"
        orphan.touch()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(
            OSError, match=r"Read-only.*The earlier file is as it was.*can be written to.*net\.npz"
        ):
            _text(disk / "net.npz")
        assert "old" == _read(disk / "net.npz")


# Orphans of writers that were killed


def test_orphans_are_swept(tmp_path):
    """A temporary file of this very target goes; everything else stays."""
    a, b = "0123456789abcdef", "f" * 16
    others = [
        f"net.npy.{a}.tmp",
        f"my-net.npz.{a}.tmp",
        "net.npz.tmp",
        f"net.npz.{a}",
        f"net.npz.{a[:8]}.tmp",
    ]
    others += [f"net.npz.{a.upper()}.tmp", f"netxnpz.{a}.tmp", f"net.npz.{a}.tmp.npz"]
    for name in (*others, f"net.npz.{a}.tmp", f"net.npz.{b}.tmp"):
        (tmp_path / name).write_text("half")
    (tmp_path / f"net.npz.{'0' * 16}.tmp").mkdir()
    _text(tmp_path / "net.npz")
    assert sorted([*others, f"net.npz.{'0' * 16}.tmp", "net.npz"]) == sorted(os.listdir(tmp_path))


@posix
def test_another_writer_is_left_alone(tmp_path):
    """A temporary file that somebody holds is no orphan."""
    from tinynet.files.replace import replacing

    path = tmp_path / "net.npz"
    with replacing(path) as file:
        file.write(b"slow")
        _text(path)
        assert 1 == len(_leftovers(tmp_path))
        assert "new" == _read(path)
    assert b"slow" == path.read_bytes()
    assert [] == _leftovers(tmp_path)


@posix
def test_swept_before_it_was_locked(tmp_path, monkeypatch):
    """A writer whose new file is taken for an orphan, in the moment before it is locked, begins again."""
    from tinynet.files import replace as _replace

    lock, swept = _replace._lock, []

    def late(file, *how):
        if not swept:
            swept.append(file.name)
            os.unlink(file.name)
        lock(file, *how)

    monkeypatch.setattr(_replace, "_lock", late)
    _text(tmp_path / "net.npz")
    assert "new" == _read(tmp_path / "net.npz")
    assert ["net.npz"] == os.listdir(tmp_path)


@posix
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP])
def test_without_locks(tmp_path, monkeypatch, number):
    """A file system without locks can be written to; nobody can tell an orphan there, and none is swept."""
    import fcntl

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fail)
    (tmp_path / f"net.npz.{'0' * 16}.tmp").touch()
    _text(tmp_path / "net.npz")
    assert "new" == _read(tmp_path / "net.npz")
    assert 1 == len(_leftovers(tmp_path))


def test_without_fcntl(tmp_path, monkeypatch):
    """So it is on a system that has no such locks at all."""
    from tinynet.files import replace as _replace

    monkeypatch.setattr(_replace, "fcntl", None)
    (tmp_path / f"net.npz.{'0' * 16}.tmp").touch()
    _text(tmp_path / "net.npz")
    assert "new" == _read(tmp_path / "net.npz")
    assert 1 == len(_leftovers(tmp_path))


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO])
def test_a_folder_that_is_not_synced(tmp_path, monkeypatch, number):
    """Some systems cannot, and that is no error; a disk that fails is one, and the new file is there."""
    fsync = os.fsync

    def fail(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    fails = pytest.raises(OSError, match="is written, but may not survive a power cut")
    with fails if number == errno.EIO else contextlib.nullcontext():
        _text(tmp_path / "net.npz")
    assert "new" == _read(tmp_path / "net.npz")


def test_several_writers(tmp_path):
    """Threads that write to one path and read from it always find a whole file, and leave nothing."""
    path, failed = tmp_path / "net.npz", []
    _text(path, "first")

    def work(name):
        try:
            for i in range(15):
                _text(path, f"{name} {i}")
                _read(path)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == failed
    assert ["net.npz"] == os.listdir(tmp_path)


SAVING = """
import sys, tinynet as tn
model = tn.Sequential([tn.Dense(100)], inputs=300, seed=1)
for i in range(10**9):
    model.params[:] = i
    model.save(sys.argv[1])
    i or print("saved", flush=True)
"""


def killed(path, chance):
    """Kill a process that saves over and over at a random moment; return how many orphans it left."""
    tested = os.environ | {
        "PYTHONPATH": str(Path(tn.__file__).parents[1]),
        "OPENBLAS_NUM_THREADS": "1",
    }
    with subprocess.Popen(
        [sys.executable, "-c", SAVING, path], stdout=subprocess.PIPE, env=tested
    ) as process:
        process.stdout.readline()
        time.sleep(0.05 * chance.random())
        process.send_signal(signal.SIGKILL)
    left = len(_leftovers(path.parent))
    assert 1 == np.unique(tn.load(path).params).size, "half of one file and half of another"
    return left


@posix
def test_killed_at_a_random_moment(tmp_path):
    """After a kill the file is whole; after the next save nothing is left of the one that was killed."""
    path, chance = tmp_path / "net.npz", random.Random(1)
    model = Sequential([Dense(100)], inputs=300, seed=1)
    for _ in range(5):
        killed(path, chance)
        model.params[:] = 3
        model.save(path)
        assert ["net.npz"] == os.listdir(tmp_path)


def test_nothing_of_files_is_imported_before_there_is_one():
    """What only files need costs nothing at ``import tinynet``."""
    program = "import sys, numpy, attrs; before = {*sys.modules}; import tinynet; print(*sys.modules.keys() - before)"
    tested = os.environ | {"PYTHONPATH": str(Path(tn.__file__).parents[1])}
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True, env=tested).split()
    assert "tinynet.files.archive" in loaded
    assert not {"json", "zipfile", "tempfile", "zlib", "random"} & {*loaded}
