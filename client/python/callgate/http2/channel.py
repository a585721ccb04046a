"""The synchronous client's native channel: it has what a Gate uses of `grpc.Channel`, over a Link of its own.

    rpc(data) ─▶ a Link that goes on, or a new one ─▶ begin ─▶ wait ─▶ the answer, or a grpc.RpcError

A call that surely did not run (its stream was refused, or its connection ended before it began) is made again, once,
on a new connection; as grpcio does by itself.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from callgate.http2.dialing import Backoff, Target, TlsFiles, cannot_connect, client_context
from callgate.http2.failure import RpcFailed, failure_of, lost, message_of
from callgate.http2.headers import Metadata, on_the_wire, timeout_on_the_wire
from callgate.http2.kinds import ANSWER, GONE, LOCAL, MESSAGE, REFUSED_STREAM, Event
from callgate.http2.link import Link, TimePassed, Waiter
from callgate.http2.session import Session
from callgate.http2.wires import PlainWire, TlsWire

__all__ = ["Channel"]

#: Bytes of gRPC's own around a message's payload, as the client allows for them everywhere.
SLACK = 1024

#: Bytes that a server may send on a stream before they are read: what a stream is ahead of its reader, at most.
WINDOW = 4 << 20

#: Seconds that an attempt to connect may take; grpcio's own default.
CONNECT_SECONDS = 20.0

#: Attempts of methods that change nothing, and seconds between them: at first, at most, and how they grow.
ATTEMPTS, FIRST_PAUSE, LONGEST_PAUSE, LONGER = 4, 0.1, 1.0, 2.0


def session_of(target: Target, tls: TlsFiles | None, max_message: int) -> Session:
    """A client's Session."""
    return Session(
        server=False,
        max_message=max_message,
        crowd=WINDOW,
        window=WINDOW,
        streams=0,
        authority=target.authority,
        scheme=b"http" if tls is None else b"https",
        agent=b"callgate-python",
    )


class Channel:
    """A channel to one server; safe to share between threads.

    Args:
        target: as `callgate.connect` takes it.
        tls: for TLS; None for plain text.
        max_message: the largest message that is taken, bytes of payload.
        repeatable: paths of methods that change nothing: they are tried again where the server cannot be reached.

    Raises:
        ValueError: if the target is none for this transport, or a TLS file cannot be used.
    """

    def __init__(self, target: str, tls: TlsFiles | None, max_message: int, repeatable: frozenset[str]) -> None:
        self._target = Target.parse(target)
        self._tls = tls
        self._context = None if tls is None else client_context(tls)
        self.max_message = max_message + SLACK
        self._repeatable = repeatable
        self._link: Link | None = None
        self._connecting = threading.Lock()
        self._backoff = Backoff()
        self._closed: RpcFailed | None = None

    def unary_unary(self, path: str, _registered_method: bool = False) -> Callable[..., bytes]:
        """A method over bytes with one answer.

        Returns:
            A function of the request, `timeout` (seconds), `metadata` (pairs) and `wait_for_ready`.
        """
        return self._again(path) if path in self._repeatable else self._unary(path)

    def unary_stream(self, path: str, _registered_method: bool = False) -> Callable[..., StreamRpc]:
        """A method over bytes with several answers: a function of the request, `timeout` and `metadata`."""
        encoded = path.encode()

        def start(data: bytes, timeout: float | None = None, metadata: Metadata | None = None) -> StreamRpc:
            return StreamRpc(self, encoded, data, until_of(timeout), on_the_wire(metadata or ()))

        return start

    def _unary(self, path: str) -> Callable[..., bytes]:
        encoded = path.encode()

        def call(
            data: bytes, timeout: float | None = None, metadata: Metadata | None = None, wait_for_ready: bool = False
        ) -> bytes:
            until = until_of(timeout)
            pairs = on_the_wire(metadata) if metadata else ()
            waiter = Waiter()
            link = self.begin(waiter, encoded, until, pairs, data, patient=wait_for_ready)
            event = self.event(link, waiter, until)
            if event[0] == GONE and event[2] == REFUSED_STREAM:  # it did not run
                waiter = Waiter()
                link = self.begin(waiter, encoded, until, pairs, data, patient=wait_for_ready)
                event = self.event(link, waiter, until)
            if event[0] == ANSWER:
                return message_of(event[2], self.max_message)
            answer = None
            if event[0] == MESSAGE:  # its status has something to tell, too
                answer, event = event[2], self.event(link, waiter, until)
            failure = failure_of(event, self.max_message)
            if failure is not None:
                link.cancel(waiter)
                try:
                    raise failure
                finally:
                    del failure  # its traceback has this frame, and those before it
            if answer is None:
                raise RpcFailed(grpc.StatusCode.INTERNAL, "the call ended well and without an answer")
            return message_of(answer, self.max_message)

        return call

    def _again(self, path: str) -> Callable[..., bytes]:
        """The same, tried several times: for what changes nothing."""
        once = self._unary(path)

        def call(
            data: bytes, timeout: float | None = None, metadata: Metadata | None = None, wait_for_ready: bool = False
        ) -> bytes:
            until, pause = until_of(timeout), FIRST_PAUSE
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    return once(data, left_until(until), metadata, wait_for_ready)
                except RpcFailed as failed:
                    rest = random.uniform(0, pause)
                    late = until is not None and time.monotonic() + rest >= until
                    if failed.code() is not grpc.StatusCode.UNAVAILABLE or attempt == ATTEMPTS or late:
                        raise
                time.sleep(rest)
                pause = min(LONGEST_PAUSE, pause * LONGER)
            raise AssertionError("the last attempt returns or raises")

        return call

    # For RPCs.

    def begin(
        self,
        waiter: Waiter,
        path: bytes,
        until: float | None,
        pairs: Any,
        data: bytes,
        *,
        patient: bool = False,
        streaming: bool = False,
    ) -> Link:
        """Send a request on a connection that goes on.

        Raises:
            RpcFailed: if there is none to be had.
        """
        while True:
            link = self._link
            if link is None or not link.usable:
                link = self._connected(until, patient)
            timeout = None if until is None else timeout_on_the_wire(max(0.0, until - time.monotonic()))
            if link.begin(waiter, path, timeout, pairs, data, streaming):
                return link

    def event(self, link: Link, waiter: Waiter, until: float | None) -> Event:
        """The next event of an RPC; whatever keeps this thread from waiting for it cancels it."""
        try:
            return link.wait(waiter, until)
        except TimePassed:
            link.cancel(waiter)
            raise RpcFailed(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded") from None
        except RpcFailed:
            raise
        except BaseException:
            link.cancel(waiter)
            raise

    def _connected(self, until: float | None, patient: bool) -> Link:
        """A new connection, unless somebody has made one meanwhile."""
        left = left_until(until)
        if not self._connecting.acquire(timeout=-1 if left is None else min(left, threading.TIMEOUT_MAX)):
            raise RpcFailed(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
        try:
            while True:
                if self._closed is not None:
                    raise RpcFailed(self._closed.code(), self._closed.details())
                if self._link is not None and self._link.usable:
                    return self._link
                failure = self._backoff.failure
                if failure is None:
                    try:
                        link = self._link = self._connect(until)
                        self._backoff.connected()
                        return link
                    except OSError as error:
                        failure = cannot_connect(error)
                        self._backoff.failed(failure)
                        if left_until(until) == 0:
                            raise RpcFailed(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded") from None
                if not patient:
                    raise RpcFailed(failure.code(), failure.details())
                left = left_until(until)
                if left is not None and left <= self._backoff.seconds:
                    time.sleep(left)
                    raise RpcFailed(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
                time.sleep(self._backoff.seconds)
        finally:
            self._connecting.release()

    def _connect(self, until: float | None) -> Link:
        left = left_until(until)
        seconds = CONNECT_SECONDS if left is None else max(0.001, min(left, CONNECT_SECONDS))
        ends = time.monotonic() + seconds
        sock = self._target.connected(seconds)
        session = session_of(self._target, self._tls, self.max_message)
        try:
            if self._context is None or self._tls is None:
                sock.setblocking(False)
                link = Link(sock, PlainWire, session)
            else:
                name = self._tls.server_name or self._target.host or "localhost"
                secure = sock = self._context.wrap_socket(sock, server_hostname=name)
                if secure.selected_alpn_protocol() != "h2":
                    raise OSError("the server speaks no HTTP/2 (ALPN)")
                secure.setblocking(False)
                link = Link(secure, lambda sock, session: TlsWire(sock, session, shaken=True), session)
        except BaseException:
            sock.close()
            raise
        try:
            link.greet(ends)
        except BaseException:
            link.close(lost("it was not answered"))
            raise
        return link

    def close(self) -> None:
        """End the connection; what is on its way is cancelled."""
        closed = self._closed = RpcFailed(grpc.StatusCode.CANCELLED, "Channel closed!")
        link = self._link
        if link is not None:
            link.close(closed)


def until_of(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


def left_until(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - time.monotonic())


class StreamRpc(Iterator[bytes]):
    """A call with several answers, one by one.

    Args:
        channel: its channel.
        path: the method.
        data: the request.
        until: its deadline, `time.monotonic()` seconds; None for none.
        pairs: its metadata, as the wire has them.
    """

    def __init__(self, channel: Channel, path: bytes, data: bytes, until: float | None, pairs: Any) -> None:
        self._channel = channel
        self._until = until
        self._waiter = Waiter()
        self._request: tuple[bytes, Any, bytes] | None = (path, pairs, data)
        self._link: Link | None = None
        self._ended = self._begun = False
        self._owed = 0
        try:
            self._begin()
        except RpcFailed as failed:  # told where it is read, as grpcio does
            self._failed: RpcFailed | None = failed
        else:
            self._failed = None

    def _begin(self) -> None:
        assert self._request is not None
        path, pairs, data = self._request
        self._link = self._channel.begin(self._waiter, path, self._until, pairs, data, streaming=True)

    def __next__(self) -> bytes:
        """The next message.

        Raises:
            StopIteration: at its end.
            RpcFailed: if it failed.
        """
        if self._failed is not None:
            raise RpcFailed(self._failed.code(), self._failed.details())
        if self._ended:
            raise StopIteration
        while True:
            assert self._link is not None
            link = self._link
            if self._owed:
                link.consume(self._waiter, self._owed)
                self._owed = 0
            event = self._channel.event(link, self._waiter, self._until)
            if event[0] == MESSAGE:
                self._request = None
                message = message_of(event[2], self._channel.max_message)
                self._owed = len(message) + 5
                return message
            if event[0] == GONE and event[2] == REFUSED_STREAM and self._request is not None:
                self._waiter = Waiter()
                self._begin()
                self._request = None
                continue
            self._ended = True
            failure = failure_of(event, self._channel.max_message)
            if failure is None:
                raise StopIteration
            try:
                raise failure
            finally:
                del failure, event  # its traceback has this frame, and those before it

    def cancel(self) -> None:
        """End it, on the server too; reading it then raises CANCELLED. From any thread."""
        link = self._link
        if link is not None and not self._ended:
            link.cancel(self._waiter)
            failed = RpcFailed(grpc.StatusCode.CANCELLED, "Locally cancelled by application!")
            link.push(self._waiter, (LOCAL, failed))

    def __del__(self) -> None:
        if not self._ended and self._link is not None:
            self._link.cancel(self._waiter)
