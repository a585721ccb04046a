"""Quarantine for functions that crash again and again, and the end of patience with all of them."""

from __future__ import annotations

import pytest

from tests.chaos.conftest import FUNCTIONS, SOON, metadata
from tests.contract.test_waiting import wait_until


@pytest.mark.slow
def test_a_function_that_crashes_three_times_in_a_row_is_quarantined_and_the_others_are_not(front):
    for _ in range(3):
        assert front.fails("segfault").reason == "WORKER_CRASHED"
    restarts = front.executor.stats().restarts
    failure = front.fails("segfault")
    assert failure.reason == "QUARANTINED"
    assert failure.status.code == 14  # UNAVAILABLE: it never started
    assert any(detail.TypeName() == "google.rpc.RetryInfo" for detail in failure.status.details)
    assert metadata(failure)["crashes"] == "3"
    for number in range(50):
        assert front.call("add", number, 1) == number + 1
    assert front.executor.stats().restarts == restarts


@pytest.mark.slow
def test_calls_that_wait_when_their_function_is_quarantined_never_start(make_front, signal):
    front, told, release = make_front(workers=1), signal("told"), signal("release")
    held = front.in_background("hold", told.path, release.path)
    told.wait()
    waiting = [front.in_background("segfault") for _ in range(8)]
    wait_until(lambda: front.executor.stats().waiting == 8)
    release.set()
    held.result()
    reasons = sorted(call.failure().reason for call in waiting)
    assert reasons == ["QUARANTINED"] * 5 + ["WORKER_CRASHED"] * 3


@pytest.mark.slow
def test_a_call_that_ends_well_between_crashes_keeps_its_function_out_of_quarantine(front, tmp_path):
    bad = tmp_path / "bad"
    for _ in range(2):
        bad.touch()
        for _ in range(2):
            assert front.fails("crash_if", str(bad)).reason == "WORKER_CRASHED"
        bad.unlink()
        assert front.call("crash_if", str(bad)) == "survived"


@pytest.mark.slow
def test_after_its_time_in_quarantine_one_call_decides(front, tmp_path):
    now = 1000.0
    front.executor._calls._quarantine._clock = lambda: now
    bad = tmp_path / "bad"
    bad.touch()
    for _ in range(3):
        front.fails("crash_if", str(bad))
    assert front.fails("crash_if", str(bad)).reason == "QUARANTINED"
    now += 10
    assert front.fails("crash_if", str(bad)).reason == "WORKER_CRASHED"  # the trial
    now += 10
    assert front.fails("crash_if", str(bad)).reason == "QUARANTINED"  # twice as long now
    now += 10
    bad.unlink()
    assert front.call("crash_if", str(bad)) == "survived"
    assert front.call("crash_if", str(bad)) == "survived"


@pytest.mark.slow
def test_past_the_limit_on_crashes_the_executor_gives_up_once_and_turns_calls_away(make_front, logged):
    front = make_front(max_crashes=3)
    for function in ("abort", "kill_self", "segfault"):
        front.fails(function)
    assert front.given_up.wait(10)
    assert front.fails("add", 1, 2).reason == "DRAINING"
    (sentence,) = front.gave_up
    assert "3 workers crashed within 60 s" in sentence
    assert "SIGSEGV" in sentence
    assert [entry["event"] for entry in logged].count("giving up") == 1


@pytest.mark.slow
def test_deadlines_that_kill_workers_are_no_reason_to_give_up(make_front, signal):
    front, told = make_front(max_crashes=1, workers=1), signal("told")
    front.ladder.graces = SOON
    call = front.in_background("ignore_signals_and_hang", told.path, seconds=1)
    told.wait()
    assert call.failure().reason == "RAN_TOO_LONG"
    assert front.call("add", 1, 2) == 3
    assert not front.gave_up


MODULE = "def one():\n    return 1\n\ndef leave():\n    import os\n    os._exit(1)\n"


@pytest.mark.slow
def test_when_replacements_cannot_start_calls_wait_and_starts_are_retried_with_back_off(make_front, tmp_path, logged):
    file = tmp_path / "fickle.py"
    file.write_text(MODULE)
    front = make_front("fickle", import_path=(str(tmp_path), str(FUNCTIONS)), workers=1)
    assert front.call("one") == 1
    file.write_text("import os\nos._exit(5)\n")
    front.fails("leave")
    wait_until(lambda: sum(entry["event"] == "worker did not start" for entry in logged) >= 2)
    assert front.fails("one", seconds=0.05).reason == "EXPIRED_IN_QUEUE"
    failed = [entry for entry in logged if entry["event"] == "worker did not start"]
    assert failed[0]["why"] == "exited with code 5 while it started"
    assert failed[1]["retry_in"] == 2 * failed[0]["retry_in"]
    file.write_text(MODULE)
    assert front.call("one") == 1


@pytest.mark.slow
def test_when_no_replacement_ever_starts_the_executor_gives_up(make_front, tmp_path):
    file = tmp_path / "spoilt.py"
    file.write_text(MODULE)
    front = make_front("spoilt", import_path=(str(tmp_path),), workers=1)
    front.executor._crew._backoff._attempts = 3
    file.write_text("1/0\n")
    front.fails("leave")
    assert front.given_up.wait(20)
    assert "3 workers in a row did not start" in front.gave_up[0]
    assert front.fails("one").reason == "DRAINING"
