"""Signals end a server: calls on their way may end, and no signal is lost."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

import callgate
from tests.functional.server_process import ServerProcess

# Each starts processes, and an interpreter with grpc takes half a second to start.
pytestmark = pytest.mark.slow


def _write_held(path: Path, started: Path, finish: Path) -> None:
    """A module whose `hold` says over one FIFO that it runs, and runs until the other is opened."""
    lines = ("def hold():", f"    open({str(started)!r}, 'w').close()", f"    open({str(finish)!r}).close()")
    path.write_text("\n".join((*lines, "    return 'ended'\n")), "utf-8")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_call_on_its_way_end_and_the_server_exit_0(number: int, tmp_path: Path) -> None:
    started, finish = tmp_path / "started", tmp_path / "finish"
    os.mkfifo(started)
    os.mkfifo(finish)
    _write_held(tmp_path / "held.py", started, finish)
    answers: list[object] = []
    with ServerProcess(str(tmp_path / "held.py")) as server, callgate.connect(server.address) as gate:
        caller = threading.Thread(target=lambda: answers.append(gate.call("held", "hold", timeout=30)))
        caller.start()
        with started.open():  # opens once the function runs
            pass
        server.process.send_signal(number)
        server.wait_for("stopping: calls on their way may end")
        with pytest.raises(callgate.Unavailable):  # a new call is refused while the old one goes on
            gate.call("held", "hold", timeout=10)
        with finish.open("w"):
            pass
        caller.join(timeout=30)
        assert answers == ["ended"]
        assert server.wait() == 0
        assert "Traceback" not in server.stderr.text()


def test_a_second_ctrl_c_stops_at_once_although_a_call_hangs(tmp_path: Path) -> None:
    started, never = tmp_path / "started", tmp_path / "never"
    os.mkfifo(started)
    os.mkfifo(never)
    _write_held(tmp_path / "held.py", started, never)
    # It would not end by itself while this waits.
    drain = {"CALLGATE_DRAIN": "300"}
    with ServerProcess(str(tmp_path / "held.py"), env=drain) as server, callgate.connect(server.address) as gate:

        def call() -> None:
            with pytest.raises(callgate.CallgateError):
                gate.call("held", "hold", timeout=30)

        caller = threading.Thread(target=call)
        caller.start()
        with started.open():
            pass
        server.process.send_signal(signal.SIGINT)
        server.wait_for("again to stop at once")
        # It says so a moment before it listens for it: until then, another signal is one more to let calls end.
        end = time.monotonic() + 40
        while server.process.poll() is None and time.monotonic() < end:
            server.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                server.process.wait(timeout=1)
        assert server.wait(0) == 0
        caller.join(timeout=30)


def test_an_idle_server_stops_at_once() -> None:
    with ServerProcess("math") as server:
        assert server.stop(signal.SIGINT, seconds=20) == 0


def test_a_signal_that_finds_the_main_thread_about_to_block_is_not_lost() -> None:
    # A signal that comes between the interpreter's look for signals and the system call that waits does not end the
    # wait: the server of one in fifty busy runs never stopped. Any moment does for this test if another thread gets it.
    with ServerProcess("math") as server:
        pid = server.process.pid
        other = next(int(thread) for thread in os.listdir(f"/proc/{pid}/task") if int(thread) != pid)
        assert ctypes.CDLL(None).tgkill(pid, other, signal.SIGTERM) == 0
        assert server.wait() == 0
