"""contract_functions again, as coroutines, for the suite's `coroutines` parameter."""

from __future__ import annotations

import asyncio

import contract_functions as plain

import callgate


async def add(a, b=10):
    return a + b


async def echo(*args, **kwargs):
    return [list(args), kwargs]


async def same(value):
    await asyncio.sleep(0)
    return value


async def fail(message):
    raise KeyError(message)


async def fail_with_cause():
    try:
        int("x")
    except ValueError as error:
        raise RuntimeError("outer") from error


async def fail_in_group():
    raise ExceptionGroup("several", [ValueError("one"), TypeError("two")])


async def raise_base(name):
    plain.raise_base(name)


async def unencodable():
    return [1, {"model": object()}]


async def choose_status():
    raise callgate.StatusError("ALREADY_EXISTS", "there is one")


async def context():
    await asyncio.sleep(0)
    return plain.context()


async def touch(path):
    return plain.touch(path)


async def append(path, text):
    plain.append(path, text)


async def hold(started, release):
    """Say that it runs, then wait for the test without blocking the loop."""
    plain._tell(started)
    await asyncio.to_thread(_read, release)


def _read(path):
    with open(path, "rb", buffering=0) as fifo:
        fifo.read(1)


async def hold_in_c(started, release):
    plain.hold_in_c(started, release)


async def spin(started, caught):
    plain._tell(started)
    try:
        while True:
            await asyncio.sleep(0)
    except BaseException:
        plain._tell(caught)
        raise


async def spin_stubbornly(started):
    plain._tell(started)
    try:
        while True:
            await asyncio.sleep(0)
    except BaseException:
        return "swallowed"


async def until_cancelled(started, saw):
    plain._tell(started)
    while not callgate.current_call().cancelled:
        await asyncio.sleep(0)
    plain._tell(saw)


async def count():
    return plain.count()


_barrier = None


async def gather(many):
    """Return once `many` calls are in flight at the same time."""
    global _barrier
    if _barrier is None:
        _barrier = asyncio.Barrier(many)
    await _barrier.wait()
    return many


async def count_up(start, stop):
    for number in range(start, stop):
        yield number


async def iterate(values):
    return iter(values)


async def raise_midway(after):
    for number in range(after):
        yield number
    raise KeyError("midway")


async def unencodable_midway():
    yield 1
    yield [object()]


async def endless(started, closed):
    plain._tell(started)
    number = 0
    try:
        while True:
            yield number
            number += 1
    finally:
        plain._tell(closed)


async def stuck_midway(started, closed):
    yield 1
    plain._tell(started)
    try:
        while True:
            await asyncio.sleep(0)
    finally:
        plain._tell(closed)


async def context_of_items():
    yield callgate.current_call().id
    await asyncio.sleep(0)
    yield callgate.current_call().id


async def in_pieces(size):
    return b"x" * size
