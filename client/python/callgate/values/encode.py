"""Python → Value.

A value's exact type picks its function from `_ENCODERS`: one dict access, no isinstance chain, and nothing the value
itself can influence (`__class__` tricks have no effect on `type()`). Subclasses of the builtins go through
`_encode_other`, which reads them with the builtin's own methods, never with overridden ones.

A function is handed the message to fill, because filling what `add()` returned is 2.7 times faster than building
messages and copying them in (measured, ../shared/SHARP-EDGES.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from callgate.errors import ValueFormError
from callgate.v1 import value_pb2 as pb
from callgate.values.limits import DEFAULT_LIMITS, NESTING_STRIDE, Budget, Limits

__all__ = ["encode"]

_Encoder = Callable[[Any, pb.Value, Budget, int], None]


def encode(value: Any, target: pb.Value | None = None, *, path: str = "result", limits: Limits = DEFAULT_LIMITS) -> pb.Value:
    """Encode a Python value.

    Args:
        value: what to encode.
        target: the message to fill, fresh; None makes one.
        path: how errors name the value ("result", "args[0]").
        limits: depth and element limits.

    Returns:
        The filled message.

    Raises:
        ValueFormError: if the value, or one inside it, has no Value form, nests too deeply, or holds itself; its path
            says which.
    """
    if target is None:
        target = pb.Value()
    try:
        (_ENCODERS.get(type(value)) or _encode_other)(value, target, Budget(limits, ValueFormError), 0)
    except ValueFormError as error:
        error.path = path + error.path
        raise
    return target


def _encode_none(value: None, target: pb.Value, budget: Budget, depth: int) -> None:
    target.null_value = pb.NULL_VALUE_UNSPECIFIED


def _encode_bool(value: bool, target: pb.Value, budget: Budget, depth: int) -> None:
    target.bool_value = value


def _encode_int(value: int, target: pb.Value, budget: Budget, depth: int) -> None:
    try:
        target.int_value = value
    except ValueError:  # beyond 64 bits
        # One bit more than bit_length, for the sign; -2**71 needs no more bytes than 2**71 - 1.
        bits = (value if value >= 0 else ~value).bit_length() + 1
        target.big_int_value = value.to_bytes((bits + 7) // 8, "big", signed=True)


def _encode_float(value: float, target: pb.Value, budget: Budget, depth: int) -> None:
    target.double_value = value


def _encode_str(value: str, target: pb.Value, budget: Budget, depth: int) -> None:
    try:
        target.string_value = value
    except UnicodeEncodeError:  # lone surrogates
        target.surrogate_string_value = value.encode("utf-8", "surrogatepass")


def _encode_bytes(value: bytes, target: pb.Value, budget: Budget, depth: int) -> None:
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
            if pack is not None and pack(value, target):
                budget.enter(depth, len(value))
                return
    if depth % NESTING_STRIDE == 0:
        inner = pb.Value()
        _encode_values(value, inner.list_value, budget, depth, len(value))
        inner.list_value.SetInParent()
        target.nested_value = inner.SerializeToString()
        return
    target.list_value.SetInParent()  # an empty list is set, too
    _encode_values(value, target.list_value, budget, depth, len(value))


def _pack_floats(value: list[float], target: pb.Value) -> bool:
    target.double_list.values.extend(value)
    return True


def _pack_ints(value: list[int], target: pb.Value) -> bool:
    try:
        target.int_list.values.extend(value)
    except ValueError:  # one is beyond 64 bits
        return False  # the caller sets another kind, which clears this one
    return True


def _pack_bools(value: list[bool], target: pb.Value) -> bool:
    target.bool_list.values.extend(value)
    return True


def _pack_strings(value: list[str], target: pb.Value) -> bool:
    try:
        target.string_list.values.extend(value)
    except UnicodeEncodeError:  # one has lone surrogates
        return False
    return True


_PACKERS: Mapping[type, Callable[[Any, pb.Value], bool]] = {
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
        error.path = f"[{_short(packed.keys[len(packed.values) - 1])}]{error.path}"
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
            error.path = f".key({_short(key)}){error.path}"
            raise
        try:
            (find(type(item)) or _encode_other)(item, entry.value, budget, depth)
        except ValueFormError as error:
            error.path = f"[{_short(key)}]{error.path}"
            raise


def _short(key: object) -> str:
    """A key as a path shows it: repr() for plain ones, cut; the type's name for all whose repr is their own code."""
    if type(key) in (str, int, bool, float, bytes, type(None)):
        if type(key) is int and key.bit_length() > 256:
            return "<int>"
        text = repr(key[:41] if isinstance(key, str | bytes) else key)
        return text if len(text) <= 43 else text[:40] + "…" + text[0]
    return f"<{type(key).__name__}>"


#: Builtins by which a subclass's instance is read, and how to read it past overridden methods.
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


def _encode_other(value: Any, target: pb.Value, budget: Budget, depth: int) -> None:
    """Encode what the table does not have: a subclass of a builtin as that builtin; all else has no Value form."""
    kind = type(value)
    for base, read in _BASES:
        if issubclass(kind, base):
            plain = read(value)
            if type(plain) is base:
                _ENCODERS[base](plain, target, budget, depth)
                return
    raise ValueFormError(f"{_type_name(kind)} has no Value form")


def _type_name(kind: type) -> str:
    """"module.QualName", without the module for builtins; read past a metaclass."""
    name = str(type.__getattribute__(kind, "__qualname__"))
    module = type.__getattribute__(kind, "__module__")
    return name if module == "builtins" or not isinstance(module, str) else f"{module}.{name}"


_STR_ONLY = frozenset({str})

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
}
