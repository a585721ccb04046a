"""The memory that a sub-interpreter and the main interpreter share, and how a message lies in it.

    byte 0      whether nobody waits for the running call any more; main writes, the function's `cancelled` reads
    bytes 8-15  the length of the message
    bytes 16…   the message, if it fits

One buffer serves both directions, one after the other: the main interpreter writes a call, enters the sub-interpreter
on the same thread, and finds the answer when it comes back. So nothing here needs a lock; the flag is one byte.

Why not queues: the stock ones are polled every 10 ms when one waits on them, and even used without waiting they cost
more than this (docs/adr/0006-interpreters.md has the figures).
"""

from __future__ import annotations

import struct

__all__ = ["Mailbox"]

_LENGTH = struct.Struct("<Q")
_FLAG = 0
_LENGTH_AT = 8
_START = 16


class Mailbox:
    """One side's view of the memory.

    Args:
        memory: the whole of it, writable.
    """

    __slots__ = ("_memory", "room")

    #: Bytes of a mailbox. Arbitrary: holds the arguments and results of small calls; larger ones cost 15 µs more.
    SIZE = 64 << 10

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        #: The largest message that fits.
        self.room = len(memory) - _START

    def write(self, message: bytes) -> bool:
        """Put a message in; one that does not fit leaves only its length.

        Returns:
            Whether it fits.
        """
        length = len(message)
        _LENGTH.pack_into(self._memory, _LENGTH_AT, length)
        if length > self.room:
            return False
        self._memory[_START : _START + length] = message
        return True

    @property
    def length(self) -> int:
        """The length of the message; above `room`, it is not in here."""
        length: int = _LENGTH.unpack_from(self._memory, _LENGTH_AT)[0]
        return length

    def read(self) -> memoryview:
        """The message, not copied: valid until the other side has its turn."""
        return self._memory[_START : _START + self.length]

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the running call."""
        return self._memory[_FLAG] != 0

    @cancelled.setter
    def cancelled(self, value: bool) -> None:
        self._memory[_FLAG] = value
