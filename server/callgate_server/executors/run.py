"""One call in an executor of this process: what waits, what the ladder may do, and how it fails if it may not run."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context

from callgate.failures import CallFailed, gate_failure
from callgate_server.call import Call
from callgate_server.executors.base import Surroundings
from callgate_server.interrupt import Scope
from callgate_server.registry import Exposed
from callgate_server.turn import Outcome, Waiter

__all__ = ["Run", "not_started", "returned_late", "stopped"]


class Run(Waiter):
    """One call that waits for its turn or has it, and what the ladder may do to it."""

    __slots__ = ("_around", "_executor", "_variables", "call", "ended", "exposed", "scope", "unwedged")

    def __init__(self, executor: str, exposed: Exposed, call: Call, around: Surroundings) -> None:
        super().__init__(call.context.id)
        self._executor = executor
        self._around = around
        self.exposed = exposed
        self.call = call
        self.scope = Scope()
        self.ended = False
        #: Set while it is wedged: to be called when it ends after all.
        self.unwedged: Callable[[], None] | None = None
        self._variables: Context | None = None

    @property
    def variables(self) -> Context:
        """Context variables of the call, where another thread than the transport's runs it; a stream keeps them."""
        if self._variables is None:
            self._variables = Context()
        return self._variables

    def interrupt(self) -> bool:
        """Raise CallInterrupted inside it."""
        return self.scope.interrupt()

    def kill(self) -> bool:
        """A thread cannot be killed."""
        return False

    def wedged(self, seconds: float) -> None:
        """It is stuck, in C most likely: count it and have it reported."""
        self.unwedged = self._around.report_wedge(self._executor, self.exposed, self.call, seconds)
        # It may have ended while that was reported. `_end` sets `ended` and then looks at `unwedged`; here it is the
        # other way round: at least one of the two sees the other, and being told twice is harmless.
        if self.ended:
            self.unwedged()


def not_started(outcome: Outcome, call: Call, retry_after: float) -> CallFailed:
    """The failure of a call that never had its turn."""
    if outcome is Outcome.EXPIRED:
        return gate_failure("EXPIRED_IN_QUEUE", "the deadline passed before the call's turn came; it never started")
    if outcome is Outcome.FULL:
        return gate_failure(
            "OVERLOADED", "too many calls wait already; this one never started", retry_after=retry_after
        )
    if outcome is Outcome.LEFT:
        return gate_failure("CANCELLED", "the caller left before the call's turn came; it never started")
    return gate_failure("DRAINING", "the server is shutting down; the call never started")


def stopped(call: Call) -> CallFailed:
    """The failure of a call that was interrupted: its deadline passed, its caller left, or the server closes."""
    remaining = call.context.remaining
    if remaining is not None and remaining <= 0:
        return gate_failure("RAN_TOO_LONG", "the deadline passed while the function ran", {"call_id": call.context.id})
    return gate_failure("CANCELLED", "the call was cancelled while the function ran", {"call_id": call.context.id})


def returned_late(call_id: str) -> CallFailed:
    """The failure of a call whose function returned when nobody waited any more."""
    return gate_failure("RAN_TOO_LONG", "the function returned after the deadline", {"call_id": call_id})
