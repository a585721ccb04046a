"""How a call fails, on the wire and in Python: the one place where exceptions become `google.rpc.Status` and back.

    server:  gate_status(reason, …)      getting to the function failed
             exception_status(error, …)  the function raised
    client:  error_from_status(status)   the exception to raise for either

Reading an exception runs its author's code (`__str__`, `args`), which may itself raise or lie: every such read goes
through `_guarded` or a descriptor of BaseException's own. Needs protobuf and no grpc.
"""

from __future__ import annotations

import builtins
import linecache
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from callgate.errors import (
    STATUS_CODES,
    CallgateError,
    RemoteError,
    RemoteFrame,
    StatusError,
    ValueDecodeError,
    ValueFormError,
    gate_error_class,
)
from callgate.v1 import failure_pb2 as pb
from callgate.values import Limits, decode, encode

__all__ = ["DOMAIN", "REASON_CODES", "CallFailed", "error_from_status", "exception_status", "gate_failure", "gate_status"]

#: ErrorInfo.domain of every failure that Callgate reports.
DOMAIN = "callgate"

#: The gRPC code of each reason; a test holds this table and the enum's comments together.
REASON_CODES: Mapping[str, str] = {
    "FUNCTION_NOT_FOUND": "NOT_FOUND",
    "UNAUTHENTICATED": "UNAUTHENTICATED",
    "MALFORMED_REQUEST": "INVALID_ARGUMENT",
    "UNDECODABLE_VALUE": "INVALID_ARGUMENT",
    "ARGUMENTS_MISMATCH": "INVALID_ARGUMENT",
    "OVERLOADED": "RESOURCE_EXHAUSTED",
    "REQUEST_TOO_LARGE": "RESOURCE_EXHAUSTED",
    "RESPONSE_TOO_LARGE": "RESOURCE_EXHAUSTED",
    "EXPIRED_IN_QUEUE": "DEADLINE_EXCEEDED",
    "RAN_TOO_LONG": "DEADLINE_EXCEEDED",
    "WOULD_DEADLOCK": "FAILED_PRECONDITION",
    "DRAINING": "UNAVAILABLE",
    "WORKER_CRASHED": "INTERNAL",
    "NO_VALUE_FORM": "UNKNOWN",
    "FUNCTION_RAISED": "UNKNOWN",
    "INTERNAL": "INTERNAL",
    "CANCELLED": "CANCELLED",
    "UNIMPLEMENTED": "UNIMPLEMENTED",
    "QUARANTINED": "UNAVAILABLE",
    "WRONG_METHOD": "FAILED_PRECONDITION",
    "LIMIT_EXCEEDED": "INVALID_ARGUMENT",
    "PERMISSION_DENIED": "PERMISSION_DENIED",
}

_CODE_NAMES = {number: name for name, number in STATUS_CODES.items()}

#: Bytes of a serialized Status. gRPC's soft limit for trailers is 8 KB (grpc.max_metadata_size), of which base64 takes
#: a third and grpc-message, percent-encoded, up to 1.2 KB.
_STATUS_BYTES = 4800
_MESSAGE_CHARS = 400
_CHAIN_DEPTH = 8  # causes, contexts and group levels; arbitrary, and far more than fits
_ARGS_LIMITS = Limits(depth=8, elements=256)  # what could fit into _STATUS_BYTES anyway


class CallFailed(Exception):
    """A call that failed, with its status: what executors raise and servicers send.

    Args:
        status: the whole status, ErrorInfo included.
    """

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status

    @property
    def reason(self) -> str:
        """The reason's name; "" if the status has no ErrorInfo of ours."""
        info = _error_info(self.status)
        return info.reason if info is not None else ""

    def __str__(self) -> str:
        return f"{self.reason}: {self.status.message}"


def gate_status(
    reason: str, message: str, metadata: Mapping[str, str] | None = None, *, retry_after: float | None = None
) -> Status:
    """The status of a call that did not get to its function, or whose result was lost.

    Args:
        reason: a key of REASON_CODES.
        message: one sentence for a person.
        metadata: more about it, by name.
        retry_after: seconds after which a retry is welcome.

    Returns:
        A Status with an ErrorInfo and, if asked for, a RetryInfo.
    """
    status = Status(code=STATUS_CODES[REASON_CODES[reason]], message=_cut(message, _MESSAGE_CHARS))
    info = ErrorInfo(reason=reason, domain=DOMAIN)
    for key, value in (metadata or {}).items():
        info.metadata[key] = _cut(value, 300)
    status.details.add().Pack(info)
    if retry_after is not None:
        delay = Duration()
        delay.FromNanoseconds(round(retry_after * 1e9))
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    return status


def gate_failure(
    reason: str, message: str, metadata: Mapping[str, str] | None = None, *, retry_after: float | None = None
) -> CallFailed:
    """A CallFailed around `gate_status` of the same arguments."""
    return CallFailed(gate_status(reason, message, metadata, retry_after=retry_after))


# ---------------------------------------------------------------------------------------------- server: exception → Status


def exception_status(
    error: BaseException, *, traceback: bool, call_id: str = "", reason: str = "FUNCTION_RAISED", hide: str = ""
) -> Status:
    """The status of a call whose function raised.

    Args:
        error: what it raised.
        traceback: whether file names, lines and source may leave the server.
        call_id: the call's id.
        reason: FUNCTION_RAISED, or NO_VALUE_FORM if the result could not be encoded.
        hide: frames whose file starts with this are the server's own and are left out.

    Returns:
        A Status with ErrorInfo and PythonException that fits into the trailers.
    """
    code = "UNKNOWN"
    extra: tuple[Any, ...] = ()
    if isinstance(error, StatusError) and STATUS_CODES.get(error.code, 0):
        code = error.code
        extra = error.details
    message = _message_of(error)
    status = Status(code=STATUS_CODES[code], message=_cut(f"{_class_name(type(error))}: {message}", _MESSAGE_CHARS))
    if code != "UNKNOWN":
        status.message = _cut(message, _MESSAGE_CHARS)
    info = ErrorInfo(reason=reason, domain=DOMAIN)
    if call_id:
        info.metadata["call_id"] = call_id
    if isinstance(error, ValueFormError):
        info.metadata["path"] = _cut(error.path, 300)
    status.details.add().Pack(info)
    for detail in extra:
        if isinstance(detail, AnyMessage):
            status.details.add().CopyFrom(detail)
        else:
            _guarded(lambda detail=detail: status.details.add().Pack(detail))
    while status.ByteSize() > _STATUS_BYTES // 2 and len(status.details) > 1:
        del status.details[-1]  # details too large to leave room for the exception
    exception = pb.PythonException()
    _describe(error, exception, traceback, hide, _CHAIN_DEPTH, set())
    _fit(exception, _STATUS_BYTES - status.ByteSize() - 64)
    status.details.add().Pack(exception)
    return status


def _describe(
    error: BaseException, into: pb.PythonException, traceback: bool, hide: str, depth: int, seen: set[int]
) -> None:
    seen.add(id(error))
    kind = type(error)
    name = str(type.__getattribute__(kind, "__name__"))
    qualname = str(type.__getattribute__(kind, "__qualname__"))
    module = type.__getattribute__(kind, "__module__")
    into.type = _text(name, 200)
    into.module = _text(module, 200) if isinstance(module, str) else "?"
    if qualname != name:
        into.qualname = _text(qualname, 300)
    into.builtin_bases.extend(
        base.__name__
        for base in type.__getattribute__(kind, "__mro__")[1:]
        if base.__module__ == "builtins" and base not in (BaseException, object)
    )
    into.message = _message_of(error)
    args = BaseException.__dict__["args"].__get__(error)
    try:
        for index, argument in enumerate(args):
            encode(argument, into.args.add(), path=f"args[{index}]", limits=_ARGS_LIMITS)
    except ValueFormError:
        into.ClearField("args")
        into.args_omitted = True
    _describe_attributes(error, into)
    notes = _guarded(lambda: error.__notes__)
    if isinstance(notes, list):
        into.notes.extend(_text(note, 1000) for note in notes[:20] if isinstance(note, str))
    if traceback:
        _describe_frames(BaseException.__dict__["__traceback__"].__get__(error), into, hide)
    into.suppress_context = bool(BaseException.__dict__["__suppress_context__"].__get__(error))
    for field in ("cause", "context"):
        linked = BaseException.__dict__[f"__{field}__"].__get__(error)
        if linked is None or (field == "context" and linked is BaseException.__dict__["__cause__"].__get__(error)):
            continue  # a cause is usually the context too: once is enough
        if depth == 0 or id(linked) in seen:
            into.truncated = into.truncated or depth == 0
            continue
        _describe(linked, getattr(into, field), traceback, hide, depth - 1, seen)
    if isinstance(error, BaseExceptionGroup):
        into.message = _text(BaseExceptionGroup.__dict__["message"].__get__(error), 2000)
        into.ClearField("args")
        for member in BaseExceptionGroup.__dict__["exceptions"].__get__(error):
            if depth == 0 or len(into.exceptions) >= 50:
                into.truncated = True
                break
            _describe(member, into.exceptions.add(), traceback, hide, depth - 1, seen)


#: Fields that builtin exceptions have beyond args, by the class that defines them.
_OWN_FIELDS: tuple[tuple[type[BaseException], tuple[str, ...]], ...] = (
    (OSError, ("errno", "strerror", "filename", "filename2")),
    (SyntaxError, ("msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset")),
    (UnicodeDecodeError, ("encoding", "object", "start", "end", "reason")),
    (UnicodeEncodeError, ("encoding", "object", "start", "end", "reason")),
    (UnicodeTranslateError, ("object", "start", "end", "reason")),
    (ImportError, ("name", "path")),
    (NameError, ("name",)),
    (AttributeError, ("name",)),
    (StopIteration, ("value",)),
    (SystemExit, ("code",)),
)


def _describe_attributes(error: BaseException, into: pb.PythonException) -> None:
    for kind, names in _OWN_FIELDS:
        if not isinstance(error, kind):
            continue
        for name in names:
            descriptor = kind.__dict__.get(name)
            value = _guarded(lambda d=descriptor: d.__get__(error)) if descriptor is not None else None
            if value is None:
                continue
            try:
                encode(value, into.attributes[name], limits=_ARGS_LIMITS)
            except ValueFormError:
                del into.attributes[name]


def _describe_frames(traceback: TracebackType | None, into: pb.PythonException, hide: str) -> None:
    last: tuple[Any, int] | None = None
    count = 0
    while traceback is not None:
        code = traceback.tb_frame.f_code
        line = traceback.tb_lineno or 0
        if hide and code.co_filename.startswith(hide):
            pass
        elif last == (code, line):
            into.frames[-1].repeated += 1
        else:
            last = (code, line)
            if len(into.frames) >= 64:  # more never fits; keep the outermost and the innermost
                del into.frames[32]
                into.truncated = True
            source = _guarded(lambda f=code.co_filename, n=line, g=traceback.tb_frame.f_globals: linecache.getline(f, n, g))
            into.frames.add(
                file=_text(code.co_filename, 300),
                line=line,
                function=_text(code.co_qualname, 200),
                source=_text(source.strip(), 200) if isinstance(source, str) else "",
            )
        traceback = traceback.tb_next
        count += 1
        if count > 20_000:  # deeper than any recursion limit in use
            into.truncated = True
            return


def _fit(exception: pb.PythonException, limit: int) -> None:
    """Cut a described exception until it serializes to at most `limit` bytes: the least telling things first."""
    for cut in (
        lambda e: e.ClearField("attributes"),
        _drop_args,
        lambda e: [frame.ClearField("source") for frame in e.frames],
        lambda e: _keep_ends(e.frames, 12),
        lambda e: e.ClearField("notes"),
        lambda e: _shorten_message(e, 800),
        lambda e: _keep_ends(e.frames, 4),
        lambda e: _keep_ends(e.exceptions, 8),
        lambda e: e.ClearField("context"),
        lambda e: _shorten_message(e, 160),
        lambda e: _keep_ends(e.exceptions, 2),
        lambda e: e.ClearField("frames"),
        lambda e: e.ClearField("exceptions"),
        lambda e: e.ClearField("cause"),
    ):
        if exception.ByteSize() <= limit:
            return
        for one in _family(exception):
            before = one.ByteSize()
            cut(one)
            if one.ByteSize() != before:
                one.truncated = True


def _family(exception: pb.PythonException) -> Iterator[pb.PythonException]:
    """The exception's relatives, outermost relatives last, itself at the end: relatives are cut first."""
    for field in ("context", "cause"):
        if exception.HasField(field):
            yield from _family(getattr(exception, field))
    for member in exception.exceptions:
        yield from _family(member)
    yield exception


def _drop_args(exception: pb.PythonException) -> None:
    if exception.args:
        exception.ClearField("args")
        exception.args_omitted = True


def _keep_ends(items: Any, count: int) -> None:
    if len(items) > count:
        del items[count // 2 : len(items) - count // 2]


def _shorten_message(exception: pb.PythonException, chars: int) -> None:
    if len(exception.message) > chars:
        exception.message = exception.message[:chars] + "…"


def _message_of(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return _text(BaseExceptionGroup.__dict__["message"].__get__(error), 2000)
    try:
        text = str(error)
    except BaseException as failure:  # a hostile or broken __str__ must not break the answer
        return f"<str() of this {_class_name(type(error))} raised {_class_name(type(failure))}>"
    return _text(text, 2000)


def _guarded(read: Any) -> Any:
    """What `read` returns, None if it raises: for reads that may run an exception's own code."""
    try:
        return read()
    except BaseException:
        return None


def _text(text: str, chars: int) -> str:
    """A str that protobuf takes, cut: surrogates replaced, subclasses read with str's own methods."""
    plain = str.__str__(text)[: chars + 1]
    plain = plain.encode("utf-8", "backslashreplace").decode("utf-8")
    return _cut(plain, chars)


def _cut(text: str, chars: int) -> str:
    text = text if len(text) <= chars else text[: chars - 1] + "…"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def _class_name(kind: type) -> str:
    name = str(type.__getattribute__(kind, "__qualname__"))
    module = type.__getattribute__(kind, "__module__")
    return name if module == "builtins" or not isinstance(module, str) else f"{module}.{name}"


# ---------------------------------------------------------------------------------------------- client: Status → exception


def error_from_status(status: Status, *, call_id: str = "") -> CallgateError:
    """The exception to raise for a failed call.

    Args:
        status: what the server sent; without details (a proxy's error), the code alone decides.
        call_id: the call's id, if the metadata had one.

    Returns:
        A RemoteError if the function raised, else a GateError.
    """
    code = _CODE_NAMES.get(status.code, "UNKNOWN")
    info = _error_info(status)
    exception = None
    retry_after = None
    for detail in status.details:
        try:
            if detail.Is(pb.PythonException.DESCRIPTOR):
                exception = pb.PythonException()
                detail.Unpack(exception)
            elif detail.Is(RetryInfo.DESCRIPTOR):
                retry = RetryInfo()
                detail.Unpack(retry)
                retry_after = retry.retry_delay.ToNanoseconds() / 1e9
        except DecodeError:
            continue  # a detail that is not what it says is none
    if exception is not None:
        error = _rebuild(exception)
        error.code = code
        error.call_id = call_id or (info.metadata.get("call_id", "") if info is not None else "")
        return error
    return gate_error_class(code)(
        status.message or code,
        code=code,
        reason=info.reason if info is not None else "",
        metadata=dict(info.metadata) if info is not None else None,
        retry_after=retry_after,
    )


def _error_info(status: Status) -> ErrorInfo | None:
    for detail in status.details:
        if detail.Is(ErrorInfo.DESCRIPTOR):
            info = ErrorInfo()
            try:
                detail.Unpack(info)
            except DecodeError:
                return None
            if info.domain == DOMAIN:
                return info
    return None


def _rebuild(exception: pb.PythonException) -> RemoteError:
    kind = _remote_class(exception)
    args: tuple[Any, ...] = (exception.message,)
    if not exception.args_omitted:
        try:
            args = tuple(decode(value, path=f"args[{i}]") for i, value in enumerate(exception.args))
        except ValueDecodeError:
            pass
    if issubclass(kind, BaseExceptionGroup):
        members = [_rebuild(member) for member in exception.exceptions]
        error: Any = kind(exception.message, members)
    else:
        # __new__ without __init__: the builtin's own __init__ may want other arguments than this exception had.
        error = kind.__new__(kind)
        error.args = args
    error.message = exception.message
    error.remote_module = exception.module
    qualname = exception.qualname or exception.type
    error.remote_type = qualname if exception.module == "builtins" else f"{exception.module}.{qualname}"
    error.truncated = exception.truncated
    error.frames = tuple(RemoteFrame(f.file, f.line, f.function, f.source, f.repeated) for f in exception.frames)
    for name, value in exception.attributes.items():
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


_remote_classes: dict[tuple[str, str, str], type[RemoteError]] = {}


def _remote_class(exception: pb.PythonException) -> type[RemoteError]:
    """A class that is RemoteError and the nearest builtin of the remote exception's ancestry."""
    qualname = exception.qualname or exception.type
    names = [exception.type] if exception.module == "builtins" else []
    for name in (*names, *exception.builtin_bases):
        base = getattr(builtins, name, None)
        # Only Exceptions: raising a remote KeyboardInterrupt or SystemExit here would end the wrong process.
        if isinstance(base, type) and issubclass(base, Exception) and base is not Exception:
            if issubclass(base, BaseExceptionGroup) and not exception.exceptions:
                continue  # its members were cut: a group can't be empty
            key = (exception.module, qualname, base.__name__)
            made = _remote_classes.get(key)
            if made is None:
                made = type(exception.type or "RemoteError", (RemoteError, base), _class_body(exception, qualname, base))
                if len(_remote_classes) < 1000:  # bounded: a server decides the names
                    _remote_classes[key] = made
            return made
    key = (exception.module, qualname, "")
    made = _remote_classes.get(key)
    if made is None:
        made = type(exception.type or "RemoteError", (RemoteError,), _class_body(exception, qualname, None))
        if len(_remote_classes) < 1000:
            _remote_classes[key] = made
    return made


def _class_body(exception: pb.PythonException, qualname: str, base: type | None) -> dict[str, Any]:
    body: dict[str, Any] = {"__module__": exception.module, "__qualname__": qualname, "__doc__": RemoteError.__doc__}
    if base is not None and issubclass(base, BaseExceptionGroup):
        # except* splits a group through derive(); the parts are plain groups of remote errors.
        body["derive"] = lambda self, members: ExceptionGroup(self.message, members)
    return body


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
    qualname = exception.qualname or exception.type
    name = qualname if exception.module == "builtins" else f"{exception.module}.{qualname}"
    lines.append(f"{name}: {exception.message}" if exception.message else name)
    return "\n".join(lines)
