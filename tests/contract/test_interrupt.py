"""An interruption hits the call it was meant for, or nothing."""

from __future__ import annotations

import queue
import random
import sys
import threading

import pytest

from callgate_server.interrupt import CallInterrupted, Scope

ROUNDS = 1_000_000


@pytest.fixture
def fast_switching():
    """Switch threads as often as CPython allows, to make races likely."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_million_interruptions_at_the_end_of_calls_never_land_elsewhere(fast_switching):
    """The interrupter is aimed at the moment in which the call ends, from both sides of it.

    Counted: calls that were interrupted, calls that ended first, and interruptions that landed anywhere else: in the
    next call, between calls, or in Scope's own code. The last must be none, and the first two both must happen.
    """
    scopes: queue.SimpleQueue[Scope | None] = queue.SimpleQueue()
    jitter = random.Random(4)
    delays = [jitter.randrange(30) for _ in range(997)]
    hit = ended = 0
    elsewhere: list[str] = []

    def interrupt_each():
        turn = 0
        while (scope := scopes.get()) is not None:
            turn += 1
            for _ in range(delays[turn % 997]):
                pass
            scope.interrupt()

    def work():
        # Now and then long enough to be hit for certain, also where the interrupter is scheduled late.
        for _ in range(5000 if (hit + ended) % 101 == 0 else delays[(hit + ended) % 991]):
            pass
        return 7

    interrupter = threading.Thread(target=interrupt_each)
    interrupter.start()
    for _ in range(ROUNDS):
        try:
            scope = Scope()
            scopes.put(scope)
            try:
                assert scope.run(work) == 7
                ended += 1
            except CallInterrupted:
                hit += 1
            # The pool's own code: an interruption that is still pending would land here.
            for _ in range(3):
                pass
        except CallInterrupted as error:
            elsewhere.append(repr(error))
    scopes.put(None)
    interrupter.join()
    assert not elsewhere
    assert hit + ended == ROUNDS
    assert hit > ROUNDS // 1000
    assert ended > ROUNDS // 1000


def test_an_interruption_before_the_work_keeps_it_from_starting():
    scope, ran = Scope(), []
    assert not scope.interrupt()
    with pytest.raises(CallInterrupted):
        scope.run(lambda: ran.append(1))
    assert not ran


def test_an_interruption_after_the_work_does_nothing():
    scope = Scope()
    assert scope.run(lambda: 1) == 1
    assert not scope.interrupt()


def test_work_that_raises_the_interruption_itself_does_not_hang():
    def work():
        raise CallInterrupted

    with pytest.raises(CallInterrupted):
        Scope().run(work)


def test_work_may_swallow_the_interruption():
    scope, running = Scope(), threading.Event()

    def work():
        try:
            running.set()
            while True:
                pass
        except CallInterrupted:
            return "swallowed"

    threading.Thread(target=lambda: running.wait() and scope.interrupt()).start()
    assert scope.run(work) == "swallowed"
