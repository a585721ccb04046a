"""RPCs that no gRPC library would send: one unary call, its headers written by hand (RFC 9113, RFC 7541)."""

from __future__ import annotations

import socket
from collections.abc import Sequence

CALL = "/callgate.v1.FunctionService/CallFunction"


_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body


# Table size 0: answers come as literals, and nothing is remembered from one header block to the next.
_SETTINGS = _frame(4, 0, 0, b"\0\1\0\0\0\0")


def _header_block(path: str, extra: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    def literal(name: bytes, value: bytes) -> bytes:  # HPACK, never indexed, no Huffman (RFC 7541, 6.2.3)
        return b"\x10" + bytes([len(name)]) + name + bytes([len(value)]) + value

    return b"".join(
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


def begin_calls(address: str, count: int, path: str = CALL) -> socket.socket:
    """Begin unary RPCs whose message never comes.

    Args:
        address: "HOST:PORT".
        count: how many, all on one connection.
        path: the method.

    Returns:
        The connection, with the server's answer to a PING read from it: it has seen all of the calls. Closing it
        cancels them.
    """
    host, _, port = address.rpartition(":")
    raw = socket.create_connection((host, int(port)), timeout=10)
    calls = b"".join(_frame(1, 4, 2 * number + 1, _header_block(path)) for number in range(count))
    raw.sendall(_PREFACE + _SETTINGS + _frame(4, 1, 0, b"") + calls + _frame(6, 0, 0, b"was seen"))
    stream = raw.makefile("rb")
    while head := stream.read(9):
        content = stream.read(int.from_bytes(head[:3], "big"))
        if head[3] == 6 and head[4] & 1 and content == b"was seen":
            return raw
    raise AssertionError("the server closed the connection")


def status_of(
    address: str, message: bytes | None, extra: Sequence[tuple[bytes, bytes]], path: str = CALL
) -> int | None:
    """Make one unary RPC with headers of our own.

    Args:
        address: "HOST:PORT".
        message: the request; None to end the call without one.
        extra: further headers.
        path: the method.

    Returns:
        The grpc-status; None if the stream was reset or the connection cut.
    """
    call = _frame(1, 5 if message is None else 4, 1, _header_block(path, extra))
    if message is not None:
        call += _frame(0, 1, 1, b"\0" + len(message).to_bytes(4, "big") + message)
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(_PREFACE + _SETTINGS + call)
        stream = raw.makefile("rb")
        while head := stream.read(9):
            size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
            stream_id = int.from_bytes(head[5:9], "big") & 0x7FFFFFFF
            content = stream.read(size)
            if kind == 4 and not flags & 1:
                raw.sendall(_frame(4, 1, 0, b""))
            elif stream_id == 1 and kind == 3:
                return None
            elif stream_id == 1 and kind == 1 and flags & 1:
                return _status_in(content)
    return None


#: grpc-status with Huffman coding, and the codes of the digits (RFC 7541, appendix B).
_STATUS_CODED = b"\x88\x9a\xca\xc8\xb2\x124\xda\x8f"
_DIGITS = {
    "00000": 0, "00001": 1, "00010": 2, "011001": 3, "011010": 4,
    "011011": 5, "011100": 6, "011101": 7, "011110": 8, "011111": 9,
}  # fmt: skip


def _status_in(block: bytes) -> int:
    """grpc-status in a header block: its name and its value are plain, or with Huffman coding where that is shorter."""
    for name in (b"grpc-status", _STATUS_CODED):
        _, found, rest = block.partition(name)
        if found:
            break
    else:
        raise AssertionError(f"no grpc-status in {block!r}")
    value = rest[1 : 1 + (rest[0] & 0x7F)]
    if not rest[0] & 0x80:
        return int(value)
    bits = "".join(f"{byte:08b}" for byte in value)
    status, code = 0, ""
    for bit in bits:  # what is left in the end is padding
        code += bit
        if code in _DIGITS:
            status, code = 10 * status + _DIGITS[code], ""
    return status
