"""The ladder's steps, with a clock of their own."""

from __future__ import annotations

import weakref

import pytest

from callgate.context import CallContext
from callgate.v1.function_service_pb2 import CallFunctionRequest
from callgate_server import ladder as ladders
from callgate_server.call import Call, NobodyWaits
from callgate_server.ladder import Graces, Ladder


class Clock:
    """Stands in for time.monotonic, and moves when told."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


class Rungs:
    """Records what the ladder does."""

    def __init__(self, clock, killable=False):
        self._clock = clock
        self._killable = killable
        self.taken = []

    def interrupt(self):
        self.taken.append(("interrupt", round(self._clock.now - 1000, 3)))
        return True

    def kill(self):
        self.taken.append(("kill", round(self._clock.now - 1000, 3)))
        return self._killable

    def wedged(self, seconds):
        self.taken.append(("wedged", round(self._clock.now - 1000, 3), round(seconds, 3)))


class Still(Ladder):
    """A ladder without a thread: the test climbs."""

    def __init__(self, clock, graces):
        super().__init__(graces)
        self._thread = object()  # never started, never joined
        self._clock = clock

    def run_until(self, when):
        while self._heap and self._heap[0][0] <= when:
            at, _, climb = ladders.heapq.heappop(self._heap)
            self._clock.now = max(self._clock.now, at)
            self._climb(climb)
        self._clock.now = when


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(ladders, "time", clock)
    return clock


def make(clock, deadline=None, killable=False):
    ladder = Still(clock, Graces(interrupt=0.1, kill=0.5))
    rungs = Rungs(clock, killable)
    call = Call(CallFunctionRequest(), b"", CallContext("x", deadline=deadline), NobodyWaits())
    return ladder, ladder.start(call, rungs), rungs


def test_each_rung_comes_at_its_time(clock):
    ladder, climb, rungs = make(clock, deadline=1001.0)
    ladder.run_until(1010.0)
    assert climb.cause == "deadline"
    assert rungs.taken == [("interrupt", 1.1), ("kill", 1.6), ("wedged", 1.6, 0.6)]
    assert dict(ladder.taken) == {"answer": 1, "interrupt": 1, "wedge": 1}


def test_a_kill_that_works_is_the_last_rung(clock):
    ladder, _, rungs = make(clock, deadline=1001.0, killable=True)
    ladder.run_until(1010.0)
    assert rungs.taken == [("interrupt", 1.1), ("kill", 1.6)]


def test_a_call_that_ends_between_rungs_is_left_alone(clock):
    ladder, climb, rungs = make(clock, deadline=1001.0)
    ladder.run_until(1001.2)
    climb.done()
    ladder.run_until(1010.0)
    assert rungs.taken == [("interrupt", 1.1)]


@pytest.mark.parametrize("deadline", [1000.05, 1000.3, 1002.0])
def test_a_deadline_after_a_cancellation_hastens_no_rung(clock, deadline):
    ladder, climb, rungs = make(clock, deadline=deadline)
    climb.caller_left()
    ladder.run_until(1010.0)
    assert climb.cause == "cancel"
    assert rungs.taken == [("interrupt", 0.1), ("kill", 0.6), ("wedged", 0.6, 0.6)]


def test_a_caller_that_leaves_after_the_end_changes_nothing(clock):
    ladder, climb, rungs = make(clock)
    climb.done()
    climb.caller_left()
    ladder.run_until(1010.0)
    assert rungs.taken == []


def test_a_finished_call_is_let_go_of_before_its_deadline(clock):
    ladder = Still(clock, Graces())
    call = Call(CallFunctionRequest(), bytes(1000), CallContext("x", deadline=9999.0), NobodyWaits())
    left = weakref.ref(call.context.flag)
    ladder.start(call, Rungs(clock)).done()
    del call
    assert left() is None


def test_finished_calls_with_far_deadlines_are_forgotten(clock):
    ladder = Still(clock, Graces())
    for _ in range(10_000):
        call = Call(CallFunctionRequest(), b"", CallContext("x", deadline=9999.0), NobodyWaits())
        ladder.start(call, Rungs(clock)).done()
    assert len(ladder._heap) <= 1100
