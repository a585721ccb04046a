"""Batched functions: they take a list and return one."""

import threading
import time

import callgate

sizes: list[int] = []
hold = threading.Event()
hold.set()


def reset():
    sizes.clear()
    hold.set()


@callgate.batched(max_size=64, max_delay="20ms")
def double(numbers: list[float]) -> list[float]:
    """Twice each number."""
    hold.wait()
    sizes.append(len(numbers))
    return [2 * number for number in numbers]


@callgate.batched(max_size=4, max_delay="10s")
def by_four(numbers: list[int]) -> list[int]:
    sizes.append(len(numbers))
    return numbers


@callgate.batched(max_delay="20ms")
def roots(numbers):
    return [number**0.5 if number >= 0 else ValueError(f"{number} is negative") for number in numbers]


@callgate.batched(max_delay="20ms")
def one_short(numbers):
    return numbers[1:]


@callgate.batched(max_delay="20ms")
def no_list(numbers):
    return 3


@callgate.batched(max_delay="20ms")
def raises(numbers):
    raise KeyError("all of you")


@callgate.batched(max_delay="20ms")
def unencodable(numbers):
    return [object() if number == 1 else number for number in numbers]


@callgate.batched(max_delay="1ms")
def fixed_cost(numbers):
    time.sleep(0.01)
    return numbers
