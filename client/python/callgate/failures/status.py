"""`google.rpc.Status` for calls that failed, and the reasons that they carry."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from callgate.errors import STATUS_CODES

__all__ = [
    "CODE_NAMES",
    "DOMAIN",
    "MESSAGE_CHARS",
    "REASON_CODES",
    "STATUS_BYTES",
    "CallFailed",
    "cut",
    "error_info",
    "gate_failure",
    "gate_status",
    "status_message",
]

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
    "RELOAD_FAILED": "FAILED_PRECONDITION",
}

CODE_NAMES = {number: name for name, number in STATUS_CODES.items()}

#: Bytes of a serialized Status. gRPC's soft limit for trailers is 8 KB (grpc.max_metadata_size), of which base64 takes
#: a third and grpc-message up to 1.2 KB.
STATUS_BYTES = 4800
MESSAGE_CHARS = 400
#: grpc-message is percent-encoded: three bytes for each byte of UTF-8 that is not printable ASCII
#: (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
_MESSAGE_BYTES = 1200


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
        info = error_info(self.status)
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
    status = Status(code=STATUS_CODES[REASON_CODES[reason]], message=status_message(message))
    info = ErrorInfo(reason=reason, domain=DOMAIN)
    for key, value in (metadata or {}).items():
        info.metadata[key] = cut(value, 300)
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


def error_info(status: Status) -> ErrorInfo | None:
    """The ErrorInfo of ours that a status carries."""
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


def cut(text: str, chars: int) -> str:
    """A text that protobuf takes, of at most so many characters."""
    text = text if len(text) <= chars else text[: chars - 1] + "…"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def status_message(text: str) -> str:
    """A text as Status.message: cut by characters, and by the bytes that they take as grpc-message."""
    text = cut(text, MESSAGE_CHARS)
    size = 0
    for index, char in enumerate(text):
        size += 1 if " " <= char <= "~" and char != "%" else 3 * len(char.encode("utf-8"))
        if size > _MESSAGE_BYTES - 9:  # room for the ellipsis
            return text[:index] + "…"
    return text
