"""`callgate call --map`: JSON lines in, JSON lines out."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from callgate._chunks import Arguments
from callgate.client import Gate
from callgate.errors import GateError, RemoteError
from callgate_server.cli.arguments import NoJsonForm, to_json
from callgate_server.cli.connection import usage

__all__ = ["call_each", "open_lines"]

#: Results are written together for so many seconds at most: a reader sees them soon, and a fast run is not slowed down
#: by a write for each. As often a progress bar is drawn.
_FLUSH_SECONDS = 0.1


def open_lines(name: str) -> IO[bytes]:
    """The file of `--map`; ends the command if it cannot be read."""
    if name == "-":
        return sys.stdin.buffer
    try:
        return Path(name).open("rb")
    except OSError as error:
        usage(f"--map {name}: {error.strerror}")


class _BadLine:
    """A line that is no call: what `map` finds when it asks for the arguments."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __iter__(self) -> NoReturn:
        raise self._error


def call_each(gate: Gate, module: str, function: str, lines: IO[bytes], call_timeout: float) -> int:
    """Call a function for each line, and print each answer.

    Args:
        gate: the connection.
        module: the function's module.
        function: its name.
        lines: the calls. Empty lines are none.
        call_timeout: seconds for each.

    Returns:
        How many failed.
    """
    failed = 0
    console = Console(stderr=True)
    with lines, _progress(console) as progress:
        task = progress.add_task(f"{module}.{function}", total=_count(lines) if console.is_terminal else None)
        results = gate.map(
            module, function, _calls(lines), unpack=True, return_exceptions=True, call_timeout=call_timeout
        )
        soon = time.monotonic() + _FLUSH_SECONDS
        for index, result in enumerate(results):
            try:
                error = _error(result) if isinstance(result, Exception) else None
                line = to_json({"index": index, "result": result}) if error is None else ""
            except NoJsonForm as no_form:
                error = {"type": "TypeError", "message": str(no_form)}
            if error is not None:
                failed += 1
                line = to_json({"index": index, "error": error})
            print(line)
            if time.monotonic() > soon:
                sys.stdout.flush()
                progress.update(task, completed=index + 1)
                soon = time.monotonic() + _FLUSH_SECONDS
        sys.stdout.flush()
        progress.update(task, completed=progress.tasks[0].total or 0)
    return failed


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
        # Standard output is for results: nothing may be drawn into it.
        redirect_stdout=False,
    )


def _count(lines: IO[bytes]) -> int | None:
    """How many calls a file holds; None for what can be read but once."""
    if not lines.seekable():
        return None
    count = sum(1 for line in lines if line.strip())
    lines.seek(0)
    return count


def _calls(lines: IO[bytes]) -> Iterator[Arguments | _BadLine]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _call(json.loads(line))
            except (ValueError, RecursionError) as error:
                yield _BadLine(ValueError(f"line {number} is not JSON: {error}"))


def _call(line: Any) -> Arguments:
    if isinstance(line, list):
        return Arguments(line, {})
    if isinstance(line, dict) and line and line.keys() <= {"args", "kwargs"}:
        args, kwargs = line.get("args", []), line.get("kwargs", {})
        if isinstance(args, list) and isinstance(kwargs, dict):
            return Arguments(args, kwargs)
    return Arguments([line], {})


def _error(error: Exception) -> dict[str, str]:
    if isinstance(error, RemoteError):
        return {"type": error.remote_type, "message": error.message, "code": error.code}
    if isinstance(error, GateError):
        return {
            "type": type(error).__name__, "message": error.message, "code": error.code, "reason": error.reason
        }  # fmt: skip
    return {"type": type(error).__name__, "message": str(error)}
