"""Who makes which call of a batch: every call exactly once, whoever is interrupted. No server."""

from __future__ import annotations

import math
import random
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callgate.context import CallContext, _current, current_call
from callgate.failures import CallFailed
from callgate.v1 import function_service_pb2 as pb
from callgate.values import encode
from callgate_server import stretch as stretch_module
from callgate_server.batch import Batch
from callgate_server.call import Call, NobodyWaits
from callgate_server.dispatch import Dispatcher
from callgate_server.executors.base import Surroundings
from callgate_server.interrupt import CallInterrupted, Scope
from callgate_server.invocation import Invoker
from callgate_server.ladder import Ladder
from callgate_server.lane import Lane
from callgate_server.registry import ExposureRule, Registry
from callgate_server.stretch import Mapped, Stretch


def mapped(first, items):
    message = pb.MappedCalls(module="m", function="f")
    encode(items, message.items)
    return Mapped(message, first)


def filled(parts, concurrency):
    """A lane of parts: 0 for a call by itself, else so many mapped ones; and how many calls that is."""
    lane, index = Lane(concurrency), 0
    for size in parts:
        lane.add(mapped(index, [float(n) for n in range(size)]) if size else index)
        index += size or 1
    return lane, index


def work_off(lane, chance):
    """Take calls until there are none, now one and now several; those that this runner made."""
    made = []
    while (part := lane.take()) is not None:
        if isinstance(part, int):
            made.append(part)
            continue
        for _ in range(chance.choice((1, 1, 7, 100))):
            index = part.claim()
            if index is None:
                break
            made.append(index)
    return made


PARTS = st.lists(st.sampled_from((0, 0, 1, 2, 5, 40)), max_size=20)


@given(PARTS, st.integers(1, 40))
def test_one_runner_makes_every_call_in_order(parts, concurrency):
    lane, count = filled(parts, concurrency)
    assert lane.runners == min(count, concurrency)
    assert work_off(lane, random.Random(0)) == [*range(count)]
    assert lane.take() is None


@settings(max_examples=40, deadline=None)
@given(PARTS, st.randoms(use_true_random=False))
def test_many_runners_make_every_call_exactly_once_and_all_leave(parts, chance):
    lane, count = filled(parts, 8)
    together = threading.Barrier(8)
    made = [[] for _ in range(8)]

    def run(mine, seed):
        together.wait(20)
        mine += work_off(lane, random.Random(seed))

    threads = [threading.Thread(target=run, args=(mine, chance.random())) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert sorted(index for mine in made for index in mine) == [*range(count)]


def test_what_one_runner_does_not_claim_is_there_for_the_next_while_it_is_busy():
    lane, _ = filled([3], 2)
    part = lane.take()
    assert part.claim() == 0  # and goes on for long
    other = lane.take()
    assert [other.claim(), other.claim(), other.claim()] == [1, 2, None]
    assert lane.take() is None


def test_another_lanes_calls_come_first_and_in_order():
    lane, _ = filled([0, 0], 4)
    refused = Lane(1)
    for index in (7, 8, 9):
        refused.add(index)
    lane.add_first(refused)
    assert lane.runners == 4
    assert [lane.take() for _ in range(6)] == [7, 8, 9, 0, 1, None]


# ------------------------------------------------------------------------------------------ stretches


@pytest.fixture(autouse=True)
def _no_hurry(monkeypatch):
    """A stretch's time is not up while its calls run, however busy this machine is."""
    monkeypatch.setattr(stretch_module, "STRETCH_SECONDS", 30.0)


@pytest.fixture(autouse=True)
def _no_call_afterwards():
    """A stretch makes its calls the current ones; its executor, which is not here, puts back what was before."""
    token = _current.set(None)
    yield
    _current.reset(token)


class Turn:
    """What a Run is to a stretch."""

    def __init__(self, deadline=None):
        self.call = Call(pb.CallFunctionRequest(), b"", CallContext("turn", deadline=deadline), NobodyWaits())
        self.key = ""


def reasons(stretch):
    return [CallFailed(end).reason for end in stretch.ends]


def test_no_call_begins_after_the_last_moment_though_nothing_interrupts():
    deadline = time.monotonic() + 0.0005
    stretch = Stretch(mapped(0, [1.0, 2.0, 3.0]), deadline, None)

    def until_late(_: float) -> None:
        while time.monotonic() < deadline:
            pass

    stretch.run(Turn(deadline), until_late, Invoker())
    assert reasons(stretch) == ["RAN_TOO_LONG"]
    assert [*stretch.mapped.left] == [1, 2]


def test_a_calls_deadline_is_no_later_than_when_the_ladder_stops_it():
    turn = Turn(time.monotonic() + 1000)
    stretch = Stretch(mapped(0, [0.0] * 3), None, 5000.0)
    stretch.run(turn, lambda _: current_call().deadline == turn.call.context.deadline, Invoker())
    assert stretch.ends == [True] * 3


def test_a_stretch_ends_when_its_time_is_up_and_leaves_the_rest(monkeypatch):
    monkeypatch.setattr(stretch_module, "STRETCH_SECONDS", 0.002)
    stretch = Stretch(mapped(10, [0.0] * 3), None, None)

    def slow(_: float) -> None:
        until = time.monotonic() + 0.002
        while time.monotonic() < until:
            pass

    stretch.run(Turn(), slow, Invoker())
    assert stretch.claimed == [10]
    assert not stretch.begun
    assert [*stretch.mapped.left] == [11, 12]


def test_a_raised_flag_starts_no_more():
    turn = Turn()
    stretch = Stretch(mapped(0, [0.0, 1.0, 2.0]), None, None)

    def leave(number: float) -> float:
        turn.call.context.flag.raised = number == 1.0
        return number

    stretch.run(turn, leave, Invoker())
    assert stretch.ends == [0.0, 1.0]
    late = Stretch(stretch.mapped, None, None)
    late.run(turn, leave, Invoker())
    assert late.claimed == []


def test_the_call_that_has_begun_is_known_from_one_that_has_not():
    def stop(number: float) -> float:
        if number == 2.0:
            raise CallInterrupted
        return number

    stretch = Stretch(mapped(5, [0.0, 1.0, 2.0, 3.0]), None, None)
    with pytest.raises(CallInterrupted):
        stretch.run(Turn(), stop, Invoker())
    assert (stretch.begun, stretch.claimed[-1], stretch.ends) == (True, 7, [0.0, 1.0])

    class EndThenInterrupt(list):
        def append(self, end):
            super().append(end)
            raise CallInterrupted

    stretch = Stretch(mapped(5, [0.0, 1.0]), None, None)
    stretch.ends = EndThenInterrupt()
    with pytest.raises(CallInterrupted):
        stretch.run(Turn(), stop, Invoker())
    assert (stretch.begun, [*stretch.mapped.left]) == (False, [6])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_wherever_an_interruption_lands_every_call_is_ended_or_begun_or_left():
    """Real ones, at any instruction: 2,000 stretches beside a thread that interrupts them.

    How many end first is the scheduler's affair; one in a hundred ends by its interruption only.
    """
    invoker = Invoker()
    current: list[Scope] = []
    over = threading.Event()
    landed = 0

    def last(_: float) -> None:
        while True:
            pass

    def interrupt():
        while not over.is_set():
            for scope in current[-1:]:
                scope.interrupt()

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    try:
        for turn in range(2000):
            stretch = Stretch(mapped(3, [float(n) for n in range(50)]), None, None)
            scope = Scope()
            current[:] = [scope]
            try:
                scope.run(stretch.run, Turn(), last if turn % 100 == 50 else math.sqrt, invoker)
            except CallInterrupted:
                landed += 1
            current.clear()
            count = len(stretch.ends) + stretch.begun
            assert stretch.claimed == [*range(3, 3 + count)]
            assert [*stretch.mapped.left] == [*range(3 + count, 53)]
            assert stretch.ends == [math.sqrt(n) for n in range(len(stretch.ends))]
    finally:
        over.set()
        interrupter.join(20)
    assert landed >= 20


# ------------------------------------------------------------------------------------------ what goes back

ENDS = st.lists(
    st.tuples(
        st.integers(1, 3), st.one_of(st.floats(allow_nan=False), st.booleans(), st.just("text"), st.just(b"raw"))
    ),
    min_size=1,
    max_size=30,
)


@given(ENDS)
def test_outcomes_name_every_call_once_by_its_own_index(steps):
    """Whatever others claimed in between, and whatever kinds of results follow each other."""
    stretch = Stretch(mapped(0, [0.0] * 100), None, None)
    index, known = 0, {}
    for step, end in steps:
        index += step
        stretch.claimed.append(index)
        stretch.ends.append(end)
        known[index] = end
    found = {}
    for first, outcome in stretch.outcomes():
        for at, end in enumerate(outcome if isinstance(outcome, list) else [outcome], first):
            assert at not in found
            found[at] = end
        if isinstance(outcome, list):
            assert len({type(end) for end in outcome}) == 1
    assert repr(found) == repr(known)


def test_a_batch_of_too_many_calls_is_refused_before_anything_is_made_of_them():
    """A million bools are a megabyte as they come, and a hundred as calls."""
    message = pb.BatchCallFunctionsRequest()
    encode([True] * 1_000_000, message.mapped.add(module="m", function="f").items)
    tracemalloc.start()
    try:
        with pytest.raises(CallFailed, match="has 1000000 calls; this server takes at most 10000"):
            Batch(
                Dispatcher(Registry([ExposureRule(("math.sqrt",))]), {}, Surroundings(Invoker(), Ladder())),
                message,
                identity="",
                deadline=None,
                call_timeout=None,
                chain=(),
                caller=NobodyWaits(),
                pool=ThreadPoolExecutor(1),
                max_bytes=1 << 20,
                max_calls=10_000,
            )
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
