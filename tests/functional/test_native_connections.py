"""What the native transport does by itself, on its own sockets: bursts, compression, slow readers, many connections."""

from __future__ import annotations

import resource
import socket
import threading
import time

import grpc
import pytest
import served_functions
import streamed_functions as streamed
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

import callgate
from callgate.http2.kinds import STATUS
from callgate.v1 import function_service_pb2 as pb
from callgate.v1.function_service_pb2_grpc import FunctionServiceStub
from callgate.values import decode, encode
from callgate_server.transports.connections import Connections
from tests.contract.test_waiting import wait_until
from tests.functional.server_process import ServerProcess

Session = pytest.importorskip("callgate.http2.session", reason="nghttp2 was not there at the installation").Session

M = "served_functions"


@pytest.fixture
def native(serve):
    """A server, serial, with the default settings."""
    return serve(transport="native").address


@pytest.fixture
def stub(native):
    with grpc.insecure_channel(native) as channel:
        yield FunctionServiceStub(channel)


def request(function: str, *args: object) -> pb.CallFunctionRequest:
    made = pb.CallFunctionRequest(module=M, function=function)
    for arg in args:
        encode(arg, made.args.add())
    return made


def test_calls_that_come_together_end_each_in_its_own_way(stub):
    for _ in range(3):  # the first make the functions known to be quick
        assert decode(stub.CallFunction(request("add", 1, 2)).value) == 3
    calls = []
    for number in range(100):
        calls.append((stub.CallFunction.future(request("add", number, 1), timeout=20), number + 1))
        for wrong, code in (
            (request("boom", str(number)), grpc.StatusCode.UNKNOWN),
            (request("no_such"), grpc.StatusCode.NOT_FOUND),
            (request("add", number, 1, 2), grpc.StatusCode.INVALID_ARGUMENT),
            (request("count_down", 1), grpc.StatusCode.FAILED_PRECONDITION),
        ):
            calls.append((stub.CallFunction.future(wrong, timeout=20), code))
    for call, end in calls:
        if isinstance(end, int):
            assert decode(call.result().value) == end
        else:
            assert call.code() is end


@pytest.mark.slow
def test_a_call_that_turns_out_to_take_long_is_stopped_and_holds_up_no_other(serve):
    server = serve(transport="native", executor="threads")
    with grpc.insecure_channel(server.address) as channel:
        stub = FunctionServiceStub(channel)
        name = "burst turns slow"
        event = served_functions.event(name)
        event.set()
        for _ in range(5):
            stub.CallFunction(request("wait_for", name), timeout=20)  # it is quick
        event.clear()
        calls = [stub.CallFunction.future(request("add", number, 0), timeout=20) for number in range(5)]
        began = time.monotonic()
        slow = stub.CallFunction.future(request("wait_until_cancelled", f"{name} now"), timeout=2)
        calls += [stub.CallFunction.future(request("add", number, 0), timeout=20) for number in range(5, 40)]
        assert [decode(call.result().value) for call in calls] == list(range(40))
        assert not slow.done() or time.monotonic() - began >= 2
        assert slow.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert served_functions.event(f"{name} now cancelled").wait(20)


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_requests_are_taken(native, compression):
    with grpc.insecure_channel(native, compression=compression) as channel:
        stub = FunctionServiceStub(channel)
        assert decode(stub.CallFunction(request("echo", "x" * 10_000), timeout=20).value) == "x" * 10_000
        assert [decode(one.value) for one in stub.StreamFunction(request("count_down", 2), timeout=20)] == [2, 1]


def test_a_request_that_is_too_large_once_it_is_decompressed_is_refused(serve):
    address = serve(transport="native", limits={"message": 10_000}).address
    with (
        grpc.insecure_channel(address, compression=grpc.Compression.Gzip) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        FunctionServiceStub(channel).CallFunction(request("leave_trace", "x" * 1_000_000), timeout=20)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert ("x" * 1_000_000, "ran") not in served_functions.TRACES


def test_reflection_answers_every_message_of_a_stream_and_ends_with_it(native):
    with grpc.insecure_channel(native) as channel:
        questions = [reflection_pb2.ServerReflectionRequest(list_services="")] * 5
        answers = list(ServerReflectionStub(channel).ServerReflectionInfo(iter(questions), timeout=20))
        assert len(answers) == 5
        assert len({str(answer) for answer in answers}) == 1
        assert list(ServerReflectionStub(channel).ServerReflectionInfo(iter(()), timeout=20)) == []


def test_a_client_that_asks_and_does_not_read_is_refused_after_a_while_and_others_are_not(serve):
    server = serve(transport="native", limits={"message": 100_000})
    host, _, port = server.address.rpartition(":")
    message = request("sized", 90_000).SerializeToString()
    with socket.create_connection((host, int(port))) as raw:
        # Next to no window: what it is answered stays with the server.
        client = Session(
            server=False, max_message=1 << 20, crowd=1, window=1, streams=0, authority=b"x", scheme=b"http", agent=b"x"
        )
        received = raw.makefile("rb")
        codes: list[int] = []
        asked = 0
        while not codes and asked < 50:
            asked += 1
            client.request(b"/callgate.v1.FunctionService/CallFunction", None, (), message, False)
            raw.sendall(client.output(1 << 20))
            kind = number = 0
            while (kind, number) != (1, 2 * asked - 1):  # until this one's headers are there, be it a refusal
                frame = received.read(9)
                kind, number = frame[3], int.from_bytes(frame[5:9], "big")
                frame += received.read(int.from_bytes(frame[:3], "big"))
                codes += [event[3] for event in client.receive(frame) if event[0] == STATUS]
        assert set(codes) == {grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]}
        assert 4 <= asked < 12  # four times the largest message
        with callgate.connect(server.address) as gate:
            assert gate.call(M, "add", 1, 2) == 3


@pytest.mark.slow
def test_a_deadline_ends_a_stream_whose_client_neither_reads_nor_leaves(serve):
    streamed.reset()
    server = serve(transport="native", expose=[{"functions": ("streamed_functions.*",)}])
    host, _, port = server.address.rpartition(":")
    message = pb.CallFunctionRequest(module="streamed_functions", function="endless")
    encode(100_000, message.args.add())
    with socket.create_connection((host, int(port))) as raw:
        client = Session(
            server=False, max_message=1 << 20, crowd=1, window=1, streams=0, authority=b"x", scheme=b"http", agent=b"x"
        )
        path = b"/callgate.v1.FunctionService/StreamFunction"
        client.request(path, b"1S", (), message.SerializeToString(), True)
        raw.sendall(client.output(1 << 20))
        assert streamed.closed["endless"].wait(20)


def turned_away(one: socket.socket) -> bool:
    """Whether the server has closed it; what it said before is dropped."""
    one.settimeout(0)
    try:
        return one.recv(65536) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


@pytest.mark.slow
def test_more_connections_than_descriptors_are_turned_away_and_the_rest_goes_on():
    with ServerProcess("math", "--transport", "native") as server:
        with callgate.connect(server.address) as gate:
            assert gate.call("math", "sqrt", 4.0) == 2.0
            host, _, port = server.address.rpartition(":")
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (40, 40))
            opened = [socket.create_connection((host, int(port))) for _ in range(60)]
            assert gate.call("math", "sqrt", 9.0) == 3.0  # who is in stays in
            wait_until(lambda: sum(map(turned_away, opened)) > 10)
            for one in opened:
                one.close()
            deadline = time.monotonic() + 20
            while True:  # as soon as there is room again
                try:
                    with callgate.connect(server.address, wait=1) as another:
                        assert another.call("math", "sqrt", 16.0) == 4.0
                    break
                except callgate.Unavailable:
                    assert time.monotonic() < deadline
        assert server.stop() == 0


def test_a_stopping_server_lets_a_client_read_what_it_was_answered(serve):
    server = serve(transport="native", shared=False)
    size = 8_000_000  # more than sockets hold
    with grpc.insecure_channel(server.address, options=[("grpc.max_receive_message_length", 1 << 30)]) as channel:
        call = FunctionServiceStub(channel).CallFunction.future(request("sized", size), timeout=30)
        while not server.dispatcher.outcomes["OK"]:
            pass
        stopper = threading.Thread(target=server.stop, args=(20.0,))
        stopper.start()
        assert len(decode(call.result().value)) >= size
        stopper.join(30)


def test_a_server_that_has_ended_before_it_is_woken_to_end_stops_cleanly(serve, monkeypatch):
    server = serve(transport="native", shared=False)
    wake = Connections.wake

    def wake_again_at_the_end(connections):
        wake(connections)
        if server.transport._ending:
            assert server.transport._ended.wait(20)
            wake(connections)  # as if the thread that leads had been quicker than the one that stops

    monkeypatch.setattr(Connections, "wake", wake_again_at_the_end)
    assert server.stop(20)
