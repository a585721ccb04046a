"""A thread that attends to descriptors, timers and jobs: a small event loop, for what blocks nobody."""

from __future__ import annotations

import heapq
import itertools
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = ["Attendant"]


class Attendant:
    """The thread. `submit` is for any thread; the rest is for its own.

    Invariant: jobs are added under `_lock`, and the thread is woken by the one that finds none there, so that no job is
    left lying and a burst of jobs wakes it once.

    Args:
        name: the thread's name.
        finished: asked after every round whether the thread may end.
    """

    def __init__(self, name: str, finished: Callable[[], bool]) -> None:
        self._name = name
        self._finished = finished
        self._lock = threading.Lock()
        self._jobs: list[Callable[[], None]] = []
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._thread: threading.Thread | None = None
        self._over = False

    def start(self) -> None:
        """Start the thread, if it has not been started."""
        if self._thread is None:
            self._selector = selectors.DefaultSelector()
            self._wake_in, self._wake_out = socket.socketpair()
            self._wake_in.setblocking(False)
            self._wake_out.setblocking(False)
            self._selector.register(self._wake_in, selectors.EVENT_READ, self._woken)
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def join(self) -> None:
        """Wait until it has ended."""
        if self._thread is not None:
            self._thread.join()

    def submit(self, job: Callable[[], None]) -> bool:
        """Have a job run.

        Returns:
            False after the thread's end: it never runs.
        """
        with self._lock:
            if self._over:
                return False
            self._jobs.append(job)
            if len(self._jobs) == 1 and self._thread is not None:
                try:
                    self._wake_out.send(b"x")
                except OSError:
                    pass  # full: it will wake
            return True

    def after(self, seconds: float, job: Callable[[], None]) -> None:
        """Have a job run later."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), job))

    def watch(self, what: Any, job: Callable[[], None]) -> None:
        """Have a job run whenever a descriptor can be read; `unwatch` it before it is closed."""
        self._selector.register(what, selectors.EVENT_READ, job)

    def unwatch(self, what: Any) -> None:
        """Watch a descriptor no more; also one that is not watched."""
        try:
            self._selector.unregister(what)
        except KeyError:
            pass

    def _run(self) -> None:
        while not self._finished():
            timeout = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
            for key, _ in self._selector.select(timeout):
                if self._selector.get_map().get(key.fd) is key:  # else unwatched by a job before it
                    key.data()
            while self._timers and self._timers[0][0] <= time.monotonic():
                heapq.heappop(self._timers)[2]()
        with self._lock:
            self._over = True
        self._run_jobs()  # what was submitted while `finished` was asked
        self._selector.close()
        with self._lock:
            self._wake_in.close()
            self._wake_out.close()

    def _woken(self) -> None:
        try:
            self._wake_in.recv(4096)
        except BlockingIOError:
            pass
        self._run_jobs()

    def _run_jobs(self) -> None:
        with self._lock:
            jobs, self._jobs = self._jobs, []
        for job in jobs:
            job()
