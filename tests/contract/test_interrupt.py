"""An interruption hits the call it was meant for, or nothing."""

from __future__ import annotations

import ctypes
import itertools
import math
import os
import queue
import random
import sys
import threading
import time

import pytest

from callgate_server import interrupt
from callgate_server.interrupt import CallInterrupted, Scope


@pytest.fixture
def fast_switching():
    """Switch threads as often as CPython allows, to make races likely."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def fast_waking(fast_switching):
    """Also wake who waits for the GIL at once, not within the timer slack of 50 µs: twenty times as many switches.

    Source: prctl(2), PR_SET_TIMERSLACK; threads inherit it. On a single free core little else gets done.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    assert prctl(29, 1, 0, 0, 0) == 0, os.strerror(ctypes.get_errno())
    yield
    prctl(29, 0, 0, 0, 0)  # the default again


@pytest.fixture
def gaps(monkeypatch):
    """Give the GIL away between taking a call's token and sending it the exception, or between that and saying so."""
    send, sent = interrupt._set_async_exc, itertools.count()

    def send_with_gaps(thread, exception):
        if exception is not CallInterrupted:  # a call that clears what is pending
            return send(thread, exception)
        turn = next(sent) % 3
        if turn == 1:
            time.sleep(0)
        answer = send(thread, exception)
        if turn == 2:
            time.sleep(0)
        return answer

    monkeypatch.setattr(interrupt, "_set_async_exc", send_with_gaps)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_million_interruptions_at_the_end_of_calls_never_land_elsewhere(fast_switching):
    race(1_000_000)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_interruptions_that_are_interrupted_themselves_never_land_elsewhere(fast_waking, gaps):
    race(50_000, newest=True)


def race(rounds, newest=False):
    """Aim interruptions at the moments in which calls end, from both sides of them.

    Counted: calls that were interrupted, calls that ended first, and interruptions that landed anywhere else: in the
    next call, between calls, or in Scope's own code. The last must be none, and the first two both must happen.

    How many of the races either side wins is the machine's affair. So one call in a thousand, or hundred, ends by its
    interruption only, which also lets the interrupter catch up, and another one ends before it is handed over.

    Ends early after 20 seconds where it aims at the newest: on a single free core, threads that wake at once keep each
    other from working.
    """
    until = time.monotonic() + 20 if newest else math.inf
    every = 100 if newest else 1000
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
            # The other thread makes dozens of calls before this one has its turn: only the newest may still run.
            # Leaving the rest out aims better; interrupting each of them tries more of what comes too late.
            while newest and scopes.qsize() > 1:
                scope = scopes.get()
            scope.interrupt()

    def work():
        # Now and then long enough to be hit while it runs, also where the interrupter is scheduled late.
        for _ in range(5000 if not newest and (hit + ended) % 101 == 0 else delays[(hit + ended) % 991]):
            pass
        return 7

    def last():
        while True:
            pass

    interrupter = threading.Thread(target=interrupt_each, daemon=True)
    interrupter.start()
    turn = 0
    while turn < rounds and (turn < every or time.monotonic() < until):
        turn += 1
        try:
            scope = Scope()
            if turn % every != every // 2:
                scopes.put(scope)
            try:
                assert scope.run(last if turn % every == 0 else work) == 7
                ended += 1
            except CallInterrupted:
                hit += 1
            if turn % every == every // 2:
                scopes.put(scope)
            # The pool's own code: an interruption that is still pending would land here.
            for _ in range(3):
                pass
        except CallInterrupted as error:
            elsewhere.append(repr(error))
    scopes.put(None)
    interrupter.join()
    assert not elsewhere
    assert hit + ended == turn
    assert hit >= turn // every
    assert ended >= turn // every


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
