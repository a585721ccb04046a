"""Both transports behave alike, beside each other in one run: what a client sees of either is the same.

The rest of the functional suite runs on either by `pytest --transport`; here are the things that a transport does by
itself: reflection, health, deadlines, cancellation, metadata, limits, drain.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import grpc
import lifecycle_functions as lifecycle
import pytest
import served_functions
import streamed_functions as streamed
import structlog
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

import callgate
from callgate.v1 import function_service_pb2 as pb
from callgate.v1.function_service_pb2_grpc import FunctionServiceStub
from callgate.values import decode, encode
from tests.functional.test_lifecycle import background

M = "served_functions"
SERVICE = "callgate.v1.FunctionService"
LIMIT = 4096
EXPOSED = [{"functions": (f"{M}.*", "lifecycle_functions.*", "streamed_functions.*"), "executor": "threads"}]
TRANSPORTS = ("grpcio", "native")

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Iterator[str]:
    lifecycle.reset()
    streamed.reset()
    yield request.param
    lifecycle.release.set()
    streamed.go_on.set()


@pytest.fixture
def make(serve, transport):
    """Starts servers over this transport."""

    def made(**settings):
        return serve(expose=EXPOSED, transport=transport, **settings)

    return made


@pytest.fixture
def channel(make) -> Iterator[grpc.Channel]:
    """To a server that takes messages of 4 KiB."""
    with grpc.insecure_channel(make(limits={"message": LIMIT}).address) as opened:
        yield opened


@pytest.fixture
def stub(channel):
    return FunctionServiceStub(channel)


def request(function: str, *args: object, module: str = M) -> pb.CallFunctionRequest:
    made = pb.CallFunctionRequest(module=module, function=function)
    for arg in args:
        encode(arg, made.args.add())
    return made


def refused(work) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        work()
    return caught.value


def info_of(error: grpc.RpcError) -> ErrorInfo:
    """The ErrorInfo of a failure's rich status, which has the same code and message as the failure itself."""
    status = rpc_status.from_call(error)
    assert status is not None
    info = ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    return info


def test_reflection_tells_every_service_and_every_message(make):
    with grpc.insecure_channel(make().address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert set(database.get_services()) == {
            SERVICE,
            "callgate.v1.AdminService",
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
        }
        file = database.FindFileContainingSymbol(SERVICE)
        methods = {method.name for service in file.service for method in service.method}
        assert methods == {"CallFunction", "StreamFunction", "BatchCallFunctions", "ListFunctions", "GetFunction"}
        for symbol in ("callgate.v1.Value", "callgate.v1.PythonException", "grpc.health.v1.HealthCheckRequest"):
            assert database.FindFileContainingSymbol(symbol).message_type


@pytest.mark.slow
def test_health_is_told_to_who_asks_and_who_watches_until_the_calls_have_ended(make):
    server = make(shared=False)
    with grpc.insecure_channel(server.address) as channel:
        stub, health = FunctionServiceStub(channel), HealthStub(channel)
        watching = [health.Watch(health_pb2.HealthCheckRequest(service=name), timeout=30) for name in ("", SERVICE)]
        assert [next(watch).status for watch in watching] == [SERVING, SERVING]
        held = stub.CallFunction.future(request("hold", module="lifecycle_functions"), timeout=30)
        assert lifecycle.started.wait(20)
        stopped = background(lambda: server.stop(20))
        assert [next(watch).status for watch in watching] == [NOT_SERVING, NOT_SERVING]
        for name in ("", SERVICE):
            assert health.Check(health_pb2.HealthCheckRequest(service=name), timeout=20).status == NOT_SERVING
        unknown = refused(lambda: health.Check(health_pb2.HealthCheckRequest(service="no.such"), timeout=20))
        assert unknown.code() is grpc.StatusCode.NOT_FOUND
        assert not held.done()
        lifecycle.release.set()
        assert decode(held.result(20).value) == "held"
        assert stopped() is True
        for watch in watching:
            refused(lambda watch=watch: list(watch))


def test_a_draining_server_lets_what_runs_end_and_refuses_whatever_is_new(make, transport):
    server = make(shared=False)
    with grpc.insecure_channel(server.address) as channel:
        stub = FunctionServiceStub(channel)
        held = stub.CallFunction.future(request("hold", module="lifecycle_functions"), timeout=30)
        items = stub.StreamFunction(request("one_then_wait", module="streamed_functions"), timeout=30)
        many = stub.BatchCallFunctions(
            pb.BatchCallFunctionsRequest(calls=[request("wait_for", f"drain {transport}")]), timeout=30
        )
        assert decode(next(items).value) == "first"
        assert lifecycle.started.wait(20)
        assert served_functions.event(f"drain {transport} started").wait(20)
        stopped = background(lambda: server.stop(20))
        with callgate.connect(server.address) as gate:
            while gate.health() == "SERVING":
                pass
        for work in (
            lambda: stub.CallFunction(request("leave_trace", "draining"), timeout=20),
            lambda: list(stub.StreamFunction(request("count", 3, module="streamed_functions"), timeout=20)),
        ):
            error = refused(work)
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert info_of(error).reason == "DRAINING"
        (answer,) = stub.BatchCallFunctions(
            pb.BatchCallFunctionsRequest(calls=[request("leave_trace", "draining")]), timeout=20
        )
        assert [result.error.code for result in answer.results] == [grpc.StatusCode.UNAVAILABLE.value[0]]
        assert ("draining", "ran") not in served_functions.TRACES
        lifecycle.release.set()
        streamed.go_on.set()
        served_functions.event(f"drain {transport}").set()
        assert decode(held.result(20).value) == "held"
        assert [decode(item.value) for item in items] == ["second"]
        assert [result.index for answer in many for result in answer.results] == [0]
        assert stopped() is True


@pytest.mark.slow
def test_a_deadline_and_a_cancellation_end_the_function_whatever_kind_of_call_it_is(stub, transport):
    def batch(name):
        return pb.BatchCallFunctionsRequest(calls=[request("wait_until_cancelled", name)])

    late = f"late {transport}"
    error = refused(lambda: stub.CallFunction(request("wait_until_cancelled", late), timeout=1))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert served_functions.event(f"{late} cancelled").wait(20)

    late = f"late batch {transport}"
    try:  # whichever is first: the server, which fails the call, or the client, which fails the batch
        (answer,) = stub.BatchCallFunctions(batch(late), timeout=1)
        codes = [result.error.code for result in answer.results]
    except grpc.RpcError as error:
        codes = [error.code().value[0]]
    assert codes == [grpc.StatusCode.DEADLINE_EXCEEDED.value[0]]
    assert served_functions.event(f"{late} cancelled").wait(20)

    for name, call in (
        (f"left {transport}", lambda name: stub.CallFunction.future(request("wait_until_cancelled", name))),
        (f"left batch {transport}", lambda name: stub.BatchCallFunctions(batch(name))),
    ):
        calling = call(name)
        assert served_functions.event(f"{name} started").wait(20)
        calling.cancel()
        assert served_functions.event(f"{name} cancelled").wait(20)

    items = stub.StreamFunction(request("endless", 10, module="streamed_functions"))
    next(items)
    items.cancel()
    assert streamed.closed["endless"].wait(20)


def test_a_stream_leaves_nothing_behind_however_it_ends(make):
    server = make(shared=False)
    with structlog.testing.capture_logs() as logged, grpc.insecure_channel(server.address) as channel:
        stub = FunctionServiceStub(channel)
        items = stub.StreamFunction(request("endless", 10, module="streamed_functions"))
        next(items)
        items.cancel()
        assert streamed.closed["endless"].wait(20)
        assert [decode(item.value) for item in stub.StreamFunction(request("count_down", 2))] == [2, 1]
        error = refused(lambda: list(stub.StreamFunction(request("fail_after", 0, module="streamed_functions"))))
        assert error.code() is grpc.StatusCode.UNKNOWN
        server.stop(20)
    assert [entry for entry in logged if entry["log_level"] not in ("debug", "info")] == []


#: Failures of every kind: who makes them, and the keys of the trailing metadata that the contract promises.
FAILURES = {
    "the function raised": request("boom", "häßlich, % and \n a new line"),
    "with a cause": request("refuse_order", 7),
    "a status of its own": request("choose_status", "ALREADY_EXISTS", "twice"),
    "nothing of that name": request("ech"),
    "arguments that do not fit": request("add"),
    "too large an answer": request("sized", 2 * LIMIT),
    "a stream": request("count_down", 3),
    "no name": pb.CallFunctionRequest(),
}


@pytest.mark.parametrize("how", FAILURES)
def test_a_failure_carries_the_same_metadata_whoever_carries_it(serve, how):
    def answer(transport: str):
        server = serve(expose=EXPOSED, transport=transport, limits={"message": LIMIT})
        with grpc.insecure_channel(server.address) as channel:
            error = refused(lambda: FunctionServiceStub(channel).CallFunction(FAILURES[how], timeout=20))
        metadata = dict(error.trailing_metadata())
        assert set(metadata) == {"callgate-call-id", "grpc-status-details-bin"}
        status = rpc_status.from_call(error)
        assert status is not None
        assert status.code == error.code().value[0]
        call_id = metadata["callgate-call-id"]
        text = str(status).replace(call_id, "THE-ID")
        return error.code(), error.details().replace(call_id, "THE-ID"), text, list(error.initial_metadata())

    grpcio, native = (answer(transport) for transport in TRANSPORTS)
    assert native == grpcio


@pytest.mark.slow
def test_a_request_beyond_the_limit_is_refused_with_both_numbers(stub):
    most = LIMIT + 1024  # what surrounds the payload does not count
    large = request("leave_trace", b"x" * most)
    batch = pb.BatchCallFunctionsRequest(calls=[large])
    for size, work in (
        (large.ByteSize(), lambda: stub.CallFunction(large, timeout=20)),
        (large.ByteSize(), lambda: list(stub.StreamFunction(large, timeout=20))),
        (batch.ByteSize(), lambda: list(stub.BatchCallFunctions(batch, timeout=20))),
    ):
        error = refused(work)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert str(size) in error.details()
        assert str(most) in error.details()
    assert (b"x" * most, "ran") not in served_functions.TRACES
    whole = request("leave_trace", b"x" * LIMIT)
    assert whole.ByteSize() > LIMIT
    assert stub.CallFunction(whole, timeout=20)


def test_metadata_comes_to_the_function_as_it_was_sent_and_none_is_made_up(stub):
    answer, call = stub.CallFunction.with_call(
        request("chain"), metadata=[("callgate-call-chain", "a,b"), ("x-other-bin", bytes(range(256)))], timeout=20
    )
    assert decode(answer.value)[:2] == ["a", "b"]
    assert not call.initial_metadata()
    assert not call.trailing_metadata()


@pytest.mark.slow
def test_many_calls_of_one_connection_end_each_in_its_own_way(stub):
    """Answered, raised, cancelled, too late, all at once: nobody gets another's end."""
    together = threading.Barrier(4)
    wrong: list[object] = []

    def caller(number: int) -> None:
        together.wait()
        for turn in range(25):
            token = f"{number}/{turn}"
            calls = {
                "answered": stub.CallFunction.future(request("echo", token), timeout=20),
                "raised": stub.CallFunction.future(request("boom", token), timeout=20),
                "cancelled": stub.CallFunction.future(request("wait_until_cancelled", f"cancelled {token}")),
                "late": stub.CallFunction.future(request("wait_until_cancelled", f"late {token}"), timeout=0.02),
            }
            calls["cancelled"].cancel()
            ends = {name: call.code() for name, call in calls.items()}
            if decode(calls["answered"].result().value) != token or calls["raised"].details() != f"ValueError: {token}":
                wrong.append(token)
            if ends != {
                "answered": grpc.StatusCode.OK,
                "raised": grpc.StatusCode.UNKNOWN,
                "cancelled": grpc.StatusCode.CANCELLED,
                "late": grpc.StatusCode.DEADLINE_EXCEEDED,
            }:
                wrong.append(ends)

    threads = [threading.Thread(target=caller, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
        assert not thread.is_alive()
    assert wrong == []
