"""One connection of the asyncio client: requests of one turn of the event loop go together, and so do their answers.

begin ─▶ the Session ─▶ (at the turn's end) the transport
data_received ─▶ the Session ─▶ events ─▶ the futures of those who wait
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

from callgate.http2.failure import RpcFailed, lost
from callgate.http2.kinds import CANCEL, GOAWAY, MESSAGE, Event, Pairs
from callgate.http2.session import ProtocolError, Session

__all__ = ["AioLink", "AioWaiter"]

#: Bytes given to the transport at a time.
_CHUNK = 256 << 10


class AioWaiter:
    """One RPC, and its events until somebody takes them.

    Attributes:
        future: resolved with the next event, where somebody waits for it.
    """

    __slots__ = ("events", "future", "stream")

    def __init__(self) -> None:
        self.stream = 0
        self.events: deque[Event] = deque()
        self.future: asyncio.Future[Event] | None = None

    def give(self, event: Event) -> None:
        """An event, for who waits or will."""
        future = self.future
        if future is not None and not future.done():
            self.future = None
            future.set_result(event)
        else:
            self.events.append(event)


class AioLink(asyncio.Protocol):
    """A connection; everything happens on its event loop.

    Args:
        session: its Session.

    Attributes:
        leaving: whether the server takes no new calls here.
        failure: what ended it; None while it goes on.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiting: dict[int, AioWaiter] = {}
        self._flushes = self._paused = False
        #: Resolved when the server says that it speaks HTTP/2; OSError if it does not, or hangs up.
        self.greeted: asyncio.Future[None] = self._loop.create_future()
        self.leaving = False
        self.failure: RpcFailed | None = None
        #: Whether it was closed here: then RPCs are cancelled, and do not fail.
        self.closed = False

    @property
    def usable(self) -> bool:
        """Whether a new call may go here, as far as is known."""
        return not self.leaving and self.failure is None

    # For the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there: the Session's first bytes go."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_CHUNK)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take what came, and give it to whose it is."""
        try:
            events = self._session.receive(data)
        except ProtocolError as error:
            self._flush()
            self._end(str(error))
            return
        if not self.greeted.done() and self._session.greeted:
            self.greeted.set_result(None)
        self._deliver(events)
        if self._session.wants_output:
            self._flush_soon()
        if self.leaving and not self._waiting:
            self._end("the server ended it")

    def _deliver(self, events: list[Event]) -> None:
        waiting = self._waiting
        for event in events:
            if event[0] == GOAWAY:
                self.leaving = True
                continue
            waiter = waiting.get(event[1])
            if waiter is not None:
                if event[0] != MESSAGE:
                    del waiting[event[1]]
                waiter.give(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self._end("Socket closed" if exc is None else str(exc))

    def pause_writing(self) -> None:
        """The transport has enough."""
        self._paused = True

    def resume_writing(self) -> None:
        """It has not any more."""
        self._paused = False
        self._flush()

    # For RPCs.

    def begin(self, path: bytes, timeout: bytes | None, pairs: Pairs, data: bytes, streaming: bool) -> AioWaiter:
        """Send a request; see `Link.begin`. The link is usable."""
        waiter = AioWaiter()
        waiter.stream = self._session.request(path, timeout, pairs, data, streaming)
        self._waiting[waiter.stream] = waiter
        self._flush_soon()
        return waiter

    async def event(self, waiter: AioWaiter) -> Event:
        """The next event of an RPC.

        Raises:
            RpcFailed: if the connection was lost.
            asyncio.CancelledError: if the task was cancelled, or the RPC.
        """
        if waiter.events:
            return waiter.events.popleft()
        if self.failure is not None:
            raise RpcFailed(self.failure.code(), self.failure.details())
        future: asyncio.Future[Event] = self._loop.create_future()
        waiter.future = future
        return await future

    def consume(self, waiter: AioWaiter, size: int) -> None:
        """Let the server send so many bytes more on a stream."""
        if self.failure is None:
            self._session.consume(waiter.stream, size)
            if self._session.wants_output:
                self._flush_soon()

    def cancel(self, waiter: AioWaiter) -> None:
        """End an RPC, on the server too."""
        if self._waiting.pop(waiter.stream, None) is not None and self.failure is None:
            self._session.reset(waiter.stream, CANCEL)
            self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flushes:
            self._flushes = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushes = False
        transport = self._transport
        try:
            while transport is not None and not self._paused and not transport.is_closing():
                data = self._session.output(_CHUNK)
                if not data:
                    break
                transport.write(data)
            if self._session.pending:
                self._deliver(self._session.receive(b""))
        except ProtocolError as error:
            self._end(str(error))

    def _end(self, why: str, failure: RpcFailed | None = None) -> None:
        if not self.greeted.done():
            self.greeted.set_exception(OSError(why))
        if self.failure is None:
            self.failure = failure or lost(why)
            if self._transport is not None:
                self._transport.close()
        waiting, self._waiting = self._waiting, {}
        for waiter in waiting.values():
            future = waiter.future
            if future is None or future.done():
                continue
            if self.closed:
                future.cancel()
            else:
                future.set_exception(RpcFailed(self.failure.code(), self.failure.details()))

    def close(self, failure: RpcFailed) -> None:
        """End the connection: RPCs on their way are cancelled."""
        self.closed = True
        self._flush()  # who was cancelled is to be told
        self._end(failure.details(), failure)
