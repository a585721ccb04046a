"""What every servicer does with an RPC: parse its request, end it with a status."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

import grpc
import structlog
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status

from callgate.failures import CallFailed, gate_failure
from callgate_server.call import new_call_id
from callgate_server.refusals import internal_failure

__all__ = ["Handlers", "fail", "parse", "plain_handler", "trailers"]

#: Method handlers over bytes, by method name.
Handlers: TypeAlias = "dict[str, grpc.RpcMethodHandler[bytes, bytes]]"

log = structlog.get_logger("callgate.servicer")

_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


class _AbortStatus(grpc.Status):
    """What `abort_with_status` takes."""

    def __init__(self, status: Status, call_id: str) -> None:
        self.code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
        self.details = status.message
        self.trailing_metadata = trailers(status, call_id)


def trailers(status: Status, call_id: str) -> tuple[tuple[str, str | bytes], ...]:
    """The trailing metadata of a failure; gRPC's own libraries read the status from the same key."""
    rich = ("grpc-status-details-bin", status.SerializeToString())
    return (rich, ("callgate-call-id", call_id)) if call_id else (rich,)


def fail(context: grpc.ServicerContext, status: Status, call_id: str = "") -> NoReturn:
    """End an RPC with a status.

    Args:
        context: the RPC.
        status: what to send.
        call_id: the call's id, for the metadata.
    """
    context.abort_with_status(_AbortStatus(status, call_id))
    raise AssertionError("abort_with_status raises")


def parse(request_type: type[Any], payload: bytes, read: Callable[[bytes], Any] | None = None) -> Any:
    """A request from its bytes.

    Args:
        request_type: its message type.
        payload: the bytes.
        read: what reads them; None for the type itself.

    Raises:
        CallFailed: INVALID_ARGUMENT (MALFORMED_REQUEST).
    """
    try:
        return (read or request_type.FromString)(payload)
    except DecodeError:
        name = request_type.DESCRIPTOR.full_name
        raise gate_failure("MALFORMED_REQUEST", f"the request is not a {name}") from None


def plain_handler(
    request_type: type[Any],
    method: Callable[[Any, str], Message],
    identity_of: Callable[[grpc.ServicerContext], str],
) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    """A handler over bytes for a method that runs no function.

    Args:
        request_type: the request's message type.
        method: takes the request and the caller's identity, returns the response or raises CallFailed.
        identity_of: tells who makes an RPC.

    Returns:
        The handler.
    """

    def handler(payload: bytes, context: grpc.ServicerContext) -> bytes:
        call_id = new_call_id()
        try:
            return method(parse(request_type, payload), identity_of(context)).SerializeToString()
        except CallFailed as failure:
            status = failure.status
        except Exception:
            log.exception("internal error", call_id=call_id)
            status = internal_failure(call_id).status
        fail(context, status, call_id)

    return handler
