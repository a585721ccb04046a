"""What the tests of mapped calls serve: quick functions, some of which are not, for some arguments."""

import threading
from collections.abc import Iterator

import callgate

ran: list[object] = []
waiting = threading.Event()
barrier = threading.Barrier(2)
_kept: list[int] = []


def reset() -> None:
    ran.clear()
    waiting.clear()
    barrier.reset()
    _kept.clear()


def described(value):
    """A value and its type, so that no 1 passes for a True or a 1.0."""
    return [type(value).__name__, value]


def echo(value):
    return value


def halved(number: float) -> float:
    return number / 2


def text(number: float) -> str:
    """A short string, though larger than what it is made from."""
    return f"{number:g} " * 40


def moody(value: int) -> object:
    """Fails for some numbers, each in its own way, and has results of many kinds."""
    ran.append(value)
    if value == 3:
        raise KeyError("three")
    if value == 5:
        return object()
    return {7: 2**70, 8: "long " * 100, 9: [1, {"a": None}], 11: -0.5, 12: True, 13: "short"}.get(value, value)


def kept(value: int) -> list[int]:
    """The same list each time, one longer."""
    _kept.append(value)
    return _kept


def call_id(_: int) -> str:
    return callgate.current_call().id


def remaining(_: int) -> float | None:
    return callgate.current_call().remaining


def spin_on_five(number: int) -> int:
    ran.append(number)
    while number == 5:
        pass
    return number


def wait_on_five(number: int) -> int:
    """Wait, for one number, until nobody waits for the answer any more."""
    ran.append(number)
    if number == 5:
        waiting.set()
        call = callgate.current_call()
        while not call.cancelled:
            pass
    return number


def counted(number: float) -> float:
    ran.append(number)
    return sum(range(1000))


def meet_from_100(number: int) -> int:
    """Return at once below 100; from there on only where two calls run side by side."""
    if number >= 100:
        barrier.wait(20)
    return number


def call_back(address: str) -> str:
    """Call this module's `echo` where there is an address; the reason why that failed."""
    if not address:
        return ""
    with callgate.connect(address) as gate:
        try:
            return gate.call("mapped_functions", "echo", "came through", timeout=20)
        except callgate.GateError as error:
            return error.reason


async def ahalved(number: float) -> float:
    return number / 2


def several(number: int) -> Iterator[int]:
    yield number


@callgate.batched(max_size=4, max_delay="1ms")
def tripled(numbers: list[int]) -> list[int]:
    return [3 * number for number in numbers]
