"""BatchCallFunctions over a real socket, by the generated stub: what any language's client sees."""

from __future__ import annotations

import threading

import grpc
import lifecycle_functions as functions
import pytest

import callgate_server.batch
from callgate.failures import error_from_status
from callgate.v1 import function_service_pb2 as pb
from callgate.v1.function_service_pb2_grpc import FunctionServiceStub
from callgate.values import decode, encode
from tests.contract.test_waiting import wait_until

EXPOSED = [
    {"functions": ("math.sqrt", "builtins.len")},
    {"functions": ("lifecycle_functions.hold",), "executor": "threads"},
    {"functions": ("lifecycle_functions.*",)},
]


@pytest.fixture
def server(serve):
    functions.reset()
    yield serve(expose=EXPOSED, limits={"batch": 2000})
    functions.release.set()


@pytest.fixture
def stub(server):
    with grpc.insecure_channel(server.address) as channel:
        yield FunctionServiceStub(channel)


def request(*calls, timeout=None):
    made = pb.BatchCallFunctionsRequest()
    for module, function, *args in calls:
        call = made.calls.add(module=module, function=function)
        for arg in args:
            encode(arg, call.args.add())
    if timeout is not None:
        made.call_timeout.FromNanoseconds(round(timeout * 1e9))
    return made


def outcome(result):
    if result.HasField("error"):
        return error_from_status(result.error)
    return decode(result.response.value)


def results(messages):
    found = {}
    for message in messages:
        for result in message.results:
            assert result.index not in found, "answered twice"
            found[result.index] = outcome(result)
    return found


def test_every_call_is_answered_once_with_its_own_answer(stub, monkeypatch):
    monkeypatch.setattr(callgate_server.batch, "_PACK_SECONDS", 30.0)  # nothing is sent because time has passed
    calls = [("math", "sqrt", float(n * n)) for n in range(2000)]
    messages = list(stub.BatchCallFunctions(request(*calls), timeout=30))
    assert results(messages) == {n: float(n) for n in range(2000)}
    assert len(messages) < 200  # packed


def test_a_bad_call_fails_alone(stub):
    bad = request(
        ("math", "sqrt", 4.0),
        ("math", "nothing", 1),
        ("os", "system", "true"),
        ("math", "sqrt", -1.0),
        ("math", "sqrt"),
        ("", ""),
        ("builtins", "len", [1, 2]),
    )
    bad.calls.add(module="math", function="sqrt").args.add()  # a Value with no kind
    found = results(stub.BatchCallFunctions(bad, timeout=30))
    assert found[0] == 2.0
    assert found[6] == 2
    reasons = {index: getattr(found[index], "reason", type(found[index]).__name__) for index in (1, 2, 3, 4, 5, 7)}
    assert reasons == {
        1: "FUNCTION_NOT_FOUND",
        2: "FUNCTION_NOT_FOUND",
        3: "ValueError",
        4: "ARGUMENTS_MISMATCH",
        5: "MALFORMED_REQUEST",
        7: "UNDECODABLE_VALUE",
    }


def test_calls_to_different_executors_do_not_wait_for_each_other(stub):
    answers = stub.BatchCallFunctions(
        request(("lifecycle_functions", "hold"), ("math", "sqrt", 4.0), ("lifecycle_functions", "aquick")), timeout=30
    )
    first = {}
    for message in answers:
        first.update({result.index: outcome(result) for result in message.results})
        if len(first) == 2:
            break
    assert set(first) == {1, 2}  # the held one has not answered, and kept nobody waiting
    functions.release.set()
    assert results(answers) == {0: "held"}


def test_two_hundred_calls_that_wait_all_run_at_once(serve):
    """A batch begins with fewer threads than that, and gets more while its calls wait."""
    functions.reset()
    rule = {"functions": ("lifecycle_functions.hold",), "executor": "threads"}
    server = serve(expose=[rule], executors={"threads": {"max_workers": 200}}, limits={"calls": 256})
    with grpc.insecure_channel(server.address) as channel:
        calls = request(*[("lifecycle_functions", "hold")] * 200)
        answers = FunctionServiceStub(channel).BatchCallFunctions(calls, timeout=30)
        try:
            wait_until(lambda: server.dispatcher.executors["threads"].stats().running == 200)
        finally:
            functions.release.set()
        assert results(answers) == dict.fromkeys(range(200), "held")


def test_others_answers_do_not_keep_calls_that_wait_from_getting_threads(serve):
    functions.reset()
    rules = [
        {"functions": ("lifecycle_functions.hold",), "executor": "threads"},
        {"functions": ("lifecycle_functions.*",)},
    ]
    server = serve(expose=rules, executors={"threads": {"max_workers": 200}}, limits={"calls": 256})
    steady = [("lifecycle_functions", "nap", 0.004)] * 6000  # for longer than is waited for the others
    with grpc.insecure_channel(server.address) as channel:
        calls = request(*[("lifecycle_functions", "hold")] * 200, *steady)
        answers = FunctionServiceStub(channel).BatchCallFunctions(calls, timeout=30)
        try:
            wait_until(lambda: server.dispatcher.executors["threads"].stats().running == 200)
            assert server.dispatcher.executors["default"].stats().completed < 6000
        finally:
            functions.release.set()
            answers.cancel()


def test_calls_of_one_executor_run_as_many_at_once_as_it_allows(stub, server):
    answers = stub.BatchCallFunctions(request(*[("lifecycle_functions", "hold")] * 4), timeout=30)
    wait_until(lambda: server.dispatcher.executors["threads"].stats().running == 4)
    functions.release.set()
    assert results(answers) == dict.fromkeys(range(4), "held")


def test_too_many_calls_are_refused_as_a_whole(stub):
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.BatchCallFunctions(request(*[("math", "sqrt", 1.0)] * 2001), timeout=30))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "2001" in caught.value.details()
    assert "2000" in caught.value.details()


def test_an_empty_batch_has_an_empty_answer(stub):
    assert list(stub.BatchCallFunctions(request(), timeout=30)) == []


@pytest.mark.slow
def test_each_call_can_have_a_deadline_of_its_own(stub):
    calls = [("math", "sqrt", 4.0), ("lifecycle_functions", "spin"), ("math", "sqrt", 9.0)]
    found = results(stub.BatchCallFunctions(request(*calls, timeout=1), timeout=30))
    assert (found[0], found[2]) == (2.0, 3.0)
    assert found[1].reason == "RAN_TOO_LONG"


def test_a_wrong_call_timeout_is_refused(stub):
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.BatchCallFunctions(request(("math", "sqrt", 4.0), timeout=-1), timeout=30))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_cancelling_a_batch_starts_no_more_of_its_calls(stub, server):
    before = server.dispatcher.outcomes["OK"]
    answers = stub.BatchCallFunctions(
        request(("lifecycle_functions", "spin"), *[("lifecycle_functions", "quick")] * 500), timeout=30
    )
    assert functions.started.wait(20)
    answers.cancel()
    wait_until(lambda: server.dispatcher.admitted == 0)
    assert server.dispatcher.outcomes["OK"] == before


def test_batches_from_many_clients_swap_nothing(server):
    failures = []

    def client(number):
        with grpc.insecure_channel(server.address) as channel:
            stub = FunctionServiceStub(channel)
            for turn in range(5):
                values = [float((number * 1000 + turn * 100 + n) ** 2) for n in range(100)]
                found = results(stub.BatchCallFunctions(request(*[("math", "sqrt", v) for v in values]), timeout=60))
                if [found[n] for n in range(100)] != [v**0.5 for v in values]:
                    failures.append((number, turn))

    threads = [threading.Thread(target=client, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
