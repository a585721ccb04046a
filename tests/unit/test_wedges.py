"""A stuck call is logged with its stack, and takes readiness down while it is stuck."""

from __future__ import annotations

import threading

import pytest
from structlog.testing import capture_logs

from callgate.context import CallContext
from callgate.v1.function_service_pb2 import CallFunctionRequest
from callgate_server.call import Call, NobodyWaits
from callgate_server.readiness import Readiness
from callgate_server.registry import Exposed
from callgate_server.wedges import WedgeWatch, all_stacks

CALL = Call(CallFunctionRequest(), b"", CallContext("the-call"), NobodyWaits())


def stuck_here(running: threading.Event, release: threading.Event) -> None:
    running.set()
    release.wait()


@pytest.fixture
def stuck():
    """A thread that is stuck in a function of a telling name."""
    running, release = threading.Event(), threading.Event()
    thread = threading.Thread(target=stuck_here, args=(running, release))
    thread.start()
    assert running.wait(20)
    yield
    release.set()
    thread.join()


class Watched:
    """A WedgeWatch, and what it told."""

    def __init__(self, patience: float, exits: bool = False) -> None:
        self.told: list[bool] = []
        self.changed = threading.Event()
        self.gave_up: list[str] = []
        self.readiness = Readiness(self._tell)
        self.watch = WedgeWatch(lambda name: patience, lambda name: exits, self.readiness.against, self._give_up)

    def _tell(self, ready: bool) -> None:
        self.told.append(ready)
        self.changed.set()

    def _give_up(self, reason: str) -> None:
        self.gave_up.append(reason)
        self.changed.set()

    def report(self):
        return self.watch.report("default", Exposed("m", "f"), CALL, 0.5)


def test_other_threads_stacks_are_told(stuck):
    assert "stuck_here" in all_stacks()  # faulthandler shows the newest hundred threads


def test_a_stuck_call_is_logged_with_its_function_its_id_and_its_stack(stuck):
    with capture_logs() as logs:
        Watched(patience=1000).report()()
    assert logs[0]["function"] == "m.f"
    assert logs[0]["call_id"] == "the-call"
    assert "stuck_here" in logs[0]["stacks"]


def test_readiness_goes_down_after_a_while_and_comes_back_when_it_ends():
    watched = Watched(patience=0.5)
    ended = watched.report()
    assert watched.changed.wait(20)
    assert watched.told == [False]
    assert watched.readiness.reasons == ["m.f is stuck in 'default'"]
    ended()
    ended()  # told twice: harmless
    assert watched.told == [False, True]


def test_a_call_that_ends_in_time_takes_nothing_down():
    watched = Watched(patience=1000)
    watched.report()()
    assert watched.told == []


def test_the_server_may_give_up_instead():
    watched = Watched(patience=0.5, exits=True)
    watched.report()
    assert watched.changed.wait(20)
    assert watched.gave_up == ["m.f is stuck in 'default'"]
    assert watched.told == []


def test_readiness_waits_for_every_reason_to_be_lifted():
    told = []
    readiness = Readiness(told.append)
    first, second = readiness.against("one"), readiness.against("two")
    first()
    assert told == [False]
    second()
    second()
    assert told == [False, True]
