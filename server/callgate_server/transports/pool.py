"""The threads that run handlers: last in, first out, and nothing made per task.

`ThreadPoolExecutor` makes a Future (a Condition, an RLock, callbacks) for each task and wakes the thread that has been
idle longest; grpcio uses neither the Future nor the order. Here the thread that became idle last takes the next task:
its stack is warm, and a server under a steady load uses no more threads than it needs.

Invariant: a worker is in `_idle` only while it waits for its own lock; whoever takes it out, under `_lock`, gives it a
task (or none, to end) and releases that lock once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog

__all__ = ["CallPool"]

log = structlog.get_logger("callgate.transport")

_Task = tuple[Callable[..., Any], tuple[Any, ...]]


class _Worker:
    __slots__ = ("task", "wake")

    def __init__(self, task: _Task) -> None:
        self.task: _Task | None = task
        self.wake = threading.Lock()
        self.wake.acquire()


class CallPool:
    """A thread pool with the part of `ThreadPoolExecutor` that grpcio uses.

    Args:
        threads: how many tasks may run at once; more wait, first come, first served.
        name: what its threads are called.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._limit = threads
        self._name = name
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._waiting: deque[_Task] = deque()
        self._threads = 0
        self._closed = False

    def submit(self, task: Callable[..., Any], /, *args: Any) -> None:
        """Have a task run on some thread.

        Raises:
            RuntimeError: after `shutdown`, or if no thread at all can be started.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("the pool is shut down")
            if self._idle:
                worker = self._idle.pop()
                worker.task = (task, args)
                worker.wake.release()
            elif self._threads >= self._limit or not self._start(_Worker((task, args))):
                self._waiting.append((task, args))

    def _start(self, worker: _Worker) -> bool:
        # A daemon: code stuck in C must not keep the process from exiting.
        thread = threading.Thread(target=self._work, args=(worker,), name=f"{self._name}-{self._threads}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system gives no more threads
            if not self._threads:
                raise
            return False
        self._threads += 1
        return True

    def _work(self, worker: _Worker) -> None:
        task = worker.task
        while task is not None:
            worker.task = None
            try:
                task[0](*task[1])
            except BaseException:
                log.exception("a handler's thread caught what it should not have seen")
            task = None  # nothing of a call outlives it while the thread is idle
            with self._lock:
                if self._waiting:
                    task = self._waiting.popleft()
                    continue
                if self._closed:
                    return
                self._idle.append(worker)
            worker.wake.acquire()
            task = worker.task

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = True) -> None:
        """Take no more tasks, drop those that wait, and let idle threads end; running tasks go on."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            while self._idle:
                self._idle.pop().wake.release()
