"""The same functions as coroutines, for what runs on an event loop. Standard library only, as peer_functions."""

import asyncio
import math
from typing import Any

__all__ = ["burn", "nap", "record", "scaled", "sqrt"]


async def sqrt(number: float) -> float:
    """math.sqrt."""
    return math.sqrt(number)


async def record(value: dict[str, Any]) -> dict[str, Any]:
    """A dict in and out."""
    return value


async def scaled(array: Any) -> Any:
    """An ndarray in and another one out."""
    return array * 2


async def burn(rounds: int) -> int:
    """CPU-bound pure Python, which holds the event loop up, as it does everywhere."""
    total = 0
    for number in range(rounds):
        total += number * number % 7
    return total


async def nap(seconds: float) -> float:
    """Wait without holding anybody up."""
    await asyncio.sleep(seconds)
    return seconds
