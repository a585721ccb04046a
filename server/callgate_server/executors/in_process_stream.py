"""A stream in an in-process executor: a turn for each step, so that others' calls run between two items.

    stream thread ──▶ step: turn, guard, scope ──▶ Steps.next ──▶ an item ──▶ the transport, which blocks while the
                                                                               reader is slow: that is the backpressure

The ladder knows the stream from its begin to its end. Between two steps there is nothing to interrupt: the next step
sees that nobody waits any more, and closes the function's generator, in a turn of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from callgate.failures import CallFailed, gate_failure
from callgate_server.call import Call
from callgate_server.executors.base import Surroundings
from callgate_server.executors.run import Run
from callgate_server.registry import Exposed
from callgate_server.streaming import Steps

if TYPE_CHECKING:
    from callgate_server.executors.in_process import InProcessExecutor

__all__ = ["InProcessStream"]


class _StreamRun(Run):
    """A stream's run: on the ladder from its begin to its end, and stuck only where a step of it runs."""

    __slots__ = ("_runs_in",)

    def __init__(self, executor: InProcessExecutor, exposed: Exposed, call: Call, around: Surroundings) -> None:
        super().__init__(executor.name, exposed, call, around)
        self._runs_in = executor

    def wedged(self, seconds: float) -> None:
        """Between two steps its reader is slow, and nothing is stuck."""
        if self._runs_in.runs(self):
            super().wedged(seconds)


class InProcessStream:
    """One stream.

    Args:
        executor: what takes turns.
        around: what the server lends.
        exposed: the function.
        call: the call.
    """

    def __init__(self, executor: InProcessExecutor, around: Surroundings, exposed: Exposed, call: Call) -> None:
        self._executor = executor
        self._around = around
        self._call = call
        self._run = _StreamRun(executor, exposed, call, around)
        self._steps = Steps(around.invoker, exposed.function, call.request, call.context)
        self._waiting: Callable[[], None] | None = None

    def items(self) -> Iterator[bytes]:
        """The items. Closing this iterator closes the stream.

        Raises:
            CallFailed: before, between or instead of items.
        """
        call, executor = self._call, self._executor
        began = False
        call.caller.watch(self._caller_left)
        climb = self._around.ladder.start(call, self._run)
        try:
            while True:
                if call.context.flag.raised:
                    raise self._left()
                try:
                    item = executor.step(self._run, self._steps.next, self._watch)
                except CallFailed as failure:
                    if began and failure.reason == "EXPIRED_IN_QUEUE":
                        raise self._left() from None  # the call has started: it did not expire in the queue
                    raise
                began = True
                if item is None:
                    return
                yield item
        finally:
            climb.done()
            if self._steps.open:
                executor.step(self._run, self._steps.close, self._watch, closing=True)

    def _watch(self, gone: Callable[[], None]) -> bool:
        """Have `gone` called if the caller leaves in this step. The transport is asked once a stream, not a step."""
        self._waiting = gone
        return not self._call.context.flag.raised

    def _caller_left(self) -> None:
        self._call.context.flag.raised = True
        waiting = self._waiting
        if waiting is not None:
            waiting()

    def _left(self) -> CallFailed:
        about = {"call_id": self._call.context.id}
        remaining = self._call.context.remaining
        if remaining is not None and remaining <= 0:
            return gate_failure("RAN_TOO_LONG", "the deadline passed during the stream", about)
        return gate_failure("CANCELLED", "the caller left during the stream", about)
