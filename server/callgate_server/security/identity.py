"""Who makes an RPC, settled once, before its payload is decoded, for every method of every service.

With tokens, an interceptor reads the metadata and answers UNAUTHENTICATED itself; it never reads the request. With
client certificates only, TLS has turned strangers away and the certificate names the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import grpc
import structlog

from callgate.failures import CallFailed, gate_failure
from callgate_server.security.tokens import TokenTable

__all__ = [
    "ANONYMOUS",
    "UNNAMED",
    "TokenInterceptor",
    "bearer_identity",
    "certificate_identity",
    "identity_of",
    "unauthenticated",
]

audit = structlog.get_logger("callgate.audit")

#: Who calls where nobody is asked.
ANONYMOUS = "anonymous"

#: Who calls with a client certificate that has no name in it.
UNNAMED = "certificate"

# Set in the RPC's own context, in which grpcio runs both interceptors and handler.
_token_identity: ContextVar[str | None] = ContextVar("callgate_token_identity", default=None)


def identity_of(context: grpc.ServicerContext) -> str:
    """Who makes an RPC.

    Returns:
        The token's name; else the client certificate's common name or, without one, its first alternative name (a
        SPIFFE id, a host name); else "anonymous".
    """
    name = _token_identity.get()
    if name is not None:
        return name
    auth: Mapping[str, Any] = context.auth_context() or {}  # lists of bytes, whatever the stubs say
    for key in ("x509_common_name", "x509_subject_alternative_name"):
        for value in auth.get(key, ()):
            if value:
                return _printable(value)
    # An authority that signs nameless certificates: known, but nobody in particular.
    return UNNAMED if "x509_pem_cert" in auth else ANONYMOUS


def _printable(name: bytes) -> str:
    """A certificate's name as text that is one line in a log; whatever is not printable is escaped."""
    text = name.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def certificate_identity(certificate: Mapping[str, Any] | None) -> str:
    """Who a client's certificate names, as `identity_of` tells it.

    Args:
        certificate: as `ssl.SSLSocket.getpeercert` has it; None without one.
    """
    if not certificate:
        return ANONYMOUS
    common = (value for part in certificate.get("subject", ()) for key, value in part if key == "commonName")
    alternative = (value for _, value in certificate.get("subjectAltName", ()))
    for value in (*common, *alternative):
        if value:
            return _printable(str(value).encode("utf-8", "surrogatepass"))
    return UNNAMED


def bearer_identity(tokens: TokenTable, metadata: Iterable[tuple[str, str | bytes]]) -> str | None:
    """Whose bearer token an RPC carries (RFC 6750, section 2.1).

    Args:
        tokens: the known ones.
        metadata: the RPC's.

    Returns:
        The token's name; None without a known one. Two of them are no token (RFC 9110 allows one such field).
    """
    given = [value for key, value in metadata if key == "authorization"]
    if len(given) != 1:
        return None
    scheme, _, token = str(given[0]).partition(" ")
    return tokens.identify(token.strip(" ")) if scheme.lower() == "bearer" else None


def unauthenticated(peer: str) -> CallFailed:
    """The failure of an RPC without a known token; the audit log is told.

    Args:
        peer: where it came from.
    """
    audit.info("refused", reason="UNAUTHENTICATED", peer=peer)
    return gate_failure(
        "UNAUTHENTICATED",
        "this server wants a token it knows: metadata 'authorization: Bearer TOKEN' "
        "(callgate.connect(…, token=…), callgate call --token-file FILE)",
    )


class TokenInterceptor(grpc.ServerInterceptor):
    """Lets RPCs with a known bearer token pass.

    Args:
        tokens: the known ones.
        refuse: ends an RPC with a status; the servicers' `fail`.
    """

    def __init__(self, tokens: TokenTable, refuse: Callable[[grpc.ServicerContext, Any], Any]) -> None:
        self._tokens = tokens

        # Bidirectional over bytes, whatever the method is: it ends the RPC without waiting for a message.
        def refused(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            refuse(context, unauthenticated(context.peer()).status)
            yield b""  # never reached: makes this a generator

        self._refuse: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(refused)

    def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        """Pass the RPC on if its token is known."""
        name = bearer_identity(self._tokens, details.invocation_metadata)
        if name is None:
            return self._refuse
        _token_identity.set(name)
        return continuation(details)
