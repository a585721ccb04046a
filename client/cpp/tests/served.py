"""Functions that the C++ client's tests call. They wait on events; they never sleep."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import callgate

_closed = threading.Event()
_events: dict[str, threading.Event] = {}
_lock = threading.Lock()


def _event(name: str) -> threading.Event:
    with _lock:
        return _events.setdefault(name, threading.Event())


def echo(value):
    """Give a value back."""
    return value


def add(left: int, right: int = 1) -> int:
    """Add two numbers."""
    return left + right


def refuse(number: int) -> None:
    """Raise with a cause, a note and arguments."""
    try:
        {}[number]
    except KeyError as cause:
        error = LookupError("no such order", number)
        error.add_note("look elsewhere")
        raise error from cause


def choose_status(code: str, message: str) -> None:
    """Choose the status that the caller gets."""
    raise callgate.StatusError(code, message)


def unspeakable() -> object:
    """Return what has no form."""
    return {"inner": [1, threading.Lock()]}


def hold(name: str) -> None:
    """Run until the name is released."""
    _event(f"{name} holds").set()
    _event(f"{name} released").wait(10)


def holds(name: str) -> bool:
    """Wait until hold() runs."""
    return _event(f"{name} holds").wait(10)


def release(name: str) -> None:
    """Let hold() return."""
    _event(f"{name} released").set()


def count(to: int) -> Iterator[int]:
    """Count, and remember when closed early."""
    _closed.clear()
    try:
        yield from range(to)
    finally:
        _closed.set()


def count_and_fail(to: int) -> Iterator[int]:
    """Count, then raise."""
    yield from range(to)
    raise ValueError("the end")


def was_closed() -> bool:
    """Wait until count() was closed."""
    return _closed.wait(10)
