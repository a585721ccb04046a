"""Python → Value.

A value's exact type picks its function from `_ENCODERS`: one dict access, no isinstance chain, and nothing the value
itself can influence (`__class__` tricks have no effect on `type()`). Other types are looked at once by `_encode_other`,
and remembered: records, numpy's and Arrow's types by their ancestry, and subclasses of the builtins, which are read
with the builtin's own methods, never with overridden ones.

A function is handed the message to fill, because filling what `add()` returned is 2.7 times faster than building
messages and copying them in (measured, ../shared/SHARP-EDGES.md).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from callgate.buffers import ArrowStream, Tensor
from callgate.errors import ValueFormError
from callgate.records import FORMS, Record, Shape, shape_of
from callgate.v1 import value_pb2 as pb
from callgate.values import arrow, foreign, scalars, temporal, tensors
from callgate.values.foreign import short_key
from callgate.values.large import LARGE
from callgate.values.limits import DEFAULT_LIMITS, NESTING_STRIDE, Budget, Limits

try:
    from callgate.values import _compiled
except ImportError:  # not compiled for this Python: see build_compiled.py
    _compiled = None  # type: ignore[assignment]  # a module or none

__all__ = ["encode", "plain_answer", "plain_bytes"]

_Encoder = Callable[[Any, pb.Value, Budget, int], None]


def encode(
    value: Any,
    target: pb.Value | None = None,
    path: str = "result",
    limits: Limits = DEFAULT_LIMITS,
    hole: list[memoryview] | None = None,
) -> pb.Value:
    """Encode a Python value.

    Args:
        value: what to encode.
        target: the message to fill, fresh; None makes one.
        path: how errors name the value ("result", "args[0]").
        limits: depth and element limits.
        hole: where to put the bytes of a large array or `bytes`, which the message is then without; None for nowhere.

    Returns:
        The filled message.

    Raises:
        ValueFormError: if the value, or one inside it, has no Value form, nests too deeply, or holds itself; its path
            says which.
        ValueTooLarge: if its strings, bytes and arrays go beyond the limit.
    """
    if target is None:
        target = pb.Value()
    kind = type(value)
    if kind is float:  # the commonest result by far, worth no budget
        target.double_value = value
        return target
    if kind in _CONTAINERS:
        data = plain_bytes(value, limits)
        if data is not None:
            target.MergeFromString(data)
            return target
    budget = Budget(limits, ValueFormError)
    budget.hole = hole
    try:
        (_ENCODERS.get(kind) or _encode_other)(value, target, budget, 0)
    except ValueFormError as error:
        cycle = foreign.find_cycle(value, limits.depth) if budget.exhausted else None
        if cycle is not None:
            at, to = cycle
            raise ValueFormError(f"the value holds itself: this is {path}{to} again", path + at) from None
        error.path = path + error.path
        raise
    return target


def plain_bytes(value: Any, limits: Limits = DEFAULT_LIMITS) -> bytes | None:
    """A serialized Value, of what is plain: numbers, text, None, and lists, tuples and dicts of these and `bytes`.

    Args:
        value: what to encode.
        limits: depth and element limits.

    Returns:
        The bytes; None if `encode` has to do it, or to refuse it.
    """
    if type(value) is bytes:  # may be large, see large.py
        return None
    if _compiled is None:  # type: ignore[redundant-expr,unused-ignore]  # where it is not compiled
        return None
    return _compiled.encode(value, limits.depth, limits.elements, limits.bytes)


def plain_answer(value: Any, limits: Limits = DEFAULT_LIMITS) -> bytes | None:
    """A serialized CallFunctionResponse (or any message whose first field is a Value, and that has no other) of a value
    as for `plain_bytes`; None likewise.
    """
    if type(value) is bytes or _compiled is None:  # type: ignore[redundant-expr,unused-ignore]  # as above
        return None
    return _compiled.encode_only(value, limits.depth, limits.elements, limits.bytes)


def _encode_none(value: None, target: pb.Value, budget: Budget, depth: int) -> None:
    target.null_value = pb.NULL_VALUE_UNSPECIFIED


def _encode_bool(value: bool, target: pb.Value, budget: Budget, depth: int) -> None:
    target.bool_value = value


def _encode_int(value: int, target: pb.Value, budget: Budget, depth: int) -> None:
    try:
        target.int_value = value
    except ValueError:  # beyond 64 bits
        budget.spend(value.bit_length() // 8)
        scalars.encode_big_int(value, target)


def _encode_float(value: float, target: pb.Value, budget: Budget, depth: int) -> None:
    target.double_value = value


def _encode_str(value: str, target: pb.Value, budget: Budget, depth: int) -> None:
    budget.spend(len(value))
    try:
        target.string_value = value
    except UnicodeEncodeError:
        scalars.encode_surrogates(value, target)


def _encode_bytes(value: bytes, target: pb.Value, budget: Budget, depth: int) -> None:
    budget.spend(len(value))
    if len(value) >= LARGE and budget.hole is not None and depth == 0:
        target.bytes_value = b""
        budget.hole.append(memoryview(value))
        return
    target.bytes_value = value


def _encode_values(values: Iterable[Any], target: pb.ListValue, budget: Budget, depth: int, count: int) -> None:
    """Fill a ListValue; `depth` is that of the container itself."""
    budget.enter(depth, count)
    add = target.values.add
    find = _ENCODERS.get
    try:
        for item in values:
            (find(type(item)) or _encode_other)(item, add(), budget, depth)
    except ValueFormError as error:
        # The element that failed is the one added last: no index has to be counted along the good path.
        error.path = f"[{len(target.values) - 1}]{error.path}"
        raise


def _encode_list(value: list[Any], target: pb.Value, budget: Budget, depth: int) -> None:
    depth += 1
    if value:
        # A list of one plain type goes packed: the set of its types is made in C.
        kinds = set(map(type, value))
        if len(kinds) == 1:
            pack = _PACKERS.get(kinds.pop())
            if pack is not None:
                budget.enter(depth, len(value))
                if pack(value, target, budget):
                    return
                budget.elements += len(value)
    if depth % NESTING_STRIDE == 0:
        inner = pb.Value()
        _encode_values(value, inner.list_value, budget, depth, len(value))
        inner.list_value.SetInParent()
        target.nested_value = inner.SerializeToString()
        return
    target.list_value.SetInParent()  # an empty list is set, too
    _encode_values(value, target.list_value, budget, depth, len(value))


def _pack_floats(value: list[float], target: pb.Value, budget: Budget) -> bool:
    budget.spend(8 * len(value))
    target.double_list.values.extend(value)
    return True


def _pack_ints(value: list[int], target: pb.Value, budget: Budget) -> bool:
    budget.spend(len(value))
    try:
        target.int_list.values.extend(value)
    except ValueError:  # one is beyond 64 bits
        return False  # the caller sets another kind, which clears this one
    return True


def _pack_bools(value: list[bool], target: pb.Value, budget: Budget) -> bool:
    budget.spend(len(value))
    target.bool_list.values.extend(value)
    return True


def _pack_strings(value: list[str], target: pb.Value, budget: Budget) -> bool:
    size = sum(map(len, value))
    budget.spend(size)
    try:
        target.string_list.values.extend(value)
    except UnicodeEncodeError:  # one has lone surrogates
        budget.bytes += size
        return False
    return True


_PACKERS: Mapping[type, Callable[[Any, pb.Value, Budget], bool]] = {
    float: _pack_floats,
    int: _pack_ints,
    bool: _pack_bools,
    str: _pack_strings,
}


def _sequence_encoder(kind: str) -> _Encoder:
    """An encoder for tuple, set or frozenset: the kinds that share ListValue and have no packed form."""

    def encode_sequence(value: Any, target: pb.Value, budget: Budget, depth: int) -> None:
        depth += 1
        holder = pb.Value() if depth % NESTING_STRIDE == 0 else target
        elements: pb.ListValue = getattr(holder, kind)
        elements.SetInParent()
        _encode_values(value, elements, budget, depth, len(value))
        if holder is not target:
            target.nested_value = holder.SerializeToString()

    return encode_sequence


def _encode_dict(value: dict[Any, Any], target: pb.Value, budget: Budget, depth: int) -> None:
    depth += 1
    budget.enter(depth, len(value))
    holder = pb.Value() if depth % NESTING_STRIDE == 0 else target
    if not (set(map(type, value)) <= _STR_ONLY and _encode_string_map(value, holder, budget, depth)):
        _encode_map(value, holder, budget, depth)
    if holder is not target:
        target.nested_value = holder.SerializeToString()


def _encode_string_map(value: dict[str, Any], target: pb.Value, budget: Budget, depth: int) -> bool:
    """Fill a packed map; False, with nothing lost, if a key has lone surrogates and has to go as an entry."""
    packed = target.string_map
    packed.SetInParent()
    try:
        packed.keys.extend(value)
    except UnicodeEncodeError:
        return False
    add = packed.values.add
    find = _ENCODERS.get
    try:
        for item in value.values():
            (find(type(item)) or _encode_other)(item, add(), budget, depth)
    except ValueFormError as error:
        error.path = f"[{short_key(packed.keys[len(packed.values) - 1])}]{error.path}"
        raise
    return True


def _encode_map(value: dict[Any, Any], target: pb.Value, budget: Budget, depth: int) -> None:
    entries = target.map_value
    entries.SetInParent()
    add = entries.entries.add
    find = _ENCODERS.get
    for key, item in value.items():
        entry = add()
        try:
            (find(type(key)) or _encode_other)(key, entry.key, budget, depth)
        except ValueFormError as error:
            error.path = f".key({short_key(key)}){error.path}"
            raise
        try:
            (find(type(item)) or _encode_other)(item, entry.value, budget, depth)
        except ValueFormError as error:
            error.path = f"[{short_key(key)}]{error.path}"
            raise


def _record_encoder(shape: Shape) -> _Encoder:
    form = FORMS.index(shape.form)

    def encode_record(value: Any, target: pb.Value, budget: Budget, depth: int) -> None:
        _encode_fields(shape.type_name, form, shape.read(value), target, budget, depth)

    return encode_record


def _encode_fields(
    type_name: str, form: int, fields: list[tuple[str, Any]], target: pb.Value, budget: Budget, depth: int
) -> None:
    depth += 1
    budget.enter(depth, len(fields))
    holder = pb.Value() if depth % NESTING_STRIDE == 0 else target
    made = holder.record_value
    name = ""
    try:
        made.type_name = type_name
        made.form = form  # type: ignore[assignment]  # the numbers of the enum
        add = made.fields.add
        find = _ENCODERS.get
        for name, item in fields:  # noqa: B007  # the error's path wants the last name
            field = add()
            field.name = name
            (find(type(item)) or _encode_other)(item, field.value, budget, depth)
    except ValueFormError as error:
        error.path = f".{name}{error.path}"
        raise
    except UnicodeEncodeError:
        raise ValueFormError("a type's or field's name has lone surrogates", f".{name!a}") from None
    if holder is not target:
        target.nested_value = holder.SerializeToString()


def _encode_unknown_record(value: Record, target: pb.Value, budget: Budget, depth: int) -> None:
    _encode_fields(value.type_name, FORMS.index(value.form), list(value.items()), target, budget, depth)


def _member_encoder(shape: Shape) -> _Encoder:
    """For Enums: a member whose value has no Value form still has its name."""
    form = FORMS.index(shape.form)

    def encode_member(value: Any, target: pb.Value, budget: Budget, depth: int) -> None:
        fields = shape.read(value)
        try:
            _encode_fields(shape.type_name, form, fields, target, budget, depth)
        except ValueFormError:
            if budget.exhausted or not value._name_:
                raise
            target.Clear()
            _encode_fields(shape.type_name, form, fields[:1], target, budget, depth)

    return encode_member


def _encode_other(value: Any, target: pb.Value, budget: Budget, depth: int) -> None:
    """Encode what the table does not have."""
    kind = type(value)
    encoder = _found.get(kind)
    if encoder is None:
        encoder = _find(kind)
        if encoder is None:
            raise ValueFormError(foreign.refusal(kind))
        if len(_found) >= _MOST_FOUND:
            _found.clear()
        _found[kind] = encoder
    encoder(value, target, budget, depth)


def _find(kind: type) -> _Encoder | None:
    shape = shape_of(kind)
    if shape is not None:
        # By ancestry, as shape_of() looks: a type can claim to be anything.
        return _member_encoder(shape) if enum.Enum in kind.__mro__ else _record_encoder(shape)
    encoder: _Encoder | None = tensors.encoder_for(kind) or arrow.encoder_for(kind)
    if encoder is not None:
        return encoder
    plain = foreign.plain_reader(kind)
    if plain is None:
        return None
    base, read = plain
    encode_base = _ENCODERS[base]

    def encode_subclass(value: Any, target: pb.Value, budget: Budget, depth: int) -> None:
        encode_base(read(value), target, budget, depth)

    return encode_subclass


#: Encoders of types that are not in the table, once found. Bounded, since a program may make types without end.
_found: dict[type, _Encoder] = {}
_MOST_FOUND = 1000

_STR_ONLY = frozenset({str})

#: What `_compiled` is tried for: below, it would only cost a look.
_CONTAINERS = frozenset({list, tuple, dict})

_ENCODERS: dict[type, _Encoder] = {
    type(None): _encode_none,
    bool: _encode_bool,
    int: _encode_int,
    float: _encode_float,
    str: _encode_str,
    bytes: _encode_bytes,
    list: _encode_list,
    tuple: _sequence_encoder("tuple_value"),
    set: _sequence_encoder("set_value"),
    frozenset: _sequence_encoder("frozenset_value"),
    dict: _encode_dict,
    Record: _encode_unknown_record,
    Tensor: tensors.encode_tensor,
    ArrowStream: arrow.encode_stream,
    **scalars.ENCODERS,
    **temporal.ENCODERS,
}
