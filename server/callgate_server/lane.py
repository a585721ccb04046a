"""The calls of a batch that are for one executor, shared by its runners."""

from __future__ import annotations

import threading
from collections import deque
from typing import TypeAlias

from callgate_server.stretch import Mapped

__all__ = ["Lane", "Part"]

#: A call by its index, or mapped calls of which some are left.
Part: TypeAlias = "int | Mapped"


class Lane:
    """Calls to make.

    Invariant: a call is here, or in the hands of one runner who makes it now. Nobody has calls in hand for later: one
    that blocks keeps no other waiting while there are runners. So a runner may leave when nothing is here.

    Args:
        concurrency: how many runners are worth having, for as many calls.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._parts: deque[Part] = deque()
        self._lock = threading.Lock()
        self._calls = 0

    def add(self, part: Part) -> None:
        """Add calls, before the first is taken."""
        self._parts.append(part)
        self._calls += 1 if isinstance(part, int) else len(part)

    def add_first(self, other: Lane) -> None:
        """Have another lane's calls made before these."""
        self._parts.extendleft(reversed(other._parts))
        self._calls += other._calls

    @property
    def runners(self) -> int:
        """How many runners are worth having."""
        return min(self._concurrency, self._calls)

    @property
    def waiting(self) -> bool:
        """Whether there are calls that nobody has taken, as far as one can tell without the lock."""
        return bool(self._parts)

    def take(self) -> Part | None:
        """What to do next: a call, which nobody else gets, or mapped calls, to claim some of. None if all are taken."""
        with self._lock:
            while self._parts:
                part = self._parts[0]
                if isinstance(part, int):
                    self._parts.popleft()
                    return part
                if part.left:
                    return part
                self._parts.popleft()
            return None
