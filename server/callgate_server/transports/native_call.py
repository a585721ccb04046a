"""One RPC of the native transport: what handlers see of it, and who waits for its answer."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
import structlog
from google.rpc.status_pb2 import Status

from callgate.http2.headers import Metadata, on_the_wire, percent_encoded, received
from callgate_server.servicers.rpc import trailers

if TYPE_CHECKING:  # where nghttp2 is not, there is no such module to be had, and this one is imported all the same
    from callgate_server.transports.connection import Connection
    from callgate_server.transports.receivers import Worker

__all__ = ["Aborted", "NativeCall"]

log = structlog.get_logger("callgate.transport")


class Aborted(Exception):
    """A handler ended its RPC with a status."""

    def __init__(self, code: int, message: str, trailing: Metadata) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.trailing = trailing


class NativeCall:
    """An RPC: the part of `grpc.ServicerContext` that servicers here use, and the `Caller` of its call.

    Args:
        connection: what it came over.
        stream: its number there.
        metadata: the request's, as the wire has them.
        timeout: the seconds it has; None for no limit.
        identity: who makes it.
    """

    __slots__ = (
        "_deadline", "_metadata", "_watchers", "code", "connection", "conversation", "ended", "identity", "receiver",
        "stream",
    )  # fmt: skip

    def __init__(
        self, connection: Connection, stream: int, metadata: Metadata, timeout: float | None, identity: str
    ) -> None:
        self.connection = connection
        self.stream = stream
        self._metadata = metadata
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self.identity = identity
        self._watchers: deque[Callable[[], None]] | None = None
        #: The thread that received it, and runs its handler; None where that is another one, or has stepped aside.
        self.receiver: Worker | None = None
        #: Whether nobody waits any more.
        self.ended = False
        #: What a handler that returns wants to fail with all the same.
        self.code: grpc.StatusCode | None = None
        #: The method of a bidirectional RPC; None for others.
        self.conversation: Any = None

    # What a handler sees of its context.

    def invocation_metadata(self) -> Metadata:
        """The request's metadata, values of -bin keys as bytes."""
        return received(self._metadata)

    def peer(self) -> str:
        """Where it comes from."""
        return self.connection.peer

    def time_remaining(self) -> float | None:
        """Seconds until its deadline; None without one."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def is_active(self) -> bool:
        """Whether somebody still waits."""
        return not self.ended

    def set_code(self, code: grpc.StatusCode) -> None:
        """Have the RPC fail when its handler returns."""
        self.code = code

    def abort_with_status(self, status: Any) -> NoReturn:
        """End the RPC with a `grpc.Status`."""
        raise Aborted(status.code.value[0], status.details, status.trailing_metadata)

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """As `watch`."""
        return self.watch(callback)

    # The call's Caller.

    def watch(self, gone: Callable[[], None]) -> bool:
        """Have `gone` called once if the caller leaves before it is answered; False if it has left already."""
        watchers = self._watchers
        if watchers is None:
            watchers = self._watchers = deque()
        # Without a lock: here the watcher is written before `ended` is read, in `leave` it is the other way round, so
        # that one of the two sees the other; who takes the watcher out of the deque, which is atomic, answers for it.
        watchers.append(gone)
        if not self.ended:
            return True
        try:
            watchers.remove(gone)
        except ValueError:
            return True  # `leave` has called it, or does
        return False

    def answer(self, status: Status) -> bool:
        """End the RPC from another thread, while its handler still runs."""
        return self.finish(status.code, status.message, trailers(status, ""))

    def may_block(self) -> None:
        """Let another thread receive calls."""
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.aside()

    def runs_here(self) -> None:
        """Have it watched, if that is the thread that receives calls."""
        if self.receiver is not None:
            self.receiver.stay()

    # For the transport.

    def respond(self, message: bytes) -> None:
        """Answer it, when its connection is flushed next."""
        self.connection.respond(self.stream, message)

    def send(self, message: bytes, *, wait: bool = True) -> bool:
        """Send one of several messages. See `Connection.send`."""
        return self.connection.send(self.stream, message, wait=wait)

    def finish(self, code: int, text: str = "", trailing: Metadata = ()) -> bool:
        """End it with a status, now; False if it had ended."""
        ended = self.connection.finish(self.stream, code, percent_encoded(text), on_the_wire(trailing))
        self.connection.flush()
        return ended

    def done(self) -> None:
        """Note that it is over, and let go of who watches: they refer to the call, hence to its request."""
        self.connection.calls.pop(self.stream, None)
        self.ended = True
        if self._watchers is not None:
            self._watchers.clear()

    def leave(self) -> None:
        """Note that the caller has left, and tell who watches."""
        self.ended = True
        watchers = self._watchers
        while watchers:
            try:
                gone = watchers.popleft()
            except IndexError:
                return  # it was taken back
            try:
                gone()
            except Exception:
                log.exception("a watcher of a call raised")
