"""One sub-interpreter: messages of any size, and interruptions that hit their own call or none."""

from __future__ import annotations

import random
import sys
import threading
from typing import Any

import pytest

from callgate_server.crossing import pack
from callgate_server.executors.interpreter_worker import InterpreterWorker
from callgate_server.inside import INTERRUPTED, RETURNED, UNREADABLE
from callgate_server.mailbox import Mailbox

pytestmark = pytest.mark.skipif(sys.version_info < (3, 13), reason="sub-interpreters need CPython 3.13")

SOURCE = """
import callgate

def same(value): return value

def spin_for(turns):
    for _ in range(turns):
        pass
    return turns

def spin_on():
    while True:
        pass

def spin_until_cancelled():
    while not callgate.current_call().cancelled:
        pass
    return "cancelled"

def keep():
    global kept
    kept = callgate.current_call()
    return kept.cancelled

def kept_is_cancelled(): return kept.cancelled
"""
NAMES = ["same", "spin_for", "spin_on", "spin_until_cancelled", "keep", "kept_is_cancelled"]


class One:
    def __init__(self, worker: InterpreterWorker) -> None:
        self.worker = worker

    def call(self, name: str, *args: Any, begun: Any = None) -> Any:
        number = self.worker.begin()
        try:
            if begun is not None:
                begun(number)
            message = (number, ("inside_functions", name), list(args), {}, "id", "me", None, ())
            return self.worker.call(pack(message))
        finally:
            self.worker.finish()


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inside")
    (folder / "inside_functions.py").write_text(SOURCE)
    sys.path.insert(0, str(folder))
    try:
        worker = InterpreterWorker()
        assert worker.load([("inside_functions", name) for name in NAMES]) == []
        yield One(worker)
        assert worker.end() == 0
    finally:
        sys.path.remove(str(folder))


@pytest.mark.parametrize("around", [-40, -1, 0, 1, 40])
def test_messages_around_the_size_of_the_mailbox_arrive(one, around):
    for size in range(Mailbox.SIZE + around - 120, Mailbox.SIZE + around, 7):
        value = bytes(size)
        assert one.call("same", value) == (RETURNED, value)
    assert one.call("same", "small") == (RETURNED, "small")


def test_large_and_small_messages_take_turns(one):
    for size in (10, 1 << 20, 0, 200_000, 5, 3 << 20, 1):
        assert one.call("same", bytes(size)) == (RETURNED, bytes(size))


def test_an_interruption_that_came_before_the_call_was_entered_keeps_it_from_running(one):
    assert one.call("spin_for", 10**12, begun=one.worker.interrupt) == (INTERRUPTED,)
    assert one.call("spin_for", 3) == (RETURNED, 3)


def test_an_interruption_for_a_call_that_has_ended_is_refused(one):
    numbers: list[int] = []
    one.call("same", 1, begun=numbers.append)
    assert not one.worker.interrupt(numbers[0])
    assert one.call("spin_for", 1000, begun=lambda number: one.worker.interrupt(number - 1)) == (RETURNED, 1000)


def test_a_cancellation_is_seen_inside_by_its_own_call_only(one):
    def cancel_soon(number):
        threading.Thread(target=one.worker.cancel, args=(number,)).start()

    assert one.call("spin_until_cancelled", begun=cancel_soon) == (RETURNED, "cancelled")
    assert one.call("keep", begun=lambda number: one.worker.cancel(number - 1)) == (RETURNED, False)


def test_a_context_that_outlives_its_call_keeps_what_it_last_said(one):
    one.call("keep")
    assert one.call("kept_is_cancelled", begun=one.worker.cancel) == (RETURNED, False)
    assert one.call("keep", begun=one.worker.cancel) == (RETURNED, True)
    assert one.call("kept_is_cancelled") == (RETURNED, True)


def test_a_message_that_cannot_be_read_is_an_answer_not_a_crash(one):
    one.worker.begin()
    kind, problem = one.worker.call(b"\x80\x05no pickle.")
    one.worker.finish()
    assert kind == UNREADABLE
    assert problem
    assert one.call("same", 1) == (RETURNED, 1)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_interruptions_aimed_at_the_ends_of_calls_hit_their_own_call_or_none(one):
    """Stress of the invariant in inside.py: an interrupter that never rests, calls of about its own pace.

    How many it catches is the scheduler's affair; so one call in a hundred ends by its interruption only.
    """
    chance = random.Random(4)
    current = [0]
    stop = threading.Event()

    def interrupt_on_and_on():
        while not stop.is_set():
            one.worker.interrupt(current[0])

    thread = threading.Thread(target=interrupt_on_and_on)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread.start()
    try:
        outcomes = set()
        for turn in range(5_000):
            turns = chance.randrange(2_000)
            endless = turn % 100 == 50
            aimed = endless or chance.random() < 0.5

            def begun(number, aimed=aimed):
                current[0] = number if aimed else 0

            answer = one.call("spin_on", begun=begun) if endless else one.call("spin_for", turns, begun=begun)
            current[0] = 0
            assert answer == (RETURNED, turns) or (aimed and answer == (INTERRUPTED,)), answer
            outcomes.add(answer[0])
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert outcomes == {RETURNED, INTERRUPTED}
