"""A CallFunctionRequest from its bytes: decoded in C if it is plain, with views of its bytes if it is large, or parsed.

All three read like the message. Whether a request is what the contract says, protobuf decides wherever C does not take
it: C takes less, and never what protobuf refuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from callgate.v1 import function_service_pb2 as pb
from callgate.v1.value_pb2 import Value
from callgate.values.decode import decode_arguments
from callgate.values.large import LARGE, LargeCall, large_call
from callgate.values.limits import DEFAULT_LIMITS, Limits

try:
    from callgate.values import _compiled
except ImportError:  # not compiled for this Python: see build_compiled.py
    _compiled = None  # type: ignore[assignment]  # a module or none

__all__ = ["DecodedCall", "as_message", "call_of", "decoded_arguments"]


class DecodedCall:
    """Reads like a CallFunctionRequest, and has its arguments decoded.

    Args:
        payload: the message.
        decoded: what it says.

    Attributes:
        positional: the positional arguments; new objects, for who calls the function.
        named: the keyword arguments.
    """

    __slots__ = ("_message", "function", "module", "named", "payload", "positional")

    takes_more = False

    def __init__(self, payload: bytes, decoded: tuple[str, str, list[Any], dict[str, Any]]) -> None:
        self.payload = payload
        self.module, self.function, self.positional, self.named = decoded
        self._message: pb.CallFunctionRequest | None = None

    @property
    def message(self) -> pb.CallFunctionRequest:
        """The message itself."""
        if self._message is None:
            self._message = pb.CallFunctionRequest.FromString(self.payload)
        return self._message

    @property
    def args(self) -> Sequence[Value]:
        """The positional arguments, still Values."""
        return self.message.args

    @property
    def kwargs(self) -> Mapping[str, Value]:
        """The keyword arguments, still Values."""
        return self.message.kwargs

    def SerializeToString(self) -> bytes:  # noqa: N802 -- protobuf's
        """As it came."""
        return self.payload


def call_of(payload: bytes, limits: Limits = DEFAULT_LIMITS) -> pb.CallFunctionRequest:
    """A request from its bytes: the message, or what reads like it.

    Args:
        payload: the bytes.
        limits: depth and element limits on what is decoded at once; others are held to them when they are decoded.

    Raises:
        DecodeError: if they are none.
    """
    if len(payload) >= LARGE:
        found = large_call(payload)
        if found is not None:
            return found  # type: ignore[return-value]  # it reads like one
    elif _compiled is not None:  # type: ignore[redundant-expr,unused-ignore]  # where it is not compiled
        plain = _compiled.call(payload, limits.depth, limits.elements)
        if plain is not None:
            return DecodedCall(payload, plain)  # type: ignore[return-value]  # likewise
    return pb.CallFunctionRequest.FromString(payload)


def decoded_arguments(request: Any, limits: Limits = DEFAULT_LIMITS) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of what reads like a CallFunctionRequest, decoded.

    Args:
        request: the request; its plain arguments are given away, for who calls the function.
        limits: depth and element limits.

    Returns:
        Positional and keyword arguments.

    Raises:
        ValueDecodeError: as `decode_arguments`.
    """
    if type(request) is DecodedCall:
        return request.positional, request.named
    return decode_arguments(request.args, request.kwargs, limits)


def as_message(call: Any) -> pb.CallFunctionRequest:
    """A CallFunctionRequest, also of what only reads like one."""
    if isinstance(call, LargeCall):
        return pb.CallFunctionRequest.FromString(call.payload)
    return call.message if isinstance(call, DecodedCall) else call  # it is one
