"""One call on its way to a function: what the dispatcher and the executors are handed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from random import SystemRandom
from typing import Protocol

from google.rpc.status_pb2 import Status

from callgate.context import CallContext
from callgate.v1.function_service_pb2 import CallFunctionRequest

__all__ = ["Call", "Caller", "NobodyWaits", "new_call_id"]

# Counted from anywhere: no two of a server are alike, and hardly two of different servers. Not a secret: who guesses
# the id of a running call learns that it runs. SystemRandom, which no function can seed.
_numbers = itertools.count(SystemRandom().getrandbits(63))


def new_call_id() -> str:
    """A fresh call id: 16 hexadecimal digits."""
    return f"{next(_numbers):016x}"


class Caller(Protocol):
    """Who waits for a call's answer, as the transport knows them."""

    def watch(self, gone: Callable[[], None]) -> bool:
        """Have `gone` called once, from any thread, when the caller no longer waits.

        A transport may also call it after a normal answer, and need not.

        Returns:
            False if the caller is gone already; `gone` is then not called.
        """
        ...

    def answer(self, status: Status) -> bool:
        """Send a failure now, from any thread, although the function still runs; its own answer is then dropped.

        Returns:
            False if the transport cannot, or an answer was already sent.
        """
        ...

    def may_block(self) -> None:
        """Be told, on the thread that carries the call, that it may wait or run long from here on.

        A transport that runs calls on the thread that receives them has another one receive.
        """
        ...

    def runs_here(self) -> None:
        """Be told, on the thread that carries the call, that it runs there now, since it is expected to be quick.

        A transport that runs calls on the thread that receives them sees to it that one which is not is noticed.
        """
        ...


class NobodyWaits:
    """A Caller for calls that no transport made: tests, warm-up, the dispatcher's users in the same process."""

    def watch(self, gone: Callable[[], None]) -> bool:
        """Never gone."""
        return True

    def answer(self, status: Status) -> bool:
        """Cannot be answered early."""
        return False

    def may_block(self) -> None:
        """Nothing waits for its thread."""

    def runs_here(self) -> None:
        """Nothing waits for its thread."""


class Call:
    """One call.

    Attributes:
        request: the decoded request; its arguments are still Values.
        context: what the function may know: id, identity, deadline, chain, cancelled.
        caller: who waits.
    """

    __slots__ = ("_payload", "caller", "context", "request")

    def __init__(self, request: CallFunctionRequest, payload: bytes, context: CallContext, caller: Caller) -> None:
        self.request = request
        self._payload = payload
        self.context = context
        self.caller = caller

    @property
    def size(self) -> int | None:
        """Bytes of the payload; None where it is settled only when the call begins."""
        return len(self._payload) or self.request.ByteSize()

    @property
    def payload(self) -> bytes:
        """The request as it came, for executors that pass it on; made anew for a call that came in a batch."""
        return self._payload or self.request.SerializeToString()
