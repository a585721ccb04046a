"""Exit codes, the same for every command; `callgate --help` prints them."""

from __future__ import annotations

from enum import IntEnum

from callgate.errors import (
    CallgateError,
    DeadlineExceeded,
    Exhausted,
    FunctionNotFound,
    InvalidCall,
    PermissionDenied,
    RemoteError,
    Unauthenticated,
    Unavailable,
    ValueFormError,
)

__all__ = ["EXIT_CODES_HELP", "ExitCode", "exit_code_of"]


class ExitCode(IntEnum):
    """What a command's end means."""

    OK = 0
    REMOTE_EXCEPTION = 1
    USAGE = 2
    NOT_FOUND = 3
    UNAVAILABLE = 4
    DEADLINE = 5
    BAD_ARGUMENTS = 6
    DENIED = 7
    EXHAUSTED = 8
    SERVER_FAULT = 9
    BAD_SETTINGS = 10
    MODULE_FAILED = 11
    CANNOT_LISTEN = 12
    GAVE_UP = 13


EXIT_CODES_HELP = (
    "Exit codes: 0 done, 1 the function raised, 2 usage, 3 no such function, 4 no server (or not serving), "
    "5 deadline passed, 6 arguments don't fit, 7 credentials wanted or wrong, 8 overloaded or too large, "
    "9 fault of the server; callgate serve: 10 settings wrong, 11 a module failed to import, 12 cannot listen, "
    "13 gave up (workers kept dying, or a stuck call with on_wedge = 'exit')."
)

_BY_ERROR: tuple[tuple[type[CallgateError], ExitCode], ...] = (
    (RemoteError, ExitCode.REMOTE_EXCEPTION),
    (FunctionNotFound, ExitCode.NOT_FOUND),
    (Unavailable, ExitCode.UNAVAILABLE),
    (DeadlineExceeded, ExitCode.DEADLINE),
    (InvalidCall, ExitCode.BAD_ARGUMENTS),
    (ValueFormError, ExitCode.BAD_ARGUMENTS),
    (Unauthenticated, ExitCode.DENIED),
    (PermissionDenied, ExitCode.DENIED),
    (Exhausted, ExitCode.EXHAUSTED),
)


def exit_code_of(error: CallgateError) -> ExitCode:
    """The exit code for a failed call."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.SERVER_FAULT)
