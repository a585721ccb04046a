"""How many calls one Gate has on their way at once."""

from __future__ import annotations

import threading
import time
from collections import deque

__all__ = ["Places"]


class Places:
    """A semaphore whose way is two atomic operations on a deque, where there is a place: every call goes it.

    Invariant: who waits is counted in `waiting` before it looks for a place for the last time, and who gives one back
    looks at `waiting` after that: one of the two sees the other.

    Args:
        count: how many there are.

    Attributes:
        free: one element for each free place; taken with `pop`.
        waiting: how many threads wait for one: after an `append`, `wake` is due if there are any.
    """

    __slots__ = ("_changed", "free", "waiting")

    def __init__(self, count: int) -> None:
        self.free: deque[None] = deque([None] * count)
        self.waiting = 0
        self._changed = threading.Condition(threading.Lock())

    def wait(self, seconds: float | None) -> bool:
        """Take a place once there is one.

        Args:
            seconds: how long to wait; None for as long as it takes.

        Returns:
            Whether it was taken.
        """
        until = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            self.waiting += 1
            try:
                while True:
                    try:
                        self.free.pop()
                        return True
                    except IndexError:
                        pass
                    # Beyond TIMEOUT_MAX locks refuse to wait; nobody waits so long.
                    left = None if until is None else min(until - time.monotonic(), threading.TIMEOUT_MAX)
                    if left is not None and left <= 0:
                        return False
                    self._changed.wait(left)
            finally:
                self.waiting -= 1

    def wake(self) -> None:
        """A place was given back, and somebody waits."""
        with self._changed:
            self._changed.notify()
