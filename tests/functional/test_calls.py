"""Calls that go well and calls that fail in every way that a caller should be able to tell apart."""

from __future__ import annotations

import math
import threading

import grpc
import pytest
import served_functions
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import callgate
from callgate.v1 import function_service_pb2 as pb
from callgate.v1 import function_service_pb2_grpc as stubs

M = "served_functions"

VALUES = [
    None,
    True,
    False,
    0,
    -1,
    2**63 - 1,
    -(2**63),
    2**63,
    -(10**400),
    0.5,
    math.inf,
    -math.inf,
    "",
    "text",
    "nul \0 inside",
    "\U0001f600 beyond the basic plane",
    b"",
    bytes(range(256)),
    [],
    [1, 2.5, "three", None, [4]],
    [1.0, 2.0],
    (),
    (1, "two"),
    set(),
    {1, "two", (3, 4)},
    {},
    {"a": 1, 2: "b", (3,): None, None: [True], 1.5: b"x"},
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:24])
def test_a_value_comes_back_as_it_was_with_its_type(gate, value):
    answer = gate.call(M, "echo", value)
    assert answer == value
    assert type(answer) is type(value)


def test_a_nan_and_a_negative_zero_come_back(gate):
    assert math.isnan(gate.call(M, "echo", math.nan))
    assert math.copysign(1, gate.call(M, "echo", -0.0)) == -1


def test_a_mapping_keeps_its_order(gate):
    value = {"z": 1, "a": 2, "m": 3}
    assert list(gate.call(M, "echo", value)) == ["z", "a", "m"]


def test_values_nest_as_deep_as_the_limit_and_no_deeper(gate):
    assert gate.call(M, "nested", 100) == served_functions.nested(100)
    with pytest.raises(callgate.RemoteError, match="100"):
        gate.call(M, "nested", 101)


def test_positional_and_keyword_arguments_bind_as_in_python(gate):
    assert gate.call(M, "shape", 1, 2, 3, 4, c=5, e=6) == served_functions.shape(1, 2, 3, 4, c=5, e=6)
    assert gate.module(M).shape(1, b=2, c=3, d=4) == served_functions.shape(1, b=2, c=3, d=4)


def test_a_default_argument_is_the_functions_own(gate):
    assert gate.call(M, "add", 41) == 42


def test_a_keyword_argument_named_timeout_reaches_the_function(gate):
    assert gate.call_with(M, "keyworded", kwargs={"timeout": 7}) == 7
    assert gate.module(M).keyworded(timeout=8) == 8


def test_nothing_returned_is_none(gate):
    assert gate.call(M, "nothing") is None


def test_a_remote_builtin_exception_is_caught_as_that_builtin(gate):
    with pytest.raises(ZeroDivisionError) as caught:
        gate.call(M, "divide", 1, 0)
    assert isinstance(caught.value, callgate.RemoteError)
    assert caught.value.remote_type == "ZeroDivisionError"
    assert str(caught.value) == "division by zero"
    assert caught.value.code == "UNKNOWN"
    assert caught.value.call_id


def test_an_exception_class_of_the_servers_own_is_its_nearest_builtin_here(gate):
    with pytest.raises(LookupError) as caught:
        gate.call(M, "refuse_order", 7)
    assert isinstance(caught.value, callgate.RemoteError)
    assert caught.value.remote_type == f"{M}.OrderRefused"
    assert caught.value.args == ("no such order", 7)


def test_a_cause_comes_along(gate):
    with pytest.raises(callgate.RemoteError) as caught:
        gate.call(M, "refuse_order", 7)
    assert isinstance(caught.value.__cause__, KeyError)
    assert caught.value.__cause__.args == (7,)


def test_a_context_comes_along(gate):
    with pytest.raises(RuntimeError, match="second") as caught:
        gate.call(M, "fail_while_failing")
    assert isinstance(caught.value.__context__, ZeroDivisionError)
    assert caught.value.__cause__ is None


def test_an_exception_group_is_caught_member_by_member(gate):
    caught = []
    try:
        gate.call(M, "group_failure")
    except* ValueError as group:
        caught += [str(error) for error in group.exceptions]
    except* KeyError as group:
        caught += [error.args for error in group.exceptions]
    assert caught == ["one", ("two",)]


def test_a_function_chooses_the_status_of_its_failure(gate):
    with pytest.raises(callgate.RemoteError) as caught:
        gate.call(M, "choose_status", "ALREADY_EXISTS", "twice")
    assert caught.value.code == "ALREADY_EXISTS"
    assert str(caught.value) == "twice"


@pytest.mark.parametrize(("how", "name"), [("exit", "SystemExit"), ("interrupt", "KeyboardInterrupt")])
def test_what_would_end_the_server_ends_only_the_call(gate, how, name):
    with pytest.raises(callgate.RemoteError) as caught:
        gate.call(M, "leave", how)
    assert caught.value.remote_type == name
    assert gate.call(M, "add", 1) == 2


def test_an_exception_that_cannot_say_what_it_is_still_arrives(gate):
    with pytest.raises(callgate.RemoteError) as caught:
        gate.call(M, "hostile")
    assert caught.value.remote_type == f"{M}.HostileError"


def test_a_result_without_a_value_form_names_its_type_and_place(gate):
    with pytest.raises(callgate.RemoteError) as caught:
        gate.call(M, "unspeakable")
    assert "lock" in str(caught.value)
    assert "result['inner'][1]" in str(caught.value)


def test_an_argument_without_a_value_form_never_leaves(gate):
    with pytest.raises(callgate.ValueFormError) as caught:
        gate.call(M, "echo", [1, object()])
    assert caught.value.path == "args[0][1]"


def test_a_traceback_is_told_on_loopback(gate):
    with pytest.raises(ValueError, match="boom") as caught:
        gate.call(M, "boom")
    assert [frame.function for frame in caught.value.frames] == ["boom"]
    assert caught.value.frames[0].file.endswith("served_functions.py")
    assert any("Remote traceback" in note for note in caught.value.__notes__)


def test_a_traceback_stays_where_the_settings_keep_it(serve):
    with callgate.connect(serve(errors={"traceback": "never"}).address) as gate:
        with pytest.raises(ValueError, match="boom") as caught:
            gate.call(M, "boom")
        assert caught.value.frames == ()
        assert not getattr(caught.value, "__notes__", ())


def test_a_function_that_is_not_there_is_told_with_near_names(gate):
    with pytest.raises(callgate.FunctionNotFound) as caught:
        gate.call(M, "ech", 1)
    assert caught.value.reason == "FUNCTION_NOT_FOUND"
    assert f"{M}.echo" in caught.value.metadata["suggestions"].split(",")
    assert isinstance(caught.value, LookupError)


@pytest.mark.slow
def test_the_servers_own_limit_on_a_function_ends_its_calls(serve):
    server = serve(expose=[{"functions": (f"{M}.*",), "timeout": "1s"}])
    with callgate.connect(server.address) as gate, pytest.raises(callgate.DeadlineExceeded) as caught:
        gate.call(M, "wait_until_cancelled", "limited")
    assert caught.value.reason == "RAN_TOO_LONG"
    assert isinstance(caught.value, TimeoutError)
    assert served_functions.event("limited cancelled").wait(10)


@pytest.mark.slow
def test_the_callers_deadline_ends_the_function(gate):
    with pytest.raises(callgate.DeadlineExceeded):
        gate.call(M, "wait_until_cancelled", "late", timeout=1)
    assert served_functions.event("late cancelled").wait(10)


def test_the_function_knows_how_long_its_caller_waits(gate):
    assert gate.call(M, "remaining") is None
    assert 0 < gate.call(M, "remaining", timeout=60) < 70  # gRPC rounds it up on its way


def test_a_result_beyond_the_limit_is_refused_by_its_size(serve):
    with callgate.connect(serve(limits={"message": 2048}).address) as gate:
        assert len(gate.call(M, "sized", 2000)) == 2000
        with pytest.raises(callgate.Exhausted) as caught:
            gate.call(M, "sized", 4000)
    assert caught.value.reason == "RESPONSE_TOO_LARGE"
    assert caught.value.metadata["limit"] == "2048"
    assert int(caught.value.metadata["size"]) >= 4000


def test_too_many_calls_are_shed_with_a_time_to_come_back(serve):
    server = serve(limits={"calls": 1})
    with callgate.connect(server.address) as gate, callgate.connect(server.address) as other:
        blocker = threading.Thread(target=gate.call, args=(M, "wait_for", "shedding"))
        blocker.start()
        assert served_functions.event("shedding started").wait(10)
        try:
            with pytest.raises(callgate.Exhausted) as caught:
                other.call(M, "echo", 1)
            assert caught.value.reason == "OVERLOADED"
            assert caught.value.retry_after is not None
            assert other.health() == "SERVING"
        finally:
            served_functions.event("shedding").set()
            blocker.join()
        assert other.call(M, "echo", 1) == 1


def test_a_server_that_drains_refuses_before_anything_starts(serve):
    server = serve(shared=False)
    with callgate.connect(server.address) as gate:
        assert server.dispatcher.drain(1.0)
        with pytest.raises(callgate.Unavailable) as caught:
            gate.call(M, "leave_trace", "drained")
    assert caught.value.reason == "DRAINING"
    assert ("drained", "ran") not in served_functions.TRACES


def test_functions_lists_what_is_exposed_and_nothing_else(gate):
    names = {info.function for info in gate.functions()}
    assert {"echo", "add", "boom", "count_down"} <= names
    assert not names & {"system", "_private", "StatusError", "current_call", "Account", "TRACES", "os"}


def test_functions_of_a_module_that_is_not_there_is_an_empty_list(gate):
    assert gate.functions("nothing.there") == []


def test_a_function_is_described_as_it_was_written(gate):
    info = gate.function(M, "shape")
    assert info.signature == "(a, /, b, *rest, c, d=4, **more)"
    assert info.doc == "Give back how the arguments were bound."
    assert [(p.name, p.kind, p.required) for p in info.parameters] == [
        ("a", "positional-only", True),
        ("b", "positional or keyword", True),
        ("rest", "variadic positional", False),
        ("c", "keyword-only", True),
        ("d", "keyword-only", False),
        ("more", "variadic keyword", False),
    ]
    assert gate.function(M, "count_down").kind == "generator"


def test_describing_what_is_not_exposed_is_answered_like_what_does_not_exist(gate):
    def answer(function: str) -> str:
        with pytest.raises(callgate.FunctionNotFound) as caught:
            gate.function(M, function)
        return caught.value.message.replace(function, "NAME")

    assert answer("_private") == answer("_privatx")


def test_listing_goes_page_by_page_and_loses_nothing(address):
    with grpc.insecure_channel(address) as channel:
        stub = stubs.FunctionServiceStub(channel)
        whole = [function.function for function in stub.ListFunctions(pb.ListFunctionsRequest()).functions]
        paged: list[str] = []
        token = ""
        while True:
            page = stub.ListFunctions(pb.ListFunctionsRequest(page_size=3, page_token=token))
            assert 1 <= len(page.functions) <= 3
            paged += [function.function for function in page.functions]
            token = page.next_page_token
            if not token:
                break
    assert paged == whole
    assert len(whole) > 6


@pytest.mark.parametrize("request_", [{"page_size": -1}, {"page_token": "never given"}], ids=str)
def test_a_page_that_was_never_offered_is_refused(address, request_):
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as caught:
        stubs.FunctionServiceStub(channel).ListFunctions(pb.ListFunctionsRequest(**request_))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_health_is_told_for_the_server_and_for_the_service(gate):
    assert gate.health() == "SERVING"
    assert gate.health("callgate.v1.FunctionService") == "SERVING"
    assert gate.health("some.other.Service") == "SERVICE_UNKNOWN"


def test_health_can_be_watched(serve):
    server = serve(shared=False)
    with grpc.insecure_channel(server.address) as channel:
        watching = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watching).status == health_pb2.HealthCheckResponse.SERVING
        server.transport.set_serving(False)
        assert next(watching).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watching.cancel()


def test_reflection_tells_the_services_and_their_messages(address):
    with grpc.insecure_channel(address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert set(database.get_services()) >= {"callgate.v1.FunctionService", "grpc.health.v1.Health"}
        file = database.FindFileContainingSymbol("callgate.v1.CallFunctionRequest")
    assert [field.name for message in file.message_type for field in message.field][:4] == [
        "module",
        "function",
        "args",
        "kwargs",
    ]
