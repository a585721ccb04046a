"""Functions that the contract suite calls, on every executor: standard library only, files as the way to talk outside."""

from __future__ import annotations

import asyncio
import os
import threading
import time
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


def touch(path):
    Path(path).touch()
    return True


def hold(started, release):
    """Say that it runs, then wait for a file to appear; interruptible at every turn of the loop."""
    Path(started).touch()
    while not os.path.exists(release):
        time.sleep(0.002)
    return threading.get_ident()


def spin(started, caught=""):
    """Burn CPU until interrupted; say so in `caught`."""
    Path(started).touch()
    try:
        while True:
            pass
    except BaseException as error:
        if caught:
            Path(caught).write_text(type(error).__name__)
        raise


def until_cancelled(started, saw):
    """Run until the call says that nobody waits."""
    Path(started).touch()
    while not callgate.current_call().cancelled:
        time.sleep(0.001)
    Path(saw).touch()


def append(path, text):
    with open(path, "a") as file:
        file.write(text + "\n")


def thread():
    return threading.get_ident()


def process():
    return os.getpid()


_loads = 0
_loads += 1


def loads():
    return _loads


async def add_later(a, b):
    await asyncio.sleep(0)
    return a + b


async def wait_forever(started, ended):
    Path(started).touch()
    try:
        await asyncio.Event().wait()
    finally:
        Path(ended).touch()
