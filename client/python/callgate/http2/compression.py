"""Messages that came compressed (https://github.com/grpc/grpc/blob/master/doc/compression.md)."""

from __future__ import annotations

import zlib

__all__ = ["CompressionError", "Larger", "decompressed"]

#: zlib's way of saying "with gzip's head", or "with zlib's".
_WAYS = {"gzip": 31, "deflate": 15}


class CompressionError(ValueError):
    """A message that cannot be decompressed; the argument says why.

    Attributes:
        known: whether its encoding is one that is taken.
    """

    def __init__(self, why: str, *, known: bool) -> None:
        super().__init__(why)
        self.known = known


class Larger(ValueError):  # noqa: N818 -- no fault of the message's
    """A message that is larger than it may be, once it is decompressed."""


def decompressed(encoding: str, data: bytes, limit: int) -> bytes:
    """A message that came compressed.

    Args:
        encoding: its encoding.
        data: its bytes.
        limit: the most bytes that it may become; no more memory than for those is taken.

    Raises:
        CompressionError: if it cannot be.
        Larger: if it would be more.
    """
    way = _WAYS.get(encoding)
    if way is None:
        what = f"messages compressed by {encoding[:80]!r} are not taken; gzip, deflate and identity are"
        raise CompressionError(what, known=False)
    expanding = zlib.decompressobj(way)
    try:
        message = expanding.decompress(data, limit + 1)
    except zlib.error as error:
        raise CompressionError(f"the message is not {encoding}: {error}", known=True) from None
    if len(message) > limit:
        raise Larger
    if not expanding.eof:
        raise CompressionError(f"the message is not whole {encoding}", known=True)
    return message
