"""Large arguments and results past protobuf: the same contract on the wire, the same values, none of the copies."""

from __future__ import annotations

import numpy
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from callgate._wire import call_request, decode_response
from callgate.errors import Exhausted
from callgate.v1 import function_service_pb2 as pb
from callgate.values import DEFAULT_LIMITS, decode, decode_arguments, encode
from callgate.values.large import LARGE, LargeCall, large_result, written
from callgate.values.requests import as_message, call_of

MANY = 1 << 30


def request(*args, **kwargs):
    return call_request("module", "function", args, kwargs, MANY)


def response(value):
    """A CallFunctionResponse as the server writes it."""
    hole = []
    message = encode(value, None, "result", DEFAULT_LIMITS, hole)
    return written(b"", 1, [(message, hole.pop() if hole else None)])


def arguments(payload):
    call = call_of(payload)
    return decode_arguments(call.args, call.kwargs)


def same(left, right):
    if isinstance(left, numpy.ndarray):
        return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
    return type(left) is type(right) and left == right


ARRAYS = [
    numpy.arange(LARGE // 8, dtype="float64"),
    numpy.arange(LARGE, dtype="int64").reshape(64, -1),
    numpy.arange(LARGE // 4, dtype="float32").reshape(2, 2, -1)[:, :, ::-1],  # not contiguous
    numpy.zeros(LARGE + 1, dtype="bool"),
    numpy.ones(LARGE // 16, dtype="complex128"),
    numpy.arange(LARGE // 8, dtype=">i8"),
    numpy.arange(LARGE // 8).astype("datetime64[s]"),
    numpy.full(LARGE, "ab", dtype="U3"),
    numpy.full(LARGE, b"ab", dtype="S3"),
    numpy.asfortranarray(numpy.arange(LARGE // 8, dtype="float64").reshape(128, -1)),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype.str}-{array.ndim}d")
def test_an_array_arrives_as_it_would_in_a_message(array):
    """What protobuf reads of it, and what is read past protobuf, is what the ordinary way gives."""
    ordinary = decode(encode(array))
    payload = request(array)
    assert same(decode(pb.CallFunctionRequest.FromString(payload).args[0]), ordinary)
    assert type(call_of(payload)) is LargeCall
    (got,), _ = arguments(payload)
    assert same(got, ordinary)
    assert got.flags.writeable
    assert got.flags.c_contiguous
    assert got.flags.aligned
    result = response(array)
    assert same(decode(pb.CallFunctionResponse.FromString(result).value), ordinary)
    assert large_result(result) is not None
    assert same(decode_response(result), ordinary)


@given(st.text(max_size=20), st.text(max_size=20), st.integers(0, 9))
def test_elements_are_aligned_whatever_comes_before_them(module, function, more):
    array = numpy.arange(LARGE // 8, dtype="float64")
    payload = call_request(module, function, (1, "x" * more, array, array), {"k": more}, MANY)
    call = call_of(payload)
    assert (call.module, call.function, dict(call.kwargs).keys()) == (module, function, {"k"})
    assert all(one.tensor_value.data.start % 8 == 0 for one in call.args[2:])
    (number, text, first, second), kwargs = arguments(payload)
    assert (number, text, kwargs) == (1, "x" * more, {"k": more})
    first[:] = 0  # in the message's memory, and nowhere else
    assert (second == array).all()


def test_large_and_small_arguments_keep_their_places():
    large, bytes_, small = numpy.ones(LARGE), b"\x01" * LARGE, numpy.zeros(0)
    args, kwargs = arguments(request(small, large, 1, bytes_, None, large[:3], name=large))
    for got, sent in zip(args, (small, large, 1, bytes_, None, large[:3]), strict=True):
        assert same(got, sent)
    assert same(kwargs["name"], large)


def test_what_is_large_inside_something_goes_the_ordinary_way():
    value = [numpy.ones(LARGE), b"\x01" * LARGE]
    payload = request(value)
    assert type(call_of(payload)) is pb.CallFunctionRequest
    (got,), _ = arguments(payload)
    assert same(got[0], value[0])
    assert got[1] == value[1]
    assert decode_response(response(value))[1] == value[1]


def test_an_array_of_another_client_that_is_not_aligned_is_copied_to_where_it_is():
    array = numpy.arange(LARGE // 8, dtype="float64")
    starts = set()
    for length in range(1, 9):
        message = pb.CallFunctionRequest(module="m" * length, function="f")
        encode(array, message.args.add())
        payload = message.SerializeToString()
        starts.add(call_of(payload).args[0].tensor_value.data.start % 8)
        (got,), _ = arguments(payload)
        assert same(got, array)
        assert got.flags.aligned
        assert got.flags.writeable
    assert len(starts) == 8


def test_a_large_call_can_be_passed_on_as_it_came():
    payload = request(b"\x01" * LARGE, takes=1)
    call = call_of(payload)
    assert call.SerializeToString() == payload
    assert as_message(call) == pb.CallFunctionRequest.FromString(payload)
    small = call_of(request(1j))
    assert as_message(small) is small


def test_the_limit_counts_what_is_left_out_of_the_message_too():
    with pytest.raises(Exhausted, match=r"sends at most 1000 \(max_message\)"):
        call_request("m", "f", (numpy.ones(LARGE),), {}, 1000)


def test_a_field_that_comes_twice_is_read_by_protobuf():
    """Singular messages merge, and the last scalar wins: rules that are protobuf's to follow."""
    once = response(b"\x01" * LARGE)
    twice = once + pb.CallFunctionResponse(value=encode(5)).SerializeToString()
    assert large_result(twice) is None
    assert decode_response(twice) == 5


@given(st.binary(max_size=40), st.integers(0, 60), st.integers(0, 255))
def test_bytes_that_are_no_message_are_refused_as_protobuf_does(tail, at, byte):
    """A large message, broken at its front or with something behind it: the same outcome as protobuf's own."""
    broken = bytearray(request(numpy.zeros(LARGE // 8), 7) + tail)
    broken[at] = byte
    payload = bytes(broken)
    try:
        expected = pb.CallFunctionRequest.FromString(payload)
    except DecodeError:
        with pytest.raises(DecodeError):
            call_of(payload)
        return
    got = call_of(payload)
    assert (got.module, got.function, len(got.args)) == (expected.module, expected.function, len(expected.args))
    for mine, theirs in zip(got.args, expected.args, strict=True):
        kind = theirs.WhichOneof("kind")
        if type(mine) is not type(theirs):
            assert mine.WhichOneof("kind") == kind
            if kind == "tensor_value":
                left, right = mine.tensor_value, theirs.tensor_value
                assert (left.dtype, [*left.shape], left.scalar) == (right.dtype, [*right.shape], right.scalar)
                assert left.data.view() == right.data
            else:
                assert mine.bytes_value == theirs.bytes_value
