"""Streams are the same on every executor."""

from __future__ import annotations

import itertools
import time

import pytest

from callgate.failures import CallFailed, error_from_status
from tests.contract.conftest import Caller


def reason_of(items):
    with pytest.raises(CallFailed) as caught:
        list(items)
    return caught.value.reason


def test_items_come_in_order_and_then_the_end(harness):
    assert list(harness.stream("count_up", 0, 100)) == list(range(100))
    assert list(harness.stream("count_up", 5, 5)) == []


def test_a_function_that_returns_an_iterator_is_a_stream(harness):
    assert list(harness.stream("iterate", [1, "two", None])) == [1, "two", None]


def test_an_exception_midway_comes_after_the_items_before_it(harness):
    items = harness.stream("raise_midway", 3)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(CallFailed) as caught:
        next(items)
    error = error_from_status(caught.value.status)
    assert isinstance(error, KeyError)
    assert error.frames[-1].function == "raise_midway"


def test_an_item_without_a_value_form_ends_the_stream(harness):
    items = harness.stream("unencodable_midway")
    assert next(items) == 1
    assert reason_of(items) == "NO_VALUE_FORM"


def test_a_plain_function_is_no_stream_and_says_so(harness):
    assert reason_of(harness.stream("add", 1, 2)) == "WRONG_METHOD"


def test_arguments_that_do_not_fit_are_refused(harness):
    assert reason_of(harness.stream("count_up", 1)) == "ARGUMENTS_MISMATCH"


def test_large_bytes_come_in_pieces(harness):
    pieces = list(harness.stream("in_pieces", 2_500_000))
    assert [len(piece) for piece in pieces] == [1 << 20, 1 << 20, 2_500_000 - (2 << 20)]


def test_every_step_runs_in_the_streams_own_call(harness):
    assert list(harness.stream("context_of_items", call_id="mine")) == ["mine", "mine"]


def test_closing_a_stream_closes_the_generator(harness, signal):
    started, closed = signal("started"), signal("closed")
    items = harness.stream("endless", started.path, closed.path)
    assert list(itertools.islice(items, 3)) == [0, 1, 2]
    assert not closed.is_set()
    items.close()
    closed.wait()
    assert harness.call("add", 1, 2) == 3


def test_a_caller_that_leaves_between_items_ends_the_stream(harness, signal):
    started, closed, caller = signal("started"), signal("closed"), Caller()
    items = harness.stream("endless", started.path, closed.path, caller=caller)
    assert next(items) == 0
    caller.leave()
    assert reason_of(items) == "CANCELLED"
    closed.wait()


@pytest.mark.slow
def test_a_deadline_between_items_ends_the_stream(harness, signal):
    started, closed = signal("started"), signal("closed")
    items = harness.stream("endless", started.path, closed.path, deadline=time.monotonic() + 1)
    assert reason_of(items) == "RAN_TOO_LONG"
    closed.wait()


@pytest.mark.slow
def test_a_step_that_hangs_is_interrupted_at_the_deadline(harness, signal):
    started, closed = signal("started"), signal("closed")
    items = harness.stream("stuck_midway", started.path, closed.path, deadline=time.monotonic() + 1)
    assert next(items) == 1
    assert reason_of(items) == "RAN_TOO_LONG"
    closed.wait()
    assert harness.call("add", 1, 2) == 3


def test_a_stream_that_never_began_has_expired_in_the_queue(harness):
    assert reason_of(harness.stream("count_up", 0, 3, deadline=time.monotonic() - 1)) == "EXPIRED_IN_QUEUE"


def test_streams_of_one_executor_interleave_with_calls(harness):
    if harness.kind in ("processes", "interpreters"):
        pytest.skip("a worker is held for the length of a stream")
    streams = [harness.stream("count_up", 0, 50) for _ in range(5)]
    for number in range(50):
        assert [next(stream) for stream in streams] == [number] * 5
        assert harness.call("add", number, 1) == number + 1
    assert [list(stream) for stream in streams] == [[]] * 5
