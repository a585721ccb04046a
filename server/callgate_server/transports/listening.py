"""Listening sockets for the native transport: TCP on every address that a host name has, or a Unix socket."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

from callgate_server.transports.base import TransportFailed

__all__ = ["Listeners", "listen_on"]


class Listeners:
    """What is listened on.

    Args:
        sockets: the bound sockets.
        address: what to call them.
        path: of the Unix socket; None for TCP.
    """

    def __init__(self, sockets: list[socket.socket], address: str, path: Path | None = None) -> None:
        self.sockets = sockets
        self.address = address
        self._path = path
        self._file = None if path is None else path.stat().st_ino

    def close(self) -> None:
        """Close them; a Unix socket's file goes, unless it is another server's by now."""
        for sock in self.sockets:
            sock.close()
        if self._path is not None:
            try:
                if self._path.stat().st_ino == self._file:
                    self._path.unlink()
            except OSError:
                pass


def listen_on(listen: str) -> Listeners:
    """Bind sockets.

    Args:
        listen: "HOST:PORT", port 0 for any free one, or "unix:PATH".

    Raises:
        TransportFailed: if that cannot be.
    """
    try:
        return _on_path(Path(listen.removeprefix("unix:"))) if listen.startswith("unix:") else _on_host(listen)
    except OSError as error:
        why = {
            errno.EADDRINUSE: "the port is in use",
            errno.EADDRNOTAVAIL: "the address is not this machine's",
        }.get(error.errno or 0, error.strerror or str(error))
        what = "another with --listen unix:PATH" if listen.startswith("unix:") else "another with --listen HOST:PORT"
        hint = "" if listen.startswith("unix:") else " (port 0: any free one)"
        raise TransportFailed(f"cannot listen on {listen}: {why}; choose {what}{hint}") from None


def _on_host(listen: str) -> Listeners:
    host, _, number = listen.rpartition(":")
    port = int(number)
    sockets: list[socket.socket] = []
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            try:
                sockets.append(_bound(family, (address[0], port or address[1], *address[2:])))
            except OSError as error:
                # A name may have addresses of a family that this machine has not.
                if not sockets or error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                continue
            port = port or sockets[0].getsockname()[1]
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return Listeners(sockets, f"{host}:{port}")


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        # So that a server that was restarted need not wait for its old connections' end. Two cannot share a port by it.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # [::] takes IPv4 as well, as gRPC's does; for any other address it makes no difference.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock


def _on_path(path: Path) -> Listeners:
    _remove_left_over(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(os.fspath(path))
    except BaseException:
        sock.close()
        raise
    return Listeners([sock], f"unix:{path}", path)


def _remove_left_over(path: Path) -> None:
    """Remove the socket of a server that has died; one that somebody listens on is in use."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            return  # bind() says that something is there
    except OSError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError:
            path.unlink(missing_ok=True)
