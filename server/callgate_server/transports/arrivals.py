"""What the native transport does with a request before there is a call: who makes it, and what is refused at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
from google.rpc.status_pb2 import Status

from callgate.failures import gate_failure
from callgate.http2.compression import CompressionError, Larger, decompressed
from callgate.http2.headers import Metadata, on_the_wire, percent_encoded
from callgate_server.refusals import draining, request_too_large
from callgate_server.security.identity import bearer_identity, certificate_identity, unauthenticated
from callgate_server.security.tokens import TokenTable
from callgate_server.servicers.rpc import trailers

if TYPE_CHECKING:
    from callgate_server.transports.connection import Connection

__all__ = ["Arrivals"]

#: A client that leaves so many times the largest message unread is sent no more.
_UNREAD = 4


class Arrivals:
    """Looks at requests. What it refuses goes when the connection is flushed next.

    Args:
        tokens: bearer tokens to ask for; None to ask for none.
        max_message: bytes of the largest request that is taken.

    Attributes:
        stopping: whether all is refused, since the server stops.
    """

    def __init__(self, tokens: TokenTable | None, max_message: int) -> None:
        self._tokens = tokens
        self._max_message = max_message
        self.stopping = False

    def identity(self, connection: Connection, stream: int, metadata: Metadata) -> str | None:
        """Who makes an RPC; None if it was refused."""
        if self._tokens is not None:
            known = bearer_identity(self._tokens, metadata)
            if known is None:
                self.refuse(connection, stream, unauthenticated(connection.peer).status)
                return None
        else:
            known = connection.identity
            if known is None:
                known = connection.identity = certificate_identity(connection.certificate)
        if self.stopping:
            self.refuse(connection, stream, draining().status)
            return None
        if connection.session.queued > _UNREAD * self._max_message:
            unread = f"{connection.session.queued} bytes of answers on this connection are unread"
            status = gate_failure("OVERLOADED", f"{unread}; this call never started", retry_after=0.1).status
            self.refuse(connection, stream, status)
            return None
        return known

    def request(self, connection: Connection, stream: int, message: Any) -> bytes | None:
        """A message of an RPC, decompressed if need be; None if the RPC was refused."""
        if message is None:
            self.refuse_plainly(connection, stream, "UNIMPLEMENTED", "the request has no message")
            return None
        return message if type(message) is bytes else self._decompressed(connection, stream, *message)

    def _decompressed(self, connection: Connection, stream: int, encoding: str, data: bytes) -> bytes | None:
        try:
            return decompressed(encoding, data, self._max_message)
        except Larger:
            self.refuse_too_large(connection, stream, f"more than {self._max_message}")
        except CompressionError as error:
            self.refuse_plainly(connection, stream, "INTERNAL" if error.known else "UNIMPLEMENTED", str(error))
        return None

    def refuse_too_large(self, connection: Connection, stream: int, size: str) -> None:
        """Refuse a request for its size."""
        self.refuse(connection, stream, request_too_large(size, self._max_message).status)

    def refuse(self, connection: Connection, stream: int, status: Status) -> None:
        """Refuse an RPC with a reason of ours."""
        connection.finish(stream, status.code, percent_encoded(status.message), on_the_wire(trailers(status, "")))

    def refuse_plainly(self, connection: Connection, stream: int, code: str, message: str) -> None:
        """Refuse what is no call of Callgate's, as gRPC itself does: without one."""
        connection.finish(stream, grpc.StatusCode[code].value[0], percent_encoded(message), ())
