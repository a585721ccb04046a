"""The Python runner's values and failures: what its client gave, as the protocol has it."""

from __future__ import annotations

import asyncio
from typing import Any

import callgate
from callgate.v1 import value_pb2
from callgate.values import decode, encode

__all__ = ["failure_of", "from_hex", "to_hex"]

Answer = dict[str, Any]


def to_hex(value: Any) -> str:
    """A value as its Value's bytes."""
    return encode(value).SerializeToString(deterministic=True).hex()


def from_hex(text: str) -> Any:
    """The value of a Value's bytes."""
    return decode(value_pb2.Value.FromString(bytes.fromhex(text)))


#: Fields of the builtin exceptions beyond args.
_FIELDS: tuple[tuple[type[BaseException], tuple[str, ...]], ...] = (
    (OSError, ("errno", "strerror", "filename", "filename2")),
    (SyntaxError, ("msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset")),
    (UnicodeError, ("encoding", "object", "start", "end", "reason")),
    (ImportError, ("name", "path")),
    (NameError, ("name",)),
    (AttributeError, ("name",)),
    (StopIteration, ("value",)),
)


def failure_of(error: BaseException) -> Answer:
    """The failure object of what the client raised."""
    remote = isinstance(error, callgate.RemoteError)
    found: Answer = {
        "class": type(error).__name__,
        "raised": remote,
        "code": "",
        "reason": "",
        "message": str(error),
        "metadata": {},
        "retry_after": None,
        "call_id": "",
        "exception": None,
    }
    if isinstance(error, callgate.RemoteError):
        found |= {
            # The class is made for each remote exception: what users catch it by says more.
            "class": "RemoteError",
            "code": error.code,
            "reason": error.error_reason,
            "message": error.message,
            "call_id": error.call_id,
            "exception": _exception(error),
        }
    elif isinstance(error, callgate.GateError):
        found |= {
            "code": error.code,
            "reason": error.reason,
            "message": error.message,
            "metadata": dict(error.metadata),
            "retry_after": error.retry_after,
            "call_id": getattr(error, "call_id", ""),
        }
    elif isinstance(error, asyncio.CancelledError):
        found["code"] = "CANCELLED"
    return found


def _exception(error: BaseException | None) -> Answer | None:
    if not isinstance(error, callgate.RemoteError):
        return None
    kind = type(error)
    attributes = {
        name: value
        for base, names in _FIELDS
        if isinstance(error, base)
        for name in names
        if (value := getattr(error, name, None)) is not None
    }
    return {
        "type": kind.__name__,
        "module": error.remote_module,
        "qualname": kind.__qualname__,
        "message": error.message,
        # A group's own are its message and its members again.
        "args": [] if isinstance(error, BaseExceptionGroup) else [to_hex(argument) for argument in error.args],
        "notes": [note for note in getattr(error, "__notes__", ()) if not note.startswith("Remote traceback ")],
        "frames": [
            {"file": frame.file, "line": frame.line, "function": frame.function, "source": frame.source}
            for frame in error.frames
        ],
        "cause": _exception(error.__cause__),
        "context": _exception(error.__context__),
        "suppress_context": error.__suppress_context__,
        "exceptions": [_exception(member) for member in getattr(error, "exceptions", ())],
        "builtin_bases": [
            base.__name__
            for base in kind.__mro__[1:]
            if base.__module__ == "builtins" and base not in (BaseException, object) and base.__name__ != kind.__name__
        ],
        "truncated": error.truncated,
        "attributes": {name: to_hex(value) for name, value in attributes.items()},
    }
