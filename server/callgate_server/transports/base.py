"""What every transport is, and what it is handed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import grpc

from callgate_server.call import Caller
from callgate_server.security.tokens import TokenTable

__all__ = ["Credentials", "Transport", "TransportFailed", "TransportOptions"]


class TransportFailed(Exception):
    """A transport that cannot listen; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """TLS, as files: the server's certificate and key and, for mutual TLS, who signs clients' certificates."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """How to listen.

    Attributes:
        listen: "HOST:PORT" (port 0 for any free one) or "unix:PATH".
        threads: threads that run handlers; more than the dispatcher admits, so that refusals find one.
        stream_threads: threads that run handlers of response streams; as many can be open at once.
        max_message_bytes: the largest request taken and response sent.
        credentials: TLS; None for plain text.
        tokens: bearer tokens to ask for; None to ask for none.
    """

    listen: str
    threads: int
    stream_threads: int
    max_message_bytes: int
    credentials: Credentials | None = None
    tokens: TokenTable | None = None


class Transport(Protocol):
    """A server of gRPC over some HTTP/2 implementation."""

    def start(self, services: Mapping[str, Mapping[str, grpc.RpcMethodHandler[Any, Any]]]) -> str:
        """Listen and serve.

        Args:
            services: method handlers over bytes, by service and method name. Health and reflection are the
                transport's own.

        Returns:
            The address it listens on, with the real port.

        Raises:
            TransportFailed: if it cannot.
        """
        ...

    def caller_of(self, context: grpc.ServicerContext) -> Caller:
        """Who waits for an RPC."""
        ...

    def identity_of(self, context: grpc.ServicerContext) -> str:
        """Who makes an RPC."""
        ...

    def set_serving(self, serving: bool) -> None:
        """Say so over the health service, for the server as a whole and for each service."""
        ...

    def stop(self, grace: float) -> None:
        """Take no new RPCs, let the others end for `grace` seconds, then cut them off."""
        ...
