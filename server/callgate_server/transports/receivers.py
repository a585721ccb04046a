"""Threads that receive calls and run them where they are: one leads, and steps aside before it blocks.

The leader takes events from the transport, several at a time, and runs each on its own thread: for a short call nothing
is handed over, and nobody is woken. Before a call may wait or take long, `Worker.aside` makes another thread the
leader; the one that runs the call goes on with it, and joins those that stand by when it is done. What could not be
foreseen is seen by the watch: a call that has kept the leader for two ticks loses it the lead. While all calls step
aside the watch sleeps: where functions fill the processor's caches, a look costs a tenth of a millisecond (measured).

    leader      receive ─▶ run ─▶ run ─▶ run: may block ─▶ step aside ─▶ …blocked… ─▶ stand by
    standing by                                      └▶ lead: run what was received, receive ─▶ …

Invariant: there is one leader at a time. Only the leader receives, and only it takes from `_received`. A thread can
lose the lead only while it runs a call (`running`, changed under `_lock`), so that nothing received is left behind.
"""

from __future__ import annotations

import functools
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import structlog

__all__ = ["Receivers", "Worker"]

log = structlog.get_logger("callgate.transport")

E = TypeVar("E")

#: Seconds between two looks at the leader. Arbitrary: what others may lose to a call that turned out to be slow, twice;
#: long beside a look's cost, and no shorter than CPython's own switch interval.
_TICK = 0.005

#: Looks after which the watch sleeps if no call stayed. Arbitrary: fewer would wake it for calls that come 20 ms apart,
#: which costs them more than it would save.
_IDLE_TICKS = 4


class Worker:
    """A thread that leads, runs a call or stands by.

    Attributes:
        running: whether it runs a call; what is written while it leads is read by the watch.
        turns: how many calls it has run.
        aside: what the call that it runs does before it may block; nothing happens where the lead is lost already, or
            where there is no other thread to be had.
        take: gives it another event to run at once, after the one that it has run: as if it had come back for it. None
            if there is none, or it leads no longer.
        stay: what the call that it runs does before it goes on for long without stepping aside: it is watched.
        overdue: called, on another thread, when it loses the lead for running the same event long; who runs it sets it,
            before it stays.
    """

    __slots__ = ("aside", "overdue", "running", "stay", "take", "turns", "wake")

    def __init__(
        self, step_aside: Callable[[Worker], None], take: Callable[[Worker], Any], stay: Callable[[], None]
    ) -> None:
        self.aside = functools.partial(step_aside, self)
        self.take = functools.partial(take, self)
        self.stay = stay
        self.overdue: Callable[[], None] | None = None
        self.running = False
        self.turns = 0
        self.wake = threading.Lock()
        self.wake.acquire()


class Receivers(Generic[E]):
    """Receives events and runs them.

    Args:
        receive: waits for events; None when there will be no more.
        run: runs one on the thread that leads; it must not raise.
        settle: does what `run` may leave for the next `receive` to do; called by a thread that will not receive next.
        threads: how many there may be; when as many block, nobody receives until one of them is done.
        name: what they are called.
    """

    def __init__(
        self,
        receive: Callable[[], Iterable[E] | None],
        run: Callable[[E, Worker], None],
        settle: Callable[[], None] = lambda: None,
        *,
        threads: int,
        name: str,
    ) -> None:
        self._receive = receive
        self._run = run
        self._settle = settle
        self._limit = threads
        self._name = name
        self._lock = threading.Lock()
        self._received: deque[E] = deque()
        self._standing_by: list[Worker] = []
        self._threads = 0
        self._leader = Worker(self._step_aside, self._take, self._stay)
        self._ended = False
        # The watch sleeps on this queue: it needs a timeout, and a wake-up that may come too often.
        self._watch_wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._watch_sleeps = False
        self._stayed = False  # a call, since the watch has looked

    def start(self) -> None:
        """Start the first leader, and the watch."""
        with self._lock:
            self._start(self._leader)
        threading.Thread(target=self._watch, name=f"{self._name}-watch", daemon=True).start()

    def _start(self, worker: Worker) -> bool:
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

    def _step_aside(self, worker: Worker) -> None:
        self._settle()  # who leads from now on may find nothing to receive, and wait
        with self._lock:
            self._replace(worker)

    def _replace(self, worker: Worker) -> None:
        if self._leader is not worker or self._ended:
            return
        if self._standing_by:
            self._leader = self._standing_by.pop()  # the last that led: its stack is warm
            self._leader.wake.release()
        elif self._threads < self._limit:
            following = Worker(self._step_aside, self._take, self._stay)
            if self._start(following):
                self._leader = following

    def _work(self, worker: Worker) -> None:
        while True:
            try:
                self._lead(worker)
            except BaseException:
                log.exception("a receiver caught what it should not have seen")
            with self._lock:
                if self._ended:
                    return
                if self._leader is worker:  # only after what should not have happened
                    worker.running = False
                    continue
                self._standing_by.append(worker)
            worker.wake.acquire()

    def _lead(self, worker: Worker) -> None:
        """Receive and run until the lead is lost or there is nothing more to receive."""
        received, run, lock = self._received, self._run, self._lock
        if self._leader is not worker:
            return  # woken to end
        while True:
            while received:
                worker.turns += 1
                worker.running = True
                run(received.popleft(), worker)
                with lock:
                    worker.running = False  # also where the lead is lost: it may come back
                    lost = self._leader is not worker
                if lost:
                    self._settle()
                    return
            events = self._receive()
            if events is None:
                self._end()
                return
            received.extend(events)

    def _take(self, worker: Worker) -> E | None:
        with self._lock:
            worker.running = False
            if self._leader is not worker or not self._received:
                return None
            worker.turns += 1
            worker.running = True
            return self._received.popleft()

    def _stay(self) -> None:
        # Written before the flag is read, and the watch does it the other way round: one sees the other.
        self._stayed = True
        if self._watch_sleeps:
            self._watch_wakes.put(None)

    def _end(self) -> None:
        with self._lock:
            self._ended = True
            self._watch_wakes.put(None)
            while self._standing_by:
                self._standing_by.pop().wake.release()

    def _relieve(self, leader: Worker, turn: int) -> None:
        with self._lock:
            if not leader.running or leader.turns != turn:
                return
            overdue = leader.overdue
            self._replace(leader)
        if overdue is not None:
            overdue()

    def _watch(self) -> None:
        """Take the lead from a thread that has run the same call at two looks."""
        seen: tuple[Worker, int] | None = None
        idle = 0
        while not self._ended:
            leader = self._leader
            now = leader, leader.turns
            if now == seen and leader.running:
                self._relieve(*now)
            stayed, self._stayed, seen = self._stayed, False, now
            # Whether it runs is read after the flag is lowered, and it is running before it raises that: a call that
            # stays in between is seen. A leader that still runs may have found no thread to take its place.
            idle = 0 if stayed or self._leader.running else idle + 1
            if idle > _IDLE_TICKS:
                self._watch_sleeps = True
                if not (self._stayed or self._leader.running or self._ended):
                    self._watch_wakes.get()
                self._watch_sleeps = False
                seen, idle = None, 0
                continue
            try:
                self._watch_wakes.get(timeout=_TICK)
            except queue.Empty:
                pass
