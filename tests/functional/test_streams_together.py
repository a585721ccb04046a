"""Streams whose items come several to a message, over a real socket: for who asked for that, and for nobody else."""

from __future__ import annotations

import asyncio
import itertools
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import pytest
import together_functions as functions
from google.rpc.status_pb2 import Status

import callgate
import callgate.aio
import tests.conftest
from callgate.failures import error_from_status
from callgate.v1 import function_service_pb2 as pb
from callgate.v1.function_service_pb2_grpc import FunctionServiceStub
from callgate.values import decode, encode
from tests.functional.test_streaming import stands_still

M = "together_functions"
EXPOSED = [
    {"functions": (f"{M}.endless_threaded",), "executor": "threads"},
    {"functions": (f"{M}.*",)},
]
#: What a message of several items has at most, bytes.
PACKED = 64 << 10

both = pytest.mark.parametrize("takes_more", [False, True], ids=["one a message", "together"])


@pytest.fixture
def server(serve):
    functions.reset()
    yield serve(expose=EXPOSED)
    functions.go_on.set()


@pytest.fixture
def stub(server):
    with grpc.insecure_channel(server.address) as channel:
        yield FunctionServiceStub(channel)


@pytest.fixture
def gate(server):
    with callgate.connect(server.address) as made:
        yield made


def with_gate(server, main):
    async def run():
        async with callgate.aio.connect(server.address) as gate:
            return await asyncio.wait_for(main(gate), 30)

    return asyncio.run(run())


def request(function, *args, takes_more=True):
    made = pb.CallFunctionRequest(module=M, function=function, takes_more=takes_more)
    for arg in args:
        encode(arg, made.args.add())
    return made


def items_of(message):
    return [decode(value) for value in (message.value, *message.more)]


def failure(error):
    status = Status()
    status.ParseFromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    return error_from_status(status)


def until_failure(items):
    """What comes before an iteration fails, and how it does."""
    arrived = []
    try:
        for item in items:
            arrived.append(item)
    except Exception as error:
        return arrived, error
    return arrived, None


# ------------------------------------------------------------------------------------------ what arrives


@both
def test_every_item_arrives_once_and_in_order(stub, takes_more):
    messages = list(stub.StreamFunction(request("count", 10_000, takes_more=takes_more), timeout=30))
    assert [item for message in messages for item in items_of(message)] == [*range(10_000)]
    if not takes_more:
        assert len(messages) == 10_000
        assert not any(message.more for message in messages)
    elif tests.conftest.transport == "grpcio":
        assert len(messages) < 10_000


@both
def test_items_that_are_next_to_nothing_arrive_too(stub, takes_more):
    messages = stub.StreamFunction(request("empty", 200, takes_more=takes_more), timeout=30)
    assert repr([item for message in messages for item in items_of(message)]) == repr(functions.EMPTY * 200)


@both
@pytest.mark.parametrize("items", [1, 2, 5])
def test_what_was_made_arrives_though_the_next_item_is_long_in_coming(stub, items, takes_more):
    messages = stub.StreamFunction(request("some_then_wait", items, takes_more=takes_more), timeout=30)
    arrived = []
    while len(arrived) < items:
        arrived += items_of(next(messages))
    assert arrived == [*range(items)]
    functions.go_on.set()
    assert [item for message in messages for item in items_of(message)] == ["last"]


@both
@pytest.mark.parametrize("items", [0, 1, 2, 40, 3000])
def test_items_made_before_an_exception_come_before_it(stub, items, takes_more):
    messages = stub.StreamFunction(request("fail_after", items, takes_more=takes_more), timeout=30)
    arrived, error = until_failure(messages)
    assert [item for message in arrived for item in items_of(message)] == [*range(items)]
    assert isinstance(failure(error), LookupError)


@both
def test_large_items_go_by_themselves_and_in_their_order(stub, takes_more):
    sizes = [1, 70_000, 5, 6, 200_000, 30_000, 30_000, 30_000, 1 << 20, 0, 65_536, 65_530, 1] * 4
    arrived = []
    for message in stub.StreamFunction(request("sized", sizes, takes_more=takes_more), timeout=30):
        arrived += items_of(message)
        assert not message.more or message.ByteSize() <= PACKED
    assert arrived == [bytes([number % 256]) * size for number, size in enumerate(sizes)]


def test_items_that_fit_a_message_only_one_by_one_come_one_by_one(serve):
    """Packed, they would be larger than what this server may send."""
    server = serve(expose=EXPOSED, limits={"message": 68_000})
    with callgate.connect(server.address) as gate:
        sizes = [60_000, 10_000, 66_000, 40_000, 3, 3] * 50
        assert [len(item) for item in gate.stream(M, "sized", sizes)] == sizes


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["serial", "threads", "processes", "interpreters", "coroutines"])
def test_every_executors_items_may_come_together(serve, kind):
    if kind == "interpreters" and sys.version_info < (3, 13):
        pytest.skip("sub-interpreters with a GIL of their own need CPython 3.13")
    workers = {"workers": 1} if kind in ("processes", "interpreters") else {}
    server = serve(expose=[{"functions": (f"{M}.*",), "executor": "one"}], executors={"one": {"kind": kind, **workers}})
    count = "acount" if kind == "coroutines" else "count"
    with callgate.connect(server.address) as gate:
        assert list(gate.stream(M, count, 3000)) == [*range(3000)]
        if kind != "coroutines":
            assert repr(list(gate.stream(M, "empty", 50))) == repr(functions.EMPTY * 50)
            assert b"".join(gate.stream(M, "whole", 3 << 20)) == functions.whole(3 << 20)


# ------------------------------------------------------------------------------------------ who reads slowly, or stops


@pytest.mark.slow
@both
@pytest.mark.parametrize("function", ["endless", "endless_threaded", "endless_async"])
def test_a_slow_reader_stops_the_generator_and_cancelling_closes_it(stub, function, takes_more):
    messages = stub.StreamFunction(request(function, 10_000, takes_more=takes_more), timeout=30)
    next(messages)
    stands_still(lambda: functions.made[function])
    assert functions.made[function] * 10_000 < 64 << 20  # what HTTP/2 holds, and little more
    assert not functions.closed[function].is_set()
    messages.cancel()
    assert functions.closed[function].wait(20)


@both
@pytest.mark.parametrize("function", ["endless", "endless_threaded", "endless_async"])
def test_cancelling_amid_fast_items_closes_the_generator(stub, server, function, takes_more):
    messages = stub.StreamFunction(request(function, 10, takes_more=takes_more), timeout=30)
    for message in messages:
        assert set(items_of(message)) == {b"x" * 10}
        if functions.made[function] > 500:
            break
    messages.cancel()
    assert functions.closed[function].wait(20)


def test_a_disconnect_amid_fast_items_closes_the_generator(server):
    channel = grpc.insecure_channel(server.address)
    for _ in itertools.islice(FunctionServiceStub(channel).StreamFunction(request("endless", 10), timeout=30), 100):
        pass
    channel.close()
    assert functions.closed["endless"].wait(20)


@pytest.mark.slow
def test_a_deadline_amid_fast_items_closes_the_generator(stub):
    with pytest.raises(grpc.RpcError) as caught:
        for _ in stub.StreamFunction(request("endless", 10), timeout=1):
            pass
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert functions.closed["endless"].wait(20)


# ------------------------------------------------------------------------------------------ the Python clients


class Messages:
    """An RPC that has these messages."""

    def __init__(self, *messages):
        self._messages = iter(messages)
        self.cancelled = False

    def __next__(self):
        return next(self._messages)

    def cancel(self):
        self.cancelled = True


def message(*items):
    made = pb.StreamFunctionResponse()
    encode(items[0], made.value)
    for item in items[1:]:
        encode(item, made.more.add())
    return made.SerializeToString()


@pytest.mark.parametrize("read", [1, 2, 3])
def test_closing_in_the_middle_of_a_message_ends_the_iteration(read):
    rpc = Messages(message(1, 2, 3), message(4))
    stream = callgate.client.Stream(rpc, None)
    assert list(itertools.islice(stream, read)) == [1, 2, 3][:read]
    stream.close()
    assert rpc.cancelled
    assert list(stream) == []


def test_an_item_in_the_middle_of_a_message_that_cannot_be_read_ends_the_stream():
    bad = pb.StreamFunctionResponse.FromString(message(1, 2, 3))
    bad.more[0].Clear()
    rpc = Messages(bad.SerializeToString(), message(4))
    stream = callgate.client.Stream(rpc, None)
    assert next(stream) == 1
    with pytest.raises(callgate.ValueDecodeError):
        next(stream)
    assert rpc.cancelled
    assert list(stream) == []


def test_reading_some_and_closing_ends_the_stream_on_both_sides(gate):
    for number in (1, 2, 7, 31, 100, 1000):
        functions.reset()
        with gate.stream(M, "endless", 10) as stream:
            assert list(itertools.islice(stream, number)) == [b"x" * 10] * number
        assert list(stream) == []
        assert functions.closed["endless"].wait(20)


def test_readers_of_many_streams_at_once_each_get_their_own(gate):
    found = {}

    def read(number):
        found[number] = list(gate.stream(M, "count", 500 + number))

    threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == {number: [*range(500 + number)] for number in range(8)}


def test_what_waited_for_a_slow_reader_is_all_there(gate):
    with gate.stream(M, "count", 2000) as stream:
        assert next(stream) == 0
        assert functions.ended.wait(20)  # small items: all of them fit on the way
        assert list(stream) == [*range(1, 2000)]


def test_a_stream_closed_by_another_thread_ends_where_it_is_read(gate):
    stream = gate.stream(M, "some_then_wait", 1)
    arrived, first = [], threading.Event()

    def read():
        for item in stream:
            arrived.append(item)
            first.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert first.wait(20)
    stream.close()
    reader.join(20)
    assert not reader.is_alive()
    assert arrived == [0]
    assert functions.closed["some_then_wait"].wait(20)


@pytest.mark.slow
def test_a_deadline_that_passes_while_it_is_read_is_told(gate):
    with gate.stream(M, "some_then_wait", 3, timeout=2) as stream:
        assert list(itertools.islice(stream, 3)) == [0, 1, 2]
        with pytest.raises(callgate.DeadlineExceeded):
            next(stream)
        assert list(stream) == []
    assert functions.closed["some_then_wait"].wait(20)


def test_an_exception_comes_after_all_items_in_both_clients(gate, server):
    for items in (0, 1, 2, 40, 3000):
        arrived, error = until_failure(gate.stream(M, "fail_after", items))
        assert arrived == [*range(items)]
        assert isinstance(error, LookupError)

        async def read(gate, items=items):
            stream = gate.stream(M, "fail_after", items)
            assert [await anext(stream) for _ in range(items)] == [*range(items)]
            with pytest.raises(LookupError, match="no more"):
                await anext(stream)

        with_gate(server, read)


def test_the_asyncio_client_reads_all_in_order_and_closes_in_the_middle(server):
    async def main(gate):
        assert [item async for item in gate.stream(M, "count", 5000)] == [*range(5000)]
        for number in (1, 2, 7, 31, 100):
            functions.reset()
            stream = gate.stream(M, "endless", 10)
            async with stream:
                for _ in range(number):
                    assert await anext(stream) == b"x" * 10
            assert [item async for item in stream] == []
            assert await asyncio.to_thread(functions.closed["endless"].wait, 20)

    with_gate(server, main)


@pytest.mark.slow
def test_the_asyncio_client_gets_the_first_items_at_once_and_the_deadline(server):
    async def main(gate):
        stream = gate.stream(M, "some_then_wait", 2)
        assert [await anext(stream), await anext(stream)] == [0, 1]
        functions.go_on.set()
        assert [item async for item in stream] == ["last"]
        functions.go_on.clear()
        stream = gate.stream(M, "some_then_wait", 2, timeout=2)
        assert [await anext(stream), await anext(stream)] == [0, 1]
        with pytest.raises(callgate.DeadlineExceeded):
            await anext(stream)

    with_gate(server, main)


READER = """
import signal

# A shell that runs the tests in the background has SIGINT ignored, which children inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
import sys, callgate
gate = callgate.connect(sys.argv[1])
try:
    with gate.stream("together_functions", "some_then_wait", 1) as stream:
        for item in stream:
            print(item, flush=True)
except KeyboardInterrupt as error:
    kept = error  # with its traceback, as the REPL keeps it
    print("interrupted", flush=True)
sys.stdin.read()  # the connection stays open
print(list(gate.stream("together_functions", "count", 3)))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="another process's state is read from /proc")
def test_ctrl_c_while_a_stream_is_read_ends_it_here_and_there(server):
    with subprocess.Popen(
        [sys.executable, "-c", READER, server.address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        try:
            assert reader.stdout.readline() == "0\n"
            asleep = 0
            while asleep < 50:  # then it waits for the next item, and not for the GIL
                state = Path(f"/proc/{reader.pid}/stat").read_text().rpartition(")")[2].split()[0]
                asleep = asleep + 1 if state == "S" else 0
                time.sleep(0.001)  # the kernel notifies nobody of it
            reader.send_signal(signal.SIGINT)
            assert functions.closed["some_then_wait"].wait(20)
            said, _ = reader.communicate("", timeout=20)
        finally:
            reader.kill()
    assert said == "interrupted\n[0, 1, 2]\n"


def test_small_message_limits_hold_for_what_comes_together(serve):
    """Items that fit one by one, on a server and for a client that take little more than one."""
    sizes = [5000] * 200
    small = serve(expose=EXPOSED, limits={"message": 16 << 10})
    with callgate.connect(small.address) as gate:
        assert [len(item) for item in gate.stream(M, "sized", sizes)] == sizes
    with callgate.connect(serve(expose=EXPOSED).address, max_message=16 << 10) as gate:
        assert [len(item) for item in gate.stream(M, "sized", sizes)] == sizes
