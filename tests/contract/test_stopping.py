"""The ladder: a call that nobody waits for any more is answered, asked, interrupted, and killed where it can be."""

from __future__ import annotations

import time

import pytest

from callgate_server.ladder import Graces
from tests.contract.conftest import SOON, Background, Caller
from tests.contract.test_waiting import wait_until


@pytest.mark.slow
def test_at_the_deadline_the_caller_is_answered_and_the_code_interrupted(fresh_harness, signal):
    started, caught, caller = signal("started"), signal("caught"), Caller()
    call = fresh_harness.in_background("spin", started.path, caught.path, deadline=time.monotonic() + 1, caller=caller)
    started.wait()
    assert caller.answered.wait(20)
    assert "RAN_TOO_LONG" in str(caller.answers[0])
    caught.wait()
    assert call.failure().reason == "RAN_TOO_LONG"
    assert fresh_harness.call("add", 1, 2) == 3
    wait_until(lambda: fresh_harness.ladder.taken["answer"] == 1)  # counted once it is done
    wait_until(lambda: fresh_harness.ladder.taken["interrupt"] == 1)  # counted once it is done


def test_a_caller_that_leaves_has_its_call_interrupted(fresh_harness, signal):
    started, caught, caller = signal("started"), signal("caught"), Caller()
    call = fresh_harness.in_background("spin", started.path, caught.path, caller=caller)
    started.wait()
    caller.leave()
    caught.wait()
    assert call.failure().reason == "CANCELLED"
    assert fresh_harness.call("add", 1, 2) == 3


def test_a_function_that_looks_sees_that_nobody_waits(fresh_harness, signal):
    fresh_harness.ladder.graces = Graces(interrupt=20, kill=20)  # it has time to look
    started, saw, caller = signal("started"), signal("saw"), Caller()
    call = fresh_harness.in_background("until_cancelled", started.path, saw.path, caller=caller)
    started.wait()
    caller.leave()
    saw.wait()
    assert call.ended() == "OK"


@pytest.mark.slow
def test_an_interruption_that_is_swallowed_costs_only_its_own_call(harness, signal):
    started = signal("started")
    call = harness.in_background("spin_stubbornly", started.path, deadline=time.monotonic() + 1)
    started.wait()
    # It ends either way: with its own answer, which nobody waits for, or as interrupted.
    assert call.ended() in ("OK", "RAN_TOO_LONG")
    for _ in range(50):
        assert harness.call("add", 1, 2) == 3


def test_closing_interrupts_what_does_not_end(fresh_harness, signal):
    started, caught = signal("started"), signal("caught")
    call = fresh_harness.in_background("spin", started.path, caught.path)
    started.wait()
    Background(lambda: fresh_harness.executor.close(0.0)).result()
    caught.wait()
    assert call.failure().reason in ("CANCELLED", "DRAINING")


@pytest.mark.slow
def test_code_stuck_in_c_is_killed_or_else_reported(fresh_harness, signal):
    fresh_harness.ladder.graces = SOON
    started, release = signal("started"), signal("release")
    if fresh_harness.kind == "processes":
        call = fresh_harness.in_background("crunch_in_c", started.path, deadline=time.monotonic() + 1)
        started.wait()
        assert call.failure().reason == "RAN_TOO_LONG"
        wait_until(lambda: fresh_harness.ladder.taken["kill"] == 1)  # counted once it is done
        assert not fresh_harness.wedges
    else:
        call = fresh_harness.in_background("hold_in_c", started.path, release.path, deadline=time.monotonic() + 1)
        started.wait()
        wait_until(lambda: fresh_harness.executor.stats().wedged == 1)
        assert fresh_harness.wedges[0][0] == "hold_in_c"
        release.set()
        assert call.ended() in ("OK", "RAN_TOO_LONG")
        assert fresh_harness.executor.stats().wedged == 0
    assert fresh_harness.call("add", 1, 2) == 3


def test_stats_count_what_happened(fresh_harness):
    for _ in range(5):
        fresh_harness.call("add", 1, 2)
    fresh_harness.fails("fail", "x")
    wait_until(lambda: fresh_harness.executor.stats().running == 0)
    stats = fresh_harness.executor.stats()
    assert stats.completed == 6
    assert stats.busy_seconds > 0
    assert (stats.running, stats.waiting, stats.expired, stats.shed, stats.wedged) == (0, 0, 0, 0, 0)


def test_no_more_calls_run_at_once_than_there_are_places(fresh_harness, signal):
    if fresh_harness.kind == "coroutines":
        pytest.skip("ten thousand places: test_waiting.py takes one")
    places = {"serial": 1, "threads": 4}.get(fresh_harness.kind, 2)
    started, release = signal("started"), signal("release")
    calls = [fresh_harness.in_background("hold", started.path, release.path) for _ in range(places + 2)]
    for _ in range(places):
        started.wait()
    wait_until(lambda: fresh_harness.executor.stats().waiting == 2)
    assert fresh_harness.executor.stats().running == places
    assert not started.is_set()
    for _ in calls:
        release.set()
    for call in calls:
        call.result()
