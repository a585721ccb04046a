"""Workers are replaced by calls served and by memory, and no call is dropped or even fails."""

from __future__ import annotations

import os
import signal as signals
import threading

import pytest

from tests.chaos.conftest import lives
from tests.contract.conftest import Background
from tests.contract.test_waiting import wait_until


def spares(front):
    """The workers that are ready to take over, once there are any: those that there are may go at any moment."""
    found = ()

    def any_there():
        nonlocal found
        found = tuple(front.executor._crew._spares)
        return found

    wait_until(any_there)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("max_calls", [1, 2, 7, 50])
def test_no_worker_runs_more_than_its_calls_and_none_is_dropped_under_load(make_front, max_calls):
    front = make_front(max_calls=max_calls)
    calls = 20 * max_calls if max_calls < 50 else 400
    served: list[int] = []

    def load() -> None:
        for _ in range(calls // 4):
            served.append(front.call("pid"))

    for one in [Background(load) for _ in range(4)]:
        one.result(50)
    assert len(served) == calls // 4 * 4
    assert max(served.count(pid) for pid in served) <= max_calls
    assert front.executor.stats().restarts == 0  # those are for crashes and kills


@pytest.mark.slow
def test_the_replacement_is_ready_before_the_old_worker_leaves(make_front):
    front = make_front(workers=1, max_calls=20)
    for _ in range(18):
        front.call("pid")
    (spare,) = spares(front)
    old = front.call("pid")
    assert front.call("pid") == old
    assert front.call("pid") == spare.pid
    wait_until(lambda: not lives(old))


@pytest.mark.slow
def test_a_spare_that_dies_is_replaced_too(make_front):
    front = make_front(workers=1, max_calls=20)
    for _ in range(18):
        front.call("pid")
    shot = spares(front)[0].pid
    os.kill(shot, signals.SIGKILL)
    wait_until(lambda: spares(front)[0].pid != shot)
    assert front.executor.stats().restarts == 1


@pytest.mark.slow
def test_a_worker_grown_too_large_serves_until_its_replacement_is_ready(make_front):
    front = make_front(workers=1, max_rss="80MiB")
    first = front.call("keep", 1 << 20)
    assert front.call("pid") == first
    assert front.call("keep", 100 << 20) == first
    wait_until(lambda: front.call("pid") != first)
    second = front.call("pid")
    for _ in range(20):
        assert front.call("pid") == second
    wait_until(lambda: not lives(first))


@pytest.mark.slow
def test_a_worker_that_has_used_half_its_cpu_seconds_is_replaced_between_calls(make_front):
    front = make_front(workers=1, cpu=2)
    first = front.call("pid")
    front.call("use_cpu", 1.2)
    wait_until(lambda: front.call("pid") != first)
    assert front.executor.stats().restarts == 0


@pytest.mark.slow
def test_recycling_and_crashes_together_lose_no_other_call(make_front):
    front = make_front(max_calls=5, max_crashes=1000)
    stop = threading.Event()

    def crash() -> None:
        while not stop.is_set():
            # By turns, or it would be in quarantine.
            front.call("exit_unless", True)
            front.fails("exit_unless", False)

    crashing = Background(crash)
    loads = [Background(lambda: [front.call("add", number, 1) for number in range(25)]) for _ in range(3)]
    for load in loads:
        assert load.result(50) == list(range(1, 26))
    stop.set()
    crashing.result()
