"""Large arguments and results, past protobuf: their bytes are neither copied into a message nor out of one.

protobuf for Python copies a `bytes` field when it is set, when a message is serialized or parsed, and when it is read.
For a large array or `bytes` that is an argument or a result by itself, the message around it is written and read here,
field by field (https://protobuf.dev/programming-guides/encoding/), and what is inside goes through `encode` and
`decode` like everything else:

    encode ─▶ a Value without its bytes, and a view of them ─▶ `written` ─▶ the message, its one copy
    message ─▶ `large_call`, `large_result` ─▶ Values whose bytes are a view of it ─▶ decode ─▶ an array in its memory

On the wire it is the same contract. A length may be written one byte longer than it need be, within the five that
every parser takes, so that elements begin where the machine wants them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.message import DecodeError

from callgate.v1 import function_service_pb2 as pb
from callgate.v1.value_pb2 import Tensor, Value
from callgate.values.framing import head

__all__ = ["LARGE", "LargeCall", "Piece", "large_call", "large_result", "written"]

#: Bytes from which this is worth its 20 µs: copying so many takes as long, measured.
LARGE = 256 << 10

_BYTES, _TENSOR, _DATA = Value.BYTES_VALUE_FIELD_NUMBER, Value.TENSOR_VALUE_FIELD_NUMBER, Tensor.DATA_FIELD_NUMBER
_ARGS = pb.CallFunctionRequest.ARGS_FIELD_NUMBER
_VALUE = pb.CallFunctionResponse.VALUE_FIELD_NUMBER

#: What elements are aligned to, in the message; its own bytes begin at a multiple of 16 in CPython's memory.
_ALIGNMENT = 8


class Piece:
    """Bytes inside a message.

    Args:
        source: the message.
        start: where they begin.
        stop: where they end.
    """

    __slots__ = ("source", "start", "stop")

    def __init__(self, source: bytes, start: int, stop: int) -> None:
        self.source = source
        self.start = start
        self.stop = stop

    def __len__(self) -> int:
        return self.stop - self.start

    def view(self) -> memoryview:
        """The bytes, not copied."""
        return memoryview(self.source)[self.start : self.stop]


class _LargeTensor:
    """Reads like a Tensor."""

    __slots__ = ("data", "dtype", "scalar", "shape")

    def __init__(self, header: Tensor, data: Piece) -> None:
        self.dtype = header.dtype
        self.shape = header.shape
        self.scalar = header.scalar
        self.data = data


class _LargeValue:
    """Reads like a Value."""

    __slots__ = ("_piece", "tensor_value")

    def __init__(self, piece: Piece, tensor: _LargeTensor | None) -> None:
        self._piece = piece
        self.tensor_value = tensor

    def WhichOneof(self, name: str) -> str:  # noqa: N802 -- protobuf's
        return "bytes_value" if self.tensor_value is None else "tensor_value"

    @property
    def bytes_value(self) -> bytes:
        return bytes(self._piece.view())


class LargeCall:
    """Reads like a CallFunctionRequest, with large arguments still in the message.

    Args:
        payload: the message.
        rest: the request without its large arguments.
        args: all arguments.
    """

    __slots__ = ("args", "function", "kwargs", "module", "payload", "takes_more")

    def __init__(self, payload: bytes, rest: pb.CallFunctionRequest, args: list[Any]) -> None:
        self.payload = payload
        self.module = rest.module
        self.function = rest.function
        self.kwargs: Mapping[str, Value] = rest.kwargs
        self.takes_more = rest.takes_more
        self.args: Sequence[Any] = args

    def SerializeToString(self) -> bytes:  # noqa: N802 -- protobuf's
        """As it came."""
        return self.payload


def large_call(payload: bytes) -> LargeCall | None:
    """A request with large arguments, from its bytes; None if it is for protobuf to read."""
    try:
        return _call_of(payload)
    except (_Odd, IndexError):
        return None  # protobuf says whether it is a message


def large_result(payload: bytes) -> Any:
    """What reads like the Value of a serialized CallFunctionResponse; None if it is for protobuf to read."""
    try:
        fields = [*_fields(payload, 0, len(payload))]
        if len(fields) == 1 and fields[0][0] == _VALUE:
            return _value_of(payload, *fields[0][2:])
    except (_Odd, IndexError):
        pass
    return None


def _call_of(payload: bytes) -> LargeCall | None:
    view = memoryview(payload)
    rest: list[memoryview] = []
    args: list[Any] = []
    found = False
    for number, begin, start, stop in _fields(payload, 0, len(payload)):
        value = _value_of(payload, start, stop) if number == _ARGS and stop - start >= LARGE else None
        if number == _ARGS:
            args.append(value)
        if value is None:
            rest.append(view[begin:stop])
        else:
            found = True
    if not found:
        return None
    message = pb.CallFunctionRequest.FromString(b"".join(rest))
    small = iter(message.args)
    return LargeCall(payload, message, [next(small) if value is None else value for value in args])


def _value_of(payload: bytes, start: int, stop: int) -> Any:
    """A Value that is nothing but a large tensor, or large bytes; None if it is another."""
    fields = [*_fields(payload, start, stop)]
    if len(fields) != 1:
        return None
    number, _, start, stop = fields[0]
    if number == _BYTES:
        return _LargeValue(Piece(payload, start, stop), None)
    if number != _TENSOR:
        return None
    view = memoryview(payload)
    header: list[memoryview] = []
    piece: Piece | None = None
    for number, begin, first, last in _fields(payload, start, stop):
        if number != _DATA:
            header.append(view[begin:last])
        elif piece is not None:
            return None
        else:
            piece = Piece(payload, first, last)
    if piece is None:
        return None
    try:
        tensor = Tensor.FromString(b"".join(header))
    except DecodeError:
        raise _Odd from None
    return _LargeValue(piece, _LargeTensor(tensor, piece))


class _Odd(Exception):
    """Bytes that are no message, or one that is not written as usual."""


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """A message's fields: number (0 for those without a length), where the tag begins, the content begins and ends.

    Raises:
        _Odd, IndexError: if it is no message.
    """
    while at < end:
        begin = at
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 2:
            size, at = _varint(data, at)
            start, at = at, at + size
        elif kind == 0:
            start = at
            _, at = _varint(data, at)
        elif kind in (1, 5):
            start, at = at, at + (8 if kind == 1 else 4)
        else:
            raise _Odd
        if at > end:
            raise _Odd
        yield tag >> 3 if kind == 2 else 0, begin, start, at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift >= 64:
            raise _Odd


def written(prefix: bytes, field: int, values: Sequence[tuple[Value, memoryview | None]]) -> bytes:
    """A serialized message.

    Args:
        prefix: its other fields, serialized.
        field: the number of the field that the values are in.
        values: the values, each with its bytes if it lacks them.
    """
    parts: list[bytes | memoryview] = [prefix]
    size = len(prefix)
    for value, data in values:
        if data is None:
            inner = value.SerializeToString()
            made: list[bytes | memoryview] = [head(field, len(inner)), inner]
        else:
            made = [_head_of_large(field, value, len(data), size), data]
        parts += made
        size += sum(map(len, made))
    return b"".join(parts)


def _head_of_large(field: int, value: Value, size: int, offset: int) -> bytes:
    """All that comes before the bytes of a large value; for a tensor, so long that its elements are aligned.

    Args:
        field: the number of the field that the value is in.
        value: the value without its bytes.
        size: how many bytes.
        offset: where the field begins in the message.
    """
    if value.WhichOneof("kind") == "bytes_value":
        data = head(_BYTES, size)
        return head(field, len(data) + size) + data
    made = b""
    header = value.tensor_value.SerializeToString()
    for spare in range(_ALIGNMENT):
        # `scalar: false`, which is what it is without, takes 2 bytes; a length of 256 MiB or more can be no longer.
        data = header + _NO_SCALAR * (spare // 2) + head(_DATA, size, longer=bool(spare % 2) and size < 1 << 28)
        tensor = head(_TENSOR, len(data) + size) + data
        made = head(field, len(tensor) + size) + tensor
        if (offset + len(made)) % _ALIGNMENT == 0:
            break
    return made


_NO_SCALAR = bytes((Tensor.SCALAR_FIELD_NUMBER << 3, 0))
