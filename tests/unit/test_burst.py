"""Calls of a burst are each a call of its own: own id, context, deadline, interruption, answer; and take few turns."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

import callgate
import callgate_server.burst as burst_module
from callgate.failures import CallFailed, gate_failure
from callgate.v1 import function_service_pb2 as pb
from callgate.values import decode, encode
from callgate_server.burst import Burst
from callgate_server.call import Call
from callgate_server.dispatch import call_to
from callgate_server.executors.base import Surroundings
from callgate_server.executors.serial import SerialExecutor
from callgate_server.executors.threads import ThreadsExecutor
from callgate_server.invocation import Invoker
from callgate_server.ladder import Graces, Ladder
from callgate_server.registry import Exposed

setting: ContextVar[str] = ContextVar("setting", default="unset")


class Caller:
    """Who waits: notes how its call ended."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.left = False
        self.gone: Callable[[], None] | None = None
        self.ends: list[Any] = []
        self.early: list[int] = []

    def watch(self, gone: Callable[[], None]) -> bool:
        self.gone = gone
        return not self.left

    def answer(self, status: Any) -> bool:
        self.early.append(status.code)
        return True

    def may_block(self) -> None:
        raise AssertionError("a call of a burst is expected to be quick")


class Ends:
    """Answers callers, as a transport does."""

    def respond(self, caller: Caller, response: bytes) -> None:
        caller.ends.append(decode(pb.CallFunctionResponse.FromString(response).value))

    def fail(self, caller: Caller, status: Any, call_id: str) -> None:
        caller.ends.append(CallFailed(status).reason)


def request(*args: object) -> pb.CallFunctionRequest:
    made = pb.CallFunctionRequest(module="m", function="f")
    for arg in args:
        encode(arg, made.args.add())
    return made


@pytest.fixture(autouse=True)
def _no_hurry(monkeypatch):
    """A burst's time is not up while its calls run, however busy this machine is."""
    monkeypatch.setattr(burst_module, "BURST_SECONDS", 30.0)


@pytest.fixture
def ladder():
    made = Ladder(Graces(0.01, 0.01))
    yield made
    made.close()


@pytest.fixture
def executor(ladder):
    made = SerialExecutor("default", Surroundings(Invoker(), ladder))
    yield made
    made.close(1.0)


def one(function: Callable[..., Any], *args: object, deadline: float | None = None) -> tuple[Exposed, Call]:
    exposed = Exposed("m", function.__name__, function=function)
    return exposed, call_to(exposed, request(*args), b"", f"id-{random.random()}", "me", deadline, (), Caller())


def burst_of(calls: list[tuple[Exposed, Call]], **changed: Any) -> Burst:
    left = deque(calls)
    first = left.popleft()
    given = {
        "fault": lambda error, request, call_id: gate_failure("INTERNAL", repr(error)),
        "max_response_bytes": 1 << 20,
    }
    return Burst(first, lambda: left.popleft() if left else None, Ends(), **{**given, "quick": 0.001, **changed})


def run(executor: Any, calls: list[tuple[Exposed, Call]], **changed: Any) -> list[Any]:
    """How each call ended."""
    burst = burst_of(calls, **changed)
    assert executor.call_burst(burst)
    return [call.caller.ends for _, call in calls]


def double(number):
    return 2 * number


def test_every_call_gets_its_own_answer(executor):
    assert run(executor, [one(double, number) for number in range(50)]) == [[2 * number] for number in range(50)]
    assert executor.stats().completed == 50
    assert executor.stats().running == 0


def test_a_call_that_fails_fails_alone(executor):
    def boom(number):
        raise ValueError(number)

    calls = [one(double, 1), one(boom, 2), one(double), one(double, 3), one(lambda: object()), one(double, 4)]
    assert run(executor, calls) == [[2], ["FUNCTION_RAISED"], ["ARGUMENTS_MISMATCH"], [6], ["NO_VALUE_FORM"], [8]]


def test_every_call_has_its_own_id_and_context_variables(executor):
    seen = []

    def look():
        seen.append((callgate.current_call().id, setting.get()))
        setting.set("of the call before")

    calls = [one(look) for _ in range(5)]
    run(executor, calls)
    assert seen == [(call.context.id, "unset") for _, call in calls]
    assert setting.get() == "unset"
    with pytest.raises(LookupError):
        callgate.current_call()


def test_what_has_expired_never_starts_and_what_returns_late_fails(executor):
    ran = []

    def late():
        ran.append("late")
        callgate.current_call().deadline = time.monotonic()  # it began in time, and returns late

    now = time.monotonic()
    expired = one(lambda: ran.append("expired"), deadline=now - 1)
    calls = [expired, one(late, deadline=now + 3600), one(double, 1)]
    ends = run(executor, calls)
    assert ends[:2] == [["EXPIRED_IN_QUEUE"], ["RAN_TOO_LONG"]]
    assert ran == ["late"]


def test_too_large_a_result_is_refused(executor):
    assert run(executor, [one(lambda: "x" * 200), one(double, 1)], max_response_bytes=100) == [
        ["RESPONSE_TOO_LARGE"],
        [2],
    ]


def test_a_burst_ends_when_its_time_is_up(executor, monkeypatch):
    monkeypatch.setattr(burst_module, "BURST_SECONDS", 0.002)

    def slow():
        began = time.monotonic()
        while time.monotonic() < began + 0.003:
            pass

    calls = [one(slow) for _ in range(5)]
    assert run(executor, calls) == [[None], [], [], [], []]
    assert not calls[0][0].pace.quick


def test_a_fault_of_ours_is_its_calls_failure_and_no_others(executor, monkeypatch):
    calls = [one(double, 1), one(double, 2)]
    calls[0][1].request = None  # what should not be
    assert run(executor, calls) == [["INTERNAL"], [4]]


def test_a_burst_that_does_not_get_its_turn_at_once_makes_no_call(executor):
    holds, go = threading.Event(), threading.Event()

    def hold():
        holds.set()
        go.wait(20)

    thread = threading.Thread(target=executor.call, args=one(hold))
    thread.start()
    assert holds.wait(20)
    burst = burst_of([one(double, 1)])
    assert not executor.call_burst(burst)
    assert burst.first[1].caller.ends == []
    go.set()
    thread.join(20)
    assert executor.call_burst(burst)


def test_a_call_to_its_own_executor_from_within_is_told_that_it_would_wait_for_itself(executor):
    found = []

    def nested():
        exposed, call = one(double, 1)
        call.context.chain = (*callgate.current_call().chain, callgate.current_call().id)
        with pytest.raises(CallFailed) as caught:
            executor.call(exposed, call)
        found.append(caught.value.reason)

    run(executor, [one(double, 1), one(nested), one(nested)])
    assert found == ["WOULD_DEADLOCK"] * 2


class Held:
    """A function that runs until it is told to end, or is interrupted."""

    def __init__(self) -> None:
        self.runs, self.go, self.ended = threading.Event(), threading.Event(), threading.Event()

    def __call__(self) -> str:
        try:
            self.runs.set()
            while not self.go.is_set():
                time.sleep(0.001)  # where an interruption lands
            return "went"
        finally:
            self.ended.set()

    __name__ = "held"


@pytest.mark.parametrize("why", ["deadline", "cancelled"])
def test_a_call_that_takes_long_is_put_on_the_ladder_and_interrupted_alone(executor, why):
    held = Held()
    slow = one(held)
    calls = [one(double, 1), slow, one(double, 2)]
    burst = burst_of(calls)
    thread = threading.Thread(target=executor.call_burst, args=(burst,))
    thread.start()
    assert held.runs.wait(20)
    if why == "deadline":
        slow[1].context.deadline = time.monotonic() + 0.05  # only now, so that it has begun in time
    burst.climb()
    if why == "cancelled":
        slow[1].caller.gone()
    thread.join(20)
    assert held.ended.is_set()
    assert [call.caller.ends for _, call in calls] == [[2], ["RAN_TOO_LONG" if why == "deadline" else "CANCELLED"], []]
    assert slow[1].caller.early == ([4] if why == "deadline" else [])
    assert run(executor, [one(double, 5)]) == [[10]]  # nothing is left that could hit it


def test_a_call_that_left_before_it_took_long_is_found_out(executor):
    held = Held()
    slow = one(held)
    slow[1].caller.left = True
    burst = burst_of([slow])
    thread = threading.Thread(target=executor.call_burst, args=(burst,))
    thread.start()
    assert held.runs.wait(20)
    burst.climb()
    thread.join(20)
    assert slow[1].caller.ends == ["CANCELLED"]


def test_climbing_when_nothing_runs_does_nothing(executor):
    burst = burst_of([one(double, 1)])
    burst.climb()
    executor.call_burst(burst)
    burst.climb()
    assert burst.first[1].caller.ends == [2]


def test_an_executor_that_closes_interrupts_the_call_and_begins_no_other(ladder):
    executor = SerialExecutor("default", Surroundings(Invoker(), ladder))
    held = Held()
    calls = [one(held), one(double, 1)]
    burst = burst_of(calls)
    thread = threading.Thread(target=executor.call_burst, args=(burst,))
    thread.start()
    assert held.runs.wait(20)
    executor.close(0.0)
    thread.join(20)
    assert held.ended.is_set()
    assert [call.caller.ends for _, call in calls] == [["CANCELLED"], []]


def test_one_of_several_places_is_a_bursts(ladder):
    executor = ThreadsExecutor("threads", Surroundings(Invoker(), ladder), max_workers=2, queue=10)
    holds = Held()
    thread = threading.Thread(target=executor.call, args=one(holds))
    thread.start()
    assert holds.runs.wait(20)
    assert run(executor, [one(double, number) for number in range(5)]) == [[2 * number] for number in range(5)]
    holds.go.set()
    thread.join(20)
    executor.close(1.0)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_interruptions_aimed_at_the_ends_of_calls_hit_their_own_call_or_none(executor):
    """Stress: a second thread puts whatever runs on the ladder with a deadline that has just passed, all the time.

    How many end first is the scheduler's affair; one burst in forty begins with a call that ends by its interruption
    only.
    """
    stop = threading.Event()
    current: list[Burst | None] = [None]
    limited = [False]

    def chase() -> None:
        while not stop.is_set():
            burst = current[0]
            if burst is not None:
                if limited[0]:  # once more: the ladder would look first at those that come anew, for ever
                    limited[0], current[0] = False, None
                burst.climb()

    chaser = threading.Thread(target=chase)
    chaser.start()
    firsts: Counter[Any] = Counter()

    def work(number):
        total = 0
        for step in range(number % 40):
            total += step
        return number

    def last():
        callgate.current_call().deadline = time.monotonic()
        limited[0] = True
        while True:
            pass

    try:
        for turn in range(400):
            now = time.monotonic()
            calls = [one(work, number, deadline=now + random.random() * 0.002) for number in range(20)]
            calls[0] = one(last) if turn % 40 == 20 else one(work, 0)
            burst = current[0] = burst_of(calls)
            assert executor.call_burst(burst)
            firsts.update(calls[0][1].caller.ends)
            for number, (_, call) in enumerate(calls):
                assert len(call.caller.ends) <= 1, turn
                for end in call.caller.ends:
                    assert end == number or end in ("RAN_TOO_LONG", "EXPIRED_IN_QUEUE"), turn
    finally:
        stop.set()
        chaser.join(20)
    assert firsts == {0: 390, "RAN_TOO_LONG": 10}
    assert run(executor, [one(double, 5)]) == [[10]]
