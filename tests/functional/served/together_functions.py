"""Streams whose items may come together: fast ones, ones that wait for a test's word, large ones."""

import threading
from contextlib import aclosing

from endless_streams import Endless

go_on = threading.Event()
ended = threading.Event()
_streams = Endless()
made, closed = _streams.made, _streams.closed

EMPTY = [None, 0, "", False, [], b"", 0.0, {}, ()]


def reset():
    go_on.clear()
    ended.clear()
    _streams.reset()


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


def endless(size):
    return _streams.items("endless", size)


def endless_threaded(size):
    return _streams.items("endless_threaded", size)


async def endless_async(size):
    async with aclosing(_streams.items_async("endless_async", size)) as items:
        async for item in items:
            yield item


def whole(size):
    """Bytes that a stream cuts into pieces."""
    return bytes(range(256)) * (size // 256)
