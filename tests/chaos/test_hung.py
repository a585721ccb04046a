"""Calls that do not end: asked, interrupted, killed; and nothing of it reaches another call."""

from __future__ import annotations

import random
import threading
import time

import pytest

from callgate_server.ladder import Graces
from tests.chaos.conftest import SOON, lives, number_from
from tests.contract.conftest import Caller
from tests.contract.test_waiting import wait_until


@pytest.mark.slow
@pytest.mark.parametrize("function", ["spin", "spin_and_swallow", "stuck_in_c", "ignore_signals_and_hang"])
def test_after_both_workers_hang_past_their_deadline_full_capacity_is_back_soon(front, signal, function):
    if function != "spin":
        front.ladder.graces = SOON
    told, release = signal("told"), signal("release")
    deadline = time.monotonic() + 1
    hung = [front.in_background(function, told.path, seconds=1) for _ in range(2)]
    for _ in hung:
        told.wait()
    for call in hung:
        assert call.failure().reason == "RAN_TOO_LONG"
    held = [front.in_background("hold", told.path, release.path) for _ in range(2)]
    for _ in held:
        told.wait()  # both run at once
    assert time.monotonic() - deadline < 15  # half a second, and what a busy machine makes of it
    for _ in held:
        release.set()
    assert len({call.result() for call in held}) == 2
    kills = 0 if function == "spin" else 2
    wait_until(lambda: front.ladder.taken["kill"] == kills)  # counted once it is done
    wait_until(lambda: front.executor.stats().restarts == kills)
    assert not front.gave_up


@pytest.mark.slow
def test_code_that_blocks_in_a_system_call_is_interrupted_and_keeps_its_worker(front, signal):
    told = signal("told")
    call = front.in_background("sleep", told.path, 1000, seconds=1)
    told.wait()
    assert call.failure().reason == "RAN_TOO_LONG"
    assert front.ladder.taken["kill"] == 0
    assert front.executor.stats().restarts == 0


@pytest.mark.slow
def test_a_worker_that_holds_its_gil_in_c_is_killed_all_the_same(front, signal):
    front.ladder.graces = SOON
    told = signal("told")
    call = front.in_background("stuck_in_c", told.path, True, seconds=1)
    told.wait()
    assert call.failure().reason == "RAN_TOO_LONG"
    wait_until(lambda: front.ladder.taken["kill"] == 1)  # counted once it is done
    assert front.call("add", 1, 2) == 3


@pytest.mark.slow
def test_a_caller_that_leaves_has_its_stuck_worker_killed_and_the_failure_says_cancelled(front, signal):
    front.ladder.graces = SOON
    told, caller = signal("told"), Caller()
    call = front.in_background("stuck_in_c", told.path, caller=caller)
    told.wait()
    caller.leave()
    assert call.failure().reason == "CANCELLED"
    wait_until(lambda: front.ladder.taken["kill"] == 1)  # counted once it is done


def test_the_flag_is_raised_in_the_worker_before_anything_is_interrupted(front, signal):
    front.ladder.graces = Graces(interrupt=20, kill=20)
    told, saw, caller = signal("told"), signal("saw"), Caller()
    call = front.in_background("until_cancelled", told.path, saw.path, caller=caller)
    told.wait()
    caller.leave()
    saw.wait()
    assert call.ended() == "OK"
    assert front.ladder.taken["interrupt"] == 0


@pytest.mark.slow
def test_what_a_killed_call_started_ends_with_its_worker(front, signal):
    told = signal("told")
    call = front.in_background("start_child_and_spin", told.path, seconds=1)
    child = number_from(told)
    assert call.failure().reason == "RAN_TOO_LONG"
    assert lives(child)  # interrupted, not killed: the worker goes on, and so does what it started
    front.close()
    wait_until(lambda: not lives(child))


@pytest.mark.slow
def test_closing_kills_what_neither_ends_nor_stops(make_front, signal):
    front, told = make_front(), signal("told")
    front.ladder.graces = SOON
    call = front.in_background("stuck_in_c", told.path)
    told.wait()
    front.executor.close(0.0)
    assert call.failure().reason == "CANCELLED"


@pytest.mark.slow
def test_callers_that_leave_around_the_end_of_a_call_disturb_no_other(make_front):
    """The scope of interruption across processes; its stress is in tests/unit/test_worker_calls.py."""
    front = make_front(workers=1)
    front.ladder.graces = Graces(interrupt=0.0, kill=5.0)
    source = random.Random(1)
    for number in range(300):
        caller = Caller()
        timer = threading.Timer(source.uniform(0, 0.001), caller.leave)
        timer.start()
        assert front.in_background("same", number, caller=caller).ended() in ("OK", "CANCELLED")
        assert front.call("same", number) == number  # nobody leaves this one
        timer.join()
    assert front.executor.stats().restarts == 0
