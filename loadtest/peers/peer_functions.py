"""What every system serves. Standard library only: Callgate loads this in sub-interpreters too, which have no numpy.

`math.sqrt` is the fifth, served as itself.
"""

import time
from typing import Any

__all__ = ["burn", "nap", "record", "scaled"]


def record(value: dict[str, Any]) -> dict[str, Any]:
    """A dict in and out."""
    return value


def scaled(array: Any) -> Any:
    """An ndarray in and another one out: it must have been a real array on the way."""
    return array * 2


def burn(rounds: int) -> int:
    """CPU-bound pure Python: 300,000 rounds are about 20 ms here."""
    total = 0
    for number in range(rounds):
        total += number * number % 7
    return total


def nap(seconds: float) -> float:
    """Wait, and use no CPU."""
    time.sleep(seconds)
    return seconds
