"""How the native transport reaches a server: HOST:PORT or unix:PATH, over TLS or not, and what says that it cannot."""

from __future__ import annotations

import os
import random
import socket
import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc

from callgate.http2.failure import CONNECT_FAILED, RpcFailed

__all__ = ["Backoff", "Pem", "Target", "TlsFiles", "cannot_connect", "client_context", "tuned"]

#: A PEM file, or its content.
Pem = str | os.PathLike[str] | bytes

#: A server that is gone without a word is noticed after 40 s, as grpcio's keepalive is set: seconds idle, between
#: probes, and how many; and milliseconds for what was sent.
_KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 2), ("TCP_USER_TIMEOUT", 40_000))


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What TLS is spoken with.

    Attributes:
        ca: who signs the server's certificate; None for the system's authorities.
        certificate: the client's own.
        key: its key.
        server_name: the name to expect in the server's certificate; "" for the target's.
    """

    ca: Pem | None = None
    certificate: Pem | None = None
    key: Pem | None = field(default=None, repr=False)
    server_name: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a server is.

    Attributes:
        host: its name or address; "" for a Unix socket.
        port: its port.
        path: the Unix socket.
    """

    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def parse(cls, target: str) -> Target:
        """A target as `connect` takes it.

        Raises:
            ValueError: if it is one of gRPC's that this transport does not know.
        """
        if target.startswith("unix:"):
            path = target.removeprefix("unix:")
            return cls(path=path.removeprefix("//") if path.startswith("///") else path)
        for scheme in ("dns:///", "dns:", "ipv4:", "ipv6:"):
            if target.startswith(scheme):
                target = target.removeprefix(scheme)
                break
        host, colon, port = target.rpartition(":")
        if not colon or "/" in host or "," in host or not port.isdigit():
            raise ValueError(
                f"{target[:200]!r} is no target of the native transport, which reaches HOST:PORT and unix:PATH: give "
                'such a one, or transport="grpcio"'
            )
        return cls(host=host.strip("[]"), port=int(port))

    @property
    def authority(self) -> bytes:
        """What requests are addressed to."""
        if self.path:
            return b"localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}".encode("idna" if not host.isascii() else "ascii")

    def connected(self, seconds: float) -> socket.socket:
        """A connected socket, which blocks.

        Raises:
            OSError: if there is none within so many seconds.
        """
        if not self.path:
            return tuned(socket.create_connection((self.host, self.port), timeout=seconds))
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.settimeout(seconds)
            sock.connect(self.path)
        except BaseException:
            sock.close()
            raise
        return sock


def tuned(sock: socket.socket) -> socket.socket:
    """A TCP socket that sends at once, and notices when nobody is there any more."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return sock


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """OpenSSL's context for a client of HTTP/2.

    Raises:
        ValueError: if a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    try:
        if files.ca is None:
            context.load_default_certs()
        else:
            with _file(files.ca) as ca:
                context.load_verify_locations(ca)
        if files.certificate is not None and files.key is not None:
            with _file(files.certificate) as certificate, _file(files.key) as key:
                context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(
            f"ca, certificate or key is no usable PEM, or the key is another certificate's: {error}"
        ) from None
    return context


@contextmanager
def _file(pem: Pem) -> Iterator[str]:
    """A PEM as a file: OpenSSL, as Python has it, reads keys from nowhere else."""
    if not isinstance(pem, bytes):
        yield os.fspath(pem)
        return
    with tempfile.NamedTemporaryFile(prefix="callgate-") as made:  # its owner's alone
        made.write(pem)
        made.flush()
        yield made.name


def cannot_connect(error: OSError) -> RpcFailed:
    """The failure of an RPC for want of a connection, in words by which the client knows what to advise."""
    if isinstance(error, socket.gaierror):
        said = f"DNS lookup failed: {error.strerror}"
    elif isinstance(error, ssl.SSLCertVerificationError) and "mismatch" in error.verify_message:
        said = f"Hostname Verification Check failed: {error.verify_message}"
    elif isinstance(error, TimeoutError):
        said = "the time to connect has passed"
    else:
        said = str(error)
    return RpcFailed(grpc.StatusCode.UNAVAILABLE, f"{CONNECT_FAILED}UNAVAILABLE: {said}")


class Backoff:
    """When to try again, after an attempt to connect that failed; calls until then fail as that did.

    Attempts are 0.1 s apart at first, then longer, up to 5 s: a server that was restarted is soon found again.
    """

    def __init__(self) -> None:
        self._wait = 0.0
        self._until = 0.0
        self._failure: RpcFailed | None = None

    @property
    def failure(self) -> RpcFailed | None:
        """What a call fails with now; None if it is to try."""
        return self._failure if time.monotonic() < self._until else None

    @property
    def seconds(self) -> float:
        """How long until the next attempt."""
        return max(0.0, self._until - time.monotonic())

    def failed(self, failure: RpcFailed) -> None:
        """Note an attempt that failed."""
        self._wait = min(5.0, self._wait * 1.6) if self._wait else 0.1
        self._failure = failure
        self._until = time.monotonic() + self._wait * random.uniform(0.8, 1.2)

    def connected(self) -> None:
        """Note one that did not."""
        self._wait = self._until = 0.0
        self._failure = None
