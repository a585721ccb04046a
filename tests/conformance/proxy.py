"""A TCP proxy that can cut its connections: what a network does to a call that is on its way."""

from __future__ import annotations

import socket
import struct
import threading

__all__ = ["Proxy"]

#: Linger for no time: closing sends a reset, as a cut line or a killed router would look.
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Passes bytes between whoever connects and a server; use it in a `with` statement.

    Args:
        target: the server's address, HOST:PORT.

    Attributes:
        address: where it listens.
    """

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open |= {client, server}
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # cut, or one side is gone
        with self._lock:
            gone = {source} & self._open
            self._open -= gone
        for one in gone:
            one.close()

    def cut(self) -> None:
        """Reset all connections; new ones are taken as before."""
        with self._lock:
            found, self._open = self._open, set()
        for one in found:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            try:
                one.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads it
            except OSError:
                pass  # the other side was faster
            one.close()

    def close(self) -> None:
        """Cut, and take no more."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        except OSError:
            pass  # not every system lets a listener be shut down
        self._listener.close()
        self.cut()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
