"""Values towards type hints, where that is unambiguous: a Record to a dataclass, a str to a UUID, a list to a tuple.

    scalars.py      int, str, Decimal, UUID, datetime, Path, …
    containers.py   list[T], dict[K, V], tuple, unions, Literal, TypedDict
    records.py      dataclass, namedtuple, Enum, attrs, pydantic
    mismatch.py     the error

Our own converters decide about plain types and containers, so that a call means the same where pydantic is not
installed (a worker in another environment) or cannot be imported (a sub-interpreter); neither of pydantic's modes has
these rules (the lax one makes an int of "5" and of 5.0, the strict one no UUID of a str). Its TypeAdapter decides about
what is its own: models, its dataclasses and constraints.

Pure Python and free of protobuf and grpc, like `callgate.context`.
"""

from __future__ import annotations

import abc
import collections.abc
import enum
import sys
import threading
import types
import typing
from collections.abc import Callable
from typing import Any

from callgate.convert import containers, records
from callgate.convert.mismatch import Mismatch
from callgate.convert.scalars import SCALARS, instances_of
from callgate.records import is_pydantic_model, shape_of

__all__ = ["Converter", "Mismatch", "converter"]

Converter = Callable[[Any], Any]

_MAPPINGS = (dict, collections.OrderedDict, collections.abc.Mapping, collections.abc.MutableMapping)

_lock = threading.RLock()
_made: dict[Any, Converter | None] = {}
_MOST_MADE = 2000  # hints come from code; bounded all the same, for code that is reloaded


class _Deferred:
    """A converter whose making is under way: a type that refers to itself."""

    def __init__(self) -> None:
        self.convert: Converter | None = None

    def __call__(self, value: Any) -> Any:
        return value if self.convert is None else self.convert(value)


def converter(hint: Any) -> Converter | None:
    """The converter for a type hint, made once.

    Args:
        hint: an evaluated type hint.

    Returns:
        A function from a value to the converted value, which is the same object if nothing had to change, and which
        raises Mismatch for a value that does not fit; None if every value passes.
    """
    try:
        return _made[hint]
    except KeyError:
        pass
    except TypeError:  # not hashable: Annotated with a list
        return _make(hint)
    with _lock:
        if hint in _made:
            return _made[hint]
        if len(_made) >= _MOST_MADE:
            _made.clear()
        deferred = _Deferred()
        _made[hint] = deferred
        try:
            made = _make(hint)
        except BaseException:
            _made.pop(hint, None)
            raise
        deferred.convert = made
        _made[hint] = made
        return made


def _make(hint: Any) -> Converter | None:
    scalar = SCALARS.get(hint) if isinstance(hint, type | None) else None
    if scalar is not None:
        return scalar
    origin = typing.get_origin(hint)
    if origin is not None:
        return _make_generic(hint, origin, typing.get_args(hint))
    if isinstance(hint, typing.NewType):
        return converter(hint.__supertype__)
    if _is_alias(hint):
        return converter(hint.__value__)
    return _make_class(hint) if isinstance(hint, type) else None  # Any, TypeVar, a name that was not found


def _make_generic(hint: Any, origin: Any, args: tuple[Any, ...]) -> Converter | None:
    if origin is typing.Annotated:
        return _make_annotated(hint, args[0])
    if origin in (typing.Union, types.UnionType):
        return containers.union(args, converter)
    if origin is typing.Literal:
        return containers.literal(args)
    if origin in (typing.Required, typing.NotRequired, typing.Final, typing.ClassVar):
        return converter(args[0])
    if origin is tuple:
        return containers.tuple_of(args, converter)
    if origin in containers.SEQUENCES and len(args) == 1:
        return containers.sequence(origin, args[0], converter)
    if origin in _MAPPINGS and len(args) == 2:
        return containers.mapping(origin, *args, converter)
    if _is_alias(origin):
        return converter(_aliased(origin, args))
    if isinstance(origin, type) and is_pydantic_model(origin):
        return records.by_pydantic(hint)
    # A generic class of the user's: its parameters are not followed. type[X] and Callable: anything passes.
    return None if origin in (type, collections.abc.Callable) else _make_class(origin)


def _is_alias(hint: Any) -> bool:
    return hasattr(hint, "__value__") and type(hint).__name__ == "TypeAliasType"


def _aliased(alias: Any, args: tuple[Any, ...]) -> Any:
    """What `type Pair[T] = tuple[T, T]` is for Pair[int]; numpy.typing.NDArray is such an alias, since numpy 2.5."""
    value = alias.__value__
    given = dict(zip(alias.__type_params__, args, strict=False))
    wanted = getattr(value, "__parameters__", ())
    if len(args) != len(alias.__type_params__) or not given.keys() >= set(wanted) or not wanted:
        return value  # with its type variables, which anything meets
    return value[tuple(given[parameter] for parameter in wanted)]


def _make_annotated(hint: Any, bare: Any) -> Converter | None:
    convert = converter(bare)
    ours = ("pydantic", "annotated_types", "pydantic_core")
    if "pydantic" not in sys.modules or not any(
        type(extra).__module__.partition(".")[0] in ours for extra in hint.__metadata__
    ):
        return convert
    try:
        check = records.by_pydantic(hint, strict=True)
    except Exception:  # a type that pydantic knows nothing of
        return convert
    # Converted by our rules first; strictly, pydantic only checks.
    return check if convert is None or is_pydantic_model(bare) else lambda value: check(convert(value))


def _make_class(kind: Any) -> Converter | None:
    if kind is object or kind is type or kind is Any or getattr(kind, "_is_protocol", False):
        return None
    if kind in containers.SEQUENCES:
        return containers.sequence(kind, Any, converter)
    if kind is tuple:
        return containers.tuple_of((Any, ...), converter)
    if kind in _MAPPINGS:
        return containers.mapping(kind, Any, Any, converter)
    if typing.is_typeddict(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        return containers.typed_dict(kind, hints, converter)
    if issubclass(kind, enum.Enum):
        return records.to_enum(kind)
    shape = shape_of(kind)
    if shape is not None:
        if shape.form == "pydantic" or hasattr(kind, "__pydantic_validator__"):
            return records.by_pydantic(kind)
        return records.to_fields(kind, shape.form, converter)
    if isinstance(kind, abc.ABCMeta):
        return None  # met by classes that need not derive from it
    if kind.__module__ == "builtins" and kind.__name__ in ("function", "module"):
        return None
    return instances_of(kind, _name(kind))


def _name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
