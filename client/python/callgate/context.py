"""What a running function can learn about the call it serves.

Pure Python and free of protobuf and grpc: functions are imported in workers and sub-interpreters, where neither may be.
"""

from __future__ import annotations

import time
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType

__all__ = ["CallContext", "CancelFlag", "calling", "current_call", "entered"]


class CancelFlag:
    """A flag that is raised once, when the caller no longer waits for the call.

    Reading and raising it are single attribute accesses, hence safe from any thread.
    """

    __slots__ = ("__weakref__", "raised")

    def __init__(self) -> None:
        self.raised = False


@dataclass(slots=True)
class CallContext:
    """One call, as the function that serves it sees it; to be read. (Not frozen: that costs a microsecond a call.)

    Attributes:
        id: the call's id, the one the server logs.
        identity: who calls: a token's or certificate's name, or "anonymous".
        deadline: when the caller stops waiting, in `time.monotonic()` seconds; None if never.
        chain: ids of the calls this one was made from, outermost first, without its own.
    """

    id: str
    identity: str = "anonymous"
    deadline: float | None = None
    chain: tuple[str, ...] = ()
    flag: CancelFlag = field(default_factory=CancelFlag, repr=False, compare=False)

    @property
    def remaining(self) -> float | None:
        """Seconds until the deadline, 0.0 when it has passed, None if there is none."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more: cancelled, disconnected, or past the deadline.

        A long function should look at it now and then, and return.
        """
        return self.flag.raised or (self.deadline is not None and time.monotonic() >= self.deadline)


_current: ContextVar[CallContext | None] = ContextVar("callgate_current_call", default=None)


def current_call() -> CallContext:
    """The call that the running code serves.

    Returns:
        The call's context.

    Raises:
        LookupError: if the code does not run inside a call.
    """
    call = _current.get()
    if call is None:
        raise LookupError("no call is running here: current_call() is for functions that Callgate serves")
    return call


def calling() -> tuple[str, ...]:
    """The ids of the calls that the running code serves, outermost first: what a client sends along as the chain.

    Returns:
        The chain, empty outside any call.
    """
    call = _current.get()
    return () if call is None else (*call.chain, call.id)


class entered:  # noqa: N801 -- used like a function: `with entered(context):`
    """A context manager that makes a call the current one; for executors."""

    __slots__ = ("_call", "_token")

    def __init__(self, call: CallContext) -> None:
        self._call = call

    def __enter__(self) -> None:
        self._token: Token[CallContext | None] = _current.set(self._call)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _current.reset(self._token)
