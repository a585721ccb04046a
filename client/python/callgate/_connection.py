"""How to reach a server: validated, with the files read, before any channel is made. No I/O over a network."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import grpc

from callgate._tls import PairError, check_pair
from callgate.context import calling
from callgate.errors import Unauthenticated, Unavailable
from callgate.http2.dialing import Pem, TlsFiles

__all__ = [
    "DEFAULT_IN_FLIGHT",
    "DEFAULT_MAX_MESSAGE",
    "DEFAULT_TARGET",
    "SERVICE",
    "Connection",
    "Greeting",
    "Pem",
    "Transport",
    "greet",
]

#: What carries RPCs; "native" where callgate was compiled with nghttp2 (docs/python-client.md).
Transport = Literal["grpcio", "native"]

#: Where a server listens unless told otherwise.
DEFAULT_TARGET = "127.0.0.1:50051"

#: gRPC's own library: it knows proxies and load balancing, and is there everywhere.
DEFAULT_TRANSPORT: Transport = "grpcio"

SERVICE = "callgate.v1.FunctionService"

#: The largest that a server can be set to take: what is too large is the server's to say, without a setting here.
DEFAULT_MAX_MESSAGE = 1 << 30

#: Calls that one Gate has on their way at once: below the server's default admission limit of 128, so that one client's
#: flood waits here, in order, instead of being refused there; and far below where a new connection starts to lose some
#: (of 8,000 at once, gRPC answered 18 % with CANCELLED).
DEFAULT_IN_FLIGHT = 100

# Retried by gRPC itself, and only where the server says that the call never started: UNAVAILABLE without a response is
# "transparent" (the request did not leave, or the server refused the stream), and DRAINING/QUARANTINED never start.
# Other UNAVAILABLEs (a connection lost midway) might have run: gRPC cannot tell them apart by reason, so the policy
# covers only the methods that change nothing.
_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": SERVICE, "method": name} for name in ("ListFunctions", "GetFunction")],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}

# gRPC's own naming schemes (https://github.com/grpc/grpc/blob/master/doc/naming.md), passed through as they are.
_SCHEMES = ("unix:", "unix-abstract:", "vsock:", "dns:", "ipv4:", "ipv6:", "xds:")
_HOST = re.compile(r"\[[0-9A-Fa-f:.%a-z]+\]|[^\s:/\[\]]+")


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a server.

    Attributes:
        target: "HOST:PORT", "unix:PATH", or any gRPC name.
        tls: for TLS; None for plain text.
        token: a bearer token, "" for none.
        max_message: the largest message sent or received, bytes of payload.
        in_flight: how many calls may be on their way at once; the next waits in the client.
        options: further channel options.
        transport: what carries RPCs: "grpcio" or "native".
    """

    target: str
    tls: TlsFiles | None
    token: str = field(repr=False)
    max_message: int
    in_flight: int
    options: tuple[tuple[str, Any], ...]
    transport: Transport = "grpcio"

    @classmethod
    def make(
        cls,
        target: str | None = None,
        *,
        tls: bool | None = None,
        ca: Pem | None = None,
        certificate: Pem | None = None,
        key: Pem | None = None,
        token: str | None = None,
        server_name: str | None = None,
        max_message: int = DEFAULT_MAX_MESSAGE,
        in_flight: int = DEFAULT_IN_FLIGHT,
        options: Sequence[tuple[str, Any]] = (),
        transport: Transport | None = None,
    ) -> Connection:
        """Validate what `connect` was told; see there."""
        target = _target(target if target is not None else os.environ.get("CALLGATE_SERVER") or DEFAULT_TARGET)
        if (certificate is None) != (key is None):
            raise ValueError("certificate and key go together: the client's own, for mutual TLS")
        secure = tls if tls is not None else ca is not None or certificate is not None
        if not secure and (ca is not None or certificate is not None):
            raise ValueError("tls=False contradicts ca, certificate and key")
        if not secure and server_name is not None:
            raise ValueError("server_name is the name in the server's certificate: it needs tls=True, or a ca")
        for name, number in (("max_message", max_message), ("in_flight", in_flight)):
            kind: type = type(number)
            if not issubclass(kind, int) or kind is bool:
                raise TypeError(f"{name} is a whole number, not {kind.__name__}")
            if number < 1:
                raise ValueError(f"{name} is {number}; 1 or more is right")
        made: list[tuple[str, Any]] = [
            ("grpc.max_send_message_length", max_message + 1024),
            ("grpc.max_receive_message_length", max_message + 1024),
            # Failures carry a whole exception: gRPC's soft limit of 8 KB would drop some at random.
            ("grpc.max_metadata_size", 16 * 1024),
            ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
            # Find out that a peer is gone although its host never said so.
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            # A Gate is a connection of its own; gRPC would share one, and its back-off, among all to the same target.
            ("grpc.use_local_subchannel_pool", 1),
            # A server that was restarted is found again within seconds; gRPC's own back-off goes up to two minutes.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 5_000),
        ]
        if server_name is not None:
            made.append(("grpc.ssl_target_name_override", server_name))
        transport = DEFAULT_TRANSPORT if transport is None else transport
        if transport not in ("grpcio", "native"):
            raise ValueError(f'transport is {transport!r}; "grpcio" or "native" is right')
        if transport == "native" and options:
            raise ValueError("options are gRPC channel options, which the native transport does not have")
        return cls(
            target,
            _tls(ca, certificate, key, server_name or "") if secure else None,
            _token(token if token is not None else os.environ.get("CALLGATE_TOKEN") or ""),
            max_message,
            in_flight,
            (*made, *options),
            transport,
        )

    @property
    def credentials(self) -> grpc.ChannelCredentials | None:
        """TLS as grpcio has it; None for plain text."""
        return None if self.tls is None else _credentials(self.tls)

    def metadata(self) -> tuple[tuple[str, str], ...] | None:
        """What every request carries: the token, and the calls that it is made from."""
        chain = calling()
        if not chain and not self.token:
            return None
        made: tuple[tuple[str, str], ...] = (("authorization", f"Bearer {self.token}"),) if self.token else ()
        return (*made, ("callgate-call-chain", ",".join(chain))) if chain else made

    def unreachable(self, details: str) -> str:
        """What gRPC says of a connection that could not be made, as a sentence with what to do.

        Args:
            details: the RPC's details.

        Returns:
            The sentence; `details` itself if they are about something else.
        """
        for sign, sentences in _UNREACHABLE.items():
            if sign in details:
                which = "plain" if self.tls is None else "tls" if self.tls.certificate is None else "certificate"
                said = sentences.get(which) or sentences["any"]
                return f"cannot connect to {self.target}: {said} ({_cause(details)})"
        return f"cannot connect to {self.target}: {_cause(details)}" if _FAILED in details else details


_FAILED = "failed to connect to all addresses; last error: "

_NO_TLS = "the server hung up; it may speak TLS: give ca=FILE or tls=True (callgate … --tls-ca FILE)"
_WANTS_CERTIFICATE = "the server hung up; it may want a client certificate: give certificate= and key="
_UNKNOWN_CERTIFICATE = "the server hung up; it may not know the authority that signed this client's certificate"
_NOBODY = "nothing listens there; is the server running (`callgate serve`)?"

# What stands in gRPC's details, most telling first, and what it means to a client with plain text, with TLS, and with a
# certificate of its own. Where gRPC's wording changes, the details are shown as they are; tests notice.
_UNREACHABLE: Mapping[str, Mapping[str, str]] = {
    "WRONG_VERSION_NUMBER": {"any": "the server does not speak TLS there: leave tls, ca, certificate and key out"},
    "certificate has expired": {"any": "the server's certificate has expired"},
    "certificate is not yet valid": {"any": "the server's certificate is not valid yet"},
    "CERTIFICATE_VERIFY_FAILED": {
        "any": "the server's certificate is not signed by an authority that this client trusts; give ca=FILE, the "
        "certificate of the one that signed it"
    },
    "Hostname Verification": {
        "any": "the server's certificate is for another name; give server_name= the name that it is for"
    },
    "security handshaker": {"any": "ca, certificate or key is no usable PEM, or the key is another certificate's"},
    "Connection refused": {"any": _NOBODY},
    "No such file": {"any": _NOBODY},
    "lookup failed": {"any": "there is no host of that name"},
    "Socket closed": {"plain": _NO_TLS, "tls": _WANTS_CERTIFICATE, "certificate": _UNKNOWN_CERTIFICATE, "any": ""},
    # As a TLS 1.3 server says no, after the handshake is done for its client: OpenSSL's words for it, and grpcio's.
    "_ALERT_": {"tls": _WANTS_CERTIFICATE, "certificate": _UNKNOWN_CERTIFICATE, "any": ""},
    "TSI_DATA_CORRUPTED": {"tls": _WANTS_CERTIFICATE, "certificate": _UNKNOWN_CERTIFICATE, "any": ""},
    "Connection reset": {"plain": _NO_TLS, "tls": _WANTS_CERTIFICATE, "certificate": _UNKNOWN_CERTIFICATE, "any": ""},
}

#: Signs that no waiting will help: both sides are there and do not agree.
_PERMANENT = ("SSL_ERROR", "Hostname Verification", "security handshaker")


def _cause(details: str) -> str:
    return details.removeprefix(_FAILED).strip()


@dataclass(frozen=True, slots=True)
class Greeting:
    """One attempt to reach the server: a health check, since any answer to it shows that RPCs get through.

    Attributes:
        patient: whether to wait for the connection (gRPC's wait-for-ready) rather than fail with it.
        timeout: seconds.
    """

    patient: bool
    timeout: float


def greet(connection: Connection, seconds: float) -> Generator[Greeting, grpc.RpcError | None, None]:
    """How a client makes sure of its connection: a plan of attempts, for either client to carry out.

    The first attempt tells what is wrong, at once; where waiting may help, the second waits for the connection without
    polling; after it, a last one tells what is wrong by then.

    Args:
        connection: how the server is to be reached.
        seconds: how long to wait.

    Yields:
        Attempts to make; sent back is how each failed, None if it did not.

    Raises:
        Unavailable: if no answer came.
        Unauthenticated: if the server wants a token, or another one.
    """
    error = yield Greeting(False, seconds)
    if _cannot_connect(error) and not any(sign in _details(error) for sign in _PERMANENT):
        said = error
        error = yield Greeting(True, seconds)
        if error is not None and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            error = yield Greeting(False, 0.1)
            if error is not None and not _cannot_connect(error):
                error = said
    if error is None:
        return
    if error.code() is grpc.StatusCode.UNAUTHENTICATED:
        raise Unauthenticated(_details(error), code="UNAUTHENTICATED", reason="UNAUTHENTICATED") from None
    if _cannot_connect(error):
        raise Unavailable(f"{connection.unreachable(_details(error))}", code="UNAVAILABLE") from None
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        raise Unavailable(
            f"no answer from {connection.target} within {seconds:g} s, though the address can be reached or does not "
            "refuse: is it a Callgate server?",
            code="UNAVAILABLE",
        ) from None
    # Any other answer (no health service, not for this caller) came through the connection: it stands.


def _cannot_connect(error: grpc.RpcError | None) -> bool:
    return error is not None and error.code() is grpc.StatusCode.UNAVAILABLE


def _details(error: grpc.RpcError | None) -> str:
    return "" if error is None else error.details() or ""


def _target(target: object) -> str:
    if not isinstance(target, str):
        raise TypeError(f"target is a string like {DEFAULT_TARGET!r}, not {type(target).__name__}")
    if target.startswith(_SCHEMES):
        return target
    host, colon, port = target.rpartition(":")
    if target.startswith(("http://", "https://")):
        right = "write HOST:PORT alone, and tls=True for TLS"
    elif not colon or not _HOST.fullmatch(host):
        right = "write HOST:PORT (localhost:50051, [::1]:50051) or unix:PATH"
    elif not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        right = "the port is a number from 1 to 65535"
    else:
        return target
    raise ValueError(f"{target[:200]!r} is no target: {right}")


def _token(token: object) -> str:
    if not isinstance(token, str):
        raise TypeError(f"token is a string, not {type(token).__name__}")
    token = token.strip()
    # RFC 6750 allows less; a header takes this much. The token itself must not get into a message.
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise ValueError("a token is one word of printable ASCII characters")
    return token


def _tls(ca: Pem | None, certificate: Pem | None, key: Pem | None, server_name: str) -> TlsFiles:
    """TLS with files that were read once, and can be used."""
    made = TlsFiles(
        ca=_pem(ca, "ca"), key=_pem(key, "key"), certificate=_pem(certificate, "certificate"), server_name=server_name
    )
    if (
        certificate is not None
        and key is not None
        and not isinstance(certificate, bytes)
        and not isinstance(key, bytes)
    ):
        try:
            check_pair(Path(certificate), Path(key))
        except PairError as error:
            raise ValueError(str(error)) from None
    return made


def _credentials(tls: TlsFiles) -> grpc.ChannelCredentials:
    ca, key, certificate = (None if pem is None else _pem(pem, "") for pem in (tls.ca, tls.key, tls.certificate))
    return grpc.ssl_channel_credentials(ca, key, certificate)


def _pem(value: Pem | None, what: str) -> bytes | None:
    if value is None:
        return None
    data = value
    if not isinstance(data, bytes):
        try:
            data = Path(data).read_bytes()
        except OSError as error:
            raise ValueError(f"{what}: {value!s} cannot be read: {error.strerror}") from None
    if b"-----BEGIN" not in data:
        shown = "the bytes given" if isinstance(value, bytes) else str(value)
        raise ValueError(f"{what}: {shown} is not PEM (no '-----BEGIN' line)")
    return data
