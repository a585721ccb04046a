"""A stream holds its worker; what happens to either of them."""

from __future__ import annotations

import itertools
import os
import signal as signals
import time

import pytest

from callgate.failures import CallFailed
from tests.chaos.conftest import SOON, lives, metadata
from tests.contract.conftest import Caller
from tests.contract.test_waiting import wait_until


def failure_of(items):
    with pytest.raises(CallFailed) as caught:
        list(items)
    return caught.value


def test_a_crash_midway_comes_after_the_items_before_it(front):
    items = front.stream("count_and_crash", 3)
    assert list(itertools.islice(items, 3)) == [0, 1, 2]
    failure = failure_of(items)
    assert failure.reason == "WORKER_CRASHED"
    assert metadata(failure)["exit_code"] == "3"
    assert front.call("add", 1, 2) == 3


def test_a_worker_killed_between_two_items_has_crashed_and_the_stream_is_not_begun_anew(front):
    items = front.stream("pids")
    os.kill(next(items), signals.SIGKILL)
    assert failure_of(items).reason == "WORKER_CRASHED"


def test_a_stream_that_crashes_is_quarantined_like_a_call(front):
    for _ in range(3):
        assert failure_of(front.stream("count_and_crash", 0)).reason == "WORKER_CRASHED"
    assert failure_of(front.stream("count_and_crash", 0)).reason == "QUARANTINED"


def test_streams_hold_their_workers_and_give_them_back_however_they_end(make_front):
    front = make_front(workers=1)
    for _ in range(3):
        items = front.stream("pids")
        pid = next(items)
        assert front.fails("pid", seconds=0.02).reason == "EXPIRED_IN_QUEUE"
        items.close()
        assert front.call("pid") == pid


def test_closing_the_executor_does_not_wait_for_a_consumer_that_does_nothing(front):
    front.ladder.graces = SOON
    items = front.stream("pids")
    pid = next(items)
    began = time.monotonic()
    front.executor.close(0.0)
    assert time.monotonic() - began < 15
    assert not lives(pid)
    assert failure_of(items).reason in ("CANCELLED", "WORKER_CRASHED")


@pytest.mark.slow
def test_a_consumer_that_does_nothing_past_the_deadline_loses_its_worker(front):
    front.ladder.graces = SOON
    items = front.stream("pids", seconds=1)
    pid = next(items)
    wait_until(lambda: not lives(pid))
    assert failure_of(items).reason == "RAN_TOO_LONG"
    assert front.call("add", 1, 2) == 3


def test_a_worker_that_dies_while_its_stream_is_closed_is_nobodys_failure(front, logged):
    items = front.stream("crash_when_closed")
    assert next(items) == 1
    items.close()
    wait_until(lambda: "worker crashed" in [entry["event"] for entry in logged])
    assert [entry["event"] for entry in logged].count("worker crashed") == 1
    assert front.call("add", 1, 2) == 3


def test_a_generator_that_hangs_in_its_finally_is_killed_after_its_caller_left(front):
    front.ladder.graces = SOON
    caller = Caller()
    items = front.stream("hang_when_closed", caller=caller)
    assert next(items) == 1
    caller.leave()
    assert failure_of(items).reason == "CANCELLED"
    wait_until(lambda: front.ladder.taken["kill"] == 1)  # counted once it is done
    assert front.call("add", 1, 2) == 3


@pytest.mark.slow
def test_many_items_come_whole(front):
    assert list(front.stream("count", 3000)) == list(range(3000))
