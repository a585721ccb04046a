"""Functions that the functional tests serve. They wait on events that tests set; they never sleep."""

from __future__ import annotations

import os  # noqa: F401 -- imported, not defined here: a pattern must not expose it
import threading
from os import system  # noqa: F401 -- the re-export that must not be laundered

import callgate
from callgate import StatusError, current_call

#: Events by name, shared with the tests, which run in the same process.
_events: dict[str, threading.Event] = {}
_events_lock = threading.Lock()

#: What the functions that leave traces left, by key.
TRACES: list[object] = []

counter = 0


def event(name: str) -> threading.Event:
    """The event of that name; made when first asked for, by the test or the function."""
    with _events_lock:
        return _events.setdefault(name, threading.Event())


def echo(value: object) -> object:
    """Give a value back."""
    return value


def add(left: int, right: int = 1) -> int:
    """Add two numbers."""
    return left + right


def shape(a, /, b, *rest, c, d=4, **more):
    """Give back how the arguments were bound."""
    return [a, b, list(rest), c, d, more]


def nothing() -> None:
    """Return nothing."""


def overwrite(array):
    """Put 7 everywhere."""
    array[:] = 7
    return array


def keyworded(*, timeout: int) -> int:
    """A keyword argument that has the name of one of the client's own."""
    return timeout


def boom(message: str = "boom") -> None:
    """Raise a ValueError."""
    raise ValueError(message)


def join_untyped(left, right):
    """Add without saying what."""
    return left + right


def divide(left: float, right: float) -> float:
    """Divide, and let Python complain."""
    return left / right


class OrderRefused(LookupError):
    """An exception class that no client knows."""


def refuse_order(number: int) -> None:
    """Raise an exception of the module's own, with a cause."""
    try:
        {}[number]
    except KeyError as error:
        raise OrderRefused("no such order", number) from error


def fail_while_failing() -> None:
    """Raise while another exception is handled."""
    try:
        1 / 0
    except ZeroDivisionError:
        raise RuntimeError("second")  # noqa: B904 -- the context is what is tested


def group_failure() -> None:
    """Raise several exceptions at once."""
    raise ExceptionGroup("several", [ValueError("one"), KeyError("two")])


def choose_status(code: str, message: str) -> None:
    """Choose the gRPC status that the caller gets."""
    raise StatusError(code, message)


def leave(how: str) -> None:
    """Try to end the process."""
    raise {"exit": SystemExit, "interrupt": KeyboardInterrupt}[how](how)


def unspeakable() -> object:
    """Return something that has no Value form."""
    return {"inner": [1, threading.Lock()]}


class HostileError(Exception):
    """Its own text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def hostile() -> None:
    """Raise an exception whose text cannot be had."""
    raise HostileError


def nested(depth: int) -> object:
    """Return a list in a list in a list."""
    made: object = "bottom"
    for _ in range(depth):
        made = [made]
    return made


def sized(count: int) -> bytes:
    """Return many bytes."""
    return b"x" * count


def increment_racily() -> int:
    """A read, a pause long enough for another thread to come between, a write."""
    global counter
    seen = counter
    for _ in range(20):
        pass
    counter = seen + 1
    return counter


def wait_for(name: str, token: object = None) -> object:
    """Say that it started, then wait for the test."""
    event(f"{name} started").set()
    event(name).wait(30)
    return token


def wait_until_cancelled(name: str) -> str:
    """Wait until nobody waits for the answer any more, and leave a trace of that."""
    event(f"{name} started").set()
    call = current_call()
    try:
        while not call.cancelled:
            event(name).wait(0.005)
    finally:
        TRACES.append((name, "cancelled", call.cancelled))
        event(f"{name} cancelled").set()
    return "cancelled"


def leave_trace(name: object) -> None:
    """Leave a trace of having run."""
    TRACES.append((name, "ran"))


def who() -> str:
    """Who calls."""
    return current_call().identity


def remaining() -> float | None:
    """Seconds until the caller's deadline."""
    return current_call().remaining


def chain() -> list[str]:
    """The ids of the calls that this one was made from."""
    return list(current_call().chain)


def call_back(address: str, module: str, function: str, *args: object) -> object:
    """Call a function of the same server from inside a call."""
    with callgate.connect(address) as gate:
        return gate.call(module, function, *args)


def count_down(start: int):
    """A generator."""
    while start > 0:
        yield start
        start -= 1


def _private() -> None:
    """Not exposed."""


class Account:
    """Not a function."""

    balance = 0


#: A Gate that a test lends to `call_through_shared_gate`.
shared_gate: callgate.Gate | None = None


def call_through_shared_gate(function: str, argument: object, timeout: float) -> object:
    """Call a function through the Gate that the test lent, from inside a call."""
    assert shared_gate is not None
    return shared_gate.call_with(__name__, function, [argument], timeout=timeout)
