"""Futures of submitted calls: those of one batch are resolved together, and their waiting threads woken together.

A `concurrent.futures.Future` wakes who waits for it while its resolver holds the GIL: that thread runs, finds the GIL
taken, and waits again. With 64 callers that was most of what a call cost (docs/adr/0020-wake-without-the-gil.md).
"""

from __future__ import annotations

import threading
from _thread import RLock
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures._base import PENDING
from functools import partial
from typing import Any

__all__ = ["SubmittedFuture", "release"]

try:
    from callgate._wakeups import Wakeup, wake
except ImportError:  # not compiled for this Python: see build_compiled.py

    class Wakeup:  # type: ignore[no-redef]  # the same
        """Something that one thread waits for, once."""

        __slots__ = ("_lock",)

        def __init__(self) -> None:
            self._lock = threading.Lock()
            self._lock.acquire()

        def wait(self, timeout: float | None, /) -> bool:
            """Wait until woken; whether it was. Beyond TIMEOUT_MAX locks refuse to wait."""
            return self._lock.acquire(timeout=-1 if timeout is None else min(max(0.0, timeout), threading.TIMEOUT_MAX))

        def wake(self) -> None:
            """Wake whoever waits."""
            try:
                self._lock.release()
            except RuntimeError:  # it was woken before
                pass

    def wake(wakeups: list[Wakeup], /) -> None:
        """Wake whoever waits for any of them, or will."""
        for wakeup in wakeups:
            wakeup.wake()  # type: ignore[attr-defined]  # the class above


class _Guard(RLock):  # type: ignore[misc]  # typeshed has it final; it is not
    """What guards a future's fields. Where the base class would wait for more than that, it has waited already."""

    __slots__ = ()

    def notify_all(self) -> None:
        """Nobody waits here."""

    def wait(self, timeout: float) -> bool:
        """The end of a wait of no time at all."""
        return False


class SubmittedFuture(Future[Any]):
    """A Future whose `result` and `exception` wait for a Wakeup of their own.

    Invariant: a thread puts its Wakeup among `_waiting` before it looks whether the future is done, and who makes the
    future done takes `_waiting` after: so the thread is woken, or need not wait. No callback runs while its resolver
    holds Wakeups back: it may wait for those threads.

    All else that waits for it (`wait`, `as_completed`) is the base class's.
    """

    def __init__(self) -> None:
        # Not the base class's, half of whose time makes a Condition that nobody would wait for; the same fields.
        self._condition: Any = _Guard()
        self._state = PENDING
        self._result = None
        self._exception = None
        self._waiters: list[Any] = []
        self._done_callbacks: list[Any] = []
        self._waiting: list[Wakeup] | None = []
        self._held: list[Wakeup] = []

    def settle(self, result: Any, exception: BaseException | None, held: list[Wakeup]) -> None:
        """Resolve it, and have those woken later that wait.

        Args:
            result: of the call.
            exception: in its place; None if it has none.
            held: where to put their Wakeups, for `release`.
        """
        self._held = held
        if exception is None:
            Future.set_result(self, result)
        else:
            Future.set_exception(self, exception)
        waiting, self._waiting = self._waiting, None
        held += waiting or ()

    def set_result(self, result: Any) -> None:
        """As Future.set_result."""
        Future.set_result(self, result)
        self._wake_waiting()

    def set_exception(self, exception: BaseException | None) -> None:
        """As Future.set_exception."""
        Future.set_exception(self, exception)
        self._wake_waiting()

    def cancel(self) -> bool:
        """As Future.cancel."""
        done = Future.cancel(self)
        if done:
            self._wake_waiting()
        return done

    def result(self, timeout: float | None = None) -> Any:
        """As Future.result."""
        self._wait(timeout)
        try:
            return Future.result(self, 0)
        finally:
            del self  # its exception's traceback has this frame

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """As Future.exception."""
        self._wait(timeout)
        return Future.exception(self, 0)

    def add_done_callback(self, fn: Callable[[Future[Any]], object]) -> None:
        """As Future.add_done_callback."""
        Future.add_done_callback(self, partial(_call_back, fn))

    def _wake_waiting(self) -> None:
        waiting, self._waiting = self._waiting, None
        release(waiting or [])

    def _wait(self, timeout: float | None) -> None:
        waiting = self._waiting
        if waiting is None:
            return
        wakeup = Wakeup()
        waiting.append(wakeup)
        try:
            if not self.done():
                wakeup.wait(timeout)
        finally:
            if self._waiting is not None:  # too late, or interrupted
                waiting.remove(wakeup)


def release(held: list[Wakeup]) -> None:
    """Wake whom a resolver holds back; each is taken from the list, and so woken once, whoever calls."""
    taken: list[Wakeup] = []
    try:
        while True:
            taken.append(held.pop())
    except IndexError:
        wake(taken)


def _call_back(function: Callable[[Future[Any]], object], future: SubmittedFuture) -> object:
    release(future._held)
    return function(future)
