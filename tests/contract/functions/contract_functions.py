"""Functions that the contract suite calls, on every executor.

Standard library only, so that they load anywhere. They talk to the test through FIFOs, which work from another thread,
interpreter or process alike, and need no polling.
"""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import callgate


def add(a, b=10):
    return a + b


def echo(*args, **kwargs):
    return [list(args), kwargs]


def same(value):
    return value


def fail(message):
    raise KeyError(message)


def fail_with_cause():
    try:
        int("x")
    except ValueError as error:
        raise RuntimeError("outer") from error


def fail_in_group():
    raise ExceptionGroup("several", [ValueError("one"), TypeError("two")])


def raise_base(name):
    if name == "CancelledError":
        raise asyncio.CancelledError("own")
    raise getattr(__import__("builtins"), name)("own")


def unencodable():
    return [1, {"model": object()}]


def choose_status():
    raise callgate.StatusError("ALREADY_EXISTS", "there is one")


def context():
    call = callgate.current_call()
    return {
        "id": call.id,
        "identity": call.identity,
        "chain": list(call.chain),
        "has_deadline": call.deadline is not None,
        "remaining": call.remaining,
        "cancelled": call.cancelled,
    }


def _tell(path):
    with open(path, "wb", buffering=0) as fifo:
        fifo.write(b"x")


def touch(path):
    Path(path).touch()
    return True


def hold(started, release):
    """Say that it runs, then wait for the test."""
    _tell(started)
    with open(release, "rb", buffering=0) as fifo:
        fifo.read(1)
    return threading.get_ident()


def hold_in_c(started, release):
    """Say that it runs, then wait for the test in C, where nothing interrupts Python code."""
    _tell(started)
    with open(release, "rb", buffering=0) as fifo:
        fifo.read(1)


def crunch_in_c(started):
    """Say that it runs, then compute in C for hours, where neither exceptions nor signals are looked at."""
    _tell(started)
    sum(range(10**13))


def spin(started, caught):
    """Burn CPU until interrupted, and say so."""
    try:
        _tell(started)  # inside: the interruption may come as soon as this is out
        while True:
            pass
    except BaseException:
        _tell(caught)
        raise


def spin_stubbornly(started):
    """Burn CPU, and swallow an interruption once."""
    try:
        _tell(started)
        while True:
            pass
    except BaseException:
        return "swallowed"


def until_cancelled(started, saw):
    """Run until the call says that nobody waits."""
    _tell(started)
    while not callgate.current_call().cancelled:
        pass
    _tell(saw)


def append(path, text):
    with open(path, "a") as file:
        file.write(text + "\n")


def thread():
    return threading.get_ident()


def process():
    return os.getpid()


_calls = 0


def count():
    """How often it was called here: the module is loaded once, and keeps its state."""
    global _calls
    _calls += 1
    return _calls


def count_up(start, stop):
    yield from range(start, stop)


def iterate(values):
    return iter(values)


def raise_midway(after):
    yield from range(after)
    raise KeyError("midway")


def unencodable_midway():
    yield 1
    yield [object()]


def endless(started, closed):
    """Count for ever; say that it began, and when its `finally` runs."""
    _tell(started)
    number = 0
    try:
        while True:
            yield number
            number += 1
    finally:
        _tell(closed)


def stuck_midway(started, closed):
    """Give one item, then loop for ever."""
    yield 1
    _tell(started)
    try:
        while True:
            pass
    finally:
        _tell(closed)


def context_of_items():
    yield callgate.current_call().id
    yield callgate.current_call().id


def in_pieces(size):
    return b"x" * size
