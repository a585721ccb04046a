"""What workers print is in the log, line by line, under the worker's name."""

from __future__ import annotations

import pytest

from callgate_server.executors.worker_output import MAX_LINE
from tests.contract.test_waiting import wait_until


def lines(logged):
    return [(entry["stream"], entry["line"]) for entry in logged if entry["event"] == "output"]


def test_each_line_is_an_entry_with_its_worker_and_stream(front, logged):
    pid = front.call("say", "one\ntwo")
    wait_until(lambda: len(lines(logged)) == 2)
    assert lines(logged) == [("stdout", "one"), ("stdout", "two")]
    entry = next(entry for entry in logged if entry["event"] == "output")
    assert entry["pid"] == pid
    assert entry["worker"].startswith("cpu/")
    front.call("say", "oh", True)
    wait_until(lambda: ("stderr", "oh") in lines(logged))


def test_a_line_without_an_end_comes_in_pieces(front, logged):
    front.call("say", "x" * (3 * MAX_LINE) + "end")
    wait_until(lambda: lines(logged) and lines(logged)[-1][1].endswith("end"))
    assert max(len(line) for _, line in lines(logged)) <= 2 * MAX_LINE
    assert "".join(line for _, line in lines(logged)) == "x" * (3 * MAX_LINE) + "end"


def test_bytes_that_are_no_text_are_shown_as_what_they_are(front, logged):
    front.call("say", "\udce9")
    wait_until(lambda: lines(logged) == [("stdout", "\\udce9")])


def test_the_last_words_of_a_crash_are_in_the_log(front, logged):
    front.fails("say_and_abort", "last words")
    wait_until(lambda: ("stderr", "last words") in lines(logged))


@pytest.mark.slow
def test_a_worker_that_prints_without_end_keeps_nobody_waiting(front, signal, logged):
    told = signal("told")
    call = front.in_background("print_without_end", told.path, seconds=1)
    told.wait()
    for number in range(100):
        assert front.call("add", number, 1) == number + 1
    assert call.failure().reason == "RAN_TOO_LONG"
    assert front.executor.stats().restarts == 0  # it was interrupted, not stuck in a full pipe
