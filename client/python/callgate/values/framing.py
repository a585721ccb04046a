"""Messages put together from fields that are serialized already, and taken apart again: protobuf's wire format
(https://protobuf.dev/programming-guides/encoding/), as far as fields with a length go.

For what would else be parsed or serialized twice. In any order and from any parts, fields make one message.
"""

from __future__ import annotations

__all__ = ["framed", "head", "only_field"]

#: Heads of short fields, by field number and length.
_SHORT = tuple(tuple(bytes((field << 3 | 2, size)) for size in range(128)) for field in range(16))


def head(field: int, size: int, longer: bool = False) -> bytes:
    """A field's tag and the length of its content.

    Args:
        field: its number.
        size: the length, bytes.
        longer: whether the length is to take one byte more than it needs, as parsers allow.
    """
    if size < 128 and field < 16 and not longer:
        return _SHORT[field][size]
    made = bytearray()
    for number, more in ((field << 3 | 2, False), (size, longer)):
        while number > 127:
            made.append(number & 127 | 128)
            number >>= 7
        made.append(number)
        if more:
            made[-1] |= 128
            made.append(0)
    return bytes(made)


def framed(field: int, data: bytes) -> bytes:
    """A field with its content."""
    return head(field, len(data)) + data


def only_field(data: bytes, field: int) -> int:
    """Where a field's content begins, if the message is nothing but this field; 0 if it is not.

    Args:
        data: the message.
        field: the field's number, below 16.
    """
    if len(data) < 2 or data[0] != field << 3 | 2:
        return 0
    size = shift = 0
    for at in range(1, min(len(data), 6)):
        byte = data[at]
        size |= (byte & 127) << shift
        if byte < 128:
            return at + 1 if at + 1 + size == len(data) else 0
        shift += 7
    return 0
