"""The scope of interruption inside a worker: what is meant for one call reaches that one or none."""

from __future__ import annotations

import json
import signal
import threading

import pytest

from callgate.v1.function_service_pb2 import CallFunctionRequest, CallFunctionResponse
from callgate.values import decode, encode
from callgate_server.executors.frames import Control, Frame, Kind
from callgate_server.executors.worker_calls import WorkerCalls
from callgate_server.invocation import Invoker
from tests.contract.test_waiting import wait_until


@pytest.fixture
def calls():
    """A worker's calls, on this main thread."""
    before = signal.getsignal(signal.SIGURG)
    functions = {("m", function.__name__): function for function in (same, spin, closed_late)}
    yield WorkerCalls(functions, Invoker())
    signal.signal(signal.SIGURG, before)


# Lists: an interruption that lands inside an Event's `set` may leave it locked for ever.
started = []
closed = []


def same(value):
    return value


def spin():
    started.append(True)
    while True:
        pass


def closed_late():
    try:
        yield 1
        spin()
    finally:
        closed.append(True)


def frame(function, number, *args, stream=False, deadline=None):
    request = CallFunctionRequest(module="m", function=function)
    for arg in args:
        encode(arg, request.args.add())
    head = {"id": "x", "identity": "i", "deadline": deadline, "chain": [], "stream": stream}
    return Frame(Kind.CALL, 0, number, json.dumps(head).encode(), request.SerializeToString())


def value_of(body):
    return decode(CallFunctionResponse.FromString(body).value)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_hundred_thousand_interruptions_aimed_anywhere_hit_their_own_call_or_nothing(calls):
    count, current, stop = 100_000, [0], threading.Event()

    def interrupt():
        while not stop.is_set():
            calls.obey(Control.INTERRUPT, current[0])

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    outcomes = {Kind.RESULT: 0, Kind.INTERRUPTED: 0}
    try:
        for number in range(1, count + 1):
            if number % 2:
                current[0] = number  # even numbers are nobody's aim
            # How many end first is the scheduler's affair; one in a thousand ends by its interruption only.
            kind, body = calls.answer(frame(*("spin", number) if number % 1000 == 501 else ("same", number, number)))
            outcomes[kind] += 1
            if kind is Kind.RESULT:
                assert value_of(body) == number
            else:
                assert number % 2, "a call was interrupted that nobody meant"
    finally:
        stop.set()
        interrupter.join()
    assert sum(outcomes.values()) == count
    assert outcomes[Kind.INTERRUPTED] >= count // 1000
    assert outcomes[Kind.RESULT] >= count // 2


def test_what_is_asked_before_the_call_came_meets_it_at_its_start(calls):
    calls.obey(Control.INTERRUPT, 5)
    assert calls.answer(frame("same", 4, "x"))[0] is Kind.RESULT
    assert calls.answer(frame("spin", 5))[0] is Kind.INTERRUPTED
    assert calls.answer(frame("same", 6, "x"))[0] is Kind.RESULT


def test_a_deadline_that_has_passed_on_the_way_never_starts_the_function(calls):
    started.clear()
    assert calls.answer(frame("spin", 1, deadline=0.0)) == (Kind.EXPIRED, b"")
    assert not started


def test_a_step_that_is_interrupted_closes_its_generator(calls):
    closed.clear()
    started.clear()
    kind, body = calls.answer(frame("closed_late", 1, stream=True))
    assert (kind, value_of(body)) == (Kind.ITEM, 1)
    interrupter = threading.Thread(target=lambda: (wait_until(lambda: started), calls.obey(Control.INTERRUPT, 1)))
    interrupter.start()
    assert calls.answer(Frame(Kind.NEXT, 0, 1, b"", b""))[0] is Kind.INTERRUPTED
    interrupter.join()
    assert closed == [True]
    assert calls.answer(frame("same", 2, "x"))[0] is Kind.RESULT


def test_a_step_that_was_interrupted_before_it_began_closes_its_generator_too(calls):
    closed.clear()
    calls.answer(frame("closed_late", 1, stream=True))
    calls.obey(Control.INTERRUPT, 1)
    assert calls.answer(Frame(Kind.NEXT, 0, 1, b"", b""))[0] is Kind.INTERRUPTED
    assert closed == [True]


def test_a_stream_that_is_closed_answers_once_its_generator_is(calls):
    closed.clear()
    calls.answer(frame("closed_late", 1, stream=True))
    assert calls.answer(Frame(Kind.CLOSE, 0, 1, b"", b"")) == (Kind.END, b"")
    assert closed == [True]
