"""Values with named fields or a named member: what they are read as, and what they arrive as.

    shape_of(type)      how instances of a dataclass, namedtuple, Enum, pydantic model or attrs class are read
    Record              what arrives where the type is not known
    register(type)      makes the type known: Records of its name arrive as its instances

A type that a message names is never imported: it has to be registered here, or expected by a function's type hints.
Pure Python and free of protobuf and grpc, like `callgate.context`: Records go into workers and sub-interpreters.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from callgate.errors import ValueFormError

__all__ = ["FORMS", "Record", "Shape", "is_pydantic_model", "register", "registered", "shape_of", "type_name"]

T = TypeVar("T")

#: The idioms by the names that Record.form has, in the order of the numbers of `callgate.v1.RecordForm`.
FORMS = ("", "dataclass", "namedtuple", "enum", "pydantic", "attrs")


class Record(Mapping[str, Any]):
    """An instance of a type that is not known here: its fields, by name, in order.

    `record["price"]` always works; `record.price` where no method has that name. Equal to another Record of the same
    type with equal fields; hashable if its fields are.

    Args:
        type_name: the type, "module:Qualified.name".
        fields: the fields; for an Enum's member "name" and "value".
        form: which Python idiom the type is, one of FORMS; "" for some client's struct.
    """

    __slots__ = ("_fields", "form", "type_name")

    def __init__(self, type_name: str, fields: Mapping[str, Any], form: str = "") -> None:
        if form not in FORMS:
            raise ValueError(f"form is one of {', '.join(repr(known) for known in FORMS)}, not {form!r}")
        self.type_name = type_name
        self.form = form
        self._fields = dict(fields)

    def to(self, kind: type[T]) -> T:
        """Make an instance of a type from the fields, converting them towards its type hints.

        Args:
            kind: a dataclass, namedtuple, Enum, pydantic model or attrs class.

        Returns:
            The instance.

        Raises:
            callgate.convert.Mismatch: if the fields don't fit.
        """
        from callgate.convert import converter

        convert = converter(kind)
        return self if convert is None else convert(self)  # type: ignore[return-value]  # convert knows the kind at run time

    def __getitem__(self, name: str) -> Any:
        return self._fields[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_fields":  # copy and pickle ask before there are any
            raise AttributeError(name)
        try:
            return self._fields[name]
        except KeyError:
            raise AttributeError(f"a {self.type_name} record has no field {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return self.type_name == other.type_name and self.form == other.form and self._fields == other._fields

    def __hash__(self) -> int:
        return hash((self.type_name, frozenset(self._fields.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        return Record, (self.type_name, self._fields, self.form)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self._fields.items())
        return f"<{self.type_name or 'Record'} {fields}>" if fields else f"<{self.type_name or 'Record'}>"


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """How instances of one type are read.

    Attributes:
        type_name: "module:Qualified.name".
        form: one of FORMS.
        read: the fields of an instance, in order; raises ValueFormError for one that is not whole.
    """

    type_name: str
    form: str
    read: Callable[[Any], list[tuple[str, Any]]]


def type_name(kind: type) -> str:
    """The name under which a type's instances travel: "module:Qualified.name"; read past a metaclass."""
    module = type.__getattribute__(kind, "__module__")
    return f"{module if isinstance(module, str) else '?'}:{type.__getattribute__(kind, '__qualname__')}"


def shape_of(kind: type) -> Shape | None:
    """How instances of a type are read.

    Args:
        kind: the type.

    Returns:
        Its shape; None if it is none of the idioms.
    """
    mro = type.__getattribute__(kind, "__mro__")
    if enum.Enum in mro:
        return Shape(type_name(kind), "enum", _read_member)
    if tuple in mro:
        names = getattr(kind, "_fields", None)
        if isinstance(names, tuple) and all(isinstance(name, str) for name in names) and hasattr(kind, "_make"):
            return Shape(type_name(kind), "namedtuple", _namedtuple_reader(names))
        return None
    if is_pydantic_model(kind):
        return Shape(type_name(kind), "pydantic", _read_model)
    if dataclasses.is_dataclass(kind):
        return Shape(type_name(kind), "dataclass", _reader([field.name for field in dataclasses.fields(kind)]))
    attributes = getattr(kind, "__attrs_attrs__", None)
    if isinstance(attributes, tuple):
        return Shape(type_name(kind), "attrs", _reader([attribute.name for attribute in attributes]))
    return None


def is_pydantic_model(kind: type) -> bool:
    """Whether a type is a pydantic model; never imports pydantic."""
    pydantic = sys.modules.get("pydantic.main")
    model = getattr(pydantic, "BaseModel", None)
    return model is not None and model in type.__getattribute__(kind, "__mro__")


def _read_member(value: Any) -> list[tuple[str, Any]]:
    # _name_ is None for a Flag's value without a name; int's own members (IntFlag) have both.
    return [("name", value._name_ or ""), ("value", value._value_)]


def _namedtuple_reader(names: tuple[str, ...]) -> Callable[[Any], list[tuple[str, Any]]]:
    def read(value: Any) -> list[tuple[str, Any]]:
        items = tuple(tuple.__iter__(value))
        if len(items) != len(names):
            raise ValueFormError(f"a {type(value).__name__} of {len(items)} items has {len(names)} fields")
        return list(zip(names, items, strict=True))

    return read


def _reader(names: list[str]) -> Callable[[Any], list[tuple[str, Any]]]:
    def read(value: Any) -> list[tuple[str, Any]]:
        made = []
        for name in names:
            try:
                made.append((name, getattr(value, name)))
            except AttributeError:
                raise ValueFormError(f"the field {name!r} of this {type(value).__name__} is not set") from None
        return made

    return read


def _read_model(value: Any) -> list[tuple[str, Any]]:
    # What the model's author keeps out of dumps (passwords, mostly) stays out of here, too.
    fields = type(value).model_fields
    made = [(name, getattr(value, name)) for name, field in fields.items() if field.exclude is not True]
    made.extend((getattr(value, "__pydantic_extra__", None) or {}).items())
    return made


_registered: dict[str, type] = {}


def register(kind: type[T]) -> type[T]:
    """Let Records of a type arrive as its instances, in this process; usable as a decorator.

    Args:
        kind: a dataclass, namedtuple, Enum, pydantic model or attrs class.

    Returns:
        The type.

    Raises:
        TypeError: if it is none of these.
    """
    if type not in type(kind).__mro__ or shape_of(kind) is None:  # anything may be handed to a decorator
        raise TypeError(f"{kind!r} is no dataclass, namedtuple, Enum, pydantic model or attrs class")
    _registered[type_name(kind)] = kind
    return kind


def registered(name: str) -> type | None:
    """The type that was registered under a name."""
    return _registered.get(name)
