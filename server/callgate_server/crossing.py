"""Values on their way between the main interpreter and a sub-interpreter: bytes of a pickle that can hold data only.

    main: Values ─decode▶ Python data ─pack▶ bytes ══▶ unpack_inside: Python data ─▶ the function
    main: Value ◀encode─ Python data ◀unpack_here─ bytes ◀══ pack: what it returned

Pickle, because one C routine carries everything that has a Value form, and keeps types exact where marshal would turn a
bytearray or an array into bytes without a word. What it must not do is what pickle does by nature, run code that the
data names. So `pack` never asks a value how it wants to be pickled: this module decides by type, and

* a dataclass, namedtuple, Enum or attrs instance goes as a `callgate.Record`, which is the same Value;
* a subclass of a builtin goes as that builtin, read with the builtin's own methods;
* what has no Value form goes as a stand-in, an empty object whose type has the same name. Encoding it in the main
  interpreter then fails as it would have failed on the value itself, with the same words and the path to it.

And `unpack_here` refuses every global that is not in its table. Messages of numbers and strings only, as most are, go
by marshal, at a quarter of the time. Pure Python, free of protobuf: it runs on both sides.
"""

from __future__ import annotations

import datetime
import enum
import importlib
import io
import marshal
import pickle
import sys
from collections.abc import Callable
from types import CoroutineType, FunctionType, GeneratorType
from typing import Any

from callgate.buffers import ArrowStream, Tensor
from callgate.records import Record, registered, shape_of

__all__ = ["ATOMS", "pack", "pack_atoms", "unpack_here", "unpack_inside"]

#: Types whose values marshal and pickle alike keep as they are, whatever they are next to.
ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes})

_PICKLE = 0x80  # a pickle's first byte, and no marshalled tuple's

_Reduced = tuple[Callable[..., Any], tuple[Any, ...]]

#: Builtins by which a subclass's instance is read, and how to read it past overridden methods; as in callgate.values.
_BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, int.__pos__),
    (float, float.__pos__),
    (str, lambda v: str.__str__(v)[:]),
    (bytes, lambda v: bytes.__getitem__(v, slice(None))),
    (list, lambda v: [*list.__iter__(v)]),
    (tuple, lambda v: (*tuple.__iter__(v),)),
    (dict, lambda v: dict(dict.items(v))),
    (set, lambda v: {*set.__iter__(v)}),
    (frozenset, lambda v: frozenset(frozenset.__iter__(v))),
)


class _Packer(pickle.Pickler):
    """Asked by the C pickler about every value that is not exactly a plain builtin."""

    def __init__(self, file: io.BytesIO, replace: Callable[[Any], Any] | None = None) -> None:
        super().__init__(file, 5)
        self.stood_in = False
        self._replace = replace

    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if kind in _AS_THEY_ARE:
            return NotImplemented
        # What a reduction below names, by identity; anybody else's function or class is a value without a form.
        if (kind is FunctionType and id(value) in _NAMED) or (kind is type and _is_named(value)):
            return NotImplemented
        form = _FORMS.get(kind) or _found.get(kind)
        if form is None:
            if len(_found) >= _MOST_FOUND:
                _found.clear()
            form = _found[kind] = _find_form(kind)
        reduced = form(value)
        if reduced[0] is stand_in:
            if self._replace is not None:
                value = self._replace(value)
                return _FORMS[type(value)](value)
            self.stood_in = True
        return reduced


def pack(value: Any, replace: Callable[[Any], Any] | None = None) -> bytes:
    """Pack a value for the other side.

    Args:
        value: any value at all; parts without a Value form become stand-ins.
        replace: makes a Tensor or ArrowStream of a part that would become a stand-in; in the main interpreter, where
            numpy's and Arrow's types are.

    Returns:
        Its bytes.

    Raises:
        RecursionError: if it nests too deeply for pickle, which is far deeper than Values may nest.
        BaseException: what reading a field raised.
    """
    file = io.BytesIO()
    _Packer(file, replace).dump(value)
    return file.getvalue()


#: Packs a tuple of atoms, and of tuples, lists and dicts of atoms: the caller has looked. Much faster than `pack`.
pack_atoms: Callable[[tuple[Any, ...]], bytes] = marshal.dumps


def unpack_inside(data: bytes | memoryview) -> Any:
    """What the main interpreter packed. For sub-interpreters only: it trusts the data."""
    return pickle.loads(data) if data[0] == _PICKLE else marshal.loads(data)


class _Unpacker(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == __name__:
            found = _HERE.get(name)
            if found is not None:
                return found
        elif name in _DATA.get(module, ()):
            return getattr(importlib.import_module(module), name)
        raise pickle.UnpicklingError(f"{module}.{name} is not among the data that may cross")


def unpack_here(data: bytes | bytearray | memoryview) -> Any:
    """What a sub-interpreter packed, built from plain data and nothing else.

    Raises:
        pickle.UnpicklingError: if it names anything that is not data.
    """
    return _Unpacker(io.BytesIO(data)).load() if data[0] == _PICKLE else marshal.loads(data)


# ----------------------------------------------------------------------------------------------- by type: what to send

#: Types that pickle's own reduction takes apart into plain data and themselves, by module: all that may be named.
_DATA = {
    "builtins": ("complex", "bytearray", *(base.__name__ for base, _ in _BASES)),
    "datetime": ("date", "time", "datetime", "timedelta", "timezone"),
    "decimal": ("Decimal",),
}

_AS_THEY_ARE = frozenset(
    {complex, datetime.date, datetime.time, datetime.datetime, datetime.timedelta, datetime.timezone}
)


def _find_form(kind: type) -> Callable[[Any], _Reduced]:
    module, name = _names(kind)
    # Looked up where they would have come from: importing them here would cost every interpreter milliseconds.
    form = _FOREIGN.get((module, name))
    if form is not None and kind is getattr(sys.modules.get(module), name, None):
        return form
    shape = shape_of(kind)
    if shape is not None:
        read, type_name, idiom = shape.read, shape.type_name, shape.form
        if enum.Enum in kind.__mro__:
            return lambda value: (make_record, (type_name, _member(read(value)), idiom))
        return lambda value: (make_record, (type_name, dict(read(value)), idiom))
    mro = type.__getattribute__(kind, "__mro__")
    for base, read_base in _BASES:
        if base in mro and module.partition(".")[0] not in ("numpy", "pandas"):
            return _base_form(base, read_base)
    return _stand_in_for


def _base_form(base: type, read: Callable[[Any], Any]) -> Callable[[Any], _Reduced]:
    return lambda value: (base, (read(value),))


def _names(kind: type) -> tuple[str, str]:
    """A type's module and qualified name, read past a metaclass, exactly str."""
    module = type.__getattribute__(kind, "__module__")
    return str.__str__(module) if isinstance(module, str) else "?", str.__str__(
        type.__getattribute__(kind, "__qualname__")
    )


def _is_named(value: Any) -> bool:
    """Whether this is one of the types that `_DATA` names, and not another of the same name."""
    module, name = _names(value)
    return name in _DATA.get(module, ()) and getattr(sys.modules.get(module), name, None) is value


def _member(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    """An Enum's member: one whose value has no Value form still has its name."""
    packer = _Packer(io.BytesIO())
    packer.dump(fields[1][1])
    return dict(fields[:1] if packer.stood_in and fields[0][1] else fields)


def _stand_in_for(value: Any) -> _Reduced:
    kind = type(value)
    if kind in (GeneratorType, CoroutineType):
        try:
            value.close()  # nobody will run it: without this it would warn, or linger
        except BaseException:
            pass  # its finally blocks are its own affair
    mro = type.__getattribute__(kind, "__mro__")
    base = "exception" if BaseException in mro else "tzinfo" if datetime.tzinfo in mro else ""
    return stand_in, (*_names(kind), base)


def _zone_form(value: Any) -> _Reduced:
    return (make_zone, (value.key,)) if value.key else _stand_in_for(value)


_FORMS: dict[type, Callable[[Any], _Reduced]] = {
    Record: lambda value: (make_record, (value.type_name, dict(value), value.form)),
    Tensor: lambda value: (make_tensor, (value.dtype, value.shape, value.data, value.scalar)),
    ArrowStream: lambda value: (make_arrow, (value.ipc_stream, value.form)),
}

#: What other types were found to send. Bounded, since a program may make types without end.
_found: dict[type, Callable[[Any], _Reduced]] = {}
_MOST_FOUND = 1000

_FOREIGN: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("decimal", "Decimal"): lambda value: (type(value), (str(value),)),
    ("uuid", "UUID"): lambda value: (make_uuid, (value.int,)),
    ("zoneinfo", "ZoneInfo"): _zone_form,
}


# --------------------------------------------------------------------------------------- by name: what to make of it


def make_record(type_name: str, fields: dict[str, Any], form: str) -> Any:
    """Inside: an instance of the type if it is registered there, else a Record."""
    record = Record(type_name, fields, form)
    kind = registered(type_name)
    return record if kind is None else record.to(kind)


def make_tensor(dtype: str, shape: tuple[int, ...], data: bytes, scalar: bool) -> Tensor:
    """An array; numpy cannot be loaded inside."""
    return Tensor(dtype, shape, data, scalar)


def make_arrow(ipc_stream: bytes, form: str) -> ArrowStream:
    """Arrow data; pyarrow cannot be loaded inside."""
    return ArrowStream(ipc_stream, form)


def make_uuid(number: int) -> Any:
    """A UUID."""
    import uuid

    return uuid.UUID(int=number)


def make_zone(key: str) -> Any:
    """A ZoneInfo by its key."""
    import zoneinfo

    return zoneinfo.ZoneInfo(key)


def stand_in(module: str, qualname: str, base: str) -> Any:
    """An empty object whose type has this name."""
    bases: dict[str, type] = {"exception": Exception, "tzinfo": datetime.tzinfo}
    made: Any = type(qualname.rpartition(".")[2] or "?", (bases.get(base, object),), {"__module__": module})
    made.__qualname__ = qualname
    return made()


_HERE: dict[str, Callable[..., Any]] = {
    "make_record": Record,
    "make_tensor": make_tensor,
    "make_arrow": make_arrow,
    "make_uuid": make_uuid,
    "make_zone": make_zone,
    "stand_in": stand_in,
}

#: The functions that reductions name.
_NAMED = frozenset(map(id, (make_record, make_tensor, make_arrow, make_uuid, make_zone, stand_in)))
