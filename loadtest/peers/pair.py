"""A target's server on one core and its client process on another, started together and thrown away together."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from loadtest.peers.plan import Target
from loadtest.peers.usage import kill_tree, peak_rss_bytes, tree
from loadtest.server import ROOT, ServerProcess, on_cores

__all__ = ["Cores", "Pair", "Refused", "cores_of_this_machine"]

#: The server's cores and the client's.
Cores = tuple[set[int], set[int]]

#: How long an order to the client may take, connecting 512 callers included: on a quiet machine far below.
_ANSWER_SECONDS = 30.0


class Refused(Exception):
    """A server that did not start, or a client that did not answer; says why."""


def cores_of_this_machine() -> Cores:
    """One core for the server, one for the client.

    Raises:
        RuntimeError: if there is but one.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise RuntimeError("the server and the client need a core each; this machine gives one")
    return {cores[0]}, {cores[-1]}


class Pair:
    """A running server and a client that is connected to it; use it in a `with` statement.

    Args:
        target: which.
        cores: where they run.
        folder: for the server's files.

    Attributes:
        start_seconds: from starting the server's process to its first answer; the client was ready before.

    Raises:
        Refused: if either does not come up.
    """

    def __init__(self, target: Target, cores: Cores, folder: Path) -> None:
        self.target = target
        system = target.system
        python = str(ROOT / system.environment / "bin/python")
        environ = {"PYTHONPATH": str(ROOT), "RAY_TMPDIR": str(folder), **system.environ}
        self._client = _Client([python, "-m", "loadtest.peers.caller", target.module, target.mode], environ, cores[1])
        self._server: ServerProcess | None = None
        try:
            command = (
                system.command(target.variant, folder)
                if system.command
                else [python, "-m", f"loadtest.peers.systems.{target.module}"]
            )
            began = time.monotonic()
            self._server = ServerProcess(
                command=command, env=environ, cwd=ROOT, cores=cores[0], start_seconds=system.start_seconds
            )
            try:
                self.address = self._server.address
            except RuntimeError as error:
                raise Refused(_last_line(str(error))) from error
            self.start_seconds: float = self._client.ask({"connect": self.address})["answered"] - began
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._server is not None
        return self._server.process.pid

    def measure(self, function: str, callers: int, *, seconds: float, wave: bool = False) -> dict[str, Any]:
        """An Outcome, see driving.

        Raises:
            Refused: if the client does not answer, or says why it could not.
        """
        order = {"function": function, "callers": callers, "seconds": seconds, "wave": wave, "server": self.pid}
        return self._client.ask(order)

    def peak_rss_bytes(self) -> int:
        """The server's peak until now, with its descendants."""
        return peak_rss_bytes(self.pid)

    def kill(self) -> None:
        """End both at once, whatever they are at."""
        self._client.kill()
        if self._server is not None:
            kill_tree(self._server.process.pid)
            self._server.wait()

    def stop(self) -> None:
        """End both as users do; what does not end soon is killed."""
        self._client.kill()
        if self._server is not None:
            family = tree(self._server.process.pid)
            self._server.stop(seconds=3.0)
            for pid in family[1:]:  # Ray's processes may outlive the one that started them
                kill_tree(pid)

    def __enter__(self) -> Pair:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Client:
    """The caller process, see caller.py."""

    def __init__(self, command: list[str], environ: dict[str, str], cores: set[int]) -> None:
        with on_cores(cores):
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # errors come as answers
                text=True,
                env={**os.environ, **environ},
                cwd=ROOT,
            )
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self._next()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            for line in pipe:
                self._answers.put(line)
        self._answers.put("")

    def _next(self) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=_ANSWER_SECONDS)
        except queue.Empty:
            raise Refused(f"the client did not answer within {_ANSWER_SECONDS:g} s") from None
        if not line:
            raise Refused(f"the client ended with exit code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Refused(_last_line(answer["error"]))
        return answer

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except OSError:
            pass  # its end is told below
        return self._next()

    def kill(self) -> None:
        kill_tree(self._process.pid)
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[-1] if lines else "no reason given")[:300]
