"""Calls that came together and run in one turn, each a call of its own in all that anybody can see.

    transport ─▶ servicer.call_functions ─▶ Dispatcher.call_burst ─▶ InProcessExecutor.call_burst ─▶ Burst.run
    receives     prepares each call         admits the burst         one turn, one guard             call, answer, next

A quick call's way in costs more than the function does: a permit, a turn, the guard, a place on the ladder, and all of
it back again. A burst pays once for that what calls share, and is short enough for others' calls to wait for it
(BURST_SECONDS). What is a call's own stays its own: its id, its deadline, the context variables, the scope in which it
can be interrupted, its answer, which goes as soon as it is there.

A place on the ladder costs a call more than all else here, and of a thousand quick calls none needs it. So a burst's
calls have none, until the transport's watch sees that one takes long (`climb`): then that one gets it, and from then on
it is answered, interrupted and reported as any other.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextvars import Context
from typing import Any, Protocol, TypeAlias

from google.rpc.status_pb2 import Status

from callgate.context import _current
from callgate.failures import CallFailed
from callgate.v1.function_service_pb2 import CallFunctionRequest
from callgate_server.call import Call
from callgate_server.executors.run import Run, not_started, returned_late, stopped
from callgate_server.interrupt import CallInterrupted, Scope
from callgate_server.invocation import Invoker
from callgate_server.ladder import Climb, Ladder
from callgate_server.refusals import result_too_large
from callgate_server.registry import Exposed
from callgate_server.turn import Outcome

__all__ = ["BURST_SECONDS", "Burst", "BurstCall", "Ends"]

#: How long a burst may take, seconds: as a stretch of a batch's calls.
BURST_SECONDS = 0.002

#: A call of a burst: its function and itself.
BurstCall: TypeAlias = "tuple[Exposed, Call]"


class Ends(Protocol):
    """How calls of a burst are answered: the transport's business."""

    def respond(self, caller: Any, response: bytes) -> None:
        """Answer a call's caller with its result."""
        ...

    def fail(self, caller: Any, status: Status, call_id: str) -> None:
        """Answer a call's caller with its failure."""
        ...


class _Rungs:
    """What the ladder can do to a call of a burst."""

    __slots__ = ("_run", "_scope")

    def __init__(self, run: Run, scope: Scope) -> None:
        self._run = run
        self._scope = scope

    def interrupt(self) -> bool:
        """Interrupt that call, and no other of the burst."""
        return self._scope.interrupt()

    def kill(self) -> bool:
        """A thread cannot be killed."""
        return False

    def wedged(self, seconds: float) -> None:
        """It is stuck, and with it the whole run."""
        self._run.wedged(seconds)


class Burst:
    """Calls to run in one turn; used once.

    Invariant: a call is in `_now` while it runs, and nobody takes the next before its answer was handed over. `climb`,
    on another thread, reads `_now`, puts the call on the ladder, and looks at `_now` again; the thread that runs takes
    the call out of `_now` and then looks for a climb. One of the two sees the other, so none is left on the ladder.

    Args:
        first: the first call.
        following: gives the next, None if there is none for this burst.
        ends: answers callers.
        fault: the failure of a call for a fault of ours; it logs that.
        max_response_bytes: results larger than this are refused before they are sent.
        quick: seconds within which a call is quick.

    Attributes:
        outcomes: how calls ended: "OK", or the failure's reason.
    """

    def __init__(
        self,
        first: BurstCall,
        following: Callable[[], BurstCall | None],
        ends: Ends,
        *,
        fault: Callable[[Exception, CallFunctionRequest, str], CallFailed],
        max_response_bytes: int,
        quick: float,
    ) -> None:
        self.first = first
        self.outcomes: Counter[str] = Counter()
        self._following = following
        self._ends = ends
        self._fault = fault
        self._max_response_bytes = max_response_bytes
        self._quick = quick
        self._ladder: Ladder | None = None
        self._run: Run | None = None
        self._now: tuple[Call, Scope] | None = None
        self._climbing: Climb | None = None

    def run(self, run: Run, invoker: Invoker, ladder: Ladder, going: Callable[[], bool]) -> None:
        """Make calls in their turn, until there are no more, one was interrupted, or time is up.

        Args:
            run: the turn's.
            invoker: decodes, calls and encodes.
            ladder: for a call that takes long.
            going: whether another may begin.
        """
        self._ladder, self._run = ladder, run
        respond, fail, count = self._ends.respond, self._ends.fail, 0
        one: BurstCall | None = self.first
        now = time.monotonic()
        until = now + BURST_SECONDS
        interrupted = False
        while one is not None:
            exposed, call = one
            context, began = call.context, now
            # What the executor, the turn and the ladder know of what runs here.
            run.exposed, run.call, run.key = exposed, call, context.id
            run.scope = scope = Scope()
            self._now = call, scope
            failure: CallFailed | None = None
            try:
                if context.deadline is not None and now >= context.deadline:
                    raise not_started(Outcome.EXPIRED, call, 0.0)
                response = Context().run(_run_one, scope, invoker, exposed.function, call)
                now = time.monotonic()
                if context.deadline is not None and now >= context.deadline:
                    raise returned_late(context.id)
                if len(response) > self._max_response_bytes:
                    raise result_too_large(exposed.full_name, len(response), self._max_response_bytes)
            except CallFailed as failed:
                failure, now = failed, time.monotonic()
            except CallInterrupted:
                failure, now, interrupted = stopped(call), time.monotonic(), True
            except Exception as error:
                failure, now = self._fault(error, call.request, context.id), time.monotonic()
            self._ended(run)
            exposed.pace.quick = now - began < self._quick
            if failure is None:
                count += 1
                respond(call.caller, response)
            else:
                self.outcomes[failure.reason] += 1
                fail(call.caller, failure.status, context.id)
            one = None if interrupted or now >= until or not going() else self._following()
        self.outcomes["OK"] = count

    def _ended(self, run: Run) -> None:
        self._now = None
        climbing = self._climbing
        if climbing is not None:
            climbing.done()
            self._climbing = None
            if run.unwedged is not None:
                run.unwedged()
                run.unwedged = None

    def climb(self) -> None:
        """Put the call that runs now on the ladder: it takes long. From any thread."""
        now, run, ladder = self._now, self._run, self._ladder
        if now is None or run is None or ladder is None:
            return
        call, scope = now
        climbing = self._climbing = ladder.start(call, _Rungs(run, scope))
        if self._now is not now:
            climbing.done()


def _run_one(scope: Scope, invoker: Invoker, function: Callable[..., Any], call: Call) -> bytes:
    _current.set(call.context)  # in a Context of this call's own
    return scope.run(invoker.invoke, function, call.request, call.context)
