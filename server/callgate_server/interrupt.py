"""Interrupting Python code on another thread, so that the interruption can hit nothing but the call it was meant for.

`PyThreadState_SetAsyncExc` delivers an exception to a thread at some later bytecode; left alone it may land after the
call has returned, in the next call, or in the pool's own code. A Scope prevents that with one token in a list, whose
`append` and `pop` are atomic:

* `run` puts the token in when the work starts. Whoever pops it decides: a call that finishes pops it, and nobody can
  interrupt it any more; an interrupter pops it, and then *will* set exactly one exception.
* A finishing call that finds the token gone knows that the exception is on its way or has landed. It waits until the
  interrupter has set it, and clears it (SetAsyncExc with NULL) in case it has not landed.

So at most one exception is set in a scope, and none is pending when `run` has returned. One that lands while `run`
itself is finishing is caught there: there is no second one. The stress test is tests/contract/test_interrupt.py.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["CallInterrupted", "Scope"]

T = TypeVar("T")

_set_async_exc = ctypes.pythonapi.PyThreadState_SetAsyncExc
_set_async_exc.restype = ctypes.c_int
_set_async_exc.argtypes = [ctypes.c_ulong, ctypes.py_object]


_interrupting = threading.Lock()


class CallInterrupted(BaseException):
    """The caller no longer waits: raised inside the running function at the deadline or on cancellation.

    A BaseException, so that a function's `except Exception` does not swallow it; `finally` blocks run.
    """


class Scope:
    """The stretch of one call in which it may be interrupted; used once, by one thread."""

    __slots__ = ("_closed", "_landed", "_sent", "_thread", "_token", "wanted")

    def __init__(self) -> None:
        self._token: list[None] = []
        self._sent: threading.Lock | None = None  # made by who interrupts: few do
        self._closed = False
        self._landed = False
        self._thread = 0
        #: Whether somebody asked for an interruption, in time or not.
        self.wanted = False

    def run(self, work: Callable[..., T], *args: Any) -> T:
        """Run `work` on this thread, open to interruption.

        Returns:
            What it returns.

        Raises:
            CallInterrupted: if it was interrupted and did not finish first.
            BaseException: what it raises.
        """
        self._thread = threading.get_ident()
        try:
            try:
                self._token.append(None)
                if self.wanted:  # asked for before the token was there
                    raise CallInterrupted
                return work(*args)
            finally:
                self._close()
        except CallInterrupted:
            self._landed = True
            self._close()  # the exception may have landed in the first _close
            raise

    def _close(self) -> None:
        if self._closed or self._landed:
            return
        try:
            self._token.pop()
            self._closed = True
        except IndexError:
            # The interrupter has the token, and made the lock before it took that. acquire() waits in C, where the
            # exception cannot land.
            sent = self._sent
            assert sent is not None
            sent.acquire()
            _set_async_exc(self._thread, ctypes.py_object())  # NULL: clears what is pending
            self._closed = True

    def interrupt(self) -> bool:
        """Interrupt the work, from another thread.

        Returns:
            False if it has finished, has not started (then it will not), or was interrupted before.
        """
        self.wanted = True
        with _interrupting:  # one at a time: the lock in `_sent` must be that of who pops the token
            sent = self._sent = self._sent or threading.Lock()
            ours = sent.acquire(blocking=False)  # else the work has ended, and has it for good
            try:
                self._token.pop()
            except IndexError:
                if ours:
                    sent.release()  # an earlier interrupter took the token, has sent, and the work may wait for this
                return False
            _set_async_exc(self._thread, CallInterrupted)
            sent.release()
            return True
