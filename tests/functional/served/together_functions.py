"""Streams whose items may come together: fast ones, ones that wait for a test's word, large ones."""

import asyncio
import threading
from collections import defaultdict

go_on = threading.Event()
ended = threading.Event()
made = defaultdict(int)
closed = defaultdict(threading.Event)

EMPTY = [None, 0, "", False, [], b"", 0.0, {}, ()]


def reset():
    go_on.clear()
    ended.clear()
    made.clear()
    closed.clear()


def count(stop):
    yield from range(stop)
    ended.set()


async def acount(stop):
    for number in range(stop):
        yield number


def empty(times):
    """Nothings of every kind."""
    for _ in range(times):
        yield from EMPTY


def some_then_wait(items):
    """So many items, then nothing until the test says so."""
    try:
        yield from range(items)
        while not go_on.wait(0.005):  # so that it can be interrupted
            pass
        yield "last"
    finally:
        closed["some_then_wait"].set()


def fail_after(items):
    yield from range(items)
    raise LookupError("no more")


def sized(sizes):
    """Bytes of these sizes, each of its own kind."""
    for number, size in enumerate(sizes):
        yield bytes([number % 256]) * size


def _endless(name, size):
    try:
        while True:
            made[name] += 1
            yield b"x" * size
    finally:
        closed[name].set()


def endless(size):
    return _endless("endless", size)


def endless_threaded(size):
    return _endless("endless_threaded", size)


async def endless_async(size):
    try:
        while True:
            made["endless_async"] += 1
            yield b"x" * size
            await asyncio.sleep(0)
    finally:
        closed["endless_async"].set()


def whole(size):
    """Bytes that a stream cuts into pieces."""
    return bytes(range(256)) * (size // 256)
