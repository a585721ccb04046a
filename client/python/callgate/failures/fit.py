"""Cutting a described exception until it fits into the trailing metadata: the least telling things first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from callgate.v1 import failure_pb2 as pb

__all__ = ["fit"]


def fit(exception: pb.PythonException, limit: int) -> None:
    """Cut an exception until it serializes to at most so many bytes.

    What is cut says so by `truncated`. Type, module and the first 160 characters of the message always stay.

    Args:
        exception: the exception, cut in place.
        limit: bytes; from about 1,500 on it can be met.
    """
    for cut in _CUTS:
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


def _drop_attributes(exception: pb.PythonException) -> None:
    for name in list(exception.attributes):  # errno and line numbers stay, texts and objects go
        if exception.attributes[name].ByteSize() > 64:
            del exception.attributes[name]


def _drop_args(exception: pb.PythonException) -> None:
    if exception.args:
        exception.ClearField("args")
        exception.args_omitted = True


def _drop_sources(exception: pb.PythonException) -> None:
    for frame in exception.frames:
        frame.ClearField("source")


def _keep_ends(items: Any, count: int) -> None:
    if len(items) > count:
        del items[count // 2 : len(items) - count // 2]


def _shorten_message(exception: pb.PythonException, chars: int) -> None:
    if len(exception.message) > chars:
        exception.message = exception.message[:chars] + "…"


_CUTS: tuple[Any, ...] = (
    _drop_attributes,
    _drop_args,
    _drop_sources,
    lambda e: _keep_ends(e.frames, 12),
    lambda e: e.ClearField("notes"),
    lambda e: _shorten_message(e, 800),
    lambda e: _keep_ends(e.frames, 4),
    lambda e: _keep_ends(e.exceptions, 8),
    lambda e: e.ClearField("context"),
    lambda e: _shorten_message(e, 160),
    lambda e: e.ClearField("attributes"),
    lambda e: _keep_ends(e.exceptions, 2),
    lambda e: e.ClearField("frames"),
    lambda e: e.ClearField("exceptions"),
    lambda e: e.ClearField("cause"),
    lambda e: _keep_ends(e.builtin_bases, 4),
)
