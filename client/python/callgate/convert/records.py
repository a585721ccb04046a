"""Converters towards types with fields or members: dataclass, namedtuple, Enum, attrs class, pydantic model.

A Record becomes one whatever its own type name is: a client in another language has names of its own. So does a dict
with the fields as keys, which is what many clients send for a struct.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from typing import Any

from callgate.convert.mismatch import Mismatch, wanted
from callgate.records import Record

__all__ = ["by_pydantic", "plain", "to_enum", "to_fields"]

Converter = Callable[[Any], Any]
Find = Callable[[Any], "Converter | None"]


def to_enum(kind: type[enum.Enum]) -> Converter:
    """For an Enum: a Record by the member's name (a Flag's by value), anything else by value, a str also by name."""
    by_name = kind.__members__
    is_flag = issubclass(kind, enum.Flag)
    choices = ", ".join(list(by_name)[:8]) + (", …" if len(by_name) > 8 else "")

    def by_value(value: Any) -> Any:
        try:
            made = kind(value)
        except (ValueError, TypeError):
            return None
        # 1 == True == 1.0, and Enum looks up by equality.
        return made if is_flag or type(made._value_) is type(value) or isinstance(value, kind) else None

    def convert(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        made = None
        if isinstance(value, Record):
            name = value.get("name")
            if is_flag and type(value.get("value")) is int:
                made = by_value(value["value"])
            elif isinstance(name, str):
                made = by_name.get(name)
        elif type(value) is str:
            made, named = by_value(value), by_name.get(value)
            if made is not None and named is not None and made is not named:
                raise Mismatch(
                    f"{value!r} is the value of {made.name} and the name of another member of {kind.__name__}"
                )
            made = named if made is None else made
        elif type(value) is not bool or issubclass(kind, int) is False:
            made = by_value(value)
        if made is None:
            raise wanted(f"a {kind.__name__} ({choices})", value)
        return made

    return convert


def to_fields(kind: type, form: str, find: Find) -> Converter:
    """For a dataclass, namedtuple or attrs class: from a Record or a dict, each field towards its own hint."""
    hints = _hints(kind)
    initial, later, required, rest = _FIELDS[form](kind)
    converters = {name: find(hints[name]) if name in hints else None for name in (*initial, *later)}
    aliases: Mapping[str, str] = initial

    def convert(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        if form == "namedtuple" and isinstance(value, list | tuple):
            if len(value) > len(initial):
                raise Mismatch(f"{len(value)} elements, and {kind.__name__} has {len(initial)} fields")
            value = dict(zip(initial, value, strict=False))
        elif not isinstance(value, Record | dict):
            raise wanted(f"a {kind.__name__}", value)
        missing = [name for name in required if name not in value]
        if missing:
            raise Mismatch(f"the field {missing[0]!r} of {kind.__name__} is missing")
        arguments: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for name, item in value.items():
            if name not in converters:
                if rest:
                    continue
                raise Mismatch(f"{kind.__name__} has no field {str(name)[:80]!r}")
            one = converters[name]
            try:
                item = item if one is None else one(item)
            except Mismatch as mismatch:
                mismatch.path = f".{name}{mismatch.path}"
                raise
            if name in aliases:
                arguments[aliases[name]] = item
            else:
                after[name] = item
        return _construct(kind, arguments, after)

    return convert


def _construct(kind: type, arguments: dict[str, Any], after: dict[str, Any]) -> Any:
    try:
        made = kind(**arguments)
        for name, item in after.items():  # fields that __init__ does not take, frozen or not
            object.__setattr__(made, name, item)
    except Exception as error:  # the type's own __init__ or __post_init__ refuses
        raise Mismatch(f"{kind.__name__} refuses it: {type(error).__name__}: {_text(error)}") from None
    return made


def _text(error: Exception) -> str:
    try:
        return str(error)[:200]
    except Exception:  # its own __str__
        return ""


# For each idiom: names that __init__ takes with the argument's name, names set afterwards, names that must be there.
_Fields = tuple[dict[str, str], list[str], list[str], bool]


def _dataclass_fields(kind: Any) -> _Fields:
    fields = dataclasses.fields(kind)
    no_default = dataclasses.MISSING
    return (
        {field.name: field.name for field in fields if field.init},
        [field.name for field in fields if not field.init],
        [f.name for f in fields if f.init and f.default is no_default and f.default_factory is no_default],
        False,
    )


def _namedtuple_fields(kind: Any) -> _Fields:
    defaults = kind._field_defaults
    return {name: name for name in kind._fields}, [], [name for name in kind._fields if name not in defaults], False


def _attrs_fields(kind: Any) -> _Fields:
    attributes = kind.__attrs_attrs__
    nothing = sys.modules["attr"].NOTHING
    return (
        {a.name: getattr(a, "alias", None) or a.name.lstrip("_") for a in attributes if a.init},
        [a.name for a in attributes if not a.init],
        [a.name for a in attributes if a.init and a.default is nothing],
        False,
    )


_FIELDS: dict[str, Callable[[Any], _Fields]] = {
    "dataclass": _dataclass_fields,
    "namedtuple": _namedtuple_fields,
    "attrs": _attrs_fields,
}


def _hints(kind: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except Exception:  # a name that exists for type checkers only: then the fields pass as they are
        return {n: h for n, h in inspect.get_annotations(kind).items() if not isinstance(h, str)}


def by_pydantic(hint: Any, *, strict: bool | None = None) -> Converter:
    """For pydantic's own types: its TypeAdapter validates, from plain data.

    Args:
        hint: a pydantic model or dataclass, or an Annotated type with pydantic's constraints.
        strict: whether pydantic may convert; None for what the type itself says.
    """
    pydantic = sys.modules["pydantic"]
    adapter = pydantic.TypeAdapter(hint)
    own = hint if isinstance(hint, type) else ()

    def convert(value: Any) -> Any:
        if isinstance(value, own):
            return value
        try:
            return adapter.validate_python(plain(value), strict=strict)
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            path = "".join(f".{at}" if isinstance(at, str) else f"[{at}]" for at in first["loc"])
            more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
            raise Mismatch(f"{first['msg']}{more}", path) from None

    return convert


def plain(value: Any) -> Any:
    """A value with every Record in it as pydantic takes it: an Enum's as the member's value, any other as a dict."""
    kind = type(value)
    if kind is Record:
        if value.form == "enum" and "value" in value:
            return plain(value["value"])
        return {name: plain(item) for name, item in value.items()}
    if kind is list or kind is tuple:
        return kind(map(plain, value))
    if kind is dict:
        return {key: plain(item) for key, item in value.items()}
    return value
