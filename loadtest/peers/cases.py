"""The calls that are measured: a function's name, its arguments, and how a right answer is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from loadtest.peers import peer_functions

__all__ = ["CASES", "Case", "arguments"]

#: About 20 ms of pure Python on the machine that the committed figures come from; the results say how long it took.
BURN_ROUNDS = 300_000

NAP_SECONDS = 0.05

#: Elements of a 1 MiB array of float64.
ARRAY_ELEMENTS = (1 << 20) // 8

#: A record as services pass them around: nested, of mixed types; 1 KB as JSON.
RECORD: dict[str, Any] = {
    "id": 7_421_993,
    "customer": {"name": "Ada Lovelace", "email": "ada@example.org", "since": "2019-04-01", "vip": True},
    "items": [
        {"sku": f"SKU-{number:05d}", "title": f"Part number {number}", "quantity": number, "price": number * 1.25}
        for number in range(1, 10)
    ],
    "notes": "Deliver to the back door; ring twice. " * 3,
    "tags": ["express", "fragile", "insured"],
    "discount": None,
}


@dataclass(frozen=True, slots=True)
class Case:
    """One call.

    Attributes:
        name: the function.
        what: for a reader of the table.
        make: makes the arguments.
        right: whether an answer is right; cheap, since it is part of every call.
    """

    name: str
    what: str
    make: Callable[[], tuple[Any, ...]]
    right: Callable[[Any], bool]


@cache
def _burned() -> int:
    return peer_functions.burn(BURN_ROUNDS)


def _array() -> tuple[Any, ...]:
    import numpy  # the orchestrating process does without

    return (numpy.arange(ARRAY_ELEMENTS, dtype="float64"),)


def _right_array(array: Any) -> bool:
    # The shape and the last element: a full comparison would cost more than some systems' calls.
    return array.shape == (ARRAY_ELEMENTS,) and array[-1] == 2.0 * (ARRAY_ELEMENTS - 1)  # type: ignore[no-any-return]  # an ndarray is untyped here


CASES: dict[str, Case] = {
    case.name: case
    for case in (
        Case("sqrt", "math.sqrt", lambda: (16.0,), lambda answer: answer == 4.0),
        Case("record", "a 1 KB dict there and back", lambda: (RECORD,), lambda answer: answer == RECORD),
        Case("scaled", "a 1 MiB ndarray there and back", _array, _right_array),
        Case("burn", "20 ms of pure Python", lambda: (BURN_ROUNDS,), lambda answer: answer == _burned()),
        Case("nap", "a sleep of 50 ms", lambda: (NAP_SECONDS,), lambda answer: answer == NAP_SECONDS),
    )
}


@cache
def arguments(name: str) -> tuple[Any, ...]:
    """A case's arguments, made once."""
    return CASES[name].make()
