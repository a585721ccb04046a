"""Reads just enough of an Arrow IPC stream to tell whether its buffers are compressed, which pyarrow does not tell.

The format: https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format, whose metadata are
flatbuffers (https://flatbuffers.dev/internals/) of `Message` in Arrow's format/Message.fbs. Reading nothing beyond a
few offsets, it accepts whatever it cannot follow: pyarrow refuses that.
"""

from __future__ import annotations

import struct

__all__ = ["is_compressed"]

_CONTINUATION = b"\xff\xff\xff\xff"
# Fields by their position in Message.fbs.
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3
_DICTIONARY_DATA = 1
_COMPRESSION = 3
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3


def is_compressed(stream: bytes) -> bool:
    """Whether any record or dictionary batch of an IPC stream has compressed buffers.

    Args:
        stream: the stream.

    Returns:
        True if one says so; False also for what is no IPC stream.
    """
    at = 0
    try:
        while at < len(stream):
            if stream[at : at + 4] == _CONTINUATION:  # left out by writers before 0.15
                at += 4
            (size,) = struct.unpack_from("<i", stream, at)
            at += 4
            if size <= 0:
                return False
            message = at + _unsigned(stream, at)
            if _batch_is_compressed(stream, message):
                return True
            body = _field(stream, message, _BODY_LENGTH)
            (length,) = struct.unpack_from("<q", stream, body) if body else (0,)
            if length < 0:
                return False
            at += size + length
    except struct.error:  # an offset beyond the end
        pass
    return False


def _batch_is_compressed(stream: bytes, message: int) -> bool:
    kind_at, header_at = _field(stream, message, _HEADER_TYPE), _field(stream, message, _HEADER)
    if not kind_at or not header_at:
        return False
    kind = struct.unpack_from("<B", stream, kind_at)[0]
    batch = header_at + _unsigned(stream, header_at)
    if kind == _DICTIONARY_BATCH:
        data = _field(stream, batch, _DICTIONARY_DATA)
        if not data:
            return False
        batch = data + _unsigned(stream, data)
    elif kind != _RECORD_BATCH:
        return False
    return _field(stream, batch, _COMPRESSION) != 0


def _unsigned(stream: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", stream, at)[0])


def _field(stream: bytes, table: int, position: int) -> int:
    """Where a flatbuffer table's field is; 0 if it is absent."""
    vtable = table - struct.unpack_from("<i", stream, table)[0]
    if vtable < 0:  # before the start, where struct would count from the end
        raise struct.error
    size, offset_at = struct.unpack_from("<H", stream, vtable)[0], 4 + 2 * position
    if offset_at + 2 > size:
        return 0
    offset = struct.unpack_from("<H", stream, vtable + offset_at)[0]
    return table + int(offset) if offset else 0
