"""The server's half: what a function raised, as `google.rpc.Status`.

    exception ──callgate.described──▶ Described, plain data ──here──▶ Status with ErrorInfo and PythonException

Two steps, because the exception may have been raised where there is no protobuf: in a sub-interpreter or a worker.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from callgate.described import Described, describe
from callgate.errors import STATUS_CODES, StatusError
from callgate.failures.fit import fit
from callgate.failures.status import DOMAIN, STATUS_BYTES, cut, status_message
from callgate.v1 import failure_pb2 as pb
from callgate.values import Limits, encode

__all__ = ["ARGS_LIMITS", "described_status", "exception_status"]

#: What could fit into a status anyway.
ARGS_LIMITS = Limits(depth=8, elements=256, bytes=2 * STATUS_BYTES)


def exception_status(
    error: BaseException,
    *,
    traceback: bool,
    call_id: str = "",
    reason: str = "FUNCTION_RAISED",
    hide: str | tuple[str, ...] = "",
) -> Status:
    """The status of a call whose function raised.

    Args:
        error: what it raised.
        traceback: whether file names, lines and source may leave the server.
        call_id: the call's id.
        reason: FUNCTION_RAISED, or NO_VALUE_FORM if the result could not be encoded.
        hide: frames whose file starts with this, or one of these, are the server's own and are left out.

    Returns:
        A Status with ErrorInfo and PythonException that fits into the trailers.
    """
    return described_status(
        describe(error, hide=hide), traceback=traceback, call_id=call_id, reason=reason, details=_details_of(error)
    )


def described_status(
    described: Described,
    *,
    traceback: bool,
    call_id: str = "",
    reason: str = "FUNCTION_RAISED",
    details: Iterable[Any] = (),
) -> Status:
    """The status of a call whose function raised, from the exception's description.

    Args:
        described: what it raised.
        traceback: as `exception_status`.
        call_id: as `exception_status`.
        reason: as `exception_status`.
        details: a StatusError's protobuf messages; what is none, or does not fit, is left out.

    Returns:
        A Status with ErrorInfo and PythonException that fits into the trailers.
    """
    message = described["message"]
    code = described["code"]
    name = described["qualname"]
    if described["module"] != "builtins":
        name = f"{described['module']}.{name}"
    status = Status(
        code=STATUS_CODES[code or "UNKNOWN"], message=status_message(message if code else f"{name}: {message}")
    )
    info = ErrorInfo(reason=reason, domain=DOMAIN)
    if call_id:
        info.metadata["call_id"] = call_id
    if described["path"]:
        info.metadata["path"] = cut(described["path"], 300)
    status.details.add().Pack(info)
    exception = pb.PythonException()
    _fill(exception, described, traceback)
    room = STATUS_BYTES // 2  # for details; the other half is the exception's
    for detail in details:
        packed = _packed(detail)
        if packed is not None and packed.ByteSize() <= room:
            status.details.append(packed)
            room -= packed.ByteSize()
        else:
            exception.truncated = True
    fit(exception, STATUS_BYTES - status.ByteSize() - 64)
    status.details.add().Pack(exception)
    return status


def _details_of(error: BaseException) -> tuple[Any, ...]:
    if not issubclass(type(error), StatusError):  # isinstance() would believe a __class__ that lies
        return ()
    try:
        return tuple(error.details)  # type: ignore[attr-defined]  # a StatusError has them
    except BaseException:  # a subclass with details of its own
        return ()


def _packed(detail: Any) -> AnyMessage | None:
    try:
        if isinstance(detail, AnyMessage):
            return detail
        packed = AnyMessage()
        packed.Pack(detail)
        return packed
    except Exception:  # no protobuf message
        return None


def _fill(into: pb.PythonException, described: Described, traceback: bool) -> None:
    into.type = described["type"]
    into.module = described["module"]
    if described["qualname"] != described["type"]:
        into.qualname = described["qualname"]
    into.builtin_bases.extend(described["builtin_bases"])
    into.message = described["message"]
    into.truncated = described["truncated"]
    args = described["args"]
    into.args_omitted = args is None
    try:
        for index, argument in enumerate(args or ()):
            encode(argument, into.args.add(), path=f"args[{index}]", limits=ARGS_LIMITS)
    except Exception:  # no Value form, or an argument's own code
        into.ClearField("args")
        into.args_omitted = True
    for name, value in described["attributes"].items():
        try:
            encode(value, into.attributes[name], limits=ARGS_LIMITS)
        except Exception:  # as above
            del into.attributes[name]
            into.truncated = into.truncated or issubclass(type(value), str | bytes)
    into.notes.extend(described["notes"])
    if traceback:
        for file, line, function, source, repeated in described["frames"]:
            into.frames.add(file=file, line=line, function=function, source=source, repeated=repeated)
    into.suppress_context = described["suppress_context"]
    if described["cause"] is not None:
        _fill(into.cause, described["cause"], traceback)
    if described["context"] is not None:
        _fill(into.context, described["context"], traceback)
    for member in described["exceptions"] or ():
        _fill(into.exceptions.add(), member, traceback)
