"""What the conformance cases call. Functions that wait do so on conformance_events; none sleeps."""

from __future__ import annotations

import os
import signal as signals
from collections.abc import AsyncIterator, Iterator
from typing import Any

import conformance_events as events

import callgate

#: How long a function waits at most for what the driver or a cancellation should bring about, seconds.
PATIENCE = 30.0

# ---------------------------------------------------------------------------------------------- arguments and results


def echo(value: Any) -> Any:
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


def keyworded(*, timeout: int) -> int:
    """A keyword argument with a name that clients use for themselves."""
    return timeout


def größe(länge: float) -> float:
    """A name and a parameter beyond ASCII."""
    return länge * 2


def 距離(x: int, y: int) -> int:
    """A name that has no letter of ASCII: |x - y|."""
    return abs(x - y)


def size_of(data: bytes) -> int:
    """How many bytes or characters arrived."""
    return len(data)


def sized(count: int) -> bytes:
    """So many bytes."""
    return b"x" * count


def numbers(count: int) -> list[float]:
    """So many floats."""
    return [float(n) for n in range(count)]


def nested(depth: int) -> Any:
    """A list in a list in a list."""
    made: Any = "bottom"
    for _ in range(depth):
        made = [made]
    return made


def unspeakable() -> Any:
    """Return something that has no Value form."""
    return {"inner": [1, object()]}


async def add_later(left: int, right: int) -> int:
    """A coroutine."""
    return left + right


# ------------------------------------------------------------------------------------------------------ about the call


def who() -> str:
    """Who calls."""
    return callgate.current_call().identity


def has_deadline() -> bool:
    """Whether the caller said how long it waits."""
    return callgate.current_call().remaining is not None


def call_back(address: str, function: str) -> Any:
    """Call a function of the same server from inside a call."""
    with callgate.connect(address) as gate:
        return gate.call(__name__, function)


# ---------------------------------------------------------------------------------------------------------- exceptions


class OrderRefused(LookupError):
    """An exception class that no client knows."""

    class Nested(ValueError):
        """One whose qualified name is not its name."""


class HostileError(Exception):
    """Its own text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def divide(left: float, right: float) -> float:
    """Divide, and let Python complain."""
    return left / right


def boom(*args: Any) -> None:
    """Raise a ValueError with these arguments."""
    raise ValueError(*args)


def refuse_order(number: int) -> None:
    """Raise an exception of the module's own, with a cause."""
    try:
        {}[number]
    except KeyError as error:
        raise OrderRefused("no such order", number) from error


def fail_nested_class() -> None:
    """Raise an exception of a class inside a class."""
    raise OrderRefused.Nested("inner")


def fail_while_failing() -> None:
    """Raise while another exception is handled."""
    try:
        1 / 0
    except ZeroDivisionError:
        raise RuntimeError("second")  # noqa: B904 -- the context is what is tested


def fail_from_nothing() -> None:
    """Raise while another exception is handled, and say that it does not matter."""
    try:
        1 / 0
    except ZeroDivisionError:
        raise RuntimeError("only this") from None


def fail_in_a_group() -> None:
    """Raise several exceptions at once, one of them a group again."""
    raise ExceptionGroup("several", [ValueError("one"), ExceptionGroup("inner", [KeyError("two"), TypeError("three")])])


def fail_with_notes() -> None:
    """Raise an exception with notes."""
    error = ValueError("noted")
    error.add_note("first note")
    error.add_note("second note: größer")
    raise error


def fail_in_frames(depth: int) -> None:
    """Raise from some frames down."""
    if depth > 1:
        fail_in_frames(depth - 1)
        return  # a second line, so that the frames are not all of one line
    raise ValueError("deep down")


def open_missing() -> None:
    """Raise a FileNotFoundError, which has errno and a file name."""
    open("/no/such/file")  # noqa: SIM115 -- it does not open


def decode_wrongly() -> None:
    """Raise a UnicodeDecodeError, whose arguments are bytes and numbers."""
    b"ab\xff".decode("utf-8")


def boom_without_value_form() -> None:
    """Raise an exception with an argument that has no Value form."""
    raise ValueError("with an object", object())


def hostile() -> None:
    """Raise an exception whose text cannot be had."""
    raise HostileError


def fail_at_length(chars: int) -> None:
    """Raise an exception with so long a text that it does not fit."""
    raise ValueError("x" * chars)


def fail_with_much() -> None:
    """Raise an exception with more causes, notes and members than fit."""
    last: Exception | None = None
    for number in range(12):
        members = [ValueError(f"member {number}.{member} " + "x" * 200) for member in range(10)]
        made = ExceptionGroup(f"group {number}", members)
        for _ in range(5):
            made.add_note("note " + "y" * 300)
        made.__cause__ = last
        last = made
    raise last  # type: ignore[misc]  # there are twelve


def leave(how: str) -> None:
    """Try to end the process."""
    raise {"exit": SystemExit, "interrupt": KeyboardInterrupt}[how](how)


def choose_status(code: str, message: str) -> None:
    """Choose the gRPC status that the caller gets."""
    raise callgate.StatusError(code, message)


# ------------------------------------------------------------------------------------------------------------- waiting


def hold(name: str, value: Any = None) -> Any:
    """Signal "NAME started", wait for "NAME", give the value back."""
    events.signal(f"{name} started")
    if not events.wait(name, PATIENCE):
        raise RuntimeError(f"nobody signalled {name!r}")
    return value


def until_cancelled(name: str) -> str:
    """Run until nobody waits for the answer any more: "NAME started", then "NAME cancelled"."""
    events.signal(f"{name} started")
    call = callgate.current_call()
    try:
        while not call.cancelled:
            events.wait(f"{name} never", 0.005)
    finally:
        if call.cancelled:
            events.signal(f"{name} cancelled")
    return "cancelled"


def cancelled_or_echo(name: str, wait: bool, value: Any) -> Any:
    """One call of a batch takes for ever, the others no time."""
    return until_cancelled(name) if wait else value


def leave_trace(name: str) -> None:
    """Signal that it ran."""
    events.signal(f"{name} ran")


# ------------------------------------------------------------------------------------------------------------- streams


def count(stop: int) -> Iterator[int]:
    """0 to stop - 1."""
    yield from range(stop)


def squares(stop: int) -> list[int]:
    """A plain function that returns a list: no stream."""
    return [n * n for n in range(stop)]


def count_then_fail(stop: int) -> Iterator[int]:
    """0 to stop - 1, then an exception."""
    yield from range(stop)
    raise LookupError("no more")


def endless(name: str) -> Iterator[int]:
    """Numbers for ever; "NAME closed" once the generator is closed."""
    number = 0
    try:
        while True:
            yield number
            number += 1
    finally:
        events.signal(f"{name} closed")


def first_then_hold(name: str) -> Iterator[str]:
    """One item; another only after "NAME", or once it is cancelled; "NAME closed" at the end."""
    try:
        yield "first"
        call = callgate.current_call()
        while not call.cancelled and not events.wait(name, 0.005):
            pass
        yield "second"
    finally:
        events.signal(f"{name} closed")


def items(values: list[Any]) -> Iterator[Any]:
    """The values, one by one."""
    yield from values


async def count_async(stop: int) -> AsyncIterator[int]:
    """0 to stop - 1, from an async generator."""
    for number in range(stop):
        yield number


# ---------------------------------------------------------------------------------- what ends a worker (processes only)


def crash(how: str) -> None:
    """End the worker: "exit" with code 3, "kill" by SIGKILL."""
    if how == "kill":
        os.kill(os.getpid(), signals.SIGKILL)
    os._exit(3)
