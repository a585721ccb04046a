"""Streams that tell a test in the same process how far they are."""

import threading
import time
from contextlib import aclosing

from endless_streams import Endless

import callgate

go_on = threading.Event()
_streams = Endless()
made, closed = _streams.made, _streams.closed


def reset():
    go_on.clear()
    _streams.reset()


def count(stop):
    yield from range(stop)


def one_then_wait():
    yield "first"
    go_on.wait(30)
    yield "second"


def fail_after(items):
    yield from range(items)
    raise KeyError("midway")


def _late(name, *more):
    try:
        yield "in time"
        callgate.current_call().deadline = time.monotonic()
        yield from more
    finally:
        closed[name].set()


def late_item():
    return _late("late_item", "late")


def late_end():
    return _late("late_end")


def endless(size):
    return _streams.items("endless", size)


def endless_threaded(size):
    return _streams.items("endless_threaded", size)


async def endless_async(size):
    async with aclosing(_streams.items_async("endless_async", size)) as items:
        async for item in items:
            yield item


def plain():
    return [1, 2]
