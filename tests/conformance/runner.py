"""A runner: a process of one language's client, asked line by line. README.md has the protocol."""

from __future__ import annotations

import itertools
import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from loadtest.server import ROOT, on_cores

__all__ = ["LANGUAGES", "Language", "Runner", "RunnerFault"]


@dataclass(frozen=True)
class Language:
    """A language, and what starts its runner."""

    name: str
    command: tuple[str, ...]

    def missing(self) -> str:
        """What is not there that the runner needs; "" if nothing is. That it also starts, only starting it shows."""
        path = Path(self.command[0])
        if path.is_relative_to(ROOT / "client") and not os.access(path, os.X_OK):
            folder = path.parent.relative_to(ROOT)
            if not path.parent.is_dir():
                return f"there is no {folder}"
            return f"there is no executable {folder}/{path.name}: make -C {folder} runner"
        return ""


def _client(name: str) -> Language:
    return Language(name, (str(ROOT / "client" / name / "conformance"),))


_PYTHON = (sys.executable, "-m", "tests.conformance.runner_python")

#: All languages by name. Python's runner needs nothing that the driver does not have.
LANGUAGES = {
    language.name: language
    for language in (
        Language("python", _PYTHON),
        # The same client over its other transport.
        Language("python-native", (*_PYTHON, "--transport", "native")),
        _client("go"),
        _client("typescript"),
        _client("java"),
        _client("cpp"),
        _client("rust"),
    )
}


class RunnerFault(Exception):
    """A runner that did not keep to the protocol: it died, was too slow, or answered what is no answer."""


class Runner:
    """A running runner; use it in a `with` statement.

    Args:
        language: whose.
        command: what starts it; None for the language's own.
        cores: the CPU cores to run on; None for all.
    """

    def __init__(self, language: Language, command: Sequence[str] | None = None, cores: set[int] | None = None) -> None:
        self.language = language
        # No proxy and no setting of the caller's may change what a client does.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("CALLGATE_")}
        with on_cores(cores):
            try:
                self._process = subprocess.Popen(
                    list(command or language.command),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd=ROOT,
                    env=environment,
                )
            except OSError as error:
                raise RunnerFault(f"{language.command[0]} does not start: {error.strerror}") from None
        self._numbers = itertools.count(1)
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._said: deque[str] = deque(maxlen=30)
        self._readers = [
            threading.Thread(target=self._read_answers, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._read_errors, args=(self._process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read_answers(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self._lines.put(line)
        self._lines.put(b"")

    def _read_errors(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self._said.append(line.decode("utf-8", "replace").rstrip())

    def ask(self, op: str, *, limit: float = 30.0, **about: Any) -> dict[str, Any]:
        """Make a request and take its answer.

        Args:
            op: the op.
            limit: seconds that the answer may take.
            **about: the request's other keys.

        Returns:
            The answer.

        Raises:
            RunnerFault: if there is no answer, or it is none to this request, or it is a fault.
        """
        number = next(self._numbers)
        request = json.dumps({"op": op, "id": number, **about}, ensure_ascii=False).encode() + b"\n"
        pipe = self._process.stdin
        assert pipe is not None
        # On a thread: a runner that does not read would block the driver for ever on a long line.
        writer = threading.Thread(target=self._write, args=(pipe, request), daemon=True)
        writer.start()
        try:
            line = self._lines.get(timeout=limit)
        except queue.Empty:
            self.kill()
            raise RunnerFault(f"no answer to {op!r} within {limit:g} s{self._stderr()}") from None
        if not line:
            code = self._process.wait()
            raise RunnerFault(f"the runner ended (exit code {code}) instead of answering {op!r}{self._stderr()}")
        writer.join(limit)
        try:
            answer = json.loads(line)
        except ValueError:
            self.kill()
            raise RunnerFault(f"the answer to {op!r} is no JSON: {line[:300]!r}{self._stderr()}") from None
        if not isinstance(answer, dict) or answer.get("id") != number:
            self.kill()
            raise RunnerFault(f"the answer to {op!r} has not the request's id {number}: {line[:300]!r}")
        if "fault" in answer:
            raise RunnerFault(f"the runner could not carry out {op!r}: {answer['fault']}")
        return answer

    def _write(self, pipe: IO[bytes], data: bytes) -> None:
        try:
            pipe.write(data)
            pipe.flush()
        except (OSError, ValueError):
            pass  # it ended: the reader tells

    def _stderr(self) -> str:
        self._readers[1].join(0.5)
        return "; it said:\n    " + "\n    ".join(self._said) if self._said else ""

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        self._close_input()

    def _close_input(self) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except OSError:
            pass  # it ended before it had read all

    def close(self, seconds: float = 10.0) -> str:
        """End its input and wait for its end.

        Returns:
            What was wrong with how it ended; "" if nothing was.
        """
        ended = "" if self.alive else " before its input's end"
        self._close_input()
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return f"it did not exit within {seconds:g} s of its input's end"
        for reader in self._readers:
            reader.join(seconds)
        return "" if code == 0 else f"it ended with exit code {code}{ended}{self._stderr()}"

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
