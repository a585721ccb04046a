"""rlimits: what a worker may take, and what becomes of a function that takes more."""

from __future__ import annotations

import pytest

from callgate.failures import error_from_status
from callgate_server.settings import SettingsError
from tests.chaos.conftest import metadata


def test_limits_are_set_in_every_worker(make_front):
    front = make_front(memory="2GiB", cpu=1000, open_files=64)
    assert front.call("limits") == [2 << 30, 1000, 64]


def test_beyond_the_memory_limit_the_function_gets_a_memory_error_and_the_worker_lives(make_front):
    front = make_front(workers=1, memory="256MiB")
    pid = front.call("pid")
    assert front.call("allocate", 1 << 20) == 1 << 20
    failure = front.fails("allocate", 1 << 30)
    assert failure.reason == "FUNCTION_RAISED"
    assert failure.status.message.startswith("MemoryError")
    assert front.call("pid") == pid


def test_beyond_the_open_files_the_function_gets_an_os_error(make_front):
    front = make_front(workers=1, open_files=32)
    assert front.call("open_files", 5) == 5
    assert isinstance(error_from_status(front.fails("open_files", 40).status), OSError)
    assert front.call("add", 1, 2) == 3


@pytest.mark.slow
def test_beyond_the_cpu_seconds_the_kernel_ends_the_worker_by_name(make_front):
    front = make_front(workers=1, cpu=1)
    failure = front.fails("spin")
    assert failure.reason == "WORKER_CRASHED"
    assert metadata(failure)["signal"] == "SIGXCPU"
    assert front.call("add", 1, 2) == 3


def test_an_argument_that_does_not_fit_into_the_memory_limit_costs_its_own_call_only(make_front):
    front = make_front(workers=1, memory="160MiB")
    pid = front.call("pid")
    for mebibytes in (150, 70):  # does not fit as a message; as a message and its value
        failure = front.fails("size", b"x" * (mebibytes << 20))
        assert failure.status.message.startswith("MemoryError")
    assert front.call("pid") == pid


def test_limits_that_leave_no_room_for_the_worker_itself_are_an_error_at_the_start(make_front):
    with pytest.raises(SettingsError, match=r"executors\.cpu: a worker ran out of its memory limit \(67108864 bytes\)"):
        make_front(memory="64MiB")
    with pytest.raises(SettingsError, match="hard limit"):
        make_front(open_files=10**9)


def test_without_limits_64_mebibytes_go_and_come(front):
    value = bytes(range(256)) * (1 << 18)
    assert front.call("same", value) == value
