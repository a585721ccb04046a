"""A worker that dies takes one call with it, says why, and is replaced."""

from __future__ import annotations

import os
import signal as signals
import time

import pytest

from tests.chaos.conftest import lives, metadata, number_from
from tests.contract.test_waiting import wait_until

CRASHES = {
    "segfault": ("segfault", (), {"signal": "SIGSEGV"}),
    "exit 0": ("exit_with", (0,), {"exit_code": "0"}),
    "exit 7": ("exit_with", (7,), {"exit_code": "7"}),
    "abort": ("abort", (), {"signal": "SIGABRT"}),
    "kill": ("kill_self", (), {"signal": "SIGKILL"}),
    "closed sockets": ("close_sockets_and_stay", (), {"closed_socket": "true"}),
    "garbage": ("write_to_sockets", (b"\x00garbage" * 100,), {"garbage": "true"}),
    "absurd length": ("announce_two_exabytes", (), {"garbage": "true"}),
    "another call's answer": ("answer_another_call", (), {"garbage": "true"}),
    "broken status": ("answer_with_a_broken_status", (3,), {"garbage": "true"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", CRASHES)
def test_a_crash_fails_only_its_own_call_at_once_and_capacity_comes_back(front, signal, kind):
    function, args, expected = CRASHES[kind]
    told, release = signal("told"), signal("release")
    bystander = front.in_background("hold", told.path, release.path)  # call number 1
    told.wait()
    front.call("add", 1, 2)  # number 2, hence the crash is number 3
    began = time.monotonic()
    failure = front.fails(function, *args)
    assert time.monotonic() - began < 15  # a moment, and what a busy machine makes of it
    assert failure.reason == "WORKER_CRASHED"
    assert failure.status.code == 13  # INTERNAL
    assert expected.items() <= metadata(failure).items()
    assert front.call("add", 1, 2) == 3  # waits for the replacement
    assert time.monotonic() - began < 15  # as above
    release.set()
    assert lives(bystander.result())
    assert front.executor.stats().restarts == 1
    assert not front.gave_up


def test_a_worker_that_is_killed_while_idle_is_replaced_before_anybody_notices(front):
    pids = {front.call("pid") for _ in range(4)}
    for pid in pids:
        os.kill(pid, signals.SIGKILL)
    # Whether the front has seen the deaths yet or not: calls go to workers that live, none fails.
    assert {front.call("pid") for _ in range(20)}.isdisjoint(pids)
    assert front.executor.stats().restarts == len(pids)


MODULE = """
import os

def leave():
    os._exit(1)

def touch(path):
    open(path, "w").close()

def one():
    return 1
"""


@pytest.mark.slow
def test_calls_on_idle_workers_that_die_under_them_are_never_lost(make_front):
    front = make_front(workers=2, max_crashes=10_000)
    for number in range(30):
        pid = front.call("pid")
        os.kill(pid, signals.SIGKILL)  # the front may or may not know by the time of the next call
        assert front.call("add", number, 1) == number + 1


def test_a_forked_child_that_holds_the_sockets_does_not_hide_the_crash(front, signal):
    told = signal("told")
    failure = front.in_background("fork_and_segfault", told.path)
    child = number_from(told)
    assert failure.failure().reason == "WORKER_CRASHED"
    wait_until(lambda: not lives(child))


def test_a_crash_is_logged_with_its_worker_its_function_and_its_call(front, logged):
    failure = front.fails("segfault")
    wait_until(lambda: any(entry["event"] == "worker crashed" for entry in logged))
    (entry,) = [entry for entry in logged if entry["event"] == "worker crashed"]
    assert entry["how"] == "was killed by SIGSEGV"
    assert entry["function"] == "chaos_functions.segfault"
    assert entry["call_id"] == metadata(failure)["call_id"]
    assert entry["worker"].startswith("cpu/")


@pytest.mark.slow
def test_with_no_worker_left_a_call_waits_for_one_and_expires_in_the_queue_unstarted(make_front, tmp_path):
    file = tmp_path / "deserted.py"
    file.write_text(MODULE)
    front = make_front("deserted", import_path=(str(tmp_path),), workers=1)
    file.write_text("import os\nos._exit(5)\n")  # no replacement comes before the call has expired
    front.fails("leave")
    failure = front.fails("touch", str(tmp_path / "touched"), seconds=0.01)
    file.write_text(MODULE)
    assert failure.reason == "EXPIRED_IN_QUEUE"
    assert front.call("one") == 1
    assert not (tmp_path / "touched").exists()


def test_a_caller_that_leaves_while_no_worker_is_ready_never_starts_its_call(make_front, tmp_path):
    from tests.contract.conftest import Caller

    front = make_front(workers=1)
    front.fails("exit_with", 1)
    caller = Caller()
    caller.leave()
    assert front.fails("tell", str(tmp_path / "touched"), caller=caller).reason == "CANCELLED"
    assert front.call("add", 1, 2) == 3
    assert not (tmp_path / "touched").exists()
