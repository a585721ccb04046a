"""How a connection's bytes pass between its Session and its socket: as they are, or through TLS. Never waits."""

from __future__ import annotations

import socket
import ssl
from typing import Protocol

from callgate.http2.kinds import Event
from callgate.http2.session import Session

__all__ = ["PlainWire", "TlsWire", "Wire"]

#: Bytes that are read, and made for one write, at a time.
_CHUNK = 256 << 10


class Wire(Protocol):
    """A socket with its Session."""

    def read(self) -> list[Event] | None:
        """What came, as far as it is there; None at the end.

        Raises:
            OSError, ProtocolError: if the connection is to be closed.
        """
        ...

    def write(self) -> bool:
        """Send what there is to send, as far as the socket takes it.

        Returns:
            Whether that was all.

        Raises:
            OSError, ProtocolError: as `read`.
        """
        ...


class PlainWire:
    """Plain text: the Session reads and writes the socket itself."""

    def __init__(self, sock: socket.socket, session: Session) -> None:
        self._fd = sock.fileno()
        self._session = session

    def read(self) -> list[Event] | None:
        """See `Wire.read`."""
        return self._session.read(self._fd)

    def write(self) -> bool:
        """See `Wire.write`."""
        return self._session.write(self._fd)


class TlsWire:
    """TLS over a socket that does not block.

    Args:
        sock: the socket, wrapped.
        session: the Session.
        shaken: whether hands were shaken over it; else that is the first thing to do.
    """

    def __init__(self, sock: ssl.SSLSocket, session: Session, shaken: bool = False) -> None:
        self._sock = sock
        self._session = session
        self._shaken = shaken
        #: What OpenSSL has not taken: it wants the same bytes again.
        self._rest = memoryview(b"")

    def read(self) -> list[Event] | None:
        """See `Wire.read`."""
        events: list[Event] = []
        try:
            if not self._shaken:
                self._sock.do_handshake()
                if self._sock.selected_alpn_protocol() != "h2":
                    raise OSError("the client speaks no HTTP/2 (ALPN)")
                self._shaken = True
            while True:  # all of it: what OpenSSL has read ahead, the poller does not see
                data = self._sock.recv(_CHUNK)
                if not data:
                    return events or None
                events += self._session.receive(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return events

    def write(self) -> bool:
        """See `Wire.write`."""
        if not self._shaken:
            return True
        try:
            while True:
                if not self._rest:
                    self._rest = memoryview(self._session.output(_CHUNK))
                    if not self._rest:
                        return True
                self._rest = self._rest[self._sock.send(self._rest) :]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
