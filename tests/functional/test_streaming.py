"""StreamFunction over a real socket: backpressure, many open streams, ends of every kind."""

from __future__ import annotations

import threading
import time

import grpc
import pytest
import streamed_functions as functions
from google.rpc.status_pb2 import Status

import callgate
from callgate.failures import error_from_status
from callgate.v1 import function_service_pb2 as pb
from callgate.v1.function_service_pb2_grpc import FunctionServiceStub
from callgate.values import decode, encode

EXPOSED = [
    {"functions": ("math.sqrt",)},
    {"functions": ("streamed_functions.endless_threaded",), "executor": "threads"},
    {"functions": ("streamed_functions.*",)},
]


@pytest.fixture
def server(serve):
    functions.reset()
    return serve(expose=EXPOSED)


@pytest.fixture
def stub(server):
    with grpc.insecure_channel(server.address) as channel:
        yield FunctionServiceStub(channel)


def request(function, *args):
    made = pb.CallFunctionRequest(module="streamed_functions", function=function)
    for arg in args:
        encode(arg, made.args.add())
    return made


def values(answers):
    return [decode(answer.value) for answer in answers]


def failure(error):
    status = Status()
    status.ParseFromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    return error_from_status(status)


def test_items_arrive_and_the_end(stub):
    assert values(stub.StreamFunction(request("count", 1000), timeout=30)) == list(range(1000))


def test_the_first_item_comes_before_the_second_is_made(stub):
    answers = stub.StreamFunction(request("one_then_wait"), timeout=30)
    assert decode(next(answers).value) == "first"
    functions.go_on.set()
    assert values(answers) == ["second"]


def test_an_exception_midway_comes_after_the_items_before_it(stub):
    answers = stub.StreamFunction(request("fail_after", 3), timeout=30)
    assert [decode(next(answers).value) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(grpc.RpcError) as caught:
        next(answers)
    assert isinstance(failure(caught.value), KeyError)


@pytest.mark.parametrize("function", ["endless", "endless_threaded", "endless_async"])
def test_a_slow_reader_stops_the_generator_and_cancelling_closes_it(stub, function):
    answers = stub.StreamFunction(request(function, 10_000), timeout=30)
    next(answers)
    stands_still(lambda: functions.made[function])
    # What HTTP/2 holds: gRPC bounds it in bytes, not items, and widens its window to what a connection carries in the
    # time of a round trip, which on loopback is a lot.
    assert functions.made[function] * 10_000 < 64 << 20
    assert not functions.closed[function].is_set()
    answers.cancel()
    assert functions.closed[function].wait(20)


@pytest.mark.slow
def test_a_deadline_closes_the_generator(stub):
    answers = stub.StreamFunction(request("endless", 10), timeout=1)
    with pytest.raises(grpc.RpcError) as caught:
        for _ in answers:
            pass
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert functions.closed["endless"].wait(20)


@pytest.mark.parametrize("function", ["late_item", "late_end"])
def test_nothing_that_comes_after_the_deadline_is_sent_as_if_it_had_come_in_time(stub, function):
    answers = stub.StreamFunction(request(function), timeout=30)
    assert decode(next(answers).value) == "in time"
    with pytest.raises(grpc.RpcError) as caught:
        next(answers)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert functions.closed[function].wait(20)


def test_a_disconnect_closes_the_generator(server):
    channel = grpc.insecure_channel(server.address)
    next(FunctionServiceStub(channel).StreamFunction(request("endless", 10), timeout=30))
    channel.close()
    assert functions.closed["endless"].wait(20)


def test_a_stream_called_as_a_function_is_a_clear_error_and_the_reverse(server, stub):
    with callgate.connect(server.address) as gate:
        with pytest.raises(callgate.FailedPrecondition) as caught:
            gate.call("streamed_functions", "count", 3)
        assert caught.value.reason == "WRONG_METHOD"
    with pytest.raises(grpc.RpcError) as error:
        list(stub.StreamFunction(pb.CallFunctionRequest(module="math", function="sqrt"), timeout=30))
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT  # no argument
    plain = request("plain")
    with pytest.raises(grpc.RpcError) as error:
        list(stub.StreamFunction(plain, timeout=30))
    assert failure(error.value).reason == "WRONG_METHOD"


@pytest.mark.slow
def test_500_open_streams_keep_neither_calls_nor_health_waiting(server):
    with grpc.insecure_channel(server.address) as channel, callgate.connect(server.address) as gate:
        stub = FunctionServiceStub(channel)
        streams = [stub.StreamFunction(request("count", 3), timeout=60) for _ in range(500)]
        for stream in streams:
            assert decode(next(stream).value) == 0
        assert gate.health() == "SERVING"
        assert gate.call("math", "sqrt", 16.0) == 4.0
        for stream in streams:
            assert values(stream) == [1, 2]


@pytest.mark.slow
def test_streams_and_calls_interleave_on_serial(server):
    with grpc.insecure_channel(server.address) as channel, callgate.connect(server.address) as gate:
        stub = FunctionServiceStub(channel)
        answers = []
        threads = [
            threading.Thread(
                target=lambda: answers.append(values(stub.StreamFunction(request("count", 300), timeout=60)))
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for number in range(200):
            assert gate.call("math", "sqrt", float(number * number)) == float(number)
        for thread in threads:
            thread.join(60)
        assert answers == [list(range(300))] * 8


def stands_still(read, seconds=20):
    """Wait until a count that may still grow has not for a while: nothing announces that a generator is held back."""
    end = time.monotonic() + seconds
    last, since = read(), time.monotonic()
    while time.monotonic() - since < 0.3:
        assert time.monotonic() < end, "it never stood still"
        now = read()
        if now != last:
            last, since = now, time.monotonic()
