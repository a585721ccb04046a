"""How an RPC over the native transport fails: as grpcio's do, so that errors are made of it in one place.

The sources are https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md and, for HTTP/2 error codes,
https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors.
"""

from __future__ import annotations

from typing import Any

import grpc

from callgate.http2.compression import CompressionError, Larger, decompressed
from callgate.http2.headers import Metadata, percent_decoded, received
from callgate.http2.kinds import ANSWER, CANCEL, GONE, LOCAL, MESSAGE, REFUSED_STREAM, STATUS, TOO_LARGE, Event

__all__ = ["CONNECT_FAILED", "RpcFailed", "failure_of", "lost", "message_of"]

#: What grpcio's details of a connection that cannot be made begin with; the client's sentences know them by it.
CONNECT_FAILED = "failed to connect to all addresses; last error: "

_CODES = {code.value[0]: code for code in grpc.StatusCode}

_OF_HTTP = {
    400: grpc.StatusCode.INTERNAL,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.UNIMPLEMENTED,
    429: grpc.StatusCode.UNAVAILABLE,
    502: grpc.StatusCode.UNAVAILABLE,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.UNAVAILABLE,
}

_ENHANCE_YOUR_CALM, _INADEQUATE_SECURITY = 11, 12

_OF_HTTP2 = {
    REFUSED_STREAM: grpc.StatusCode.UNAVAILABLE,
    CANCEL: grpc.StatusCode.CANCELLED,
    _ENHANCE_YOUR_CALM: grpc.StatusCode.RESOURCE_EXHAUSTED,
    _INADEQUATE_SECURITY: grpc.StatusCode.PERMISSION_DENIED,
}


class RpcFailed(grpc.RpcError):
    """An RPC that did not end well; it has what grpcio's own errors have.

    Args:
        code: the status code.
        details: its message.
        metadata: what came behind it.
    """

    def __init__(self, code: grpc.StatusCode, details: str, metadata: Metadata = ()) -> None:
        super().__init__(code, details)
        self._code = code
        self._details = details
        self._metadata = metadata

    def code(self) -> grpc.StatusCode:
        """The status code."""
        return self._code

    def details(self) -> str:
        """The status message."""
        return self._details

    def trailing_metadata(self) -> Any:  # the stubs' pairs are no tuples
        """What came behind it; values of -bin keys are bytes."""
        return self._metadata


def lost(how: str) -> RpcFailed:
    """The failure of an RPC whose connection ended before its answer: it may have run.

    Args:
        how: what became of the connection.
    """
    return RpcFailed(grpc.StatusCode.UNAVAILABLE, f"the connection was lost while the call was on its way: {how}")


def message_of(message: Any, max_message: int) -> bytes:
    """A message, decompressed if need be.

    Raises:
        RpcFailed: if it cannot be, or is too large then.
    """
    if isinstance(message, bytes):
        return message
    encoding, data = message
    try:
        return decompressed(encoding, data, max_message)
    except CompressionError as error:
        raise RpcFailed(grpc.StatusCode.INTERNAL, f"the answer: {error}") from None
    except Larger:
        raise _too_large(f"{max_message + 1}", max_message) from None


def _too_large(size: str, limit: int) -> RpcFailed:
    # In grpcio's words, of which the client makes its own sentence.
    details = f"CLIENT: Received message larger than max ({size} vs. {limit})"
    return RpcFailed(grpc.StatusCode.RESOURCE_EXHAUSTED, details)


def failure_of(event: Event, max_message: int) -> RpcFailed | None:
    """How an RPC failed, from the event that ended it; None if it ended well.

    Args:
        event: the event.
        max_message: bytes of the largest message that is taken.
    """
    kind = event[0]
    if kind == LOCAL:
        failure: RpcFailed = event[1]
        return failure
    if kind == STATUS:
        _, _, http, number, text, metadata, content_type = event
        if http != 200:
            code = _OF_HTTP.get(http, grpc.StatusCode.UNKNOWN)
            return RpcFailed(code, f"the answer has HTTP status {http}: is it a gRPC server?")
        if number < 0:
            of_grpc = (content_type or "").startswith("application/grpc")
            code = grpc.StatusCode.INTERNAL if of_grpc else grpc.StatusCode.UNKNOWN
            return RpcFailed(code, "the answer has no status: is it a gRPC server?")
        if number == 0:
            return None
        code = _CODES.get(number, grpc.StatusCode.UNKNOWN)
        return RpcFailed(code, percent_decoded(text or ""), received(metadata))
    if kind == GONE:
        code = _OF_HTTP2.get(event[2], grpc.StatusCode.INTERNAL)
        return RpcFailed(code, f"the server reset the call (HTTP/2 error code {event[2]})")
    if kind == TOO_LARGE:
        return _too_large(str(event[2]), max_message)
    if kind in (MESSAGE, ANSWER):
        return RpcFailed(grpc.StatusCode.INTERNAL, "the server sent two answers to one call")
    raise AssertionError(f"no event ends an RPC that is {event!r}")
