"""Values of one piece that are no plain kinds: big int, complex, Decimal, UUID, and str with lone surrogates."""

from __future__ import annotations

import re
from decimal import Context, Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from callgate.errors import ValueDecodeError
from callgate.v1 import value_pb2 as pb
from callgate.values.limits import Budget

__all__ = ["DECODERS", "ENCODERS", "encode_big_int", "encode_surrogates"]

#: The notation of str(Decimal): no underscores, blanks or digits of other scripts, which Decimal() takes as well.
_DECIMAL = re.compile(
    r"-?(?:\d+(?:\.\d*)?(?:E[+-]?\d+)?|\.\d+(?:E[+-]?\d+)?|Infinity|s?NaN\d*)", re.ASCII | re.IGNORECASE
)

# The process's own context may have its traps off or write "e" for "E"; ours decides here.
_CONTEXT = Context(traps=[InvalidOperation])


def encode_big_int(value: int, target: pb.Value) -> None:
    """An int beyond 64 bits: two's complement, as short as possible."""
    # One bit more than bit_length, for the sign; -2**71 needs no more bytes than 2**71 - 1.
    bits = (value if value >= 0 else ~value).bit_length() + 1
    target.big_int_value = value.to_bytes((bits + 7) // 8, "big", signed=True)


def encode_surrogates(value: str, target: pb.Value) -> None:
    """A str with lone surrogates."""
    target.surrogate_string_value = value.encode("utf-8", "surrogatepass")


def _encode_complex(value: complex, target: pb.Value, budget: Budget, depth: int) -> None:
    made = target.complex_value
    made.SetInParent()  # 0j is a value, too
    made.real = value.real
    made.imag = value.imag


def _encode_decimal(value: Decimal, target: pb.Value, budget: Budget, depth: int) -> None:
    target.decimal_value = _CONTEXT.to_sci_string(value)


def _encode_uuid(value: UUID, target: pb.Value, budget: Budget, depth: int) -> None:
    target.uuid_value = value.bytes


def _decode_big_int(value: pb.Value, budget: Budget, depth: int) -> int:
    data = value.big_int_value
    if not data:
        raise ValueDecodeError("a big_int_value is empty")
    return int.from_bytes(data, "big", signed=True)


def _decode_surrogate_string(value: pb.Value, budget: Budget, depth: int) -> str:
    try:
        return value.surrogate_string_value.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise ValueDecodeError(f"a surrogate_string_value is not WTF-8: {error.reason} at byte {error.start}") from None


def _decode_complex(value: pb.Value, budget: Budget, depth: int) -> complex:
    parts = value.complex_value
    return complex(parts.real, parts.imag)


def _decode_decimal(value: pb.Value, budget: Budget, depth: int) -> Decimal:
    text = value.decimal_value
    if not _DECIMAL.fullmatch(text):
        raise ValueDecodeError(f"a decimal_value is no decimal number: {text[:40]!r}")
    try:
        return Decimal(text, _CONTEXT)
    except InvalidOperation:  # an exponent or a NaN's payload that libmpdec cannot hold
        raise ValueDecodeError(f"a decimal_value is out of range: {text[:40]!r}") from None


def _decode_uuid(value: pb.Value, budget: Budget, depth: int) -> UUID:
    data = value.uuid_value
    if len(data) != 16:
        raise ValueDecodeError(f"a uuid_value has {len(data)} bytes; 16 are right")
    return UUID(bytes=data)


ENCODERS: dict[type, Any] = {complex: _encode_complex, Decimal: _encode_decimal, UUID: _encode_uuid}

DECODERS: dict[str, Any] = {
    "big_int_value": _decode_big_int,
    "surrogate_string_value": _decode_surrogate_string,
    "complex_value": _decode_complex,
    "decimal_value": _decode_decimal,
    "uuid_value": _decode_uuid,
}
