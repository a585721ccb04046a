"""Frames between the front and its workers: how bytes are laid out on the two sockets. Pure, shared by both ends.

    calls      header │ head (JSON, small) │ body (protobuf, opaque here)      front ⇄ worker, one call at a time
    control    op │ number                                                     front → worker, at any time

Both are pairs of connected Unix stream sockets, made before the worker is. Nothing on them is ever unpickled. What the
front reads is not trusted: a header that is wrong is a BadFrame, and its worker is ended.

Standard library only: a worker reads its first frame before it may import anything else.
"""

from __future__ import annotations

import enum
import socket
import struct
from typing import NamedTuple

__all__ = [
    "CONTROL",
    "MAX_BODY",
    "MAX_HEAD",
    "WORN",
    "BadFrame",
    "Control",
    "Frame",
    "FrameTooLarge",
    "Hangup",
    "Kind",
    "receive",
    "send",
]

#: Magic, kind, flags, length of the head, length of the body, the call's number; big-endian, 24 bytes.
_HEADER = struct.Struct("!2sBBIQQ")
_MAGIC = b"cg"

#: JSON: the functions of a large server or an import's traceback are the longest heads.
MAX_HEAD = 16 << 20
#: protobuf's own limit on a message.
MAX_BODY = (1 << 31) - 1
#: Up to here one read for head and body, and a copy, are cheaper than two reads. Arbitrary within a factor of four.
_ONE_READ = 64 << 10

#: A control message: what to do, and the number of the call that it is for.
CONTROL = struct.Struct("!BQ")


class Kind(enum.IntEnum):
    """What a frame is."""

    START = 1  # front → worker, once: how to get ready
    READY = 2  # worker → front: it is
    FAILED = 3  # worker → front: it cannot be
    CALL = 4  # front → worker: head is the call's context, body the CallFunctionRequest
    RESULT = 5  # worker → front: body is a CallFunctionResponse
    STATUS = 6  # worker → front: body is a google.rpc.Status
    INTERRUPTED = 7  # worker → front: the call was interrupted
    EXPIRED = 8  # worker → front: the deadline had passed before the function could start
    ITEM = 9  # worker → front: body is a StreamFunctionResponse; the worker waits for NEXT or CLOSE
    END = 10  # worker → front: the stream has ended
    NEXT = 11  # front → worker: the next item
    CLOSE = 12  # front → worker: no more items; answered by END


_KINDS = {int(kind): kind for kind in Kind}

#: A frame's flag: the worker has grown beyond a limit, and asks to be replaced. A plain number: a flag of enum costs as
#: much as the rest of a header.
WORN = 1


class Control(enum.IntEnum):
    """What a control message asks for."""

    CANCELLED = 1  # nobody waits for the call any more
    INTERRUPT = 2  # raise CallInterrupted in it


class Frame(NamedTuple):
    """One frame, read."""

    kind: Kind
    flags: int
    number: int
    head: bytes
    body: bytes


class BadFrame(Exception):
    """What came is no frame."""


class FrameTooLarge(MemoryError):
    """A frame for which there is no memory; it has been read off the socket, and the next can be read.

    Attributes:
        number: its call's number.
    """

    def __init__(self, number: int, size: int) -> None:
        super().__init__(f"there is no memory for a message of {size} bytes")
        self.number = number


class Hangup(EOFError):
    """The other side closed the socket, or died.

    Attributes:
        unread: whether it had not read everything that was sent to it; a call in it then never started.
    """

    def __init__(self, unread: bool = False) -> None:
        super().__init__("the other side closed the socket")
        self.unread = unread


def send(
    sock: socket.socket, kind: Kind, *, number: int = 0, head: bytes = b"", body: bytes = b"", flags: int = 0
) -> None:
    """Write a frame, without copying its body.

    Raises:
        Hangup: if nobody will read all of it.
    """
    header = _HEADER.pack(_MAGIC, kind, flags, len(head), len(body), number)
    parts = [part for part in (header, head, body) if part]
    left = sum(map(len, parts))
    try:
        sent = sock.sendmsg(parts)
        while sent < left:
            left -= sent
            views = [memoryview(part) for part in parts]
            while sent >= len(views[0]):
                sent -= len(views.pop(0))
            views[0] = views[0][sent:]
            parts = views  # type: ignore[assignment] # memoryviews have all of bytes that is used here
            sent = sock.sendmsg(parts)
    except OSError as error:
        raise Hangup(unread=True) from error


def receive(sock: socket.socket) -> Frame:
    """Read a frame.

    Raises:
        Hangup: if the other side closed the socket.
        BadFrame: if what came is no frame.
        FrameTooLarge: if it does not fit into memory.
    """
    header = _exactly(sock, _HEADER.size)
    magic, kind, flags, head_size, body_size, number = _HEADER.unpack(header)
    if magic != _MAGIC:
        raise BadFrame(f"a frame starts with {_MAGIC!r}, not {header[:8]!r}")
    if head_size > MAX_HEAD or body_size > MAX_BODY:
        raise BadFrame(f"a frame of {head_size} and {body_size} bytes is beyond what any worker sends")
    known = _KINDS.get(kind)
    if known is None:
        raise BadFrame(f"no frame is of kind {kind}")
    try:
        if head_size == 0 or body_size > _ONE_READ:
            head = _exactly(sock, head_size)
            body = _exactly(sock, body_size)
        else:
            both = _exactly(sock, head_size + body_size)
            head, body = both[:head_size], both[head_size:]
    except MemoryError:
        raise FrameTooLarge(number, body_size) from None
    return Frame(known, flags, number, head, body)


def _exactly(sock: socket.socket, size: int) -> bytes:
    """Read so many bytes: one system call and no copy, unless a signal or a timeout on the socket splits the read.

    Raises:
        MemoryError: if they don't fit; they have then been read and dropped.
    """
    if size == 0:
        return b""
    have = 0
    try:
        try:
            data = sock.recv(size, socket.MSG_WAITALL)
            have = len(data)
            if have == size:
                return data
            if have == 0:
                raise Hangup
            whole = bytearray(size)
            whole[:have] = data
            view = memoryview(whole)
            while have < size:
                more = sock.recv_into(view[have:], size - have, socket.MSG_WAITALL)
                if more == 0:
                    raise Hangup
                have += more
            return bytes(whole)
        except MemoryError:
            while have < size:
                dropped = len(sock.recv(min(size - have, _ONE_READ)))
                if dropped == 0:
                    raise Hangup from None
                have += dropped
            raise
    except ConnectionResetError as error:
        # Linux: the peer closed a Unix socket with bytes in it that it had not read.
        raise Hangup(unread=True) from error
    except OSError as error:
        raise Hangup from error
