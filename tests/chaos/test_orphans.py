"""No worker outlives its front, however either of them ends."""

from __future__ import annotations

import os
import signal as signals
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.conftest import FUNCTIONS, lives
from tests.contract.test_waiting import wait_until

FRONT = """
import sys, threading
sys.path[:0] = {path!r}
from tests.chaos.conftest import Front, FUNCTIONS
front = Front("chaos_functions", (str(FUNCTIONS),), {{}})
front.executor.start(list(front.registry))
print(*(worker.pid for worker in front.executor._crew._serving), flush=True)
for function in {functions!r}:
    front.in_background(*function)
threading.Event().wait()
"""


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signals.SIGKILL, signals.SIGTERM, signals.SIGSEGV])
@pytest.mark.parametrize("function", [None, "spin_and_swallow", "stuck_in_c", "ignore_signals_and_hang"])
def test_when_the_front_is_killed_its_workers_end_whatever_they_do(signal, function, ending):
    told = signal("told")
    functions = [] if function is None else [(function, told.path)] * 2
    root = str(Path(__file__).parents[2])
    code = FRONT.format(path=[root, str(FUNCTIONS)], functions=functions)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as front:
        assert front.stdout is not None
        workers = [int(pid) for pid in front.stdout.readline().split()]
        assert len(workers) == 2
        for _ in functions:
            told.wait()
        assert all(lives(pid) for pid in workers)
        os.kill(front.pid, ending)
        front.wait(10)
    wait_until(lambda: not any(lives(pid) for pid in workers))


def test_a_closed_executor_leaves_no_process_no_thread_and_no_descriptor(make_front):
    import threading

    front = make_front()
    front.close()  # whatever a first front opens for good is open now
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    front = make_front()
    front.call("add", 1, 2)
    front.fails("exit_with", 1)
    front.close()
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert threading.active_count() == threads


def test_workers_are_no_zombies_after_a_crash(front):
    pid = front.call("pid")
    front.fails("segfault")
    front.fails("segfault")
    wait_until(lambda: not any(_is_zombie(pid) for pid in _children()))
    assert pid not in _children() or lives(pid)


def _children() -> list[int]:
    from tests.chaos.conftest import children

    return children()


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and not lives(pid)
