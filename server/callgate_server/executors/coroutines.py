"""`coroutines`: `async def` functions on one event loop, on a thread of its own (uvloop's where it is installed).

    pool thread ──▶ Turn with max_tasks places ──▶ loop thread: a task that decodes, awaits the function, encodes
                ◀── wakes when the task is done ──

A task costs no thread on this side; how many can be in flight is the transport's affair (grpcio holds a pool thread for
each). Decoding and encoding are on the loop's thread: between a coroutine's return and the end of encoding no other
task runs, so a result is encoded as it was returned.

A coroutine is stopped by cancelling its task, as asyncio does it. One that blocks the loop cannot be: it is reported.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextvars import Context

from callgate.context import entered
from callgate_server.call import Call
from callgate_server.executors.base import Surroundings
from callgate_server.executors.in_process import InProcessExecutor
from callgate_server.executors.loop_stream import LoopStream, LoopTask
from callgate_server.executors.run import Run, stopped
from callgate_server.interrupt import CallInterrupted
from callgate_server.registry import Exposed

__all__ = ["CoroutinesExecutor"]


class CoroutinesExecutor(InProcessExecutor):
    """Async functions on one event loop.

    Args:
        name: its name in the settings.
        around: what the server lends.
        max_tasks: how many calls may run at once.
        queue: how many more may wait.
    """

    kind = "coroutines"
    stretches = False

    def __init__(self, name: str, around: Surroundings, *, max_tasks: int = 10_000, queue: int = 256) -> None:
        super().__init__(name, around, places=max_tasks, queue=queue)
        self._loop = _new_loop()
        self._tasks: dict[Run, LoopTask] = {}
        self._thread = threading.Thread(target=self._run_loop, name=f"callgate-{name}", daemon=True)

    @property
    def concurrency(self) -> int:
        """A task costs nothing, but in a batch each call holds a thread while it waits: arbitrary, and many."""
        return min(512, self._turn.places)

    def start(self, functions: Sequence[Exposed]) -> None:
        """Start the loop's thread."""
        self._thread.start()

    def runs_at_once(self) -> bool:
        """Never: the loop runs it."""
        return False

    def describe(self) -> str:
        """Which loop."""
        loop = type(self._loop).__module__.partition(".")[0]
        return f"one event loop ({loop}), up to {self._turn.places} calls at a time"

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def call(self, exposed: Exposed, call: Call) -> bytes:
        """Run a call when its turn comes."""
        run = Run(self.name, exposed, call, self._around)
        self._wait_for(run, call, call.caller.watch)
        began = self._begin(run)
        try:
            return self._await(run)
        finally:
            self._end(run, run, began)

    def stream(self, exposed: Exposed, call: Call) -> Iterator[bytes]:
        """Run a stream as one task, a bounded number of items ahead of its reader."""
        run = Run(self.name, exposed, call, self._around)
        self._wait_for(run, call, call.caller.watch)
        began = self._begin(run)
        task = self._tasks[run] = LoopTask(run, self._loop)
        climb = self._around.ladder.start(call, task)
        try:
            yield from LoopStream(self._around.invoker, run, task, self._loop).items()
        finally:
            climb.done()
            del self._tasks[run]
            self._end(run, run, began)

    def _await(self, run: Run) -> bytes:
        """Have the loop run a call, and wait for it."""
        call, task = run.call, LoopTask(run, self._loop)
        outcome: list[bytes | BaseException] = []
        done = threading.Lock()
        done.acquire()

        def finish(finished: asyncio.Task[bytes]) -> None:
            task.task = None  # it has the exception, whose traceback has `task`
            if finished.cancelled():
                outcome.append(CallInterrupted())
            else:
                outcome.append(finished.exception() or finished.result())
            done.release()

        def begin() -> None:
            # A context of its own per call; the task copies nothing from the loop's thread.
            context = Context()
            task.task = self._loop.create_task(self._invoke(run, task), context=context)
            task.task.add_done_callback(finish)

        self._tasks[run] = task
        climb = self._around.ladder.start(call, task)
        try:
            self._loop.call_soon_threadsafe(begin)
            done.acquire()
        finally:
            climb.done()
            del self._tasks[run]
        result = outcome.pop()
        if isinstance(result, CallInterrupted):
            raise stopped(call)
        if isinstance(result, BaseException):
            try:
                raise result
            finally:
                del result  # its traceback has this frame
        return result

    async def _invoke(self, run: Run, task: LoopTask) -> bytes:
        if task.cancelled:  # asked for before the task was there
            raise CallInterrupted
        with entered(run.call.context):
            return await self._around.invoker.invoke_async(
                run.exposed.function, run.call.request, run.call.context, lambda: task.cancelled
            )

    def _interrupt(self, run: Run) -> None:
        task = self._tasks.get(run)
        if task is not None:
            task.interrupt()

    def close(self, grace: float) -> None:
        """As every executor; then end the loop."""
        super().close(grace)
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=1)  # a blocked loop does not end; its thread is a daemon
        elif self._thread.ident is None:
            self._loop.close()  # never started


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
