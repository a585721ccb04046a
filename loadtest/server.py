"""A server in a process of its own, as users run it: started, waited for, watched, stopped.

The tests of the commands, the load test and the benchmarks all start servers through this. Standard library only: the
load test's environment has nothing else.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

__all__ = ["CALLGATE", "ROOT", "ServerProcess", "on_cores"]

ROOT = Path(__file__).parent.parent

#: The command of this very environment.
CALLGATE = str(Path(sys.executable).with_name("callgate"))

_SERVES = re.compile(r" serves on (\S+)")


class _Output:
    """What a process writes to one of its pipes, line by line, read by a thread so that the pipe never fills."""

    def __init__(self, pipe: IO[str]) -> None:
        self._lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe: IO[str]) -> None:
        with pipe:
            for line in pipe:
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for(self, pattern: re.Pattern[str], seconds: float) -> re.Match[str] | None:
        """The first match, in what was written already or will be; None if the output ends or time is up first."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            match = pattern.search("".join(self._lines))
            if match:
                found.append(match)
            return bool(found) or self._ended

        with self._changed:
            self._changed.wait_for(look, timeout=seconds)
        return found[0] if found else None

    def text(self) -> str:
        """All that was written so far."""
        with self._changed:
            return "".join(self._lines)

    def join(self) -> None:
        self._thread.join(timeout=5)


class ServerProcess:
    """A server process; use it in a `with` statement, which waits for its address and ends it.

    Args:
        *arguments: those of `callgate serve`; `--listen 127.0.0.1:0` is added where they say no address.
        command: what to run instead of `callgate serve`; it must print "… serves on ADDRESS" likewise.
        env: further environment variables; None takes one away.
        cwd: the folder to run in.
        cores: the CPU cores to run on; None for all.
        start_seconds: how long the start may take.

    Attributes:
        transport: what carries the RPCs of those that say nothing else; "" for the default.
    """

    transport = ""

    def __init__(
        self,
        *arguments: str,
        command: Sequence[str] | None = None,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        cores: set[int] | None = None,
        start_seconds: float = 30.0,
    ) -> None:
        self.command = [*(command or (CALLGATE, "serve")), *arguments]
        if "--listen" not in arguments and "CALLGATE_LISTEN" not in (env or {}):
            self.command += ["--listen", "127.0.0.1:0"]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("CALLGATE_")}
        if self.transport:
            environment["CALLGATE_TRANSPORT"] = self.transport
        for key, value in (env or {}).items():
            environment.pop(key, None)
            if value is not None:
                environment[key] = value
        with on_cores(cores):
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=environment,
                cwd=cwd,
            )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.stdout = _Output(self.process.stdout)
        self.stderr = _Output(self.process.stderr)
        self._start_seconds = start_seconds

    @property
    def address(self) -> str:
        """Where it listens; waits until it does.

        Raises:
            RuntimeError: if it ends first, or takes too long; the message has what it said.
        """
        match = self.stdout.wait_for(_SERVES, self._start_seconds)
        if match is None:
            self.stop()
            raise RuntimeError(
                f"{' '.join(self.command)} did not serve (exit code {self.process.returncode}):\n{self.stderr.text()}"
            )
        return match[1]

    def wait_for(self, pattern: str, seconds: float = 20.0) -> re.Match[str]:
        """Wait until its standard error has a match.

        Raises:
            TimeoutError: if it does not come.
        """
        match = self.stderr.wait_for(re.compile(pattern), seconds)
        if match is None:
            raise TimeoutError(f"no {pattern!r} within {seconds:g} s in:\n{self.stderr.text()}")
        return match

    def rss_bytes(self) -> int:
        """Its resident memory now (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]  # every process has it

    def stop(self, number: int = signal.SIGTERM, seconds: float = 20.0) -> int:
        """Signal it and wait for its end. See `wait`."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds: float = 20.0) -> int:
        """Wait for its end; killed if that takes too long.

        Returns:
            Its exit code; negative is a signal's number.
        """
        try:
            code = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.stdout.join()
        self.stderr.join()
        return code

    def __enter__(self) -> ServerProcess:
        assert self.address
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class on_cores:
    """Within the `with` statement, this thread and the processes it starts run on these CPU cores only (Linux)."""

    def __init__(self, cores: set[int] | None) -> None:
        self._cores = cores
        self._before: set[int] = set()

    def __enter__(self) -> None:
        if self._cores is not None:
            self._before = os.sched_getaffinity(0)
            os.sched_setaffinity(0, self._cores)

    def __exit__(self, *_: object) -> None:
        if self._cores is not None:
            os.sched_setaffinity(0, self._before)
