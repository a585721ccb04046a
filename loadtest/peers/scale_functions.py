"""What the measurement of scale calls; standard library only, as a worker needs nothing else."""

import os
import time

__all__ = ["burn_stamped"]


def burn_stamped(rounds: int) -> list[float]:
    """CPU-bound pure Python: which process ran it, and from when to when by the system's monotonic clock."""
    began = time.monotonic()
    total = 0
    for number in range(rounds):
        total += number * number % 7
    return [float(os.getpid()), began, time.monotonic()]
