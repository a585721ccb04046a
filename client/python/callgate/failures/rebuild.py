"""The client's half: the exception to raise for a failed call."""

from __future__ import annotations

import builtins
from typing import Any

from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from callgate import errors
from callgate.errors import CallgateError, RemoteError, RemoteFrame, ValueDecodeError, gate_error_class
from callgate.failures.status import CODE_NAMES, error_info
from callgate.v1 import failure_pb2 as pb
from callgate.values import decode

__all__ = ["error_from_status"]


def error_from_status(status: Status, *, call_id: str = "") -> CallgateError:
    """The exception to raise for a failed call.

    Args:
        status: what the server sent; without details (a proxy's error), the code alone decides.
        call_id: the call's id, if the metadata had one.

    Returns:
        A RemoteError if the function raised, else a GateError.
    """
    code = CODE_NAMES.get(status.code, "UNKNOWN")
    info = error_info(status)
    exception = None
    retry_after = None
    details = []
    for detail in status.details:
        try:
            if detail.Is(pb.PythonException.DESCRIPTOR):
                unpacked = pb.PythonException()
                detail.Unpack(unpacked)
                exception = unpacked
            elif detail.Is(RetryInfo.DESCRIPTOR):
                retry = RetryInfo()
                detail.Unpack(retry)
                retry_after = retry.retry_delay.ToNanoseconds() / 1e9
                details.append(detail)
            elif not detail.Is(ErrorInfo.DESCRIPTOR):
                details.append(detail)
        except DecodeError:
            continue  # a detail that is not what it says is none
    metadata = dict(info.metadata) if info is not None else {}
    if exception is not None:
        error = _rebuild(exception)
        error.code = code
        error.error_reason = info.reason if info is not None else ""
        error.details = tuple(details)
        error.call_id = call_id or metadata.get("call_id", "")
        if isinstance(error, errors.ValueFormError):
            error.problem, error.path = exception.message, metadata.get("path", "")
        return error
    failure = gate_error_class(code)(
        status.message or code,
        code=code,
        reason=info.reason if info is not None else "",
        metadata=metadata,
        retry_after=retry_after,
    )
    failure.call_id = call_id or metadata.get("call_id", "")
    return failure


def _rebuild(exception: pb.PythonException) -> RemoteError:
    kind = _remote_class(exception)
    args: tuple[Any, ...] = (exception.message,)
    if not exception.args_omitted:
        try:
            args = tuple(decode(value, path=f"args[{i}]") for i, value in enumerate(exception.args))
        except ValueDecodeError:
            pass
    error: Any
    if issubclass(kind, BaseExceptionGroup):
        error = kind(exception.message, [_rebuild(member) for member in exception.exceptions])
    else:
        # __new__ without __init__: the builtin's own __init__ may want other arguments than this exception had.
        try:
            error = kind.__new__(kind)
        except TypeError:  # MemoryError's own refuses a class whose layout comes from another base
            error = BaseException.__new__(kind)
        error.args = args
    error.message = exception.message
    error.remote_module = exception.module
    error.remote_type = _full_name(exception)
    error.truncated = exception.truncated
    error.frames = tuple(RemoteFrame(f.file, f.line, f.function, f.source, f.repeated) for f in exception.frames)
    for name, value in exception.attributes.items():
        if name not in _ATTRIBUTES:
            continue  # a server decides the names: none may replace what a RemoteError is
        try:
            setattr(error, name, decode(value))
        except (ValueDecodeError, AttributeError, TypeError):
            continue
    for note in exception.notes:
        error.add_note(note)
    remote = _remote_traceback(exception)
    if remote:
        error.add_note(remote)
    if exception.HasField("cause"):
        error.__cause__ = _rebuild(exception.cause)
    if exception.HasField("context"):
        error.__context__ = _rebuild(exception.context)
    error.__suppress_context__ = exception.suppress_context
    return error  # type: ignore[no-any-return]  # the class is made at run time


#: Fields of the builtin exceptions, as `callgate.described` reads them; not SystemExit's `code`, since none is raised.
_ATTRIBUTES = frozenset(
    {
        "errno", "strerror", "filename", "filename2", "characters_written",
        "msg", "lineno", "offset", "text", "end_lineno", "end_offset",
        "encoding", "object", "start", "end", "reason",
        "name", "path", "value",
    }
)  # fmt: skip

_remote_classes: dict[tuple[str, str, str], type[RemoteError]] = {}
_MOST_CLASSES = 1000  # bounded: a server decides the names


def _remote_class(exception: pb.PythonException) -> type[RemoteError]:
    """A class that is RemoteError and the nearest builtin of the remote exception's ancestry."""
    base = _base_of(exception)
    key = (exception.module, exception.qualname or exception.type, base.__name__ if base is not None else "")
    made = _remote_classes.get(key)
    if made is None:
        bases = (RemoteError,) if base is None else (RemoteError, base)
        made = type(exception.type or "RemoteError", bases, _class_body(exception, base))
        if len(_remote_classes) < _MOST_CLASSES:
            _remote_classes[key] = made
    return made


def _base_of(exception: pb.PythonException) -> type[Exception] | None:
    if exception.module == "callgate.errors" and exception.type in _OWN:
        return _OWN[exception.type]
    names = [exception.type] if exception.module == "builtins" else []
    for name in (*names, *exception.builtin_bases):
        # Its members are RemoteErrors, which are Exceptions, whatever they were.
        base = getattr(builtins, "ExceptionGroup" if name == "BaseExceptionGroup" else name, None)
        # Only Exceptions: raising a remote KeyboardInterrupt or SystemExit here would end the wrong process.
        if isinstance(base, type) and issubclass(base, Exception) and base is not Exception:
            if issubclass(base, BaseExceptionGroup) and not exception.exceptions:
                continue  # its members were cut: a group can't be empty
            return base
    return None


#: Callgate's own that mean the same on both sides: a result without a Value form is one wherever it is found.
_OWN: dict[str, type[Exception]] = {
    "ValueFormError": errors.ValueFormError,
}


def _class_body(exception: pb.PythonException, base: type | None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "__module__": exception.module,
        "__qualname__": exception.qualname or exception.type or "RemoteError",
        "__doc__": RemoteError.__doc__,
    }
    if base is not None and issubclass(base, BaseExceptionGroup):
        # except* splits a group through derive(); the parts are plain groups of remote errors.
        body["derive"] = lambda self, members: ExceptionGroup(self.message, members)
    return body


def _full_name(exception: pb.PythonException) -> str:
    qualname = exception.qualname or exception.type
    return qualname if exception.module == "builtins" else f"{exception.module}.{qualname}"


def _remote_traceback(exception: pb.PythonException) -> str:
    if not exception.frames:
        return ""
    lines = ["Remote traceback (most recent call last):"]
    for frame in exception.frames:
        lines.append(f'  File "{frame.file}", line {frame.line}, in {frame.function}')
        if frame.source:
            lines.append(f"    {frame.source}")
        if frame.repeated:
            lines.append(f"  [the frame above repeated {frame.repeated} more times]")
    name = _full_name(exception)
    lines.append(f"{name}: {exception.message}" if exception.message else name)
    return "\n".join(lines)
