"""What the synchronous and the asyncio client share of a call: requests, answers, deadlines, errors. No I/O."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from callgate._connection import SERVICE, Connection
from callgate.errors import STATUS_CODES, CallgateError, Cancelled, DeadlineExceeded, ServerFault, ValueFormError
from callgate.failures import error_from_status, gate_status
from callgate.v1 import function_service_pb2 as pb
from callgate.v1.value_pb2 import Value
from callgate.values import DEFAULT_LIMITS, decode, decode_plain, encode, framing, plain_bytes
from callgate.values.large import LARGE, large_result, written

__all__ = [
    "HEALTH_CHECK",
    "RELOAD",
    "REPEATABLE",
    "TOGETHER",
    "call_request",
    "closed",
    "closed_midway",
    "closed_unsent",
    "decode_response",
    "error_of",
    "health_request",
    "health_status",
    "item_values",
    "method",
    "no_copies",
    "no_forks",
    "no_lane",
    "no_place",
    "no_time",
    "response_of",
    "seconds_of",
    "too_large",
]

#: The standard health service's method (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
HEALTH_CHECK = "/grpc.health.v1.Health/Check"

#: Bytes that a client must take for a stream's items to come together, in messages of 64 KiB and a little.
TOGETHER = 128 << 10

_MODULE, _FUNCTION = pb.CallFunctionRequest.MODULE_FIELD_NUMBER, pb.CallFunctionRequest.FUNCTION_FIELD_NUMBER
_ARGS = pb.CallFunctionRequest.ARGS_FIELD_NUMBER
_VALUE = pb.CallFunctionResponse.VALUE_FIELD_NUMBER

#: AdminService's one method.
RELOAD = "/callgate.v1.AdminService/ReloadFunctions"

#: Methods that change nothing: they may be tried again where the server cannot be reached.
REPEATABLE = frozenset({f"/{SERVICE}/ListFunctions", f"/{SERVICE}/GetFunction"})

#: Timeouts from here on, a hundred years, are none: gRPC counts in 64-bit nanoseconds, and they would wrap around.
_FOREVER = 100 * 365 * 86400.0


def method(name: str) -> str:
    """A method's path."""
    return f"/{SERVICE}/{name}"


def call_request(
    module: Any,
    function: Any,
    args: Sequence[Any],
    kwargs: Mapping[Any, Any],
    max_message: int,
    *,
    takes_more: bool = False,
) -> bytes:
    """A serialized CallFunctionRequest.

    Args:
        module: the module's name.
        function: the function's.
        args: positional arguments.
        kwargs: keyword arguments.
        max_message: the most bytes.
        takes_more: for a stream whose answers are read by `item_values`.

    Raises:
        TypeError: if a name is no string, or the arguments are no sequence and no mapping.
        ValueError: if a name cannot be sent (half of a surrogate pair).
        ValueFormError: if an argument has no Value form.
        Exhausted: if the request is larger than `max_message`.
    """
    if not isinstance(module, str) or not isinstance(function, str):
        raise TypeError('a call names a module and a function as strings: call("math", "sqrt", 16.0)')
    if isinstance(args, str | bytes) or not isinstance(kwargs, Mapping):
        raise TypeError(
            "arguments are a sequence, keyword arguments a mapping: call_with(module, function, [1], {'b': 2})"
        )
    if not kwargs and not takes_more and (plain := _plain_request(module, function, args)) is not None:
        if len(plain) > max_message:
            raise too_large(len(plain), max_message)
        return plain
    try:
        request = pb.CallFunctionRequest(module=module, function=function)
    except UnicodeEncodeError:
        raise ValueError(f"{module[:80]!a}, {function[:80]!a}: a name is Unicode text without surrogates") from None
    add = request.args.add
    hole: list[memoryview] = []
    large: dict[int, memoryview] = {}
    for index, value in enumerate(args):
        try:
            encode(value, add(), "", DEFAULT_LIMITS, hole)
            if hole:
                large[index] = hole.pop()
        except ValueFormError as error:
            error.path = f"args[{index}]{error.path}"
            raise
    for name, value in kwargs.items():
        if not isinstance(name, str):
            raise TypeError(f"keyword arguments are named by strings, not by {name!r}")
        try:
            into = request.kwargs[name]
        except UnicodeEncodeError:
            raise ValueError(f"{name[:80]!a}: a name is Unicode text without surrogates") from None
        encode(value, into, path=f"kwargs[{name!r}]")
    if takes_more:
        request.takes_more = True
    if large:
        values = [(value, large.get(index)) for index, value in enumerate(request.args)]
        rest = pb.CallFunctionRequest(module=module, function=function, kwargs=request.kwargs, takes_more=takes_more)
        data = written(rest.SerializeToString(), _ARGS, values)
    else:
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
            {"size": str(size), "limit": str(limit), "unit": "bytes"},
        )
    )


def _plain_request(module: str, function: str, args: Sequence[Any]) -> bytes | None:
    """A serialized CallFunctionRequest, if all its arguments are plain; None if it is to be written as a message."""
    if type(module) is not str or type(function) is not str or not module or not function:
        return None
    if type(args) not in (tuple, list):
        return None
    try:
        parts = [framing.framed(_MODULE, module.encode()), framing.framed(_FUNCTION, function.encode())]
    except UnicodeEncodeError:
        return None
    for value in args:
        data = plain_bytes(value)
        if data is None:
            return None
        parts += (framing.head(_ARGS, len(data)), data)
    return b"".join(parts)


def response_of(kind: type[Any], data: bytes | None) -> Any:
    """A response message from its bytes; None where grpcio got a good status and no message.

    Raises:
        ServerFault: if it is none: whatever answers there is no Callgate server.
    """
    if data is None:
        raise ServerFault("the call ended well and without an answer; is it a Callgate server?", code="INTERNAL")
    try:
        return kind.FromString(data)
    except DecodeError:
        name = kind.DESCRIPTOR.full_name
        raise ServerFault(f"the answer is no {name}; is it a Callgate server?", code="INTERNAL") from None


def decode_response(data: bytes) -> Any:
    """The value in a serialized CallFunctionResponse. The bytes are the value's from then on, if it is an array."""
    if data:
        if len(data) >= LARGE:
            value = large_result(data)
            if value is not None:
                return decode(value)
        start = framing.only_field(data, _VALUE)
        found = decode_plain(data, start) if start else None
        if found is not None:
            return found[0]
    return decode(response_of(pb.CallFunctionResponse, data).value)


def item_values(data: bytes) -> tuple[Value, Sequence[Value]]:
    """The item in a serialized StreamFunctionResponse, and those after it, still Values."""
    response = response_of(pb.StreamFunctionResponse, data)
    return response.value, response.more


def health_request(service: str) -> bytes:
    """A serialized grpc.health.v1.HealthCheckRequest.

    Its one field is a string with number 1, as CallFunctionRequest.module is: no dependency for two messages of one
    field each (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
    """
    return pb.CallFunctionRequest(module=service).SerializeToString()


def health_status(data: bytes) -> str:
    """The status in a serialized HealthCheckResponse: one enum with number 1."""
    names = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
    # An enum and an int32 look the same on the wire; proto3 leaves 0 out.
    status = response_of(pb.ListFunctionsRequest, data).page_size
    return names[status] if 0 <= status < len(names) else "UNKNOWN"


def seconds_of(timeout: Any, default: float | None) -> float | None:
    """A call's timeout, as gRPC takes it.

    Args:
        timeout: what the caller said; None for the default.
        default: the connection's.

    Returns:
        Seconds; None for no limit.

    Raises:
        TypeError: if it is no number.
        ValueError: if it is negative or NaN.
    """
    if timeout is None:
        return default
    if not isinstance(timeout, Real) or isinstance(timeout, bool):
        raise TypeError(f"timeout is a number of seconds or None, not {type(timeout).__name__}")
    number: Any = timeout  # Real knows no operators in the stubs
    if not number >= 0:  # so that it catches NaN, which is neither
        raise ValueError(f"timeout is {timeout}; 0 or more seconds is right, or None for no limit")
    return float(number) if number < _FOREVER else None


def error_of(error: grpc.RpcError, connection: Connection) -> CallgateError:
    """The exception to raise for a failed RPC: from its rich status if it has one, else from its code.

    Args:
        error: what grpc or grpc.aio raised.
        connection: what it came over.

    Returns:
        A RemoteError or GateError.
    """
    metadata: Any = error.trailing_metadata()  # the stubs' pairs are no tuples
    trailing = {str(key): value for key, value in metadata or ()}
    rich = trailing.get("grpc-status-details-bin")
    call_id = str(trailing.get("callgate-call-id", ""))
    code: grpc.StatusCode | None = error.code()
    name = code.name if code is not None else "UNKNOWN"
    number = STATUS_CODES.get(name, 2)
    if isinstance(rich, bytes):
        status = Status()
        try:
            status.ParseFromString(rich)
        except DecodeError:
            pass  # not from Callgate: the code has to do
        else:
            if status.code == number:  # else somebody on the way, a proxy, changed the answer: the code counts
                return error_from_status(status, call_id=call_id)
    details = error.details() or name
    if name == "DEADLINE_EXCEEDED":
        details = "the deadline passed before an answer came"
    elif name == "UNAVAILABLE":
        details = connection.unreachable(details)
    elif name == "RESOURCE_EXHAUSTED" and (found := _REFUSED.search(details)):
        return error_from_status(_too_large_on_the_way(found), call_id=call_id)
    return error_from_status(Status(code=number, message=details), call_id=call_id)


#: How grpcio refuses a message, on either side: "SERVER: Received message larger than max (1048603 vs. 1048576)".
_REFUSED = re.compile(r"(SERVER|CLIENT)?:? ?[Rr]eceived message larger than max \((\d+) vs\. (\d+)\)")


def _too_large_on_the_way(found: re.Match[str]) -> Status:
    """The status of a message that gRPC itself refused, with the reason and numbers that Callgate would have given."""
    size, limit = found[2], found[3]
    about = {"size": size, "limit": limit, "unit": "bytes"}
    if found[1] == "CLIENT":
        sentence = f"the answer is {size} bytes; this client takes at most {limit} (max_message)"
        return gate_status("RESPONSE_TOO_LARGE", sentence, about)
    return gate_status("REQUEST_TOO_LARGE", f"the request is {size} bytes; the server takes at most {limit}", about)


def closed() -> RuntimeError:
    """The error of a call on a closed Gate."""
    return RuntimeError("this Gate is closed")


def closed_midway() -> Cancelled:
    """The error of a call whose Gate was closed while it was on its way."""
    return Cancelled("this Gate was closed while the call was on its way; the function may have run", code="CANCELLED")


def closed_unsent() -> Cancelled:
    """The error of a submitted call whose Gate was closed before it was sent."""
    return Cancelled("this Gate was closed before the call was sent; it never started", code="CANCELLED")


def no_lane(lanes: int) -> DeadlineExceeded:
    """The error of a submitted call whose deadline passed before a batch could take it along."""
    return DeadlineExceeded(
        f"the deadline passed while the call waited in this client, which has {lanes} batches of submitted calls on "
        "their way at once; it never started",
        code="DEADLINE_EXCEEDED",
        reason="EXPIRED_IN_QUEUE",
    )


def no_place(in_flight: int) -> DeadlineExceeded:
    """The error of a call whose deadline passed before one of the Gate's places was free."""
    return DeadlineExceeded(
        f"the deadline passed while the call waited in this client, which has {in_flight} on their way at once "
        "(in_flight); it never started",
        code="DEADLINE_EXCEEDED",
        reason="EXPIRED_IN_QUEUE",
    )


def no_time() -> DeadlineExceeded:
    """The error of a call with no time left: gRPC would send it, and the function might run."""
    return DeadlineExceeded(
        "the deadline passed before the call left this client; it never started",
        code="DEADLINE_EXCEEDED",
        reason="EXPIRED_IN_QUEUE",
    )


def no_forks(made_in: int) -> RuntimeError:
    """The error of a Gate that is used in a forked child, where gRPC's threads and connections do not exist."""
    return RuntimeError(
        f"this Gate was made in process {made_in} and this is a fork of it, process {os.getpid()}: gRPC does not "
        'survive a fork; connect in the child, or start it with multiprocessing\'s "spawn" or "forkserver"'
    )


def no_copies() -> TypeError:
    """The error of pickling or copying a Gate."""
    return TypeError("a Gate is a connection: it can be neither pickled nor copied; connect where it is needed")
