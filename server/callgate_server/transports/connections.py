"""The native transport's connections: listens, accepts, and waits for what happens on any of them.

wait ─▶ a listening socket ─▶ accept ─▶ a Connection
     └▶ a Connection's socket ─▶ its events, for the thread that leads
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

import structlog

from callgate.http2.kinds import Event
from callgate.http2.wires import PlainWire, TlsWire
from callgate_server.transports.connection import Connection
from callgate_server.transports.listening import Listeners

__all__ = ["Connections"]

log = structlog.get_logger("callgate.transport")

_BACKLOG = 1024

#: Connections accepted at a time, before those that are there have their turn.
_ACCEPTS = 64

#: A client that is gone without a word is noticed after about two minutes: seconds idle, between probes, and how many.
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))


class Connections:
    """Listens, and waits for what happens on any connection.

    Args:
        listeners: what to listen on; closed with this.
        max_message: bytes of the largest request that is taken.
        tls: for TLS; None for plain text.
    """

    def __init__(self, listeners: Listeners, max_message: int, tls: ssl.SSLContext | None) -> None:
        self._listeners = listeners
        self._max_message = max_message
        self._tls = tls
        self._poller = selectors.DefaultSelector()
        self._woken, self._wakes = socket.socketpair()
        self._wakes.setblocking(False)
        self._poller.register(self._woken, selectors.EVENT_READ)
        for listener in listeners.sockets:
            listener.setblocking(False)
            listener.listen(_BACKLOG)
            self._poller.register(listener, selectors.EVENT_READ)
        # Given up for a moment where there are no more descriptors: a client is turned away then, not left waiting.
        self._spare = os.open(os.devnull, os.O_RDONLY)
        self._all: set[Connection] = set()
        self._dirty: deque[Connection] = deque()
        self._stops = False
        #: Held to wake and to close: who stops the server wakes until the thread that leads has closed.
        self._closing = threading.Lock()
        self._closed = False
        #: Set while it stops, once nothing is left to be sent that a client has not read.
        self.sent = threading.Event()

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._all))

    def __len__(self) -> int:
        return len(self._all)

    # For the thread that leads.

    def wait(self) -> Iterator[tuple[Connection, list[Event] | None]]:
        """Flush what is dirty, wait until something happens, and tell what: a connection's events, None at its end."""
        self.flush()
        for key, happened in self._poller.select():
            connection = key.data
            if connection is not None:
                if happened & selectors.EVENT_WRITE:
                    connection.flush()
                if happened & selectors.EVENT_READ:
                    events = connection.read()
                    if events is None:
                        self._all.discard(connection)
                    yield connection, events
            elif key.fileobj is not self._woken:
                self._accept(key.fileobj)
            else:
                self._woken.recv(64)
                if self._stops:
                    self._stop_listening()
        if self._stops and not any(one.writing or one.session.queued for one in self._all):
            self.sent.set()

    def _stop_listening(self) -> None:
        for listener in self._listeners.sockets:
            if listener.fileno() >= 0:
                self._poller.unregister(listener)
        self._listeners.close()

    def _accept(self, listener: Any) -> None:
        for _ in range(_ACCEPTS):
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._turn_away(listener)
                return  # else it was gone before it was accepted
            try:
                self._all.add(self._made(sock, address))
            except (OSError, ValueError) as error:
                log.debug("a connection broke", error=str(error))
                sock.close()

    def _made(self, sock: socket.socket, address: Any) -> Connection:
        sock.setblocking(False)
        if sock.family == socket.AF_UNIX:
            peer = "unix:"
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEPALIVE:
                if hasattr(socket, name):
                    sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
            v6 = sock.family == socket.AF_INET6
            peer = f"ipv6:[{address[0]}]:{address[1]}" if v6 else f"ipv4:{address[0]}:{address[1]}"
        if self._tls is None:
            return Connection(sock, peer, self._poller, self._max_message, PlainWire)
        secure = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return Connection(secure, peer, self._poller, self._max_message, TlsWire)

    def _turn_away(self, listener: socket.socket) -> None:
        log.warning("no more descriptors: a client is turned away", connections=len(self._all))
        os.close(self._spare)
        try:
            listener.accept()[0].close()
        except OSError:
            pass
        self._spare = os.open(os.devnull, os.O_RDONLY)

    # For any thread.

    def note(self, connection: Connection) -> None:
        """Note that a connection has something to send, for `flush`."""
        # Noted before what is to be sent is looked for: `flush` takes the note back before it sends.
        if not connection.dirty:
            connection.dirty = True
            self._dirty.append(connection)

    @property
    def dirty(self) -> bool:
        """Whether a connection was noted, and not flushed since."""
        return bool(self._dirty)

    def flush(self) -> None:
        """Flush all that was noted."""
        while self._dirty:
            try:
                connection = self._dirty.popleft()
            except IndexError:
                return
            connection.dirty = False
            connection.flush()

    def stop_listening(self) -> None:
        """Accept no more connections, and have `wait` return now."""
        self._stops = True
        self.wake()

    def wake(self) -> None:
        """Have `wait` return now; nothing once it is closed."""
        with self._closing:
            if self._closed:
                return
            try:
                self._wakes.send(b"\0")
            except BlockingIOError:
                pass  # it is about to

    def close(self) -> None:
        """Close everything, on the thread that leads, once nobody waits any more."""
        for connection in self:
            connection.hang_up()
            connection.read()
        self._all.clear()
        self._listeners.close()
        self._poller.close()
        with self._closing:
            self._closed = True
            self._woken.close()
            self._wakes.close()
        os.close(self._spare)
