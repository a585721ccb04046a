"""The guard's second layer: the interpreter's own state, ensured and released in pairs.

An embedding host must call `PyGILState_Ensure` before it touches Python and `PyGILState_Release` after
(https://docs.python.org/3/c-api/init.html). Inside a Python process the calling thread holds the GIL already and the
pair only counts; docs/adr/0001-guard.md says what that adds and what it does not. On a free-threaded build there is no
GIL to hold, the pair would promise what it cannot keep, and the mutex stands alone.
"""

from __future__ import annotations

import ctypes
import sys
from types import TracebackType

__all__ = ["GilState", "gil_enabled"]


def gil_enabled() -> bool:
    """Whether this interpreter runs with a GIL (False on a free-threaded build that runs without)."""
    probe = getattr(sys, "_is_gil_enabled", None)  # 3.13+
    return True if probe is None else bool(probe())


class GilState:
    """A context manager around one call: Ensure on entry, Release on every way out.

    One object serves one call at a time (the mutex above it sees to that); it holds the token that pairs the two.
    Entering and leaving must happen on the same thread, as the C API demands.

    Attributes:
        active: False where there is no GIL and the guard is the mutex alone.
    """

    __slots__ = ("_ensure", "_release", "_token", "active")

    def __init__(self) -> None:
        self.active = gil_enabled()
        self._token = 0
        # PyDLL's functions run with the GIL held, as these two expect of a thread that Python made.
        self._ensure = ctypes.pythonapi.PyGILState_Ensure
        self._ensure.restype = ctypes.c_int
        self._ensure.argtypes = []
        self._release = ctypes.pythonapi.PyGILState_Release
        self._release.restype = None
        self._release.argtypes = [ctypes.c_int]

    def __enter__(self) -> None:
        if self.active:
            self._token = self._ensure()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.active:
            self._release(self._token)

    def describe(self) -> str:
        """One phrase for logs and `callgate list`."""
        return "mutex and GIL state" if self.active else "mutex alone: this Python runs without a GIL"
