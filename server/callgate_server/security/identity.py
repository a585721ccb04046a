"""Who makes an RPC, settled once, before its payload is decoded, for every method of every service.

With tokens, an interceptor reads the metadata and answers UNAUTHENTICATED itself; it never reads the request. With
client certificates only, TLS has turned strangers away and the certificate names the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import grpc
import structlog

from callgate.failures import gate_failure
from callgate_server.security.tokens import TokenTable

__all__ = ["ANONYMOUS", "TokenInterceptor", "identity_of"]

audit = structlog.get_logger("callgate.audit")

#: Who calls where nobody is asked.
ANONYMOUS = "anonymous"

# Set in the RPC's own context, in which grpcio runs both interceptors and handler.
_token_identity: ContextVar[str | None] = ContextVar("callgate_token_identity", default=None)


def identity_of(context: grpc.ServicerContext) -> str:
    """Who makes an RPC.

    Returns:
        The token's name; else the client certificate's common name; else "anonymous".
    """
    name = _token_identity.get()
    if name is not None:
        return name
    auth: dict[str, Any] = context.auth_context()
    names = auth.get("x509_common_name") if auth else None
    return names[0].decode("utf-8", "replace") if names else ANONYMOUS


class TokenInterceptor(grpc.ServerInterceptor):  # type: ignore[misc]  # grpc's stubs leave its base as Any
    """Lets RPCs with a known bearer token pass (RFC 6750, section 2.1).

    Args:
        tokens: the known ones.
        refuse: ends an RPC with a status; the servicers' `fail`.
    """

    def __init__(self, tokens: TokenTable, refuse: Callable[[grpc.ServicerContext, Any], Any]) -> None:
        self._tokens = tokens

        # Bidirectional over bytes, whatever the method is: it ends the RPC without waiting for a message.
        def unauthenticated(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            audit.info("refused", reason="UNAUTHENTICATED", peer=context.peer())
            failure = gate_failure(
                "UNAUTHENTICATED",
                "this server wants a token it knows: metadata 'authorization: Bearer TOKEN' "
                "(callgate.connect(…, token=…), callgate call --token-file FILE)",
            )
            refuse(context, failure.status)
            yield b""  # never reached: makes this a generator

        self._refuse = grpc.stream_stream_rpc_method_handler(unauthenticated)

    def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        """Pass the RPC on if its token is known."""
        for key, value in details.invocation_metadata:
            if key == "authorization":
                scheme, _, token = str(value).partition(" ")
                name = self._tokens.identify(token.strip()) if scheme.lower() == "bearer" else None
                if name is None:
                    break
                _token_identity.set(name)
                return continuation(details)
        return self._refuse
