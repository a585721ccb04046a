"""A request decoded in C is what protobuf and decode.py make of it, or is left to them."""

from __future__ import annotations

import sys

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from callgate import ValueDecodeError
from callgate.v1 import function_service_pb2 as pb
from callgate.values import Limits, decode_arguments, encode, plain_answer
from callgate.values.requests import DecodedCall, as_message, call_of, decoded_arguments
from tests.unit.test_values_compiled import anything, in_python, plain

try:
    from callgate.values import _compiled
except ImportError:
    pytest.skip("values are not compiled for this Python", allow_module_level=True)

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LIMITS = (100, 10_000_000)


def request(module: str, function: str, args: list[object], kwargs: dict[str, object]) -> bytes:
    made = pb.CallFunctionRequest(module=module, function=function)
    for arg in args:
        encode(arg, made.args.add())
    for name, value in kwargs.items():
        encode(value, made.kwargs[name])
    return made.SerializeToString()


def by_protobuf(payload: bytes, limits: tuple[int, int] = LIMITS) -> str | None:
    """The call as text, which has every type, sign and NaN; None if it is refused."""
    with in_python():
        try:
            message = pb.CallFunctionRequest.FromString(payload)
            args, kwargs = decode_arguments(message.args, message.kwargs, Limits(*limits))
        except (DecodeError, ValueDecodeError):
            return None
    return repr((message.module, message.function, args, sorted(kwargs.items(), key=lambda pair: pair[0])))


def in_c(payload: bytes, limits: tuple[int, int] = LIMITS) -> str | None:
    found = _compiled.call(payload, *limits)
    if found is None:
        return None
    module, function, args, kwargs = found
    return repr((module, function, args, sorted(kwargs.items(), key=lambda pair: pair[0])))


@given(names.filter(bool), names.filter(bool), st.lists(plain, max_size=4), st.dictionaries(names, plain, max_size=3))
def test_a_plain_call_is_read_alike(module, function, args, kwargs):
    payload = request(module, function, args, kwargs)
    assert in_c(payload) == by_protobuf(payload)
    call = call_of(payload)
    assert type(call) is DecodedCall
    assert as_message(call) == pb.CallFunctionRequest.FromString(payload)
    assert call.SerializeToString() == payload
    assert (list(call.args), dict(call.kwargs)) == (list(as_message(call).args), dict(as_message(call).kwargs))


@given(st.lists(anything, max_size=3))
def test_what_is_not_plain_is_left_to_protobuf(args):
    try:
        payload = request("m", "f", args, {})
    except Exception:
        return  # it has no Value form
    found = in_c(payload)
    assert found is None or found == by_protobuf(payload)
    message = pb.CallFunctionRequest.FromString(payload)
    assert repr(decoded_arguments(call_of(payload))[0]) == repr(decode_arguments(message.args, {})[0])


@settings(max_examples=500)
@given(st.lists(plain, max_size=3), st.dictionaries(names, plain, max_size=2), st.data())
def test_changed_bytes_are_read_alike_or_left_to_protobuf(args, kwargs, data):
    changed = bytearray(request("module", "function", args, kwargs))
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
    found = in_c(bytes(changed))
    if found is not None:
        assert found == by_protobuf(bytes(changed))


@given(st.lists(plain, min_size=1, max_size=3), st.integers(0, 5), st.integers(0, 40))
def test_the_limits_are_those_of_all_arguments_together(args, depth, elements):
    payload = request("m", "f", args, {"k": args[0]})
    assert (in_c(payload, (depth, elements)) is None) == (by_protobuf(payload, (depth, elements)) is None)


@pytest.mark.parametrize(
    "payload",
    {
        "nothing": b"",
        "no function": pb.CallFunctionRequest(module="m").SerializeToString(),
        "no module": pb.CallFunctionRequest(function="f").SerializeToString(),
        "more is taken": pb.CallFunctionRequest(module="m", function="f", takes_more=True).SerializeToString(),
        "another order": b"\x12\x01f\x0a\x01m",
        "a name twice": b"\x0a\x01m\x12\x01f\x12\x01g",
        "an unknown field": b"\x0a\x01m\x12\x01f\x32\x00",
        "no UTF-8": b"\x0a\x01\xff\x12\x01f",
        "no UTF-8 twice, found by fuzzing": b"\x0a\x01\xff\x12\x01\xff",
        "no UTF-8 in keywords": b"\x0a\x01m\x12\x01f\x22\x07\x0a\x01\xff\x12\x02\x18\x02",
        "a keyword twice": b"\x0a\x01m\x12\x01f" + 2 * b"\x22\x07\x0a\x01k\x12\x02\x18\x02",
        "an argument without a kind": b"\x0a\x01m\x12\x01f\x1a\x00",
    }.values(),
    ids=repr,
)  # fmt: skip
def test_what_is_unusual_is_left_to_protobuf(payload):
    assert in_c(payload) is None


@given(anything)
def test_an_answer_is_what_protobuf_writes(value):
    made = plain_answer(value)
    if made is not None:
        response = pb.CallFunctionResponse()
        with in_python():
            encode(value, response.value)
        assert made == response.SerializeToString()


def test_an_answer_of_every_length_has_its_length_before_it():
    for size in (*range(120, 135), 16_380, 16_390, 2_100_000):
        answer = pb.CallFunctionResponse.FromString(plain_answer("x" * size))
        assert len(answer.value.string_value) == size


@pytest.mark.parametrize("arguments", [(), (b"", 1), ("x", 1, 1), (b"", "x", 1), (b"", 1 << 80, 1)])
def test_wrong_arguments_are_errors(arguments):
    with pytest.raises((TypeError, OverflowError)):
        _compiled.call(*arguments)


def test_nothing_is_left_behind():
    payload = request("module", "function", [[1, {"a": (2.5, None)}], "text"], {"k": b"x"})

    def work(times: int) -> None:
        for _ in range(times):
            _compiled.call(payload, *LIMITS)
            _compiled.call(payload[:-1], *LIMITS)
            _compiled.call(payload, 1, 3)
            _compiled.call(payload + b"\x1a\x00", *LIMITS)
            _compiled.encode_only([1, object()], *LIMITS, 1000)

    work(100)
    before = sys.getallocatedblocks()
    work(1000)
    assert sys.getallocatedblocks() - before < 500
