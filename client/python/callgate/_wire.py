"""What the synchronous and the asyncio client share: channels, requests, answers and errors. No I/O of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from callgate.context import calling
from callgate.errors import STATUS_CODES, CallgateError, ValueFormError
from callgate.failures import error_from_status, gate_status
from callgate.v1 import function_service_pb2 as pb
from callgate.values import decode, encode

__all__ = [
    "DEFAULT_MAX_MESSAGE",
    "DEFAULT_TARGET",
    "Connection",
    "call_request",
    "decode_response",
    "error_of",
    "health_request",
    "health_status",
    "method",
]

#: Where a server listens unless told otherwise.
DEFAULT_TARGET = "127.0.0.1:50051"

_SERVICE = "callgate.v1.FunctionService"

#: As the server's default; a server with a larger limit is told of by `max_message`.
DEFAULT_MAX_MESSAGE = 64 << 20

# Retried by gRPC itself, and only where the server says that the call never started: UNAVAILABLE without a response is
# "transparent" (the request did not leave, or the server refused the stream), and DRAINING/QUARANTINED never start.
# Other UNAVAILABLEs (a connection lost midway) might have run: gRPC cannot tell them apart by reason, so the policy
# covers only the methods that change nothing.
_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": _SERVICE, "method": name} for name in ("ListFunctions", "GetFunction")],
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


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a server; validated, with the files read, before any channel is made.

    Attributes:
        target: "HOST:PORT", "unix:PATH", or any gRPC name.
        credentials: TLS; None for plain text.
        token: a bearer token, "" for none.
        max_message: the largest message sent or received, bytes of payload.
        options: further channel options.
    """

    target: str
    credentials: grpc.ChannelCredentials | None
    token: str
    max_message: int
    options: tuple[tuple[str, Any], ...]

    @classmethod
    def make(
        cls,
        target: str | None = None,
        *,
        tls: bool | None = None,
        ca: str | os.PathLike[str] | bytes | None = None,
        certificate: str | os.PathLike[str] | bytes | None = None,
        key: str | os.PathLike[str] | bytes | None = None,
        token: str | None = None,
        server_name: str | None = None,
        max_message: int = DEFAULT_MAX_MESSAGE,
        options: Sequence[tuple[str, Any]] = (),
    ) -> Connection:
        """Validate what `connect` was told; see there."""
        target = target or os.environ.get("CALLGATE_SERVER") or DEFAULT_TARGET
        if not isinstance(target, str):
            raise TypeError(f"target is a string like {DEFAULT_TARGET!r}, not {type(target).__name__}")
        if (certificate is None) != (key is None):
            raise ValueError("certificate and key go together: the client's own, for mutual TLS")
        secure = tls if tls is not None else ca is not None or certificate is not None
        if not secure and (ca is not None or certificate is not None):
            raise ValueError("tls=False contradicts ca, certificate and key")
        credentials = None
        if secure:
            credentials = grpc.ssl_channel_credentials(_pem(ca, "ca"), _pem(key, "key"), _pem(certificate, "certificate"))
        token = (token if token is not None else os.environ.get("CALLGATE_TOKEN") or "").strip()
        if token and not token.isascii():
            raise ValueError("a token is ASCII text")
        made: list[tuple[str, Any]] = [
            ("grpc.max_send_message_length", max_message + 1024),
            ("grpc.max_receive_message_length", max_message + 1024),
            # Failures carry a whole exception: gRPC's soft limit of 8 KB would drop some at random.
            ("grpc.max_metadata_size", 16 * 1024),
            ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
            # Find out that a peer is gone although its host never said so.
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
        ]
        if server_name is not None:
            made.append(("grpc.ssl_target_name_override", server_name))
        return cls(target, credentials, token, max_message, (*made, *options))

    def metadata(self) -> tuple[tuple[str, str], ...] | None:
        """What every request carries: the token, and the calls that it is made from."""
        chain = calling()
        if not chain and not self.token:
            return None
        made: tuple[tuple[str, str], ...] = (("authorization", f"Bearer {self.token}"),) if self.token else ()
        return (*made, ("callgate-call-chain", ",".join(chain))) if chain else made


def _pem(value: str | os.PathLike[str] | bytes | None, what: str) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    try:
        data = Path(value).read_bytes()
    except OSError as error:
        raise ValueError(f"{what}: {value} cannot be read: {error.strerror}") from None
    if b"-----BEGIN" not in data:
        raise ValueError(f"{what}: {value} is not PEM (no '-----BEGIN' line)")
    return data


def method(name: str) -> str:
    """A method's path."""
    return f"/{_SERVICE}/{name}"


def call_request(
    module: str, function: str, args: Sequence[Any], kwargs: Mapping[str, Any], max_message: int
) -> bytes:
    """A serialized CallFunctionRequest.

    Raises:
        TypeError: if a name is no string.
        ValueFormError: if an argument has no Value form.
        Exhausted: if the request is larger than `max_message`.
    """
    if not isinstance(module, str) or not isinstance(function, str):
        raise TypeError('a call names a module and a function as strings: call("math", "sqrt", 16.0)')
    request = pb.CallFunctionRequest(module=module, function=function)
    add = request.args.add
    for index, value in enumerate(args):
        try:
            encode(value, add(), path="")
        except ValueFormError as error:
            error.path = f"args[{index}]{error.path}"
            raise
    for name, value in kwargs.items():
        encode(value, request.kwargs[name], path=f"kwargs[{name!r}]")
    data = request.SerializeToString()
    if len(data) > max_message:
        raise too_large(len(data), max_message)
    return data


def too_large(size: int, limit: int) -> CallgateError:
    """The error of a request that this side already knows to be too large."""
    return error_from_status(
        gate_status(
            "REQUEST_TOO_LARGE",
            f"the request is {size} bytes; this client sends at most {limit} (max_message)",
            {"size": str(size), "limit": str(limit)},
        )
    )


def decode_response(data: bytes) -> Any:
    """The value in a serialized CallFunctionResponse."""
    return decode(pb.CallFunctionResponse.FromString(data).value)


def health_request(service: str) -> bytes:
    """A serialized grpc.health.v1.HealthCheckRequest.

    Its one field is a string with number 1, as CallFunctionRequest.module is: no dependency for two messages of one
    field each (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
    """
    return pb.CallFunctionRequest(module=service).SerializeToString()


def health_status(data: bytes) -> str:
    """The status in a serialized HealthCheckResponse: one enum with number 1."""
    names = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
    status = pb.ListFunctionsRequest.FromString(data).page_size
    return names[status] if 0 <= status < len(names) else "UNKNOWN"


def error_of(error: grpc.RpcError) -> CallgateError:
    """The exception to raise for a failed RPC: from its rich status if it has one, else from its code.

    Args:
        error: what grpc or grpc.aio raised.

    Returns:
        A RemoteError or GateError.
    """
    trailing = {str(key): value for key, value in (error.trailing_metadata() or ())}
    rich = trailing.get("grpc-status-details-bin")
    call_id = str(trailing.get("callgate-call-id", ""))
    if isinstance(rich, bytes):
        status = Status()
        try:
            status.ParseFromString(rich)
            return error_from_status(status, call_id=call_id)
        except DecodeError:
            pass  # not from Callgate: the code has to do
    code = error.code()
    name = code.name if code is not None else "UNKNOWN"
    details = error.details() or name
    if name == "DEADLINE_EXCEEDED":
        details = "the deadline passed before an answer came"
    return error_from_status(Status(code=STATUS_CODES.get(name, 2), message=details), call_id=call_id)


