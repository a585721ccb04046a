"""A call that runs in a worker, and what the ladder may do to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from callgate_server.call import Call
from callgate_server.executors.frames import Control
from callgate_server.executors.worker_process import Doom, WorkerProcess

__all__ = ["WorkerRun"]


class WorkerRun:
    """One call in a worker: the Rungs of its climb.

    Invariant, under `_lock`: once `finish` has returned, the worker is not touched any more: it may have its next call.

    Args:
        call: the call.
        worker: which worker runs it.
        number: its number, for control messages.
        doubt: called after an interruption: the worker may have to be killed.

    Attributes:
        began: when, `time.monotonic()` seconds.
    """

    __slots__ = ("_doubt", "_finished", "_lock", "began", "call", "killed", "number", "worker")

    def __init__(self, call: Call, worker: WorkerProcess, number: int, doubt: Callable[[], None]) -> None:
        self.call = call
        self.worker = worker
        self.number = number
        self.killed = False
        self.began = time.monotonic()
        self._doubt = doubt
        self._finished = False
        self._lock = threading.Lock()

    def caller_left(self) -> None:
        """Raise the flag that `current_call().cancelled` reads in the worker."""
        if not self._finished:
            self.worker.tell(Control.CANCELLED, self.number)

    def interrupt(self) -> bool:
        """Raise CallInterrupted inside it, and have its worker's replacement ready by the time of the kill."""
        if self._finished or not self.worker.tell(Control.INTERRUPT, self.number):
            return False
        self._doubt()
        return True

    def kill(self) -> bool:
        """Kill its worker."""
        with self._lock:
            if self._finished:
                return False
            self.killed = True
            self.worker.end(Doom.STOPPED)
            return True

    def wedged(self, seconds: float) -> None:
        """A process can always be killed: it has ended."""

    def finish(self) -> None:
        """The answer is here, or the worker is gone."""
        with self._lock:
            self._finished = True
