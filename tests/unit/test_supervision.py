"""The rules of supervision, by a clock of the test's own."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from callgate.failures import CallFailed
from callgate_server.executors.supervision import Backoff, Intensity, Quarantine


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_the_first_start_after_a_success_waits_little_and_each_failure_doubles_it():
    backoff = Backoff(first=0.1, longest=1.0, attempts=7)
    assert [backoff.failed() for _ in range(7)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, None]


def test_a_start_that_succeeds_forgets_the_failures():
    backoff = Backoff(first=0.1, longest=1.0, attempts=3)
    backoff.failed()
    backoff.failed()
    backoff.succeeded()
    assert backoff.failed() == 0.1


def test_the_defaults_try_for_half_a_minute():
    backoff, waited = Backoff(), 0.0
    while (wait := backoff.failed()) is not None:
        waited += wait
    assert 25 < waited < 40


def test_as_many_crashes_as_the_limit_within_the_time_are_too_many(clock):
    intensity = Intensity(3, 10.0, clock)
    assert [intensity.crashed() for _ in range(3)] == [False, False, True]


@given(st.lists(st.floats(0, 20), max_size=40))
def test_the_limit_looks_at_the_last_stretch_of_time_only(pauses):
    clock, times = Clock(), []
    intensity = Intensity(4, 10.0, clock)
    for pause in pauses:
        clock.now += pause
        times.append(clock.now)
        recent = [time for time in times if clock.now - time <= 10.0]
        assert intensity.crashed() == (len(recent) >= 4)


def crash(quarantine, function="f"):
    quarantine.admit(function)
    return quarantine.crashed(function)


def refused(quarantine, function="f"):
    with pytest.raises(CallFailed) as caught:
        quarantine.refuse(function)
    assert caught.value.reason == "QUARANTINED"
    return caught.value


def test_three_crashes_in_a_row_are_one_too_many_and_concern_no_other_function(clock):
    quarantine = Quarantine(clock=clock)
    assert [crash(quarantine) for _ in range(3)] == [None, None, 10.0]
    refused(quarantine)
    quarantine.refuse("g")


def test_a_call_that_passes_in_between_starts_the_count_anew(clock):
    quarantine = Quarantine(clock=clock)
    for _ in range(5):
        crash(quarantine)
        crash(quarantine)
        quarantine.admit("f")
        quarantine.passed("f")
    quarantine.refuse("f")


def test_a_refusal_says_when_to_come_back(clock):
    quarantine = Quarantine(clock=clock)
    for _ in range(3):
        crash(quarantine)
    clock.now += 4
    from google.rpc.error_details_pb2 import RetryInfo

    retry = RetryInfo()
    assert any(detail.Unpack(retry) for detail in refused(quarantine).status.details)
    assert retry.retry_delay.seconds == 6


def test_after_its_time_one_call_is_tried_and_decides(clock):
    quarantine = Quarantine(clock=clock)
    for _ in range(3):
        crash(quarantine)
    clock.now += 10
    quarantine.refuse("f")  # looking takes no trial away
    quarantine.refuse("f")
    quarantine.admit("f")
    refused(quarantine)  # while the trial is on
    assert quarantine.crashed("f") == 20.0
    clock.now += 20
    quarantine.admit("f")
    quarantine.passed("f")
    quarantine.refuse("f")
    assert crash(quarantine) is None  # all is forgotten


def test_a_trial_that_says_nothing_lets_another_one_be_tried(clock):
    quarantine = Quarantine(clock=clock)
    for _ in range(3):
        crash(quarantine)
    clock.now += 10
    quarantine.admit("f")
    quarantine.abandoned("f")
    quarantine.admit("f")
    refused(quarantine)


def test_calls_that_ran_when_the_quarantine_began_do_not_lengthen_it(clock):
    quarantine = Quarantine(clock=clock)
    for _ in range(6):
        quarantine.admit("f")
    assert [quarantine.crashed("f") for _ in range(6)] == [None, None, 10.0, None, None, None]
    clock.now += 10
    quarantine.admit("f")


def test_a_quarantine_is_never_longer_than_the_longest(clock):
    quarantine = Quarantine(first=10, longest=30, clock=clock)
    lengths = [crash(quarantine) for _ in range(3)]
    for _ in range(4):
        clock.now += 30
        lengths.append(crash(quarantine))
    assert lengths == [None, None, 10, 20, 30, 30, 30]


class ManyCalls(RuleBasedStateMachine):
    """Whatever calls do, at most one trial runs at a time, and a function that behaves is never refused."""

    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.quarantine = Quarantine(clock=self.clock)
        self.running = []

    @rule(function=st.sampled_from("fg"))
    def begin(self, function):
        try:
            self.quarantine.admit(function)
        except CallFailed:
            assert function == "f"  # g never crashes
        else:
            self.running.append(function)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data):
        function = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        if function == "g":
            self.quarantine.passed(function)
        else:
            getattr(self.quarantine, data.draw(st.sampled_from(["crashed", "crashed", "passed", "abandoned"])))(
                function
            )

    @rule(seconds=st.floats(0, 700))
    def wait(self, seconds):
        self.clock.now += seconds

    @invariant()
    def the_innocent_are_admitted(self):
        self.quarantine.refuse("g")


TestManyCalls = ManyCalls.TestCase


@pytest.mark.slow
def test_under_many_threads_one_trial_is_admitted_and_no_more(clock):
    for _ in range(50):
        quarantine = Quarantine(clock=clock)
        for _ in range(3):
            crash(quarantine)
        clock.now += 1000
        admitted, barrier = [], threading.Barrier(8)

        def try_it(quarantine=quarantine, admitted=admitted, barrier=barrier):
            barrier.wait()
            try:
                quarantine.admit("f")
            except CallFailed:
                return
            admitted.append(1)

        threads = [threading.Thread(target=try_it) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert admitted == [1]
