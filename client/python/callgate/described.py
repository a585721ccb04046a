"""An exception as plain data: everything about it that travels, read once, where it was raised.

    describe(error) ──▶ Described: dicts, lists, strings, numbers, and the values that the exception carries
                        (in the process or sub-interpreter that raised it)
    failures/raised.py ──▶ google.rpc.Status (where protobuf is)

Reading an exception runs its author's code (`__str__`, `args`, `__notes__`), which may itself raise or lie: every such
read is guarded, or goes through a descriptor of BaseException's own; and issubclass(type(…)) stands for isinstance(),
which believes a `__class__` that lies. Pure Python and free of protobuf and grpc, like
`callgate.context`.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypedDict

from callgate.errors import STATUS_CODES, StatusError, ValueFormError

__all__ = ["Described", "DescribedFrame", "describe", "without_values"]

#: Causes, contexts and group levels; arbitrary, and far more than fits into trailers.
_DEPTH = 8
_NOTES = 20
_MEMBERS = 50
_FRAMES = 64
#: Characters of a message; arbitrary, a screenful. What is longer is cut, and says so.
_MESSAGE = 2000
#: Deeper than any recursion limit in use.
_MOST_FRAMES = 20_000

#: file, line, function, source line, how many times more it came in a row
DescribedFrame = tuple[str, int, str, str, int]


class Described(TypedDict):
    """An exception.

    Attributes:
        type: the class's name.
        module: its module.
        qualname: its qualified name.
        builtin_bases: names of its builtin ancestors, nearest first.
        code: the gRPC code's name that a StatusError chose, "" for others.
        path: where the value stands that has no Value form, for a ValueFormError.
        message: str() of it, cut.
        args: its args, as they are.
        attributes: fields that builtin exceptions have beyond args, as they are.
        notes: its notes.
        frames: its traceback, outermost frame first.
        suppress_context: `__suppress_context__`.
        cause: `__cause__`.
        context: `__context__`, None if it is the cause.
        exceptions: the members of a group; None for others.
        truncated: whether something was left out.
    """

    type: str
    module: str
    qualname: str
    builtin_bases: list[str]
    code: str
    path: str
    message: str
    args: list[Any] | None
    attributes: dict[str, Any]
    notes: list[str]
    frames: list[DescribedFrame]
    suppress_context: bool
    cause: Described | None
    context: Described | None
    exceptions: list[Described] | None
    truncated: bool


def describe(error: BaseException, *, hide: str | tuple[str, ...] = "") -> Described:
    """Describe an exception.

    Args:
        error: the exception.
        hide: frames whose file starts with this, or one of these, are the server's own and are left out.

    Returns:
        Its description. The values in `args` and `attributes` are the exception's own, whatever they are; all else is
        exactly str, int, bool, list, dict or tuple.
    """
    return _describe(error, hide, _DEPTH, set())


def without_values(described: Described) -> Described:
    """The same description without `args` and `attributes`, down to the last member: for when one cannot be read."""
    copy = described.copy()
    copy["args"] = None
    copy["attributes"] = {}
    cause, context, members = described["cause"], described["context"], described["exceptions"]
    copy["cause"] = None if cause is None else without_values(cause)
    copy["context"] = None if context is None else without_values(context)
    copy["exceptions"] = None if members is None else [without_values(member) for member in members]
    return copy


def _describe(error: BaseException, hide: str | tuple[str, ...], depth: int, seen: set[int]) -> Described:
    seen.add(id(error))
    kind = type(error)
    own = BaseException.__dict__
    module = type.__getattribute__(kind, "__module__")
    made: Described = {
        "type": _text(type.__getattribute__(kind, "__name__"), 200),
        "module": _text(module, 200) if isinstance(module, str) else "?",
        "qualname": _text(type.__getattribute__(kind, "__qualname__"), 300),
        "builtin_bases": [
            base.__name__
            for base in type.__getattribute__(kind, "__mro__")[1:]
            if base.__module__ == "builtins" and base not in (BaseException, object)
        ],
        "code": _code_of(error),
        "path": _path_of(error),
        "message": _message_of(error),
        "args": [*tuple.__iter__(own["args"].__get__(error))],
        "attributes": _attributes_of(error),
        "notes": _notes_of(error),
        "frames": [],
        "suppress_context": bool(own["__suppress_context__"].__get__(error)),
        "cause": None,
        "context": None,
        "exceptions": None,
        "truncated": False,
    }
    made["truncated"] = len(made["message"]) == _MESSAGE and made["message"].endswith("…")
    _describe_frames(own["__traceback__"].__get__(error), made, hide)
    cause, context = own["__cause__"].__get__(error), own["__context__"].__get__(error)
    # A cause is usually the context too: once is enough.
    for field, linked in (("cause", cause), ("context", None if context is cause else context)):
        if linked is None:
            continue
        if depth == 0:
            made["truncated"] = True
        elif id(linked) not in seen:
            made[field] = _describe(linked, hide, depth - 1, seen)  # type: ignore[literal-required]  # the loop's own
    if issubclass(type(error), BaseExceptionGroup):
        made["args"] = []  # they are the message and the members again
        members: list[Described] = []
        made["exceptions"] = members
        for member in BaseExceptionGroup.__dict__["exceptions"].__get__(error):
            if depth == 0 or len(members) >= _MEMBERS:
                made["truncated"] = True
                break
            members.append(_describe(member, hide, depth - 1, seen))
    return made


def _path_of(error: BaseException) -> str:
    path = _guarded(lambda: error.path) if issubclass(type(error), ValueFormError) else None  # type: ignore[attr-defined]  # as the condition says
    return _text(path, 300) if issubclass(type(path), str) else ""


def _code_of(error: BaseException) -> str:
    if not issubclass(type(error), StatusError):
        return ""
    code = _guarded(getattr, error, "code")
    return code if type(code) is str and STATUS_CODES.get(code, 0) else ""


def _notes_of(error: BaseException) -> list[str]:
    notes = _guarded(getattr, error, "__notes__")
    return [_text(note, 1000) for note in notes[:_NOTES] if issubclass(type(note), str)] if type(notes) is list else []


#: Fields that builtin exceptions have beyond args, by the class that defines them.
_OWN_FIELDS: tuple[tuple[type[BaseException], tuple[str, ...]], ...] = (
    (OSError, ("errno", "strerror", "filename", "filename2")),
    (BlockingIOError, ("characters_written",)),
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


def _attributes_of(error: BaseException) -> dict[str, Any]:
    made = {}
    for kind, names in _OWN_FIELDS:
        if not issubclass(type(error), kind):
            continue
        for name in names:
            descriptor = kind.__dict__.get(name)
            value = _guarded(descriptor.__get__, error) if descriptor is not None else None
            if value is not None:
                made[name] = value
    return made


def _describe_frames(traceback: TracebackType | None, into: Described, hide: str | tuple[str, ...]) -> None:
    frames = into["frames"]
    last: tuple[Any, int] | None = None
    count = 0
    while traceback is not None:
        code = traceback.tb_frame.f_code
        line = traceback.tb_lineno or 0
        if hide and code.co_filename.startswith(hide):
            pass
        elif last == (code, line):
            frames[-1] = (*frames[-1][:4], frames[-1][4] + 1)
        else:
            last = (code, line)
            if len(frames) >= _FRAMES:  # more never fits; keep the outermost and the innermost
                del frames[_FRAMES // 2]
                into["truncated"] = True
            names = traceback.tb_frame.f_globals
            source = _guarded(linecache.getline, code.co_filename, line, names)
            frames.append(
                (
                    _text(code.co_filename, 300),
                    line,
                    _text(code.co_qualname, 200),
                    _text(source.strip(), 200) if isinstance(source, str) else "",
                    0,
                )
            )
        traceback = traceback.tb_next
        count += 1
        if count > _MOST_FRAMES:
            into["truncated"] = True
            return


def _message_of(error: BaseException) -> str:
    if issubclass(type(error), BaseExceptionGroup):
        return _text(BaseExceptionGroup.__dict__["message"].__get__(error), _MESSAGE)
    try:
        text = str(error)
    except BaseException as failure:  # a hostile or broken __str__ must not break the answer
        return f"<str() of this {_class_name(type(error))} raised {_class_name(type(failure))}>"
    return _text(text, _MESSAGE)


def _guarded(read: Callable[..., Any], *args: Any) -> Any:
    """What `read` returns, None if it raises: for reads that may run an exception's own code."""
    try:
        return read(*args)
    except BaseException:
        return None


def _text(text: Any, chars: int) -> str:
    """An exact str that protobuf takes, cut: surrogates replaced, subclasses read with str's own methods."""
    plain = str.__str__(text)[: chars + 1].encode("utf-8", "backslashreplace").decode("utf-8")
    return plain if len(plain) <= chars else plain[: chars - 1] + "…"


def _class_name(kind: type) -> str:
    name = str(type.__getattribute__(kind, "__qualname__"))
    module = type.__getattribute__(kind, "__module__")
    return name if module == "builtins" or not isinstance(module, str) else f"{module}.{name}"
