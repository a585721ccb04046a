"""Converters towards containers, unions and literals.

A value that fits as it is comes back itself, uncopied: for a list of a plain type one pass in C tells.
"""

from __future__ import annotations

import collections
import collections.abc
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from callgate.convert.mismatch import Mismatch, wanted
from callgate.records import Record, type_name

__all__ = ["SEQUENCES", "literal", "mapping", "sequence", "tuple_of", "typed_dict", "union"]

Converter = Callable[[Any], Any]
Find = Callable[[Any], "Converter | None"]

_ARRAYS = (list, tuple)
_ANY = (list, tuple, set, frozenset)

#: The container hints: how a value is made into one, what may be made into one, and whether others may pass as they are
#: (an abstract hint is met by classes that are not known here).
SEQUENCES: dict[Any, tuple[Callable[[Iterable[Any]], Any] | None, tuple[type, ...], bool]] = {
    list: (list, _ARRAYS, False),
    set: (set, _ANY, False),
    frozenset: (frozenset, _ANY, False),
    collections.deque: (collections.deque, _ARRAYS, False),
    collections.abc.Sequence: (None, _ARRAYS, True),
    collections.abc.MutableSequence: (list, _ARRAYS, True),
    collections.abc.Iterable: (None, _ANY, True),
    collections.abc.Collection: (None, _ANY, True),
    collections.abc.Container: (None, _ANY, True),
    collections.abc.Reversible: (None, _ARRAYS, True),
    collections.abc.Set: (frozenset, _ANY, True),
    collections.abc.MutableSet: (set, _ANY, True),
}

#: Element types whose exact instances need no look, by hint.
_EXACT: dict[Any, frozenset[type]] = {
    int: frozenset({int}),
    float: frozenset({float, int}),
    str: frozenset({str}),
    bool: frozenset({bool}),
    bytes: frozenset({bytes}),
}


def _each(element: Any, find: Find) -> Callable[[Any], Any]:
    """Converts the elements of a container; returns the container itself if none changed."""
    convert = find(element)
    exact = _EXACT.get(element)

    def convert_each(values: Any) -> Any:
        if convert is None or (exact is not None and exact.issuperset(map(type, values))):
            return values
        made = []
        changed = False
        index = 0
        try:
            for index, value in enumerate(values):  # noqa: B007  # the error's path wants the last index
                item = convert(value)
                changed = changed or item is not value
                made.append(item)
        except Mismatch as mismatch:
            mismatch.path = f"[{index}]{mismatch.path}"
            raise
        return made if changed else values

    return convert_each


def sequence(origin: Any, element: Any, find: Find) -> Converter:
    """For list[T], set[T], Sequence[T] and their kin."""
    make, taken, others_pass = SEQUENCES[origin]
    each = _each(element, find)
    name = getattr(origin, "__name__", str(origin))

    def convert(value: Any) -> Any:
        kind = type(value)
        if kind not in taken:
            # str is a Sequence[str] too; numpy's arrays and others are their function's own affair.
            if isinstance(value, origin) and kind not in _ANY:
                return value
            if others_pass and not isinstance(value, str | bytes | int | float | dict | Record | None):
                return value
            raise wanted(f"a {name}", value)
        made = each(value)
        if make is not None and not isinstance(made, origin):
            return _make(make, made, name)
        if made is not value and type(made) is not kind and make is None:
            return _make(kind, made, name)  # as the caller had it
        return made

    return convert


def _make(make: Callable[[Iterable[Any]], Any], values: Any, name: str) -> Any:
    try:
        return make(values)
    except TypeError as error:
        raise Mismatch(f"no {name} can be made of it: {error}") from None


def tuple_of(elements: Sequence[Any], find: Find) -> Converter:
    """For tuple[A, B] and tuple[T, ...]."""
    if len(elements) == 2 and elements[1] is Ellipsis:
        each = _each(elements[0], find)

        def convert_all(value: Any) -> Any:
            if not isinstance(value, _ARRAYS):
                raise wanted("a tuple", value)
            made = each(value)
            return made if isinstance(made, tuple) else tuple(made)

        return convert_all

    converters = [find(element) for element in elements]

    def convert(value: Any) -> Any:
        if not isinstance(value, _ARRAYS):
            raise wanted("a tuple", value)
        if len(value) != len(converters):
            raise Mismatch(f"{len(value)} elements, and {len(converters)} are wanted")
        made = []
        for index, (item, one) in enumerate(zip(value, converters, strict=True)):
            try:
                made.append(item if one is None else one(item))
            except Mismatch as mismatch:
                mismatch.path = f"[{index}]{mismatch.path}"
                raise
        if isinstance(value, tuple) and all(new is old for new, old in zip(made, value, strict=True)):
            return value
        return tuple(made)

    return convert


def mapping(origin: Any, key: Any, item: Any, find: Find) -> Converter:
    """For dict[K, V], Mapping[K, V] and their kin."""
    keys, items = _each(key, find), _each(item, find)
    make = origin if isinstance(origin, type) and issubclass(origin, dict) else dict
    if make is collections.defaultdict or make is collections.Counter:
        make = dict  # a default cannot be told; and Counter(dict) is its own affair

    def convert(value: Any) -> Any:
        if isinstance(value, Record):
            value = dict(value)
        if not isinstance(value, dict):
            if isinstance(value, collections.abc.Mapping) and origin is not dict:
                return value
            raise wanted(f"a {getattr(origin, '__name__', 'dict')}", value)
        old_keys = list(value)
        old_items = list(value.values())
        try:
            new_keys = keys(old_keys)
        except Mismatch as mismatch:
            mismatch.path = f".key({mismatch.path.partition(']')[0][1:]})"
            raise
        try:
            new_items = items(old_items)
        except Mismatch as mismatch:
            index, _, rest = mismatch.path[1:].partition("]")
            mismatch.path = f"[{old_keys[int(index)]!r:.40}]{rest}"
            raise
        if new_keys is old_keys and new_items is old_items:
            return value if isinstance(value, make) else make(value)
        made = make(zip(new_keys, new_items, strict=True))
        if len(made) != len(value):
            raise Mismatch("two keys become the same")
        return made

    return convert


def typed_dict(kind: Any, hints: typing.Mapping[str, Any], find: Find) -> Converter:
    """For a TypedDict; keys that it does not name pass as they are, as type checkers let them at run time."""
    converters = {name: find(hint) for name, hint in hints.items()}
    # Required[…] as a string (from __future__ import annotations) is seen only now.
    marks = {name: typing.get_origin(hint) for name, hint in hints.items()}
    required = {name for name in kind.__required_keys__ if marks[name] is not typing.NotRequired}
    required |= {name for name, mark in marks.items() if mark is typing.Required}

    def convert(value: Any) -> Any:
        if not isinstance(value, dict | Record):
            raise wanted(f"a dict with the keys of {kind.__name__}", value)
        missing = required.difference(value)
        if missing:
            raise Mismatch(f"the key {min(missing)!r} of {kind.__name__} is missing")
        made = dict(value)
        for name, one in converters.items():
            if one is not None and name in made:
                try:
                    made[name] = one(made[name])
                except Mismatch as mismatch:
                    mismatch.path = f"[{name!r}]{mismatch.path}"
                    raise
        return made

    return convert


def union(members: Sequence[Any], find: Find) -> Converter | None:
    """For A | B: what a member takes as it is comes first; else the one member that can convert it."""
    converters = [find(member) for member in members]
    if any(one is None for one in converters):
        return None
    names = {
        type_name(member): one for member, one in zip(members, converters, strict=True) if isinstance(member, type)
    }

    def convert(value: Any) -> Any:
        if isinstance(value, Record):
            named = names.get(value.type_name)
            if named is not None:
                return named(value)
        made: list[Any] = []
        problems: list[Mismatch] = []
        for one in converters:
            try:
                item = one(value)  # type: ignore[misc]  # none is None
            except Mismatch as mismatch:
                problems.append(mismatch)
                continue
            if item is value:
                return value
            made.append(item)
        if len(made) == 1:
            return made[0]
        if made:
            kinds = " or ".join(dict.fromkeys(type(item).__name__ for item in made))
            raise Mismatch(f"it could become a {kinds}: say which by sending that type")
        # The deepest problem is from the member that the value is most like.
        raise max(problems, key=lambda mismatch: len(mismatch.path))

    return convert


def literal(values: Sequence[Any]) -> Converter:
    """For Literal[…]: equal and of the same type; an Enum's member also by its Record or value."""
    choices = ", ".join(repr(value) for value in values)

    def convert(value: Any) -> Any:
        for choice in values:
            if type(choice) is type(value) and choice == value:
                return value
            if isinstance(value, Record) and value.form == "enum" and value.get("name") == getattr(choice, "_name_", 0):
                return choice
        raise wanted(f"one of {choices[:200]}", value)

    return convert
