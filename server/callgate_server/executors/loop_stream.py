"""Tasks of the `coroutines` executor: what the ladder may do to one, and one that is a stream.

    loop thread: task ── AsyncSteps.next ──▶ buffer (at most AHEAD items) ──▶ stream thread ──▶ the transport
                      ◀── leave to go on, half a buffer at a time ──

The task runs ahead of its reader, since a hand-over between threads for each item would cost more than most items; how
far is bounded, so a slow reader stops it.
"""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Iterator
from contextvars import Context
from typing import Any

from callgate.context import entered
from callgate.failures import CallFailed
from callgate_server.executors.run import Run, stopped
from callgate_server.interrupt import CallInterrupted
from callgate_server.invocation import Invoker
from callgate_server.streaming import AsyncSteps

__all__ = ["AHEAD", "LoopStream", "LoopTask"]

#: Items that a stream's task may make ahead of its reader. Arbitrary: enough to hide the hand-over between threads.
AHEAD = 16


class LoopTask:
    """What the ladder may do to a coroutine: cancel its task."""

    __slots__ = ("_loop", "_run", "cancelled", "task")

    def __init__(self, run: Run, loop: asyncio.AbstractEventLoop) -> None:
        self._run = run
        self._loop = loop
        self.task: asyncio.Task[Any] | None = None
        #: Whether we cancelled it: a function may also raise CancelledError of its own accord.
        self.cancelled = False

    def interrupt(self) -> bool:
        """Cancel the task, on the loop's thread; before it has begun, keep it from beginning."""
        self.cancelled = True
        try:
            self._loop.call_soon_threadsafe(self._cancel)
        except RuntimeError:
            return False  # the loop is closed: nothing runs any more
        return True

    def _cancel(self) -> None:
        if self.task is not None and not self.task.done():
            self.task.cancel()

    def kill(self) -> bool:
        """A task that blocks the loop cannot be ended."""
        return False

    def wedged(self, seconds: float) -> None:
        """It did not end when cancelled: it blocks the loop, or swallows the cancellation."""
        self._run.wedged(seconds)


class LoopStream:
    """One stream of an async function.

    Args:
        invoker: decodes, runs and encodes.
        run: the stream's run.
        task: what the ladder cancels.
        loop: where it runs.
    """

    def __init__(self, invoker: Invoker, run: Run, task: LoopTask, loop: asyncio.AbstractEventLoop) -> None:
        self._run = run
        self._task = task
        self._loop = loop
        call = run.call
        self._steps = AsyncSteps(invoker, run.exposed.function, call.request, call.context, lambda: task.cancelled)
        self._buffer: queue.SimpleQueue[bytes | BaseException | None] = queue.SimpleQueue()
        self._ended = False

    def items(self) -> Iterator[bytes]:
        """The items, on the stream thread. Closing this iterator cancels the task, which closes the generator.

        Raises:
            CallFailed: before, between or instead of items.
        """
        self._loop.call_soon_threadsafe(self._begin)
        taken = 0
        try:
            while (item := self._get()) is not None:
                yield item
                taken += 1
                if taken % (AHEAD // 2) == 0:
                    self._loop.call_soon_threadsafe(self._allow, AHEAD // 2)
        finally:
            if not self._ended:
                self._task.interrupt()
                while not self._ended:
                    try:
                        self._get()
                    except CallFailed:
                        break

    def _get(self) -> bytes | None:
        item = self._buffer.get()
        if isinstance(item, bytes):
            return item
        self._ended = True
        if isinstance(item, CallInterrupted):
            raise stopped(self._run.call)
        if item is not None:
            try:
                raise item
            finally:
                del item  # its traceback has this frame
        return None

    def _begin(self) -> None:
        self._leave = asyncio.Semaphore(AHEAD)
        self._task.task = self._loop.create_task(self._produce(), context=Context())
        self._task.task.add_done_callback(self._finish)
        if self._task.cancelled:  # asked for before the task was there
            self._task.task.cancel()

    def _allow(self, items: int) -> None:
        for _ in range(items):
            self._leave.release()

    async def _produce(self) -> None:
        with entered(self._run.call.context):
            try:
                while True:
                    await self._leave.acquire()
                    item = await self._steps.next()
                    if item is None:
                        return
                    self._buffer.put(item)
            finally:
                await self._steps.close()

    def _finish(self, task: asyncio.Task[None]) -> None:
        """The task has ended, its generator closed: the last thing in the buffer is how."""
        self._task.task = None  # it has the exception, whose traceback has this object
        self._buffer.put(CallInterrupted() if task.cancelled() else task.exception())
