"""One connection of the native transport: its socket, its Session, and who waits for room on its streams.

    the thread that leads: read ─▶ the Session ─▶ events
    any thread:            respond, finish, send ─▶ the Session ─▶ flush ─▶ the socket

Invariant: the Session, and whether the connection is closed, change under its lock, and nothing waits while it holds
that but for a system call that does not block. The socket is closed by the thread that leads, and nowhere else: its
descriptor cannot be another connection's while somebody still writes to it.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import structlog

from callgate.http2.kinds import Event, Pairs
from callgate.http2.session import ProtocolError, Session
from callgate.http2.wires import Wire

__all__ = ["Connection"]

log = structlog.get_logger("callgate.transport")

#: Bytes of a stream's messages that wait in this process for a slow reader, beyond those that HTTP/2 holds.
CROWD = 32 << 10

#: Bytes that a client may send on a stream before they are read here: they are read as they come, so this only has to
#: be more than is on its way. Arbitrary.
_WINDOW = 4 << 20

#: Streams that a client may have open on a connection: as many as grpcio lets wait. A flood is answered call by call.
_STREAMS = 32_768


class Connection:
    """One client's connection.

    Args:
        sock: its socket, which does not block.
        peer: where it comes from, as gRPC writes it.
        poller: what the socket is registered with.
        max_message: bytes of the largest request that is taken.
        wire: makes the wire of the socket and its Session.

    Attributes:
        calls: who is to be told of a stream's events, by the stream; changed by their owner.
        peer: where it comes from.
        dirty: whether somebody will flush it.
        identity: who its certificate names, once that was asked for; None before.
        writing: whether it has bytes that its socket does not take.
    """

    __slots__ = (
        "_closed", "_lock", "_poller", "_rooms", "_sock", "_wire", "calls", "dirty", "identity", "peer", "session",
        "writing",
    )  # fmt: skip

    def __init__(
        self,
        sock: socket.socket,
        peer: str,
        poller: selectors.BaseSelector,
        max_message: int,
        wire: Callable[[Any, Session], Wire],
    ) -> None:
        self.session = Session(server=True, max_message=max_message, crowd=CROWD, window=_WINDOW, streams=_STREAMS)
        self._sock = sock
        self._wire = wire(sock, self.session)
        self._poller = poller
        self._lock = threading.Lock()
        self._closed = self.writing = False
        self._rooms: dict[int, threading.Lock] = {}
        self.calls: dict[int, Any] = {}
        self.peer = peer
        self.dirty = False
        self.identity: str | None = None
        poller.register(sock, selectors.EVENT_READ, self)
        self.flush()  # its settings

    @property
    def certificate(self) -> dict[str, Any] | None:
        """The client's certificate, as `ssl.SSLSocket.getpeercert` has it; None without one."""
        return self._sock.getpeercert() if isinstance(self._sock, ssl.SSLSocket) else None

    # For the thread that leads.

    def read(self) -> list[Event] | None:
        """What came; None if the connection has ended, and is closed now."""
        with self._lock:
            try:
                events = self._wire.read()
            except (OSError, ProtocolError) as error:
                log.debug("a connection broke", peer=self.peer, error=str(error))
                if isinstance(error, ProtocolError):
                    self._flush()  # it is told why
                events = None
            if events is None:
                self._close()
            elif self._rooms:
                self._make_room()
            return events

    def _close(self) -> None:
        self._closed = True
        self._poller.unregister(self._sock)
        self._sock.close()
        for room in self._rooms.values():
            room.release()
        self._rooms.clear()

    def converse(self, stream: int) -> bool:
        """Have the end of what a client sends on a stream told; whether it was there already."""
        with self._lock:
            return self._closed or self.session.converse(stream)

    # For any thread.

    def respond(self, stream: int, message: bytes) -> bool:
        """End a stream well, with one message; it goes when somebody flushes. False if nobody waits for it."""
        with self._lock:
            return not self._closed and self.session.respond(stream, message)

    def finish(self, stream: int, code: int, text: bytes, metadata: Pairs) -> bool:
        """End a stream with a status; it goes when somebody flushes. False if nobody waits for it."""
        with self._lock:
            room = self._rooms.pop(stream, None)
            if room is not None:
                room.release()  # who ends it from outside (a deadline) ends its sender's waiting
            return not self._closed and self.session.finish(stream, code, text, metadata)

    def send(self, stream: int, message: bytes, *, wait: bool) -> bool:
        """Send a message on a stream, now.

        Args:
            stream: which.
            message: what.
            wait: whether to wait where the client reads more slowly than messages are sent.

        Returns:
            False if nobody waits for it.
        """
        room = None
        with self._lock:
            if self._closed:
                return False
            queued = self.session.send(stream, message)
            if queued < 0:
                return False
            if wait and queued > CROWD:
                room = self._rooms[stream] = threading.Lock()
                room.acquire()
            self._flush()
        if room is not None:
            room.acquire()
        return True

    def flush(self) -> None:
        """Send what there is to send, as far as the socket takes it; the rest goes when it takes more."""
        with self._lock:
            if not self._closed:
                self._flush()

    def _flush(self) -> None:
        try:
            done = self._wire.write()
        except (OSError, ProtocolError) as error:
            log.debug("a connection broke", peer=self.peer, error=str(error))
            self._hang_up()
            return
        if done is self.writing:
            self.writing = not done
            self._poller.modify(self._sock, selectors.EVENT_READ | (selectors.EVENT_WRITE if not done else 0), self)
        if self._rooms:
            self._make_room()
        if done and not self.session.alive:
            self._hang_up()

    def _hang_up(self) -> None:
        """Have the thread that leads find the end, and close."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is gone already: that is found, too

    def _make_room(self) -> None:
        for stream in self.session.take_drained():
            room = self._rooms.pop(stream, None)
            if room is not None:
                room.release()

    def go_away(self, *, last: bool) -> None:
        """Tell the client to open no more streams here; at last, which was the last that was taken."""
        with self._lock:
            if not self._closed:
                self.session.go_away(last)
                self._flush()

    def hang_up(self) -> None:
        """End the connection, whatever is on its way."""
        with self._lock:
            if not self._closed:
                self._hang_up()
