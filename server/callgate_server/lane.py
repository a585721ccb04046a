"""The calls of a batch that are for one executor, taken by its runners one at a time, or a stretch at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from callgate_server.stretch import Mapped

__all__ = ["Lane", "Part"]

#: A call by its index, or mapped calls from one index to before another.
Part: TypeAlias = "int | tuple[Mapped, int, int]"

#: The most calls of one part: more than a stretch makes in its time, and few enough to be shared among runners.
_MOST = 512


class Lane:
    """Calls to make.

    Invariant: a call is in the lane or in the hands of one runner, who has made it or gives it back. A runner leaves
    when the lane is empty and nobody has anything to give back: so the rest of a part that turned out to be slow finds
    all runners there.

    Args:
        concurrency: how many runners are worth having, for as many calls.
        together: whether calls of a function may be taken together, as things stand; called under the lane's lock.
    """

    def __init__(self, concurrency: int, together: Callable[[Mapped], bool]) -> None:
        self._concurrency = concurrency
        self._together = together
        self._parts: deque[Part] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._out = 0
        self._calls = 0

    def add(self, part: Part) -> None:
        """Add calls, before the first is taken."""
        self._parts.append(part)
        self._calls += 1 if isinstance(part, int) else part[2] - part[1]

    def add_first(self, other: Lane) -> None:
        """Have another lane's calls made before these."""
        self._parts.extendleft(other._parts)
        self._calls += other._calls

    @property
    def runners(self) -> int:
        """How many runners are worth having."""
        return min(self._concurrency, self._calls)

    def take(self) -> Part | None:
        """Take calls; what are no single call must be given back. None if there are none, and will be none."""
        with self._changed:
            while not self._parts and self._out:
                self._changed.wait()
            if not self._parts:
                return None
            part = self._parts.popleft()
            if isinstance(part, int):
                return part
            mapped, start, stop = part
            until = min(stop, start + (_MOST if self._together(mapped) else 1))
            if until < stop:
                self._parts.appendleft((mapped, until, stop))
            self._out += 1
            return mapped, start, until

    def give_back(self, mapped: Mapped, start: int, stop: int) -> None:
        """Give back what was not made of a part; nothing, if it begins where it stops."""
        with self._changed:
            self._out -= 1
            if start < stop:
                self._parts.appendleft((mapped, start, stop))
            self._changed.notify_all()
