"""What the tests of streams, maps and submits serve: functions that count, wait for a test's word, and tell."""

import threading
from collections import defaultdict

import callgate

hold_on = threading.Event()
started = threading.Event()
closed = threading.Event()
_lock = threading.Lock()
ran = defaultdict(int)
chains = []


def reset():
    hold_on.clear()
    started.clear()
    closed.clear()
    ran.clear()
    chains.clear()


def square(number):
    """The square, counted."""
    with _lock:
        ran[number] += 1
    return number * number


def hold(value=None):
    """Give a value back when the test says so."""
    started.set()
    hold_on.wait(30)
    return value


def hold_or(value):
    """As hold, for "hold" only; all else comes back at once."""
    return hold(value) if value == "hold" else value


def spin():
    started.set()
    while True:
        pass


def fail_on(bad, value):
    if value == bad:
        raise KeyError(value)
    return value


def many(*args, **kwargs):
    return [list(args), kwargs]


def complex_of(real, imaginary):
    """A complex number, or a real one where that is the same."""
    return complex(real, imaginary) if imaginary else real


def count(stop):
    try:
        yield from range(stop)
    finally:
        closed.set()


def count_forever():
    number = 0
    try:
        while True:
            yield number
            number += 1
    finally:
        closed.set()


def count_then_fail(items):
    yield from range(items)
    raise LookupError("no more")


def chain():
    return list(callgate.current_call().chain)


def through(address, how):
    """Call back, from inside a call."""
    with callgate.connect(address) as gate:
        if how == "stream":
            return list(gate.stream("batched_functions", "chain_items"))
        if how == "map":
            return next(gate.map("batched_functions", "chain", [()], unpack=True))
        return gate.submit("batched_functions", "chain").result(20)


def chain_items():
    yield from callgate.current_call().chain
