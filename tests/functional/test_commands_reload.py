"""`callgate reload`, SIGHUP and `--reload`, from outside."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

import callgate
from tests.contract.test_waiting import wait_until
from tests.functional.server_process import ServerProcess, callgate_command

pytestmark = pytest.mark.slow


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "changing.py"
    write(path, 1)
    return path


def write(path: Path, version: int) -> None:
    # Of another length each time: a file of the same size and second looks unchanged to Python's bytecode cache.
    path.write_text(f"# {'x' * version}\ndef version():\n    return {version}\n")


def test_the_command_loads_changed_code_and_says_how_many_functions_there_are(module: Path) -> None:
    with ServerProcess(str(module)) as server:
        write(module, 2)
        done = callgate_command("reload", "--server", server.address)
        assert (done.returncode, done.stdout) == (0, "reloaded: 1 functions\n")
        assert callgate_command("call", "changing.version", "--server", server.address).stdout == "2\n"


def test_the_command_says_what_keeps_the_new_code_from_being_used(module: Path) -> None:
    with ServerProcess(str(module)) as server:
        module.write_text("def version(:\n")
        done = callgate_command("reload", "--server", server.address)
        assert done.returncode != 0
        assert "SyntaxError" in done.stderr
        assert "the old code stays in use" in done.stderr
        assert callgate_command("call", "changing.version", "--server", server.address).stdout == "1\n"


def test_a_hangup_signal_reloads(module: Path) -> None:
    with ServerProcess(str(module)) as server, callgate.connect(server.address) as gate:
        assert gate.call("changing", "version") == 1
        write(module, 2)
        server.process.send_signal(signal.SIGHUP)
        assert server.stdout.wait_for(re.compile("reloaded: 1 functions"), 20)
        assert gate.call("changing", "version") == 2
        module.write_text("1 / 0\n")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("ZeroDivisionError")
        server.wait_for("the old code stays in use")
        assert gate.call("changing", "version") == 2


def test_while_developing_a_saved_file_is_loaded_by_itself(module: Path) -> None:
    with ServerProcess(str(module), "--reload") as server, callgate.connect(server.address) as gate:
        assert server.stdout.wait_for(re.compile("watching "), 20)
        assert gate.call("changing", "version") == 1
        # It says that it watches a moment before it does: what is saved in between, nobody sees. So save again.
        for version in range(2, 32):
            write(module, version)
            if server.stdout.wait_for(re.compile("reloaded: 1 functions"), 1):
                break
        wait_until(lambda: gate.call("changing", "version") == version)
