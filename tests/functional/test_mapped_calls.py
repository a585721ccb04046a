"""MappedCalls over a real socket, by the generated stub: in everything but their form, calls like any others."""

from __future__ import annotations

import sys
import time

import grpc
import mapped_functions as functions
import pytest
from google.rpc.status_pb2 import Status

import callgate
import callgate_server.batch
from callgate.failures import error_from_status
from callgate.v1 import function_service_pb2 as pb
from callgate.v1.function_service_pb2_grpc import FunctionServiceStub
from callgate.values import decode, encode
from callgate_server.stretch import Stretch

M = "mapped_functions"
EXPOSED = [
    {"functions": (f"{M}.meet_from_100",), "executor": "two"},
    {"functions": (f"{M}.ahalved",), "executor": "coroutines"},
    {"functions": (f"{M}.remaining",), "timeout": 25.0},
    {"functions": (f"{M}.*", "math.sqrt")},
]
SETTINGS = {
    "expose": EXPOSED,
    "executors": {"two": {"kind": "threads", "max_workers": 2}},
    "limits": {"batch": 400_000},
}


@pytest.fixture
def server(serve):
    functions.reset()
    return serve(**SETTINGS)


@pytest.fixture
def stub(server):
    with grpc.insecure_channel(server.address) as channel:
        yield FunctionServiceStub(channel)


class _Quick:
    """A function's pace that says "quick", whatever was measured: a busy machine must not decide what is tested."""

    @property
    def quick(self):
        return True

    @quick.setter
    def quick(self, _):
        pass


@pytest.fixture
def stretches(server, monkeypatch):
    """Have all functions taken for quick; the indices of the calls that were made together."""
    made = []

    class Noted(Stretch):
        def run(self, *args):
            made.append(self.claimed)
            super().run(*args)

    monkeypatch.setattr(callgate_server.batch, "Stretch", Noted)
    functions_ = {server.dispatcher.registry.find(M, name) for name in vars(functions)} - {None}
    before = {exposed: exposed.pace for exposed in functions_}
    for exposed in functions_:
        object.__setattr__(exposed, "pace", _Quick())  # frozen, for all others
    yield made
    for exposed, pace in before.items():
        object.__setattr__(exposed, "pace", pace)


def mapped(function, items, module=M):
    message = pb.MappedCalls(module=module, function=function)
    encode(items, message.items)
    return message


def request(*several, timeout=None):
    made = pb.BatchCallFunctionsRequest(mapped=several)
    if timeout is not None:
        made.call_timeout.FromNanoseconds(round(timeout * 1e9))
    return made


def written_out(function, items):
    made = pb.BatchCallFunctionsRequest()
    for item in items:
        encode(item, made.calls.add(module=M, function=function).args.add())
    return made


def results(messages):
    """Outcomes by index, whichever way they came."""
    found = {}

    def put(index, outcome):
        assert index not in found, "answered twice"
        found[index] = outcome

    for message in messages:
        for run in message.runs:
            for index, value in enumerate(decode(run.values), run.first):
                put(index, value)
        for result in message.results:
            failed = result.HasField("error")
            put(result.index, error_from_status(result.error) if failed else decode(result.response.value))
    return found


def refusal(stub, batch):
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.BatchCallFunctions(batch, timeout=30))
    status = Status()
    status.ParseFromString(dict(caught.value.trailing_metadata())["grpc-status-details-bin"])
    return caught.value.code(), error_from_status(status)


LISTS = {
    "double_list": [0.0, -0.0, 1.5, float("inf"), 1e-320, 2.0],
    "int_list": [0, -1, 2**63 - 1, -(2**63), 7],
    "bool_list": [True, False, True],
    "string_list": ["", "a", "Grüße", "x" * 300, "\0"],
    "list_value": [1, 2.5, True, None, "x", b"y", [1, ["deep"]], {"a": (1, 2)}, 2**70, "\ud800", frozenset({1})],
}


@pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])
@pytest.mark.parametrize("function", ["echo", "described"])
@pytest.mark.parametrize("kind", LISTS)
def test_results_are_those_of_calls_written_out(stub, kind, function, together, request):
    if together:
        request.getfixturevalue("stretches")
    items = LISTS[kind]
    message = mapped(function, items)
    assert message.items.WhichOneof("kind") == kind
    for _ in range(2):
        found = results(stub.BatchCallFunctions(pb.BatchCallFunctionsRequest(mapped=[message]), timeout=30))
        theirs = results(stub.BatchCallFunctions(written_out(function, items), timeout=30))
        assert repr(dict(sorted(found.items()))) == repr(dict(sorted(theirs.items())))  # repr: -0.0 is not 0.0
        assert len(found) == len(items)


def test_quick_calls_are_made_together_and_their_results_come_together(stub, stretches):
    messages = list(stub.BatchCallFunctions(request(mapped("halved", [float(n) for n in range(3000)])), timeout=30))
    assert results(messages) == {n: n / 2 for n in range(3000)}
    assert max(map(len, stretches)) > 1
    assert sum(map(len, stretches)) == 3000
    assert sum(len(message.runs) for message in messages) < 3000


@pytest.mark.parametrize("items", [None, "text", 3, (1.0, 2.0), {"a": 1}, b"bytes"], ids=repr)
def test_items_that_are_no_list_refuse_the_whole(stub, items):
    message = pb.MappedCalls(module=M, function="wait_on_five")
    if items is not None:
        encode(items, message.items)
    code, error = refusal(stub, pb.BatchCallFunctionsRequest(mapped=[mapped("moody", [1]), message]))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason == "MALFORMED_REQUEST"
    assert functions.ran == []  # nor did the calls that were right


def test_no_items_are_no_calls(stub):
    assert list(stub.BatchCallFunctions(request(mapped("echo", [])), timeout=30)) == []
    assert results(stub.BatchCallFunctions(request(mapped("echo", []), mapped("echo", [1])), timeout=30)) == {0: 1}


def test_calls_of_an_unknown_function_fail_one_by_one_and_the_others_answer(stub, stretches):
    batch = request(mapped("nothing", [1.0, 2.0]), mapped("halved", [4.0, 8.0]), mapped("system", ["true"], "os"))
    found = results(stub.BatchCallFunctions(batch, timeout=30))
    assert [found.pop(2), found.pop(3)] == [2.0, 4.0]
    assert {index: error.reason for index, error in found.items()} == dict.fromkeys((0, 1, 4), "FUNCTION_NOT_FOUND")


def test_a_call_that_fails_fails_alone_and_the_counts_say_so(stub, server, stretches):
    before = server.dispatcher.outcomes
    found = results(stub.BatchCallFunctions(request(mapped("moody", [*range(15), "four", None])), timeout=30))
    assert isinstance(found.pop(3), KeyError)
    assert isinstance(found.pop(5), callgate.ValueFormError)
    assert [found.pop(15).reason, found.pop(16).reason] == ["ARGUMENTS_MISMATCH"] * 2
    special = {7: 2**70, 8: "long " * 100, 9: [1, {"a": None}], 11: -0.5, 12: True, 13: "short"}
    assert found == {n: special.get(n, n) for n in range(15) if n not in (3, 5)}
    assert functions.ran == list(range(15))
    assert max(map(len, stretches)) > 1
    counted = server.dispatcher.outcomes - before
    assert counted["OK"] == 13
    assert counted["ARGUMENTS_MISMATCH"] == 2
    assert counted["NO_VALUE_FORM"] == counted["FUNCTION_RAISED"] == 1
    assert counted.total() == 17


def test_what_is_a_stream_is_refused_and_what_is_batched_is_gathered(stub, stretches):
    batch = request(mapped("several", [1, 2]), mapped("tripled", [3, 4]))
    found = results(stub.BatchCallFunctions(batch, timeout=30))
    assert [found[0].reason, found[1].reason, found[2], found[3]] == ["WRONG_METHOD", "WRONG_METHOD", 9, 12]
    assert stretches == []


def test_indices_go_on_from_the_calls_through_each_of_the_mapped(stub, stretches):
    batch = written_out("echo", ["written", "out"])
    batch.mapped.extend([mapped("echo", [10, 11, 12]), mapped("halved", [1.0]), mapped("echo", ["a", "b"])])
    found = results(stub.BatchCallFunctions(batch, timeout=30))
    assert [found[n] for n in range(len(found))] == ["written", "out", 10, 11, 12, 0.5, "a", "b"]


def test_who_sends_no_mapped_calls_gets_no_runs(stub, stretches):
    list(stub.BatchCallFunctions(request(mapped("halved", [1.0] * 50)), timeout=30))
    messages = list(stub.BatchCallFunctions(written_out("halved", [1.0] * 500), timeout=30))
    assert results(messages) == dict.fromkeys(range(500), 0.5)
    assert not any(message.runs for message in messages)


def test_the_limit_on_a_batchs_calls_counts_items(serve):
    functions.reset()
    server = serve(expose=EXPOSED, executors=SETTINGS["executors"], limits={"batch": 100})
    with grpc.insecure_channel(server.address) as channel:
        stub = FunctionServiceStub(channel)
        mixed = written_out("moody", range(50))
        mixed.mapped.extend([mapped("moody", [*range(25)]), mapped("moody", [*range(26)])])
        for batch in (request(mapped("moody", [*range(101)])), mixed):
            code, error = refusal(stub, batch)
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert (error.metadata["size"], error.metadata["limit"]) == ("101", "100")
        assert functions.ran == []
        assert len(results(stub.BatchCallFunctions(request(mapped("echo", [1.0] * 100)), timeout=30))) == 100


def test_messages_keep_to_the_servers_limit_though_results_are_larger_than_arguments(serve):
    server = serve(expose=EXPOSED, executors=SETTINGS["executors"], limits={"message": 16 << 10})
    with grpc.insecure_channel(server.address) as channel:
        stub = FunctionServiceStub(channel)
        for _ in range(3):  # together, once it is known to be quick
            messages = list(
                stub.BatchCallFunctions(request(mapped("text", [float(n) for n in range(1500)])), timeout=30)
            )
            assert results(messages) == {n: functions.text(float(n)) for n in range(1500)}
            assert max(message.ByteSize() for message in messages) <= 16 << 10


# ------------------------------------------------------------------------------------------ each call's own


@pytest.mark.slow
def test_a_slow_call_among_quick_ones_fails_alone_by_its_own_deadline(stub, stretches):
    batch = request(mapped("spin_on_five", [*range(300)]), timeout=1)
    found = results(stub.BatchCallFunctions(batch, timeout=30))
    assert found.pop(5).reason == "RAN_TOO_LONG"
    assert found == {n: n for n in range(300) if n != 5}
    assert functions.ran == [*range(300)]  # each once, in order
    assert any(5 in some and len(some) > 1 for some in stretches)


@pytest.mark.slow
def test_the_deadline_of_the_whole_ends_it_and_no_call_starts_after_it(stub, server, stretches):
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.BatchCallFunctions(request(mapped("spin_on_five", [*range(300)])), timeout=1))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    until(lambda: server.dispatcher.admitted == 0)
    assert functions.ran == [*range(6)]


def test_cancelling_lets_the_running_call_know_and_starts_no_more(stub, server, stretches):
    answers = stub.BatchCallFunctions(request(mapped("wait_on_five", [*range(300)])), timeout=30)
    assert functions.waiting.wait(20)
    answers.cancel()
    until(lambda: server.dispatcher.admitted == 0)
    assert functions.ran == [*range(6)]
    assert any(5 in some for some in stretches)


def test_each_call_has_an_id_of_its_own(stub, stretches):
    found = results(stub.BatchCallFunctions(request(mapped("call_id", [*range(500)])), timeout=30))
    assert all(found.values())
    assert len(set(found.values())) == len(found) == 500
    assert max(map(len, stretches)) > 1


def test_each_call_has_the_nearest_of_all_deadlines(stub, stretches):
    without = request(mapped("remaining", [0] * 50))
    batches = {20.0: request(mapped("remaining", [0] * 50), timeout=20.0), 25.0: without}
    for most, batch in batches.items():
        found = results(stub.BatchCallFunctions(batch, timeout=30))
        assert len(found) == 50
        assert all(0 < seconds <= most for seconds in found.values())
    found = results(stub.BatchCallFunctions(without, timeout=15))
    assert all(0 < seconds <= 16 for seconds in found.values())  # gRPC rounds up what it sends


def test_a_list_that_the_function_goes_on_changing_is_read_after_each_call(stub, stretches):
    found = results(stub.BatchCallFunctions(request(mapped("kept", [*range(100)])), timeout=30))
    assert found == {n: [*range(n + 1)] for n in range(100)}


def test_a_call_that_calls_its_own_executor_back_is_told_that_it_would_wait_for_itself(stub, server, stretches):
    items = ["", "", server.address, "", server.address]
    found = results(stub.BatchCallFunctions(request(mapped("call_back", items)), timeout=30))
    assert found == {0: "", 1: "", 2: "WOULD_DEADLOCK", 3: "", 4: "WOULD_DEADLOCK"}
    assert any(2 in some for some in stretches)


# ------------------------------------------------------------------------------------------ executors


def test_single_calls_come_between_those_of_a_huge_batch(stub, server, stretches):
    count = 300_000  # several seconds of work
    answers = stub.BatchCallFunctions(request(mapped("counted", [0.0] * count)), timeout=60)
    next(answers)
    with callgate.connect(server.address) as gate:
        assert [gate.call("math", "sqrt", float(n * n)) for n in range(5)] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert len(functions.ran) < count
    answers.cancel()
    until(lambda: server.dispatcher.admitted == 0)


def test_quick_calls_that_turn_slow_run_side_by_side(stub, stretches):
    """Two of them must meet for either to return: neither may wait behind the other."""
    found = results(stub.BatchCallFunctions(request(mapped("meet_from_100", [*range(300)])), timeout=30))
    assert found == {n: n for n in range(300)}
    assert max(map(len, stretches)) > 1


KINDS = {
    "serial": {"kind": "serial"},
    "dedicated": {"kind": "serial", "thread": "dedicated"},
    "threads": {"kind": "threads", "max_workers": 4},
    "processes": {"kind": "processes", "workers": 1},
    "interpreters": {"kind": "interpreters", "workers": 1},
    "coroutines": {"kind": "coroutines"},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_executor_gives_the_same_answers(serve, kind):
    if kind == "interpreters" and sys.version_info < (3, 13):
        pytest.skip("sub-interpreters with a GIL of their own need CPython 3.13")
    function = "ahalved" if kind == "coroutines" else "halved"
    server = serve(expose=[{"functions": (f"{M}.{function}",), "executor": "one"}], executors={"one": KINDS[kind]})
    with grpc.insecure_channel(server.address) as channel:
        stub = FunctionServiceStub(channel)
        for _ in range(2):
            batch = request(mapped(function, [float(n) for n in range(200)]), mapped(function, [3.0, "none", 5.0]))
            found = results(stub.BatchCallFunctions(batch, timeout=30))
            assert found.pop(201).reason == "ARGUMENTS_MISMATCH"
            assert found == {n: n / 2 for n in range(200)} | {200: 1.5, 202: 2.5}


def until(condition, seconds=20):
    """Wait for a state that nothing announces."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the state was never reached"
        time.sleep(0)
