"""Concurrent callers, and what they get done.

    window: callers loop ─▶ warm until each may have had an answer ─▶ count, time, CPU ─▶ stop ─▶ wait a little
    wave:   each caller calls once, all at the same time ─▶ until all have their answers, or time is up

A window opens when as many answers have come as there are callers (then the queue that so many callers make is there),
or after a while at the latest. What has not come back soon after it is left behind: whoever asked replaces client and
server then. A wave is for calls so long that a window would be short beside them: a server that runs 512 of them a
little at a time, all at once, has answered none for ten seconds, and then all of them.
"""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from loadtest.peers.usage import cpu_seconds, tree

__all__ = ["Order", "Outcome", "greenlets", "tasks", "threads"]

#: The window opens this long after the start, at the earliest and at the latest; arbitrary.
WARM_LEAST, WARM_MOST = 0.1, 1.0

#: How long callers may take to come back after the window; longer than that, replacing the server is quicker.
DRAIN = 0.8

#: How often a caller may fail before it gives up, so that a broken server does not make it spin.
_FAILURES_EACH = 3

_POLL = 0.01


@dataclass(frozen=True, slots=True)
class Order:
    """What to measure.

    Attributes:
        callers: how many at once.
        seconds: how long the window is open, or a wave may take.
        server: the process whose CPU time counts.
        wave: whether each caller calls once only.
    """

    callers: int
    seconds: float
    server: int
    wave: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        rate: answers a second within the window.
        p50: the median latency in seconds; None where not every caller had an answer within the window, since those
            that came first are no sample of all.
        p99: likewise.
        calls: answers within the window.
        server_cpu: the server's CPU seconds a thousand calls.
        client_cpu: the client's, likewise.
        failures: calls that raised.
        failure: what the first of them raised.
        drained: whether all callers came back.
    """

    rate: float
    p50: float | None
    p99: float | None
    calls: int
    server_cpu: float | None
    client_cpu: float | None
    failures: int
    failure: str
    drained: bool


class _Run:
    """The state that callers share."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.stopped = False
        self._server = tree(order.server)  # now: it reads a hundred files
        self.finished: list[list[tuple[float, float]]] = [[] for _ in range(order.callers)]
        self.failures: list[str] = []
        self.ended: list[int] = []
        self.all_ended = threading.Event()
        self._began = time.perf_counter()
        self._marks: list[tuple[float, float, float]] = []

    def failed(self, error: BaseException) -> None:
        self.failures.append(f"{type(error).__name__}: {error}"[:300])

    def left(self, index: int) -> None:
        """A caller has ended."""
        self.ended.append(index)
        if len(self.ended) == self.order.callers:
            self.all_ended.set()

    def warm(self) -> bool:
        """Whether the window may open."""
        passed = time.perf_counter() - self._began
        if self.order.wave or passed >= WARM_MOST or self.all_ended.is_set():
            return True
        return passed >= WARM_LEAST and sum(map(len, self.finished)) >= self.order.callers

    def mark(self) -> None:
        """Open or close the window."""
        self._marks.append((time.perf_counter(), cpu_seconds(self._server), time.process_time()))

    def outcome(self, drained: bool) -> Outcome:
        """What came of it, once the window is closed."""
        (opened, server_before, client_before), (closed, server_after, client_after) = self._marks
        if self.order.wave and drained:  # its last answer, not when that was noticed
            closed = max((one[-1][0] for one in self.finished if one), default=closed)
        took = sorted(lasted for one in self.finished for ended, lasted in one if opened < ended <= closed)
        calls = len(took)
        fair = calls >= 2 and sum(any(opened < ended <= closed for ended, _ in one) for one in self.finished) == len(
            self.finished
        )
        return Outcome(
            rate=calls / (closed - opened),
            p50=statistics.median(took) if fair else None,
            p99=took[min(calls - 1, int(0.99 * calls))] if fair else None,
            calls=calls,
            server_cpu=1000 * (server_after - server_before) / calls if calls else None,
            client_cpu=1000 * (client_after - client_before) / calls if calls else None,
            failures=len(self.failures),
            failure=self.failures[0] if self.failures else "",
            drained=drained,
        )


def threads(calls: Sequence[Callable[[], Any]], order: Order) -> Outcome:
    """Callers are threads."""
    run = _Run(order)
    if order.wave:
        run.mark()
    for index, call in enumerate(calls):
        threading.Thread(target=_loop, args=(run, index, call), daemon=True).start()
    return _watch(run, time.sleep, run.all_ended.wait)


def greenlets(calls: Sequence[Callable[[], Any]], order: Order) -> Outcome:
    """Callers are gevent's greenlets."""
    import gevent

    run = _Run(order)
    if order.wave:
        run.mark()
    running = [gevent.spawn(_loop, run, index, call) for index, call in enumerate(calls)]
    return _watch(run, gevent.sleep, lambda seconds: len(gevent.joinall(running, timeout=seconds)) == len(running))


def _loop(run: _Run, index: int, call: Callable[[], Any]) -> None:
    """One caller that blocks."""
    finished, failures = run.finished[index], 0
    clock, wave = time.perf_counter, run.order.wave
    while not run.stopped and failures < _FAILURES_EACH:
        began = clock()
        try:
            call()
        except Exception as error:
            if not run.stopped:
                run.failed(error)
                failures += 1
        else:
            ended = clock()
            finished.append((ended, ended - began))
        if wave:
            break
    run.left(index)


def _watch(run: _Run, sleep: Callable[[float], object], all_ended: Callable[[float], bool]) -> Outcome:
    """Open and close the window, or wait for the wave."""
    if run.order.wave:
        drained = all_ended(run.order.seconds)
        run.mark()
        run.stopped = True
        return run.outcome(drained)
    while not run.warm():
        sleep(_POLL)
    run.mark()
    sleep(run.order.seconds)
    run.mark()
    run.stopped = True
    return run.outcome(all_ended(DRAIN))


async def tasks(calls: Sequence[Callable[[], Awaitable[Any]]], order: Order) -> Outcome:
    """Callers are asyncio's tasks."""
    run = _Run(order)
    if order.wave:
        run.mark()
    running = [asyncio.create_task(_loop_async(run, index, call)) for index, call in enumerate(calls)]
    if not order.wave:
        while not run.warm():
            await asyncio.sleep(_POLL)
        run.mark()
        await asyncio.sleep(order.seconds)
        run.mark()
        run.stopped = True
    _, left = await asyncio.wait(running, timeout=order.seconds if order.wave else DRAIN)
    if order.wave:
        run.mark()
        run.stopped = True
    for task in left:
        task.cancel()
    return run.outcome(not left)


async def _loop_async(run: _Run, index: int, call: Callable[[], Awaitable[Any]]) -> None:
    """One caller that awaits; as `_loop`."""
    finished, failures = run.finished[index], 0
    clock, wave = time.perf_counter, run.order.wave
    while not run.stopped and failures < _FAILURES_EACH:
        began = clock()
        try:
            await call()
        except Exception as error:
            if not run.stopped:
                run.failed(error)
                failures += 1
        else:
            ended = clock()
            finished.append((ended, ended - began))
        if wave:
            break
    run.left(index)
