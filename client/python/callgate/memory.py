"""What this process's allocator does with memory that is given back: large messages come and go, and should be cheap.

glibc maps a large block by itself and unmaps it when it is freed; and a thread that is not the first gets an arena of
its own, whose top goes back to the kernel as soon as it is free. Every call with a large value then has all its pages
given and cleared anew, which takes longer than all copies of it. With one arena, which keeps what it has, a 32 MiB
argument there and back takes a third to two thirds less time (docs/adr/0015-memory.md).

The parameters are mallopt(3)'s, from malloc.h.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache

__all__ = ["KEPT_BYTES", "LARGEST_BYTES", "give_back", "keep_freed_memory"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8

#: The largest block that is not mapped by itself; arbitrary, well above 32 MiB. Larger messages are rare, and would
#: keep much: see `give_back`.
LARGEST_BYTES = 48 << 20

#: How much freed memory the process may keep: what a call of the default limit of a message takes at its peak.
KEPT_BYTES = 256 << 20

#: Whether this process does.
_keeps = False


def keep_freed_memory() -> bool:
    """Have this process keep memory that is freed, for the next large message.

    For programs that send or receive large values often; `callgate serve` and its workers do it by themselves. It is to
    be called early: threads that have memory of their own keep their ways.

    Returns:
        Whether it does: not without glibc, and not where the environment has settings for malloc, which then hold.
    """
    tuned = any(name.startswith("MALLOC_") for name in os.environ) or "malloc" in os.environ.get("GLIBC_TUNABLES", "")
    try:
        glibc = (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, ValueError, OSError):  # no such name here
        glibc = False
    if tuned or not glibc:
        return False
    mallopt = _libc().mallopt
    global _keeps
    _keeps = all(
        [
            mallopt(_M_ARENA_MAX, 1),
            mallopt(_M_MMAP_THRESHOLD, LARGEST_BYTES),
            mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES),
        ]
    )
    return _keeps


def give_back() -> None:
    """Give back what is kept.

    For when a message of LARGEST_BYTES or more has been put together from pieces, which are free now, and would else
    stay beside all copies of it.
    """
    if _keeps:
        _libc().malloc_trim(0)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
