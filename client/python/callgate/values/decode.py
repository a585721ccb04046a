"""Value → Python.

The name of the kind that is set picks a getter (plain kinds, in C) or a function (containers and built kinds). Depth
and element counts are taken off the budget before a container is built, so a hostile message costs no more than its
own bytes did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from google.protobuf.message import DecodeError

from callgate.convert import Mismatch, converter
from callgate.errors import ValueDecodeError
from callgate.records import FORMS, Record, registered
from callgate.v1 import value_pb2 as pb
from callgate.values import arrow, scalars, temporal, tensors
from callgate.values.foreign import short_key
from callgate.values.limits import DEFAULT_LIMITS, NESTING_STRIDE, Budget, Limits

try:
    from callgate.values import _compiled
except ImportError:  # not compiled for this Python: see build_compiled.py
    _compiled = None  # type: ignore[assignment]  # a module or none

__all__ = ["decode", "decode_arguments", "decode_plain"]


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


def decode_plain(data: bytes, start: int) -> tuple[Any, int] | None:
    """Decode a serialized Value that is plain, with the default limits.

    Args:
        data: what ends with the Value.
        start: where it begins.

    Returns:
        The Python value (and what is left of the elements); None if it is for protobuf and `decode`.
    """
    if _compiled is None:  # type: ignore[redundant-expr,unused-ignore]  # where it is not compiled
        return None
    return _compiled.decode(data, start, DEFAULT_LIMITS.depth, DEFAULT_LIMITS.elements)


def decode_arguments(
    args: Sequence[pb.Value], kwargs: Mapping[str, pb.Value], limits: Limits = DEFAULT_LIMITS
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
    count = len(args)
    if count <= _FEW and not kwargs:
        # A few plain arguments, as most calls have. The slice: protobuf's containers end iteration by an IndexError,
        # which takes longer than all else here.
        plain = _PLAIN.get
        if count == 1:  # as most calls have: spared the loop and its list
            only = args[0]
            get = plain(only.WhichOneof("kind"))
            if get is not None:
                return [get(only)], {}
        few: list[Any] = []
        for value in args[:]:
            get = plain(value.WhichOneof("kind"))
            if get is None:
                break
            few.append(get(value))
        else:
            return few, {}
    budget = Budget(limits, ValueDecodeError)
    positional: list[Any] = []
    named: dict[str, Any] = {}
    at = ""
    try:
        budget.enter(0, count + len(kwargs))
        for value in args:
            positional.append(_decode_one(value, budget, 0))
        for name in kwargs:
            at = f"kwargs[{name[:80]!r}]"
            named[name] = _decode_one(kwargs[name], budget, 0)
    except ValueDecodeError as error:
        error.path = (at or f"args[{len(positional)}]") + error.path
        raise
    return positional, named


#: Up to how many arguments are tried as plain ones first; arbitrary.
_FEW = 16


def _decode_one(value: pb.Value, budget: Budget, depth: int) -> Any:
    kind = value.WhichOneof("kind")
    get = _PLAIN.get(kind)
    return get(value) if get is not None else _decode_kind(kind, value, budget, depth)


def _decode_kind(kind: str | None, value: pb.Value, budget: Budget, depth: int) -> Any:
    if kind is None:
        raise ValueDecodeError("a Value with no kind set (a newer client's kind, or an empty message)")
    if depth == 0 and kind in _CONTAINERS and _compiled is not None:
        # From the beginning once more: the bytes are made in a tenth of the time that the messages take to be read.
        found = _compiled.decode(value.SerializeToString(), 0, budget.depth, budget.elements)
        if found is not None:  # else it is not plain throughout, or is to be refused
            made, budget.elements = found
            return made
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
        # The slice: as in decode_arguments.
        for value in values[:]:
            get = plain(kind := value.WhichOneof("kind"))
            append(get(value) if get is not None else _decode_kind(kind, value, budget, depth))
    except ValueDecodeError as error:
        error.path = f"[{len(items)}]{error.path}"
        raise
    return items


def _decode_list(value: pb.Value, budget: Budget, depth: int) -> list[Any]:
    return _decode_values(value.list_value.values, budget, depth + 1)


def _decode_tuple(value: pb.Value, budget: Budget, depth: int) -> tuple[Any, ...]:
    return tuple(_decode_values(value.tuple_value.values, budget, depth + 1))


def _decode_set(value: pb.Value, budget: Budget, depth: int) -> Any:
    return _as_set(_decode_values(value.set_value.values, budget, depth + 1), set)


def _decode_frozenset(value: pb.Value, budget: Budget, depth: int) -> Any:
    return _as_set(_decode_values(value.frozenset_value.values, budget, depth + 1), frozenset)


def _as_set(items: list[Any], kind: type[Any]) -> Any:
    try:
        _check_hashes(items)
        made = kind(items)
    except TypeError as error:
        raise ValueDecodeError(f"an element of a {kind.__name__} is not hashable: {error}") from None
    if len(made) != len(items):
        raise ValueDecodeError(f"a {kind.__name__} has an element twice")
    return made


def _check_hashes(items: list[Any]) -> None:
    """Refuse elements that were made to have equal hashes: a set of them takes quadratic time, inside C code.

    Only strings' and bytes' hashes are secret; numbers with a common one are easily made (multiples of 2**61 - 1).
    """
    if len(items) > 1000 and len(set(map(hash, items))) < len(items) // 8:  # arbitrary; real values have no such share
        raise ValueDecodeError("too many elements or keys have the same hash")


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
    keys: list[Any] = []
    items: list[Any] = []
    try:
        for entry in entries:
            keys.append(_decode_one(entry.key, budget, depth))
            items.append(_decode_one(entry.value, budget, depth))
    except ValueDecodeError as error:
        at = f"[{short_key(keys[-1])}]" if len(keys) > len(items) else f".key({len(keys)})"
        error.path = at + error.path
        raise
    try:
        _check_hashes(keys)
        made = dict(zip(keys, items, strict=True))
    except TypeError as error:
        raise ValueDecodeError(f"a key is not hashable: {error}") from None
    if len(made) != len(keys):
        raise ValueDecodeError("a key comes twice")
    return made


def _decode_string_map(value: pb.Value, budget: Budget, depth: int) -> dict[str, Any]:
    packed = value.string_map
    keys = packed.keys[:]
    if len(keys) != len(packed.values):
        raise ValueDecodeError(f"a string_map has {len(keys)} keys and {len(packed.values)} values")
    try:
        items = _decode_values(packed.values, budget, depth + 1)
    except ValueDecodeError as error:
        index, bracket, rest = error.path[1:].partition("]")
        if bracket and index.isdecimal():  # an element's: its key says more than its number
            error.path = f"[{short_key(keys[int(index)])}]{rest}"
        raise
    made = dict(zip(keys, items, strict=True))
    if len(made) != len(items):
        raise ValueDecodeError("a key comes twice in a string_map")
    return made


def _decode_record(value: pb.Value, budget: Budget, depth: int) -> Any:
    record = value.record_value
    depth += 1
    budget.enter(depth, len(record.fields))
    fields: dict[str, Any] = {}
    for field in record.fields:
        name = field.name
        try:
            item = _decode_one(field.value, budget, depth)
        except ValueDecodeError as error:
            error.path = f".{name[:80]}{error.path}"
            raise
        if name in fields:
            raise ValueDecodeError("a field comes twice", f".{name[:80]}")
        fields[name] = item
    form = record.form
    if not 0 <= form < len(FORMS):
        raise ValueDecodeError(f"a record has the unknown form {form}")
    made = Record(record.type_name, fields, FORMS[form])
    kind = registered(record.type_name)
    if kind is None:
        return made
    convert = converter(kind)
    try:
        return made if convert is None else convert(made)
    except Mismatch as mismatch:
        raise ValueDecodeError(mismatch.problem, mismatch.path) from None


def _decode_nested(value: pb.Value, budget: Budget, depth: int) -> Any:
    # Each level holds a copy of all that is inside it: nesting at every level would multiply a message a hundredfold.
    if budget.nested >= budget.limits.depth // NESTING_STRIDE + 1:
        raise ValueDecodeError(f"nested_value comes more often than every {NESTING_STRIDE} levels")
    inner = pb.Value()
    try:
        inner.ParseFromString(value.nested_value)
    except DecodeError:
        raise ValueDecodeError("a nested_value is not a serialized Value") from None
    budget.nested += 1
    try:
        return _decode_one(inner, budget, depth)
    finally:
        budget.nested -= 1


#: Kinds that protobuf has decoded already.
_PLAIN: Mapping[str | None, Callable[[pb.Value], Any]] = {
    "null_value": lambda value: None,
    "bool_value": attrgetter("bool_value"),
    "int_value": attrgetter("int_value"),
    "double_value": attrgetter("double_value"),
    "string_value": attrgetter("string_value"),
    "bytes_value": attrgetter("bytes_value"),
}

#: What `_compiled` is tried for; packed lists are protobuf's own.
_CONTAINERS = frozenset({"list_value", "tuple_value", "map_value", "string_map"})

#: Kinds that are built here.
_BUILT: dict[str, Callable[[pb.Value, Budget, int], Any]] = {
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
    "record_value": _decode_record,
    **scalars.DECODERS,
    **temporal.DECODERS,
    **tensors.DECODERS,
    **arrow.DECODERS,
}
