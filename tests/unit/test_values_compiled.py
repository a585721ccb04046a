"""values/_compiled.c never disagrees with encode.py and decode.py: it does the same, or leaves it to them."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager

import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from callgate import ValueDecodeError, ValueFormError
from callgate.v1 import value_pb2 as pb
from callgate.values import Limits, _compiled, decode, encode
from tests.unit.conftest import USERS

EVERYTHING = (100, 10_000_000, (1 << 31) - 1)

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.integers(-130, 130)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary(max_size=200),
    lambda inner: (
        st.lists(inner)
        | st.lists(st.integers(-(1 << 63), (1 << 63) - 1))
        | st.lists(st.floats())
        | st.lists(st.booleans())
        | st.lists(st.text(st.characters(exclude_categories=["Cs"])))
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
        | st.dictionaries(st.integers(-5, 5) | st.booleans() | st.tuples(st.integers(0, 3)), inner)
    ),
    max_leaves=40,
)
#: Among plain values, what is not: it is left to Python, and whatever it is in.
odd = st.sampled_from([1 << 63, -(1 << 64), "\ud800", {"\udfff": 1}, {1, 2}, 1j, object, bytearray(b"x"), OSError()])
anything = st.recursive(plain | odd, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)


@contextmanager
def in_python():
    """Without the compiled module."""
    with pytest.MonkeyPatch.context() as patch:
        for name in USERS:
            patch.setattr(sys.modules[name], "_compiled", None)
        yield


def python_encode(value, limits=EVERYTHING):
    with in_python():
        try:
            return encode(value, limits=Limits(*limits)).SerializeToString()
        except ValueFormError:
            return None


def python_decode(message, limits=EVERYTHING):
    """The value as text, which has every type, sign and NaN; None if it is refused."""
    with in_python():
        try:
            return repr(decode(message, limits=Limits(*limits)))
        except ValueDecodeError:
            return None


@given(plain)
@example([])
@example(())
@example({})
@example([{}, [], (), ""])
@example([[0.0], [-0.0], [1], [True], ["x" * 200], [b"x" * 20_000]])
@example({"k" * 130: ["v" * 17_000], "": [True, 1, 1.0]})
@example({1: 2, (3,): None, False: [0]})
def test_plain_values_are_written_and_read_alike(value):
    data = _compiled.encode(value, *EVERYTHING)
    assert data == python_encode(value)
    made, _ = _compiled.decode(data, 0, *EVERYTHING[:2])
    assert repr(made) == repr(value)


@given(anything)
def test_what_is_not_plain_is_left_to_python(value):
    data = _compiled.encode(value, *EVERYTHING)
    assert data is None or data == python_encode(value)


class Text(str):
    pass


class Table(dict):
    pass


@pytest.mark.parametrize("value", [Text("x"), Table(), type("L", (list,), {})(), type("I", (int,), {})(3), 1 << 63])
def test_subclasses_and_large_integers_are_left_to_python(value):
    assert _compiled.encode(value, *EVERYTHING) is None
    assert _compiled.encode([value], *EVERYTHING) is None
    assert _compiled.encode({"key": [1, value]}, *EVERYTHING) is None
    assert decode(encode([value])) == [value]


@given(plain, st.integers(0, 5), st.integers(0, 30), st.integers(0, 60))
def test_the_limits_are_the_same(value, depth, elements, size):
    if not isinstance(value, list | tuple | dict):
        value = [value]
    limits = (depth, elements, size)
    refused = python_encode(value, limits) is None
    assert (_compiled.encode(value, *limits) is None) == refused
    data = python_encode(value)
    assert (_compiled.decode(data, 0, depth, elements) is None) == (
        python_decode(pb.Value.FromString(data), limits) is None
    )


def test_deep_values_are_left_to_python():
    value: object = 1
    for depth in range(1, 40):
        value = [value]
        data = _compiled.encode(value, *EVERYTHING)
        assert (data is None) == (depth >= 20)
        assert decode(encode(value)) == value
    endless: list[object] = []
    endless.append(endless)
    assert _compiled.encode(endless, *EVERYTHING) is None
    # Written by others: the parser's own recursion is bounded, too.
    data = b"\x08\x00"
    for _ in range(30_000):
        data = b"\x0a" + _varint(len(data)) + data
        data = b"\x42" + _varint(len(data)) + data
    assert _compiled.decode(data, 0, 100_000, 10_000_000) is None


def _varint(number: int) -> bytes:
    made = bytearray()
    while number >= 0x80:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*made, number])


@settings(max_examples=400)
@given(anything.filter(lambda value: python_encode(value) is not None), st.data())
def test_changed_bytes_are_read_alike_or_left_to_python(value, data):
    changed = bytearray(python_encode(value))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, max(0, len(changed) - 1)))
        what = data.draw(st.sampled_from(["set", "insert", "delete", "cut"]))
        if what == "set" and changed:
            changed[at] = data.draw(st.integers(0, 255))
        elif what == "insert":
            changed.insert(at, data.draw(st.integers(0, 255)))
        elif what == "delete" and changed:
            del changed[at]
        else:
            del changed[at:]
    found = _compiled.decode(bytes(changed), 0, *EVERYTHING[:2])
    if found is not None:
        assert repr(found[0]) == python_decode(pb.Value.FromString(bytes(changed)))


def value_of(**kind):
    return pb.Value(**kind)


HOSTILE = {
    "a string_map with a key twice": value_of(
        string_map=pb.StringMap(keys=["a", "a"], values=[value_of(int_value=1), value_of(int_value=2)])
    ),
    "a string_map with a key too many": value_of(string_map=pb.StringMap(keys=["a"])),
    "a map with a list as a key": value_of(
        map_value=pb.MapValue(entries=[pb.MapEntry(key=value_of(list_value={}), value=value_of(int_value=1))])
    ),
    "a map with a key twice": value_of(
        map_value=pb.MapValue(
            entries=[
                pb.MapEntry(key=value_of(int_value=1), value=value_of(int_value=1)),
                pb.MapEntry(key=value_of(bool_value=True), value=value_of(int_value=1)),
            ]
        )
    ),
    "an entry without a value": value_of(map_value=pb.MapValue(entries=[pb.MapEntry(key=value_of(int_value=1))])),
    "an element without a kind": value_of(list_value=pb.ListValue(values=[pb.Value()])),
}


@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE)
def test_what_python_refuses_is_left_to_it(message):
    assert _compiled.decode(message.SerializeToString(), 0, *EVERYTHING[:2]) is None
    with pytest.raises(ValueDecodeError):
        decode(message)


def test_many_keys_of_one_hash_are_left_to_python_which_refuses_them():
    prime = (1 << 61) - 1
    keys = [pb.MapEntry(key=value_of(int_value=k % 4 * prime), value=value_of(int_value=k)) for k in range(1001)]
    message = value_of(map_value=pb.MapValue(entries=keys))
    assert _compiled.decode(message.SerializeToString(), 0, *EVERYTHING[:2]) is None


@pytest.mark.parametrize(
    "arguments", [(), (b"", 1), ("x", 0, 1, 1), (bytearray(), 0, 1, 1), (b"", 0, "x", 1), (b"", 0, 1 << 80, 1)]
)
def test_wrong_arguments_of_decode_are_errors(arguments):
    with pytest.raises((TypeError, OverflowError)):
        _compiled.decode(*arguments)


@pytest.mark.parametrize(
    "data",
    [
        b"\x7a" + b"\x80" * 8 + b"\x00",  # a length of 9 bytes, found by fuzzing
        b"\x98\x80\x80\x80\x80\x00\x02",  # a tag of 6 bytes
        b"\x7a\x80\x80\x80\x80\x10",  # 33 bits of length
    ],
)
def test_numbers_that_protobufs_parsers_refuse_are_left_to_them(data):
    assert _compiled.decode(data, 0, *EVERYTHING[:2]) is None
    with pytest.raises(DecodeError):
        pb.Value.FromString(data)


@pytest.mark.parametrize("start", [-1, 3, 1 << 40])
def test_a_place_outside_is_an_error(start):
    with pytest.raises(ValueError, match="outside"):
        _compiled.decode(b"\x08\x00", start, 1, 1)


@pytest.mark.parametrize("arguments", [(), ([], 1, 1), ([], 1, 1, 1, 1), ([], "x", 1, 1), ([], 1, 1 << 80, 1)])
def test_wrong_arguments_of_encode_are_errors(arguments):
    with pytest.raises((TypeError, OverflowError)):
        _compiled.encode(*arguments)


def test_nothing_is_left_behind():
    value = {"rows": [{"id": number, "text": "é" * 50, "parts": (1, 2.5, None, b"x")} for number in range(50)]}
    data = _compiled.encode(value, *EVERYTHING)

    def work(times: int) -> None:
        for _ in range(times):
            _compiled.encode(value, *EVERYTHING)
            _compiled.encode([value, object()], *EVERYTHING)
            _compiled.decode(data, 0, *EVERYTHING[:2])
            _compiled.decode(data[:-1], 0, *EVERYTHING[:2])
            _compiled.decode(data, 0, 100, 200)

    work(100)
    before = sys.getallocatedblocks()
    work(1000)
    assert sys.getallocatedblocks() - before < 500


def test_threads_may_use_it_at_once():
    values = [[{"n": number, "text": str(number) * 20, "list": [number] * 10}] * 50 for number in range(8)]
    wrong: list[object] = []

    def work(value: object) -> None:
        for _ in range(200):
            if decode(encode(value)) != value:
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(value,)) for value in values]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
