"""Every exception that Callgate raises, and the one that functions raise to choose a status.

    CallgateError
    ├── GateError                 getting to the function failed; .code, .reason
    │   ├── FunctionNotFound      NOT_FOUND             also LookupError
    │   ├── Unauthenticated       UNAUTHENTICATED       also PermissionError
    │   ├── PermissionDenied      PERMISSION_DENIED     also PermissionError
    │   ├── InvalidCall           INVALID_ARGUMENT      also TypeError
    │   ├── Exhausted             RESOURCE_EXHAUSTED    .retry_after
    │   ├── DeadlineExceeded      DEADLINE_EXCEEDED     also TimeoutError
    │   ├── FailedPrecondition    FAILED_PRECONDITION   also RuntimeError
    │   ├── Unavailable           UNAVAILABLE           also ConnectionError
    │   ├── Cancelled             CANCELLED
    │   ├── Unimplemented         UNIMPLEMENTED         also NotImplementedError
    │   └── ServerFault           INTERNAL and the rest
    ├── RemoteError               the function raised; also the remote exception's builtin type
    ├── ValueFormError            a value has no Value form           also TypeError
    │   └── ValueTooLarge         more bytes than a message may have
    └── ValueDecodeError          a Value is not a value of Python    also ValueError

    StatusError                   raised *by* a function, to choose the gRPC status its caller gets

Pure Python and free of protobuf and grpc, like `callgate.context`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "STATUS_CODES",
    "CallgateError",
    "Cancelled",
    "DeadlineExceeded",
    "Exhausted",
    "FailedPrecondition",
    "FunctionNotFound",
    "GateError",
    "InvalidCall",
    "PermissionDenied",
    "RemoteError",
    "RemoteFrame",
    "ServerFault",
    "StatusError",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "ValueDecodeError",
    "ValueFormError",
    "ValueTooLarge",
    "gate_error_class",
]

#: The canonical codes by name (https://grpc.github.io/grpc/core/md_doc_statuscodes.html).
STATUS_CODES: Mapping[str, int] = {
    "OK": 0,
    "CANCELLED": 1,
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "OUT_OF_RANGE": 11,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "DATA_LOSS": 15,
    "UNAUTHENTICATED": 16,
}


class CallgateError(Exception):
    """The base of all that Callgate's client raises."""


class GateError(CallgateError):
    """Getting to the function failed; unless the reason says otherwise, it did not run.

    Attributes:
        code: the gRPC code's name, "NOT_FOUND".
        reason: why, by name of `callgate.v1.ErrorReason` without its prefix ("FUNCTION_NOT_FOUND"); "" if the failure
            did not come from a Callgate server (a refused connection).
        message: the server's sentence.
        metadata: more about the reason, by name.
        retry_after: seconds after which a retry is welcome, None if the server said nothing.
        call_id: the call's id, under which the server's log has it; "" if the answer did not say.
    """

    call_id: str = ""

    def __init__(
        self,
        message: str,
        *,
        code: str = "UNKNOWN",
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.message} [{self.reason or self.code}]"


class FunctionNotFound(GateError, LookupError):
    """No such function for this caller."""


class Unauthenticated(GateError, PermissionError):
    """The server wants credentials, or did not know those it got."""


class PermissionDenied(GateError, PermissionError):
    """The caller is known and may not do this."""


class InvalidCall(GateError, TypeError):
    """The arguments don't decode or don't fit the function's parameters."""


class Exhausted(GateError):
    """The server shed the call, or a message is too large."""


class DeadlineExceeded(GateError, TimeoutError):
    """The deadline passed: in the queue (reason EXPIRED_IN_QUEUE) or while the function ran (RAN_TOO_LONG)."""


class FailedPrecondition(GateError, RuntimeError):
    """The call can not be made here: it would wait for itself, or the function needs another method."""


class Unavailable(GateError, ConnectionError):
    """No server there, or it is draining."""


class Cancelled(GateError):
    """The call was cancelled."""


class Unimplemented(GateError, NotImplementedError):
    """The server does not serve this method."""


class ServerFault(GateError):
    """The server or its worker failed."""


_GATE_ERRORS: Mapping[str, type[GateError]] = {
    "NOT_FOUND": FunctionNotFound,
    "UNAUTHENTICATED": Unauthenticated,
    "PERMISSION_DENIED": PermissionDenied,
    "INVALID_ARGUMENT": InvalidCall,
    "RESOURCE_EXHAUSTED": Exhausted,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "FAILED_PRECONDITION": FailedPrecondition,
    "UNAVAILABLE": Unavailable,
    "CANCELLED": Cancelled,
    "UNIMPLEMENTED": Unimplemented,
}


def gate_error_class(code: str) -> type[GateError]:
    """The exception class for a gRPC code's name; ServerFault for codes without a class of their own."""
    return _GATE_ERRORS.get(code, ServerFault)


@dataclass(frozen=True, slots=True)
class RemoteFrame:
    """One frame of a remote traceback.

    Attributes:
        file: the file on the server.
        line: the line, from 1.
        function: the function's qualified name.
        source: the source line, "" if unknown.
        repeated: how many times more the frame came in a row (recursion).
    """

    file: str
    line: int
    function: str
    source: str = ""
    repeated: int = 0


class RemoteError(CallgateError):
    """The function raised.

    Where the remote exception is, or derives from, a builtin exception, the error raised is an instance of that
    builtin too: a remote ZeroDivisionError is caught by `except ZeroDivisionError`. Exceptions that would end this
    process (SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError) stay plain RemoteErrors.

    Attributes:
        remote_type: "module.QualName" of the remote class; without the module for builtins.
        remote_module: its module.
        message: str() of the remote exception.
        args: its args, where they have a Value form.
        frames: its traceback, outermost frame first; empty if the server keeps it.
        code: the gRPC code's name: "UNKNOWN", or what a StatusError chose.
        truncated: whether something was left out because it did not fit.
        call_id: the id under which the server logged the call.
        error_reason: "FUNCTION_RAISED", or "NO_VALUE_FORM" if the function returned what cannot travel.
        details: further details of the status, as google.protobuf.Any: what a StatusError attached.
    """

    remote_type: str = ""
    remote_module: str = "builtins"
    message: str = ""
    frames: Sequence[RemoteFrame] = ()
    code: str = "UNKNOWN"
    truncated: bool = False
    call_id: str = ""
    error_reason: str = ""
    details: Sequence[Any] = ()

    def __str__(self) -> str:
        return self.message


class ValueFormError(CallgateError, TypeError):
    """A Python value has no Value form.

    Attributes:
        path: where it stands, "result[3]['model']".
        problem: what is wrong with it.
    """

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" if self.path else self.problem


class ValueTooLarge(ValueFormError):
    """A Python value has more bytes than a message may have.

    Attributes:
        limit: the limit, bytes.
        size: how many bytes it has at least: counting stopped there.
    """

    def __init__(self, problem: str, path: str = "", limit: int = 0, size: int = 0) -> None:
        super().__init__(problem, path)
        self.limit = limit
        self.size = size


class ValueDecodeError(CallgateError, ValueError):
    """A Value on the wire is not a value that Python could hold, or goes beyond a limit.

    Attributes:
        path: where it stands, "args[0][2]".
        problem: what is wrong with it.
        limit: the limit it goes beyond, None if it is no such matter.
    """

    def __init__(self, problem: str, path: str = "", limit: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path
        self.limit = limit

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" if self.path else self.problem


class StatusError(Exception):
    """Raised by a function to choose the gRPC status that its caller gets.

    Args:
        code: a canonical code's name ("NOT_FOUND") or number (5); not OK.
        message: the status message.
        details: protobuf messages to attach beside the PythonException; they need protobuf only when the error is
            encoded, so a function may raise one from a sub-interpreter without any.

    Raises:
        ValueError: if the code is no canonical error code.
    """

    def __init__(self, code: str | int, message: str = "", details: Sequence[Any] = ()) -> None:
        name = code if isinstance(code, str) else next((n for n, c in STATUS_CODES.items() if c == code), str(code))
        name = name.upper()
        if STATUS_CODES.get(name, 0) == 0:
            choices = ", ".join(n for n, c in STATUS_CODES.items() if c)
            raise ValueError(f"{code!r} is not a gRPC error code; choose one of {choices}")
        super().__init__(name, message)
        self.code = name
        self.message = message
        self.details = tuple(details)

    def __str__(self) -> str:
        return self.message
