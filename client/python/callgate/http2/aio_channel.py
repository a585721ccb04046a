"""The asyncio client's native channel: it has what a Gate uses of `grpc.aio.Channel`. See channel.py."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Generator
from typing import Any

import grpc
import grpc.aio

from callgate.http2.aio_link import AioLink, AioWaiter
from callgate.http2.channel import (
    ATTEMPTS,
    CONNECT_SECONDS,
    FIRST_PAUSE,
    LONGER,
    LONGEST_PAUSE,
    SLACK,
    left_until,
    session_of,
    until_of,
)
from callgate.http2.dialing import Backoff, Target, TlsFiles, cannot_connect, client_context, tuned
from callgate.http2.failure import RpcFailed, failure_of, message_of
from callgate.http2.headers import Metadata, on_the_wire, timeout_on_the_wire
from callgate.http2.kinds import ANSWER, GONE, MESSAGE, REFUSED_STREAM, Event

__all__ = ["AioChannel"]


class AioChannel:
    """A channel to one server, of the running event loop.

    Args:
        target: as all of these, see `Channel`.
        tls: for TLS; None for plain text.
        max_message: the largest message that is taken, bytes of payload.
        repeatable: paths of methods that change nothing.

    Raises:
        ValueError: as `Channel`.
    """

    def __init__(self, target: str, tls: TlsFiles | None, max_message: int, repeatable: frozenset[str]) -> None:
        self._target = Target.parse(target)
        self._tls = tls
        self._context = None if tls is None else client_context(tls)
        self.max_message = max_message + SLACK
        self._repeatable = repeatable
        self._link: AioLink | None = None
        self._connecting = asyncio.Lock()
        self._backoff = Backoff()
        self._closed: RpcFailed | None = None

    def unary_unary(self, path: str) -> Callable[..., UnaryRpc]:
        """A method over bytes with one answer; see `Channel.unary_unary`."""
        encoded, attempts = path.encode(), ATTEMPTS if path in self._repeatable else 1

        def start(
            data: bytes, timeout: float | None = None, metadata: Metadata | None = None, wait_for_ready: bool = False
        ) -> UnaryRpc:
            pairs = on_the_wire(metadata) if metadata else ()
            return UnaryRpc(self, encoded, data, until_of(timeout), pairs, wait_for_ready, attempts)

        return start

    def unary_stream(self, path: str) -> Callable[..., AioStreamRpc]:
        """A method over bytes with several answers: a function of the request, `timeout` and `metadata`."""
        encoded = path.encode()

        def start(data: bytes, timeout: float | None = None, metadata: Metadata | None = None) -> AioStreamRpc:
            return AioStreamRpc(self, encoded, data, until_of(timeout), on_the_wire(metadata or ()))

        return start

    # For RPCs.

    @property
    def ready(self) -> AioLink | None:
        """The connection, if it goes on; None if one has to be made."""
        return self._link if self._link is not None and self._link.usable else None

    async def link(self, until: float | None, patient: bool) -> AioLink:
        """A connection that goes on.

        Raises:
            RpcFailed: if there is none to be had.
        """
        link = self.ready
        if link is not None:
            return link
        try:
            async with asyncio.timeout(left_until(until)):
                async with self._connecting:
                    return await self._connected(patient)
        except TimeoutError:
            raise RpcFailed(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded") from None

    async def _connected(self, patient: bool) -> AioLink:
        while True:
            if self._closed is not None:
                raise asyncio.CancelledError
            if self._link is not None and self._link.usable:
                return self._link
            failure = self._backoff.failure
            if failure is None:
                try:
                    link = self._link = await self._connect()
                    self._backoff.connected()
                    return link
                except OSError as error:
                    failure = cannot_connect(error)
                    self._backoff.failed(failure)
            if not patient:
                raise RpcFailed(failure.code(), failure.details())
            await asyncio.sleep(self._backoff.seconds)

    async def _connect(self) -> AioLink:
        loop, target, tls = asyncio.get_running_loop(), self._target, self._tls
        session = session_of(target, tls, self.max_message)
        secure: dict[str, Any] = {}
        if tls is not None:
            secure = {"ssl": self._context, "server_hostname": tls.server_name or target.host or "localhost"}
        # Its own limit, so that a deadline that passes meanwhile is known from it.
        async with asyncio.timeout(CONNECT_SECONDS) as limit:
            try:
                if target.path:
                    transport, link = await loop.create_unix_connection(lambda: AioLink(session), target.path, **secure)
                else:
                    transport, link = await loop.create_connection(
                        lambda: AioLink(session), target.host, target.port, **secure
                    )
            except TimeoutError:
                if limit.expired():
                    raise ConnectionError("the time to connect has passed") from None
                raise
        if tls is not None and transport.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
            transport.abort()
            raise OSError("the server speaks no HTTP/2 (ALPN)")
        try:
            await link.greeted
        except BaseException:
            transport.abort()
            raise
        sock = transport.get_extra_info("socket")
        if not target.path and sock is not None:
            tuned(sock)
        if self._closed is not None:
            link.close(self._closed)
        return link

    async def close(self) -> None:
        """End the connection; what is on its way is cancelled."""
        closed = self._closed = RpcFailed(grpc.StatusCode.CANCELLED, "Channel closed!")
        if self._link is not None:
            self._link.close(closed)


class _Rpc:
    """What both kinds have: a request, sent once it is waited for, and its deadline."""

    def __init__(self, channel: AioChannel, path: bytes, data: bytes, until: float | None, pairs: Any) -> None:
        self._channel = channel
        self._request = path, pairs, data
        self._until = until
        self._link: AioLink | None = None
        self._waiter: AioWaiter | None = None
        self._ended = self._cancelled = False

    async def _begin(self, patient: bool, streaming: bool) -> None:
        self._begin_on(await self._channel.link(self._until, patient), streaming)

    def _begin_on(self, link: AioLink, streaming: bool) -> None:
        path, pairs, data = self._request
        self._link = link
        left = left_until(self._until)
        self._waiter = link.begin(path, None if left is None else timeout_on_the_wire(left), pairs, data, streaming)

    async def _event(self) -> Event:
        link, waiter = self._link, self._waiter
        assert link is not None
        assert waiter is not None
        if waiter.events or self._until is None:
            return await link.event(waiter)
        try:
            async with asyncio.timeout(left_until(self._until)):
                return await link.event(waiter)
        except TimeoutError:
            link.cancel(waiter)
            raise RpcFailed(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded") from None

    def done(self) -> bool:
        """Whether it has ended, and its end was read."""
        return self._ended

    def cancel(self) -> None:
        """End it, on the server too; who waits for it gets a CancelledError."""
        self._ended = self._cancelled = True
        if self._link is not None and self._waiter is not None:
            self._link.cancel(self._waiter)
            if self._waiter.future is not None:
                self._waiter.future.cancel()


class UnaryRpc(_Rpc):
    """A call with one answer, which awaiting it gives."""

    def __init__(
        self,
        channel: AioChannel,
        path: bytes,
        data: bytes,
        until: float | None,
        pairs: Any,
        patient: bool,
        attempts: int,
    ) -> None:
        super().__init__(channel, path, data, until, pairs)
        self._patient = patient
        self._attempts = attempts

    def __await__(self) -> Generator[Any, None, bytes]:
        """Its answer.

        Raises:
            RpcFailed: if it failed.
        """
        return (self._once() if self._attempts == 1 else self._again()).__await__()

    async def _once(self) -> bytes:
        await self._begin(self._patient, streaming=False)
        event = await self._event()
        if event[0] == GONE and event[2] == REFUSED_STREAM:  # it did not run
            await self._begin(self._patient, streaming=False)
            event = await self._event()
        if event[0] == ANSWER:
            return message_of(event[2], self._channel.max_message)
        answer = None
        if event[0] == MESSAGE:  # its status has something to tell, too
            answer, event = event[2], await self._event()
        failure = failure_of(event, self._channel.max_message)
        if failure is not None:
            self.cancel()
            try:
                raise failure
            finally:
                del failure  # its traceback has this frame, and those before it
        if answer is None:
            raise RpcFailed(grpc.StatusCode.INTERNAL, "the call ended well and without an answer")
        return message_of(answer, self._channel.max_message)

    async def _again(self) -> bytes:
        pause = FIRST_PAUSE
        for attempt in range(1, self._attempts + 1):
            try:
                return await self._once()
            except RpcFailed as failed:
                rest = random.uniform(0, pause)
                late = self._until is not None and time.monotonic() + rest >= self._until
                if failed.code() is not grpc.StatusCode.UNAVAILABLE or attempt == self._attempts or late:
                    raise
            await asyncio.sleep(rest)
            pause = min(LONGEST_PAUSE, pause * LONGER)
        raise AssertionError("the last attempt returns or raises")


class AioStreamRpc(_Rpc):
    """A call with several answers; it is sent when it is made, if there is a connection, else when it is first read."""

    def __init__(self, channel: AioChannel, path: bytes, data: bytes, until: float | None, pairs: Any) -> None:
        super().__init__(channel, path, data, until, pairs)
        self._owed = 0
        self._first = True
        link = channel.ready
        if link is not None:
            self._begin_on(link, streaming=True)

    async def read(self) -> Any:
        """The next message; `grpc.aio.EOF` at the end.

        Raises:
            RpcFailed: if it failed.
            asyncio.CancelledError: if it was cancelled.
        """
        if self._cancelled:
            raise asyncio.CancelledError
        if self._ended:
            return grpc.aio.EOF
        if self._link is None:
            await self._begin(patient=False, streaming=True)
        while True:
            assert self._link is not None
            assert self._waiter is not None
            if self._owed:
                self._link.consume(self._waiter, self._owed)
                self._owed = 0
            event = await self._event()
            if event[0] == MESSAGE:
                self._first = False
                message = message_of(event[2], self._channel.max_message)
                self._owed = len(message) + 5
                return message
            if event[0] == GONE and event[2] == REFUSED_STREAM and self._first:  # it did not run
                self._first = False
                await self._begin(patient=False, streaming=True)
                continue
            self._ended = True
            failure = failure_of(event, self._channel.max_message)
            if failure is None:
                return grpc.aio.EOF
            try:
                raise failure
            finally:
                del failure, event  # its traceback has this frame, and those before it
