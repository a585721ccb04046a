"""Converters towards plain types: what each takes as it is, and what it makes of a string.

Numbers are never changed: an integral float is not an int, and an int where a float is hinted stays one (PEP 484 lets a
Python caller pass it, too).
"""

from __future__ import annotations

import decimal
import numbers
import pathlib
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from callgate.convert.mismatch import Mismatch, wanted

__all__ = ["SCALARS", "instances_of"]

_CONTEXT = decimal.Context(traps=[decimal.InvalidOperation])
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:Infinity|Inf|s?NaN\d*)", re.ASCII)


def instances_of(types: Any, what: str) -> Callable[[Any], Any]:
    """A converter that takes instances of a type, or of one of several, as they are, and nothing else."""

    def convert(value: Any) -> Any:
        if isinstance(value, types):
            return value
        raise wanted(what, value)

    return convert


def _none(value: Any) -> Any:
    if value is not None:
        raise wanted("None", value)
    return None


def _bool(value: Any) -> Any:
    # numpy.bool_ is no subclass of bool, and registered nowhere.
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return value
    raise wanted("a bool", value)


def _bytes(value: Any) -> Any:
    if isinstance(value, bytes):
        return value
    raise wanted("bytes", value)


def _bytearray(value: Any) -> Any:
    return bytearray(value) if isinstance(value, bytes) else instances_of(bytearray, "bytes")(value)


def _memoryview(value: Any) -> Any:
    return memoryview(value) if isinstance(value, bytes) else instances_of(memoryview, "bytes")(value)


def _decimal(value: Any) -> Any:
    if isinstance(value, Decimal):
        return value
    if type(value) is int:
        return Decimal(value)
    if type(value) is str and _DECIMAL.fullmatch(value):
        try:
            return Decimal(value, _CONTEXT)
        except decimal.InvalidOperation:
            pass  # out of range
    raise wanted("a Decimal, an int or a decimal number as a str", value)


def _uuid(value: Any) -> Any:
    if isinstance(value, UUID):
        return value
    if type(value) is str and _UUID.fullmatch(value):
        return UUID(value)
    raise wanted("a UUID, or one as a str,", value)


def _from_iso(kind: type[Any], what: str) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        if type(value) is str:
            try:
                return kind.fromisoformat(value)
            except ValueError as error:
                raise Mismatch(f"{value[:40]!r} is not {what} in ISO 8601: {error}"[:300]) from None
        raise wanted(f"{what}, or one as a str in ISO 8601,", value)

    return convert


def _path(kind: type[Any]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        if type(value) is str:
            return kind(value)
        raise wanted("a path as a str", value)

    return convert


#: By exact type of the hint.
SCALARS: dict[Any, Callable[[Any], Any]] = {
    None: _none,
    type(None): _none,
    bool: _bool,
    # numbers' classes, for numpy's scalars.
    int: instances_of(numbers.Integral, "an int"),
    float: instances_of(numbers.Real, "a float"),
    complex: instances_of(numbers.Complex, "a complex"),
    str: instances_of(str, "a str"),
    bytes: _bytes,
    bytearray: _bytearray,
    memoryview: _memoryview,
    Decimal: _decimal,
    UUID: _uuid,
    datetime: _from_iso(datetime, "a datetime"),
    date: _from_iso(date, "a date"),
    time: _from_iso(time, "a time"),
    timedelta: instances_of(timedelta, "a timedelta"),
    pathlib.Path: _path(pathlib.Path),
    pathlib.PurePath: _path(pathlib.PurePath),
    pathlib.PurePosixPath: _path(pathlib.PurePosixPath),
}
