"""A stream, and a slow function that looks whether anyone still waits."""

from __future__ import annotations

import time
from collections.abc import Iterator

import callgate


def down(start: int) -> Iterator[int]:
    """Count down to 1."""
    yield from range(start, 0, -1)


def slowly(start: int, step: float = 0.1) -> int:
    """Count down with a pause of `step` seconds; stop as soon as nobody waits. Returns how far it came."""
    call = callgate.current_call()
    for number in range(start, 0, -1):
        if call.cancelled:
            return number
        time.sleep(step)
    return 0
