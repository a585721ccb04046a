"""Value → Python.

The name of the kind that is set picks a getter (plain kinds, in C) or a function (containers and built kinds). Depth
and element counts are taken off the budget before a container is built, so a hostile message costs no more than its
own bytes did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any

from google.protobuf.message import DecodeError

from callgate.errors import ValueDecodeError
from callgate.v1 import value_pb2 as pb
from callgate.values.limits import DEFAULT_LIMITS, Budget, Limits

__all__ = ["decode", "decode_arguments"]


def decode(value: pb.Value, *, path: str = "result", limits: Limits = DEFAULT_LIMITS) -> Any:
    """Decode a Value.

    Args:
        value: what to decode.
        path: how errors name it ("result", "args[0]").
        limits: depth and element limits.

    Returns:
        The Python value.

    Raises:
        ValueDecodeError: if it is no value that Python could hold, or goes beyond a limit; its path says where.
    """
    try:
        return _decode_one(value, Budget(limits, ValueDecodeError), 0)
    except ValueDecodeError as error:
        error.path = path + error.path
        raise


def decode_arguments(
    args: Iterable[pb.Value], kwargs: Mapping[str, pb.Value], *, limits: Limits = DEFAULT_LIMITS
) -> tuple[list[Any], dict[str, Any]]:
    """Decode a call's arguments, under one budget for all of them.

    Args:
        args: the positional ones.
        kwargs: the keyword ones.
        limits: depth and element limits.

    Returns:
        Positional and keyword arguments.

    Raises:
        ValueDecodeError: as `decode`; paths start with "args[0]" or "kwargs['name']".
    """
    budget = Budget(limits, ValueDecodeError)
    plain = _PLAIN.get
    positional: list[Any] = []
    named: dict[str, Any] = {}
    at = "args"
    try:
        for value in args:
            get = plain(value.WhichOneof("kind"))
            positional.append(get(value) if get is not None else _decode_built(value, budget, 0))
        if kwargs:
            for name in kwargs:
                at = f"kwargs[{name[:80]!r}]"
                named[name] = _decode_one(kwargs[name], budget, 0)
    except ValueDecodeError as error:
        error.path = (f"args[{len(positional)}]" if at == "args" else at) + error.path
        raise
    return positional, named


def _decode_one(value: pb.Value, budget: Budget, depth: int) -> Any:
    get = _PLAIN.get(value.WhichOneof("kind"))
    return get(value) if get is not None else _decode_built(value, budget, depth)


def _decode_built(value: pb.Value, budget: Budget, depth: int) -> Any:
    kind = value.WhichOneof("kind")
    if kind is None:
        raise ValueDecodeError("a Value with no kind set (a newer client's kind, or an empty message)")
    build = _BUILT.get(kind)
    if build is None:
        raise ValueDecodeError(f"values of kind {kind!r} are not taken here")
    return build(value, budget, depth)


def _decode_values(values: Any, budget: Budget, depth: int) -> list[Any]:
    """The elements of a container at `depth`."""
    budget.enter(depth, len(values))
    plain = _PLAIN.get
    items: list[Any] = []
    append = items.append
    try:
        for value in values:
            get = plain(value.WhichOneof("kind"))
            append(get(value) if get is not None else _decode_built(value, budget, depth))
    except ValueDecodeError as error:
        error.path = f"[{len(items)}]{error.path}"
        raise
    return items


def _decode_list(value: pb.Value, budget: Budget, depth: int) -> list[Any]:
    return _decode_values(value.list_value.values, budget, depth + 1)


def _decode_tuple(value: pb.Value, budget: Budget, depth: int) -> tuple[Any, ...]:
    return tuple(_decode_values(value.tuple_value.values, budget, depth + 1))


def _decode_set(value: pb.Value, budget: Budget, depth: int) -> set[Any]:
    return _as_set(_decode_values(value.set_value.values, budget, depth + 1), set)


def _decode_frozenset(value: pb.Value, budget: Budget, depth: int) -> frozenset[Any]:
    return _as_set(_decode_values(value.frozenset_value.values, budget, depth + 1), frozenset)


def _as_set(items: list[Any], kind: type[Any]) -> Any:
    try:
        made = kind(items)
    except TypeError as error:
        raise ValueDecodeError(f"an element of a {kind.__name__} is not hashable: {error}") from None
    if len(made) != len(items):
        raise ValueDecodeError(f"a {kind.__name__} has an element twice")
    return made


def _packed(field: str) -> Callable[[pb.Value, Budget, int], list[Any]]:
    read = attrgetter(f"{field}.values")

    def decode_packed(value: pb.Value, budget: Budget, depth: int) -> list[Any]:
        values = read(value)
        budget.enter(depth + 1, len(values))
        return list(values)

    return decode_packed


def _decode_map(value: pb.Value, budget: Budget, depth: int) -> dict[Any, Any]:
    entries = value.map_value.entries
    depth += 1
    budget.enter(depth, len(entries))
    made: dict[Any, Any] = {}
    for index, entry in enumerate(entries):
        at = f".key({index})"
        try:
            key = _decode_one(entry.key, budget, depth)
            at = f"[entry {index}]"
            item = _decode_one(entry.value, budget, depth)
            made[key] = item
        except ValueDecodeError as error:
            error.path = at + error.path
            raise
        except TypeError as error:
            raise ValueDecodeError(f"a key is not hashable: {error}", f".key({index})") from None
        if len(made) != index + 1:
            raise ValueDecodeError("a key comes twice", f".key({index})")
    return made


def _decode_string_map(value: pb.Value, budget: Budget, depth: int) -> dict[str, Any]:
    packed = value.string_map
    keys = packed.keys
    if len(keys) != len(packed.values):
        raise ValueDecodeError(f"a string_map has {len(keys)} keys and {len(packed.values)} values")
    items = _decode_values(packed.values, budget, depth + 1)
    made = dict(zip(keys, items, strict=True))
    if len(made) != len(items):
        raise ValueDecodeError("a key comes twice in a string_map")
    return made


def _decode_big_int(value: pb.Value, budget: Budget, depth: int) -> int:
    data = value.big_int_value
    if not data:
        raise ValueDecodeError("a big_int_value is empty")
    return int.from_bytes(data, "big", signed=True)


def _decode_surrogate_string(value: pb.Value, budget: Budget, depth: int) -> str:
    try:
        return value.surrogate_string_value.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise ValueDecodeError(f"a surrogate_string_value is not WTF-8: {error.reason} at byte {error.start}") from None


def _decode_nested(value: pb.Value, budget: Budget, depth: int) -> Any:
    inner = pb.Value()
    # A chain of nested_value inside nested_value would recurse without a level of its own: count it as one, and only
    # containers may be nested.
    try:
        inner.ParseFromString(value.nested_value)
    except DecodeError:
        raise ValueDecodeError("a nested_value is not a serialized Value") from None
    if inner.WhichOneof("kind") == "nested_value":
        raise ValueDecodeError("a nested_value holds another one directly")
    return _decode_one(inner, budget, depth)


#: Kinds that protobuf has decoded already.
_PLAIN: Mapping[str | None, Callable[[pb.Value], Any]] = {
    "null_value": lambda value: None,
    "bool_value": attrgetter("bool_value"),
    "int_value": attrgetter("int_value"),
    "double_value": attrgetter("double_value"),
    "string_value": attrgetter("string_value"),
    "bytes_value": attrgetter("bytes_value"),
}

#: Kinds that are built here.
_BUILT: dict[str, Callable[[pb.Value, Budget, int], Any]] = {
    "big_int_value": _decode_big_int,
    "surrogate_string_value": _decode_surrogate_string,
    "nested_value": _decode_nested,
    "list_value": _decode_list,
    "tuple_value": _decode_tuple,
    "set_value": _decode_set,
    "frozenset_value": _decode_frozenset,
    "double_list": _packed("double_list"),
    "int_list": _packed("int_list"),
    "bool_list": _packed("bool_list"),
    "string_list": _packed("string_list"),
    "map_value": _decode_map,
    "string_map": _decode_string_map,
}
