"""Streams that tell a test in the same process how far they are."""

import asyncio
import threading
from collections import defaultdict

go_on = threading.Event()
made = defaultdict(int)
closed = defaultdict(threading.Event)


def reset():
    go_on.clear()
    made.clear()
    closed.clear()


def count(stop):
    yield from range(stop)


def one_then_wait():
    yield "first"
    go_on.wait(30)
    yield "second"


def fail_after(items):
    yield from range(items)
    raise KeyError("midway")


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


def plain():
    return [1, 2]
