"""Waiting for a turn: order, bounds, deadlines, and callers that leave. The same on every executor."""

from __future__ import annotations

import time

import pytest

from tests.contract.conftest import EXECUTORS, Background, Caller, make_harness


def one_at_a_time(kind):
    settings = dict(EXECUTORS[kind])
    settings.update({"threads": {"max_workers": 1}, "coroutines": {"max_tasks": 1}}.get(settings["kind"], {}))
    if "workers" in settings:
        settings["workers"] = 1
    return settings


@pytest.fixture(params=EXECUTORS)
def single(request):
    """An executor with one place and a queue of three."""
    yield from make_harness(request.param, {**one_at_a_time(request.param), "queue": 3})


def test_a_call_whose_deadline_passes_in_the_queue_never_starts(single, signal, tmp_path):
    started, release = signal("started"), signal("release")
    first = single.in_background("hold", started.path, release.path)
    started.wait()
    touched = tmp_path / "touched"
    failure = single.fails("touch", str(touched), deadline=time.monotonic() + 0.05)
    assert failure.reason == "EXPIRED_IN_QUEUE"
    release.set()
    first.result()
    single.call("add", 1, 2)  # the queue has been worked off
    assert not touched.exists()


def test_a_deadline_that_has_passed_already_never_starts(single, tmp_path):
    touched = tmp_path / "touched"
    assert single.fails("touch", str(touched), deadline=time.monotonic() - 1).reason == "EXPIRED_IN_QUEUE"
    assert not touched.exists()


def test_a_call_whose_caller_leaves_in_the_queue_never_starts(single, signal, tmp_path):
    started, release = signal("started"), signal("release")
    first = single.in_background("hold", started.path, release.path)
    started.wait()
    caller, touched = Caller(), tmp_path / "touched"
    waiting = single.in_background("touch", str(touched), caller=caller)
    wait_until(lambda: single.executor.stats().waiting == 1)
    caller.leave()
    assert waiting.failure().reason == "CANCELLED"
    release.set()
    first.result()
    assert not touched.exists()


def test_calls_run_in_the_order_in_which_they_came(single, signal, tmp_path):
    started, release, log = signal("started"), signal("release"), tmp_path / "log"
    first = single.in_background("hold", started.path, release.path)
    started.wait()
    waiting = []
    for number in range(3):
        waiting.append(single.in_background("append", str(log), str(number)))
        wait_until(lambda n=number: single.executor.stats().waiting == n + 1)
    release.set()
    first.result()
    for call in waiting:
        call.result()
    assert log.read_text().split() == ["0", "1", "2"]


def test_beyond_the_queue_a_call_is_shed_at_once_with_a_hint_when_to_retry(single, signal):
    started, release = signal("started"), signal("release")
    calls = [single.in_background("hold", started.path, release.path)]
    started.wait()
    for number in range(3):
        calls.append(single.in_background("add", 1, 2))
        wait_until(lambda n=number: single.executor.stats().waiting == n + 1)
    failure = single.fails("add", 1, 2)
    assert failure.reason == "OVERLOADED"
    assert any(detail.TypeName() == "google.rpc.RetryInfo" for detail in failure.status.details)
    assert single.executor.stats().shed == 1
    release.set()
    for call in calls:
        call.result()


def test_waiting_calls_are_turned_away_when_the_executor_closes(single, signal):
    started, release = signal("started"), signal("release")
    first = single.in_background("hold", started.path, release.path)
    started.wait()
    waiting = single.in_background("add", 1, 2)
    wait_until(lambda: single.executor.stats().waiting == 1)
    closing = Background(lambda: single.executor.close(20))
    assert waiting.failure().reason == "DRAINING"
    release.set()
    first.result()  # was running: ended by itself
    closing.result()
    assert single.fails("add", 1, 2).reason == "DRAINING"


def wait_until(condition, seconds=20):
    """Wait for a state of the executor that nothing announces: bounded, and yielding rather than sleeping."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the state was never reached"
        time.sleep(0)
