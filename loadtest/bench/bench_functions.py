"""What the measurements call; the standard library and callgate's pure part, so that it loads in a sub-interpreter."""

import os
import time
from collections.abc import Iterator

import callgate

#: Seconds that a call of `root` and of `roots` costs, for however many numbers: a model's forward pass, say.
FIXED_COST = 0.010


def burn(rounds: int) -> int:
    """Pure-Python work: 100,000 rounds are about 10 ms here."""
    total = 0
    for number in range(rounds):
        total += number * number % 7
    return total


def small(value: float) -> float:
    """Next to nothing, to see what the way costs."""
    return value


def same(value: object) -> object:
    """What it was given."""
    return value


def nap(seconds: float) -> None:
    """Take a worker for a while, and no CPU."""
    time.sleep(seconds)


def die() -> None:
    """Take the process that runs it along."""
    os._exit(1)


def fail() -> None:
    """Raise."""
    raise ValueError("as asked")


def forever() -> None:
    """Never return."""
    while True:
        pass


def root(number: float) -> float:
    """At a fixed cost, one."""
    time.sleep(FIXED_COST)
    return float(number**0.5)


@callgate.batched(max_size=64, max_delay="2ms")
def roots(numbers: list[float]) -> list[float]:
    """At the same cost, many."""
    time.sleep(FIXED_COST)
    return [float(number**0.5) for number in numbers]


def items(count: int, size: int) -> Iterator[bytes]:
    """The same item again and again, for the figure of streams."""
    item = b"x" * size
    for _ in range(count):
        yield item
