"""Inside a worker: one call after the other, each open to interruption, and to nothing that was meant for another.

Imported once the worker's limits and import path are set; protobuf, never grpc.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextvars import Context
from functools import partial
from types import FrameType
from typing import Any

from callgate.context import CallContext, entered
from callgate.failures import CallFailed, exception_status, gate_status
from callgate.values.requests import call_of
from callgate_server.executors.frames import Control, Frame, Kind
from callgate_server.interrupt import CallInterrupted
from callgate_server.invocation import Invoker
from callgate_server.streaming import Steps

__all__ = ["WorkerCalls"]

#: Raises CallInterrupted in the main thread. SIGURG, as Go's preemption uses it: by default it is ignored, so that code
#: which resets it loses only the interruption; and next to nobody handles it.
_INTERRUPT = signal.SIGURG


class WorkerCalls:
    """Runs calls on the main thread, which must make this.

    The scope of an interruption is a number. `_number` is the running call's, 0 between calls. The handler runs on the
    same thread as the calls, raises only if the number asked for is the running one, and sets it to 0 before it raises:
    at most one exception a call, and none in another or in the code around it. `obey`, on the listening thread, notes
    what is asked *before* it looks whether that call runs, and a call that begins sets its number *before* it looks at
    what was asked: whichever comes second sees the other.

    Args:
        functions: by (module, name).
        invoker: what invokes them.
        max_rss: bytes of resident memory beyond which the worker is worn; None for no limit.
        max_cpu: seconds of CPU time beyond which it is.
    """

    def __init__(
        self,
        functions: Mapping[tuple[str, str], Callable[..., Any]],
        invoker: Invoker,
        *,
        max_rss: int | None = None,
        max_cpu: float | None = None,
    ) -> None:
        self._functions = functions
        self._invoker = invoker
        self._max_rss = max_rss
        self._max_cpu = max_cpu
        self._main = threading.get_ident()
        self._number = 0
        self._context: CallContext | None = None
        self._stream: tuple[Steps, CallContext, Context] | None = None
        self._cancelled = self._interrupted = 0
        signal.signal(_INTERRUPT, self._on_interrupt)

    def answer(self, frame: Frame) -> tuple[Kind, bytes]:
        """Run a call, or a step of the stream that this worker is held for.

        Args:
            frame: CALL, NEXT or CLOSE.

        Returns:
            The answer's kind and body.
        """
        if frame.kind is Kind.CALL:
            head = json.loads(frame.head)
            context = CallContext(head["id"], head["identity"], head["deadline"], tuple(head["chain"]))
            # Context variables of its own, so that one call's are not the next one's.
            variables = Context()
            work = partial(self._begin, frame, head, context, variables)
        else:
            assert self._stream is not None  # the front sends no NEXT or CLOSE but to a stream
            steps, context, variables = self._stream
            work = partial(self._step, steps) if frame.kind is Kind.NEXT else partial(self._end, steps)
        kind, body = self._in_scope(frame.number, context, variables, work, starts=frame.kind is Kind.CALL)
        if self._stream is not None and kind is not Kind.ITEM:
            self._close_stream(frame.number)
        return kind, body

    def _begin(
        self, frame: Frame, head: Mapping[str, Any], context: CallContext, variables: Context
    ) -> tuple[Kind, bytes]:
        request = call_of(frame.body, self._invoker.limits)
        function = self._functions[request.module, request.function]
        if not head["stream"]:
            return Kind.RESULT, self._invoker.invoke(function, request, context)
        steps = Steps(self._invoker, function, request, context)
        self._stream = (steps, context, variables)
        return self._step(steps)

    def _step(self, steps: Steps) -> tuple[Kind, bytes]:
        item = steps.next()
        return (Kind.END, b"") if item is None else (Kind.ITEM, item)

    def _end(self, steps: Steps) -> tuple[Kind, bytes]:
        steps.close()
        return Kind.END, b""

    def _close_stream(self, number: int) -> None:
        """Close what is left of a stream, in a scope of its own: a generator that was interrupted may run on."""
        assert self._stream is not None  # asked by the caller
        steps, context, variables = self._stream
        self._stream = None
        if steps.open:
            self._interrupted = 0  # what was asked for has happened; the front can ask again, or kill
            self._in_scope(number, context, variables, partial(self._end, steps), starts=False)

    def _in_scope(
        self,
        number: int,
        context: CallContext,
        variables: Context,
        work: Callable[[], tuple[Kind, bytes]],
        *,
        starts: bool,
    ) -> tuple[Kind, bytes]:
        """Run something of a call's, open to interruption, and make an answer of however it ends."""
        try:
            try:
                self._context = context
                self._number = number
                if self._cancelled == number:
                    context.flag.raised = True
                if self._interrupted == number:
                    raise CallInterrupted
                if starts and context.deadline is not None and time.monotonic() >= context.deadline:
                    return Kind.EXPIRED, b""
                return variables.run(_enter_and_run, context, work)
            finally:
                self._number = 0
                self._context = None
        except CallInterrupted:
            return Kind.INTERRUPTED, b""
        except CallFailed as failure:
            return Kind.STATUS, failure.status.SerializeToString()
        except MemoryError as error:  # while arguments were decoded; the function's own came as CallFailed
            status = exception_status(error, traceback=self._invoker.traceback, call_id=context.id)
            return Kind.STATUS, status.SerializeToString()
        except Exception:
            traceback.print_exc()  # a fault of ours: what a worker prints is in the front's log
            sentence = f"internal error; the server's log has the details under call {context.id}"
            return Kind.STATUS, gate_status("INTERNAL", sentence, {"call_id": context.id}).SerializeToString()

    def answer_too_large(self, error: MemoryError) -> tuple[Kind, bytes]:
        """The answer to a call whose request did not fit into memory: a MemoryError, as from the function."""
        return Kind.STATUS, exception_status(MemoryError(str(error)), traceback=False).SerializeToString()

    @property
    def worn(self) -> bool:
        """Whether the worker has grown beyond a limit and should be replaced."""
        if self._max_cpu is not None and time.process_time() > self._max_cpu:
            return True
        return self._max_rss is not None and _resident_bytes() > self._max_rss

    def obey(self, what: Control, number: int) -> None:
        """A control message came; on the listening thread."""
        self._cancelled = number
        if what is Control.INTERRUPT:
            self._interrupted = number
        context = self._context
        if self._number != number or context is None:
            return  # it has ended, or has not begun
        context.flag.raised = True
        if what is Control.INTERRUPT:
            signal.pthread_kill(self._main, _INTERRUPT)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        """On the main thread, between two bytecodes, or out of a system call that blocks."""
        if self._number != 0 and self._number == self._interrupted:
            self._number = 0
            raise CallInterrupted


def _enter_and_run(context: CallContext, work: Callable[[], tuple[Kind, bytes]]) -> tuple[Kind, bytes]:
    with entered(context):
        return work()


def _resident_bytes() -> int:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        # Not Linux: the largest that it has been, in bytes on macOS.
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
