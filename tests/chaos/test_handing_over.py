"""While calls wait, a worker goes from hand to hand: who has one call's answer sends the next one's request.

The thread of that next call is kept from waking here, so that everything happens in between.
"""

from __future__ import annotations

import threading
import time

import pytest

from callgate_server.executors.worker_place import HELPED_BYTES, Place
from callgate_server.ladder import Graces
from tests.chaos.conftest import lives
from tests.contract.conftest import Caller
from tests.contract.test_waiting import wait_until


@pytest.fixture
def single(make_front):
    return make_front(workers=1)


@pytest.fixture
def waking(monkeypatch):
    """While it is cleared, no thread is woken whose call has been handed a worker; `helped` has their functions."""
    allowed = threading.Event()
    allowed.helped = []
    wake = Place.wake

    def wake_when_allowed(place):
        if place.helped:
            allowed.helped.append(place.exposed.name)
            allowed.wait(20)  # a test that fails must not leave it waiting for ever
        wake(place)

    monkeypatch.setattr(Place, "wake", wake_when_allowed)
    yield allowed
    allowed.set()


def held(front, signal):
    """A call that runs until it is told not to: behind it, calls wait."""
    told, release = signal("told"), signal("release")
    call = front.in_background("hold", told.path, release.path)
    told.wait()
    return call, release


def behind(front, *args, **about):
    """A call that waits."""
    waiting = front.executor.stats().waiting
    call = front.in_background(*args, **about)
    wait_until(lambda: front.executor.stats().waiting > waiting)
    return call


def test_a_waiting_call_runs_before_its_own_thread_is_woken(single, signal, waking):
    first, release = held(single, signal)
    began, go_on = signal("began"), signal("go on")
    second = behind(single, "hold", began.path, go_on.path)
    release.set()
    began.wait()
    assert single.executor.stats().running == 1
    go_on.set()
    waking.set()
    assert first.result() == second.result()  # the same worker's pid
    assert waking.helped == ["hold"]


def test_a_deadline_that_passes_before_the_calls_own_thread_wakes_stops_it_all_the_same(single, signal, waking):
    single.ladder.graces = Graces(interrupt=0.0, kill=20.0)
    first, release = held(single, signal)
    began = signal("began")
    end = time.monotonic() + 2
    second = behind(single, "spin", began.path, seconds=2)
    release.set()
    began.wait()
    wait_until(lambda: time.monotonic() > end + 0.1)
    waking.set()
    assert second.ended() == "RAN_TOO_LONG"
    assert waking.helped == ["spin"]
    assert lives(first.result())  # interrupted, not killed
    assert single.call("pid") == first.result()


def test_a_caller_that_leaves_before_the_calls_own_thread_wakes_is_noticed(single, signal, waking):
    single.ladder.graces = Graces(interrupt=20.0, kill=20.0)  # it stops by itself
    first, release = held(single, signal)
    began, saw = signal("began"), signal("saw")
    caller = Caller()
    second = behind(single, "until_cancelled", began.path, saw.path, caller=caller)
    release.set()
    began.wait()
    caller.leave()
    waking.set()
    saw.wait()
    assert second.ended() == "OK"
    assert waking.helped == ["until_cancelled"]
    assert single.call("pid") == first.result()


def test_a_request_that_nobody_reads_is_tried_again_on_another_worker(single, signal, waking):
    waking.set()
    first, release = held(single, signal)
    deaf = behind(single, "hang_up", "answered")
    last = behind(single, "same", "not lost")
    release.set()
    assert deaf.result() == "answered"
    assert last.result() == "not lost"
    assert not lives(first.result())
    assert waking.helped[0] == "hang_up"  # and `same`, if the worker's end was not noticed first


def test_long_requests_are_sent_by_their_own_threads(single, signal, waking):
    _, release = held(single, signal)
    data = b"x" * (HELPED_BYTES + 1)
    long = behind(single, "same", data)
    release.set()
    assert long.result() == data  # although no thread that was helped is woken
    assert not waking.helped


def test_a_stream_is_handed_a_worker_and_hands_it_on(single, signal, waking):
    waking.set()
    _, release = held(single, signal)
    items = []
    thread = threading.Thread(target=lambda: items.extend(single.stream("count", 3)))
    thread.start()
    wait_until(lambda: single.executor.stats().waiting == 1)
    last = behind(single, "same", 1)
    release.set()
    thread.join(20)
    assert items == [0, 1, 2]
    assert last.result() == 1
    assert waking.helped == ["count", "same"]


def test_calls_that_were_handed_a_worker_are_waited_for_when_the_executor_closes(single, signal, waking):
    first, release = held(single, signal)
    began, go_on = signal("began"), signal("go on")
    second = behind(single, "hold", began.path, go_on.path)
    release.set()
    began.wait()
    closing = threading.Thread(target=single.executor.close, args=(20,))
    closing.start()
    go_on.set()
    waking.set()
    assert second.result() == first.result()
    assert waking.helped == ["hold"]
    closing.join(20)
    assert not closing.is_alive()
