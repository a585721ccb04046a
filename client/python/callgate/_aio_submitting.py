"""`aio.Gate.submit`: as _submitting.py, with tasks for lanes; what one turn of the loop submits goes together."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from callgate._aio_line import Line, RpcFailed
from callgate._batches import (
    UNANSWERED,
    BatchSize,
    Failed,
    PlainCall,
    fail_unanswered,
    mixed_request,
    no_answer,
    read_answers,
)
from callgate._submitting import LANES, MOST_CALLS, PATIENCE_SECONDS, Metadata, Submitted, take_batch
from callgate._wire import closed, closed_unsent, no_lane, no_time

__all__ = ["Submitter"]

#: As `_submitting.EAGER_LANES`, which says why there are more here.
_EAGER_LANES = 2


class Submitter:
    """Submits calls for one Gate, on its event loop alone: nothing here needs a lock.

    Args:
        line: starts batches.
        max_message: the most bytes of a batch.
    """

    def __init__(self, line: Line, max_message: int) -> None:
        self._line = line
        self._size = BatchSize(MOST_CALLS, max_message)
        self._queue: deque[Submitted] = deque()
        self._timers: dict[Submitted, asyncio.TimerHandle] = {}
        self._lanes: set[asyncio.Task[None]] = set()
        self._alone: set[asyncio.Task[None]] = set()
        self._waking = False
        self._patience: asyncio.TimerHandle | None = None
        self._closed = False

    def submit(self, call: bytes | PlainCall, seconds: float | None, metadata: Metadata) -> asyncio.Future[Any]:
        """Submit a call.

        Args:
            call: framed or plain.
            seconds: until its deadline; None for none.
            metadata: as in _submitting.py.
        """
        if self._closed:
            raise closed()
        loop = asyncio.get_running_loop()
        deadline = None if seconds is None else time.monotonic() + seconds
        one = Submitted(call, deadline, loop.create_future())
        if metadata is not None:
            self._start(self._exchange([one], metadata), self._alone)
            return one.future  # type: ignore[no-any-return]  # made above
        self._queue.append(one)
        self._wake()
        if seconds is not None and not self._waking:
            self._timers[one] = loop.call_later(seconds, self._expire, one)
        return one.future  # type: ignore[no-any-return]  # made above

    def _start(self, work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work, name="callgate-submit")
        among.add(task)
        task.add_done_callback(among.discard)

    def _wake(self) -> None:
        """Have a lane look at the queue: now, when one is done, or when the calls there have waited long enough."""
        if self._waking:
            return
        if len(self._lanes) < _EAGER_LANES:
            self._waking = True
            self._start(self._lane(), self._lanes)
        elif self._patience is None and len(self._lanes) < LANES:
            wait = max(0.0, self._queue[0].since + PATIENCE_SECONDS - time.monotonic())
            self._patience = asyncio.get_running_loop().call_later(wait, self._look)

    def _look(self) -> None:
        self._patience = None
        if not self._queue or self._waking or len(self._lanes) == LANES:
            return
        if self._queue[0].since + PATIENCE_SECONDS > time.monotonic():
            self._wake()
        else:
            self._waking = True
            self._start(self._lane(), self._lanes)

    async def _lane(self) -> None:
        self._waking = False
        while self._queue:
            taken = take_batch(self._queue, self._size, time.monotonic())
            for one in taken:
                timer = self._timers.pop(one, None)
                if timer is not None:
                    timer.cancel()
            if self._queue:  # not all fitted
                self._wake()
            await self._exchange(taken, None)

    def _expire(self, one: Submitted) -> None:
        """The deadline of a call that waits has passed."""
        del self._timers[one]
        self._queue.remove(one)
        if not one.future.done():
            one.future.set_exception(no_lane(LANES))

    async def _exchange(self, taken: list[Submitted], metadata: Metadata) -> None:
        """Send a batch and resolve its futures, all of them. Those that were cancelled are not sent."""
        running = [one for one in taken if not one.future.done()]
        if not running:
            return
        slots: list[Any] = [UNANSWERED] * len(running)
        error_of_each: Callable[[], Exception] = no_answer
        try:
            seconds: float | None = None
            if running[0].deadline is not None:
                seconds = min(one.deadline for one in running if one.deadline is not None) - time.monotonic()
            if seconds is not None and seconds <= 0:
                error_of_each = no_time
            else:
                request, order = mixed_request([one.call for one in running])
                if order is not None:
                    running = [running[place] for place in order]
                rpc = self._line.open_batch(request, seconds, metadata)

                def cancelled(future: asyncio.Future[Any]) -> None:
                    # Nobody waits for this batch any more: its calls end on the server, too.
                    if future.cancelled() and all(one.future.done() for one in running):
                        self._line.drop(rpc)

                for one in running:
                    one.future.add_done_callback(cancelled)
                while (data := await self._line.read(rpc)) is not None:
                    _resolve(running, slots, read_answers(data, slots))
        except RpcFailed as failed:
            if await self._again(failed, running, slots, metadata):
                return
            error_of_each = failed.error
        except asyncio.CancelledError:
            for one in running:
                one.future.cancel()
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # the loop ends
                raise
            return  # the batch alone: all of its futures were cancelled
        except Exception as error:  # the Gate was closed, or a fault of ours: nobody else would tell the callers
            fault = error
            error_of_each = lambda: fault  # noqa: E731 -- as no_answer above
        _resolve(running, slots, fail_unanswered(slots, error_of_each))

    async def _again(self, failed: RpcFailed, running: list[Submitted], slots: list[Any], metadata: Metadata) -> bool:
        """Send a batch in smaller ones, if the server refused it as too large: it has started none of its calls."""
        calls = [one.call for one in running]
        if any(slot is not UNANSWERED for slot in slots):
            return False
        if not self._size.learn(failed.error(), len(calls), len(mixed_request(calls)[0])):
            return False
        left = iter(running)
        for piece in self._size.pieces(calls):
            await self._exchange([next(left) for _ in piece], metadata)
        return True

    def close(self) -> None:
        """Fail what waits; what is on its way fails with the line."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._patience is not None:
            self._patience.cancel()
        while self._queue:
            one = self._queue.popleft()
            if not one.future.done():
                one.future.set_exception(closed_unsent())

    async def ended(self) -> None:
        """Wait until the lanes have told their callers."""
        tasks = self._lanes | self._alone
        if tasks:
            await asyncio.wait(tasks)


def _resolve(running: list[Submitted], slots: list[Any], arrived: list[int]) -> None:
    for index in arrived:
        outcome = slots[index]
        slots[index] = None
        future = running[index].future
        if future.done():
            continue  # cancelled, or its deadline passed
        if type(outcome) is Failed:
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome)
