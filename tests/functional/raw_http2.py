"""RPCs that no gRPC library would send: one unary call, its headers written by hand (RFC 9113, RFC 7541)."""

from __future__ import annotations

import socket
from collections.abc import Sequence

CALL = "/callgate.v1.FunctionService/CallFunction"


def status_of(address: str, message: bytes, extra: Sequence[tuple[bytes, bytes]], path: str = CALL) -> int | None:
    """Make one unary RPC with headers of our own.

    Returns:
        The grpc-status; None if the stream was reset or the connection cut.
    """

    def frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
        return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body

    def literal(name: bytes, value: bytes) -> bytes:  # HPACK, never indexed, no Huffman (RFC 7541, 6.2.3)
        return b"\x10" + bytes([len(name)]) + name + bytes([len(value)]) + value

    headers = b"".join(
        literal(name, value)
        for name, value in [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", path.encode()),
            (b":authority", b"localhost"),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
            *extra,
        ]
    )
    body = b"\0" + len(message).to_bytes(4, "big") + message
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + frame(4, 0, 0, b"\0\1\0\0\0\0")  # SETTINGS_HEADER_TABLE_SIZE 0: answers come as literals
            + frame(1, 4, 1, headers)
            + frame(0, 1, 1, body)
        )
        stream = raw.makefile("rb")
        while head := stream.read(9):
            size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
            stream_id = int.from_bytes(head[5:9], "big") & 0x7FFFFFFF
            content = stream.read(size)
            if kind == 4 and not flags & 1:
                raw.sendall(frame(4, 1, 0, b""))
            elif stream_id == 1 and kind == 3:
                return None
            elif stream_id == 1 and kind == 1 and flags & 1:
                return _status_in(content)
    return None


def _status_in(block: bytes) -> int:
    """grpc-status in a header block, where gRPC writes it as a literal without Huffman coding."""
    _, found, rest = block.partition(b"grpc-status")
    assert found, f"no grpc-status in {block!r}"
    return int(rest[1 : 1 + rest[0]])
