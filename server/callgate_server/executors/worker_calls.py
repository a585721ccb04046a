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
from types import FrameType
from typing import Any

from callgate.context import CallContext, entered
from callgate.failures import CallFailed, exception_status, gate_status
from callgate.v1.function_service_pb2 import CallFunctionRequest
from callgate_server.executors.frames import Control, Frame, Kind
from callgate_server.interrupt import CallInterrupted
from callgate_server.invocation import Invoker

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
        self._cancelled = self._interrupted = 0
        signal.signal(_INTERRUPT, self._on_interrupt)

    def answer(self, frame: Frame) -> tuple[Kind, bytes]:
        """Run a call.

        Args:
            frame: a CALL.

        Returns:
            The answer's kind and body.
        """
        head = json.loads(frame.head)
        context = CallContext(head["id"], head["identity"], head["deadline"], tuple(head["chain"]))
        try:
            try:
                request = CallFunctionRequest.FromString(frame.body)
                function = self._functions[request.module, request.function]
                self._context = context
                self._number = frame.number
                if self._cancelled == frame.number:
                    context.flag.raised = True
                if self._interrupted == frame.number:
                    raise CallInterrupted
                if context.deadline is not None and time.monotonic() >= context.deadline:
                    return Kind.EXPIRED, b""
                # A context of its own, so that one call's context variables are not the next one's.
                return Kind.RESULT, Context().run(self._invoke, function, request, context)
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

    def _invoke(self, function: Callable[..., Any], request: CallFunctionRequest, context: CallContext) -> bytes:
        with entered(context):
            return self._invoker.invoke(function, request, context)

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


def _resident_bytes() -> int:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        # Not Linux: the largest that it has been, in bytes on macOS.
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
